/*
 * cli/moment_arg.h - what verbs about one moment are given: a position, words, a tape
 */
#ifndef CLI_MOMENT_ARG_H
#define CLI_MOMENT_ARG_H

#include "replay/model.h"
#include "replay/reader.h"

#define MOMENT_MAX_WORDS 64

struct moment_args {
	const char *place; /* begins with @, NULL: none */
	const char *words[MOMENT_MAX_WORDS];
	unsigned count;
};

/*
 * Sorts the @count arguments @args. Dies when there are more than one position or than @most words,
 * at most MOMENT_MAX_WORDS.
 */
void moment_args_sort(int count, char **args, unsigned most, struct moment_args *sorted);

/* Dies when there is no position. */
void moment_args_need_place(const struct moment_args *sorted);

/* Opens the tape @path (NULL: the usual one), as tape_arg_open() does. */
struct reader *moment_open_tape(const char *path);

/* The number of the event that @text names. Dies when there is none. */
u64 moment_position(struct reader *reader, const char *text);

/* enum vmcs_index of the field that @name names. Dies when there is none. */
int moment_field(const char *name);

/* "@c0:123" in one of a few static buffers, "?" for nowhere. */
const char *moment_place(const struct model_place *place);

/* The line of event @n as dump prints it, without its end; valid until the next call. */
const char *moment_event_line(struct reader *reader, u64 n);

#endif
