/*
 * replay/timeline_parts.h - shared by replay/timeline*.c
 */
#ifndef REPLAY_TIMELINE_PARTS_H
#define REPLAY_TIMELINE_PARTS_H

#include "replay/check.h"
#include "replay/stride.h"
#include "replay/timeline.h"
#include "replay/timeline_index.h"

#define TIMELINE_MAX_BREAKS 256

enum timeline_has {
	INDEX_UNTRIED,
	INDEX_NONE, /* it cannot be made: everything works, but by reading from the start */
	INDEX_READY,
};

struct timeline {
	struct reader *reader;		 /* of the cursor: what it gives next is behind @event */
	struct reader *look;		 /* timeline_reader() */
	struct model *model;		 /* before event @n */
	bool glanced;			 /* ... but only what timeline_glance() says */
	const struct trace_event *event; /* at the cursor; NULL behind the last */
	u64 n;
	u64 moves;
	char *path;   /* NULL: in memory */
	u64 interval; /* events, about, of one of the index */
	enum timeline_has has;
	struct timeline_index index;
	struct index_state *state; /* of @model */
	struct stride *stride;	   /* of @reader; NULL: none was taken yet */
	unsigned bad_blocks;	   /* that the index knows of */
	struct cpu_facts cpu_facts;
	struct check *check;	     /* over the whole tape; NULL: not made yet */
	struct memory_state *memory; /* replay/memory_state.h's; NULL: not made yet */
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

/*
 * The index, which is loaded or made by the first call; *@index is NULL where it cannot be.
 * ST_INTERRUPTED: the poll said so.
 */
enum status timeline_get_index(struct timeline *timeline, const struct timeline_index **index);

/* Likewise, but none is made: NULL where none was made before. */
const struct timeline_index *timeline_find_index(struct timeline *timeline);

/* The cursor is where the reader is. */
void timeline_take_event(struct timeline *timeline);

/* The index does not fit the tape, or itself: none is used, from now on or until it is made anew.
 */
void timeline_drop_index(struct timeline *timeline, enum timeline_has has);

/* What registers and memory keep with the timeline. @state may be NULL. */
void memory_state_free(struct memory_state *state);

/* The place before the event that ends where the cursor is. @n is not 0. */
enum status timeline_before(struct timeline *timeline, u64 n, u64 *before);

#endif
