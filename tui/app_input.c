/*
 * tui/app_input.c - from a key or a click to what it asks for
 */
#include "replay/position.h"
#include "tui/app_parts.h"

/* --- requests --------------------------------------------------------------------------------- */

static void close_pane(struct app *app)
{
	struct view *const view = app_active_view(app);

	if (view && app->pane != VIEW_DETAIL) {
		/* What it runs is of no use to anybody. */
		if (view->ops->close)
			view->ops->close(app, view);
		app->pane = app->pane_left ? app->pane_left : VIEW_DETAIL;
		app->pane_left = VIEW_DETAIL;
		app->pane_active = false;
		app->zoomed = false;
	} else if (view) {
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
