/*
 * cli/cmd_record.c - vmxtape record: names L1, builds what boots, starts the machine
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/machine_setup.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/record_from.h"
#include "cli/record_run.h"
#include "cli/record_tui.h"
#include "cli/repeat.h"
#include "replay/reader.h"

#define HV_NAME "vmxtape-hv.elf"

static struct {
	bool bochs, console, quiet, tui, json;
	struct machine machine;
	u64 timeout;
	const char *output, *until, *keep, *repeat, *from;
} opt = {
	.machine = { .append = "",
		     .hv_options = "",
		     .cpu_model = "corei7_skylake_x",
		     .cpus = 1,
		     .mib = 512,
		     .ips = 50000000 },
	.output = "vmxtape.vxt",
};

static const struct option options[] = {
#define RECORD_GROUP(heading) { .type = OPTION_GROUP, .help = (heading) },
#define RECORD_OPTION(name, TYPE, value, member, help) \
	{ name, 0, OPTION_##TYPE, value, &opt.member, help },
#include "cli/record_options.def"
#undef RECORD_OPTION
#undef RECORD_GROUP
	{ .type = OPTION_GROUP, .help = "the recording:" },
	{ "output", 'o', OPTION_TEXT, "T.vxt", &opt.output,
	  "the tape (vmxtape.vxt); an earlier one is kept as\n<name>-1.vxt" },
	{ "until", 0, OPTION_TEXT, "TEXT", &opt.until, "stop when L1's console says TEXT" },
	{ "timeout", 0, OPTION_NUMBER, "S", &opt.timeout, "stop after S seconds" },
	{ "console", 0, OPTION_FLAG, NULL, &opt.console, "L1's console on stdout, live" },
	{ "tui", 0, OPTION_FLAG, NULL, &opt.tui,
	  "look at the tape while it grows; leaving ends the recording" },
	{ "quiet", 'q', OPTION_FLAG, NULL, &opt.quiet, "no progress" },
	{ "keep", 0, OPTION_TEXT, "DIR", &opt.keep,
	  "keep the boot image, the logs and the console there" },
	{ "from", 0, OPTION_TEXT, "FILE", &opt.from,
	  "no machine is started: the tape is made of the frames\nthat a real one left in FILE, or "
	  "sends on it; - is stdin" },
	{ "repeat", 0, OPTION_TEXT, "WORDS", &opt.repeat,
	  "run it again with these options of hv besides, and say\nwhether L1's console and the "
	  "exits of L2 are the same;\nwith capture=off the second run records no events. A\ntape "
	  "that is named stands for the first run" },
	{ "json", 'j', OPTION_FLAG, NULL, &opt.json, "what --repeat found as a JSON object" },
};

static const struct option_spec spec = {
	.usage = "record [OPTION]... [-o T.vxt]\n"
		 "       vmxtape record --repeat WORDS [OPTION]... [T.vxt]\n"
		 "       vmxtape record --from FILE [-o T.vxt]",
	.summary = "Runs a guest hypervisor on top of vmxtape's own and records its dialogue with "
		   "the\n"
		   "processor. Ends when L1 switches the machine off, at --until or --timeout, or "
		   "by Ctrl-C;\n"
		   "the tape is whole in each case.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

/* Before anything is started, so that a signal cannot leave a Bochs behind. */
static void block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Build the machine in @work and record it to @tape. */
static int record(const char *tape, const char *work)
{
	struct bochs_setup setup = machine_build(&opt.machine, work);
	struct record_run run = {
		.tape = tape,
		.machine = machine_describe(&opt.machine, &setup),
		.work = work,
		.keep = opt.keep,
		.until = opt.until,
		.timeout = opt.timeout,
		.console = opt.console,
		.quiet = opt.quiet,
	};

	setup.errors = opt.keep;
	/* Only now it is known that there will be a tape in its place. */
	output_rotate(tape);
	bochs_start(&setup, &run.bochs);
	return record_run(&run);
}

/* The machine that @tape is of. */
static struct machine machine_of(const char *tape)
{
	struct reader *reader;
	struct machine machine;
	char error[512];
	const char *text;
	size_t size;

	if (reader_open(tape, &reader, error, sizeof(error)) != ST_OK)
		die("%s", error);
	text = reader_machine(reader, &size);
	if (!text)
		die("'%s' does not say which machine it was recorded from: only tapes of Bochs do",
		    tape);
	machine = machine_read(text, size, tape);
	reader_close(reader);
	return machine;
}

/* Run what @tape is of again, and compare. */
static int repeat(const char *tape)
{
	char *work, *again, *words, *keep = NULL;
	int result;

	if (opt.keep && asprintf(&keep, "%s/again", opt.keep) < 0)
		die("out of memory");
	work = output_work_folder(keep);
	if (asprintf(&again, "%s/again.vxt", work) < 0 ||
	    asprintf(&words, "%s %s", opt.machine.hv_options, opt.repeat) < 0)
		die("out of memory");
	opt.machine.hv_options = words;
	output_remove(again);
	result = record(again, work);
	if (result == EXIT_CLEAN)
		result = repeat_compare(tape, again, opt.repeat, opt.json);
	free(again);
	free(work);
	free(keep);
	return result;
}

int cmd_record(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	int result;

	if (count > (opt.repeat ? 1 : 0))
		options_die_surplus(argv[count]);
	if (opt.repeat && (opt.until || opt.tui))
		die("--repeat compares whole runs of L1: it goes with neither --until nor --tui");
	if (opt.from) {
		if (opt.repeat || opt.until || opt.tui || opt.console || opt.timeout || opt.keep)
			die("--from takes what another machine recorded: only -o goes with it");
		return record_from(opt.from, opt.output);
	}
	if (opt.tui) {
		if (opt.console)
			die("--console and --tui both want the terminal; 'C' shows the console "
			    "there");
		machine_check(&opt.machine);
		record_tui(opt.output);
		opt.quiet = true;
	}
	block_signals();
	if (count) {
		opt.machine = machine_of(argv[1]);
		return repeat(argv[1]);
	}
	result = record(opt.output, output_work_folder(opt.keep));
	return result == EXIT_CLEAN && opt.repeat ? repeat(opt.output) : result;
}
