/*
 * cli/repeat.h - did a machine do the same with other options of hv?
 *
 * What L1 said and how often L2 exited does not depend on what is recorded, unless hv's work, or
 * the time that it takes, changes what L1 does.
 */
#ifndef CLI_REPEAT_H
#define CLI_REPEAT_H

#include "base/base.h"

/*
 * Print on stdout how the recordings @first and @again of one machine differ, the second with hv's
 * options @words. Returns an enum exit_status: EXIT_CLEAN they are the same, but for exits that
 * come by time; EXIT_FINDINGS they are not. Dies when a tape cannot be read, does not have all of
 * the run, or does not tell how often L2 exited.
 */
int repeat_compare(const char *first, const char *again, const char *words, bool json);

#endif
