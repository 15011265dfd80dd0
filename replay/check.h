/*
 * replay/check.h - all rules over a tape
 *
 * Feed every event in order, then end. Memory does not grow with the tape.
 */
#ifndef REPLAY_CHECK_H
#define REPLAY_CHECK_H

#include "replay/finding.h"
#include "replay/judge.h"

struct check;
struct reader;

/* @tape names the tape in the texts and outlives the check. NULL when there is no memory. */
struct check *check_new(const char *tape);
void check_free(struct check *check);

/* Event number @n. ST_NO_MEMORY. */
enum status check_event(struct check *check, const struct trace_event *event, u64 n);

/*
 * All events of @reader from @first up to, not including, @end, after following those before, and
 * check_end() where @end is that of the tape. Moves the reader. ST_NO_MEMORY.
 */
enum status check_tape(struct check *check, struct reader *reader, u64 first, u64 end);

/* The tape has no more events. Once. */
void check_end(struct check *check);

/* What there is so far: owned by the check, and valid as long as it is. */
const struct findings *check_findings(const struct check *check);
const struct model *check_model(const struct check *check);
const struct judge_counts *check_counts(const struct check *check);

#endif
