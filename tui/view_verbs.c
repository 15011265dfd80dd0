/*
 * tui/view_verbs.c - the panes that are a verb's output: why, statistics, console, history, and
 * whatever `:` runs
 */
#include <stdio.h>

#include "tui/app_parts.h"

static bool open_why(struct app *app, struct view *view)
{
	char position[32];
	const char *const args[] = { "why", position, app->options.path, NULL };

	app_position(app, app->n, position);
	return verb_run(app, view, args);
}

static bool open_stat(struct app *app, struct view *view)
{
	const char *const args[] = { "stat", app->options.path, NULL };

	return verb_run(app, view, args);
}

static bool open_console(struct app *app, struct view *view)
{
	const char *const args[] = { "dump", "-f", "kind==console", app->options.path, NULL };

	return verb_run(app, view, args);
}

static bool open_history(struct app *app, struct view *view)
{
	const int field = app_field(app);
	char position[32];
	const char *args[] = { "blame", "-n", "1000", NULL, position, app->options.path, NULL };

	if (field < 0) {
		app_say(app, "no field is under the cursor: choose a VMREAD, a VMWRITE, or a line "
			     "of the VMCS");
		return false;
	}
	args[3] = vmcs_fields[field].name;
	view->field = field;
	app_position(app, app->n, position);
	return verb_run(app, view, args);
}

#define VERB_OPS .work = verb_work, .close = verb_close, .title = verb_title, .wide = true

const struct view_ops view_why_ops = { .open = open_why, .wraps = true, VERB_OPS };
const struct view_ops view_stat_ops = { .open = open_stat, VERB_OPS };
const struct view_ops view_console_ops = { .open = open_console, VERB_OPS };
const struct view_ops view_history_ops = { .open = open_history, VERB_OPS };
const struct view_ops view_output_ops = { VERB_OPS };
