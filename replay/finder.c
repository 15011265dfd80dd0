#include "replay/finder.h"

#include <stdlib.h>
#include <string.h>

#include "replay/memory_state.h"

#define MOST_BYTES 256 /* of memory that are compared together */

void finder_free(struct finder *finder)
{
	for (unsigned i = 0; i < finder->count; i++)
		free(finder->inside[i]);
}

enum status finder_add(struct finder *finder, int id, const struct timeline_break *how)
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

void finder_forget_inside(struct finder *finder)
{
	for (unsigned i = 0; i < finder->count; i++)
		if (finder->inside[i])
			memset(finder->inside[i], 0, sizeof(*finder->inside[i]));
}

/* --- does an event match ---------------------------------------------------------------------- */

static bool is_inside(const struct timeline_break *how, u64 address)
{
	return address >= how->address && address < how->end;
}

/* Whether the last event before @n of that CPU and level was inside. Moves the reader. */
static bool look_back(const struct finder *finder, const struct timeline_break *how, u16 cpu,
		      u8 level, u64 n)
{
	const struct trace_event *event;

	for (u64 window = FINDER_WINDOW;; window *= 2) {
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

void finder_stops_at(const struct finder *finder, const struct trace_event *event, u64 n,
		     int *before, int *behind)
{
	*before = *behind = 0;
	for (unsigned i = 0; i < finder->count; i++) {
		int *const to = is_passed(finder->how[i]) ? behind : before;

		if (matches(finder, i, &event, n) && !*to)
			*to = finder->ids[i];
	}
}
