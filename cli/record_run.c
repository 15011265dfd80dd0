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
#include "cli/output.h"
#include "cli/paused_output.h"
#include "recorder/capture.h"

#define MAX_LINE       1024
#define HV_GRACE       15.0 /* seconds for hv to end the tape before Bochs is told to quit */
#define QUIT_GRACE     5.0  /* seconds for Bochs to quit before it is killed */
#define PROGRESS_EVERY 0.25

static const char hv_prefix[] = "vmxtape-hv:";

/*
 * hv says where its word is that asks it to end the tape; so nothing is lost that it still holds.
 */
static const char stop_word[] = "vmxtape-hv: stop word at 0x";

enum why { RUNNING, ENDED, UNTIL, TIMEOUT, SIGNALLED, UNWRITABLE };

struct state {
	struct record_run *run;
	int signals;
	FILE *console_file;
	FILE *line_file; /* what Bochs says, as it came; NULL: not kept */
	struct capture *capture;
	bool failed;	     /* the tape cannot be written */
	bool end_seen;	     /* EV_END has come ... */
	u64 end_why;	     /* ... and says why: enum trace_end */
	char line[MAX_LINE]; /* of the console, so far */
	size_t line_length;
	char last_line[MAX_LINE]; /* of L1 */
	char last_hv_line[MAX_LINE], hv_line_before[MAX_LINE];
	u64 lines;
	double started, stopped;     /* stopped: when the end was asked for, 0: not yet */
	struct paused_output paused; /* while hv's word is written */
	u64 stop_word;		     /* physical address of hv's word, 0: it has none */
	bool quitting;		     /* Bochs was asked to quit, at quit_at */
	double quit_at;
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

static void quit(struct state *state)
{
	state->quitting = true;
	state->quit_at = now();
	bochs_stop(&state->run->bochs);
}

static void poke(struct state *state)
{
	paused_output_begin(&state->paused, BOCHS_POKE_COMMANDS);
	bochs_poke(&state->run->bochs, state->stop_word, 1);
}

static void stop(struct state *state, enum why why)
{
	if (state->stopped > 0)
		return;
	state->why = why;
	state->stopped = now();
	if (state->stop_word && !state->failed)
		poke(state);
	else
		quit(state);
}

static void end_hv_line(struct state *state, const char *line)
{
	if (!strncmp(line, stop_word, sizeof(stop_word) - 1)) {
		state->stop_word = strtoull(line + sizeof(stop_word) - 1, NULL, 16);
		return;
	}
	memcpy(state->hv_line_before, state->last_hv_line, sizeof(state->hv_line_before));
	snprintf(state->last_hv_line, sizeof(state->last_hv_line), "%s", line);
	if (!state->run->console && !state->run->quiet)
		message("%s", line);
}

static void end_line(struct state *state)
{
	if (!strncmp(state->line, hv_prefix, sizeof(hv_prefix) - 1)) {
		end_hv_line(state, state->line);
	} else {
		memcpy(state->last_line, state->line, sizeof(state->last_line));
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

static void take_event(void *owner, const struct trace_schema *schema,
		       const struct trace_event *event)
{
	struct state *const state = owner;

	(void)schema;
	if (event->kind == EV_END) {
		state->end_seen = true;
		state->end_why = ((const struct ev_end *)event->col)->why;
	}
}

static void take_frames(struct state *state, const void *bytes, size_t size)
{
	if (state->failed || capture_feed(state->capture, bytes, size) == ST_OK)
		return;
	state->failed = true;
	message("%s", capture_error(state->capture));
	stop(state, UNWRITABLE);
}

static void take_output(struct state *state, const void *bytes, size_t size)
{
	struct paused_output *const paused = &state->paused;

	if (state->line_file)
		fwrite(bytes, 1, size, state->line_file);
	if (!paused->prompts) {
		take_frames(state, bytes, size);
		return;
	}
	if (!size)
		paused_output_end(paused);
	if (!size || paused_output_take(paused, bytes, size))
		take_frames(state, paused->bytes, paused->length);
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
	const struct capture_stats *const stats = capture_stats(state->capture);
	char size[32];

	print_size(size, sizeof(size), stats->tape_bytes);
	fprintf(stderr, "\r\033[K%4.0f s  %llu events  %s  %.45s", now() - state->started,
		(unsigned long long)stats->events, size,
		state->line_length ? state->line : state->last_line);
	fflush(stderr);
}

static void watch_time(struct state *state)
{
	const double time = now();

	if (state->run->timeout && time - state->started > (double)state->run->timeout)
		stop(state, TIMEOUT);
	if (state->stopped > 0 && !state->quitting && time - state->stopped > HV_GRACE)
		quit(state);
	if (state->quitting && !state->reaped && !state->killed &&
	    time - state->quit_at > QUIT_GRACE) {
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

static const char *why_text(const struct state *state)
{
	static const char *const ends[] = {
		[END_POWER_OFF] = "switched the machine off",
		[END_RESET] = "reset the machine",
		[END_TRIPLE_FAULT] = "ended in a triple fault",
		[END_REFUSED_SLEEP] = "wanted to sleep, which is refused",
		[END_PANIC] = "runs no more: the hypervisor below it stopped",
		[END_UNSUPPORTED] = "did what the hypervisor below it does not support",
		[END_ASKED] = "was stopped from outside",
	};

	switch (state->why) {
	case UNTIL:
		return "said what was waited for";
	case TIMEOUT:
		return "was stopped at the timeout";
	case SIGNALLED:
		return "was stopped by a signal";
	case UNWRITABLE:
		return "was stopped, since its tape could not be written";
	default:
		return state->end_seen && state->end_why < ARRAY_SIZE(ends) ? ends[state->end_why]
									    : "ended with Bochs";
	}
}

/* Who is stopped in the middle of a chunk leaves it unfinished; that is no damage. */
static bool is_damaged(const struct state *state)
{
	const struct capture_stats *const stats = capture_stats(state->capture);

	return stats->lost_frames || (stats->bad_chunks && state->why == ENDED);
}

static void summary(const struct state *state, const struct bochs_end *end)
{
	const struct capture_stats *const stats = capture_stats(state->capture);
	char size[32], ticks[48] = "";

	print_size(size, sizeof(size), stats->tape_bytes);
	if (end->ticks)
		snprintf(ticks, sizeof(ticks), ", %.1f M ticks", (double)end->ticks / 1e6);
	message("'%s': %llu events, %s, %.1f s%s; L1 %s", state->run->tape,
		(unsigned long long)stats->events, size, now() - state->started, ticks,
		why_text(state));
	if (stats->lost_events || is_damaged(state))
		message("lost: %llu events, %llu frames, %llu damaged chunks",
			(unsigned long long)stats->lost_events,
			(unsigned long long)stats->lost_frames,
			(unsigned long long)stats->bad_chunks);
}

/* What Bochs left to say when it ended though neither L1 nor vmxtape asked for it. */
static void explain_end(const struct state *state, const struct bochs_end *end)
{
	const int status = state->wait_status;

	if (WIFSIGNALED(status))
		message("Bochs was killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		message("Bochs ended with status %d: %s", WEXITSTATUS(status),
			end->message[0] ? end->message
					: "it says nothing more, --keep keeps its log");
}

static int finish(struct state *state)
{
	struct record_run *const run = state->run;
	const struct capture_stats *stats;
	struct bochs_end end;
	int result = EXIT_CLEAN;

	bochs_read_end(&run->bochs, &end);
	if (state->why == RUNNING)
		state->why = ENDED;
	if (capture_close(state->capture) != ST_OK && !state->failed) {
		state->failed = true;
		message("%s", capture_error(state->capture));
	}
	stats = capture_stats(state->capture);
	if (state->why == ENDED && !state->failed && !end.by_guest) {
		explain_end(state, &end);
		result = EXIT_DAMAGED;
	}
	if (!stats->head) {
		/* hv says what is wrong, then what follows; who is not quiet has read the first. */
		if (!state->failed && state->run->quiet && state->hv_line_before[0])
			message("%s", state->hv_line_before);
		if (!state->failed)
			message("nothing was recorded: %s",
				state->last_hv_line[0] ? state->last_hv_line
						       : "the hypervisor below L1 sent nothing");
		output_remove(run->tape);
		return EXIT_USAGE;
	}
	summary(state, &end);
	if (is_damaged(state))
		result = EXIT_DAMAGED;
	if (state->failed)
		return EXIT_USAGE;
	if (state->why == TIMEOUT && run->until) {
		message("L1's console did not say '%s'", run->until);
		result = MAX(result, (int)EXIT_FINDINGS);
	}
	return result;
}

static FILE *open_in(const char *folder, const char *name)
{
	char *path;
	FILE *file;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		die("out of memory");
	file = fopen(path, "we");
	if (!file)
		die_errno("cannot write '%s'", path);
	free(path);
	return file;
}

/* So that the machine can be run again. */
static void describe(struct state *state)
{
	struct record_run *const run = state->run;

	if (capture_machine(state->capture, run->machine, strlen(run->machine)) != ST_OK)
		die("%s", capture_error(state->capture));
	free(run->machine);
	run->machine = NULL;
}

int record_run(struct record_run *run)
{
	struct state state = { .run = run, .started = now() };
	char error[512];
	sigset_t signals;
	int result;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGCHLD);
	state.signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (state.signals < 0)
		die_errno("cannot watch signals");
	state.console_file = open_in(run->work, "console");
	if (run->keep)
		state.line_file = open_in(run->work, "port-e9");
	if (capture_open(run->tape, take_event, &state, &state.capture, error, sizeof(error)) !=
	    ST_OK)
		die("%s", error);
	describe(&state);
	loop(&state);
	fclose(state.console_file);
	if (state.line_file)
		fclose(state.line_file);
	close(state.signals);
	result = finish(&state);
	capture_free(state.capture);
	paused_output_free(&state.paused);
	return result;
}
