#include "cli/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"

static char buffer[OUT_BUFFER];
static size_t used;

void out_flush(void)
{
	size_t done = 0;

	while (done < used) {
		const ssize_t wrote = write(STDOUT_FILENO, buffer + done, used - done);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			die_errno("cannot write to stdout");
		done += (size_t)wrote;
	}
	used = 0;
}

char *out_room(size_t size)
{
	if (used + size > sizeof(buffer))
		out_flush();
	return buffer + used;
}

void out_took(const char *end)
{
	used = (size_t)(end - buffer);
}

void out_text(const char *text)
{
	const size_t length = strlen(text);

	for (size_t done = 0; done < length;) {
		const size_t part = MIN(length - done, sizeof(buffer));

		memcpy(out_room(part), text + done, part);
		used += part;
		done += part;
	}
}

void out_format(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		die("out of memory");
	va_end(args);
	out_text(text);
	free(text);
}
