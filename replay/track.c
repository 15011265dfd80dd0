#include "replay/track.h"

#include "replay/crew.h"

void track_init(struct track *track, struct lane *lane, const struct trace_schema *schema)
{
	*track = (struct track){ .lane = lane, .schema = schema };
	for (unsigned id = 0; id < SCHEMA_MAX_KINDS; id++) {
		const struct trace_kind_info *const kind = trace_schema_kind(schema, id);

		if (kind && kind->order_column != SCHEMA_NONE)
			track->ordered |= block_kind((u8)id);
	}
}

void track_free(struct track *track)
{
	lane_free(track->lane);
	lane_free(track->scout);
	boot_record_free(&track->record);
}

u64 track_order_of(const struct track *track, const struct trace_event *event)
{
	const struct trace_kind_info *const kind = trace_schema_kind(track->schema, event->kind);

	return kind && kind->order_column != SCHEMA_NONE ? event->col[kind->order_column] : 0;
}

/* The number of @track->event in the lane, which is behind it. */
static u64 number_of(const struct track *track)
{
	return lane_tell(track->lane) - (track->event ? track->numbers : 0);
}

struct track_place track_tell(const struct track *track)
{
	return (struct track_place){ .lane_n = number_of(track),
				     .time = track->time,
				     .shift = track->shift };
}

void track_place(struct track *track, const struct track_place *place)
{
	const struct track_place start = { .shift = track->record.boot.clock.offset };

	if (!place)
		place = &start;
	lane_seek(track->lane, place->lane_n);
	track->time = place->time;
	track->shift = place->shift;
	track->ahead = 0;
	track->event = NULL;
}

static void seek(struct track *track, const struct track_place *place)
{
	track_place(track, place);
	track_advance(track);
}

/* What the parts of track_seek_all() share. */
struct seek_all {
	struct track *tracks;
	unsigned count;
	const struct track_place *places;
	void (*beside)(void *owner);
	void *owner;
};

static void seek_one(void *owner, unsigned i)
{
	const struct seek_all *const all = owner;

	if (i == all->count)
		all->beside(all->owner);
	else
		seek(&all->tracks[i], all->places ? &all->places[i] : NULL);
}

void track_seek_all(struct track *tracks, unsigned count, const struct track_place *places,
		    void (*beside)(void *owner), void *owner)
{
	struct seek_all all = { tracks, count, places, beside, owner };
	const unsigned parts = count + (beside != NULL);

	/* At the start of a tape there is little to do. */
	if (places) {
		crew_run(parts, seek_one, &all);
		return;
	}
	for (unsigned i = 0; i < parts; i++)
		seek_one(&all, i);
}

static u64 scout_ahead(struct track *track)
{
	const struct trace_event *event;
	u64 numbers, order;

	if (!track->scout)
		track->scout = lane_scout(track->lane);
	if (!track->scout)
		return TRACK_NO_ORDER;
	for (lane_seek(track->scout, number_of(track));;) {
		track->ahead_n = lane_skip_unordered(track->scout);
		if (lane_next(track->scout, &event, &numbers) != ST_OK)
			return TRACK_NO_ORDER;
		order = track_order_of(track, event);
		if (order)
			return order;
	}
}

u64 track_order_ahead(struct track *track)
{
	if (!track->event)
		return TRACK_NO_ORDER;
	if (track->order)
		return track->order;
	if (!track->ahead || track->ahead_n < number_of(track))
		track->ahead = scout_ahead(track);
	return track->ahead;
}

void track_not_before(struct track *track, u64 time)
{
	if (track->time >= time)
		return;
	track->shift += time - track->time;
	track->time = time;
}
