/*
 * cli/tape_arg.h - the tape and the ranges that a reading verb is given
 */
#ifndef CLI_TAPE_ARG_H
#define CLI_TAPE_ARG_H

#include "replay/position.h"

#define TAPE_DEFAULT "vmxtape.vxt"

/*
 * Opens the tape among the @count arguments @args: the first that does not begin like a range (@ or
 * ..), TAPE_DEFAULT when there is none. The others become @range, which is the whole tape without
 * them. Dies when more is given, or when the tape cannot be opened; ends with EXIT_DAMAGED when it
 * is damaged beyond reading. @range may be NULL: then none may be given.
 */
struct reader *tape_arg_open(int count, char **args, struct position_range *range);

/*
 * The exit status after a tape was read: @status, but EXIT_DAMAGED after a message when damage was
 * met. Closes the reader.
 */
int tape_arg_close(struct reader *reader, int status);

#endif
