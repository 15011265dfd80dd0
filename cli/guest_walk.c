#include "cli/guest_walk_parts.h"

#include <string.h>

#include "cli/debugger_stops.h"

#define EXIT_WINDOW 4096 /* ticks that hv usually needs for an exit */
#define GROWTH	    8
#define MAX_TEXT    2048 /* of what Bochs says of general registers */

bool guest_walk_is_hv(const struct guest_walk *walk)
{
	return hv_code_has(&walk->hv, guest_walk_place(walk)->rip,
			   guest_walk_place(walk)->physical);
}

static enum status set_breaks(struct guest_walk *walk, const u64 *addresses, unsigned count)
{
	walk->machine.now.all_break = false;
	return debugger_set_breaks(&walk->machine.now, addresses, count);
}

enum status guest_walk_go(struct guest_walk *walk, u64 tick)
{
	return machine_time_go(&walk->machine, tick);
}

enum status guest_walk_return(struct guest_walk *walk, u64 tick, enum status status)
{
	enum status done;

	walk->deaf = true;
	done = guest_walk_go(walk, tick);
	walk->deaf = false;
	return done == ST_OK ? status : done;
}

/* --- one forward ------------------------------------------------------------------------------ */

enum status guest_walk_leave_hv(struct guest_walk *walk)
{
	enum status status = ST_OK;

	if (guest_walk_is_hv(walk))
		status = set_breaks(walk, walk->hv.entries, walk->hv.entry_count);
	while (status == ST_OK && guest_walk_is_hv(walk))
		status = hv_code_enters(&walk->hv, guest_walk_place(walk)->rip)
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
		if (status != ST_OK || !guest_walk_is_hv(walk))
			break;
		status = guest_walk_leave_hv(walk);
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
		status = guest_walk_go(walk, at);
	} while (status == ST_OK && guest_walk_place(walk)->tick >= tick);
	low = guest_walk_place(walk)->tick;
	while (status == ST_OK && high - low > 1) {
		at = low + (high - low) / 2;
		status = guest_walk_go(walk, at);
		if (guest_walk_place(walk)->tick < tick)
			low = guest_walk_place(walk)->tick;
		else
			high = at;
	}
	return status == ST_OK && guest_walk_place(walk)->tick != low ? guest_walk_go(walk, low)
								      : status;
}

/* When the last VM exit up to @tick was. ST_END: there is none. */
static enum status find_exit(struct guest_walk *walk, u64 tick, u64 *exit)
{
	u64 start = tick;
	enum status status;

	for (u64 window = EXIT_WINDOW; start > walk->first; window *= GROWTH) {
		bool found = false;

		start = tick - walk->first > window ? tick - window : walk->first;
		status = guest_walk_go(walk, start);
		if (status == ST_OK)
			status = debugger_set_exits(&walk->machine.now, true);
		while (status == ST_OK && guest_walk_place(walk)->tick < tick) {
			status = machine_time_run(&walk->machine, tick);
			if (guest_walk_place(walk)->why & DEBUGGER_AT_EXIT &&
			    guest_walk_place(walk)->tick <= tick) {
				*exit = guest_walk_place(walk)->tick;
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
		if (status != ST_OK || !guest_walk_is_hv(walk))
			return status;
		status = find_exit(walk, guest_walk_place(walk)->tick, &tick);
	} while (status == ST_OK);
	return status;
}

/* An instruction that began anew behind an exit: where it began first. */
enum status guest_walk_first_begin(struct guest_walk *walk)
{
	char registers[MAX_TEXT], before[MAX_TEXT] = "";
	u64 tick = guest_walk_place(walk)->tick, exit;
	enum status status = read_registers(walk, registers);

	while (status == ST_OK) {
		status = go_before(walk, tick);
		if (status != ST_OK || !guest_walk_is_hv(walk))
			break;
		status = find_exit(walk, guest_walk_place(walk)->tick, &exit);
		if (status == ST_OK)
			status = last_before(walk, exit);
		if (status == ST_OK)
			status = read_registers(walk, before);
		if (status != ST_OK || strcmp(registers, before))
			break;
		tick = guest_walk_place(walk)->tick;
	}
	if (status != ST_OK && status != ST_END)
		return status;
	return guest_walk_place(walk)->tick == tick ? ST_OK : guest_walk_go(walk, tick);
}

/* What is usual: two instructions of a guest are before @tick, and nobody waits. */
static enum status try_step_back(struct guest_walk *walk, u64 tick, bool *done)
{
	enum status status = ST_OK;

	*done = false;
	if (tick < walk->first + 2)
		return ST_OK;
	status = guest_walk_go(walk, tick - 2);
	if (status != ST_OK || guest_walk_place(walk)->tick != tick - 2 || guest_walk_is_hv(walk))
		return status;
	status = machine_time_step(&walk->machine);
	*done = status == ST_OK && guest_walk_place(walk)->tick == tick - 1 &&
		!guest_walk_is_hv(walk);
	return status;
}

enum status guest_walk_back_from(struct guest_walk *walk, u64 tick)
{
	bool done;
	enum status status = try_step_back(walk, tick, &done);

	if (status != ST_OK || done)
		return status;
	status = last_before(walk, tick);
	return status == ST_OK ? guest_walk_first_begin(walk) : status;
}

/* --- moves ------------------------------------------------------------------------------------ */

enum status guest_walk_step(struct guest_walk *walk, enum guest_way way)
{
	const u64 tick = guest_walk_place(walk)->tick;
	enum status status =
		way == WALK_FORWARD ? step_forward(walk) : guest_walk_back_from(walk, tick);

	/* The machine ends where L1 switches it off. */
	if (way == WALK_FORWARD &&
	    (status == ST_IO || (status == ST_OK && guest_walk_place(walk)->tick > walk->last)))
		status = ST_END;
	return status == ST_OK ? ST_OK : guest_walk_return(walk, tick, status);
}

enum status guest_walk_turn(struct guest_walk *walk, unsigned cpu, enum guest_way way)
{
	const struct debugger_place start = *guest_walk_place(walk);
	enum status status = machine_time_turn(&walk->machine, cpu);

	if (status == ST_OK)
		status = guest_walk_leave_hv(walk);
	if (status == ST_OK && way == WALK_BACKWARD)
		status = guest_walk_back_from(walk, guest_walk_place(walk)->tick);
	if (status == ST_OK)
		return ST_OK;
	machine_time_count_by(&walk->machine, start.cpu);
	return guest_walk_return(walk, start.tick, status);
}

enum status guest_walk_to(struct guest_walk *walk, unsigned cpu, u64 tick, enum guest_way way)
{
	const u64 start = guest_walk_place(walk)->tick;
	const unsigned start_cpu = walk->machine.cpu;
	enum status status;

	machine_time_count_by(&walk->machine, cpu);
	if (way == WALK_BACKWARD) {
		status = guest_walk_back_from(walk, tick);
	} else {
		status = guest_walk_go(walk, MAX(tick, walk->first));
		if (status == ST_OK)
			status = guest_walk_leave_hv(walk);
	}
	if (status == ST_OK)
		return ST_OK;
	machine_time_count_by(&walk->machine, start_cpu);
	return guest_walk_return(walk, start, status);
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
	while (status == ST_OK && !hv_code_enters(&walk->hv, guest_walk_place(walk)->rip))
		status = machine_time_continue(&walk->machine);
	walk->hv.shift = guest_walk_place(walk)->physical - guest_walk_place(walk)->rip;
	if (status == ST_OK)
		status = guest_walk_leave_hv(walk);
	walk->first = guest_walk_place(walk)->tick;
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
