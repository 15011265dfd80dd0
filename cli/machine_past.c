#include "cli/machine_past.h"

#include "cli/debugger_state.h"
#include "cli/debugger_stops.h"

#define FAR 1000000 /* ticks that a processor may have waited */

static enum status copy(const struct machine_past *past, struct debugger_watcher *deaf,
			unsigned cpu, struct debugger *probe)
{
	const enum status status = debugger_copy(past->early, past->work, probe);

	*deaf = (struct debugger_watcher){ .poll = past->watcher->poll,
					   .owner = past->watcher->owner };
	probe->watcher = deaf;
	probe->cpu = cpu;
	return status;
}

enum status machine_past_exit(const struct machine_past *past, unsigned cpu, u64 *exit)
{
	struct debugger_watcher deaf;
	struct debugger probe;
	enum status status = copy(past, &deaf, cpu, &probe);

	*exit = 0;
	if (status == ST_OK)
		status = debugger_set_exits(&probe, true);
	probe.all_break = true;
	while (status == ST_OK) {
		probe.cpu = past->now->cpu;
		status = debugger_run_to(&probe, past->now->tick);
		if (!(probe.place.why & DEBUGGER_AT_EXIT) || probe.place.tick > past->now->tick)
			break;
		*exit = probe.place.tick;
	}
	debugger_stop(&probe, NULL);
	return status;
}

/* The place of processor @cpu at @tick or behind. */
static enum status place_at(const struct machine_past *past, unsigned cpu, u64 tick, u64 *place)
{
	struct debugger_watcher deaf;
	struct debugger probe;
	enum status status = copy(past, &deaf, cpu, &probe);

	if (status == ST_OK)
		status = debugger_run_to(&probe, tick);
	*place = probe.place.tick;
	debugger_stop(&probe, NULL);
	return status;
}

enum status machine_past_place(const struct machine_past *past, unsigned cpu, u64 tick, u64 *place)
{
	enum status status = ST_OK;
	u64 low = 0, high = tick, back = 1, found;

	while (status == ST_OK && high > low + 1 && (low || back < MIN(tick, (u64)FAR))) {
		const u64 at = low ? low + (high - low) / 2 : tick - back;

		status = place_at(past, cpu, at, &found);
		if (found < tick)
			low = found;
		else
			high = at;
		back *= 2;
	}
	*place = low;
	return status;
}

static enum status read_there(const struct machine_past *past, unsigned cpu, char *to, size_t size,
			      u64 *place)
{
	struct debugger_watcher deaf;
	struct debugger probe;
	bool in_guest = false;
	enum status status = copy(past, &deaf, cpu, &probe);

	if (status == ST_OK)
		status = debugger_run_to(&probe, *place);
	if (status == ST_OK)
		status = debugger_in_guest(&probe, cpu, &in_guest);
	if (status == ST_OK && in_guest)
		status = debugger_read_registers(&probe, cpu, to, size);
	debugger_stop(&probe, NULL);
	if (!in_guest)
		*place = 0;
	return status;
}

enum status machine_past_registers(const struct machine_past *past, unsigned cpu, char *to,
				   size_t size, u64 *place)
{
	enum status status = machine_past_exit(past, cpu, place);

	if (status == ST_OK && *place)
		status = machine_past_place(past, cpu, *place, place);
	return status == ST_OK && *place ? read_there(past, cpu, to, size, place) : status;
}
