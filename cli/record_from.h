/*
 * cli/record_from.h - a tape from what a real machine sent: frames in a file or on a line
 */
#ifndef CLI_RECORD_FROM_H
#define CLI_RECORD_FROM_H

#include "base/base.h"

/*
 * Make the tape @tape, moving an earlier one out of the way, of the frames in @source, a file or
 * device, or "-" for stdin, until it ends or SIGINT or SIGTERM arrives. Other bytes between frames
 * are passed over. Returns an enum exit_status; prints a summary on stderr. Dies when @source
 * cannot be read.
 */
int record_from(const char *source, const char *tape);

#endif
