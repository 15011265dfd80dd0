/*
 * replay/reader_outline.c - far places of a tape of several CPUs, without reading what is before
 *
 * The order of the CPUs rests on the times of events, and on the numbers that some have. So spans
 * of time are passed over on each CPU by itself, from number to number, and the moments between
 * them become checkpoints.
 */
#include <stdlib.h>

#include "replay/reader_parts.h"

#define MOST_WAIT 16 /* times the distance of checkpoints that none is made since a track waits */

struct outline {
	struct reader *reader;
	struct trace_outline *of; /* by track */
	bool follows;		  /* all that was before was passed over, too */
	u64 before;		  /* the end of the span */
};

static void at_region(void *owner, u64 pointer)
{
	struct track *const track = owner;
	const unsigned bit = track_region_bit(pointer);

	track->regions[bit / 64] |= BIT(bit % 64);
}

/* Passes over @track until the end of the span, or before a number. False where that cannot be. */
static bool pass_track(struct outline *outline, struct track *track)
{
	struct trace_outline *const of = &outline->of[track - outline->reader->tracks];
	enum status status;

	of->before = outline->before;
	of->shift = track->shift;
	of->time = track->time;
	status = lane_outline(track->lane, of);
	track->time = of->time;
	return status == ST_OK || status == ST_END;
}

/* The track whose turn it is by the hand-over counter, if it has come to that. */
static struct track *next_in_order(const struct outline *outline)
{
	struct reader *const reader = outline->reader;

	for (unsigned i = 0; i < reader->track_count; i++)
		if (outline->of[i].order == reader->order + 1)
			return &reader->tracks[i];
	return NULL;
}

/* Passes over what comes before the end of the span. Likewise. */
static bool pass_span(struct outline *outline)
{
	struct reader *const reader = outline->reader;
	struct track *track;

	for (unsigned i = 0; i < reader->track_count; i++)
		if (!outline->of[i].order && !pass_track(outline, &reader->tracks[i]))
			return false;
	while ((track = next_in_order(outline))) {
		track->time = outline->of[track - reader->tracks].order_time;
		track_not_before(track, reader->order_time);
		reader->order++;
		reader->order_time = track->time;
		if (!pass_track(outline, track))
			return false;
	}
	reader->n = 0;
	for (unsigned i = 0; i < reader->track_count; i++)
		reader->n += lane_tell(reader->tracks[i].lane);
	return true;
}

/* Whether a track waits for a number of another: where it goes on is not known then. */
static bool waits(const struct outline *outline)
{
	for (unsigned i = 0; i < outline->reader->track_count; i++)
		if (outline->of[i].order)
			return true;
	return false;
}

/* Where all tracks were at the last checkpoint. Sets the time of the earliest. */
static bool begin(struct outline *outline)
{
	struct reader *const reader = outline->reader;
	const struct checkpoint *const from = reader_last_checkpoint(reader);

	reader->n = from ? from->n : 0;
	outline->follows = reader->n <= reader->outlined;
	reader->order = from ? from->order : 0;
	reader->order_time = from ? from->order_time : 0;
	outline->before = ~0ull;
	for (unsigned i = 0; i < reader->track_count; i++) {
		struct track *const track = &reader->tracks[i];

		outline->of[i].at_region = at_region;
		outline->of[i].owner = track;
		track_place(track, from ? &from->tracks[i] : NULL);
		/* It may be inside a block that turned out to be damaged. */
		if (from && lane_tell(track->lane) != from->tracks[i].lane_n)
			return false;
		outline->before = MIN(outline->before,
				      MAX(track->time, lane_first_tsc(track->lane) + track->shift));
	}
	return true;
}

/* Ticks in which about @events are. */
static u64 guess_span(const struct reader *reader, u64 events)
{
	const struct reader_info *const info = &reader->info;

	return MAX((u64)((double)(info->last_tsc - info->first_tsc) * (double)events /
			 (double)MAX(info->events, 1ull)),
		   1ull);
}

/* From span to span, until @goal is passed, or @most events are, or nothing is left. */
static bool pass_spans(struct outline *outline, const struct reader_goal *goal, u64 most)
{
	struct reader *const reader = outline->reader;
	const u64 every = reader->checkpoint_every, first = reader->n;
	/* Longer ones would leave no checkpoints behind a pause. */
	const u64 longest = guess_span(reader, every);
	u64 span = longest, last = first;

	while (reader->n - first < most && reader->n < reader->info.events &&
	       (goal->track ? lane_tell(goal->track->lane) : reader->n) <= goal->n) {
		const u64 before = outline->before + span;

		if (before < outline->before || reader->n - last > MOST_WAIT * every)
			return false;
		outline->before = before;
		if (!pass_span(outline))
			return false;
		if (outline->follows && !waits(outline))
			reader->outlined = MAX(reader->outlined, reader->n);
		if (reader->n - last < every / 2)
			span = MIN(2 * span, longest);
		if (reader->n - last < every / 2 || waits(outline))
			continue;
		if (reader->n - last > 2 * every)
			span = MAX(span / 2, 1ull);
		last = reader->n;
		reader_checkpoint(reader);
	}
	return true;
}

bool reader_outline(struct reader *reader, const struct reader_goal *goal, u64 most)
{
	struct outline outline = { .reader = reader };
	bool passed;

	outline.of = calloc(reader->track_count, sizeof(*outline.of));
	reader->given = READER_NONE_GIVEN;
	reader->placed = false;
	passed = outline.of && begin(&outline) && pass_spans(&outline, goal, most);
	free(outline.of);
	return passed;
}
