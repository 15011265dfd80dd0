#include "cli/live_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/debugger_state.h"
#include "cli/live_state.h"
#include "cli/machine_setup.h"
#include "cli/message.h"
#include "cli/sent_blocks.h"
#include "gdbstub/target_timeline.h"

#define MAX_MIB 2048 /* of a machine whose memory Bochs keeps in its own */

/* --- levels ----------------------------------------------------------------------------------- */

static void note_switch(void *owner, const struct trace_event *event)
{
	struct live_machine *const live = owner;
	struct live_switches *const switches =
		&(event->kind == EV_L2_ENTRY ? live->entries : live->exits)[event->cpu];

	if (event->cpu >= live->cpus)
		return;
	if (switches->count == switches->room) {
		switches->room = switches->room ? 2 * switches->room : 1024;
		switches->ticks =
			realloc(switches->ticks, switches->room * sizeof(*switches->ticks));
		if (!switches->ticks)
			die("out of memory");
	}
	switches->ticks[switches->count++] = event->tsc;
}

/* How many are at @tick or before. */
static size_t switches_before(const struct live_switches *switches, u64 tick)
{
	size_t low = 0, high = switches->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (switches->ticks[middle] <= tick)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

u8 live_machine_level(const struct live_machine *live, unsigned cpu, u64 tick)
{
	const size_t entries = switches_before(&live->entries[cpu], tick);
	const size_t exits = switches_before(&live->exits[cpu], tick);

	/* One that fails has both, the exit last. */
	return entries && (!exits || live->entries[cpu].ticks[entries - 1] >
					     live->exits[cpu].ticks[exits - 1])
		       ? 2
		       : 1;
}

u64 live_machine_switch(const struct live_machine *live, u64 tick, u8 level, enum guest_way way)
{
	const unsigned cpu = live->memory.cpu;
	const struct live_switches *const switches =
		level == 2 ? &live->entries[cpu] : &live->exits[cpu];
	const size_t before = switches_before(switches, tick);

	if (way == WALK_BACKWARD)
		return before ? switches->ticks[before - 1] : 0;
	return before < switches->count ? switches->ticks[before] : 0;
}

/* --- the cursor ------------------------------------------------------------------------------- */

static bool has_address(struct live_machine *live, const struct trace_event *event)
{
	const struct trace_schema *const schema = reader_schema(timeline_reader(live->timeline));

	return event->level && schema->kinds[event->kind].flags & (KIND_CODE | KIND_RIP_FIELD);
}

/* On to an event that something executes. */
static enum status settle(struct live_machine *live)
{
	const struct trace_event *event;
	enum status status = ST_OK;

	while (status == ST_OK && (event = timeline_event(live->timeline)) &&
	       !has_address(live, event))
		status = timeline_seek(live->timeline, timeline_tell(live->timeline) + 1);
	return status;
}

/* The cursor goes before the first event behind the place of the machine. */
static enum status seek_tape(struct live_machine *live, u64 tick)
{
	const struct trace_event *event;
	char place[40], error[256];
	enum status status;
	u64 n;

	snprintf(place, sizeof(place), "@tsc:%llu", (unsigned long long)tick + 1);
	status = timeline_resolve(live->timeline, place, &n, error, sizeof(error));
	if (status == ST_NOT_FOUND)
		n = timeline_events(live->timeline);
	else if (status != ST_OK)
		return status;
	status = timeline_seek(live->timeline, n);
	event = status == ST_OK ? timeline_event(live->timeline) : NULL;
	live->synced_from = tick;
	live->synced_to = event ? event->tsc : ~0ull;
	return status == ST_OK ? settle(live) : status;
}

/* Blocks come now and then. A tape that cannot be written compares nothing more. */
static void hear(void *owner, const void *bytes, size_t size)
{
	struct live_machine *const live = owner;

	(void)capture_feed(live->sent, bytes, size);
}

static bool poll_given(void *owner)
{
	const struct live_machine *const live = owner;

	return live->poll && live->poll(live->owner);
}

static void compare(struct live_machine *live)
{
	const char *const path = reader_info(timeline_reader(live->timeline))->path;
	struct sent_blocks blocks;

	if (live->differs || capture_stats(live->sent)->blocks == live->compared)
		return;
	live->compared = capture_stats(live->sent)->blocks;
	sent_blocks_compare(path, live->sent_path, &blocks);
	live->differs = blocks.differ;
}

/* After each move. */
static enum status sync(struct live_machine *live, enum status status)
{
	const struct debugger_place *const place = guest_walk_place(&live->walk);
	const u64 tick = place->tick;
	enum status done = ST_OK;

	compare(live);
	live->memory.cpu = (u16)place->cpu;
	live_state_forget(live);
	live->memory.level = live_machine_level(live, place->cpu, tick);
	if (tick < live->synced_from || tick >= live->synced_to)
		done = seek_tape(live, tick);
	return done == ST_OK ? status : done;
}

enum status live_machine_step(struct live_machine *live, enum guest_way way)
{
	return sync(live, guest_walk_step(&live->walk, way));
}

enum status live_machine_run(struct live_machine *live, enum guest_way way,
			     const struct guest_breaks *breaks, u64 limit, u64 *watched)
{
	return sync(live, guest_walk_run(&live->walk, way, breaks, limit, watched));
}

enum status live_machine_to(struct live_machine *live, unsigned cpu, u64 tick, enum guest_way way)
{
	return sync(live, guest_walk_to(&live->walk, cpu, tick, way));
}

/* Whether general registers are those of before: then that instruction begins anew. */
static bool begins_anew(struct live_machine *live, const char *before)
{
	const char *const end = strstr(before, "eflags");

	return end && !strncmp(live_state_registers(live), before, (size_t)(end - before));
}

enum status live_machine_step_other(struct live_machine *live, unsigned cpu, enum guest_way way)
{
	struct live_other *const other = &live->others[cpu];
	bool in_guest = true;
	enum status status = debugger_in_guest(&live->walk.machine.now, cpu, &in_guest);
	u8 level;

	if (status == ST_OK && !in_guest)
		live_state_others(live, (u16)cpu, &level);
	if (status == ST_OK)
		status = sync(live, guest_walk_turn(&live->walk, cpu, way));
	if (status != ST_OK)
		return status;
	/* What hv works for is being executed, so its end is one step. */
	if (way == WALK_FORWARD
		    ? in_guest || (other->is_known && begins_anew(live, other->registers))
		    : !in_guest)
		status = live_machine_step(live, way);
	return status;
}

enum status live_machine_follow(struct live_machine *live)
{
	const struct trace_event *event;
	enum status status = settle(live);
	u64 tick, rip;
	unsigned cpu;
	u8 kind;

	/* The cursor is not where the machine is. */
	live->synced_from = live->synced_to = 0;
	event = timeline_event(live->timeline);
	if (status != ST_OK || !event)
		return live_machine_to(live, live->memory.cpu, live->walk.last + 1, WALK_BACKWARD);
	tick = event->tsc;
	cpu = event->cpu;
	rip = event->rip;
	kind = event->kind;
	status = live_machine_to(live, cpu, tick,
				 kind == EV_L2_ENTRY ? WALK_FORWARD : WALK_BACKWARD);
	/* An exit may be that of an entry that failed, whose address is L2's. */
	if (status == ST_OK && kind != EV_L2_EXIT && guest_walk_place(&live->walk)->rip != rip)
		return ST_NOT_FOUND;
	return status;
}

/* --- life ------------------------------------------------------------------------------------- */

/* The TSC of the last event. */
static u64 last_tick(struct timeline *timeline)
{
	struct reader *const reader = timeline_reader(timeline);
	const u64 events = timeline_events(timeline);
	const struct trace_event *event;

	if (!events || reader_seek(reader, events - 1) != ST_OK ||
	    reader_next(reader, &event) != ST_OK)
		return 0;
	return event->tsc;
}

static struct live_switches *new_switches(unsigned cpus)
{
	struct live_switches *const switches = calloc(cpus, sizeof(*switches));

	if (!switches)
		die("out of memory");
	return switches;
}

static void open_sent(struct live_machine *live, const char *work)
{
	char error[512];

	if (asprintf(&live->sent_path, "%s/sent.vxt", work) < 0)
		die("out of memory");
	if (capture_open(live->sent_path, NULL, NULL, &live->sent, error, sizeof(error)) != ST_OK)
		die("%s", error);
}

static void check_tape(struct timeline *timeline, const char *text, size_t size,
		       struct machine *machine)
{
	struct reader *const reader = timeline_reader(timeline);
	const char *const path = reader_info(reader)->path;

	if (!text)
		die("'%s' does not say which machine it was recorded from: only tapes of Bochs do",
		    path);
	*machine = machine_read(text, size, path);
	if (machine->mib > MAX_MIB)
		die("'%s': a machine with %llu MiB cannot be copied on its way: Bochs keeps "
		    "memory beyond %d MiB in a file",
		    path, (unsigned long long)machine->mib, MAX_MIB);
}

void live_machine_start(struct live_machine *live, struct timeline *timeline, const char *work,
			bool (*poll)(void *owner), void *owner)
{
	struct reader *const reader = timeline_reader(timeline);
	const u64 n = timeline_tell(timeline);
	struct machine machine;
	enum status status;
	size_t size;
	const char *const text = reader_machine(reader, &size);

	check_tape(timeline, text, size, &machine);
	*live = (struct live_machine){ .timeline = timeline };
	live->setup = machine_rebuild(text, size, work, reader_info(reader)->path);
	live->poll = poll;
	live->owner = owner;
	live->watcher = (struct debugger_watcher){ hear, poll_given, live };
	open_sent(live, work);
	live->memory = (struct memory_machine){
		.level = 1,
		.read = live_state_memory,
		.registers = live_state_registers,
		.others = live_state_others,
		.owner = live,
	};
	live->cpus = MAX((unsigned)live->setup.cpus, reader_info(reader)->cpus);
	live->entries = new_switches(live->cpus);
	live->exits = new_switches(live->cpus);
	live->others = calloc(live->cpus, sizeof(*live->others));
	if (!live->others)
		die("out of memory");
	reader_visit(reader, EV_L2_ENTRY, note_switch, live);
	reader_visit(reader, EV_L2_EXIT, note_switch, live);
	status = guest_walk_start(&live->walk, &live->setup, &live->watcher, machine.hv_image,
				  last_tick(timeline));
	if (status == ST_INTERRUPTED)
		die("interrupted");
	if (status == ST_UNSUPPORTED)
		die("this is another build of Bochs than those that vmxtape can stop with several "
		    "processors");
	if (status != ST_OK)
		die("the machine does not come as far as L1 again");
	memory_state_set_machine(timeline, &live->memory);
	if (!n) {
		if (sync(live, ST_OK) != ST_OK)
			die("the tape cannot be read");
		return;
	}
	status = live_machine_follow(live);
	if (status != ST_OK) {
		live_machine_stop(live);
		die("the machine cannot be run again to @%llu: %s", (unsigned long long)n,
		    status == ST_NOT_FOUND ? "another instruction is executed there"
					   : status_text(status));
	}
}

void live_machine_stop(struct live_machine *live)
{
	memory_state_set_machine(live->timeline, NULL);
	guest_walk_stop(&live->walk);
	(void)capture_close(live->sent);
	capture_free(live->sent);
	free(live->sent_path);
	for (unsigned cpu = 0; cpu < live->cpus; cpu++) {
		free(live->entries[cpu].ticks);
		free(live->exits[cpu].ticks);
	}
	free(live->others);
	free(live->entries);
	free(live->exits);
}
