/*
 * replay/timeline_seek.c - the cursor goes to a place
 */
#include "replay/timeline_parts.h"

#define LEAPS 16 /* in an interval: shorter ones take more time than their events one by one */

/* To the first event, from nothing. ST_NO_MEMORY. */
static enum status restart(struct timeline *timeline)
{
	struct model *const model = model_new();

	if (!model)
		return ST_NO_MEMORY;
	/* What the state of the index knows is about the old one. */
	timeline_drop_index(timeline, timeline->has);
	model_free(timeline->model);
	timeline->model = model;
	timeline->glanced = false;
	reader_seek(timeline->reader, 0);
	timeline_take_event(timeline);
	return ST_OK;
}

static enum status step_to(struct timeline *timeline, u64 n)
{
	enum status status = ST_OK;

	while (status == ST_OK && timeline->n < n && timeline->event) {
		status = model_step(timeline->model, timeline->event, timeline->n);
		timeline_take_event(timeline);
	}
	return status;
}

/* The model, where the reader is, to the next events of the reader, before number @n. */
static enum status step_model(struct timeline *timeline, u64 n)
{
	struct reader *const reader = timeline->reader;
	const struct trace_event *event;
	enum status status = ST_OK;
	u64 at;

	while (status == ST_OK && (at = reader_tell(reader)) < n &&
	       reader_next(reader, &event) == ST_OK)
		status = model_step(timeline->model, event, at);
	return status;
}

/* The last of the cuts that is not behind so many events; NULL: none is. */
static const struct index_cut *find_cut(const struct index_interval *at, u64 events)
{
	const struct index_cut *found = NULL;

	for (unsigned i = 0; i < INDEX_CUTS && at->cuts[i].events && at->cuts[i].events <= events;
	     i++)
		found = &at->cuts[i];
	return found;
}

/* Most of the way from the begin of interval @i to @n at once, where that can be. */
static enum status leap(struct timeline *timeline, const struct timeline_index *index, u64 i, u64 n)
{
	const struct index_interval *const at = index_at(index, i);
	struct reader *const reader = timeline->reader;
	const struct index_cut *const cut = find_cut(at, n - at->mark[0]);
	const bool alone = reader_info(reader)->cpus == 1;
	struct slice_size size = { .least = 1 };
	enum status status;

	if (!(at->flags & INDEX_APART) ||
	    n - at->mark[0] < at->steps + timeline->interval / LEAPS || (!cut && !alone))
		return ST_OK;
	if (!timeline->stride)
		timeline->stride = stride_new(reader, NULL, NULL);
	if (!timeline->stride)
		return ST_OK;
	status = step_model(timeline, at->mark[0] + at->steps);
	if (status != ST_OK || reader_tell(reader) >= n)
		return status;
	size.events = size.most = n - reader_tell(reader);
	if (!alone) {
		size.most++;
		size.before = reader_mark_time(reader, at->mark) + cut->ticks;
	}
	status = stride_take(timeline->stride, timeline->model, &size);
	return status == ST_UNSUPPORTED ? ST_OK : status;
}

/* The model, brought to the begin of interval @i. */
struct restoring {
	struct timeline *timeline;
	u64 i;
	enum status status;
};

static void restore(void *owner)
{
	struct restoring *const restoring = owner;
	struct timeline *const timeline = restoring->timeline;

	restoring->status = index_restore(timeline->state, timeline->model, restoring->i);
}

/* Go to the last place before @n that the index has a state of, unless the cursor is between. */
static enum status jump(struct timeline *timeline, const struct timeline_index *index, u64 n)
{
	const u64 i = index_find(index, n);
	const u64 begin = index_at(index, i)->mark[0];
	struct restoring restoring = { timeline, i, ST_NO_MEMORY };

	if (begin <= timeline->n && timeline->n <= n)
		return ST_OK;
	if (!timeline->state)
		timeline->state = index_state_new(index);
	if (timeline->state)
		reader_seek_beside(timeline->reader, begin, restore, &restoring);
	if (restoring.status == ST_OK)
		restoring.status = leap(timeline, index, i, n);
	if (restoring.status != ST_OK) {
		timeline_drop_index(timeline, INDEX_NONE);
		return restart(timeline);
	}
	timeline_take_event(timeline);
	return ST_OK;
}

enum status timeline_seek(struct timeline *timeline, u64 n)
{
	const struct timeline_index *index = NULL;
	enum status status = ST_OK;

	if (n > timeline_events(timeline))
		return ST_RANGE;
	if (timeline->glanced)
		status = restart(timeline);
	if (status == ST_OK && (n < timeline->n || n - timeline->n > timeline->interval)) {
		status = timeline_get_index(timeline, &index);
		if (status == ST_OK && index)
			status = jump(timeline, index, n);
		else if (status == ST_OK && n < timeline->n)
			status = restart(timeline);
	}
	if (status == ST_OK)
		status = step_to(timeline, n);
	/* A block went bad after the index was made: what it says of the rest is not so. */
	if (status == ST_OK && timeline->has == INDEX_READY &&
	    reader_info(timeline->reader)->bad_blocks > timeline->bad_blocks) {
		timeline_drop_index(timeline, INDEX_UNTRIED);
		status = restart(timeline);
		return status == ST_OK ? step_to(timeline, n) : status;
	}
	return status;
}
