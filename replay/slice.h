/*
 * replay/slice.h - the events of a span of time, each CPU by itself
 *
 * To read a tape in order costs more for the order than for the events. Who wants the state behind
 * some thousand of them takes a slice: the events of each CPU in their order, most of them as
 * digests. Numbers of the tape come later, for those events that are asked for.
 *
 * A slice needs the merge of the CPUs to be one by time, but for some events that wait for numbers
 * of the hand-over counter, and events that concern one CPU alone; else, it is refused, and the
 * reader goes on as ever.
 */
#ifndef REPLAY_SLICE_H
#define REPLAY_SLICE_H

#include "replay/model_digest.h"
#include "replay/reader.h"

/* Instead of numbers of the tape: which event of the CPU in the slice. */
#define SLICE_AT   BIT(63)

#define SLICE_MOST 1000000 /* events that one can be asked for */

struct slice;

enum slice_answer {
	SLICE_PASS, /* the event is seen; nobody wants it later */
	SLICE_KEEP,
	SLICE_REFUSE, /* it may be about more than its CPU */
};

/* What the owner wants to see while the events are read; the slice may be refused afterwards. */
struct slice_ops {
	/* Each site of the events once, with an event. */
	void (*meet)(void *owner, const struct trace_event *event);
	/* RIPs of L2 entries and exits, most of them once. */
	void (*at_rip)(void *owner, u64 rip);
	/* Each event that is in no digest. */
	enum slice_answer (*take)(void *owner, const struct trace_event *event);
	/*
	 * The CPU with number @cpu has come to its end in the slice, or so it seems, and no event
	 * behind it has been looked at. Not always said. May be NULL.
	 */
	void (*at_end)(void *owner, unsigned cpu);
	bool together; /* they may be called for several CPUs at the same time */
};

/* What is to be done with a CPU's events, in their order. */
struct slice_step {
	const struct trace_event *event;   /* as @at says, or, NULL, what @digest does */
	u64 at;				   /* SLICE_AT + number */
	const struct model_digest *digest; /* places have such numbers too */
	const struct model_digest_field *fields;
};

/* @ops outlive it. NULL without memory. */
struct slice *slice_new(struct reader *reader, const struct slice_ops *ops, void *owner);
void slice_free(struct slice *slice);

/* How many events, about, and not less or more than. */
struct slice_size {
	u64 least;
	u64 events;
	u64 most;   /* at most 2 * SLICE_MOST */
	u64 before; /* with several CPUs: just those that the merge has before this time; 0: any */
};

/*
 * Read events. ST_OK: the reader is behind them, slice_next() tells them.
 * ST_UNSUPPORTED: refused; the reader is where it was. ST_NO_MEMORY: likewise.
 */
enum status slice_take(struct slice *slice, const struct slice_size *size);

/* Of one that was refused: a time before which it perhaps would not be; 0: nothing is known. */
u64 slice_obstacle(const struct slice *slice);

/* How much more times of the last slice are than they were before it had come to them, at most. */
u64 slice_shifted(const struct slice *slice);

/* The reader goes back to where the last slice began. */
void slice_undo(struct slice *slice);

/* Of the last slice, until the next. @cpu counts the CPUs of the tape, from 0. */
u64 slice_highest_tsc(const struct slice *slice);
unsigned slice_cpus(const struct slice *slice);
u16 slice_cpu(const struct slice *slice, unsigned cpu);

/* The next step; start with *@at = 0, false is the end. It holds until the next call. */
bool slice_next(const struct slice *slice, unsigned cpu, size_t *at, struct slice_step *step);

/* The time of event @at, SLICE_AT and number, of a CPU. */
u64 slice_time(const struct slice *slice, unsigned cpu, u64 at);

/* A slice that ends before @time has so many events. */
struct slice_cut {
	u64 events;
	u64 time;
};

#define SLICE_MAX_CUTS 64

/*
 * Of several CPUs: places all over the slice, about as far from each other. At most @most and
 * SLICE_MAX_CUTS; returns how many.
 */
unsigned slice_cuts(const struct slice *slice, struct slice_cut *cuts, unsigned most);

/* The number of the tape for @at, SLICE_AT and number, of a CPU's events. */
u64 slice_number(const struct slice *slice, unsigned cpu, u64 at);

#endif
