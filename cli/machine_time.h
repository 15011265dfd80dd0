/*
 * cli/machine_time.h - a machine in Bochs that can be put to any tick
 *
 * On its way it is copied now and then. To go back is to go on with a copy of the last one before
 * that tick: the same machine, since Bochs repeats itself. What it writes is heard once only, where
 * it is at a tick for the first time; with several processors never.
 */
#ifndef CLI_MACHINE_TIME_H
#define CLI_MACHINE_TIME_H

#include "cli/bochs_debugger.h"

#define MACHINE_MAX_SAVED 16

struct machine_time {
	const char *work; /* folder of its files; the caller's */
	struct debugger_watcher watcher;
	const struct debugger_watcher *given;
	u64 heard_to; /* the tick up to which it was heard */
	bool is_heard;
	unsigned cpu;	     /* whose places and ticks count */
	u64 watched;	     /* the last watch that was met since this was made 0 */
	struct debugger now; /* all zeros: it has ended */
	unsigned saved_count;
	struct debugger saved[MACHINE_MAX_SAVED]; /* by ticks; the first two stay */
};

/* Start the machine of @setup, before its first instruction. Dies when that fails. */
void machine_time_start(struct machine_time *machine, const struct bochs_setup *setup,
			const struct debugger_watcher *watcher);

/* Kills all that was started. */
void machine_time_stop(struct machine_time *machine);

/* Keep a copy of this place, the first one that is worth to come back to, until the end. */
enum status machine_time_keep(struct machine_time *machine);

/*
 * To @tick, or to where the processor first has it: behind a wait. No breaks are set then.
 * ST_INTERRUPTED: it is somewhere else. ST_IO: Bochs has ended, which it does when the machine
 * does; machine_time_go() can still go to an earlier tick.
 */
enum status machine_time_go(struct machine_time *machine, u64 tick);

/* From now on count by processor @cpu; and go on to its next place, if it is not there. */
void machine_time_count_by(struct machine_time *machine, unsigned cpu);
enum status machine_time_turn(struct machine_time *machine, unsigned cpu);

/*
 * From here on to @tick, with the breaks that are set: debugger_run_to(). With a watch, only some
 * way in that direction.
 */
enum status machine_time_run(struct machine_time *machine, u64 tick);

/* Without an end, and by one instruction: debugger_continue(), debugger_step(). */
enum status machine_time_continue(struct machine_time *machine);
enum status machine_time_step(struct machine_time *machine);

/*
 * Of processor @cpu, where hv runs: machine_past_registers(). *@place 0: it did nothing for a guest
 * for long.
 */
enum status machine_time_registers(struct machine_time *machine, unsigned cpu, char *to,
				   size_t size, u64 *place);

#endif
