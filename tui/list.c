#include "tui/list.h"

#include <stdio.h>

#include "tui/app_parts.h"
#include "tui/clock.h"

#define GUTTER	   2 /* columns: mark or note, finding */
#define NAME_WIDTH 10
#define L2_INDENT  2
#define DRAW_TIME  8000 /* microseconds that looking for rows may take */
#define VMCS_WIDTH 110	/* columns from which the VMCS has one of its own */
#define TICK_WIDTH 140	/* and the time since the event before */

/* --- which rows ------------------------------------------------------------------------------- */

/* The row of the cursor, or the nearest one. */
static enum rows_found selected_row(struct app *app, struct row *row)
{
	enum rows_found found = rows_at(app->list.rows, app->n, ROWS_FORWARD, row);

	if (found == ROWS_NONE)
		found = rows_at(app->list.rows, app->n, ROWS_BACKWARD, row);
	return found;
}

/* Makes list->top such that the selected row is in sight. */
static void keep_in_sight(struct app *app, const struct row *selected, unsigned height)
{
	struct list *const list = &app->list;
	struct row row, next;

	if (rows_at(list->rows, list->top, ROWS_FORWARD, &row) != ROWS_FOUND || row.n > selected->n)
		row = *selected;
	list->top = row.n;
	for (unsigned i = 0; i < height; i++) {
		if (row.n == selected->n)
			return;
		if (rows_next(list->rows, &row, &next) != ROWS_FOUND)
			break;
		row = next;
	}
	/* Below: the selected row is the last one, or in the middle after a long way. */
	row = *selected;
	for (unsigned up = selected->n - list->top > 4 * height ? height / 2 : height - 1; up;
	     up--) {
		if (rows_previous(list->rows, &row, &next) != ROWS_FOUND)
			break;
		row = next;
	}
	list->top = row.n;
}

/* No empty rows below when there are events above. */
static void fill_up(struct app *app, unsigned height)
{
	struct list *const list = &app->list;
	struct row row, next;
	unsigned have = 1;

	if (rows_at(list->rows, list->top, ROWS_FORWARD, &row) != ROWS_FOUND)
		return;
	while (have < height && rows_next(list->rows, &row, &next) == ROWS_FOUND) {
		row = next;
		have++;
	}
	if (have == height || rows_at(list->rows, list->top, ROWS_FORWARD, &row) != ROWS_FOUND)
		return;
	for (; have < height && rows_previous(list->rows, &row, &next) == ROWS_FOUND; have++)
		row = next;
	list->top = row.n;
}

/* --- one row ---------------------------------------------------------------------------------- */

static enum style row_style(const struct event_row *row)
{
	if (row->failed)
		return STYLE_ERROR;
	if (row->gap)
		return STYLE_WARNING;
	switch (row->kind) {
	case EV_MARK:
		return STYLE_MARK;
	case EV_HV_BUG:
	case EV_PANIC:
		return STYLE_ERROR;
	case EV_CONSOLE:
	case EV_VMCS_IMAGE:
	case EV_VMX_STATE:
	case EV_CLOCK:
	case EV_REGS:
	case EV_RAM:
	case EV_PAGE:
	case EV_HV_TIME:
	case EV_FILE:
		return STYLE_LABEL;
	default:
		return row->level == 2 ? STYLE_L2 : STYLE_PLAIN;
	}
}

static void draw_gutter(struct app *app, const struct area *area, unsigned at,
			const struct row *row)
{
	for (u32 i = 0; i < row->count && i < 64; i++) {
		const char mark = places_mark_at(&app->places, row->n + i);

		if (mark)
			draw_char(area, at, 0, STYLE_MARK, (u32)mark);
		else if (places_note_at(&app->places, row->n + i))
			draw_glyph(area, at, 0, STYLE_MARK, GLYPH_NOTE);
		if (app_is_provisional(app, row->n + i))
			draw_char(area, at, 1, STYLE_LABEL, '?');
		if (survey_is_evidence(app->survey, row->n + i))
			draw_glyph(area, at, 1, STYLE_WARNING, GLYPH_FINDING);
	}
}

/* Columns that "@c0:26295 " takes on this tape. */
static unsigned position_width(const struct app *app)
{
	unsigned width = 5;

	for (u64 n = app->events; n > 9; n /= 10)
		width++;
	for (unsigned cpus = reader_info(app->look)->cpus; cpus > 10; cpus /= 10)
		width++;
	return width + 1;
}

/* At the right edge, where there is room behind column @from: the VMCS and the address. */
static void draw_right(const struct area *area, unsigned at, const struct event_row *row,
		       unsigned from)
{
	const unsigned width = draw_width(row->where);
	unsigned edge = area->columns - 1;
	char vmcs[24];

	if (!width || from + width + 1 >= edge)
		return;
	draw_text(area, at, edge - width, STYLE_FAINT, row->where);
	if (area->columns < VMCS_WIDTH || row->vmcs == MODEL_NO_POINTER)
		return;
	edge -= MAX(width, 16u) + 2;
	snprintf(vmcs, sizeof(vmcs), "%llx", (unsigned long long)row->vmcs);
	if (edge > from + 2 && edge < area->columns && draw_width(vmcs) < edge - from - 1)
		draw_text(area, at, edge - draw_width(vmcs), STYLE_FAINT, vmcs);
}

static void draw_row(struct app *app, const struct area *area, unsigned at, const struct row *row)
{
	const struct event_row *const text = event_row_get(app->texts, app->look, row->n);
	const enum style style = row_style(text);
	unsigned column = GUTTER, from;
	const char *what;

	draw_text(area, at, column, STYLE_POSITION, text->position);
	column += position_width(app) + (text->level == 2 ? L2_INDENT : 0);
	from = draw_text(area, at, column, style, text->name);
	column = MAX(column + NAME_WIDTH, from + 1);
	if (row->count > 1)
		column = draw_format(area, at, column, STYLE_CHANGED, "%ux ", row->count);
	what = text->what;
	if (text->gap && app_is_provisional(app, row->n))
		what = "what this CPU did from here on is still to come";
	from = column + draw_width(what);
	draw_right(area, at, text, from);
	draw_text(area, at, column, style, what);
	if (from > area->columns)
		draw_more(area, at);
	draw_gutter(app, area, at, row);
}

void list_draw(struct app *app, const struct area *area, bool active)
{
	struct list *const list = &app->list;
	struct row selected = { .n = PLACES_NOWHERE }, row;
	enum rows_found found;

	rows_give(list->rows, DRAW_TIME);
	found = selected_row(app, &selected);
	list->count = 0;
	if (found == ROWS_FOUND) {
		keep_in_sight(app, &selected, area->rows);
		fill_up(app, area->rows);
		found = rows_at(list->rows, list->top, ROWS_FORWARD, &row);
	}
	list->waiting = found == ROWS_PENDING;
	if (found == ROWS_NONE)
		draw_text(area, 0, GUTTER, STYLE_LABEL,
			  app->events ? "no event matches the filter" : "the tape is empty");
	while (found == ROWS_FOUND && list->count < area->rows) {
		const bool here =
			row.n == selected.n && app->n >= row.n && app->n < row.n + row.count;
		struct area line = *area;

		line.flags = here ? CELL_SELECTED | (active ? CELL_ACTIVE : 0) : 0;
		if (here)
			draw_blank(&line, list->count, STYLE_PLAIN);
		draw_row(app, &line, list->count, &row);
		list->shown[list->count++] = row.n;
		found = rows_next(list->rows, &row, &row);
	}
	if (found == ROWS_PENDING) {
		list->waiting = true;
		if (list->count < area->rows)
			draw_text(area, list->count, GUTTER, STYLE_LABEL, "looking for more ...");
	}
}

/* --- moving ----------------------------------------------------------------------------------- */

/* Moves by app->list.owed lines, as far as rows are known. */
static void pay(struct app *app)
{
	struct list *const list = &app->list;
	const u64 end = clock_microseconds() + APP_SLICE;
	struct row row, next;
	enum rows_found found;

	rows_give(list->rows, APP_SLICE);
	found = selected_row(app, &row);

	while (found == ROWS_FOUND && list->owed && clock_microseconds() < end) {
		found = list->owed > 0 ? rows_next(list->rows, &row, &next)
				       : rows_previous(list->rows, &row, &next);
		if (found != ROWS_FOUND)
			break;
		row = next;
		list->owed += list->owed > 0 ? -1 : 1;
		app_go(app, row.n);
	}
	if (found == ROWS_NONE)
		list->owed = 0;
}

static void move(struct app *app, s64 lines)
{
	app->list.owed = lines;
	pay(app);
}

/* The first or the last row. */
static void to_end(struct app *app, bool last)
{
	struct row row;
	enum rows_found found;

	rows_give(app->list.rows, DRAW_TIME);
	found = rows_at(app->list.rows, last ? app->events : 0, last ? ROWS_BACKWARD : ROWS_FORWARD,
			&row);

	if (found == ROWS_FOUND)
		app_jump(app, row.n);
	else if (app->events)
		app_jump(app, last ? app->events - 1 : 0);
}

bool list_request(struct app *app, enum request request, u64 count)
{
	struct list *const list = &app->list;
	const s64 page = MAX((s64)app->list_area.rows - 1, 1), half = MAX(page / 2, 1);
	const s64 times = (s64)MIN(MAX(count, 1ull), 100000ull);

	switch (request) {
	case REQUEST_DOWN:
		move(app, times);
		return true;
	case REQUEST_UP:
		move(app, -times);
		return true;
	case REQUEST_HALF_DOWN:
		move(app, half * times);
		return true;
	case REQUEST_HALF_UP:
		move(app, -half * times);
		return true;
	case REQUEST_PAGE_DOWN:
		move(app, page * times);
		return true;
	case REQUEST_PAGE_UP:
		move(app, -page * times);
		return true;
	case REQUEST_FIRST:
	case REQUEST_LAST:
		if (count)
			app_jump(app, MIN(count, app->events ? app->events - 1 : 0));
		else
			to_end(app, request == REQUEST_LAST);
		return true;
	case REQUEST_CAPTURED:
		rows_set_hidden(list->rows, rows_hidden(list->rows) ? 0 : LIST_CAPTURED);
		app_say(app, rows_hidden(list->rows)
				     ? "what was captured beside is left out"
				     : "registers and memory that were captured are shown");
		return true;
	case REQUEST_FOLD:
		rows_set_folding(list->rows, !rows_folding(list->rows));
		app_say(app, rows_folding(list->rows) ? "repeats are folded" : "repeats are shown");
		return true;
	default:
		return false;
	}
}

bool list_work(struct app *app)
{
	struct list *const list = &app->list;

	if (!list->waiting && !list->owed)
		return false;
	/* Drawing finds out whether that was all. */
	list->waiting = rows_work(list->rows, APP_SLICE);
	if (list->owed)
		pay(app);
	app->changed = true;
	return true;
}
