#include "cli/guest_walk.h"

#include <string.h>

#define EXIT_WINDOW 4096  /* ticks that hv usually needs for an exit */
#define RUN_WINDOW  65536 /* ticks in which a break is looked for backwards, at first */
#define GROWTH	    8
#define MAX_TEXT    2048 /* of what Bochs says of general registers */

static const struct debugger_place *place_of(const struct guest_walk *walk)
{
	return &walk->machine.now.place;
}

static bool is_hv(const struct guest_walk *walk)
{
	return hv_code_has(&walk->hv, place_of(walk)->rip, place_of(walk)->physical);
}

static enum status set_breaks(struct guest_walk *walk, const u64 *addresses, unsigned count)
{
	return debugger_set_breaks(&walk->machine.now, addresses, count);
}

static enum status go(struct guest_walk *walk, u64 tick)
{
	return machine_time_go(&walk->machine, tick);
}

/* Back where it was at @tick, which can't be interrupted; @status stays what there is to say. */
static enum status return_to(struct guest_walk *walk, u64 tick, enum status status)
{
	enum status done;

	walk->deaf = true;
	done = go(walk, tick);
	walk->deaf = false;
	return done == ST_OK ? status : done;
}

/* --- one forward ------------------------------------------------------------------------------ */

/* Through hv, into a guest. */
static enum status leave_hv(struct guest_walk *walk)
{
	enum status status = ST_OK;

	if (is_hv(walk))
		status = set_breaks(walk, walk->hv.entries, walk->hv.entry_count);
	while (status == ST_OK && is_hv(walk))
		status = hv_code_enters(&walk->hv, place_of(walk)->rip)
				 ? machine_time_step(&walk->machine)
				 : machine_time_continue(&walk->machine);
	return status;
}

/* General registers and RIP: RFLAGS come last, and exits change the resume flag. */
static enum status read_registers(struct guest_walk *walk, char *to)
{
	const enum status status = debugger_ask(&walk->machine.now, "r");
	const char *const text = status == ST_OK ? walk->machine.now.text : "";
	const char *const end = strstr(text, "eflags");
	const size_t length = MIN(end ? (size_t)(end - text) : 0, (size_t)MAX_TEXT - 1);

	memcpy(to, text, length);
	to[length] = 0;
	return status;
}

static enum status step_forward(struct guest_walk *walk)
{
	char before[MAX_TEXT], after[MAX_TEXT];
	enum status status = read_registers(walk, before);

	while (status == ST_OK) {
		status = machine_time_step(&walk->machine);
		if (status != ST_OK || !is_hv(walk))
			break;
		status = leave_hv(walk);
		if (status == ST_OK)
			status = read_registers(walk, after);
		if (strcmp(before, after))
			break;
	}
	return status;
}

/* --- one backward ----------------------------------------------------------------------------- */

/*
 * To the last instruction that begins before @tick, of a guest or hv's. It is one tick before but
 * where a processor waits: what time it is is then found by halving. ST_END: there is none.
 */
static enum status go_before(struct guest_walk *walk, u64 tick)
{
	u64 low, high = tick, at = tick;
	enum status status;

	do {
		const u64 back = 2 * (tick - at) + (at == tick);

		if (at <= walk->first)
			return ST_END;
		high = at;
		at = tick - walk->first > back ? tick - back : walk->first;
		status = go(walk, at);
	} while (status == ST_OK && place_of(walk)->tick >= tick);
	low = place_of(walk)->tick;
	while (status == ST_OK && high - low > 1) {
		at = low + (high - low) / 2;
		status = go(walk, at);
		if (place_of(walk)->tick < tick)
			low = place_of(walk)->tick;
		else
			high = at;
	}
	return status == ST_OK && place_of(walk)->tick != low ? go(walk, low) : status;
}

/* When the last VM exit up to @tick was. ST_END: there is none. */
static enum status find_exit(struct guest_walk *walk, u64 tick, u64 *exit)
{
	u64 start = tick;
	enum status status;

	for (u64 window = EXIT_WINDOW; start > walk->first; window *= GROWTH) {
		bool found = false;

		start = tick - walk->first > window ? tick - window : walk->first;
		status = go(walk, start);
		if (status == ST_OK)
			status = debugger_set_exits(&walk->machine.now, true);
		while (status == ST_OK && place_of(walk)->tick < tick) {
			status = machine_time_run(&walk->machine, tick);
			if (place_of(walk)->why & DEBUGGER_AT_EXIT &&
			    place_of(walk)->tick <= tick) {
				*exit = place_of(walk)->tick;
				found = true;
			}
		}
		if (status != ST_OK || found)
			return status;
	}
	return ST_END;
}

static enum status last_before(struct guest_walk *walk, u64 tick)
{
	enum status status;

	do {
		status = go_before(walk, tick);
		if (status != ST_OK || !is_hv(walk))
			return status;
		status = find_exit(walk, place_of(walk)->tick, &tick);
	} while (status == ST_OK);
	return status;
}

/* An instruction that began anew behind an exit: where it began first. */
static enum status to_first_begin(struct guest_walk *walk)
{
	char registers[MAX_TEXT], before[MAX_TEXT] = "";
	u64 tick = place_of(walk)->tick, exit;
	enum status status = read_registers(walk, registers);

	while (status == ST_OK) {
		status = go_before(walk, tick);
		if (status != ST_OK || !is_hv(walk))
			break;
		status = find_exit(walk, place_of(walk)->tick, &exit);
		if (status == ST_OK)
			status = last_before(walk, exit);
		if (status == ST_OK)
			status = read_registers(walk, before);
		if (status != ST_OK || strcmp(registers, before))
			break;
		tick = place_of(walk)->tick;
	}
	if (status != ST_OK && status != ST_END)
		return status;
	return place_of(walk)->tick == tick ? ST_OK : go(walk, tick);
}

/* What is usual: two instructions of a guest are before @tick, and nobody waits. */
static enum status try_step_back(struct guest_walk *walk, u64 tick, bool *done)
{
	enum status status = ST_OK;

	*done = false;
	if (tick < walk->first + 2)
		return ST_OK;
	status = go(walk, tick - 2);
	if (status != ST_OK || place_of(walk)->tick != tick - 2 || is_hv(walk))
		return status;
	status = machine_time_step(&walk->machine);
	*done = status == ST_OK && place_of(walk)->tick == tick - 1 && !is_hv(walk);
	return status;
}

/* To the last place before @tick. */
static enum status step_back_from(struct guest_walk *walk, u64 tick)
{
	bool done;
	enum status status = try_step_back(walk, tick, &done);

	if (status != ST_OK || done)
		return status;
	status = last_before(walk, tick);
	return status == ST_OK ? to_first_begin(walk) : status;
}

/* --- moves ------------------------------------------------------------------------------------ */

enum status guest_walk_step(struct guest_walk *walk, enum guest_way way)
{
	const u64 tick = place_of(walk)->tick;
	enum status status = way == WALK_FORWARD ? step_forward(walk) : step_back_from(walk, tick);

	/* The machine ends where L1 switches it off. */
	if (way == WALK_FORWARD &&
	    (status == ST_IO || (status == ST_OK && place_of(walk)->tick > walk->last)))
		status = ST_END;
	return status == ST_OK ? ST_OK : return_to(walk, tick, status);
}

enum status guest_walk_to(struct guest_walk *walk, u64 tick, enum guest_way way)
{
	const u64 start = place_of(walk)->tick;
	enum status status;

	if (way == WALK_BACKWARD) {
		status = step_back_from(walk, tick);
	} else {
		status = go(walk, MAX(tick, walk->first));
		if (status == ST_OK)
			status = leave_hv(walk);
	}
	return status == ST_OK ? ST_OK : return_to(walk, start, status);
}

static bool is_at_break(const struct guest_walk *walk, const struct guest_breaks *breaks)
{
	const struct debugger_place *const place = place_of(walk);
	bool at = place->why & DEBUGGER_AT_BREAK;

	for (unsigned i = 0; i < breaks->count && !at; i++)
		at = breaks->addresses[i] == place->rip;
	return at && !is_hv(walk) && breaks->stops(breaks->owner, place);
}

/* Where a run forward without a break leaves it. */
static enum status end_forward(struct guest_walk *walk, enum status status, u64 limit)
{
	enum status done = ST_OK;

	walk->deaf = true;
	if (status == ST_OK && limit) {
		status = ST_NOT_FOUND;
		done = leave_hv(walk);
	} else if (status == ST_OK || status == ST_IO) {
		status = ST_END;
		done = step_back_from(walk, walk->last + 1);
	} else if (status == ST_INTERRUPTED) {
		done = leave_hv(walk);
	}
	walk->deaf = false;
	return done == ST_OK ? status : done;
}

static enum status set_all(struct guest_walk *walk, const struct guest_breaks *breaks)
{
	const enum status status = set_breaks(walk, breaks->addresses, breaks->count);

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
	const u64 tick = place_of(walk)->tick;
	enum status status = go(walk, tick - 1);

	if (status == ST_OK)
		status = set_all(walk, breaks);
	if (status == ST_OK && place_of(walk)->tick < tick)
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
	    !(place_of(walk)->why & DEBUGGER_AT_TIME))
		return status;
	return do_again(walk, breaks, watched);
}

static enum status run_forward(struct guest_walk *walk, const struct guest_breaks *breaks,
			       u64 limit, u64 *watched)
{
	const u64 end = limit && limit < walk->last ? limit : walk->last;
	enum status status = set_all(walk, breaks);

	took_watch(walk, watched);
	if (status == ST_OK)
		status = guest_walk_step(walk, WALK_FORWARD);
	if (status != ST_OK || took_watch(walk, watched) || is_at_break(walk, breaks))
		return status;
	status = set_all(walk, breaks);
	while (status == ST_OK && place_of(walk)->tick < end) {
		status = run_on(walk, breaks, end, watched);
		if (status == ST_OK && *watched)
			return leave_hv(walk);
		if (status == ST_OK && is_at_break(walk, breaks))
			return ST_OK;
	}
	return end_forward(walk, status, end == limit ? limit : 0);
}

struct last_stop {
	u64 tick; /* 0: none */
	u64 watched;
};

/* The last stop in [@start, @end); what is watched is done before its stop, so up to @end. */
static enum status last_break(struct guest_walk *walk, const struct guest_breaks *breaks, u64 start,
			      u64 end, struct last_stop *found)
{
	const struct debugger_place *const place = place_of(walk);
	enum status status = go(walk, start);
	u64 watched;

	took_watch(walk, &watched);
	if (status == ST_OK)
		status = set_all(walk, breaks);
	if (status == ST_OK && place->tick < end && is_at_break(walk, breaks))
		*found = (struct last_stop){ .tick = place->tick };
	while (status == ST_OK && place->tick < end) {
		status = run_on(walk, breaks, end, &watched);
		if (status != ST_OK || place->tick > end)
			break;
		if (watched)
			*found = (struct last_stop){ place->tick, watched };
		if (place->tick < end && is_at_break(walk, breaks))
			*found = (struct last_stop){ .tick = place->tick };
	}
	return status;
}

static enum status go_to_stop(struct guest_walk *walk, const struct last_stop *stop)
{
	enum status status;

	if (stop->watched)
		return step_back_from(walk, stop->tick);
	status = go(walk, stop->tick);
	return status == ST_OK ? to_first_begin(walk) : status;
}

static enum status run_backward(struct guest_walk *walk, const struct guest_breaks *breaks,
				u64 limit, u64 *watched)
{
	const u64 tick = place_of(walk)->tick, first = MAX(walk->first, limit);
	u64 start = tick, end;
	struct last_stop found = { 0 };
	enum status status = ST_OK;

	for (u64 window = RUN_WINDOW; status == ST_OK && start > first && !found.tick;
	     window *= GROWTH) {
		end = start;
		start = end - first > window ? end - window : first;
		status = last_break(walk, breaks, start, end, &found);
	}
	if (status == ST_OK && found.tick) {
		status = go_to_stop(walk, &found);
	} else if (status == ST_OK) {
		status = go(walk, first);
		if (status == ST_OK)
			status = leave_hv(walk);
	}
	if (status != ST_OK)
		return return_to(walk, tick, status);
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

/* --- life ------------------------------------------------------------------------------------- */

static void hear(void *owner, const void *bytes, size_t size)
{
	const struct guest_walk *const walk = owner;

	if (walk->given->hear)
		walk->given->hear(walk->given->owner, bytes, size);
}

static bool poll_given(void *owner)
{
	const struct guest_walk *const walk = owner;

	return !walk->deaf && walk->given->poll && walk->given->poll(walk->given->owner);
}

enum status guest_walk_start(struct guest_walk *walk, const struct bochs_setup *setup,
			     const struct debugger_watcher *watcher, const char *hv, u64 last)
{
	enum status status;

	*walk = (struct guest_walk){ .last = last, .given = watcher };
	walk->watcher = (struct debugger_watcher){ hear, poll_given, walk };
	hv_code_read(hv, &walk->hv);
	machine_time_start(&walk->machine, setup, &walk->watcher);
	status = set_breaks(walk, walk->hv.entries, walk->hv.entry_count);
	/* Firmware and boot loaders have no code at such addresses. */
	while (status == ST_OK && !hv_code_enters(&walk->hv, place_of(walk)->rip))
		status = machine_time_continue(&walk->machine);
	walk->hv.shift = place_of(walk)->physical - place_of(walk)->rip;
	if (status == ST_OK)
		status = leave_hv(walk);
	walk->first = place_of(walk)->tick;
	if (status == ST_OK)
		status = machine_time_keep(&walk->machine);
	if (status != ST_OK)
		guest_walk_stop(walk);
	return status;
}

void guest_walk_stop(struct guest_walk *walk)
{
	machine_time_stop(&walk->machine);
}
