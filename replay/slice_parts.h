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
	size_t ordered; /* of the orders, those that are in place */
	u64 highest_tsc;
	u64 obstacle; /* time of what it could not take; 0: there was none */
	enum status status;
};

#define SLICE_MAX_SHIFTS 32
#define SLICE_NO_LANE	 (~0u)

/* An event that comes right behind another one, which has the number before its own. */
struct slice_shift {
	u64 time;	/* of both */
	u64 shifted;	/* all that lanes have been shifted by then */
	unsigned first; /* the lanes; SLICE_NO_LANE: whichever */
	unsigned second;
	u32 first_at;
	u32 second_at;
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
	struct slice_shift shifts[SLICE_MAX_SHIFTS]; /* by time */
	unsigned shift_count;
	u64 shifted; /* all that lanes have been */
	bool has_last;
	struct slice_order last; /* that is in its place */
	bool waits;		 /* the obstacle is a number whose turn has not come */
	u64 obstacle;		 /* slice_obstacle() */
	/* Of the span that is read: */
	u64 before;
	u32 most;
	u32 stamp;
};

/*
 * Puts the events with numbers of the hand-over counter that have come since the last call in their
 * order, and shifts lanes, as docs/trace-format.md says. False where that cannot be: sets the
 * obstacle then, if it is known.
 */
bool slice_put_in_order(struct slice *slice);

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
