#include "tui/tui.h"

#include "tui/app_parts.h"
#include "tui/terminal.h"

static void tell_size(struct app *app, const struct terminal *terminal)
{
	struct input_event event = { .key = INPUT_RESIZE };

	terminal_size(terminal, &event.row, &event.column);
	if (event.row != app->grid.rows || event.column != app->grid.columns)
		app_input(app, &event);
}

static void grant_wish(struct app *app, struct terminal *terminal)
{
	switch (app_take_wish(app)) {
	case APP_WISH_REDRAW:
		terminal_spoil(terminal);
		break;
	case APP_WISH_SUSPEND:
		terminal_suspend(terminal);
		break;
	case APP_WISH_COPY:
		terminal_copy(terminal, app_copied(app));
		break;
	case APP_WISH_NONE:
		break;
	}
}

/* Keys come first, then the screen, then what goes on behind it. */
static void loop(struct app *app, struct terminal *terminal)
{
	struct input_event event;
	bool busy = true, awake = true;

	while (awake && !app_is_over(app)) {
		while (!app_is_over(app) && terminal_read(terminal, &event))
			app_input(app, &event);
		tell_size(app, terminal);
		grant_wish(app, terminal);
		if (app_changed(app))
			terminal_show(terminal, app_draw(app));
		busy = app_work(app);
		awake = terminal_wait(terminal, app_fd(app), busy || app_changed(app) ? 0 : -1);
	}
}

bool tui_run(struct app_options *options, char *error, size_t size)
{
	struct terminal *const terminal = terminal_open(error, size);
	struct app *app;

	if (!terminal)
		return false;
	options->unicode = terminal_has_unicode(terminal);
	app = app_new(options, error, size);
	if (app) {
		terminal_set(terminal, app_theme(app), app->config.mouse);
		loop(app, terminal);
	}
	terminal_close(terminal);
	app_free(app);
	return app;
}
