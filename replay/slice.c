#include "replay/slice.h"

#include <stdlib.h>
#include <string.h>

#include "replay/crew.h"
#include "replay/reader_parts.h"
#include "replay/slice_parts.h"

#define SOME_TIME   1000000 /* ticks that the first slice spans where nothing tells more */
#define MOST_MORE   4	    /* times that a slice is made longer, for what is behind its end */
#define SHARED_FROM 1024    /* events that are worth the other processors */

static u32 stamps; /* no two slices have the same: sites remember them */

struct slice *slice_new(struct reader *reader, const struct slice_ops *ops, void *owner)
{
	struct slice *const slice = calloc(1, sizeof(*slice));
	const unsigned count = MAX(reader->track_count, 1u);

	if (!slice)
		return NULL;
	slice->reader = reader;
	slice->together = ops->together;
	slice->lanes = calloc(count, sizeof(*slice->lanes));
	slice->scratches = calloc(ops->together ? count : 1, sizeof(*slice->scratches));
	slice->mark = calloc(reader_mark_words(reader), sizeof(u64));
	if (!slice->lanes || !slice->scratches || !slice->mark) {
		slice_free(slice);
		return NULL;
	}
	for (unsigned i = 0; i < reader->track_count; i++) {
		slice_lane_init(&slice->lanes[i], &reader->tracks[i], ops, owner,
				&slice->scratches[ops->together ? i : 0]);
		slice->lanes[i].number = i;
	}
	return slice;
}

void slice_free(struct slice *slice)
{
	if (!slice)
		return;
	for (unsigned i = 0; slice->lanes && i < slice->reader->track_count; i++)
		slice_lane_free(&slice->lanes[i]);
	free(slice->lanes);
	free(slice->scratches);
	free(slice->mark);
	free(slice->orders);
	free(slice);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool find_earliest(const struct reader *reader, u64 *time)
{
	bool any = false;

	for (unsigned i = 0; i < reader->track_count; i++) {
		const struct track *const track = &reader->tracks[i];

		if (track->event && (!any || track->time < *time)) {
			*time = track->time;
			any = true;
		}
	}
	return any;
}

static void take_lane(void *owner, unsigned i)
{
	const struct slice *const slice = owner;
	struct slice_lane *const lane = &slice->lanes[i];

	lane->status = slice_lane_take(lane, slice->before, slice->most, slice->stamp);
}

/* What is before slice->before of all lanes. */
static enum status take_span(struct slice *slice)
{
	const unsigned count = slice->reader->track_count;
	const bool together = slice->together && slice->most >= SHARED_FROM;

	if (together)
		crew_run(count, take_lane, slice);
	slice->events = 0;
	for (unsigned i = 0; i < count; i++) {
		struct slice_lane *const lane = &slice->lanes[i];

		if (!together)
			take_lane(slice, i);
		if (lane->status != ST_OK) {
			slice->obstacle = lane->obstacle;
			return lane->status;
		}
		if (lane->count == slice->most)
			return ST_UNSUPPORTED;
		slice->events += lane->count;
	}
	return ST_OK;
}

/* Spans of time one after the other, until they have enough. */
static enum status take_spans(struct slice *slice, const struct slice_size *size)
{
	const u64 span = MAX((u64)(slice->pace * (double)size->events), 1ull);
	u64 earliest = 0, spans = 0;

	if (size->before) {
		slice->before = size->before;
		return take_span(slice);
	}
	while (slice->events < size->least && find_earliest(slice->reader, &earliest)) {
		enum status status;

		slice->before = earliest + span;
		if (slice->before < earliest)
			return ST_UNSUPPORTED;
		status = take_span(slice);
		if (status != ST_OK)
			return status;
		spans++;
	}
	if (slice->events > size->most)
		return ST_UNSUPPORTED;
	if (slice->events)
		slice->pace = (double)(span * spans) / (double)slice->events;
	return ST_OK;
}

/*
 * How many more ticks have to be read until all events have their places. 0: they have; ~0: it
 * cannot be.
 */
static u64 find_more(struct slice *slice, unsigned *more)
{
	const u64 shifted = slice->shifted;

	if (!slice_put_in_order(slice)) {
		if (!slice->waits || (*more)++ == MOST_MORE)
			return ~0ull;
		/* What comes before it is perhaps not far. */
		return slice->shifted - shifted + 1 +
		       (slice->before - MIN(slice->before, slice->obstacle));
	}
	/* A lane that is shifted has come further than the others, which follow. */
	return slice->shifted - shifted;
}

static enum status put_in_order(struct slice *slice)
{
	enum status status = ST_OK;
	unsigned more = 0;
	u64 ticks;

	while (status == ST_OK && (ticks = find_more(slice, &more))) {
		if (slice->before + ticks < slice->before)
			return ST_UNSUPPORTED;
		slice->before += ticks;
		status = take_span(slice);
	}
	return status;
}

static enum status begin(struct slice *slice, const struct slice_size *size)
{
	struct reader *const reader = slice->reader;
	const u64 ticks = reader->info.last_tsc - reader->info.first_tsc;
	enum status status = ST_OK;

	reader_mark(reader, slice->mark);
	slice->first = reader->n;
	slice->events = slice->obstacle = 0;
	slice->shifted = slice->shift_count = 0;
	slice->has_last = false;
	slice->most = (u32)size->most;
	slice->stamp = __atomic_add_fetch(&stamps, 1, __ATOMIC_RELAXED);
	if (slice->pace <= 0)
		slice->pace = ticks < reader->info.events
				      ? (double)SOME_TIME / (double)size->events
				      : (double)ticks / (double)reader->info.events;
	for (unsigned i = 0; i < reader->track_count && status == ST_OK; i++)
		status = slice_lane_begin(&slice->lanes[i], slice->most);
	return status;
}

/* Of one CPU, so many events. */
static enum status take_one(struct slice *slice, const struct slice_size *size)
{
	const enum status status =
		slice_lane_take(&slice->lanes[0], ~0ull, (u32)size->events, slice->stamp);

	slice->events = slice->lanes[0].count;
	/* An event that could not be taken, and would be lost. */
	return status == ST_OK && slice->reader->tracks[0].event ? ST_UNSUPPORTED : status;
}

enum status slice_take(struct slice *slice, const struct slice_size *size)
{
	struct reader *const reader = slice->reader;
	enum status status;

	if (!reader->track_count || size->most > 2ull * SLICE_MOST)
		return ST_UNSUPPORTED;
	status = begin(slice, size);
	if (status == ST_OK && reader->track_count == 1) {
		status = take_one(slice, size);
	} else if (status == ST_OK) {
		status = take_spans(slice, size);
		if (status == ST_OK)
			status = put_in_order(slice);
		if (status == ST_OK && slice->events > size->most)
			status = ST_UNSUPPORTED;
	}
	if (status == ST_OK) {
		reader_place(reader, slice->first + slice->events);
		return ST_OK;
	}
	slice->pace /= 2;
	slice_undo(slice);
	return status;
}

u64 slice_obstacle(const struct slice *slice)
{
	return slice->obstacle - MIN(slice->obstacle, slice->shifted);
}

u64 slice_shifted(const struct slice *slice)
{
	return slice->shifted;
}

void slice_undo(struct slice *slice)
{
	reader_return(slice->reader, slice->mark);
}

/* --- the result ------------------------------------------------------------------------------- */

u64 slice_highest_tsc(const struct slice *slice)
{
	u64 highest = 0;

	for (unsigned i = 0; i < slice->reader->track_count; i++)
		highest = MAX(highest, slice->lanes[i].highest_tsc);
	return highest;
}

unsigned slice_cpus(const struct slice *slice)
{
	return slice->reader->track_count;
}

u16 slice_cpu(const struct slice *slice, unsigned cpu)
{
	return slice->reader->tracks[cpu].lane->cpu;
}

bool slice_next(const struct slice *slice, unsigned cpu, size_t *at, struct slice_step *step)
{
	return slice_lane_next(&slice->lanes[cpu], at, step);
}
