/*
 * cli/cmd_tui.c - vmxtape tui: the whole dialogue on a screen, to step through
 */
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/tape_arg.h"
#include "cli/tape_tui.h"

static struct tape_tui opt = { .path = TAPE_DEFAULT };

static const struct option options[] = {
	{ "follow", 'F', OPTION_FLAG, NULL, &opt.follow,
	  "the tape is being recorded: what is new appears" },
	{ "gdb", 0, OPTION_TEXT, "[ADDR]:PORT", &opt.gdb,
	  "serve gdb there, from the same cursor; ':gdb' does it later" },
	{ "config", 0, OPTION_TEXT, "FILE", &opt.config,
	  "not ~/.config/vmxtape/config: keys and colours" },
	TAPE_SYMBOLS_OPTION,
};

static const struct option_spec spec = {
	.usage = "tui [OPTION]... [TAPE.vxt]",
	.summary =
		"Shows a tape on the terminal: an overview, every event, and the state at each of "
		"them.\n"
		"'?' shows the keys. Marks and notes are kept in TAPE.vxt.notes.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

int cmd_tui(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);

	if (count > 1)
		die("'%s' is too much: one tape at a time", argv[2]);
	if (count)
		opt.path = argv[1];
	tape_tui_run(&opt);
	return EXIT_CLEAN;
}
