#include "cli/rerun.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/bochs_debugger.h"
#include "cli/message.h"
#include "cli/stop_signals.h"
#include "recorder/capture.h"

#define BEFORE	   64	/* ticks from where single steps begin to hv's reading of the TSC */
#define BEHIND	   2000 /* ticks in which what is ahead comes */
#define DIRECT_MAP 0xffff800000000000ull /* where hv sees physical memory */

struct run {
	struct debugger debugger;
	struct debugger_watcher watcher;
	struct capture *capture;
	const char *trouble;	/* why it must stop; NULL: it need not */
	double start, deadline; /* 0: none */
	bool shows_progress;
	u64 goal; /* tick, for progress */
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void hear(void *owner, const void *bytes, size_t size)
{
	struct run *const run = owner;

	if (capture_feed(run->capture, bytes, size) != ST_OK)
		run->trouble = capture_error(run->capture);
}

static bool poll_run(void *owner)
{
	struct run *const run = owner;

	if (stop_signals_came())
		run->trouble = "it was interrupted";
	else if (run->deadline > 0 && now() > run->deadline)
		run->trouble = "the time is up";
	if (run->shows_progress)
		fprintf(stderr, "\r\033[K%4.0f s, to tick %llu", now() - run->start,
			(unsigned long long)run->goal);
	return run->trouble;
}

static _Noreturn void fail(struct run *run, const char *why)
{
	struct bochs_end end;

	debugger_stop(&run->debugger, &end);
	if (end.message[0])
		message("Bochs said: %s", end.message);
	die("the machine cannot be run again to that moment: %s", why);
}

static void need(struct run *run, enum status status)
{
	if (status == ST_OK && !run->trouble)
		return;
	fail(run, run->trouble ? run->trouble : "Bochs ended before, or says nothing");
}

/* --- going there ------------------------------------------------------------------------------ */

static void run_to(struct run *run, u64 tick)
{
	enum status status;

	run->goal = tick;
	run->start = now();
	status = debugger_run_to(&run->debugger, tick);
	if (run->shows_progress)
		fputs("\r\033[K", stderr);
	need(run, status);
	if (run->debugger.place.tick != tick)
		fail(run, "it does not stop there");
}

/* hv has all physical memory in its address space, so that is where it must be read. */
static void read_memory(struct run *run, const struct bochs_setup *setup, const char *path)
{
	char command[4200];

	snprintf(command, sizeof(command), "writemem \"%s\" 0x%llx %llu", path, DIRECT_MAP,
		 (unsigned long long)MIB(setup->mib));
	need(run, debugger_ask(&run->debugger, command));
}

/*
 * Steps on up to tick @end. At each place where the instruction at @rip is next, the registers are
 * read: those of the last one stay, or, with @first, of the first, and it ends there.
 */
static void step_to(struct run *run, u64 rip, u64 end, bool first, struct rerun_result *result)
{
	const struct debugger_place *const place = &run->debugger.place;

	for (result->tick = 0;;) {
		if (place->rip == rip) {
			result->tick = place->tick;
			need(run, debugger_read_registers(&run->debugger, result->registers,
							  sizeof(result->registers)));
			if (first)
				return;
		}
		if (place->tick >= end)
			break;
		need(run, debugger_step(&run->debugger));
	}
	if (!result->tick)
		fail(run, "the instruction is not executed there: something of the machine is "
			  "other than it was");
}

void rerun(const struct bochs_setup *setup, const struct rerun_goal *goal, u64 timeout, bool quiet,
	   const char *sent, struct rerun_result *result)
{
	static struct run run;
	char error[512], *path;

	run = (struct run){ .deadline = timeout ? now() + (double)timeout : 0 };
	run.shows_progress = !quiet && isatty(STDERR_FILENO);
	run.watcher = (struct debugger_watcher){ hear, poll_run, &run };
	if (asprintf(&path, "%s/memory", setup->work) < 0)
		die("out of memory");
	if (capture_open(sent, NULL, NULL, &run.capture, error, sizeof(error)) != ST_OK)
		die("%s", error);
	/* So that neither Bochs nor its files are left behind. */
	stop_signals_catch(false);
	debugger_start(setup, &run.watcher, &run.debugger);
	if (goal->has_rip && !goal->is_ahead && goal->tsc > BEFORE) {
		run_to(&run, goal->tsc - BEFORE);
		step_to(&run, goal->rip, goal->tsc, false, result);
	} else {
		run_to(&run, goal->tsc);
		result->tick = goal->tsc;
	}
	/* L1's memory is as it was at the exit until hv has handled that. */
	read_memory(&run, setup, path);
	if (goal->is_ahead) {
		run_to(&run, goal->tsc + 1);
		step_to(&run, goal->rip, goal->tsc + BEHIND, true, result);
	}
	result->memory = path;
	debugger_stop(&run.debugger, NULL);
	capture_close(run.capture);
	capture_free(run.capture);
}
