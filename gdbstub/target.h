/*
 * gdbstub/target.h - what a gdb session debugs
 *
 * The protocol (session.h) reaches the debuggee through these functions only, so that it can be
 * tested with a made-up one. target_timeline.h is a tape, cli/gdb_rerun.h a machine that runs
 * again.
 *
 * A thread is a CPU at a level: process 1 is L1, process 2 is L2, thread n + 1 is CPU n.
 */
#ifndef GDBSTUB_TARGET_H
#define GDBSTUB_TARGET_H

#include "base/base.h"
#include "base/status.h"

#define GDB_LEVELS     2
#define GDB_MAX_POINTS 120 /* breakpoints and watchpoints of a session */
#define GDB_MAX_NAME   128 /* bytes of a thread's name and the like, with the end */

/* level 0: no thread, or any. */
struct gdb_thread {
	u8 level;
	u16 cpu;
};

/* The types of gdb's Z packets. */
enum gdb_point_type {
	GDB_BREAK_SOFTWARE,
	GDB_BREAK_HARDWARE,
	GDB_WATCH_WRITE,
	GDB_WATCH_READ,
	GDB_WATCH_ACCESS,
	GDB_POINT_TYPES
};

/* A breakpoint or a watchpoint. */
struct gdb_point {
	u8 type;  /* enum gdb_point_type */
	u8 level; /* whose addresses these are */
	u64 address;
	u64 size; /* of what is watched, in bytes; of breakpoints, nothing */
};

/* What a point that was set will do. */
enum gdb_point_kind {
	GDB_POINT_EXACT, /* stops where gdb expects it */
	GDB_POINT_RANGE, /* no event is there: stops at the first one inside the symbol around it */
	GDB_POINT_DEAD,	 /* no event is there, and no symbol either: never stops */
};

enum gdb_way { GDB_FORWARD, GDB_BACKWARD };

enum gdb_stop_why {
	GDB_STOP_STEP,
	GDB_STOP_POINT, /* @point */
	GDB_STOP_OTHER, /* something that gdb has not set, such as a watch of the monitor's */
	GDB_STOP_BEGIN,
	GDB_STOP_END,
	GDB_STOP_INTERRUPTED,
	GDB_STOP_ERROR,
};

struct gdb_stop {
	enum gdb_stop_why why;
	int point;	/* as target_ops.insert() numbered it */
	char text[256]; /* a line to show to the user with it, without its end; "": none */
};

/* Takes text for the user, in pieces. */
typedef void (*gdb_print)(void *to, const char *text, size_t size);

/*
 * Runs a verb of the command line, @argv as main() would get it from the verb on, and prints what
 * it says. May be NULL: then commands that are verbs are refused.
 */
typedef void (*gdb_verb)(void *owner, const char *const *argv, gdb_print print, void *to);

struct gdb_target_ops {
	/* A step is an instruction, so that gdb finds the ends of source lines by steps. */
	bool by_instruction;

	unsigned (*cpus)(void *target);

	/* The thread whose event is next, or was last; its level is never 0. */
	struct gdb_thread (*current)(void *target);

	/* Into @to of GDB_MAX_NAME bytes: a short name, and what it is at. */
	void (*name)(void *target, struct gdb_thread thread, char *to);
	void (*about)(void *target, struct gdb_thread thread, char *to);

	/* enum gdb_reg; false: not known. Registers of more than 64 bits never are. */
	bool (*read_register)(void *target, struct gdb_thread thread, unsigned number, u64 *value);

	/* Whether it makes sense to show that register at all. */
	bool (*has_register)(void *target, unsigned number);

	/* How many leading bytes from @address on are known and were copied. */
	size_t (*read_memory)(void *target, struct gdb_thread thread, u64 address, u8 *to,
			      size_t size);

	/*
	 * Set a point: its number, not below 0, or -1 when it cannot be. @kind tells what it will
	 * do, @text (of GDB_MAX_NAME bytes) the symbol of GDB_POINT_RANGE.
	 */
	int (*insert)(void *target, const struct gdb_point *point, enum gdb_point_kind *kind,
		      char *text);
	void (*remove)(void *target, int number);
	/* Whether a function that @thread is in returns to @address, as far as its stack is known.
	 */
	bool (*is_return)(void *target, struct gdb_thread thread, u64 address);

	/*
	 * To the next event with an address of @thread's CPU, and, unless its level is 0, of
	 * @thread alone; or to a point before that.
	 */
	void (*step)(void *target, struct gdb_thread thread, enum gdb_way way,
		     struct gdb_stop *stop);
	/* To the next point. */
	void (*run)(void *target, enum gdb_way way, struct gdb_stop *stop);

	/*
	 * A command of the user's, without its newline: what it answers goes to @print.
	 * False when it was none; then an explanation was printed.
	 */
	bool (*monitor)(void *target, const char *command, gdb_print print, void *to);
};

#endif
