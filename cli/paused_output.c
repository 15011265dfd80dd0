#include "cli/paused_output.h"

#include <stdlib.h>
#include <string.h>

#include "cli/bochs_text.h"
#include "cli/message.h"

#define MAX_KEPT MIB(8)

void paused_output_begin(struct paused_output *paused, unsigned commands)
{
	free(paused->bytes);
	*paused = (struct paused_output){ .prompts = commands };
}

/* Behind the prompt that is number @count from @at on, with the blank behind it; NULL: it lacks. */
static const char *behind_prompts(const char *at, const char *end, unsigned count)
{
	for (; at && count; count--) {
		at = memmem(at, (size_t)(end - at), BOCHS_PROMPT, strlen(BOCHS_PROMPT));
		at = at ? memmem(at, (size_t)(end - at), "> ", 2) : NULL;
		at = at ? at + 2 : NULL;
	}
	return at;
}

static void keep(struct paused_output *paused, const void *bytes, size_t size)
{
	char *const more = realloc(paused->bytes, paused->length + size);

	if (!more)
		die("out of memory");
	paused->bytes = more;
	memcpy(paused->bytes + paused->length, bytes, size);
	paused->length += size;
}

bool paused_output_take(struct paused_output *paused, const void *bytes, size_t size)
{
	const char *first, *last, *end;
	size_t stop;

	keep(paused, bytes, size);
	end = paused->bytes + paused->length;
	last = behind_prompts(paused->bytes, end, paused->prompts);
	if (!last && paused->length < MAX_KEPT)
		return false;
	paused->prompts = 0;
	if (!last)
		return true;
	first = behind_prompts(paused->bytes, end, 1);
	stop = bochs_text_stop(paused->bytes, (size_t)(first - paused->bytes));
	memmove(paused->bytes + stop, last, (size_t)(end - last));
	paused->length -= (size_t)(last - paused->bytes) - stop;
	return true;
}

void paused_output_end(struct paused_output *paused)
{
	paused->prompts = 0;
}

void paused_output_free(struct paused_output *paused)
{
	free(paused->bytes);
	*paused = (struct paused_output){ 0 };
}
