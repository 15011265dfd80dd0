#include "gdbstub/target_timeline.h"

#include <stdio.h>
#include <string.h>

#include "replay/event_text.h"

/* Events to step over one by one before the timeline is asked to find the next one of a CPU. */
#define NEAR 64

/* --- where it is ------------------------------------------------------------------------------ */

bool gdb_tape_has_address(struct gdb_tape *tape, const struct trace_event *event)
{
	const struct trace_schema *const schema = reader_schema(timeline_reader(tape->timeline));

	return event->level && schema->kinds[event->kind].flags & (KIND_CODE | KIND_RIP_FIELD);
}

struct gdb_thread gdb_tape_current(void *target)
{
	struct gdb_tape *const tape = target;
	const struct trace_event *const event = timeline_event(tape->timeline);
	u8 level;

	if (!event || event->cpu >= MODEL_MAX_CPUS)
		return tape->last;
	level = event->level ? event->level
			     : timeline_model(tape->timeline)->cpus[event->cpu].level;
	tape->last = (struct gdb_thread){ MAX(level, 1), event->cpu };
	return tape->last;
}

static unsigned cpus(void *target)
{
	struct gdb_tape *const tape = target;
	const unsigned count = reader_info(timeline_reader(tape->timeline))->cpus;

	return MAX(1u, MIN(count, MODEL_MAX_CPUS));
}

/* --- moving ----------------------------------------------------------------------------------- */

static void say(struct gdb_stop *stop, const char *text)
{
	const size_t length = strlen(stop->text);

	snprintf(stop->text + length, sizeof(stop->text) - length, "%s%s", length ? "\n" : "",
		 text);
}

/* What is passed over is told where it matters to the user. */
static void tell_passed(const struct trace_event *event, struct gdb_stop *stop)
{
	char text[4 * 160 + 32], *end;

	if (event->kind == EV_GAP) {
		say(stop, "vmxtape: events are missing here");
	} else if (event->kind == EV_CONSOLE) {
		end = event_text_bytes(text, event->bytes, MIN(event->byte_count, 160u));
		*end = 0;
		say(stop, text);
	}
}

/* What a stop of the timeline is to gdb. */
static void explain(struct gdb_tape *tape, const struct timeline_stop *from, struct gdb_stop *stop)
{
	static const enum gdb_stop_why whys[] = {
		[STOP_STEP] = GDB_STOP_STEP,
		[STOP_BREAK] = GDB_STOP_POINT,
		[STOP_BEGIN] = GDB_STOP_BEGIN,
		[STOP_END] = GDB_STOP_END,
		[STOP_INTERRUPTED] = GDB_STOP_INTERRUPTED,
		[STOP_ERROR] = GDB_STOP_ERROR,
	};
	char text[160];

	stop->why = whys[from->why];
	if (from->why != STOP_BREAK)
		return;
	stop->point = gdb_tape_point_of(tape, from->id);
	if (stop->point >= 0)
		return;
	stop->why = GDB_STOP_OTHER;
	for (unsigned i = 0; i < GDB_MAX_WATCHES; i++)
		if (tape->watches[i].id == from->id) {
			snprintf(text, sizeof(text), "vmxtape: %s was written",
				 vmcs_fields[tape->watches[i].field].name);
			say(stop, text);
		}
}

/* One event on, whether or not a break is there. */
static enum status move_one(struct gdb_tape *tape, enum timeline_way way)
{
	struct timeline_stop stop;

	return timeline_run(tape->timeline, way, 1, &stop);
}

/* On to an event with an address, the way that it went; from the start of the tape, forward. */
static void settle(struct gdb_tape *tape, enum timeline_way way, struct gdb_stop *stop)
{
	const struct trace_event *event;

	while ((event = timeline_event(tape->timeline)) && !gdb_tape_has_address(tape, event)) {
		if (!timeline_tell(tape->timeline)) {
			way = TIMELINE_FORWARD;
			if (stop->why == GDB_STOP_STEP)
				stop->why = GDB_STOP_BEGIN;
		}
		if (way == TIMELINE_FORWARD && stop->why != GDB_STOP_BEGIN)
			tell_passed(event, stop);
		if (move_one(tape, way) != ST_OK) {
			stop->why = GDB_STOP_ERROR;
			say(stop, "vmxtape: out of memory");
			return;
		}
	}
	if (!event && stop->why == GDB_STOP_STEP)
		stop->why = GDB_STOP_END;
}

/*
 * Runs to where something stops that gdb can show. A break at an address may meet events that stand
 * there beside the instruction, such as its registers: those are no stops.
 */
static void run_to_stop(struct gdb_tape *tape, enum timeline_way way, u64 limit,
			struct gdb_stop *stop)
{
	const u64 start = timeline_tell(tape->timeline);
	struct timeline_stop found;
	const struct trace_event *event;
	bool again;

	do {
		if (timeline_run(tape->timeline, way, limit, &found) != ST_OK)
			found.why = STOP_ERROR;
		explain(tape, &found, stop);
		event = timeline_event(tape->timeline);
		again = false;
		if (stop->why != GDB_STOP_POINT || !event || gdb_tape_has_address(tape, event))
			continue;
		if (tape->points[stop->point].kind == GDB_POINT_EXACT &&
		    tape->points[stop->point].is_break)
			again = true;
		else if (tape->points[stop->point].kind == GDB_POINT_RANGE) {
			const u64 n = timeline_tell(tape->timeline);

			settle(tape, TIMELINE_FORWARD, stop);
			if (way == TIMELINE_BACKWARD && timeline_tell(tape->timeline) >= start) {
				timeline_seek(tape->timeline, n);
				again = true;
			}
		}
	} while (again && !limit);
	settle(tape, way, stop);
	if (stop->why == GDB_STOP_ERROR && !*stop->text)
		say(stop, "vmxtape: the tape cannot be read further");
}

static enum timeline_way way_of(enum gdb_way way)
{
	return way == GDB_FORWARD ? TIMELINE_FORWARD : TIMELINE_BACKWARD;
}

static void arrived(struct gdb_tape *tape, const struct gdb_stop *stop)
{
	const struct gdb_tape_point *const point =
		stop->why == GDB_STOP_POINT ? &tape->points[stop->point] : NULL;

	tape->stopped_for = point && point->kind == GDB_POINT_RANGE ? point->address : 0;
	tape->stopped_before = tape->stopped_at;
	tape->stopped_at = timeline_tell(tape->timeline);
}

static void run(void *target, enum gdb_way way, struct gdb_stop *stop)
{
	struct gdb_tape *const tape = target;

	run_to_stop(tape, way_of(way), 0, stop);
	arrived(tape, stop);
}

static bool is_of(struct gdb_tape *tape, struct gdb_thread thread)
{
	const struct trace_event *const event = timeline_event(tape->timeline);

	return event && event->cpu == thread.cpu && gdb_tape_has_address(tape, event) &&
	       (!thread.level || event->level == thread.level);
}

/* The next event of @thread, however far away: as a break for each of its levels. */
static void step_far(struct gdb_tape *tape, struct gdb_thread thread, enum timeline_way way,
		     struct gdb_stop *stop)
{
	struct timeline_break how = { .kind = BREAK_EVENT, .cpu = thread.cpu };
	int ids[GDB_LEVELS] = { 0 };
	struct timeline_stop found;

	for (u8 level = 1; level <= GDB_LEVELS; level++) {
		how.level = level;
		if (!thread.level || thread.level == level)
			ids[level - 1] = timeline_break_add(tape->timeline, &how);
	}
	do {
		if (timeline_run(tape->timeline, way, 0, &found) != ST_OK)
			found.why = STOP_ERROR;
		explain(tape, &found, stop);
		if (found.why == STOP_BREAK && (found.id == ids[0] || found.id == ids[1]))
			stop->why = GDB_STOP_STEP;
	} while (stop->why == GDB_STOP_STEP && !is_of(tape, thread));
	for (unsigned i = 0; i < GDB_LEVELS; i++)
		timeline_break_remove(tape->timeline, ids[i]);
	settle(tape, way, stop);
}

static void step(void *target, struct gdb_thread thread, enum gdb_way way, struct gdb_stop *stop)
{
	struct gdb_tape *const tape = target;
	unsigned count = 0;

	do
		run_to_stop(tape, way_of(way), 1, stop);
	while (stop->why == GDB_STOP_STEP && !is_of(tape, thread) && ++count < NEAR);
	if (count == NEAR)
		step_far(tape, thread, way_of(way), stop);
	arrived(tape, stop);
}

/* --- life ------------------------------------------------------------------------------------- */

void gdb_tape_start(struct gdb_tape *tape, struct timeline *timeline, gdb_verb verb, void *owner)
{
	struct gdb_stop stop = { .why = GDB_STOP_STEP };

	memset(tape, 0, sizeof(*tape));
	tape->timeline = timeline;
	tape->verb = verb;
	tape->owner = owner;
	tape->last.level = 1;
	settle(tape, TIMELINE_FORWARD, &stop);
	tape->stopped_at = tape->stopped_before = timeline_tell(timeline);
}

void gdb_tape_stop(struct gdb_tape *tape)
{
	for (int i = 0; i < GDB_MAX_POINTS; i++)
		if (tape->points[i].is_used)
			gdb_tape_remove(tape, i);
	for (unsigned i = 0; i < GDB_MAX_WATCHES; i++)
		timeline_break_remove(tape->timeline, tape->watches[i].id);
}

const struct gdb_target_ops gdb_tape_ops = {
	.cpus = cpus,
	.current = gdb_tape_current,
	.name = gdb_tape_name,
	.about = gdb_tape_about,
	.read_register = gdb_tape_read_register,
	.has_register = gdb_tape_has_register,
	.read_memory = gdb_tape_read_memory,
	.insert = gdb_tape_insert,
	.remove = gdb_tape_remove,
	.is_return = gdb_tape_is_return,
	.step = step,
	.run = run,
	.monitor = gdb_tape_monitor,
};
