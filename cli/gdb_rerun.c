#include "cli/gdb_rerun.h"

#include <stdio.h>
#include <string.h>

#include "gdbstub/gdb_regs.h"

static unsigned cpus(void *target)
{
	return ((struct gdb_rerun *)target)->live.cpus;
}

static u64 tick_of(const struct gdb_rerun *rerun)
{
	return guest_walk_place(&rerun->live.walk)->tick;
}

static struct gdb_thread current(void *target)
{
	const struct gdb_rerun *const rerun = target;

	return (struct gdb_thread){ rerun->live.memory.level, rerun->live.memory.cpu };
}

/* The machine moved: what the target for tapes keeps of a place is old. */
static void forget(struct gdb_rerun *rerun)
{
	rerun->tape.registers_moves = 0;
	rerun->tape.last = current(rerun);
}

/* --- what is there ---------------------------------------------------------------------------- */

static void name(void *target, struct gdb_thread thread, char *to)
{
	gdb_tape_name(&((struct gdb_rerun *)target)->tape, thread, to);
}

static void about(void *target, struct gdb_thread thread, char *to)
{
	gdb_tape_about(&((struct gdb_rerun *)target)->tape, thread, to);
}

/* Each stop tells the first two. */
static bool read_register(void *target, struct gdb_thread thread, unsigned number, u64 *value)
{
	struct gdb_rerun *const rerun = target;
	const struct gdb_thread now = current(target);
	const bool runs = thread.level == now.level && thread.cpu == now.cpu;

	if (runs && number == GDB_REG_RSP)
		return live_machine_rsp(&rerun->live, value);
	if (runs && number == GDB_REG_RIP) {
		*value = guest_walk_place(&rerun->live.walk)->rip;
		return true;
	}
	return gdb_tape_read_register(&((struct gdb_rerun *)target)->tape, thread, number, value);
}

static bool has_register(void *target, unsigned number)
{
	return gdb_tape_has_register(&((struct gdb_rerun *)target)->tape, number);
}

static size_t read_memory(void *target, struct gdb_thread thread, u64 address, u8 *to, size_t size)
{
	return gdb_tape_read_memory(&((struct gdb_rerun *)target)->tape, thread, address, to, size);
}

/* --- points ----------------------------------------------------------------------------------- */

static bool is_watch(const struct gdb_point *point)
{
	return point->type >= GDB_WATCH_WRITE;
}

/* Each address once. */
static bool add_break(struct guest_breaks *breaks, u64 address)
{
	for (unsigned i = 0; i < breaks->count; i++)
		if (breaks->addresses[i] == address)
			return true;
	if (breaks->count == DEBUGGER_MAX_BREAKS)
		return false;
	breaks->addresses[breaks->count++] = address;
	return true;
}

static bool add_watch(struct guest_breaks *breaks, const struct gdb_point *point, u64 gpa1)
{
	if (breaks->watch_count == DEBUGGER_MAX_WATCHES)
		return false;
	breaks->watches[breaks->watch_count++] = (struct debugger_watch){
		.address = gpa1,
		.size = point->size,
		.read = point->type != GDB_WATCH_WRITE,
		.write = point->type != GDB_WATCH_READ,
	};
	return true;
}

/* All points. False: Bochs has no room for them. */
static bool collect(const struct gdb_rerun *rerun, struct guest_breaks *breaks)
{
	bool fits = true;

	breaks->count = breaks->watch_count = 0;
	for (unsigned i = 0; i < GDB_MAX_POINTS && fits; i++)
		if (rerun->is_used[i] && is_watch(&rerun->points[i]))
			fits = add_watch(breaks, &rerun->points[i], rerun->gpa1[i]);
		else if (rerun->is_used[i])
			fits = add_break(breaks, rerun->points[i].address);
	return fits;
}

/* Where Bochs can watch it: in one page that is there. */
static bool find_watched(struct gdb_rerun *rerun, const struct gdb_point *point, u64 *gpa1)
{
	const struct gdb_thread thread = { point->level, current(rerun).cpu };
	struct memory_walk walk;

	if (memory_walk(rerun->tape.timeline, thread.cpu, gdb_tape_space(&rerun->tape, thread),
			point->address, &walk) != ST_OK ||
	    walk.end != WALK_MAPPED || !point->size || point->size > walk.page_size ||
	    point->address % walk.page_size > walk.page_size - point->size)
		return false;
	*gpa1 = walk.gpa1;
	return true;
}

static int insert(void *target, const struct gdb_point *point, enum gdb_point_kind *kind,
		  char *text)
{
	struct gdb_rerun *const rerun = target;
	struct guest_breaks breaks;
	int number = 0;

	*kind = GDB_POINT_EXACT;
	*text = 0;
	while (number < GDB_MAX_POINTS && rerun->is_used[number])
		number++;
	if (number == GDB_MAX_POINTS ||
	    (is_watch(point) && !find_watched(rerun, point, &rerun->gpa1[number])))
		return -1;
	rerun->points[number] = *point;
	rerun->is_used[number] = true;
	if (collect(rerun, &breaks))
		return number;
	rerun->is_used[number] = false;
	return -1;
}

static void remove_point(void *target, int number)
{
	((struct gdb_rerun *)target)->is_used[number] = false;
}

/* What returns, does so. */
static bool is_return(void *target, struct gdb_thread thread, u64 address)
{
	(void)target;
	(void)thread;
	(void)address;
	return false;
}

/* The point that stops at @place, -1: none. Outside of 64-bit code RIP is not all of an address. */
static int point_at(const struct gdb_rerun *rerun, const struct debugger_place *place)
{
	const u8 level = live_machine_level(&rerun->live, place->cpu, place->tick);
	const u64 address = place->why & DEBUGGER_AT_BREAK ? place->linear : place->rip;

	for (int i = 0; i < GDB_MAX_POINTS; i++)
		if (rerun->is_used[i] && !is_watch(&rerun->points[i]) &&
		    rerun->points[i].level == level && rerun->points[i].address == address)
			return i;
	return -1;
}

static int point_watching(const struct gdb_rerun *rerun, u64 gpa1)
{
	for (int i = 0; i < GDB_MAX_POINTS; i++)
		if (rerun->is_used[i] && is_watch(&rerun->points[i]) && rerun->gpa1[i] == gpa1)
			return i;
	return -1;
}

static bool stops(void *owner, const struct debugger_place *place)
{
	return point_at(owner, place) >= 0;
}

/* --- moving ----------------------------------------------------------------------------------- */

static void explain(struct gdb_rerun *rerun, enum gdb_way way, enum status status,
		    struct gdb_stop *stop)
{
	forget(rerun);
	rerun->tape.stopped_before = rerun->tape.stopped_at;
	rerun->tape.stopped_at = timeline_tell(rerun->tape.timeline);
	if (rerun->live.differs && !rerun->told) {
		snprintf(stop->text, sizeof(stop->text),
			 "vmxtape: the machine went another way than when it was recorded: what it "
			 "sends is not what is on the tape");
		rerun->told = true;
	}
	switch (status) {
	case ST_OK:
	case ST_NOT_FOUND:
		return;
	case ST_END:
		stop->why = way == GDB_FORWARD ? GDB_STOP_END : GDB_STOP_BEGIN;
		return;
	case ST_INTERRUPTED:
		stop->why = GDB_STOP_INTERRUPTED;
		return;
	default:
		stop->why = GDB_STOP_ERROR;
		snprintf(stop->text, sizeof(stop->text), "vmxtape: Bochs fails: %s",
			 status_text(status));
	}
}

static enum guest_way way_of(enum gdb_way way)
{
	return way == GDB_FORWARD ? WALK_FORWARD : WALK_BACKWARD;
}

/*
 * A point was met. gdb takes RIP for the address of code: where a base is added, it would not
 * believe that its breakpoint is here, and go on.
 */
static void explain_point(const struct gdb_rerun *rerun, u64 watched, struct gdb_stop *stop)
{
	const struct debugger_place *const place = guest_walk_place(&rerun->live.walk);

	stop->why = GDB_STOP_POINT;
	stop->point = watched ? point_watching(rerun, watched) : point_at(rerun, place);
	if (watched || stop->point < 0 || rerun->points[stop->point].address == place->rip)
		return;
	snprintf(stop->text, sizeof(stop->text),
		 "vmxtape: this is the breakpoint at 0x%llx: the base of CS and RIP",
		 (unsigned long long)rerun->points[stop->point].address);
	stop->why = GDB_STOP_OTHER;
}

static enum status run_to_point(struct gdb_rerun *rerun, enum gdb_way way, u64 limit,
				struct gdb_stop *stop)
{
	struct guest_breaks breaks = { .stops = stops, .owner = rerun };
	enum status status;
	u64 watched;

	collect(rerun, &breaks);
	status = live_machine_run(&rerun->live, way_of(way), &breaks, limit, &watched);
	if (status == ST_OK)
		explain_point(rerun, watched, stop);
	return status;
}

static void run(void *target, enum gdb_way way, struct gdb_stop *stop)
{
	explain(target, way, run_to_point(target, way, 0, stop), stop);
}

/* The other level runs: on to where @level does again, or to a point before. */
static enum status run_to_level(struct gdb_rerun *rerun, u8 level, enum gdb_way way,
				struct gdb_stop *stop)
{
	const u64 limit = live_machine_switch(&rerun->live, tick_of(rerun), level, WALK_FORWARD);
	const u64 last =
		live_machine_switch(&rerun->live, tick_of(rerun), (u8)(3 - level), WALK_BACKWARD);
	enum status status;

	if (way == GDB_FORWARD)
		return run_to_point(rerun, way, limit, stop);
	status = run_to_point(rerun, way, last, stop);
	return status == ST_NOT_FOUND
		       ? live_machine_to(&rerun->live, current(rerun).cpu, last, WALK_BACKWARD)
		       : status;
}

static void step(void *target, struct gdb_thread thread, enum gdb_way way, struct gdb_stop *stop)
{
	struct gdb_rerun *const rerun = target;
	const bool turns = thread.cpu != current(rerun).cpu;
	enum status status = turns ? live_machine_step_other(&rerun->live, thread.cpu, way_of(way))
				   : live_machine_step(&rerun->live, way_of(way));

	if (status == ST_OK && thread.level && current(rerun).level != thread.level)
		status = run_to_level(rerun, thread.level, way, stop);
	explain(rerun, way, status, stop);
}

/* --- monitor ---------------------------------------------------------------------------------- */

static void say_place(struct gdb_rerun *rerun, gdb_print print, void *to)
{
	const struct debugger_place *const place = guest_walk_place(&rerun->live.walk);
	const struct trace_event *const event = timeline_event(rerun->tape.timeline);
	char text[200];
	int length;

	length = snprintf(text, sizeof(text), "the machine is in L%u at 0x%llx, tick %llu",
			  rerun->live.memory.level, (unsigned long long)place->rip,
			  (unsigned long long)place->tick);
	if (rerun->live.cpus > 1)
		length += snprintf(text + length, sizeof(text) - (size_t)length, " of CPU %u",
				   place->cpu);
	if (event)
		length += snprintf(text + length, sizeof(text) - (size_t)length,
				   ", %llu before hv told of @%llu",
				   (unsigned long long)(event->tsc - place->tick),
				   (unsigned long long)timeline_tell(rerun->tape.timeline));
	length += snprintf(text + length, sizeof(text) - (size_t)length, "\n");
	print(to, text, (size_t)length);
}

static void follow(struct gdb_rerun *rerun, gdb_print print, void *to)
{
	const enum status status = live_machine_follow(&rerun->live);
	char text[160];

	forget(rerun);
	if (status == ST_OK || status == ST_NOT_FOUND)
		say_place(rerun, print, to);
	if (status == ST_OK)
		return;
	snprintf(text, sizeof(text), "%s\n",
		 status == ST_NOT_FOUND ? "the tape has another address there: the machine went "
					  "another way than when it was recorded"
		 : status == ST_INTERRUPTED ? "interrupted: the machine stays where it was"
					    : "Bochs cannot be brought there");
	print(to, text, strlen(text));
}

static bool is_command(const char *command, const char *word, size_t least)
{
	const size_t length = strcspn(command, " ");

	return length >= least && length <= strlen(word) && !strncmp(command, word, length);
}

static bool monitor(void *target, const char *command, gdb_print print, void *to)
{
	static const char refused[] =
		"no watches of VMCS fields here: a machine does not stop where they are written; "
		"'monitor blame FIELD' says where, and 'monitor goto @N' goes there\n";
	struct gdb_rerun *const rerun = target;
	const u64 moves = timeline_moves(rerun->tape.timeline);
	bool known;

	if (is_command(command, "watch", 3)) {
		print(to, refused, sizeof(refused) - 1);
		return true;
	}
	known = gdb_tape_monitor(&rerun->tape, command, print, to);
	if (timeline_moves(rerun->tape.timeline) != moves)
		follow(rerun, print, to);
	else if (is_command(command, "where", 3))
		say_place(rerun, print, to);
	return known;
}

/* --- life ------------------------------------------------------------------------------------- */

void gdb_rerun_start(struct gdb_rerun *rerun, struct timeline *timeline, const char *work,
		     bool (*poll)(void *owner), void *owner, gdb_verb verb, void *verb_owner)
{
	memset(rerun, 0, sizeof(*rerun));
	live_machine_start(&rerun->live, timeline, work, poll, owner);
	rerun->tape.timeline = timeline;
	rerun->tape.verb = verb;
	rerun->tape.owner = verb_owner;
	rerun->tape.between = true;
	rerun->tape.stopped_at = rerun->tape.stopped_before = timeline_tell(timeline);
	forget(rerun);
}

void gdb_rerun_stop(struct gdb_rerun *rerun)
{
	live_machine_stop(&rerun->live);
}

const struct gdb_target_ops gdb_rerun_ops = {
	.by_instruction = true,
	.cpus = cpus,
	.current = current,
	.name = name,
	.about = about,
	.read_register = read_register,
	.has_register = has_register,
	.read_memory = read_memory,
	.insert = insert,
	.remove = remove_point,
	.is_return = is_return,
	.step = step,
	.run = run,
	.monitor = monitor,
};
