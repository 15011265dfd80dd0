#include "cli/rerun.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/stop_signals.h"
#include "recorder/capture.h"

#define BEFORE	   64	     /* ticks from where single steps begin to hv's reading of the TSC */
#define BEHIND	   2000	     /* ticks in which what is ahead comes */
#define ANSWER	   20.0	     /* seconds that Bochs has for a command that is no run */
#define TEXT	   (1 << 17) /* of what Bochs said last */
#define PROMPT	   "<bochs:"
#define NEXT	   "Next at t="
#define DIRECT_MAP 0xffff800000000000ull /* where hv sees physical memory */

struct run {
	struct bochs bochs;
	struct capture *capture;
	char text[TEXT + 1]; /* what was said since the last command, as far as it has room */
	size_t length;
	unsigned prompts; /* among that */
	double deadline;  /* 0: none */
	bool quiet;
	u64 goal; /* tick, for progress */
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static _Noreturn void fail(struct run *run, const char *why)
{
	struct bochs_end end;

	bochs_kill(&run->bochs);
	waitpid(run->bochs.pid, NULL, 0);
	bochs_read_end(&run->bochs, &end);
	if (end.message[0])
		message("Bochs said: %s", end.message);
	die("the machine cannot be run again to that moment: %s", why);
}

/* --- what Bochs says -------------------------------------------------------------------------- */

/* Of much, the last part. */
static void keep_text(struct run *run, const char *bytes, size_t size)
{
	const size_t part = MIN(size, (size_t)TEXT);

	if (run->length + part > TEXT) {
		const size_t kept = TEXT / 2 < run->length ? TEXT / 2 : run->length;
		const size_t left = MIN(kept, TEXT - part);

		memmove(run->text, run->text + run->length - left, left);
		run->length = left;
	}
	memcpy(run->text + run->length, bytes + size - part, part);
	run->length += part;
	run->text[run->length] = 0;
}

static void count_prompts(struct run *run)
{
	const char *at = run->text, *const end = run->text + run->length;

	run->prompts = 0;
	while ((at = memmem(at, (size_t)(end - at), PROMPT, sizeof(PROMPT) - 1))) {
		run->prompts++;
		at++;
	}
}

/* False when Bochs has ended. */
static bool listen(struct run *run, int milliseconds)
{
	struct pollfd fds[] = { { .fd = run->bochs.output, .events = POLLIN },
				{ .fd = run->bochs.serial, .events = POLLIN } };
	static char part[1 << 16];
	ssize_t got;

	if (poll(fds, ARRAY_SIZE(fds), milliseconds) < 0 && errno != EINTR)
		fail(run, strerror(errno));
	/* L1's console: it must flow, but is on the tape already. */
	if (fds[1].revents)
		(void)!read(run->bochs.serial, part, sizeof(part));
	if (!fds[0].revents)
		return true;
	got = read(run->bochs.output, part, sizeof(part));
	if (got <= 0)
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	if (capture_feed(run->capture, part, (size_t)got) != ST_OK)
		fail(run, capture_error(run->capture));
	keep_text(run, part, (size_t)got);
	count_prompts(run);
	return true;
}

/* Until Bochs has answered @commands and waits for the next. */
static void wait_for_prompts(struct run *run, unsigned prompts, double seconds)
{
	const double deadline = seconds > 0 ? now() + seconds : run->deadline;
	const bool progress = !run->quiet && seconds <= 0 && isatty(STDERR_FILENO);
	const double start = now();

	while (run->prompts < prompts) {
		if (!listen(run, 250))
			fail(run, "it ended before");
		if (stop_signals_came())
			fail(run, "it was interrupted");
		if (deadline > 0 && now() > deadline)
			fail(run, "the time is up");
		if (progress)
			fprintf(stderr, "\r\033[K%4.0f s, to tick %llu", now() - start,
				(unsigned long long)run->goal);
	}
	if (progress)
		fputs("\r\033[K", stderr);
}

static void say(struct run *run, const char *commands)
{
	run->length = run->prompts = 0;
	run->text[0] = 0;
	if (write(run->bochs.commands, commands, strlen(commands)) < 0)
		fail(run, "Bochs takes no commands");
}

static void command(struct run *run, const char *commands, unsigned count)
{
	say(run, commands);
	wait_for_prompts(run, count, ANSWER);
}

/* Where it stands: "Next at t=TICK", then "(0) [ADDRESS] CS:RIP ...". */
static bool read_place(const struct run *run, u64 *tick, u64 *rip)
{
	const char *at = run->text, *last = NULL, *line;

	while ((at = memmem(at, run->length - (size_t)(at - run->text), NEXT, sizeof(NEXT) - 1)))
		last = at++;
	line = last ? strstr(last, "] ") : NULL;
	line = line ? strchr(line, ':') : NULL;
	if (!line)
		return false;
	*tick = strtoull(last + sizeof(NEXT) - 1, NULL, 10);
	*rip = strtoull(line + 1, NULL, 16);
	return true;
}

/* --- going there ------------------------------------------------------------------------------ */

static void run_to(struct run *run, u64 tick)
{
	char commands[64];
	u64 at, rip;

	snprintf(commands, sizeof(commands), "sba %llu\nc\n", (unsigned long long)tick);
	run->goal = tick;
	say(run, commands);
	wait_for_prompts(run, 2, 0);
	if (!read_place(run, &at, &rip) || at != tick)
		fail(run, "it does not stop there");
}

/* hv has all physical memory in its address space, so that is where it must be read. */
static void read_memory(struct run *run, const struct bochs_setup *setup, const char *path)
{
	char commands[4200];

	snprintf(commands, sizeof(commands), "writemem \"%s\" 0x%llx %llu\n", path, DIRECT_MAP,
		 (unsigned long long)MIB(setup->mib));
	say(run, commands);
	wait_for_prompts(run, 1, 3 * ANSWER);
}

static void read_registers(struct run *run, struct rerun_result *result)
{
	static const char *const commands[] = { "r\n", "sreg\n", "creg\n", "dreg\n" };
	size_t length = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const char *text, *end;

		command(run, commands[i], 1);
		end = strstr(run->text, PROMPT);
		/* Some Bochs repeat the command first. */
		text = run->text;
		if (!strncmp(text, commands[i], strlen(commands[i])))
			text += strlen(commands[i]);
		length += (size_t)snprintf(result->registers + length,
					   sizeof(result->registers) - length, "%.*s",
					   (int)(end ? end - text : 0), text);
		length = MIN(length, sizeof(result->registers) - 1);
	}
}

/*
 * Steps on up to tick @end. At each place where the instruction at @rip is next, the registers are
 * read: those of the last one stay, or, with @first, of the first, and it ends there.
 */
static void step_to(struct run *run, u64 rip, u64 end, bool first, struct rerun_result *result)
{
	u64 tick, at;

	if (!read_place(run, &tick, &at))
		fail(run, "Bochs does not say where it is");
	for (result->tick = 0;;) {
		if (at == rip) {
			result->tick = tick;
			read_registers(run, result);
			if (first)
				return;
		}
		if (tick >= end)
			break;
		command(run, "s\n", 1);
		if (!read_place(run, &tick, &at))
			fail(run, "Bochs does not say where it is");
	}
	if (!result->tick)
		fail(run, "the instruction is not executed there: something of the machine is "
			  "other than it was");
}

/* The machine that is no longer needed. */
static void end(struct run *run)
{
	bochs_kill(&run->bochs);
	waitpid(run->bochs.pid, NULL, 0);
	while (listen(run, 0))
		if (poll(&(struct pollfd){ .fd = run->bochs.output, .events = POLLIN }, 1, 0) <= 0)
			break;
	capture_close(run->capture);
	capture_free(run->capture);
	unlink(run->bochs.pipe);
}

void rerun(const struct bochs_setup *setup, const struct rerun_goal *goal, u64 timeout, bool quiet,
	   const char *sent, struct rerun_result *result)
{
	static struct run run;
	char error[512], *path;

	run = (struct run){ .quiet = quiet, .deadline = timeout ? now() + (double)timeout : 0 };
	if (asprintf(&path, "%s/memory", setup->work) < 0)
		die("out of memory");
	if (capture_open(sent, NULL, NULL, &run.capture, error, sizeof(error)) != ST_OK)
		die("%s", error);
	/* So that neither Bochs nor its files are left behind. */
	stop_signals_catch(false);
	bochs_start(setup, &run.bochs);
	/* The prompt of a machine that has not started. */
	wait_for_prompts(&run, 1, ANSWER);
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
	end(&run);
}
