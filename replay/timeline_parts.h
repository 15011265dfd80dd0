/*
 * replay/timeline_parts.h - shared by replay/timeline*.c
 */
#ifndef REPLAY_TIMELINE_PARTS_H
#define REPLAY_TIMELINE_PARTS_H

#include "replay/check.h"
#include "replay/timeline.h"

#define TIMELINE_MAX_BREAKS 256

struct timeline {
	struct reader *reader;		 /* of the cursor: what it gives next is behind @event */
	struct reader *look;		 /* timeline_reader() */
	struct model *model;		 /* before event @n */
	const struct trace_event *event; /* at the cursor; NULL behind the last */
	u64 n;
	u64 moves;
	struct cpu_facts cpu_facts;
	struct check *check; /* over the whole tape; NULL: not made yet */
	bool (*poll)(void *owner, u64 done, u64 total);
	void *poll_owner;
	struct timeline_break breaks[TIMELINE_MAX_BREAKS]; /* number n at n - 1 */
	bool used[TIMELINE_MAX_BREAKS];
};

/* Whether the owner wants what is under way to end. */
static inline bool timeline_interrupted(struct timeline *timeline, u64 done, u64 total)
{
	return timeline->poll && timeline->poll(timeline->poll_owner, done, total);
}

/* The place before the event that ends where the cursor is. @n is not 0. */
enum status timeline_before(struct timeline *timeline, u64 n, u64 *before);

#endif
