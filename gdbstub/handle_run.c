/*
 * gdbstub/handle_run.c - packets that move the debuggee, and leaving it
 *
 * gdb believes that it runs a processor, and steps it to find out where a source line or a function
 * ends. On a tape the next event may be anywhere: so a step over a range (step, next, until) ends
 * after one event, with signal 0, which makes gdb stop whatever it was after; and while a
 * breakpoint is set that no event can meet (finish, without symbols), going on means one event. A
 * target whose steps are instructions is a processor, and needs none of this.
 */
#include <stdio.h>
#include <string.h>

#include "gdbstub/gdb_commands.h"
#include "gdbstub/gdb_points.h"
#include "gdbstub/gdb_regs.h"

#define SIGNAL_NONE 0 /* gdb: "Thread 1.1 stopped." */
#define SIGNAL_INT  2
#define SIGNAL_TRAP 5

struct plan {
	enum gdb_way way;
	bool step;
	bool range;		  /* gdb steps over a source line or a function */
	bool alone;		  /* nobody else goes on: gdb steps off a breakpoint */
	struct gdb_thread thread; /* level 0: the current one */
};

/* --- stop replies ----------------------------------------------------------------------------- */

static void put_known_register(struct gdb_session *session, struct gdb_thread thread,
			       unsigned number)
{
	u64 value;

	if (!session->ops->read_register(session->target, thread, number, &value))
		return;
	gdb_packet_printf(&session->out, "%02x:", number);
	gdb_packet_put_hex(&session->out, &value, gdb_reg_info(number).bits / 8);
	gdb_packet_put_text(&session->out, ";");
}

static void put_stop(struct gdb_session *session, unsigned signal, struct gdb_thread thread)
{
	gdb_packet_printf(&session->out, "T%02xthread:", signal);
	gdb_put_thread(session, thread);
	gdb_packet_printf(&session->out, ";core:%x;", thread.cpu);
	put_known_register(session, thread, GDB_REG_RIP);
	put_known_register(session, thread, GDB_REG_RSP);
}

static void put_reason(struct gdb_session *session, const struct gdb_session_point *point)
{
	static const char *const watches[] = {
		[GDB_WATCH_WRITE] = "watch",
		[GDB_WATCH_READ] = "rwatch",
		[GDB_WATCH_ACCESS] = "awatch",
	};

	if (point->point.type >= GDB_WATCH_WRITE)
		gdb_packet_printf(&session->out, "%s:%llx;", watches[point->point.type],
				  (unsigned long long)point->point.address);
	else if (point->point.type == GDB_BREAK_SOFTWARE && session->swbreak)
		gdb_packet_put_text(&session->out, "swbreak:;");
	else if (point->point.type == GDB_BREAK_HARDWARE && session->hwbreak)
		gdb_packet_put_text(&session->out, "hwbreak:;");
}

static unsigned signal_of(const struct gdb_session *session, const struct plan *plan,
			  const struct gdb_stop *stop, struct gdb_thread thread)
{
	const struct gdb_session_point *point;

	switch (stop->why) {
	case GDB_STOP_STEP:
		return (plan->range && !session->ops->by_instruction) || !plan->step ||
				       (plan->thread.level && plan->thread.level != thread.level)
			       ? SIGNAL_NONE
			       : SIGNAL_TRAP;
	case GDB_STOP_POINT:
		point = gdb_points_find(session, stop->point);
		return point && point->kind == GDB_POINT_EXACT ? SIGNAL_TRAP : SIGNAL_NONE;
	case GDB_STOP_BEGIN:
	case GDB_STOP_END:
		return SIGNAL_TRAP;
	case GDB_STOP_INTERRUPTED:
		return SIGNAL_INT;
	default:
		return SIGNAL_NONE;
	}
}

static void put_reply(struct gdb_session *session, const struct plan *plan,
		      const struct gdb_stop *stop, struct gdb_thread thread)
{
	const struct gdb_session_point *const point = gdb_points_find(session, stop->point);

	put_stop(session, signal_of(session, plan, stop, thread), thread);
	if (stop->why == GDB_STOP_POINT && point && point->kind == GDB_POINT_EXACT)
		put_reason(session, point);
	else if (stop->why == GDB_STOP_BEGIN)
		gdb_packet_put_text(&session->out, "replaylog:begin;");
	else if (stop->why == GDB_STOP_END)
		gdb_packet_put_text(&session->out, "replaylog:end;");
}

/*
 * Presents a process that gdb has not seen yet, instead of the stop that is in the packet: gdb goes
 * on from there at once, and is told of the stop then.
 */
static void introduce(struct gdb_session *session, struct gdb_thread thread)
{
	const size_t size = MIN(session->out.length - 1, sizeof(session->later) - 1);
	char name[8];

	memcpy(session->later, session->out.bytes + 1, size);
	session->later[size] = 0;
	session->shown |= (u8)(1u << (thread.level - 1));
	gdb_packet_begin(&session->out);
	put_stop(session, SIGNAL_TRAP, thread);
	snprintf(name, sizeof(name), "/L%u", thread.level);
	gdb_packet_put_text(&session->out, "exec:");
	gdb_packet_put_hex(&session->out, name, strlen(name));
	gdb_packet_put_text(&session->out, ";");
}

/* gdb finds no breakpoint of its where that stops, and says no more than that the program did. */
static void tell_range(struct gdb_session *session, const struct gdb_stop *stop)
{
	const struct gdb_session_point *const point =
		stop->why == GDB_STOP_POINT ? gdb_points_find(session, stop->point) : NULL;
	char line[GDB_MAX_NAME + 96];

	if (!point || point->kind != GDB_POINT_RANGE)
		return;
	snprintf(line, sizeof(line),
		 "vmxtape: the first event inside '%s', for the breakpoint at 0x%llx\n",
		 point->symbol, (unsigned long long)point->point.address);
	gdb_session_console(session, line, strlen(line));
}

static void tell_text(struct gdb_session *session, const struct gdb_stop *stop)
{
	char line[sizeof(stop->text) + 1];

	if (!*stop->text)
		return;
	snprintf(line, sizeof(line), "%s\n", stop->text);
	gdb_session_console(session, line, strlen(line));
}

/* gdb believes that memory is other than it was only where the process is stopped that watches it.
 */
static struct gdb_thread stopped_thread(struct gdb_session *session, const struct gdb_stop *stop)
{
	const struct gdb_session_point *const point =
		stop->why == GDB_STOP_POINT ? gdb_points_find(session, stop->point) : NULL;
	struct gdb_thread thread = session->ops->current(session->target);

	if (point && point->point.type >= GDB_WATCH_WRITE)
		thread.level = point->point.level;
	return thread;
}

static void report(struct gdb_session *session, const struct plan *plan,
		   const struct gdb_stop *stop)
{
	const struct gdb_thread thread = stopped_thread(session, stop);

	tell_range(session, stop);
	tell_text(session, stop);
	session->general = thread;
	put_reply(session, plan, stop, thread);
	if (!gdb_session_shows(session, thread.level))
		introduce(session, thread);
}

void gdb_packet_why_stopped(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	put_stop(session, SIGNAL_TRAP, gdb_session_thread(session));
}

/* --- going on --------------------------------------------------------------------------------- */

/* A breakpoint whose condition does not hold is none: there the step is at its end. */
static void step(struct gdb_session *session, struct gdb_thread thread, enum gdb_way way,
		 struct gdb_stop *stop)
{
	session->ops->step(session->target, thread, way, stop);
	if (gdb_points_pass(session, stop))
		stop->why = GDB_STOP_STEP;
}

static void run(struct gdb_session *session, enum gdb_way way, struct gdb_stop *stop)
{
	const struct gdb_link *const link = session->link;

	for (;;) {
		session->ops->run(session->target, way, stop);
		if (!gdb_points_pass(session, stop))
			return;
		if (link->interrupted && link->interrupted(session->owner)) {
			stop->why = GDB_STOP_INTERRUPTED;
			return;
		}
		tell_text(session, stop);
		*stop = (struct gdb_stop){ .why = GDB_STOP_STEP, .point = -1 };
	}
}

static void go_on(struct gdb_session *session, const struct plan *plan)
{
	const struct gdb_thread current = session->ops->current(session->target);
	const struct gdb_thread any = { 0, plan->thread.level ? plan->thread.cpu : current.cpu };
	struct gdb_stop stop = { .why = GDB_STOP_STEP, .point = -1 };

	if (*session->later) {
		gdb_packet_put_text(&session->out, session->later);
		*session->later = 0;
		return;
	}
	if (!plan->alone)
		gdb_points_forget(session);
	gdb_points_tell(session, any.cpu);
	/* gdb looks at L1, which waits for L2: the step leads to where L2 is. */
	if (plan->step && plan->way == GDB_FORWARD && !gdb_session_shows(session, current.level))
		;
	/*
	 * To get off a breakpoint, gdb takes it away and lets one thread alone do a step. Here all
	 * go on, as they did: the breakpoint stays for them, until that thread is next again.
	 */
	else if (plan->alone)
		step(session, plan->thread, plan->way, &stop);
	else if (plan->step || gdb_points_lost(session, any.cpu))
		step(session, any, plan->way, &stop);
	else
		run(session, plan->way, &stop);
	report(session, plan, &stop);
}

/* One action of vCont, as in "s:p1.1"; moves on behind it. */
static bool take_action(const struct gdb_session *session, const u8 **at, struct plan *plan)
{
	const u8 action = *(*at)++;
	u64 number;

	*plan = (struct plan){ .way = GDB_FORWARD };
	switch (action) {
	case 'C':
	case 'S':
		if (!gdb_take_hex(at, &number))
			return false;
		break;
	case 'r':
		if (!gdb_take_hex(at, &number) || *(*at)++ != ',' || !gdb_take_hex(at, &number))
			return false;
		plan->range = true;
		break;
	case 'c':
	case 's':
		break;
	default:
		return false;
	}
	plan->step = action != 'c' && action != 'C';
	if (**at != ':')
		return true;
	(*at)++;
	return gdb_take_thread(session, at, &plan->thread);
}

/* The first action is what gdb is after; the others are for everybody else, who share the tape. */
void gdb_packet_resume(struct gdb_session *session, const struct gdb_args *args)
{
	const u8 *at = args->rest, *const end = args->rest + args->rest_size;
	struct plan plan, other;
	unsigned count = 0;

	do {
		if (!take_action(session, &at, count ? &other : &plan) || at > end) {
			gdb_session_error(session, 22);
			return;
		}
		count++;
	} while (*at++ == ';' && at < end);
	if (at != end + 1) {
		gdb_session_error(session, 22);
		return;
	}
	plan.alone = plan.step && count == 1 && plan.thread.level;
	go_on(session, &plan);
}

void gdb_packet_resume_actions(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	gdb_packet_put_text(&session->out, "vCont;c;C;s;S;r");
}

void gdb_packet_continue(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	go_on(session, &(struct plan){ .thread = session->resumed });
}

void gdb_packet_step(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	go_on(session, &(struct plan){ .step = true, .thread = session->resumed });
}

/* gdb says any thread of its process when it goes back, and means the one that it looks at. */
static struct gdb_thread going_back(const struct gdb_session *session)
{
	return (struct gdb_thread){ session->resumed.level, session->general.cpu };
}

void gdb_packet_reverse_continue(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	go_on(session, &(struct plan){ .way = GDB_BACKWARD, .thread = going_back(session) });
}

void gdb_packet_reverse_step(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	go_on(session,
	      &(struct plan){ .way = GDB_BACKWARD, .step = true, .thread = going_back(session) });
}

/* --- leaving ---------------------------------------------------------------------------------- */

/* With two processes gdb lets go of one after the other, or goes on with one alone. */
void gdb_packet_detach(struct gdb_session *session, const struct gdb_args *args)
{
	if (args->count && args->numbers[0] >= 1 && args->numbers[0] <= GDB_LEVELS)
		session->shown &= (u8) ~(1u << (args->numbers[0] - 1));
	else
		session->shown = 0;
	if (!session->shown)
		session->end = GDB_DETACHED;
	gdb_packet_put_text(&session->out, "OK");
}

void gdb_packet_kill(struct gdb_session *session, const struct gdb_args *args)
{
	gdb_packet_detach(session, args);
	if (session->end != GDB_GOES_ON)
		session->end = GDB_KILLED;
}

void gdb_packet_kill_now(struct gdb_session *session, const struct gdb_args *args)
{
	(void)args;
	session->end = GDB_KILLED;
	session->no_reply = true;
}
