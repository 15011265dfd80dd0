/*
 * replay/names.h - the words that stand for numbers on tapes, both ways
 *
 * One spelling everywhere: text, JSON and filters use these. All texts are static.
 */
#ifndef REPLAY_NAMES_H
#define REPLAY_NAMES_H

#include "trace/event.h"

/* "succeed", "fail_invalid", "fail_valid" or "fault"; "unknown" for another number. */
const char *name_outcome(u64 outcome);
/* -1 when @name is none of these. */
int name_outcome_find(const char *name);

/* "power_off" ... of enum trace_end, "ring_full" ... of enum trace_gap; "unknown" for another. */
const char *name_end(u64 why);
const char *name_gap(u64 why);
/* "memory", "error"; "unknown" for another. */
const char *name_origin(u64 origin);

/* Index of the MSR called @name, -1 when there is none. */
s64 name_msr_find(const char *name);

/* Whether @part occurs in @text, upper and lower case being the same. */
bool name_contains(const char *text, const char *part);

#endif
