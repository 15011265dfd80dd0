#include "cli/record_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/message.h"

#define MAX_LINE       1024
#define STOP_GRACE     5.0 /* seconds for Bochs to stop by itself before it is killed */
#define PROGRESS_EVERY 0.25

static const char hv_prefix[] = "vmxtape-hv:";

enum why { RUNNING, ENDED, UNTIL, TIMEOUT, SIGNALLED };

struct state {
	struct record_run *run;
	int signals;
	FILE *console_file;
	FILE *tape;
	char line[MAX_LINE]; /* of the console, so far */
	size_t line_length;
	char last_line[MAX_LINE]; /* of L1 */
	char last_hv_line[MAX_LINE];
	u64 lines, bytes;
	double started, stopped; /* stopped: when Bochs was asked to stop, 0: not yet */
	enum why why;
	bool reaped, killed;
	int wait_status;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void stop(struct state *state, enum why why)
{
	if (state->stopped > 0)
		return;
	state->why = why;
	state->stopped = now();
	bochs_stop(&state->run->bochs);
}

static void end_line(struct state *state)
{
	const char *const line = state->line;

	if (!strncmp(line, hv_prefix, sizeof(hv_prefix) - 1)) {
		memcpy(state->last_hv_line, line, sizeof(state->last_hv_line));
		if (!state->run->console)
			message("%s", line);
	} else {
		memcpy(state->last_line, line, sizeof(state->last_line));
		state->lines++;
	}
	state->line_length = 0;
	state->line[0] = 0;
}

static void take_console(struct state *state, const char *text, size_t size)
{
	fwrite(text, 1, size, state->console_file);
	if (state->run->console) {
		fwrite(text, 1, size, stdout);
		fflush(stdout);
	}
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n') {
			end_line(state);
			continue;
		}
		if (text[i] == '\r' || !text[i])
			continue;
		if (state->line_length == MAX_LINE - 1)
			end_line(state);
		state->line[state->line_length++] = text[i];
		state->line[state->line_length] = 0;
		if (state->run->until && strstr(state->line, state->run->until))
			stop(state, UNTIL);
	}
}

static void take_output(struct state *state, const void *bytes, size_t size)
{
	state->bytes += size;
	if (fwrite(bytes, 1, size, state->tape) != size && state->stopped == 0) {
		message("cannot write '%s': %s", state->run->tape, strerrordesc_np(errno));
		stop(state, ENDED);
	}
}

/* Returns false at the end of the file. */
static bool read_some(struct state *state, int fd, bool console)
{
	static char part[1 << 18];
	const ssize_t got = read(fd, part, sizeof(part));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (console)
		take_console(state, part, (size_t)got);
	else
		take_output(state, part, (size_t)got);
	return got > 0;
}

static void take_signal(struct state *state)
{
	struct signalfd_siginfo info;

	while (read(state->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			if (waitpid(state->run->bochs.pid, &state->wait_status, WNOHANG) > 0)
				state->reaped = true;
			continue;
		}
		/* The second one means: at once. */
		if (state->stopped > 0)
			bochs_kill(&state->run->bochs);
		stop(state, SIGNALLED);
	}
}

static void print_size(char *to, size_t size, u64 bytes)
{
	if (bytes < 10000)
		snprintf(to, size, "%llu bytes", (unsigned long long)bytes);
	else if (bytes < MIB(10))
		snprintf(to, size, "%llu KiB", (unsigned long long)(bytes >> 10));
	else
		snprintf(to, size, "%.1f MiB", (double)bytes / MIB(1));
}

static void show_progress(struct state *state)
{
	char size[32];

	print_size(size, sizeof(size), state->bytes);
	fprintf(stderr, "\r\033[K%4.0f s  %s  %.50s", now() - state->started, size,
		state->line_length ? state->line : state->last_line);
	fflush(stderr);
}

static void watch_time(struct state *state)
{
	const double time = now();

	if (state->run->timeout && time - state->started > (double)state->run->timeout)
		stop(state, TIMEOUT);
	if (state->stopped > 0 && !state->reaped && !state->killed &&
	    time - state->stopped > STOP_GRACE) {
		bochs_kill(&state->run->bochs);
		state->killed = true;
	}
}

static void loop(struct state *state)
{
	struct pollfd fds[] = {
		{ .fd = state->run->bochs.output, .events = POLLIN },
		{ .fd = state->run->bochs.serial, .events = POLLIN },
		{ .fd = state->signals, .events = POLLIN },
	};
	const bool progress = !state->run->quiet && !state->run->console && isatty(STDERR_FILENO);
	double shown = 0;
	bool open = true;

	while (open || !state->reaped) {
		fds[0].fd = open ? state->run->bochs.output : -1;
		if (poll(fds, ARRAY_SIZE(fds), 100) < 0 && errno != EINTR)
			die_errno("cannot wait for Bochs");
		if (fds[1].revents)
			read_some(state, fds[1].fd, true);
		if (open && fds[0].revents)
			open = read_some(state, fds[0].fd, false);
		take_signal(state);
		watch_time(state);
		if (progress && now() - shown >= PROGRESS_EVERY) {
			show_progress(state);
			shown = now();
		}
	}
	/* The pipe never ends, since this process has it open for writing too. */
	while (poll(fds + 1, 1, 0) > 0)
		read_some(state, fds[1].fd, true);
	if (state->line_length)
		end_line(state);
	if (progress)
		fputs("\r\033[K", stderr);
}

static void summary(const struct state *state, const struct bochs_end *end)
{
	static const char *const whys[] = {
		[ENDED] = "ended by itself",
		[UNTIL] = "said what was waited for",
		[TIMEOUT] = "stopped at the timeout",
		[SIGNALLED] = "stopped by a signal",
	};
	char size[32], ticks[48] = "";

	print_size(size, sizeof(size), state->bytes);
	if (end->ticks)
		snprintf(ticks, sizeof(ticks), ", %.1f M ticks", (double)end->ticks / 1e6);
	message("'%s': %s, %llu console lines, %.1f s%s; L1 %s", state->run->tape, size,
		(unsigned long long)state->lines, now() - state->started, ticks, whys[state->why]);
}

static int finish(struct state *state)
{
	struct bochs_end end;
	int result = EXIT_CLEAN;

	bochs_read_end(&state->run->bochs, &end);
	if (state->why == RUNNING)
		state->why = ENDED;
	if (fclose(state->tape)) {
		message("cannot write '%s': %s", state->run->tape, strerrordesc_np(errno));
		result = EXIT_USAGE;
	}
	fclose(state->console_file);
	if (state->why == ENDED && !end.by_guest) {
		if (WIFSIGNALED(state->wait_status))
			message("Bochs was killed by signal %d (%s)", WTERMSIG(state->wait_status),
				strsignal(WTERMSIG(state->wait_status)));
		else
			message("Bochs ended with status %d: %s", WEXITSTATUS(state->wait_status),
				end.message[0] ? end.message : "it says nothing more, see --keep");
		result = EXIT_DAMAGED;
	}
	summary(state, &end);
	if (state->why == TIMEOUT && state->run->until) {
		message("L1's console did not say '%s'", state->run->until);
		result = MAX(result, (int)EXIT_FINDINGS);
	}
	return result;
}

int record_run(struct record_run *run)
{
	struct state state = { .run = run, .started = now() };
	char *console;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGCHLD);
	state.signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (state.signals < 0 || asprintf(&console, "%s/console", run->work) < 0)
		die_errno("cannot watch signals");
	state.console_file = fopen(console, "we");
	if (!state.console_file)
		die_errno("cannot write '%s'", console);
	state.tape = fopen(run->tape, "we");
	if (!state.tape)
		die_errno("cannot write '%s'", run->tape);
	loop(&state);
	free(console);
	close(state.signals);
	return finish(&state);
}
