#include "cli/rerun.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/debugger_state.h"
#include "cli/machine_past.h"
#include "cli/message.h"
#include "cli/stop_signals.h"
#include "recorder/capture.h"
#include "replay/memory_core.h"

#define BEFORE	       64	/* ticks in which an instruction comes to hv's reading of the TSC */
#define FAR_BEFORE     1000000	/* ticks in which the exit comes where hv is at work */
#define BEHIND	       2000	/* ticks in which what is ahead comes */
#define TICKS_OF_BLOCK 10000000 /* between two looks at how many blocks came */

#define DIFFERENT \
	"the instruction is not executed there: something of the machine is other than it was"

struct run {
	struct debugger debugger;
	struct debugger early; /* an unheard copy from long before */
	struct debugger probe; /* an unheard one that looks ahead */
	struct debugger_watcher watcher, deaf;
	struct capture *capture;
	const char *work;	/* folder of its files */
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
	if (run->shows_progress && run->goal)
		fprintf(stderr, "\r\033[K%4.0f s, to tick %llu", now() - run->start,
			(unsigned long long)run->goal);
	else if (run->shows_progress)
		fprintf(stderr, "\r\033[K%4.0f s, until hv tells of it", now() - run->start);
	return run->trouble;
}

static _Noreturn void fail(struct run *run, const char *why)
{
	struct bochs_end end;

	debugger_stop(&run->probe, NULL);
	debugger_stop(&run->early, NULL);
	debugger_stop(&run->debugger, &end);
	if (end.message[0])
		message("Bochs said: %s", end.message);
	die("the machine cannot be run again to that moment: %s", why);
}

static void need(struct run *run, enum status status)
{
	if (status == ST_OK && !run->trouble)
		return;
	if (status == ST_UNSUPPORTED)
		fail(run, "this is another build of Bochs than those that vmxtape can stop with "
			  "several processors");
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
}

static void read_memory(struct run *run, const char *path)
{
	need(run, debugger_write_memory(&run->debugger, path));
}

static void copy(struct run *run, struct debugger *from, struct debugger *to)
{
	need(run, debugger_copy(from, run->work, to));
	to->watcher = &run->deaf;
}

static void end_probe(struct run *run)
{
	debugger_stop(&run->probe, NULL);
	run->probe = (struct debugger){ 0 };
}

/* What was before @now. */
static struct machine_past past_of(struct run *run, const struct debugger_place *now)
{
	return (struct machine_past){ &run->early, run->work, &run->deaf, now };
}

/* Where hv runs, the instruction that led to it is being executed: registers are those before it.
 */
static void add_registers(struct run *run, unsigned cpu, struct rerun_result *result)
{
	const struct machine_past past = past_of(run, &run->debugger.place);
	const size_t length = strlen(result->registers), room = sizeof(result->registers) - length;
	char *const to = result->registers + length;
	bool in_guest;
	u64 place;

	need(run, debugger_in_guest(&run->debugger, cpu, &in_guest));
	if (in_guest)
		need(run, debugger_read_registers(&run->debugger, cpu, to, room));
	else if (run->early.text)
		need(run, machine_past_registers(&past, cpu, to, room, &place));
}

static void read_registers(struct run *run, unsigned first, struct rerun_result *result)
{
	*result->registers = 0;
	add_registers(run, first, result);
	result->in_guest = *result->registers;
	for (unsigned cpu = 0; cpu < run->debugger.cpus; cpu++) {
		const size_t length = strlen(result->registers);

		if (cpu == first)
			continue;
		snprintf(result->registers + length, sizeof(result->registers) - length,
			 MEMORY_CORE_CPU "%u\n", cpu);
		add_registers(run, cpu, result);
	}
}

/*
 * Steps on to the event: the tick of the last place where its instruction is next, 0: there is
 * none.
 */
static u64 find_last(struct run *run, const struct rerun_goal *goal)
{
	const struct debugger_place *const place = &run->probe.place;
	u64 found = 0;

	copy(run, &run->debugger, &run->probe);
	for (;;) {
		if (place->rip == goal->rip)
			found = place->tick;
		if (place->tick >= goal->tsc)
			break;
		need(run, debugger_step(&run->probe));
	}
	end_probe(run);
	return found;
}

static void go_to_instruction(struct run *run, const struct rerun_goal *goal)
{
	u64 found;

	if (goal->tsc > BEFORE)
		run_to(run, goal->tsc - BEFORE);
	found = find_last(run, goal);
	if (!found)
		fail(run, DIFFERENT);
	run_to(run, found);
}

/* What L1 or its L2 did last when hv told of it; hv itself before there was an L1. */
static void go_to_last_exit(struct run *run, const struct rerun_goal *goal)
{
	const struct debugger_place told = { .cpu = goal->cpu, .tick = goal->tsc };
	const struct machine_past past = past_of(run, &told);
	u64 at;

	need(run, machine_past_exit(&past, goal->cpu, &at));
	if (at)
		need(run, machine_past_place(&past, goal->cpu, at, &at));
	run_to(run, at ? at : goal->tsc);
}

/* What comes behind that time. */
static void go_ahead(struct run *run, const struct rerun_goal *goal)
{
	const struct debugger_place *const place = &run->debugger.place;

	run_to(run, goal->tsc + 1);
	while (place->rip != goal->rip) {
		if (place->tick >= goal->tsc + BEHIND)
			fail(run, DIFFERENT);
		need(run, debugger_step(&run->debugger));
	}
}

/* hv sends blocks when they are full, or old: those with events of before come behind them. */
static void send_blocks(struct run *run, u64 blocks)
{
	const struct capture_stats *const stats = capture_stats(run->capture);
	enum status status = ST_OK;

	run->goal = 0;
	while (status == ST_OK && stats->blocks < blocks && !run->trouble)
		status = debugger_run_to(&run->debugger, run->debugger.place.tick + TICKS_OF_BLOCK);
	if (run->shows_progress)
		fputs("\r\033[K", stderr);
}

void rerun(const struct bochs_setup *setup, const struct rerun_goal *goal, u64 timeout, bool quiet,
	   const char *sent, struct rerun_result *result)
{
	static struct run run;
	char error[512], *path;

	run = (struct run){ .work = setup->work,
			    .deadline = timeout ? now() + (double)timeout : 0 };
	run.shows_progress = !quiet && isatty(STDERR_FILENO);
	run.watcher = (struct debugger_watcher){ hear, poll_run, &run };
	run.deaf = (struct debugger_watcher){ NULL, poll_run, &run };
	if (asprintf(&path, "%s/memory", setup->work) < 0)
		die("out of memory");
	if (capture_open(sent, NULL, NULL, &run.capture, error, sizeof(error)) != ST_OK)
		die("%s", error);
	/* So that neither Bochs nor its files are left behind. */
	stop_signals_catch(false);
	debugger_start(setup, &run.watcher, &run.debugger);
	run.debugger.cpu = goal->cpu;
	if (goal->tsc > FAR_BEFORE)
		run_to(&run, goal->tsc - FAR_BEFORE);
	if (setup->cpus > 1 || !goal->has_rip)
		copy(&run, &run.debugger, &run.early);
	if (goal->is_ahead)
		go_ahead(&run, goal);
	else if (goal->has_rip)
		go_to_instruction(&run, goal);
	else
		go_to_last_exit(&run, goal);
	result->tick = run.debugger.place.tick;
	read_registers(&run, goal->cpu, result);
	read_memory(&run, path);
	result->memory = path;
	debugger_stop(&run.early, NULL);
	run.early = (struct debugger){ 0 };
	send_blocks(&run, goal->blocks);
	debugger_stop(&run.debugger, NULL);
	capture_close(run.capture);
	capture_free(run.capture);
}
