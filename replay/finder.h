/*
 * replay/finder.h - where one of some breaks stops, on the way from a place
 */
#ifndef REPLAY_FINDER_H
#define REPLAY_FINDER_H

#include "replay/timeline_parts.h"

#define FINDER_WINDOW 16384 /* numbers that are looked at together when going backwards */

/* For a range, CPU and level: was its last event inside? */
enum inside { INSIDE_UNKNOWN, INSIDE_NO, INSIDE_YES };

struct inside_table {
	u8 of[MODEL_MAX_CPUS][2]; /* enum inside; by level - 1 */
};

/* What is looked for, and with what. The owner sets @timeline and @reader, whose place is lost. */
struct finder {
	struct timeline *timeline;
	struct reader *reader;
	unsigned count;
	int ids[TIMELINE_MAX_BREAKS];
	const struct timeline_break *how[TIMELINE_MAX_BREAKS];
	struct inside_table *inside[TIMELINE_MAX_BREAKS]; /* of ranges */
	const struct findings *findings;		  /* where a break is about them */
	u64 polled;					  /* events since */
	const struct timeline_index *index;		  /* NULL: look at everything */
};

/* A place where it stops. */
struct found {
	int id; /* 0: nothing was found */
	u64 n;
};

/*
 * Look for @how, too, which outlives the finder, and say @id where it stops. ST_NO_MEMORY,
 * ST_INTERRUPTED.
 */
enum status finder_add(struct finder *finder, int id, const struct timeline_break *how);

/* Release what it has; not the finder itself. */
void finder_free(struct finder *finder);

/* Of ranges: where events are passed over, nobody knows who was inside. */
void finder_forget_inside(struct finder *finder);

/* Which of the breaks stops before event @n, and which behind it: the first of each, 0: none. */
void finder_stops_at(const struct finder *finder, const struct trace_event *event, u64 n,
		     int *before, int *behind);

/* False: no event of interval @i of the index is worth a look. */
bool finder_may_stop(const struct finder *finder, u64 i);

/*
 * The next place from @n on, at @n itself with @here (only forward). Without one, found->n is where
 * the search ended: after @limit events (0: no limit), at the end of the tape or its begin, or,
 * ST_INTERRUPTED, somewhere.
 */
enum status finder_search(struct finder *finder, enum timeline_way way, u64 n, bool here, u64 limit,
			  struct found *found);

#endif
