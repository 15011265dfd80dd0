#include "tui/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/event_text.h"
#include "replay/position.h"
#include "tui/app_parts.h"

#define NEAR 8000 /* events that a timeline steps over without an index */

/* --- start and end ---------------------------------------------------------------------------- */

static const struct view_ops *const view_ops[VIEW_COUNT] = {
#define VIEW(NAME, name) [VIEW_##NAME] = &view_##name##_ops,
#include "tui/views.def"
#undef VIEW
};

static const char *const view_names[VIEW_COUNT] = {
#define VIEW(NAME, name) [VIEW_##NAME] = #name,
#include "tui/views.def"
#undef VIEW
};

static void make_views(struct app *app)
{
	for (unsigned i = 1; i < VIEW_COUNT; i++)
		app->views[i] = (struct view){
			.ops = view_ops[i],
			.name = view_names[i],
			.field = LINES_NO_FIELD,
		};
	app->pane = VIEW_DETAIL;
}

static void read_config(struct app *app)
{
	char error[sizeof(app->message)];

	config_init(&app->config);
	if (app->options.config &&
	    config_read(&app->config, app->options.config, error, sizeof(error)) != ST_OK)
		app_fail(app, "%s", error);
	app->by = app->config.by_events ? SURVEY_BY_EVENTS : SURVEY_BY_TIME;
	app_set_unicode(app, app->options.unicode);
}

void app_set_unicode(struct app *app, bool unicode)
{
	app->grid.unicode = unicode;
	if (!strcmp(app->config.unicode, "yes"))
		app->grid.unicode = true;
	else if (!strcmp(app->config.unicode, "no"))
		app->grid.unicode = false;
}

/* The tape and all that reads it. */
static enum status open_tape(struct app *app, char *error, size_t size)
{
	const char *const path = app->options.path;
	enum status status = timeline_open(path, &app->timeline, error, size);

	if (status != ST_OK)
		return status;
	app->look = timeline_reader(app->timeline);
	app->schema = reader_names(app->look)->schema;
	app->events = timeline_events(app->timeline);
	if (app->options.hooks && app->options.hooks->symbols)
		app->options.hooks->symbols(app->look);
	app_follow_start(app);
	if (!app->follows)
		index_job_start(&app->index, path, app->events);
	app->moves = timeline_moves(app->timeline);
	app->survey = survey_new(path, error, size);
	if (!app->survey)
		return ST_IO;
	app->texts = event_rows_new(path);
	app->list.rows = rows_new(app->look);
	app->find = find_new(app->look);
	app->entries = rows_new(app->look);
	if (app->list.rows)
		rows_set_hidden(app->list.rows, LIST_CAPTURED);
	if (app->texts && app->list.rows && app->find && app->entries &&
	    rows_grow(app->list.rows, app->look, app->events, 0) == ST_OK)
		return ST_OK;
	snprintf(error, size, "'%s': %s", path, status_text(ST_NO_MEMORY));
	return ST_NO_MEMORY;
}

/* Behind the boot record, which says what machine it is: the first thing that happened. */
static u64 first_event(struct app *app)
{
	const struct trace_event *event;
	u64 n;

	if (reader_seek(app->look, 0) != ST_OK)
		return 0;
	while ((n = reader_tell(app->look)) < ROWS_CHUNK && reader_next(app->look, &event) == ST_OK)
		if (event->kind < EV_VMCS_IMAGE || event->kind == EV_CONSOLE)
			return n;
	return 0;
}

struct app *app_new(const struct app_options *options, char *error, size_t size)
{
	struct app *const app = calloc(1, sizeof(*app));

	if (!app) {
		snprintf(error, size, "%s", status_text(ST_NO_MEMORY));
		return NULL;
	}
	app->options = *options;
	make_views(app);
	read_config(app);
	if (open_tape(app, error, size) != ST_OK || grid_resize(&app->grid, 24, 80) != ST_OK) {
		app_free(app);
		return NULL;
	}
	if (places_open(&app->places, options->notes, app->look) != ST_OK)
		app_fail(app, "'%s' cannot be read: marks and notes are missing", options->notes);
	app_go(app, first_event(app));
	app->list.top = app->n;
	if (app->options.gdb)
		app_gdb_command(app, app->options.gdb);
	return app;
}

void app_free(struct app *app)
{
	if (!app)
		return;
	for (unsigned i = 1; i < VIEW_COUNT; i++) {
		if (app->views[i].ops->close)
			app->views[i].ops->close(app, &app->views[i]);
		lines_free(&app->views[i].lines);
	}
	app_gdb_close(app);
	child_stop(&app->index.child);
	prompt_free(&app->prompt);
	places_close(&app->places);
	find_free(app->find);
	rows_free(app->list.rows);
	rows_free(app->entries);
	event_rows_free(app->texts);
	survey_free(app->survey);
	survey_free(app->survey_next);
	reader_close(app->fresh);
	timeline_close(app->timeline);
	grid_free(&app->grid);
	free(app);
}

/* --- small things ----------------------------------------------------------------------------- */

void app_say(struct app *app, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(app->message, sizeof(app->message), format, args);
	va_end(args);
	app->message_bad = false;
}

void app_fail(struct app *app, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(app->message, sizeof(app->message), format, args);
	va_end(args);
	app->message_bad = true;
}

void app_go(struct app *app, u64 n)
{
	app->n = app->events ? MIN(n, app->events - 1) : 0;
	app->changed = true;
}

void app_jump(struct app *app, u64 n)
{
	if (n != app->n)
		places_left(&app->places, app->n);
	app_go(app, n);
}

bool app_seek(struct app *app)
{
	const u64 at = timeline_tell(app->timeline);
	enum status status = ST_OK;

	if (app->n >= timeline_events(app->timeline) && app_grow_timeline(app))
		return app_seek(app);
	if (app->n > timeline_events(app->timeline) ||
	    (child_is_running(&app->index.child) && (app->n < at || app->n > at + NEAR))) {
		app->has_state = false;
		return false;
	}
	if (at != app->n)
		status = timeline_seek(app->timeline, app->n);
	app->moves = timeline_moves(app->timeline);
	if (status != ST_OK)
		app_fail(app, "the state before this event: %s", status_text(status));
	app->has_state = status == ST_OK;
	return app->has_state;
}

const struct trace_event *app_event(struct app *app)
{
	const struct trace_event *event;

	if (app->n >= app->events || reader_seek(app->look, app->n) != ST_OK ||
	    reader_next(app->look, &event) != ST_OK)
		return NULL;
	return event;
}

void app_position(struct app *app, u64 n, char *to)
{
	if (n < app->events)
		snprintf(to, 32, "%s", event_row_get(app->texts, app->look, n)->position);
	else
		snprintf(to, 32, "@%llu", (unsigned long long)n);
}

struct view *app_active_view(struct app *app)
{
	return app->pane_active && app->pane ? &app->views[app->pane] : NULL;
}

void app_open(struct app *app, enum view_id id, bool active)
{
	struct view *const view = &app->views[id];

	if (!view->ops->open || view->ops->open(app, view))
		app_show(app, id, active);
}

void app_show(struct app *app, enum view_id id, bool active)
{
	if (app->pane != id)
		app->pane_left = app->pane == VIEW_HELP ? app->pane_left : app->pane;
	app->pane = id;
	app->pane_active = active;
	app->zoomed = false;
	app->changed = true;
}

int app_field(struct app *app)
{
	const struct view *const view = app_active_view(app);
	const struct line *const line = view ? view_line(view) : NULL;
	const struct trace_event *event;

	if (line && line->field != LINES_NO_FIELD)
		return line->field;
	event = app_event(app);
	if (event && event->kind == EV_VMREAD)
		return vmcs_access_index(((const struct ev_vmread *)event->col)->field);
	if (event && event->kind == EV_VMWRITE)
		return vmcs_access_index(((const struct ev_vmwrite *)event->col)->field);
	if (event && event->kind == EV_VMCS12_WRITE)
		return vmcs_access_index(((const struct ev_vmcs12_write *)event->col)->field);
	return view ? view->field : LINES_NO_FIELD;
}

/* --- requests --------------------------------------------------------------------------------- */

static void close_pane(struct app *app)
{
	if (app->pane_active && app->pane != VIEW_DETAIL) {
		app->pane = app->pane_left ? app->pane_left : VIEW_DETAIL;
		app->pane_left = VIEW_DETAIL;
		app->pane_active = false;
		app->zoomed = false;
	} else if (app->pane_active) {
		app->pane_active = false;
		app->zoomed = false;
	} else {
		app->over = true;
	}
}

static void cancel(struct app *app)
{
	if (app->find->running)
		app_say(app, "the search for %s was stopped", app->find->what);
	app->find->running = false;
	app->list.owed = 0;
}

/* To the first position that the text of the line names. */
static bool jump_to_named(struct app *app, const struct view *view)
{
	char position[LINES_POSITION], error[sizeof(app->message)];
	u64 n;

	if (!lines_position(&view->lines, view->selected, position))
		return false;
	if (position_resolve(app->look, position, &n, error, sizeof(error)) == ST_OK)
		app_jump(app, n);
	else
		app_fail(app, "%s", error);
	return true;
}

static void enter(struct app *app)
{
	struct view *const view = app_active_view(app);
	const struct line *const line = view ? view_line(view) : NULL;

	if (!view)
		app->pane_active = app->pane;
	else if (line && line->event != LINES_NO_EVENT)
		app_jump(app, line->event);
	else if (!line || !jump_to_named(app, view))
		app_say(app, "this line names no event");
}

/* Tab is ctrl-i as well: forward on the way that ctrl-o went back, else the other pane. */
static void other_pane(struct app *app)
{
	const u64 n = places_forward(&app->places, app->n);

	if (n != PLACES_NOWHERE)
		app_go(app, n);
	else
		app->pane_active = app->pane && !app->pane_active;
}

static void scroll_pane(struct app *app, bool down, u64 count)
{
	struct view *const view = app->pane ? &app->views[app->pane] : NULL;
	const size_t last =
		view && view->lines.count > view->rows ? view->lines.count - view->rows : 0;

	if (!view)
		return;
	count = MAX(count, 1ull);
	view->top = down ? MIN(view->top + count, last) : view->top - MIN(view->top, count);
	view_select(view, MIN(MAX(view->selected, view->top), view->top + MAX(view->rows, 1u) - 1));
}

/* The request that opens each view has its name. */
static enum view_id view_of(enum request request)
{
	switch (request) {
#define VIEW(NAME, name)     \
	case REQUEST_##NAME: \
		return VIEW_##NAME;
#include "tui/views.def"
#undef VIEW
	default:
		return VIEW_NONE;
	}
}

static bool pane_request(struct app *app, enum request request, u64 count)
{
	struct view *const view = app_active_view(app);

	return view ? view_request(app, view, request, count) : list_request(app, request, count);
}

static bool app_own_request(struct app *app, enum request request, u64 count)
{
	switch (request) {
	case REQUEST_OTHER_PANE:
		other_pane(app);
		return true;
	case REQUEST_ENTER:
		enter(app);
		return true;
	case REQUEST_PANE_DOWN:
	case REQUEST_PANE_UP:
		scroll_pane(app, request == REQUEST_PANE_DOWN, count);
		return true;
	case REQUEST_ZOOM:
		app->zoomed = !app->zoomed;
		return true;
	case REQUEST_CLOSE:
		close_pane(app);
		return true;
	case REQUEST_TIMELINE:
		app->by = app->by == SURVEY_BY_TIME ? SURVEY_BY_EVENTS : SURVEY_BY_TIME;
		app_say(app, app->by == SURVEY_BY_TIME
				     ? "overview: a column is a time"
				     : "overview: a column is a number of events");
		return true;
	case REQUEST_REDRAW:
		app->wish = APP_WISH_REDRAW;
		return true;
	case REQUEST_SUSPEND:
		app->wish = APP_WISH_SUSPEND;
		return true;
	case REQUEST_CANCEL:
		cancel(app);
		return true;
	case REQUEST_QUIT:
		app->over = true;
		return true;
	default:
		return false;
	}
}

void app_request(struct app *app, enum request request, u64 count)
{
	const enum view_id id = view_of(request);
	char key[INPUT_MAX_NAME];

	if (request == REQUEST_NONE)
		return;
	if (app_own_request(app, request, count) || app_move_request(app, request, count) ||
	    pane_request(app, request, count))
		return;
	if (id == VIEW_DIFF) {
		app->diff_from = count && count < app->events ? count : PLACES_NOWHERE;
		app->views[id].stale = true;
	}
	if (id) {
		app_open(app, id, true);
		return;
	}
	keymap_key(&app->config.keymap, request, key);
	app_say(app, "'%s' does nothing here", key);
}

/* --- input ------------------------------------------------------------------------------------ */

static bool inside(const struct area *area, const struct input_event *event)
{
	return event->row >= area->row && event->row < area->row + area->rows &&
	       event->column >= area->column && event->column < area->column + area->columns;
}

static void click(struct app *app, const struct input_event *event)
{
	struct view *const view = app->pane ? &app->views[app->pane] : NULL;

	if (inside(&app->overview_area, event)) {
		app_jump(app, overview_event(app, event->column - app->overview_area.column));
	} else if (inside(&app->list_area, event)) {
		const unsigned row = event->row - app->list_area.row;

		app->pane_active = false;
		if (row < app->list.count)
			app_go(app, app->list.shown[row]);
	} else if (view && inside(&app->pane_area, event)) {
		const size_t line = view->top + event->row - app->pane_area.row;

		if (app->pane_active && line == view->selected)
			enter(app);
		app->pane_active = true;
		view_select(view, line);
	}
}

static void wheel(struct app *app, const struct input_event *event)
{
	const bool down = event->key == INPUT_WHEEL_DOWN;

	if (app->pane && inside(&app->pane_area, event))
		scroll_pane(app, down, 3);
	else
		list_request(app, down ? REQUEST_DOWN : REQUEST_UP, 3);
}

static void take_key(struct app *app, u32 key)
{
	enum request request;

	if (app->prompt.kind) {
		app_prompt_key(app, key);
		return;
	}
	if (key >= '0' && key <= '9' && (app->count || key != '0')) {
		app->count = MIN(app->count * 10 + (key - '0'), 1000000000000ull);
		return;
	}
	*app->message = 0;
	if (app->find->running)
		cancel(app);
	request = keymap_request(&app->config.keymap, key);
	app_request(app, request, app->count);
	if (request == REQUEST_NONE) {
		char name[INPUT_MAX_NAME], help[INPUT_MAX_NAME];

		input_name(key, name);
		keymap_key(&app->config.keymap, REQUEST_HELP, help);
		app_say(app, "'%s' is bound to nothing; '%s' shows the keys", name, help);
	}
	app->count = 0;
}

void app_input(struct app *app, const struct input_event *event)
{
	app->changed = true;
	switch (event->key) {
	case INPUT_NONE:
		return;
	case INPUT_RESIZE:
		if (grid_resize(&app->grid, event->row, event->column) != ST_OK)
			app_fail(app, "the new size: %s", status_text(ST_NO_MEMORY));
		return;
	case INPUT_MOUSE:
		click(app, event);
		return;
	case INPUT_WHEEL_UP:
	case INPUT_WHEEL_DOWN:
		wheel(app, event);
		return;
	default:
		take_key(app, event->key);
	}
}

/* --- in the background ------------------------------------------------------------------------ */

/* The states of the whole tape are to be had when the index is there. */
static bool index_slice(struct app *app)
{
	const unsigned before = app->index.percent;

	if (!child_is_running(&app->index.child))
		return false;
	if (index_job_work(&app->index)) {
		app->changed |= app->index.percent != before;
		return false;
	}
	for (unsigned i = 1; i < VIEW_COUNT; i++)
		app->views[i].stale = true;
	app->changed = true;
	return true;
}

static void survey_is_there(struct app *app)
{
	app->changed = true;
	for (unsigned i = 1; i < VIEW_COUNT; i++)
		app->views[i].stale = true;
}

static bool survey_slice(struct app *app)
{
	const bool was_done = app->survey->done;

	if (was_done && app->survey_next) {
		if (survey_work(app->survey_next, APP_SLICE))
			return true;
		survey_free(app->survey);
		app->survey = app->survey_next;
		app->survey_next = NULL;
		survey_is_there(app);
		return false;
	}
	if (survey_work(app->survey, APP_SLICE)) {
		app->changed = true;
		return true;
	}
	if (!was_done)
		survey_is_there(app);
	return false;
}

bool app_work(struct app *app)
{
	struct view *const view = app->pane ? &app->views[app->pane] : NULL;

	if (app_gdb_work(app) || app_find_work(app, APP_SLICE) || list_work(app) ||
	    index_slice(app))
		return true;
	if (view && view->ops->work && view->ops->work(app, view)) {
		app->changed = true;
		return true;
	}
	if (!child_is_running(&app->index.child) && event_rows_work(app->texts, APP_SLICE)) {
		app->changed = true;
		return true;
	}
	return survey_slice(app);
}

bool app_changed(const struct app *app)
{
	return app->changed;
}

bool app_is_over(const struct app *app)
{
	return app->over;
}

unsigned app_fds(const struct app *app, struct pollfd *fds)
{
	const struct view *const view = app->pane ? &app->views[app->pane] : NULL;
	unsigned count = 0;

	if (view && child_is_running(&view->verb.child))
		fds[count++] = (struct pollfd){ .fd = view->verb.child.fd, .events = POLLIN };
	if (child_is_running(&app->index.child))
		fds[count++] = (struct pollfd){ .fd = app->index.child.fd, .events = POLLIN };
	if (app->gdb)
		count += app->options.hooks->gdb_fds(app->gdb, fds + count);
	return count;
}

enum app_wish app_take_wish(struct app *app)
{
	const enum app_wish wish = app->wish;

	app->wish = APP_WISH_NONE;
	return wish;
}

const char *app_copied(const struct app *app)
{
	return app->copied;
}

const char *app_theme(const struct app *app)
{
	return app->config.theme;
}
