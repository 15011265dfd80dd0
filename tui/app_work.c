/*
 * tui/app_work.c - what goes on in the background, a slice at a time
 */
#include "tui/app_parts.h"

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

/* The way of the cursor to a place that took too long for one key. */
static bool way_slice(struct app *app)
{
	if (app->bound == PLACES_NOWHERE)
		return false;
	app_go(app, app->bound);
	if (app->bound == PLACES_NOWHERE)
		app_say(app, "%s", "");
	return true;
}

bool app_work(struct app *app)
{
	struct view *const view = app->pane ? &app->views[app->pane] : NULL;

	if (way_slice(app))
		return true;
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
