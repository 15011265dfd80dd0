/*
 * cli/paused_output.h - output of a Bochs that stops for commands and goes on, without its own
 * words
 *
 * It may stop in the middle of a block of the tape, which must not have them in it.
 */
#ifndef CLI_PAUSED_OUTPUT_H
#define CLI_PAUSED_OUTPUT_H

#include "base/base.h"

struct paused_output {
	char *bytes;
	size_t length;
	unsigned prompts; /* that are still to come; 0: nothing is kept back */
};

/* Bochs was told to stop, and given @commands, the last of which lets it go on. */
void paused_output_begin(struct paused_output *paused, unsigned commands);

/*
 * Keep back @size bytes. True: it has gone on, or says too much; then @paused->bytes are what can
 * be passed on, and later ones need not be kept back.
 */
bool paused_output_take(struct paused_output *paused, const void *bytes, size_t size);

/* There is no more: what is kept back is what it is. */
void paused_output_end(struct paused_output *paused);

void paused_output_free(struct paused_output *paused);

#endif
