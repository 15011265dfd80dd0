/*
 * replay/slice_parts.h - shared by replay/slice*.c
 */
#ifndef REPLAY_SLICE_PARTS_H
#define REPLAY_SLICE_PARTS_H

#include "replay/reader_parts.h"
#include "replay/slice.h"
#include "replay/track.h"

/* An event with a number of the hand-over counter. */
struct slice_order {
	u64 time;
	unsigned lane;
	u32 at; /* of its lane */
	u64 order;
};

/* What digests are made in. */
struct slice_scratch {
	struct trace_digest digest;
	struct model_digest_field fields[DIGEST_MAX_FIELDS + 1];
};

/* The events of one CPU. */
struct slice_lane {
	struct track *track;
	unsigned number; /* of the track */
	const struct slice_ops *ops;
	void *owner;
	struct slice_scratch *scratch; /* of this lane alone, or of all */
	u64 *times;		       /* of its events, ascending */
	u32 count;
	u32 room;
	u8 *bytes; /* events and digests to be kept */
	size_t used;
	size_t size;
	struct slice_order *orders;
	size_t order_count;
	size_t order_room;
	u64 highest_tsc;
	u64 obstacle; /* time of what it could not take; 0: there was none */
	enum status status;
};

struct slice {
	struct reader *reader;
	struct slice_lane *lanes; /* by track */
	struct slice_scratch *scratches;
	bool together; /* each lane has one */
	double pace;   /* ticks an event, 0: unknown */
	u64 first;     /* number of the tape of its first event */
	u64 events;
	u64 *mark; /* of its begin */
	struct slice_order *orders;
	size_t order_room;
	u64 obstacle; /* slice_obstacle() */
	/* Of the span that is read: */
	u64 before;
	u32 most;
	u32 stamp;
};

/*
 * By time alone, every number of the hand-over counter in it is the next: the reader's is the last
 * of them then. Else sets the obstacle, if it is known.
 */
bool slice_is_in_order(struct slice *slice);

/* Over @track. @ops and @scratch outlive it. */
void slice_lane_init(struct slice_lane *lane, struct track *track, const struct slice_ops *ops,
		     void *owner, struct slice_scratch *scratch);
void slice_lane_free(struct slice_lane *lane);

/* Empty, for @most events. ST_NO_MEMORY. */
enum status slice_lane_begin(struct slice_lane *lane, u32 most);

/*
 * The events that are before @before, at most @most altogether. The same @stamp in all spans of a
 * slice. ST_UNSUPPORTED, ST_NO_MEMORY.
 */
enum status slice_lane_take(struct slice_lane *lane, u64 before, u32 most, u32 stamp);

/* As slice_next(). */
bool slice_lane_next(const struct slice_lane *lane, size_t *at, struct slice_step *step);

#endif
