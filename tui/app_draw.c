/*
 * tui/app_draw.c - the screen as a whole
 *
 *	top bar
 *	overview
 *	list of events, and beside or below it a pane with its title
 *	status, or a prompt
 *	keys
 */
#include <stdio.h>
#include <string.h>

#include "tui/app_parts.h"

#define SIDE_BY_SIDE  120 /* columns from which the pane is beside the list */
#define WIDE_BY_SIDE  200 /* one whose lines are long */
#define ROWS_FOR_KEYS 12  /* rows from which there is a line with keys */

static struct area whole(struct app *app)
{
	return (struct area){ .grid = &app->grid,
			      .rows = app->grid.rows,
			      .columns = app->grid.columns };
}

static struct area part(const struct area *area, unsigned row, unsigned rows)
{
	struct area made = *area;

	made.row += row;
	made.rows = rows;
	return made;
}

/* --- bars ------------------------------------------------------------------------------------- */

static const char *file_name(const char *path)
{
	const char *const slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* What is missing or wrong about the recording, "" when nothing is. */
static void losses(struct app *app, char *to, size_t size)
{
	const struct reader_info *const info = reader_info(app->look);

	*to = 0;
	if (info->lost)
		snprintf(to, size, "%llu lost", (unsigned long long)info->lost);
	else if (info->gaps && !app->follows)
		snprintf(to, size, "%u gaps", info->gaps);
	else if (reader_damage(app->look) && !app->follows)
		snprintf(to, size, "damaged");
	else if (!info->finished && !app->follows)
		snprintf(to, size, "cut");
}

/* Since the first event, in seconds where the tape says how long a tick is. */
static void time_text(struct app *app, char *to, size_t size)
{
	const struct reader_info *const info = reader_info(app->look);
	u64 tsc;

	*to = 0;
	if (app->n >= app->events)
		return;
	tsc = event_row_get(app->texts, app->look, app->n)->tsc;
	tsc -= MIN(tsc, app->survey->first_tsc);
	if (info->tsc_hz)
		snprintf(to, size, "%.6f s", (double)tsc / (double)info->tsc_hz);
	else
		snprintf(to, size, "%.3f M ticks", (double)tsc / 1e6);
}

static void draw_top(struct app *app, const struct area *area)
{
	const char *const l1 = reader_boot(app->look, 0)->texts[TEXT_L1_NAME];
	char position[32], time[32], lost[32], gdb[64], right[128];
	unsigned column, width;

	draw_blank(area, 0, STYLE_BAR);
	column = draw_text(area, 0, 1, STYLE_BAR_STRONG, file_name(app->options.path));
	if (l1)
		column = draw_format(area, 0, column, STYLE_BAR, "  L1: %s", file_name(l1));
	app_position(app, app->n, position);
	time_text(app, time, sizeof(time));
	losses(app, lost, sizeof(lost));
	app_gdb_text(app, gdb, sizeof(gdb));
	snprintf(right, sizeof(right), "%s   %llu%% of %llu   %s ", position,
		 app->events ? (unsigned long long)(100 * app->n / app->events) : 0,
		 (unsigned long long)app->events, time);
	width = draw_width(right) + (*lost ? draw_width(lost) + 4 : 0) +
		(*gdb ? draw_width(gdb) + 4 : 0) + (app->follows ? 8 : 0);
	if (width >= area->columns)
		return;
	column = MAX(area->columns - width, MIN(column + 1, area->columns / 3));
	if (app->follows)
		column = draw_text(area, 0, column, STYLE_BAR_STRONG, "[live]") + 2;
	if (*gdb)
		column = draw_format(area, 0, column, STYLE_BAR_STRONG, "[%s]", gdb) + 2;
	if (*lost)
		column = draw_format(area, 0, column, STYLE_BAR_BAD, " %s ", lost) + 2;
	draw_text(area, 0, column, STYLE_BAR, right);
}

/* The keys that somebody new needs, as many as there is room for. */
static void draw_keys(struct app *app, const struct area *area)
{
	static const struct {
		enum request request;
		const char *label;
	} shown[] = {
		{ REQUEST_HELP, "help" },	  { REQUEST_NEXT_FINDING, "finding" },
		{ REQUEST_WHY, "why" },		  { REQUEST_BLAME, "blame" },
		{ REQUEST_VMCS, "vmcs" },	  { REQUEST_DIFF, "diff" },
		{ REQUEST_SEARCH, "search" },	  { REQUEST_FILTER, "filter" },
		{ REQUEST_NEXT_ENTRY, "entry" },  { REQUEST_OTHER_PANE, "pane" },
		{ REQUEST_FINDINGS, "findings" }, { REQUEST_STAT, "stat" },
		{ REQUEST_COMMAND, "command" },	  { REQUEST_CLOSE, "quit" },
	};
	unsigned column = 1;

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		char key[INPUT_MAX_NAME];

		keymap_key(&app->config.keymap, shown[i].request, key);
		if (!*key || column + strlen(key) + 1 + strlen(shown[i].label) > area->columns)
			continue;
		column = draw_text(area, 0, column, STYLE_KEY, key) + 1;
		column = draw_text(area, 0, column, STYLE_LABEL, shown[i].label) + 2;
	}
}

/* --- status ----------------------------------------------------------------------------------- */

static void draw_prompt(struct app *app, const struct area *area)
{
	const struct prompt *const prompt = &app->prompt;
	unsigned column = draw_text(area, 0, 0, STYLE_STRONG, prompt_lead(prompt));
	char before[PROMPT_MAX];
	unsigned cursor, skip;
	const char *at = prompt->text, *const end = prompt->text + prompt->size;

	memcpy(before, prompt->text, prompt->at);
	before[prompt->at] = 0;
	cursor = draw_width(before);
	/* A long text is shown around its cursor. */
	skip = column + cursor >= area->columns ? column + cursor - area->columns + 1 : 0;
	for (unsigned i = 0; i < skip && at < end; i++)
		grid_code_point(&at, end);
	draw_bytes(area, 0, column, STYLE_PLAIN, at, (size_t)(end - at));
	app->grid.cursor = true;
	app->grid.cursor_row = area->row;
	app->grid.cursor_column = MIN(column + cursor - skip, area->columns - 1);
}

/* So that nobody has to know that there are some. */
static void findings_text(struct app *app, char *to, size_t size)
{
	const unsigned count = survey_findings(app->survey)->count;
	char key[INPUT_MAX_NAME];

	keymap_key(&app->config.keymap, REQUEST_NEXT_FINDING, key);
	if (count)
		snprintf(to, size, "%u finding%s: %s goes there", count, count == 1 ? "" : "s",
			 key);
}

/* What goes on, for the right end of the line. */
static void activity(struct app *app, char *to, size_t size)
{
	*to = 0;
	if (app->find->running)
		snprintf(to, size, "looking for %s: %u%%, esc stops", app->find->what,
			 rows_progress(app->find->rows));
	else if (app->list.waiting)
		snprintf(to, size, "filtering: %u%% of the tape", rows_progress(app->list.rows));
	else if (app->count)
		snprintf(to, size, "%llu", (unsigned long long)app->count);
	else if (child_is_running(&app->index.child))
		snprintf(to, size, "making an index: %u%%", app->index.percent);
	else if (!app->survey->done)
		snprintf(to, size, "reading the tape: %u%%", survey_progress(app->survey));
	else
		findings_text(app, to, size);
}

static void filter_error(struct app *app, char *to, size_t size)
{
	char meaning[FIND_MAX], error[256];
	struct query *query;

	*to = 0;
	if (!app->prompt.size || (app->prompt.kind != PROMPT_FILTER &&
				  (app->prompt.kind != PROMPT_SEARCH || app_active_view(app))))
		return;
	if (find_meaning(app->schema, app->prompt.text, meaning, sizeof(meaning), &query, error,
			 sizeof(error)) != ST_OK)
		snprintf(to, size, "%s", error);
	else if (strcmp(meaning, app->prompt.text))
		snprintf(to, size, "= %.200s", meaning);
	query_free(query);
}

static void draw_status(struct app *app, const struct area *area)
{
	char right[256] = "";
	unsigned column = 1, width;

	if (app->prompt.kind) {
		draw_prompt(app, area);
		filter_error(app, right, sizeof(right));
	} else {
		if (*app->message)
			column = draw_text(area, 0, column,
					   app->message_bad ? STYLE_ERROR : STYLE_PLAIN,
					   app->message);
		else if (*app->filter)
			column =
				draw_format(area, 0, column, STYLE_NOTE, "filter: %s", app->filter);
		activity(app, right, sizeof(right));
	}
	if (app->prompt.kind)
		column = app->grid.cursor_column + 1;
	if (column > area->columns)
		draw_more(area, 0);
	width = draw_width(right) + 1;
	/* What is said of the text that is typed is cut rather than left out. */
	if (width + column + 2 <= area->columns)
		draw_text(area, 0, area->columns - width, STYLE_LABEL, right);
	else if (app->prompt.kind)
		draw_text(area, 0, column + 2, STYLE_LABEL, right);
}

/* --- body ------------------------------------------------------------------------------------- */

static void draw_title(struct app *app, const struct area *area, const struct view *view,
		       bool active)
{
	char behind[160] = "";
	unsigned column;

	draw_rule(area, 0);
	if (view->ops->title)
		view->ops->title(app, view, behind, sizeof(behind));
	column = draw_char(area, 0, 2, STYLE_PLAIN, ' ');
	column = draw_text(area, 0, column, active ? STYLE_KEY : STYLE_TITLE, view->name);
	if (*behind) {
		column = draw_char(area, 0, column, STYLE_PLAIN, ' ');
		column = draw_text(area, 0, column, STYLE_LABEL, behind);
	}
	column = draw_char(area, 0, column, STYLE_PLAIN, ' ');
	if (view->lines.count > view->rows && column + 12 < area->columns) {
		char text[32];

		snprintf(text, sizeof(text), " %zu%% ",
			 100 * MIN(view->top + view->rows, view->lines.count) / view->lines.count);
		draw_text(area, 0, area->columns - draw_width(text) - 2, STYLE_LABEL, text);
	}
}

static void draw_pane(struct app *app, const struct area *area)
{
	struct view *const view = &app->views[app->pane];
	const struct area title = part(area, 0, 1);

	app->pane_area = part(area, 1, area->rows - 1);
	view_draw(app, view, &app->pane_area, app->pane_active);
	draw_title(app, &title, view, app->pane_active);
}

static void draw_list(struct app *app, const struct area *area)
{
	app->list_area = *area;
	list_draw(app, area, !app->pane_active);
}

/* Rows of the list above a pane: more for the list while it has the keys. */
static unsigned list_rows(const struct app *app, unsigned rows)
{
	if (app->pane_active && app->pane != VIEW_DETAIL)
		return MAX(rows / 4, 3u);
	return app->pane == VIEW_DETAIL ? rows - MIN(rows / 2, 18u) : rows / 2;
}

static void draw_body(struct app *app, const struct area *area)
{
	const bool alone = app->zoomed || app->pane == VIEW_HELP || area->rows < 8;
	struct area left = *area, right = *area;

	app->pane_area = app->list_area = (struct area){ 0 };
	if (!app->pane || (alone && !app->pane_active)) {
		draw_list(app, area);
	} else if (alone) {
		draw_pane(app, area);
	} else if (area->columns >=
		   (app->views[app->pane].ops->wide ? WIDE_BY_SIDE : SIDE_BY_SIDE)) {
		left.columns = area->columns * 11 / 20;
		right.column += left.columns + 1;
		right.columns -= left.columns + 1;
		draw_list(app, &left);
		for (unsigned row = 0; row < area->rows; row++)
			draw_glyph(area, row, left.columns, STYLE_RULE, GLYPH_VERTICAL);
		draw_pane(app, &right);
	} else {
		const unsigned rows = list_rows(app, area->rows);

		left = part(area, 0, rows);
		right = part(area, rows, area->rows - rows);
		draw_list(app, &left);
		draw_pane(app, &right);
	}
}

const struct grid *app_draw(struct app *app)
{
	const struct area screen = whole(app);
	const unsigned keys = screen.rows >= ROWS_FOR_KEYS;
	const bool help = app->pane == VIEW_HELP && app->pane_active;
	const unsigned overview = help ? 0 : overview_rows(app);
	const unsigned below = 1 + keys;
	struct area area;

	if (timeline_moves(app->timeline) != app->moves) {
		app->moves = timeline_moves(app->timeline);
		app_go(app, timeline_tell(app->timeline));
	}
	grid_clear(&app->grid);
	app->overview_area = (struct area){ 0 };
	if (screen.rows > 1 + overview + below) {
		area = part(&screen, 1 + overview, screen.rows - 1 - overview - below);
		draw_body(app, &area);
	}
	if (overview) {
		area = part(&screen, 1, overview);
		overview_draw(app, &area);
	}
	area = part(&screen, 0, 1);
	draw_top(app, &area);
	if (screen.rows > below) {
		area = part(&screen, screen.rows - below, 1);
		draw_status(app, &area);
	}
	if (keys) {
		area = part(&screen, screen.rows - 1, 1);
		draw_keys(app, &area);
	}
	app->changed = false;
	return &app->grid;
}
