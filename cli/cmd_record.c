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
#include "cli/record_run.h"
#include "cli/record_tui.h"

#define HV_NAME "vmxtape-hv.elf"

static struct {
	bool bochs, console, quiet, tui;
	struct machine machine;
	u64 timeout;
	const char *output, *until, *keep;
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
};

static const struct option_spec spec = {
	.usage = "record [OPTION]... [-o T.vxt]",
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

int cmd_record(int argc, char **argv)
{
	struct bochs_setup setup;
	struct record_run run;
	char *work;

	if (options_parse(&spec, argc, argv))
		die("'%s' is too much; 'vmxtape record --help' shows what goes where", argv[1]);
	if (opt.tui) {
		if (opt.console)
			die("--console and --tui both want the terminal; 'C' shows the console "
			    "there");
		output_rotate(opt.output);
		record_tui(opt.output);
		opt.quiet = true;
	}
	work = output_work_folder(opt.keep);
	setup = machine_build(&opt.machine, work);
	setup.errors = opt.keep;
	run = (struct record_run){
		.tape = opt.output,
		.machine = machine_describe(&opt.machine, &setup),
		.work = work,
		.keep = opt.keep,
		.until = opt.until,
		.timeout = opt.timeout,
		.console = opt.console,
		.quiet = opt.quiet,
	};
	if (!opt.tui)
		output_rotate(opt.output);
	block_signals();
	bochs_start(&setup, &run.bochs);
	return record_run(&run);
}
