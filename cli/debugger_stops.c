#include "cli/debugger_stops.h"

#include <stdio.h>

static bool has(const u64 *addresses, unsigned count, u64 address)
{
	for (unsigned i = 0; i < count; i++)
		if (addresses[i] == address)
			return true;
	return false;
}

static bool has_break(const struct debugger *debugger, u64 address)
{
	for (unsigned i = 0; i < debugger->break_count; i++)
		if (debugger->breaks[i].address == address)
			return true;
	return false;
}

enum status debugger_set_breaks(struct debugger *debugger, const u64 *addresses, unsigned count)
{
	enum status status = ST_OK;
	unsigned kept = 0;
	char command[40];

	for (unsigned i = 0; i < debugger->break_count && status == ST_OK; i++) {
		if (has(addresses, count, debugger->breaks[i].address)) {
			debugger->breaks[kept++] = debugger->breaks[i];
			continue;
		}
		snprintf(command, sizeof(command), "d %u", debugger->breaks[i].id);
		status = debugger_ask(debugger, command);
	}
	debugger->break_count = kept;
	for (unsigned i = 0; i < count && status == ST_OK; i++) {
		if (has_break(debugger, addresses[i]))
			continue;
		if (debugger->break_count == DEBUGGER_MAX_BREAKS)
			return ST_NO_SPACE;
		debugger->breaks[debugger->break_count++] =
			(struct debugger_break){ addresses[i], debugger->next_id++ };
		snprintf(command, sizeof(command), "lb 0x%llx", (unsigned long long)addresses[i]);
		status = debugger_ask(debugger, command);
	}
	return status;
}

static bool has_watches(const struct debugger *debugger, const struct debugger_watch *watches,
			unsigned count)
{
	bool same = debugger->watch_count == count;

	for (unsigned i = 0; same && i < count; i++) {
		const struct debugger_watch *const a = &debugger->watches[i], *const b =
										      &watches[i];

		same = a->address == b->address && a->size == b->size && a->read == b->read &&
		       a->write == b->write;
	}
	return same;
}

static enum status add_watch(struct debugger *debugger, const struct debugger_watch *watch,
			     const char *kind)
{
	char command[64];

	snprintf(command, sizeof(command), "watch %s 0x%llx %llu", kind,
		 (unsigned long long)watch->address, (unsigned long long)watch->size);
	return debugger_ask(debugger, command);
}

enum status debugger_set_watches(struct debugger *debugger, const struct debugger_watch *watches,
				 unsigned count)
{
	enum status status = ST_OK;

	if (has_watches(debugger, watches, count))
		return ST_OK;
	if (count > DEBUGGER_MAX_WATCHES)
		return ST_NO_SPACE;
	if (debugger->watch_count)
		status = debugger_ask(debugger, "unwatch");
	debugger->watch_count = count;
	for (unsigned i = 0; i < count && status == ST_OK; i++) {
		debugger->watches[i] = watches[i];
		if (watches[i].write)
			status = add_watch(debugger, &watches[i], "w");
		if (status == ST_OK && watches[i].read)
			status = add_watch(debugger, &watches[i], "r");
	}
	return status;
}

enum status debugger_set_exits(struct debugger *debugger, bool stop)
{
	if (debugger->stops_at_exits == stop)
		return ST_OK;
	debugger->stops_at_exits = stop;
	debugger->exits_of = debugger->cpu;
	return debugger->cpus > 1 ? ST_OK : debugger_ask(debugger, "vmexitbp");
}
