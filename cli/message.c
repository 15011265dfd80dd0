#include "cli/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *format, va_list args, const char *tail)
{
	/* A progress line may stand on the terminal. */
	fputs(isatty(STDERR_FILENO) ? "\r\033[Kvmxtape: " : "vmxtape: ", stderr);
	vfprintf(stderr, format, args);
	if (tail)
		fprintf(stderr, ": %s", tail);
	fputc('\n', stderr);
}

void message(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args, NULL);
	va_end(args);
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args, NULL);
	va_end(args);
	exit(EXIT_USAGE);
}

void die_errno(const char *format, ...)
{
	const char *const tail = strerrordesc_np(errno);
	va_list args;

	va_start(args, format);
	say(format, args, tail ? tail : "unknown error");
	va_end(args);
	exit(EXIT_USAGE);
}
