/*
 * replay/timeline_run.c - breaks, and moving to where one stops
 */
#include <stdlib.h>
#include <string.h>

#include "replay/memory_state.h"
#include "replay/timeline_parts.h"
#include "trace/block.h"

#define WINDOW	       16384 /* numbers that are looked at together when going backwards */
#define POLL_EVERY     65536 /* events */
#define LOOK_NEAR      65536 /* events that are looked at before an index is made */
#define MOST_BYTES     256   /* of memory that are compared together */
#define MOST_INTERVALS 16    /* that are looked at together when going backwards */

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
	const struct timeline_index *index;		  /* NULL: look at everything */
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
	/* It is made before the reader is where it is needed. */
	if (how->kind == BREAK_MEMORY && !memory_state_index(finder->timeline))
		return timeline_interrupted(finder->timeline, 0, 1) ? ST_INTERRUPTED : ST_NO_MEMORY;
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

/* Whether event @n makes known bytes of the range others. Moves the reader. */
static bool differs(const struct finder *finder, const struct timeline_break *how, u64 n)
{
	struct memory_index *const index = memory_state_index(finder->timeline);
	u8 before[MOST_BYTES], behind[MOST_BYTES];

	for (u64 at = how->address; index && at < how->end;) {
		const size_t size = (size_t)MIN(how->end - at, (u64)MOST_BYTES);
		const size_t known =
			memory_index_read(index, n, how->level, at, before, size, NULL);

		if (known && (memory_index_read(index, n + 1, how->level, at, behind, known,
						NULL) != known ||
			      memcmp(before, behind, known) != 0))
			return true;
		at += known ? known : 1;
	}
	return false;
}

static bool changes_memory(const struct finder *finder, const struct timeline_break *how,
			   const struct trace_event **event, u64 n)
{
	bool is_changed;

	if (!memory_event_tells(*event, how->level, how->address, how->end))
		return false;
	is_changed = differs(finder, how, n);
	reader_seek(finder->reader, n);
	reader_next(finder->reader, event);
	return is_changed;
}

/* Of memory, the level is that of the address. */
static bool is_passed(const struct timeline_break *how)
{
	return how->kind == BREAK_FIELD || how->kind == BREAK_MEMORY;
}

/*
 * A range must see every event of its CPU and level. Who moves the reader to look, brings it back,
 * and *@event with it.
 */
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
		return changes_memory(finder, how, event, n);
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

/* --- does an interval of the index have a match ------------------------------------------------
 */

struct scene {
	const struct timeline_index *index;
	u64 interval;
};

static bool has_rip(void *owner, u64 rip)
{
	const struct scene *const scene = owner;

	return index_may_have_rip(scene->index, scene->interval, rip);
}

static bool query_may(const struct timeline_index *index, u64 i, const struct query *query)
{
	const struct index_interval *const at = index_at(index, i);
	struct scene scene = { index, i };
	const struct query_scene what = {
		.kinds = at->kinds,
		.reasons = at->reasons,
		.entries_fail = at->flags & INDEX_FAILS,
		.outcomes = at->outcomes,
		.has_rip = has_rip,
		.owner = &scene,
	};

	return query_may_match(query, &what);
}

static bool field_may(const struct timeline_index *index, u64 i, const struct timeline_break *how)
{
	u32 region;

	if (how->vmcs == HISTORY_ANY_VMCS)
		return index_may_write(index, i, NULL, how->field);
	if (!index_region(index, how->vmcs, &region))
		return index_at(index, i)->flags & INDEX_UNSURE;
	return index_may_write(index, i, &region, how->field);
}

static bool finding_may(const struct finder *finder, u64 i, const struct timeline_break *how)
{
	const u64 begin = index_begin(finder->index, i, 0);
	const u64 end = index_begin(finder->index, i + 1, ~0ull);
	u64 place;

	for (unsigned k = 0; k < finder->findings->count; k++)
		if ((!how->address || how->address == k + 1) &&
		    timeline_finding_place(finder->findings->list[k], &place) && place >= begin &&
		    place < end)
			return true;
	return false;
}

static bool break_may(const struct finder *finder, u64 i, const struct timeline_break *how)
{
	switch (how->kind) {
	case BREAK_RIP:
		return index_may_have_rip(finder->index, i, how->address);
	case BREAK_RANGE:
		return index_may_have_range(finder->index, i, how->address, how->end);
	case BREAK_QUERY:
		return query_may(finder->index, i, how->query);
	case BREAK_EVENT:
		return true;
	case BREAK_FINDING:
		return finding_may(finder, i, how);
	case BREAK_FIELD:
		return field_may(finder->index, i, how);
	case BREAK_MEMORY:
		return index_at(finder->index, i)->kinds &
		       (block_kind(EV_PAGE) | block_kind(EV_RAM));
	}
	return true;
}

/* False: no event of the interval is worth a look. */
static bool may_stop(const struct finder *finder, u64 i)
{
	for (unsigned k = 0; k < finder->count; k++)
		if (break_may(finder, i, finder->how[k]))
			return true;
	return false;
}

/* --- looking for the next ----------------------------------------------------------------------
 */

/* Of ranges: where events are passed over, nobody knows who was inside. */
static void forget_inside(struct finder *finder)
{
	for (unsigned i = 0; i < finder->count; i++)
		if (finder->inside[i])
			memset(finder->inside[i], 0, sizeof(*finder->inside[i]));
}

static bool interrupted(struct finder *finder, u64 events, u64 done, u64 total)
{
	finder->polled += events;
	if (finder->polled < POLL_EVERY)
		return false;
	finder->polled = 0;
	return timeline_interrupted(finder->timeline, done, total);
}

/*
 * At @n, where interval @i begins: the next place that is worth a look, the end of the tape without
 * one. The reader goes there.
 */
static u64 skip_forward(struct finder *finder, u64 n, u64 *i)
{
	const u64 events = reader_info(finder->reader)->events, from = *i;

	while (*i < finder->index->count && !may_stop(finder, *i))
		++*i;
	if (*i == from)
		return n;
	n = index_begin(finder->index, *i, events);
	forget_inside(finder);
	reader_seek(finder->reader, n);
	return n;
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
	u64 passed = 0, interval = finder->index ? index_find(finder->index, first) + 1 : 0;
	int before, behind, pending = 0;

	if (reader_seek(finder->reader, first) != ST_OK)
		return ST_RANGE;
	for (;;) {
		*found = (struct found){ .n = reader_tell(finder->reader) };
		if (finder->index && !pending &&
		    found->n >= index_begin(finder->index, interval, ~0ull)) {
			found->n = skip_forward(finder, found->n, &interval);
			interval++;
		}
		if (reader_next(finder->reader, &event) != ST_OK) {
			found->id = pending;
			return ST_OK;
		}
		stops_at(finder, event, found->n, &before, &behind);
		if (found->n == first && !here)
			before = 0;
		if (pending && before)
			before = MIN(before, pending);
		found->id = before ? before : pending;
		if (found->id || (limit && passed == limit))
			return ST_OK;
		pending = behind;
		passed++;
		if (interrupted(finder, 1, found->n - first, events - first))
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
	forget_inside(finder);
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

/*
 * Moves *@end back over what is not worth a look, and puts *@first to the begin of what is, at most
 * @window intervals.
 */
static void skip_backward(const struct finder *finder, u64 window, u64 *first, u64 *end)
{
	const struct timeline_index *const index = finder->index;
	u64 i = index_find(index, *end - 1);

	while (!may_stop(finder, i)) {
		*end = index_at(index, i)->mark[0];
		if (!i) {
			*first = 0;
			return;
		}
		i--;
	}
	while (i && --window && may_stop(finder, i - 1))
		i--;
	*first = index_at(index, i)->mark[0];
}

/* The last place before @n; likewise. */
static enum status find_backward(struct finder *finder, u64 n, u64 limit, struct found *found)
{
	u64 end = n, passed = 0, window = limit && limit < WINDOW ? 2 * limit + 64 : WINDOW;
	u64 intervals = 1;

	while (end) {
		u64 first = end > window ? end - window : 0, count, number = 0;

		if (finder->index) {
			skip_backward(finder, intervals, &first, &end);
			intervals = MIN(2 * intervals, (u64)MOST_INTERVALS);
		}
		look_through(finder, first, end, ~0ull, found, &count, &number);
		/* All of it is inside the gap of a damaged block, which begins before. */
		if (!count && first && !finder->index) {
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
		if (interrupted(finder, count, n - end, n))
			return ST_INTERRUPTED;
	}
	found->n = 0;
	return ST_OK;
}

/*
 * Like those two, from @n on. What lies near is found without an index, so that it need not be made
 * for that; for what is far it is. It only finds stops, so that nothing is passed over with @limit.
 */
static enum status find_far(struct finder *finder, enum timeline_way way, u64 n, bool here,
			    u64 limit, struct found *found)
{
	const bool back = way == TIMELINE_BACKWARD;
	const u64 near = limit ? limit : LOOK_NEAR * finder->timeline->interval;
	enum status status;
	u64 end;

	if (limit || finder->timeline->has != INDEX_READY) {
		status = back ? find_backward(finder, n, near, found)
			      : find_forward(finder, n, here, near, found);
		end = back ? 0 : reader_info(finder->reader)->events;
		if (limit || status != ST_OK || found->id || found->n == end)
			return status;
		n = found->n;
		forget_inside(finder);
		status = timeline_get_index(finder->timeline, &finder->index);
		if (status != ST_OK)
			return status;
		/* That one was looked at, but for what stops when it is passed. */
		here = false;
	} else {
		finder->index = &finder->timeline->index;
	}
	return back ? find_backward(finder, n, 0, found) : find_forward(finder, n, here, 0, found);
}

/* --- moving ----------------------------------------------------------------------------------- */

static enum status add_breaks(struct finder *finder)
{
	enum status status = ST_OK;

	for (int id = 0; (id = timeline_break_next(finder->timeline, id)) && status == ST_OK;)
		status = add_break(finder, id, timeline_break_get(finder->timeline, id));
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
	stops_at(finder, timeline->event, timeline->n, &none, &behind);
	status = timeline_seek(timeline, timeline->n + 1);
	if (status == ST_OK && timeline->event)
		stops_at(finder, timeline->event, timeline->n, &before, &none);
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
	stops_at(finder, timeline->event, timeline->n, &before, &behind);
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
		status = limit == 1 ? step(timeline, &finder, way, &found)
				    : find_far(&finder, way, timeline->n, false, limit, &found);
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
		status = find_far(&finder, way, from, true, 0, &found);
	free_finder(&finder);
	if (status != ST_OK)
		return status;
	*n = found.n;
	return found.id ? ST_OK : ST_NOT_FOUND;
}
