#include "tui/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	app->bound = PLACES_NOWHERE;
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
	const u64 to = app->events ? MIN(n, app->events - 1) : 0;
	const bool first = app->bound != to;

	app->changed |= first;
	app->bound = to;
	if (reader_approach(app->look, to, READER_STEP)) {
		app->n = to;
		app->bound = PLACES_NOWHERE;
		app->changed = true;
	} else if (first) {
		app_say(app,
			"on the way to @%llu: the events of all CPUs before it are put in order",
			(unsigned long long)to);
	}
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

bool app_changed(const struct app *app)
{
	return app->changed;
}

bool app_is_over(const struct app *app)
{
	return app->over;
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
