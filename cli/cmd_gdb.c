/*
 * cli/cmd_gdb.c - vmxtape gdb: serves a tape to gdb
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/gdb_rerun.h"
#include "cli/gdb_verb.h"
#include "cli/message.h"
#include "cli/moment_arg.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/stop_signals.h"
#include "cli/tape_arg.h"
#include "replay/timeline.h"

#define DEFAULT_ADDRESS "127.0.0.1:1234"

static struct {
	const char *listen;
	const char *keep;
	bool stdio, anywhere, once, rerun;
} opt;

static const struct option options[] = {
	{ "listen", 'l', OPTION_TEXT, "[ADDR]:PORT", &opt.listen,
	  "wait for gdb there; " DEFAULT_ADDRESS ". Port 0: a free one" },
	{ "stdio", 0, OPTION_FLAG, NULL, &opt.stdio,
	  "gdb is at stdin and stdout: (gdb) target remote | vmxtape gdb --stdio TAPE" },
	{ "once", 0, OPTION_FLAG, NULL, &opt.once, "end when the first gdb leaves" },
	{ "rerun", 0, OPTION_FLAG, NULL, &opt.rerun,
	  "run the recorded machine again in Bochs, and debug that:\na step is an instruction of "
	  "L1 or "
	  "L2, all memory is there" },
	{ "keep", 0, OPTION_TEXT, "DIR", &opt.keep,
	  "with --rerun: keep the boot image and Bochs's log there" },
	{ "anywhere", 0, OPTION_FLAG, NULL, &opt.anywhere,
	  "allow an address that other machines can reach" },
	TAPE_SYMBOLS_OPTION,
};

static const struct option_spec spec = {
	.usage = "gdb [OPTION]... [@N] [TAPE.vxt]",
	.summary = "Serves a tape to gdb, which then steps, runs to breakpoints and watches VMCS "
		   "fields, in\n"
		   "both directions. Process 1 is L1, process 2 is L2, a thread of each is a CPU. "
		   "In gdb:\n"
		   "target remote 127.0.0.1:1234, then 'monitor help'",
	.options = options,
	.count = ARRAY_SIZE(options),
};

static struct timeline *open_timeline(const char *path, const char *place)
{
	struct timeline *timeline;
	char error[512];
	enum status status =
		timeline_open(path ? path : TAPE_DEFAULT, &timeline, error, sizeof(error));

	if (status == ST_CORRUPT || status == ST_TRUNCATED) {
		message("%s", error);
		exit(EXIT_DAMAGED);
	}
	if (status != ST_OK)
		die("%s", error);
	tape_arg_symbols(timeline_reader(timeline));
	tape_arg_pass_symbols();
	if (place) {
		status = timeline_seek(timeline, moment_position(timeline_reader(timeline), place));
		if (status != ST_OK)
			die("'%s': %s", place, status_text(status));
	}
	return timeline;
}

static struct gdb_server *start(struct timeline *timeline,
				const struct gdb_server_options *server_options)
{
	struct gdb_server *server;
	char error[512];

	if (opt.stdio) {
		server = gdb_server_attach(timeline, STDIN_FILENO, STDOUT_FILENO, server_options);
		if (!server)
			die("out of memory");
		return server;
	}
	if (gdb_server_listen(timeline, opt.listen ? opt.listen : DEFAULT_ADDRESS, opt.anywhere,
			      server_options, &server, error, sizeof(error)) != ST_OK)
		die("%s", error);
	if (opt.anywhere)
		message("warning: whoever reaches this machine can read the tape");
	message("waiting for gdb: target remote %s", gdb_server_address(server));
	return server;
}

static void serve(struct gdb_server *server, int stop_fd)
{
	struct pollfd fds[1 + GDB_SERVER_FDS] = { { .fd = stop_fd, .events = POLLIN } };

	while (!stop_signals_came() && gdb_server_step(server))
		poll(fds, 1 + gdb_server_fds(server, fds + 1), -1);
}

/* Until gdb can connect, somebody may look. */
static void show_progress(void)
{
	static time_t start;

	if (!isatty(STDERR_FILENO))
		return;
	if (!start)
		start = time(NULL);
	fprintf(stderr, "\r\033[K%4lld s, the machine runs again", (long long)(time(NULL) - start));
}

static bool poll_rerun(void *owner)
{
	const struct gdb_verb_owner *const verb = owner;

	if (!verb->server)
		show_progress();
	return stop_signals_came() || (verb->server && gdb_server_interrupted(verb->server));
}

static struct gdb_rerun *start_rerun(struct timeline *timeline, struct gdb_verb_owner *owner)
{
	static struct gdb_rerun rerun;

	gdb_rerun_start(&rerun, timeline, output_work_folder(opt.keep), poll_rerun, owner,
			gdb_verb_run, owner);
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	return &rerun;
}

int cmd_gdb(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	struct gdb_verb_owner owner = { 0 };
	struct gdb_server_options server_options = { .verb = gdb_verb_run,
						     .owner = &owner,
						     .once = opt.once };
	struct gdb_rerun *rerun = NULL;
	struct moment_args args;
	struct timeline *timeline;
	int stop_fd;

	moment_args_sort(count, argv + 1, 1, &args);
	if (opt.stdio && opt.listen)
		die("--stdio and --listen are two ways to reach gdb: give one of them");
	timeline = open_timeline(args.words[0], args.place);
	stop_fd = stop_signals_catch(opt.stdio);
	if (opt.rerun) {
		rerun = start_rerun(timeline, &owner);
		server_options.ops = &gdb_rerun_ops;
		server_options.target = rerun;
	}
	owner.server = start(timeline, &server_options);
	serve(owner.server, stop_fd);
	gdb_server_close(owner.server);
	if (rerun)
		gdb_rerun_stop(rerun);
	timeline_close(timeline);
	return EXIT_CLEAN;
}
