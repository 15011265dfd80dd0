#include "cli/bochs_debugger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/message.h"

#define ANSWER	120.0 /* seconds that Bochs has for a command that is no run; it may write much */
#define LOOK_MS 100   /* between two looks at the watcher */

/*
 * A time that never comes. Bochs lets the timer of time breakpoints go on with its last period when
 * it was the last one: with this one behind them, none is the last.
 */
#define NEVER	"sba 1000000000000000"

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* --- what Bochs says -------------------------------------------------------------------------- */

/* What the guest wrote of the text, up to @end, is heard. */
static void hear(struct debugger *debugger, size_t end)
{
	const struct debugger_watcher *const watcher = debugger->watcher;

	if (end <= debugger->heard)
		return;
	if (watcher->hear)
		watcher->hear(watcher->owner, debugger->text + debugger->heard,
			      end - debugger->heard);
	debugger->heard = end;
}

/* Of much, the last part. */
static void keep_text(struct debugger *debugger, const char *bytes, size_t size)
{
	const size_t part = MIN(size, (size_t)DEBUGGER_MAX_TEXT);

	if (debugger->length + part > DEBUGGER_MAX_TEXT) {
		const size_t left = MIN(debugger->length, DEBUGGER_MAX_TEXT - part);
		const size_t gone = debugger->length - left;

		memmove(debugger->text, debugger->text + gone, left);
		debugger->length = left;
		debugger->heard -= MIN(debugger->heard, gone);
	}
	memcpy(debugger->text + debugger->length, bytes + size - part, part);
	debugger->length += part;
	debugger->text[debugger->length] = 0;
}

static const char *find(const char *from, const char *end, const char *what)
{
	return memmem(from, (size_t)(end - from), what, strlen(what));
}

static void count_prompts(struct debugger *debugger)
{
	const char *at = debugger->text, *const end = debugger->text + debugger->length;

	debugger->prompts = 0;
	while ((at = find(at, end, BOCHS_PROMPT))) {
		debugger->prompts++;
		at++;
	}
}

/* ST_IO when Bochs has ended. */
static enum status listen(struct debugger *debugger)
{
	struct pollfd fds[] = { { .fd = debugger->bochs.output, .events = POLLIN },
				{ .fd = debugger->bochs.serial, .events = POLLIN } };
	static char part[1 << 16];
	ssize_t got;

	if (poll(fds, ARRAY_SIZE(fds), LOOK_MS) < 0)
		return errno == EINTR ? ST_OK : ST_IO;
	/* L1's console: it must flow, but is on the tape already. */
	if (fds[1].revents)
		(void)!read(debugger->bochs.serial, part, sizeof(part));
	if (!fds[0].revents)
		return ST_OK;
	got = read(debugger->bochs.output, part, sizeof(part));
	if (got <= 0)
		return got < 0 && (errno == EAGAIN || errno == EINTR) ? ST_OK : ST_IO;
	keep_text(debugger, part, (size_t)got);
	count_prompts(debugger);
	return ST_OK;
}

static enum status wait_for_prompt(struct debugger *debugger)
{
	const double deadline = now() + ANSWER;
	enum status status = ST_OK;

	while (status == ST_OK && !debugger->prompts) {
		status = listen(debugger);
		if (now() > deadline)
			status = ST_IO;
	}
	return status;
}

static enum status say(struct debugger *debugger, const char *command)
{
	char line[4200];
	const int length = snprintf(line, sizeof(line), "%s\n", command);

	if (!debugger->text)
		return ST_IO;
	debugger->length = debugger->heard = debugger->prompts = 0;
	debugger->text[0] = 0;
	return write(debugger->bochs.commands, line, (size_t)length) == length ? ST_OK : ST_IO;
}

enum status debugger_ask(struct debugger *debugger, const char *command)
{
	enum status status = say(debugger, command);
	char *end;

	if (status == ST_OK)
		status = wait_for_prompt(debugger);
	end = status == ST_OK ? strstr(debugger->text, BOCHS_PROMPT) : NULL;
	if (end)
		*end = 0;
	return status;
}

/* --- running ---------------------------------------------------------------------------------- */

static enum status read_place(struct debugger *debugger)
{
	enum status status;

	if (bochs_text_rounds_place(debugger->text, debugger->length, &debugger->place)) {
		debugger->cpu = debugger->place.cpu;
		return ST_OK;
	}
	if (find(debugger->text, debugger->text + debugger->length, BOCHS_UNKNOWN))
		return ST_UNSUPPORTED;
	if (!bochs_text_place(debugger->text, debugger->length, &debugger->place))
		return ST_IO;
	if (debugger->place.physical != ~0ull)
		return ST_OK;
	status = debugger_ask(debugger, "r");
	return status == ST_OK && !bochs_text_register(debugger->text, "rip", &debugger->place.rip)
		       ? ST_IO
		       : status;
}

/* Times that it has reached, it has forgotten. */
static void drop_times(struct debugger *debugger)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < debugger->time_count; i++)
		if (debugger->times[i] > debugger->place.tick)
			debugger->times[kept++] = debugger->times[i];
	debugger->time_count = kept;
}

/* A command that lets instructions run. */
static enum status run(struct debugger *debugger, const char *command)
{
	const struct debugger_watcher *const watcher = debugger->watcher;
	enum status status = say(debugger, command);
	bool interrupted = false;

	while (status == ST_OK && !debugger->prompts && !interrupted) {
		status = listen(debugger);
		if (debugger->length > BOCHS_MAX_STOP)
			hear(debugger, debugger->length - BOCHS_MAX_STOP);
		interrupted = watcher->poll && watcher->poll(watcher->owner);
	}
	if (status == ST_OK && !debugger->prompts) {
		kill(debugger->bochs.pid, SIGINT);
		status = wait_for_prompt(debugger);
	}
	hear(debugger, bochs_text_stop(debugger->text, debugger->length));
	if (status == ST_OK)
		status = read_place(debugger);
	drop_times(debugger);
	return status == ST_OK && interrupted ? ST_INTERRUPTED : status;
}

/* On to @tick, or by @count instructions, of the processor that is looked at. */
static enum status run_rounds(struct debugger *debugger, u64 tick, unsigned count)
{
	const unsigned stops = (debugger->break_count ? DEBUGGER_AT_BREAK : 0) |
			       (debugger->watch_count ? DEBUGGER_AT_WATCH : 0) |
			       (debugger->stops_at_exits ? DEBUGGER_AT_EXIT : 0);
	char command[80];

	snprintf(command, sizeof(command), BOCHS_RUN "%u %llu %u %u %u %u", debugger->cpu,
		 (unsigned long long)tick, count, stops, debugger->all_break, debugger->exits_of);
	return run(debugger, command);
}

enum status debugger_continue(struct debugger *debugger)
{
	return debugger->cpus > 1 ? run_rounds(debugger, ~0ull, 0) : run(debugger, "c");
}

enum status debugger_step(struct debugger *debugger)
{
	return debugger->cpus > 1 ? run_rounds(debugger, ~0ull, 1) : run(debugger, "s");
}

static bool has_time(const struct debugger *debugger, u64 end)
{
	for (unsigned i = 0; i < debugger->time_count; i++)
		if (debugger->times[i] <= end)
			return true;
	return false;
}

enum status debugger_run_to(struct debugger *debugger, u64 tick)
{
	enum status status = ST_OK;
	char command[40];

	if (debugger->cpus > 1)
		return debugger->place.cpu != debugger->cpu || debugger->place.tick < tick
			       ? run_rounds(debugger, tick, 0)
			       : ST_OK;
	while (status == ST_OK && debugger->place.tick < tick) {
		if (!has_time(debugger, tick)) {
			if (debugger->time_count == DEBUGGER_MAX_TIMES)
				return ST_NO_SPACE;
			debugger->times[debugger->time_count++] = tick;
			snprintf(command, sizeof(command), "sba %llu", (unsigned long long)tick);
			status = debugger_ask(debugger, command);
		}
		if (status == ST_OK)
			status = run(debugger, "c");
		/* Where both are, Bochs tells of the time only. */
		if (debugger->place.why & DEBUGGER_EARLY ||
		    (debugger->watch_count && debugger->place.why & DEBUGGER_AT_TIME))
			break;
	}
	return status;
}

/* --- life ------------------------------------------------------------------------------------- */

static char *new_text(void)
{
	char *const text = calloc(1, DEBUGGER_MAX_TEXT + 1);

	if (!text)
		die("out of memory");
	return text;
}

void debugger_start(const struct bochs_setup *setup, const struct debugger_watcher *watcher,
		    struct debugger *debugger)
{
	struct bochs_setup waiting = *setup;

	waiting.waits = true;
	*debugger = (struct debugger){
		.watcher = watcher, .text = new_text(), .next_id = 1, .cpus = (unsigned)setup->cpus
	};
	/* Copies become children of this process. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	bochs_start(&waiting, &debugger->bochs);
	if (wait_for_prompt(debugger) != ST_OK || read_place(debugger) != ST_OK ||
	    debugger_ask(debugger, NEVER) != ST_OK) {
		struct bochs_end end;

		debugger_stop(debugger, &end);
		die("Bochs does not start%s%s", *end.message ? ": " : "", end.message);
	}
}

void debugger_stop(struct debugger *debugger, struct bochs_end *end)
{
	if (!debugger->text)
		return;
	kill(debugger->bochs.pid, SIGKILL);
	waitpid(debugger->bochs.pid, NULL, 0);
	close(debugger->bochs.commands);
	close(debugger->bochs.output);
	if (!debugger->is_copy) {
		close(debugger->bochs.serial);
		if (end)
			bochs_read_end(&debugger->bochs, end);
		unlink(debugger->bochs.pipe);
		free(debugger->bochs.log);
		free(debugger->bochs.pipe);
	}
	free(debugger->text);
	*debugger = (struct debugger){ 0 };
}

static int make_pipe(const char *path, const char *end, char *name, size_t size)
{
	snprintf(name, size, "%s.%s", path, end);
	unlink(name);
	if (mkfifo(name, 0600))
		return -1;
	return open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

/* The first line of a copy is its process number. */
static enum status greet(struct debugger *copy)
{
	const enum status status = wait_for_prompt(copy);

	copy->bochs.pid = status == ST_OK ? (pid_t)atoi(copy->text) : 0;
	return copy->bochs.pid > 0 ? ST_OK : ST_IO;
}

enum status debugger_copy(struct debugger *debugger, const char *work, struct debugger *copy)
{
	static unsigned count;
	char path[3000], command[3100], in[3100], out[3100];
	enum status status;
	int reader;

	snprintf(path, sizeof(path), "%s/copy%u", work, count++);
	snprintf(command, sizeof(command), BOCHS_COPY "%s %d", path, (int)getpid());
	*copy = *debugger;
	copy->is_copy = true;
	copy->bochs.pid = 0;
	copy->text = new_text();
	copy->length = copy->prompts = 0;
	copy->bochs.commands = make_pipe(path, "in", in, sizeof(in));
	reader = make_pipe(path, "out", out, sizeof(out));
	/* With its write end open here too, it would have no end. */
	copy->bochs.output = reader < 0 ? -1 : open(out, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	status = copy->bochs.commands < 0 || copy->bochs.output < 0
			 ? ST_IO
			 : debugger_ask(debugger, command);
	if (status == ST_OK)
		status = greet(copy);
	close(reader);
	unlink(in);
	unlink(out);
	if (status != ST_OK) {
		close(copy->bochs.commands);
		close(copy->bochs.output);
		free(copy->text);
		*copy = (struct debugger){ 0 };
	}
	return status;
}
