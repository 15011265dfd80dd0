/*
 * replay/track.h - a lane in the merge of all CPUs
 *
 * What the merge goes by is docs/trace-format.md, "Order of the CPUs": numbers of the hand-over
 * counter, then time.
 */
#ifndef REPLAY_TRACK_H
#define REPLAY_TRACK_H

#include "replay/boot_record.h"
#include "replay/lane.h"

#define TRACK_NO_ORDER	  (~0ull)

#define TRACK_REGION_BITS 4096

struct track {
	struct lane *lane;
	const struct trace_schema *schema;
	struct boot_record record;
	u64 ordered; /* block_kind() of all kinds with a number of the counter */
	const struct trace_event *event; /* that comes next, NULL at the end of the lane */
	u64 numbers;			 /* how many it takes */
	u64 order;			 /* its number of the counter, 0: none */
	u64 time;			 /* what the merge sorts by */
	u64 shift;			 /* from TSC to time, as far as it is known */

	struct lane *scout; /* reads ahead; NULL until it is needed */
	u64 ahead;	    /* the next number that the track has, TRACK_NO_ORDER: none ... */
	u64 ahead_n;	    /* ... and its event; while it is not behind, and @ahead is not 0 */

	/* A filter of the regions that its events named as far as they were passed over. */
	u64 regions[TRACK_REGION_BITS / 64];
};

/* Where a track was, with what cannot be found out again. */
struct track_place {
	u64 lane_n;
	u64 time;
	u64 shift;
};

/* Over @lane, which is the track's then. */
void track_init(struct track *track, struct lane *lane, const struct trace_schema *schema);
void track_free(struct track *track);

/* The number of the counter that @event has, 0: none. */
u64 track_order_of(const struct track *track, const struct trace_event *event);

/* Make the event behind @track->event the next. */
static inline void track_advance(struct track *track)
{
	const struct trace_event *event;

	if (unlikely(lane_next(track->lane, &event, &track->numbers) != ST_OK)) {
		track->event = NULL;
		return;
	}
	track->event = event;
	track->order = 0;
	if (unlikely(track->ordered & block_kind(event->kind)))
		track->order = track_order_of(track, event);
	track->time = MAX(track->time, event->tsc + track->shift);
}

/* The bit of track->regions of the region at @pointer. */
static inline unsigned track_region_bit(u64 pointer)
{
	return (unsigned)((pointer >> 12) * 0x9e3779b97f4a7c15ull >> 52);
}

/* The place of @track->event. */
struct track_place track_tell(const struct track *track);

/* Go to before @place, NULL for the start: no event is the next until track_advance(). */
void track_place(struct track *track, const struct track_place *place);

/*
 * All @count of them go to the place of the same number; @places may be NULL: to the start. Tracks
 * are independent, so that several processors share the work, and call @beside (NULL: nothing) with
 * @owner meanwhile.
 */
void track_seek_all(struct track *tracks, unsigned count, const struct track_place *places,
		    void (*beside)(void *owner), void *owner);

/*
 * The smallest number of the counter that @track->event or one behind it has; TRACK_NO_ORDER for
 * none. Where memory is short, it says so of what it cannot look at: the merge then is by time.
 */
u64 track_order_ahead(struct track *track);

/* @track->event is no earlier than @time, since an event at that time has a smaller number. */
void track_not_before(struct track *track, u64 time);

#endif
