/*
 * replay/timeline_run.c - moving to where a break stops
 */
#include "replay/finder.h"

static enum status add_breaks(struct finder *finder)
{
	enum status status = ST_OK;

	for (int id = 0; (id = timeline_break_next(finder->timeline, id)) && status == ST_OK;)
		status = finder_add(finder, id, timeline_break_get(finder->timeline, id));
	return status;
}

/* Which of the breaks that stop here are said to: the lowest number. */
static int lowest(int a, int b)
{
	return a && b ? MIN(a, b) : a ? a : b;
}

static enum status step_forward(struct timeline *timeline, const struct finder *finder, int *id)
{
	int before = 0, behind = 0, none;
	enum status status;

	if (!timeline->event)
		return ST_OK;
	finder_stops_at(finder, timeline->event, timeline->n, &none, &behind);
	status = timeline_seek(timeline, timeline->n + 1);
	if (status == ST_OK && timeline->event)
		finder_stops_at(finder, timeline->event, timeline->n, &before, &none);
	*id = lowest(before, behind);
	return status;
}

static enum status step_backward(struct timeline *timeline, const struct finder *finder, int *id)
{
	const u64 from = timeline->n;
	int before, behind;
	enum status status;
	u64 n;

	if (!from)
		return ST_OK;
	status = timeline_seek(timeline, from - 1);
	/* Else it is the gap of a damaged block. */
	if (status == ST_OK && timeline->n == from) {
		status = timeline_before(timeline, from, &n);
		if (status == ST_OK)
			status = timeline_seek(timeline, n);
	}
	if (status != ST_OK || !timeline->event)
		return status;
	finder_stops_at(finder, timeline->event, timeline->n, &before, &behind);
	*id = lowest(before, behind);
	return ST_OK;
}

/* By one event: the cursor itself looks at it. */
static enum status step(struct timeline *timeline, const struct finder *finder,
			enum timeline_way way, struct found *found)
{
	const enum status status = way == TIMELINE_FORWARD
					   ? step_forward(timeline, finder, &found->id)
					   : step_backward(timeline, finder, &found->id);

	found->n = timeline->n;
	return status;
}

static enum timeline_stop_why why_stopped(const struct timeline *timeline, enum timeline_way way,
					  const struct found *found, enum status status)
{
	if (status == ST_INTERRUPTED)
		return STOP_INTERRUPTED;
	if (status != ST_OK)
		return STOP_ERROR;
	if (found->id)
		return STOP_BREAK;
	if (way == TIMELINE_FORWARD)
		return found->n == timeline_events(timeline) ? STOP_END : STOP_STEP;
	return found->n ? STOP_STEP : STOP_BEGIN;
}

enum status timeline_run(struct timeline *timeline, enum timeline_way way, u64 limit,
			 struct timeline_stop *stop)
{
	struct finder finder = { .timeline = timeline, .reader = timeline->look };
	struct found found = { .n = timeline->n };
	enum status status = add_breaks(&finder);

	if (status == ST_OK)
		status = limit == 1
				 ? step(timeline, &finder, way, &found)
				 : finder_search(&finder, way, timeline->n, false, limit, &found);
	finder_free(&finder);
	stop->why = why_stopped(timeline, way, &found, status);
	stop->id = found.id;
	if (stop->why == STOP_ERROR)
		return status;
	status = timeline_seek(timeline, found.n);
	if (status == ST_OK)
		return ST_OK;
	stop->why = status == ST_INTERRUPTED ? STOP_INTERRUPTED : STOP_ERROR;
	return status == ST_INTERRUPTED ? ST_OK : status;
}

enum status timeline_next_match(struct timeline *timeline, const struct query *query, u64 from,
				enum timeline_way way, u64 *n)
{
	const struct timeline_break how = { .kind = BREAK_QUERY, .cpu = -1, .query = query };
	struct finder finder = { .timeline = timeline, .reader = timeline->look };
	struct found found = { 0 };
	enum status status = finder_add(&finder, 1, &how);

	if (from > timeline_events(timeline))
		return ST_RANGE;
	if (status == ST_OK)
		status = finder_search(&finder, way, from, true, 0, &found);
	finder_free(&finder);
	if (status != ST_OK)
		return status;
	*n = found.n;
	return found.id ? ST_OK : ST_NOT_FOUND;
}
