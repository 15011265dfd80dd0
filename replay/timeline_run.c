/*
 * replay/timeline_run.c - breaks, and moving to where one stops
 */
#include <stdlib.h>

#include "replay/timeline_parts.h"

#define WINDOW	   16384 /* numbers that are looked at together when going backwards */
#define POLL_EVERY 65536 /* events */

/* For a range, CPU and level: was its last event inside? */
enum inside { INSIDE_UNKNOWN, INSIDE_NO, INSIDE_YES };

struct inside_table {
	u8 of[MODEL_MAX_CPUS][2]; /* enum inside; by level - 1 */
};

/* What is looked for. */
struct finder {
	struct timeline *timeline;
	struct reader *reader;
	unsigned count;
	int ids[TIMELINE_MAX_BREAKS];
	const struct timeline_break *how[TIMELINE_MAX_BREAKS];
	struct inside_table *inside[TIMELINE_MAX_BREAKS]; /* of ranges */
	const struct findings *findings;		  /* where a break is about them */
	u64 polled;					  /* events since */
};

/* A place where it stops. */
struct found {
	int id; /* 0: nothing was found */
	u64 n;
};

/* --- breaks ----------------------------------------------------------------------------------- */

static bool makes_sense(const struct timeline_break *how)
{
	if (how->level > 2 || how->cpu < -1 || how->cpu >= MODEL_MAX_CPUS)
		return false;
	switch (how->kind) {
	case BREAK_RIP:
	case BREAK_EVENT:
	case BREAK_FINDING:
		return true;
	case BREAK_RANGE:
	case BREAK_MEMORY:
		return how->address < how->end;
	case BREAK_QUERY:
		return how->query;
	case BREAK_FIELD:
		return how->field >= 0 && how->field < VMCS_FIELD_COUNT;
	}
	return false;
}

int timeline_break_add(struct timeline *timeline, const struct timeline_break *how)
{
	if (!makes_sense(how))
		return -1;
	for (int i = 0; i < TIMELINE_MAX_BREAKS; i++)
		if (!timeline->used[i]) {
			timeline->used[i] = true;
			timeline->breaks[i] = *how;
			return i + 1;
		}
	return -1;
}

void timeline_break_remove(struct timeline *timeline, int id)
{
	if (id > 0 && id <= TIMELINE_MAX_BREAKS)
		timeline->used[id - 1] = false;
}

int timeline_break_next(const struct timeline *timeline, int id)
{
	for (id = MAX(id, 0); id < TIMELINE_MAX_BREAKS; id++)
		if (timeline->used[id])
			return id + 1;
	return 0;
}

const struct timeline_break *timeline_break_get(const struct timeline *timeline, int id)
{
	if (id < 1 || id > TIMELINE_MAX_BREAKS || !timeline->used[id - 1])
		return NULL;
	return &timeline->breaks[id - 1];
}

static void free_finder(struct finder *finder)
{
	for (unsigned i = 0; i < finder->count; i++)
		free(finder->inside[i]);
}

static enum status add_break(struct finder *finder, int id, const struct timeline_break *how)
{
	const unsigned n = finder->count;

	if (how->kind == BREAK_RANGE) {
		finder->inside[n] = calloc(1, sizeof(*finder->inside[n]));
		if (!finder->inside[n])
			return ST_NO_MEMORY;
	}
	finder->ids[n] = id;
	finder->how[n] = how;
	finder->count++;
	if (how->kind == BREAK_FINDING && !finder->findings)
		return timeline_findings(finder->timeline, &finder->findings);
	return ST_OK;
}

/* --- does an event match -----------------------------------------------------------------------
 */

static bool is_inside(const struct timeline_break *how, u64 address)
{
	return address >= how->address && address < how->end;
}

/* Whether the last event before @n of that CPU and level was inside. Moves the reader. */
static bool look_back(const struct finder *finder, const struct timeline_break *how, u16 cpu,
		      u8 level, u64 n)
{
	const struct trace_event *event;

	for (u64 window = WINDOW;; window *= 2) {
		const u64 first = n > window ? n - window : 0;
		enum inside inside = INSIDE_UNKNOWN;

		if (reader_seek(finder->reader, first) != ST_OK)
			return false;
		while (reader_tell(finder->reader) < n &&
		       reader_next(finder->reader, &event) == ST_OK)
			if (event->cpu == cpu && event->level == level)
				inside = is_inside(how, event->rip) ? INSIDE_YES : INSIDE_NO;
		if (inside != INSIDE_UNKNOWN || !first)
			return inside == INSIDE_YES;
	}
}

static bool enters_range(const struct finder *finder, unsigned number,
			 const struct trace_event **event, u64 n)
{
	const struct timeline_break *const how = finder->how[number];
	const u8 level = (*event)->level;
	const u16 cpu = (*event)->cpu;
	const bool now = is_inside(how, (*event)->rip);
	bool before;
	u8 *inside;

	if (!level || cpu >= MODEL_MAX_CPUS)
		return false;
	inside = &finder->inside[number]->of[cpu][level - 1];
	before = *inside == INSIDE_YES;
	if (*inside == INSIDE_UNKNOWN && now) {
		before = look_back(finder, how, cpu, level, n);
		reader_seek(finder->reader, n);
		reader_next(finder->reader, event);
	}
	*inside = now ? INSIDE_YES : INSIDE_NO;
	return now && !before;
}

static bool ends_finding(const struct finder *finder, const struct timeline_break *how, u64 n)
{
	const struct findings *const findings = finder->findings;
	u64 place;

	for (unsigned i = 0; i < findings->count; i++)
		if ((!how->address || how->address == i + 1) &&
		    timeline_finding_place(findings->list[i], &place) && place == n)
			return true;
	return false;
}

static bool writes_field(const struct timeline_break *how, const struct trace_event *event, u64 n)
{
	struct history_write write;

	return history_take(event, n, how->vmcs, how->field, &write) &&
	       write.origin != HISTORY_FRAME && write.origin != HISTORY_GAP;
}

static bool tells_memory(const struct timeline_break *how, const struct trace_event *event)
{
	const struct ev_page *const page = (const struct ev_page *)event->col;

	return event->kind == EV_PAGE && event->byte_count &&
	       (!how->level || page->level == how->level) && page->gpa < how->end &&
	       (page->gpa >= how->address || how->address - page->gpa < event->byte_count);
}

/* Of memory, the level is that of the address. */
static bool is_passed(const struct timeline_break *how)
{
	return how->kind == BREAK_FIELD || how->kind == BREAK_MEMORY;
}

/* A range must see every event of its CPU and level. */
static bool matches(const struct finder *finder, unsigned number, const struct trace_event **event,
		    u64 n)
{
	const struct timeline_break *const how = finder->how[number];
	const u8 level = how->kind == BREAK_MEMORY ? 0 : how->level;

	if ((level && (*event)->level != level) || (how->cpu >= 0 && (*event)->cpu != how->cpu))
		return false;
	switch (how->kind) {
	case BREAK_RIP:
		return (*event)->level && (*event)->rip == how->address;
	case BREAK_RANGE:
		return enters_range(finder, number, event, n);
	case BREAK_QUERY:
		return query_match(how->query, *event, n);
	case BREAK_EVENT:
		return true;
	case BREAK_FINDING:
		return ends_finding(finder, how, n);
	case BREAK_FIELD:
		return writes_field(how, *event, n);
	case BREAK_MEMORY:
		return tells_memory(how, *event);
	}
	return false;
}

/* Which of the breaks stops before event @n, and which behind it; 0: none. */
static void stops_at(const struct finder *finder, const struct trace_event *event, u64 n,
		     int *before, int *behind)
{
	*before = *behind = 0;
	for (unsigned i = 0; i < finder->count; i++) {
		int *const to = is_passed(finder->how[i]) ? behind : before;

		if (matches(finder, i, &event, n) && !*to)
			*to = finder->ids[i];
	}
}

/* --- looking for the next ----------------------------------------------------------------------
 */

static bool interrupted(struct finder *finder, u64 done, u64 total)
{
	if (++finder->polled < POLL_EVERY)
		return false;
	finder->polled = 0;
	return timeline_interrupted(finder->timeline, done, total);
}

/*
 * The first place behind @first, or at it with @here, where a break stops. Without one, found->n is
 * where the search ended: after @limit events, at the end, or, ST_INTERRUPTED, somewhere.
 */
static enum status find_forward(struct finder *finder, u64 first, bool here, u64 limit,
				struct found *found)
{
	const u64 events = reader_info(finder->reader)->events;
	const struct trace_event *event;
	int before, behind, pending = 0;
	u64 passed = 0;

	if (reader_seek(finder->reader, first) != ST_OK)
		return ST_RANGE;
	for (;;) {
		*found = (struct found){ .n = reader_tell(finder->reader) };
		if (reader_next(finder->reader, &event) != ST_OK) {
			found->id = pending;
			return ST_OK;
		}
		stops_at(finder, event, found->n, &before, &behind);
		if (!passed && !here)
			before = 0;
		if (pending && before)
			before = MIN(before, pending);
		found->id = before ? before : pending;
		if (found->id || (limit && passed == limit))
			return ST_OK;
		pending = behind;
		passed++;
		if (interrupted(finder, found->n - first, events - first))
			return ST_INTERRUPTED;
	}
}

/* One window of find_backward(): the last stop in it, how many events, and of which @nth is what.
 */
static void look_through(struct finder *finder, u64 first, u64 end, u64 nth, struct found *found,
			 u64 *count, u64 *number)
{
	const struct trace_event *event;
	int before, behind;
	u64 n;

	*found = (struct found){ 0 };
	*count = 0;
	for (unsigned i = 0; i < finder->count; i++)
		if (finder->inside[i])
			memset(finder->inside[i], 0, sizeof(*finder->inside[i]));
	reader_seek(finder->reader, first);
	while ((n = reader_tell(finder->reader)) < end &&
	       reader_next(finder->reader, &event) == ST_OK) {
		if ((*count)++ == nth)
			*number = n;
		stops_at(finder, event, n, &before, &behind);
		if (before && behind)
			before = MIN(before, behind);
		if (before || behind)
			*found = (struct found){ before ? before : behind, n };
	}
}

/* The last place before @n; likewise. */
static enum status find_backward(struct finder *finder, u64 n, u64 limit, struct found *found)
{
	u64 end = n, passed = 0, window = limit && limit < WINDOW ? 2 * limit + 64 : WINDOW;

	while (end) {
		const u64 first = end > window ? end - window : 0;
		u64 count, number = 0;

		look_through(finder, first, end, ~0ull, found, &count, &number);
		/* All of it is inside the gap of a damaged block, which begins before. */
		if (!count && first) {
			window *= 2;
			continue;
		}
		if (limit && passed + count >= limit) {
			struct found again;

			look_through(finder, first, end, count - (limit - passed), &again, &count,
				     &number);
			if (!found->id || found->n < number)
				*found = (struct found){ .n = number };
			return ST_OK;
		}
		if (found->id)
			return ST_OK;
		passed += count;
		end = first;
		found->n = end;
		finder->polled += count;
		if (interrupted(finder, n - end, n))
			return ST_INTERRUPTED;
	}
	found->n = 0;
	return ST_OK;
}

/* --- moving ----------------------------------------------------------------------------------- */

static enum status find(struct finder *finder, enum timeline_way way, u64 n, u64 limit,
			struct found *found)
{
	enum status status = ST_OK;

	for (int id = 0; (id = timeline_break_next(finder->timeline, id)) && status == ST_OK;)
		status = add_break(finder, id, timeline_break_get(finder->timeline, id));
	if (status != ST_OK)
		return status;
	return way == TIMELINE_FORWARD ? find_forward(finder, n, false, limit, found)
				       : find_backward(finder, n, limit, found);
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
	enum status status = find(&finder, way, timeline->n, limit, &found);

	free_finder(&finder);
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
	enum status status = add_break(&finder, 1, &how);

	if (from > timeline_events(timeline))
		return ST_RANGE;
	if (status == ST_OK)
		status = way == TIMELINE_FORWARD ? find_forward(&finder, from, true, 0, &found)
						 : find_backward(&finder, from, 0, &found);
	free_finder(&finder);
	if (status != ST_OK)
		return status;
	*n = found.n;
	return found.id ? ST_OK : ST_NOT_FOUND;
}
