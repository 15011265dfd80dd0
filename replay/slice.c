#include "replay/slice.h"

#include <stdlib.h>
#include <string.h>

#include "replay/reader_parts.h"

#define SOME_TIME                                                                      \
	1000000 /* ticks: the span of the first slice where nothing tells a better one \
		 */

/* An event, or a digest, and behind it what belongs to it: in the bytes of a lane. */
struct kept {
	u64 at; /* SLICE_AT + number */
	bool is_event;
	union {
		struct trace_event event;   /* columns and items follow */
		struct model_digest digest; /* fields follow */
	};
};

struct slice_lane {
	u64 *times; /* of its events, ascending */
	u32 count;
	u32 room;
	u8 *bytes; /* struct kept, one behind the other */
	size_t used;
	size_t size;
};

/* An event with a number of the hand-over counter. */
struct ordered {
	u64 time;
	unsigned lane;
	u32 at;
	u64 order;
};

struct slice {
	struct reader *reader;
	const struct slice_ops *ops;
	void *owner;
	struct slice_lane *lanes; /* by track */
	double pace;		  /* ticks an event, 0: unknown */
	u64 first;		  /* number of the tape of its first event */
	u64 events;
	u64 highest_tsc;
	u64 *mark; /* of its begin */
	struct ordered *ordered;
	size_t ordered_count;
	size_t ordered_room;
	struct trace_digest digest;
	struct model_digest_field fields[DIGEST_MAX_FIELDS + 1];
};

static u32 stamps; /* no two slices have the same: sites remember them */

static enum trace_effect meet(void *owner, const struct trace_event *event, u32 *fixed)
{
	const struct slice *const slice = owner;
	const enum trace_effect effect = model_effect(event, fixed);

	if (effect != EFFECT_OTHER)
		slice->ops->meet(slice->owner, event);
	return effect;
}

static void at_rip(void *owner, u64 rip)
{
	const struct slice *const slice = owner;

	slice->ops->at_rip(slice->owner, rip);
}

struct slice *slice_new(struct reader *reader, const struct slice_ops *ops, void *owner)
{
	struct slice *const slice = calloc(1, sizeof(*slice));

	if (!slice)
		return NULL;
	slice->reader = reader;
	slice->ops = ops;
	slice->owner = owner;
	slice->digest.meet = meet;
	slice->digest.at_rip = at_rip;
	slice->digest.owner = slice;
	slice->lanes = calloc(reader->track_count + 1, sizeof(*slice->lanes));
	slice->mark = calloc(reader_mark_words(reader), sizeof(u64));
	if (slice->lanes && slice->mark)
		return slice;
	slice_free(slice);
	return NULL;
}

void slice_free(struct slice *slice)
{
	if (!slice)
		return;
	for (unsigned i = 0; slice->lanes && i < slice->reader->track_count; i++) {
		free(slice->lanes[i].times);
		free(slice->lanes[i].bytes);
	}
	free(slice->lanes);
	free(slice->mark);
	free(slice->ordered);
	free(slice);
}

/* --- keeping -------------------------------------------------------------------------------------
 */

/* Room for another one of @list, which has @used of *@room. NULL without memory. */
static void *grow(void *list, size_t used, size_t *room, size_t more, size_t size)
{
	void *made;

	if (used + more <= *room)
		return list;
	made = realloc(list, (2 * *room + more) * size);
	if (made)
		*room = 2 * *room + more;
	return made;
}

static struct kept *keep(struct slice_lane *lane, size_t more)
{
	const size_t size = ALIGN_UP(sizeof(struct kept) + more, sizeof(u64));
	u8 *const bytes = grow(lane->bytes, lane->used, &lane->size, size, 1);

	if (!bytes)
		return NULL;
	lane->bytes = bytes;
	lane->used += size;
	return (struct kept *)(bytes + lane->used - size);
}

static enum status keep_event(struct slice_lane *lane, const struct trace_event *event)
{
	const size_t columns = TRACE_MAX_COLUMNS * sizeof(u64);
	struct kept *const kept =
		keep(lane, columns + event->item_count * sizeof(struct trace_item));

	if (!kept)
		return ST_NO_MEMORY;
	kept->at = SLICE_AT + lane->count;
	kept->is_event = true;
	kept->event = *event;
	memcpy(kept + 1, event->col, columns);
	if (event->item_count)
		memcpy((u8 *)(kept + 1) + columns, event->items,
		       event->item_count * sizeof(struct trace_item));
	return ST_OK;
}

static enum status keep_digest(struct slice *slice, struct slice_lane *lane, u16 cpu)
{
	struct model_digest digest;
	struct kept *kept;

	if (!model_digest_make(&digest, slice->fields, cpu, &slice->digest, SLICE_AT + lane->count))
		return ST_UNSUPPORTED;
	kept = keep(lane, digest.field_count * sizeof(*slice->fields));
	if (!kept)
		return ST_NO_MEMORY;
	kept->at = SLICE_AT + lane->count;
	kept->is_event = false;
	kept->digest = digest;
	memcpy(kept + 1, slice->fields, digest.field_count * sizeof(*slice->fields));
	return ST_OK;
}

static enum status note_order(struct slice *slice, unsigned i, const struct track *track)
{
	struct ordered *const list =
		grow(slice->ordered, slice->ordered_count, &slice->ordered_room, 1, sizeof(*list));

	if (!list)
		return ST_NO_MEMORY;
	slice->ordered = list;
	list[slice->ordered_count++] =
		(struct ordered){ track->time, i, slice->lanes[i].count, track->order };
	return ST_OK;
}

/* --- reading -------------------------------------------------------------------------------------
 */

static enum status take_event(struct slice *slice, unsigned i, struct track *track)
{
	struct slice_lane *const lane = &slice->lanes[i];
	const enum slice_answer answer = track->numbers == 1 && track->event->kind != EV_GAP
						 ? slice->ops->take(slice->owner, track->event)
						 : SLICE_REFUSE;
	enum status status = answer == SLICE_REFUSE ? ST_UNSUPPORTED : ST_OK;

	if (status == ST_OK && track->order)
		status = note_order(slice, i, track);
	if (status == ST_OK && answer == SLICE_KEEP)
		status = keep_event(lane, track->event);
	slice->highest_tsc = MAX(slice->highest_tsc, track->event->tsc);
	lane->times[lane->count++] = track->time;
	track->event = NULL;
	return status;
}

static enum status take_digest(struct slice *slice, unsigned i, struct track *track, u32 most)
{
	struct slice_lane *const lane = &slice->lanes[i];
	struct trace_digest *const digest = &slice->digest;
	enum status status;

	digest->time = track->time;
	digest->shift = track->shift;
	digest->times = &lane->times[lane->count];
	trace_decoder_digest(track->lane->decoder, digest, most);
	if (!digest->count)
		return ST_OK;
	track->time = digest->time;
	/* As long as times ascend; else it is that of an event before. */
	slice->highest_tsc = MAX(slice->highest_tsc, track->time - track->shift);
	track->lane->done += digest->count;
	status = keep_digest(slice, lane, track->lane->cpu);
	lane->count += digest->count;
	return status;
}

/* The events of a track that are before digest->before, at most @most altogether. */
static enum status take_track(struct slice *slice, unsigned i, u32 most)
{
	struct slice_lane *const lane = &slice->lanes[i];
	struct track *const track = &slice->reader->tracks[i];
	enum status status = ST_OK;

	while (status == ST_OK && lane->count < most) {
		if (track->event) {
			if (track->time >= slice->digest.before)
				break;
			status = take_event(slice, i, track);
			continue;
		}
		if (track->lane->opened)
			status = take_digest(slice, i, track, most - lane->count);
		if (status != ST_OK || lane->count == most)
			break;
		track_advance(track);
		if (!track->event)
			break;
	}
	return status;
}

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

static u64 count_events(const struct slice *slice)
{
	u64 events = 0;

	for (unsigned i = 0; i < slice->reader->track_count; i++)
		events += slice->lanes[i].count;
	return events;
}

/* Spans of time one after the other, until they have enough. */
static enum status take_spans(struct slice *slice, const struct slice_size *size)
{
	struct reader *const reader = slice->reader;
	const u64 span = MAX((u64)(slice->pace * (double)size->events), 1ull);
	u64 earliest = 0, spans = 0;

	while (slice->events < size->least && find_earliest(reader, &earliest)) {
		slice->digest.before = earliest + span;
		if (slice->digest.before < earliest)
			return ST_UNSUPPORTED;
		for (unsigned i = 0; i < reader->track_count; i++) {
			enum status status;

			status = take_track(slice, i, (u32)size->most);
			if (status != ST_OK)
				return status;
			if (slice->lanes[i].count == size->most)
				return ST_UNSUPPORTED;
		}
		slice->events = count_events(slice);
		spans++;
	}
	if (slice->events > size->most)
		return ST_UNSUPPORTED;
	if (slice->events)
		slice->pace = (double)(span * spans) / (double)slice->events;
	return ST_OK;
}

static int compare_ordered(const void *a, const void *b)
{
	const struct ordered *const x = a, *const y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->lane != y->lane)
		return x->lane < y->lane ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

/* By time alone, every number of the counter is the next. */
static bool is_in_order(struct slice *slice)
{
	struct reader *const reader = slice->reader;

	if (slice->ordered_count)
		qsort(slice->ordered, slice->ordered_count, sizeof(*slice->ordered),
		      compare_ordered);
	for (size_t i = 0; i < slice->ordered_count; i++)
		if (slice->ordered[i].order != reader->order + 1 + i ||
		    slice->ordered[i].time < reader->order_time)
			return false;
	if (slice->ordered_count) {
		reader->order += slice->ordered_count;
		reader->order_time = slice->ordered[slice->ordered_count - 1].time;
	}
	return true;
}

static enum status begin(struct slice *slice, const struct slice_size *size)
{
	struct reader *const reader = slice->reader;
	const u64 ticks = reader->info.last_tsc - reader->info.first_tsc;

	reader_mark(reader, slice->mark);
	slice->first = reader->n;
	slice->events = slice->ordered_count = 0;
	slice->highest_tsc = 0;
	slice->digest.stamp = __atomic_add_fetch(&stamps, 1, __ATOMIC_RELAXED);
	memset(slice->digest.rips, 0, sizeof(slice->digest.rips));
	if (slice->pace <= 0)
		slice->pace = ticks < reader->info.events
				      ? (double)SOME_TIME / (double)size->events
				      : (double)ticks / (double)reader->info.events;
	for (unsigned i = 0; i < reader->track_count; i++) {
		struct slice_lane *const lane = &slice->lanes[i];

		lane->count = 0;
		lane->used = 0;
		if (lane->room >= size->most)
			continue;
		free(lane->times);
		lane->times = malloc(size->most * sizeof(u64));
		lane->room = lane->times ? (u32)size->most : 0;
		if (!lane->times)
			return ST_NO_MEMORY;
	}
	return ST_OK;
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
		slice->digest.before = ~0ull;
		status = take_track(slice, 0, (u32)size->events);
		slice->events = slice->lanes[0].count;
		/* An event that could not be taken, and would be lost. */
		if (status == ST_OK && reader->tracks[0].event)
			status = ST_UNSUPPORTED;
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

/* --- the result ----------------------------------------------------------------------------------
 */

u64 slice_events(const struct slice *slice)
{
	return slice->events;
}

u64 slice_highest_tsc(const struct slice *slice)
{
	return slice->highest_tsc;
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
	const struct slice_lane *const lane = &slice->lanes[cpu];
	struct kept *kept;
	size_t size;

	if (*at >= lane->used)
		return false;
	kept = (struct kept *)(lane->bytes + *at);
	*step = (struct slice_step){ .at = kept->at };
	if (kept->is_event) {
		kept->event.col = (const u64 *)(kept + 1);
		kept->event.items =
			(const struct trace_item *)(kept->event.col + TRACE_MAX_COLUMNS);
		kept->event.bytes = kept->event.code = NULL;
		kept->event.byte_count = kept->event.code_count = 0;
		step->event = &kept->event;
		size = TRACE_MAX_COLUMNS * sizeof(u64) +
		       kept->event.item_count * sizeof(struct trace_item);
	} else {
		step->digest = &kept->digest;
		step->fields = (const struct model_digest_field *)(kept + 1);
		size = kept->digest.field_count * sizeof(*step->fields);
	}
	*at += ALIGN_UP(sizeof(*kept) + size, sizeof(u64));
	return true;
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
