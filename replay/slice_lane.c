/*
 * replay/slice_lane.c - the events of one CPU of a slice
 */
#include "replay/slice_parts.h"

#include <stdlib.h>
#include <string.h>

/* An event, or a digest, and behind it what belongs to it: in the bytes of a lane. */
struct kept {
	u64 at; /* SLICE_AT + number */
	bool is_event;
	union {
		struct trace_event event;   /* columns and items follow */
		struct model_digest digest; /* fields follow */
	};
};

static enum trace_effect meet(void *owner, const struct trace_event *event, u32 *fixed)
{
	const struct slice_lane *const lane = owner;
	const enum trace_effect effect = model_effect(event, fixed);

	if (effect != EFFECT_OTHER)
		lane->ops->meet(lane->owner, event);
	return effect;
}

static void at_rip(void *owner, u64 rip)
{
	const struct slice_lane *const lane = owner;

	lane->ops->at_rip(lane->owner, rip);
}

void slice_lane_init(struct slice_lane *lane, struct track *track, const struct slice_ops *ops,
		     void *owner, struct slice_scratch *scratch)
{
	*lane = (struct slice_lane){ .track = track, .ops = ops, .owner = owner };
	lane->scratch = scratch;
	scratch->digest.meet = meet;
	scratch->digest.at_rip = at_rip;
}

void slice_lane_free(struct slice_lane *lane)
{
	free(lane->times);
	free(lane->bytes);
	free(lane->orders);
}

enum status slice_lane_begin(struct slice_lane *lane, u32 most)
{
	lane->count = 0;
	lane->used = lane->order_count = lane->ordered = 0;
	lane->highest_tsc = lane->obstacle = 0;
	memset(lane->scratch->digest.rips, 0, sizeof(lane->scratch->digest.rips));
	if (lane->room >= most)
		return ST_OK;
	free(lane->times);
	lane->times = malloc(most * sizeof(u64));
	lane->room = lane->times ? most : 0;
	return lane->times ? ST_OK : ST_NO_MEMORY;
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

static enum status keep_digest(struct slice_lane *lane)
{
	struct slice_scratch *const scratch = lane->scratch;
	struct model_digest digest;
	struct kept *kept;

	if (!model_digest_make(&digest, scratch->fields, lane->track->lane->cpu, &scratch->digest,
			       SLICE_AT + lane->count))
		return ST_UNSUPPORTED;
	kept = keep(lane, digest.field_count * sizeof(*scratch->fields));
	if (!kept)
		return ST_NO_MEMORY;
	kept->at = SLICE_AT + lane->count;
	kept->is_event = false;
	kept->digest = digest;
	memcpy(kept + 1, scratch->fields, digest.field_count * sizeof(*scratch->fields));
	return ST_OK;
}

static enum status note_order(struct slice_lane *lane)
{
	struct slice_order *const list =
		grow(lane->orders, lane->order_count, &lane->order_room, 1, sizeof(*list));

	if (!list)
		return ST_NO_MEMORY;
	lane->orders = list;
	list[lane->order_count++] =
		(struct slice_order){ lane->number, lane->count, lane->track->order };
	return ST_OK;
}

/* --- reading -------------------------------------------------------------------------------------
 */

static enum status take_event(struct slice_lane *lane)
{
	struct track *const track = lane->track;
	const enum slice_answer answer = track->numbers == 1 && track->event->kind != EV_GAP
						 ? lane->ops->take(lane->owner, track->event)
						 : SLICE_REFUSE;
	enum status status = answer == SLICE_REFUSE ? ST_UNSUPPORTED : ST_OK;

	if (status != ST_OK)
		lane->obstacle = track->time;
	if (status == ST_OK && track->order)
		status = note_order(lane);
	if (status == ST_OK && answer == SLICE_KEEP)
		status = keep_event(lane, track->event);
	lane->highest_tsc = MAX(lane->highest_tsc, track->event->tsc);
	lane->times[lane->count++] = track->time;
	track->event = NULL;
	return status;
}

static enum status take_digest(struct slice_lane *lane, u32 most)
{
	struct track *const track = lane->track;
	struct trace_digest *const digest = &lane->scratch->digest;
	enum status status;

	digest->time = track->time;
	digest->shift = track->shift;
	digest->times = &lane->times[lane->count];
	trace_decoder_digest(track->lane->decoder, digest, most);
	if (!digest->count)
		return ST_OK;
	track->time = digest->time;
	/* As long as times ascend; else it is that of an event before. */
	lane->highest_tsc = MAX(lane->highest_tsc, track->time - track->shift);
	track->lane->done += digest->count;
	status = keep_digest(lane);
	if (status != ST_OK)
		lane->obstacle = lane->times[lane->count];
	lane->count += digest->count;
	if (lane->ops->at_end && (digest->late || digest->count == most))
		lane->ops->at_end(lane->owner, lane->number);
	return status;
}

enum status slice_lane_take(struct slice_lane *lane, u64 before, u32 most, u32 stamp)
{
	struct track *const track = lane->track;
	enum status status = ST_OK;

	lane->scratch->digest.owner = lane;
	lane->scratch->digest.before = before;
	lane->scratch->digest.stamp = stamp;
	while (status == ST_OK && lane->count < most) {
		if (track->event) {
			if (track->time >= before)
				break;
			status = take_event(lane);
			continue;
		}
		if (track->lane->opened)
			status = take_digest(lane, most - lane->count);
		if (status != ST_OK || lane->count == most)
			break;
		track_advance(track);
		if (!track->event)
			break;
	}
	return status;
}

bool slice_lane_next(const struct slice_lane *lane, size_t *at, struct slice_step *step)
{
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
