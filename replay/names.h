/*
 * replay/names.h - from names to the numbers on tapes; trace/text.h has the other way
 */
#ifndef REPLAY_NAMES_H
#define REPLAY_NAMES_H

#include "trace/event.h"

/* "succeed", "fail_invalid", "fail_valid" or "fault"; "unknown" for another number. */
const char *name_outcome(u64 outcome);
/* -1 when @name is none of these. */
int name_outcome_find(const char *name);

/* Index of the MSR called @name, -1 when there is none. */
s64 name_msr_find(const char *name);

/* Whether @part occurs in @text, upper and lower case being the same. */
bool name_contains(const char *text, const char *part);

#endif
