/*
 * cli/guest_run.c - to the next place, or the one before, where a break or a watch stops
 *
 * Backward there is no running: a stretch before the place is run forward, and its last stop is the
 * one; then the stretch before that, which is longer.
 */
#include "cli/guest_walk_parts.h"

#include <string.h>

#include "cli/debugger_stops.h"

#define WINDOW 65536 /* ticks of the first stretch */
#define GROWTH 8

/* Where the next instruction is: in code that is not 64-bit, RIP counts from the base of CS. */
static u64 linear_of(struct guest_walk *walk)
{
	struct debugger *const now = &walk->machine.now;
	u64 base = 0;

	if (now->cpus > 1)
		return now->place.linear;
	if (!(now->place.rip >> 32) && debugger_ask(now, "show \"cpu0.CS\"") == ST_OK &&
	    !strstr(now->text, " l = true"))
		bochs_text_parameter(now->text, "base", &base);
	return base + now->place.rip;
}

/* Bochs tells of a break where it ran to it, but not where a step or a time led to one. */
static bool is_at_break(struct guest_walk *walk, const struct guest_breaks *breaks)
{
	struct debugger_place *const place = &walk->machine.now.place;
	bool at = place->why & DEBUGGER_AT_BREAK;

	if (guest_walk_is_hv(walk))
		return false;
	if (!at && breaks->count) {
		place->linear = linear_of(walk);
		for (unsigned i = 0; i < breaks->count; i++)
			at |= breaks->addresses[i] == place->linear;
		place->why |= at ? DEBUGGER_AT_BREAK : 0;
	}
	return at && breaks->stops(breaks->owner, place);
}

/* Where a run forward without a break leaves it. */
static enum status end_forward(struct guest_walk *walk, enum status status, u64 limit)
{
	enum status done = ST_OK;

	walk->deaf = true;
	if (status == ST_OK && limit) {
		status = ST_NOT_FOUND;
		done = guest_walk_leave_hv(walk);
	} else if (status == ST_OK || status == ST_IO) {
		status = ST_END;
		done = guest_walk_back_from(walk, walk->last + 1);
	} else if (status == ST_INTERRUPTED) {
		done = guest_walk_leave_hv(walk);
	}
	walk->deaf = false;
	return done == ST_OK ? status : done;
}

static enum status set_all(struct guest_walk *walk, const struct guest_breaks *breaks)
{
	const enum status status =
		debugger_set_breaks(&walk->machine.now, breaks->addresses, breaks->count);

	walk->machine.now.all_break = true;
	return status == ST_OK ? debugger_set_watches(&walk->machine.now, breaks->watches,
						      breaks->watch_count)
			       : status;
}

/* Whether something watched was done since the last time. */
static bool took_watch(struct guest_walk *walk, u64 *watched)
{
	*watched = walk->machine.watched;
	walk->machine.watched = 0;
	return *watched;
}

/* The machine stands at a time, and does not tell what the last instruction did. */
static enum status do_again(struct guest_walk *walk, const struct guest_breaks *breaks,
			    u64 *watched)
{
	const u64 tick = guest_walk_place(walk)->tick;
	enum status status = guest_walk_go(walk, tick - 1);

	if (status == ST_OK)
		status = set_all(walk, breaks);
	if (status == ST_OK && guest_walk_place(walk)->tick < tick)
		status = machine_time_step(&walk->machine);
	took_watch(walk, watched);
	return status;
}

/* On to @end or a part of the way. */
static enum status run_on(struct guest_walk *walk, const struct guest_breaks *breaks, u64 end,
			  u64 *watched)
{
	const enum status status = machine_time_run(&walk->machine, end);

	if (status != ST_OK || took_watch(walk, watched) || !breaks->watch_count ||
	    !(guest_walk_place(walk)->why & DEBUGGER_AT_TIME))
		return status;
	return do_again(walk, breaks, watched);
}

/* With several processors the others have breaks too, so the first step is none of its own. */
static enum status step_first(struct guest_walk *walk, const struct guest_breaks *breaks,
			      bool *stopped, u64 *watched)
{
	enum status status = ST_OK;

	if (walk->machine.now.cpus == 1)
		status = guest_walk_step(walk, WALK_FORWARD);
	*stopped = took_watch(walk, watched) ||
		   (walk->machine.now.cpus == 1 && status == ST_OK && is_at_break(walk, breaks));
	return status;
}

static enum status run_forward(struct guest_walk *walk, const struct guest_breaks *breaks,
			       u64 limit, u64 *watched)
{
	const struct debugger_place *const place = guest_walk_place(walk);
	const u64 end = limit && limit < walk->last ? limit : walk->last;
	const unsigned cpu = walk->machine.cpu;
	enum status status = set_all(walk, breaks);
	bool stopped = false;

	took_watch(walk, watched);
	if (status == ST_OK)
		status = step_first(walk, breaks, &stopped, watched);
	if (status != ST_OK || stopped)
		return status;
	status = set_all(walk, breaks);
	while (status == ST_OK && (place->tick < end || place->cpu != cpu)) {
		machine_time_count_by(&walk->machine, cpu);
		status = run_on(walk, breaks, end, watched);
		if (status == ST_OK && *watched)
			return guest_walk_leave_hv(walk);
		if (status == ST_OK && is_at_break(walk, breaks))
			return ST_OK;
	}
	return end_forward(walk, status, end == limit ? limit : 0);
}

struct last_stop {
	unsigned cpu;
	u64 tick; /* 0: none */
	u64 watched;
};

/* The last stop in [@start, @end); what is watched is done before its stop, so up to @end. */
static enum status last_break(struct guest_walk *walk, const struct guest_breaks *breaks, u64 start,
			      u64 end, struct last_stop *found)
{
	const struct debugger_place *const place = guest_walk_place(walk);
	const unsigned cpu = walk->machine.cpu;
	enum status status = guest_walk_go(walk, start);
	u64 watched;

	took_watch(walk, &watched);
	if (status == ST_OK)
		status = set_all(walk, breaks);
	if (status == ST_OK && place->tick < end && is_at_break(walk, breaks))
		*found = (struct last_stop){ cpu, place->tick, 0 };
	while (status == ST_OK && (place->tick < end || place->cpu != cpu)) {
		machine_time_count_by(&walk->machine, cpu);
		status = run_on(walk, breaks, end, &watched);
		if (status != ST_OK || (place->cpu == cpu && place->tick > end))
			break;
		if (watched)
			*found = (struct last_stop){ place->cpu, place->tick, watched };
		if ((place->tick < end || place->cpu != cpu) && is_at_break(walk, breaks))
			*found = (struct last_stop){ place->cpu, place->tick, 0 };
	}
	machine_time_count_by(&walk->machine, cpu);
	return status;
}

static enum status go_to_stop(struct guest_walk *walk, const struct last_stop *stop)
{
	enum status status;

	machine_time_count_by(&walk->machine, stop->cpu);
	if (stop->watched)
		return guest_walk_back_from(walk, stop->tick);
	status = guest_walk_go(walk, stop->tick);
	return status == ST_OK ? guest_walk_first_begin(walk) : status;
}

static enum status run_backward(struct guest_walk *walk, const struct guest_breaks *breaks,
				u64 limit, u64 *watched)
{
	const u64 tick = guest_walk_place(walk)->tick, first = MAX(walk->first, limit);
	const unsigned cpu = walk->machine.cpu;
	u64 start = tick, end;
	struct last_stop found = { 0 };
	enum status status = ST_OK;

	for (u64 window = WINDOW; status == ST_OK && start > first && !found.tick;
	     window *= GROWTH) {
		end = start;
		start = end - first > window ? end - window : first;
		status = last_break(walk, breaks, start, end, &found);
	}
	if (status == ST_OK && found.tick) {
		status = go_to_stop(walk, &found);
	} else if (status == ST_OK) {
		status = guest_walk_go(walk, first);
		if (status == ST_OK)
			status = guest_walk_leave_hv(walk);
	}
	if (status != ST_OK) {
		machine_time_count_by(&walk->machine, cpu);
		return guest_walk_return(walk, tick, status);
	}
	*watched = found.watched;
	if (found.tick)
		return ST_OK;
	return limit && first == limit ? ST_NOT_FOUND : ST_END;
}

enum status guest_walk_run(struct guest_walk *walk, enum guest_way way,
			   const struct guest_breaks *breaks, u64 limit, u64 *watched)
{
	*watched = 0;
	return way == WALK_FORWARD ? run_forward(walk, breaks, limit, watched)
				   : run_backward(walk, breaks, limit, watched);
}
