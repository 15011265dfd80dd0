/*
 * replay/stride.h - a model over some thousand events at once
 *
 * Where the CPUs of a tape each have their own VMCSs, and the merge is one by time, a model can be
 * taken over the events of one CPU after the other, most of them as digests: to the same state.
 */
#ifndef REPLAY_STRIDE_H
#define REPLAY_STRIDE_H

#include "replay/slice.h"

struct stride;

/* What the owner wants to see. What is at sites may be of a stride that is refused afterwards. */
struct stride_watch {
	/*
	 * Each site of the events once, with an event, and each event that the model does not take.
	 */
	void (*at_site)(void *owner, const struct trace_event *event);
	/* RIPs of L2 entries and exits, most of them once. */
	void (*at_rip)(void *owner, u64 rip);
	/* As slice_ops' of this name. */
	void (*at_end)(void *owner, unsigned cpu);
	/* Then, right before the model takes them: each event that is in no digest ... */
	enum status (*at_event)(void *owner, const struct trace_event *event);
	/* ... and each digest. Anything but ST_OK ends the stride. */
	enum status (*at_digest)(void *owner, const struct model_digest *digest,
				 const struct model_digest_field *fields);
};

/* @watch, which may be NULL, and @reader outlive it. NULL without memory. */
struct stride *stride_new(struct reader *reader, const struct stride_watch *watch, void *owner);
void stride_free(struct stride *stride);

/*
 * Take @model, which has the state before the next event of the reader, over as many events as
 * @size says; fewer, perhaps less than its least, where something is in the way. ST_OK: the reader
 * is behind them. ST_UNSUPPORTED: nothing has changed. ST_NO_MEMORY, and what the watch said: the
 * model is somewhere.
 */
enum status stride_take(struct stride *stride, struct model *model, const struct slice_size *size);

/* Whether the last stride ended where something is in the way. */
bool stride_was_stopped(const struct stride *stride);

/* slice_cuts() of the last stride. */
unsigned stride_cuts(const struct stride *stride, struct slice_cut *cuts, unsigned most);

/* The largest TSC of the last stride. */
u64 stride_highest_tsc(const struct stride *stride);

#endif
