#include "cli/live_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/debugger_state.h"
#include "cli/machine_setup.h"
#include "cli/message.h"
#include "cli/sent_blocks.h"
#include "gdbstub/target_timeline.h"

#define E820_RAM 1
#define MAX_MIB	 2048 /* of a machine whose memory Bochs keeps in its own */

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

/* --- registers and memory --------------------------------------------------------------------- */

static const char *read_registers(void *owner)
{
	struct live_machine *const live = owner;

	if (!live->has_registers &&
	    debugger_read_registers(&live->walk.machine.now, live->memory.cpu, live->registers,
				    sizeof(live->registers)) != ST_OK)
		return "";
	live->has_registers = true;
	return live->registers;
}

/* Where hv runs, it is at what led there. */
static bool ask_other(struct live_machine *live, unsigned cpu, struct live_other *other)
{
	struct debugger *const now = &live->walk.machine.now;
	bool in_guest;

	/* It has never been in L1. */
	if (!timeline_model(live->timeline)->cpus[cpu].level ||
	    debugger_in_guest(now, cpu, &in_guest) != ST_OK)
		return false;
	other->tick = now->place.round;
	if (in_guest)
		return debugger_read_registers(now, cpu, other->registers,
					       sizeof(other->registers)) == ST_OK;
	return machine_time_registers(&live->walk.machine, cpu, other->registers,
				      sizeof(other->registers), &other->tick) == ST_OK &&
	       other->tick;
}

static const char *read_others(void *owner, u16 cpu, u8 *level)
{
	struct live_machine *const live = owner;
	struct live_other *const other = &live->others[cpu];

	if (cpu >= live->walk.machine.now.cpus)
		return NULL;
	if (!other->is_asked)
		other->is_known = ask_other(live, cpu, other);
	other->is_asked = true;
	*level = live_machine_level(live, cpu, other->tick);
	return other->is_known ? other->registers : NULL;
}

bool live_machine_rsp(struct live_machine *live, u64 *rsp)
{
	struct debugger *const now = &live->walk.machine.now;

	if (!live->has_rsp)
		live->has_rsp = debugger_ask(now, "r") == ST_OK &&
				bochs_text_register(now->text, "rsp", &live->rsp);
	*rsp = live->rsp;
	return live->has_rsp;
}

/* Only what L1 was told is RAM: the rest is hv's or of devices, and Bochs ends where nothing is. */
static u64 ram_end(const struct live_machine *live, u64 address)
{
	const struct reader_boot *const boot = reader_boot(timeline_reader(live->timeline), 0);

	for (unsigned i = 0; i < boot->memory_count; i++) {
		const struct ev_memory *const range = &boot->memory[i];

		if (range->type == E820_RAM && address - range->base < range->size)
			return range->base + range->size;
	}
	return address;
}

static const struct live_page *read_page(struct live_machine *live, u64 address)
{
	struct live_page *const page = &live->pages[(address >> 12) % LIVE_PAGES];
	struct debugger *const now = &live->walk.machine.now;
	const u64 end = MIN(ram_end(live, address), address + sizeof(page->bytes));
	char command[64];
	u64 words[sizeof(page->bytes) / sizeof(u64)];
	const size_t count = (end - address) / sizeof(u64);

	if (page->address == address)
		return page;
	if (!count)
		return NULL;
	memset(words, 0, sizeof(words));
	snprintf(command, sizeof(command), "xp /%zugx 0x%llx", count, (unsigned long long)address);
	if (debugger_ask(now, command) != ST_OK ||
	    bochs_text_words(now->text, words, count) != count)
		return NULL;
	memcpy(page->bytes, words, sizeof(words));
	page->address = address;
	return page;
}

static size_t read_memory(void *owner, u64 address, void *to, size_t size)
{
	struct live_machine *const live = owner;
	size_t done = 0;

	while (done < size) {
		const u64 at = address + done, offset = at % sizeof(live->pages[0].bytes);
		const size_t part = MIN(size - done, sizeof(live->pages[0].bytes) - offset);
		const u64 end = ram_end(live, at);
		const struct live_page *const page =
			end - at >= part ? read_page(live, at - offset) : NULL;

		if (!page)
			break;
		memcpy((u8 *)to + done, page->bytes + offset, part);
		done += part;
	}
	return done;
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
	live->has_rsp = live->has_registers = false;
	for (unsigned i = 0; i < live->cpus; i++)
		live->others[i].is_asked = false;
	for (unsigned i = 0; i < LIVE_PAGES; i++)
		live->pages[i].address = ~0ull;
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

	return end && !strncmp(read_registers(live), before, (size_t)(end - before));
}

enum status live_machine_step_other(struct live_machine *live, unsigned cpu, enum guest_way way)
{
	struct live_other *const other = &live->others[cpu];
	bool in_guest = true;
	enum status status = debugger_in_guest(&live->walk.machine.now, cpu, &in_guest);
	u8 level;

	if (status == ST_OK && !in_guest)
		read_others(live, (u16)cpu, &level);
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
		.read = read_memory,
		.registers = read_registers,
		.others = read_others,
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
