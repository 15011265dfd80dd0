/*
 * tui/view_help.c - the keys, from the table of requests: first those that somebody new needs
 */
#include <stdio.h>

#include "tui/app_parts.h"

#define KEYS_COLUMN 2
#define NAME_COLUMN 18
#define WIDE	    100 /* columns from which names of requests are shown */

static void add(struct app *app, struct lines *lines, const struct request_info *info,
		unsigned columns)
{
	char keys[64];

	keymap_keys(&app->config.keymap, (enum request)info->request, keys, sizeof(keys));
	lines_add(lines);
	lines_pad(lines, KEYS_COLUMN);
	lines_put(lines, STYLE_KEY, "%s", keys);
	lines_pad(lines, NAME_COLUMN);
	lines_put(lines, STYLE_PLAIN, "%s", info->help);
	if (columns >= WIDE) {
		lines_pad(lines, columns - 20);
		lines_put(lines, STYLE_FAINT, "%s", info->name);
	}
}

static void make_essential(struct app *app, struct view *view)
{
	lines_title(&view->lines, "What you need first");
	for (size_t i = 0; i < request_table_count; i++)
		if (request_table[i].essential)
			add(app, &view->lines, &request_table[i], view->columns);
}

static void make(struct app *app, struct view *view)
{
	make_essential(app, view);
	lines_add(&view->lines);
	lines_title(&view->lines, "All keys");
	for (size_t i = 0; i < request_table_count; i++) {
		const struct request_info *const info = &request_table[i];

		if (info->request) {
			add(app, &view->lines, info, view->columns);
			continue;
		}
		lines_add(&view->lines);
		lines_title(&view->lines, "%s", info->help);
	}
	lines_add(&view->lines);
	lines_title(&view->lines, "signs");
	lines_add(&view->lines);
	lines_put(&view->lines, STYLE_PLAIN,
		  "  In the list: a letter is a mark; then whether a finding rests on the event, "
		  "or '?':");
	lines_add(&view->lines);
	lines_put(&view->lines, STYLE_PLAIN,
		  "  others can still come before it, since the tape is being recorded.");
	lines_add(&view->lines);
	lines_put(&view->lines, STYLE_PLAIN,
		  "  In the overview: a lane for each CPU and level, higher where more happens; "
		  "below,");
	lines_add(&view->lines);
	lines_put(
		&view->lines, STYLE_PLAIN,
		"  gaps, findings, failures and marks, and between brackets what the list shows.");
	lines_add(&view->lines);
	lines_put(&view->lines, STYLE_PLAIN,
		  "  Keys are bound in ~/.config/vmxtape/config: bind ctrl-n down");
}

const struct view_ops view_help_ops = { .make = make };
