/*
 * cli/cmd_tui.c - vmxtape tui: the whole dialogue on a screen, to step through
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/tape_arg.h"
#include "tui/tui.h"

#define MAX_PATH 4096

static struct {
	const char *config;
} opt;

static const struct option options[] = {
	{ "config", 0, OPTION_TEXT, "FILE", &opt.config,
	  "not ~/.config/vmxtape/config: keys and colours" },
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

/* Where the configuration is; "" when nobody says where home is. */
static void config_path(char *to, size_t size)
{
	const char *const config = getenv("XDG_CONFIG_HOME"), *const home = getenv("HOME");

	*to = 0;
	if (opt.config)
		snprintf(to, size, "%s", opt.config);
	else if (config && *config)
		snprintf(to, size, "%s/vmxtape/config", config);
	else if (home && *home)
		snprintf(to, size, "%s/.config/vmxtape/config", home);
}

int cmd_tui(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	char config[MAX_PATH], notes[MAX_PATH], program[MAX_PATH], error[512];
	struct app_options app = { 0 };
	ssize_t length;

	if (count > 1)
		die("'%s' is too much: one tape at a time", argv[2]);
	app.path = count ? argv[1] : TAPE_DEFAULT;
	config_path(config, sizeof(config));
	app.config = *config ? config : NULL;
	if (snprintf(notes, sizeof(notes), "%s.notes", app.path) < (int)sizeof(notes))
		app.notes = notes;
	length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	program[MAX(length, 0)] = 0;
	app.program = *program ? program : NULL;
	if (!tui_run(&app, error, sizeof(error)))
		die("%s", error);
	return EXIT_CLEAN;
}
