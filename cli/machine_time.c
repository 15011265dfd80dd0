#include "cli/machine_time.h"

#include <string.h>

#include "cli/debugger_state.h"
#include "cli/debugger_stops.h"
#include "cli/machine_past.h"
#include "cli/message.h"

#define FAR  100000000ull /* ticks: a second or two */
#define NEAR 200000ull	  /* ticks that cost less than a copy does */
#define LONG 1000000ull	  /* ticks that hv seldom takes for an exit */
#define KEPT 2		  /* saved copies that stay: of power-on, and machine_time_keep() */

/* --- saved copies ----------------------------------------------------------------------------- */

/* Whether a machine at @place comes to @tick yet, or is there. */
static bool is_before(const struct machine_time *machine, const struct debugger_place *place,
		      u64 tick)
{
	return place->cpu == machine->cpu ? place->tick <= tick
					  : place->round + BOCHS_QUANTUM <= tick;
}

/* In the order in which the machine comes to them. */
static int compare_places(const struct debugger_place *a, const struct debugger_place *b)
{
	if (a->round != b->round)
		return a->round < b->round ? -1 : 1;
	if (a->cpu != b->cpu)
		return a->cpu < b->cpu ? -1 : 1;
	return a->tick == b->tick ? 0 : a->tick < b->tick ? -1 : 1;
}

/* The last one at @tick or before, -1: none. */
static int saved_before(const struct machine_time *machine, u64 tick)
{
	int found = -1;

	for (unsigned i = 0; i < machine->saved_count; i++)
		if (is_before(machine, &machine->saved[i].place, tick))
			found = (int)i;
	return found;
}

static void drop(struct machine_time *machine, unsigned i)
{
	debugger_stop(&machine->saved[i], NULL);
	machine->saved_count--;
	memmove(&machine->saved[i], &machine->saved[i + 1],
		(machine->saved_count - i) * sizeof(machine->saved[0]));
}

/*
 * The one that is missed least: close to its neighbours, for how far it is from @tick. So they get
 * sparser with the distance, and nothing near is far from all of them.
 */
static void drop_one(struct machine_time *machine, u64 tick)
{
	double least = 0;
	unsigned which = 0;

	for (unsigned i = KEPT; i < machine->saved_count; i++) {
		const u64 at = machine->saved[i].place.tick;
		const u64 before = machine->saved[i - 1].place.tick;
		const u64 behind =
			i + 1 < machine->saved_count ? machine->saved[i + 1].place.tick : at + FAR;
		const u64 distance = at > tick ? at - tick : tick - at;
		const double worth = (double)(behind - before) / (double)(distance + NEAR);

		if (!which || worth < least) {
			which = i;
			least = worth;
		}
	}
	drop(machine, which);
}

static enum status save(struct machine_time *machine, u64 goal)
{
	const struct debugger_place *const place = &machine->now.place;
	unsigned to = machine->saved_count;
	struct debugger copy;
	enum status status;

	while (to && compare_places(&machine->saved[to - 1].place, place) >= 0)
		to--;
	if (to < machine->saved_count && !compare_places(&machine->saved[to].place, place))
		return ST_OK;
	status = debugger_copy(&machine->now, machine->work, &copy);
	if (status != ST_OK)
		return status;
	if (machine->saved_count == MACHINE_MAX_SAVED) {
		drop_one(machine, goal);
		to = machine->saved_count;
		while (to && compare_places(&machine->saved[to - 1].place, place) >= 0)
			to--;
	}
	memmove(&machine->saved[to + 1], &machine->saved[to],
		(machine->saved_count - to) * sizeof(machine->saved[0]));
	machine->saved[to] = copy;
	machine->saved_count++;
	return ST_OK;
}

enum status machine_time_keep(struct machine_time *machine)
{
	return save(machine, machine->now.place.tick);
}

/* --- moving ----------------------------------------------------------------------------------- */

/* Before anything that makes it run. */
static void begin(struct machine_time *machine)
{
	machine->is_heard = machine->now.cpus == 1 && machine->now.place.tick >= machine->heard_to;
}

/* What ended is no place to go on from, and has been heard to its end. */
static enum status end(struct machine_time *machine, enum status status)
{
	if (machine->now.place.why & DEBUGGER_AT_WATCH)
		machine->watched = machine->now.place.watched;
	machine->cpu = machine->now.cpu;
	if (status == ST_IO)
		debugger_stop(&machine->now, NULL);
	if (machine->is_heard)
		machine->heard_to = status == ST_IO ? ~0ull : machine->now.place.tick;
	machine->is_heard = false;
	return status;
}

enum status machine_time_step(struct machine_time *machine)
{
	begin(machine);
	return end(machine, debugger_step(&machine->now));
}

/* The same place with the same breaks, but without times at which earlier runs had to stop. */
static enum status renew(struct machine_time *machine)
{
	const struct debugger old = machine->now;
	u64 addresses[DEBUGGER_MAX_BREAKS];
	enum status status = machine_time_go(machine, old.place.tick);

	for (unsigned i = 0; i < old.break_count; i++)
		addresses[i] = old.breaks[i].address;
	if (status == ST_OK)
		status = debugger_set_breaks(&machine->now, addresses, old.break_count);
	if (status == ST_OK)
		status = debugger_set_watches(&machine->now, old.watches, old.watch_count);
	return status == ST_OK ? debugger_set_exits(&machine->now, old.stops_at_exits) : status;
}

static enum status run_to(struct machine_time *machine, u64 tick)
{
	enum status status = ST_OK;

	if (machine->now.time_count == DEBUGGER_MAX_TIMES)
		status = renew(machine);
	if (status != ST_OK)
		return status;
	begin(machine);
	return end(machine, debugger_run_to(&machine->now, tick));
}

enum status machine_time_continue(struct machine_time *machine)
{
	/* Not past where it must be heard again. */
	if (machine->now.cpus == 1 && machine->now.place.tick < machine->heard_to &&
	    machine->heard_to != ~0ull)
		return run_to(machine, machine->heard_to);
	begin(machine);
	return end(machine, debugger_continue(&machine->now));
}

enum status machine_time_run(struct machine_time *machine, u64 tick)
{
	const struct debugger_place *const place = &machine->now.place;
	enum status status = ST_OK;

	do {
		const u64 distance = tick > place->tick ? tick - place->tick : 0;
		bool is_worth = true;
		u64 part = tick;

		if (distance > 2 * FAR)
			part = place->tick + MAX(FAR, distance / (MACHINE_MAX_SAVED / 2));
		else if (distance > 2 * NEAR)
			part = tick - NEAR;
		if (machine->now.cpus == 1 && place->tick < machine->heard_to &&
		    machine->heard_to < part) {
			part = machine->heard_to;
			is_worth = false;
		}
		status = run_to(machine, part);
		if (status != ST_OK || place->why & DEBUGGER_EARLY || machine->now.watch_count)
			break;
		if (part < tick && is_worth)
			status = save(machine, tick);
	} while (status == ST_OK && (place->tick < tick || place->cpu != machine->cpu));
	return status;
}

static enum status clear(struct debugger *debugger)
{
	enum status status = debugger_set_breaks(debugger, NULL, 0);

	debugger->all_break = false;
	if (status == ST_OK)
		status = debugger_set_watches(debugger, NULL, 0);
	return status == ST_OK ? debugger_set_exits(debugger, false) : status;
}

/* Whether to go on from here is as good as from a saved copy. */
static bool is_on_the_way(const struct machine_time *machine, u64 tick)
{
	const int before = saved_before(machine, tick);
	const struct debugger_place *const at = &machine->now.place;

	return machine->now.text && is_before(machine, at, tick) &&
	       machine->now.time_count < DEBUGGER_MAX_TIMES &&
	       (before < 0 || compare_places(&machine->saved[before].place, at) <= 0);
}

enum status machine_time_go(struct machine_time *machine, u64 tick)
{
	enum status status = ST_OK;

	if (!is_on_the_way(machine, tick)) {
		const int before = saved_before(machine, tick);

		if (before < 0)
			return ST_RANGE;
		debugger_stop(&machine->now, NULL);
		status = debugger_copy(&machine->saved[before], machine->work, &machine->now);
	}
	machine->now.cpu = machine->cpu;
	if (status == ST_OK)
		status = clear(&machine->now);
	return status == ST_OK ? machine_time_run(machine, tick) : status;
}

void machine_time_count_by(struct machine_time *machine, unsigned cpu)
{
	machine->cpu = machine->now.cpu = cpu;
}

enum status machine_time_turn(struct machine_time *machine, unsigned cpu)
{
	enum status status = ST_OK;

	machine_time_count_by(machine, cpu);
	if (machine->now.place.cpu == cpu)
		return debugger_look(&machine->now, cpu);
	status = clear(&machine->now);
	return status == ST_OK ? run_to(machine, 0) : status;
}

enum status machine_time_registers(struct machine_time *machine, unsigned cpu, char *to,
				   size_t size, u64 *place)
{
	struct machine_past past = { .work = machine->work,
				     .watcher = &machine->watcher,
				     .now = &machine->now.place };
	enum status status = ST_OK;
	u64 tick = past.now->tick;

	*place = 0;
	for (unsigned i = machine->saved_count; i-- > 0 && past.now->tick - tick < LONG;) {
		past.early = &machine->saved[i];
		if (compare_places(&past.early->place, past.now) > 0)
			continue;
		tick = past.early->place.tick;
		status = machine_past_registers(&past, cpu, to, size, place);
		if (status != ST_OK || *place)
			break;
	}
	return status;
}

/* --- life ------------------------------------------------------------------------------------- */

static void hear(void *owner, const void *bytes, size_t size)
{
	const struct machine_time *const machine = owner;

	if (machine->is_heard && machine->given->hear)
		machine->given->hear(machine->given->owner, bytes, size);
}

static bool poll_given(void *owner)
{
	const struct machine_time *const machine = owner;

	return machine->given->poll && machine->given->poll(machine->given->owner);
}

void machine_time_start(struct machine_time *machine, const struct bochs_setup *setup,
			const struct debugger_watcher *watcher)
{
	*machine = (struct machine_time){
		.work = setup->work, .given = watcher, .is_heard = true, .saved_count = 1
	};
	machine->watcher = (struct debugger_watcher){ hear, poll_given, machine };
	debugger_start(setup, &machine->watcher, &machine->saved[0]);
	if (debugger_copy(&machine->saved[0], machine->work, &machine->now) == ST_OK)
		return;
	machine_time_stop(machine);
	die("Bochs cannot be copied in '%s'", machine->work);
}

void machine_time_stop(struct machine_time *machine)
{
	debugger_stop(&machine->now, NULL);
	while (machine->saved_count)
		drop(machine, machine->saved_count - 1);
}
