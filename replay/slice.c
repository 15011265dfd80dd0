#include "replay/slice.h"

#include <stdlib.h>
#include <string.h>

#include "replay/crew.h"
#include "replay/reader_parts.h"
#include "replay/slice_parts.h"

#define SOME_TIME   1000000 /* ticks that the first slice spans where nothing tells more */

#define SHARED_FROM 1024 /* events that are worth the other processors */

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
	/* Of the span that is read: */
	u64 before;
	u32 most;
	u32 stamp;
};

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
		if (!together)
			take_lane(slice, i);
		if (slice->lanes[i].status != ST_OK)
			return slice->lanes[i].status;
		if (slice->lanes[i].count == slice->most)
			return ST_UNSUPPORTED;
		slice->events += slice->lanes[i].count;
	}
	return ST_OK;
}

/* Spans of time one after the other, until they have enough. */
static enum status take_spans(struct slice *slice, const struct slice_size *size)
{
	const u64 span = MAX((u64)(slice->pace * (double)size->events), 1ull);
	u64 earliest = 0, spans = 0;

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

static int compare_orders(const void *a, const void *b)
{
	const struct slice_order *const x = a, *const y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->lane != y->lane)
		return x->lane < y->lane ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

/* All numbers of the counter, in the order of time. False without memory. */
static bool gather_orders(struct slice *slice, size_t *count)
{
	*count = 0;
	for (unsigned i = 0; i < slice->reader->track_count; i++)
		*count += slice->lanes[i].order_count;
	if (*count > slice->order_room) {
		free(slice->orders);
		slice->order_room = 2 * *count;
		slice->orders = malloc(slice->order_room * sizeof(*slice->orders));
		if (!slice->orders)
			slice->order_room = 0;
	}
	if (!*count || !slice->orders)
		return !*count;
	*count = 0;
	for (unsigned i = 0; i < slice->reader->track_count; i++) {
		const struct slice_lane *const lane = &slice->lanes[i];

		if (lane->order_count)
			memcpy(&slice->orders[*count], lane->orders,
			       lane->order_count * sizeof(*slice->orders));
		*count += lane->order_count;
	}
	qsort(slice->orders, *count, sizeof(*slice->orders), compare_orders);
	return true;
}

/* By time alone, every number of the counter is the next. */
static bool is_in_order(struct slice *slice)
{
	struct reader *const reader = slice->reader;
	size_t count;

	if (!gather_orders(slice, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		if (slice->orders[i].order != reader->order + 1 + i ||
		    slice->orders[i].time < reader->order_time)
			return false;
	if (count) {
		reader->order += count;
		reader->order_time = slice->orders[count - 1].time;
	}
	return true;
}

static enum status begin(struct slice *slice, const struct slice_size *size)
{
	struct reader *const reader = slice->reader;
	const u64 ticks = reader->info.last_tsc - reader->info.first_tsc;
	enum status status = ST_OK;

	reader_mark(reader, slice->mark);
	slice->first = reader->n;
	slice->events = 0;
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

void slice_pace(struct slice *slice, u64 ticks, u64 events)
{
	slice->pace = (double)ticks / (double)MAX(events, 1ull);
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
		if (status == ST_OK && !is_in_order(slice))
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

void slice_undo(struct slice *slice)
{
	reader_return(slice->reader, slice->mark);
}

/* --- the result ------------------------------------------------------------------------------- */

u64 slice_events(const struct slice *slice)
{
	return slice->events;
}

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

/* How many events of @lane come before @time, or, with @equal, at it. */
static u64 count_before(const struct slice_lane *lane, u64 time, bool equal)
{
	u64 low = 0, high = lane->count;

	while (low < high) {
		const u64 middle = (low + high) / 2;

		if (lane->times[middle] < time || (equal && lane->times[middle] == time))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

u64 slice_number(const struct slice *slice, unsigned cpu, u64 at)
{
	const u64 number = at & ~SLICE_AT;
	u64 n = slice->first + number;

	/* Of events at the same time, those of the lower CPU come first. */
	for (unsigned i = 0; i < slice->reader->track_count; i++)
		if (i != cpu)
			n += count_before(&slice->lanes[i], slice->lanes[cpu].times[number],
					  i < cpu);
	return n;
}
