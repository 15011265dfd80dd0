#include "tui/tui.h"

#include "tui/app_parts.h"
#include "tui/clock.h"
#include "tui/terminal.h"

#define FOLLOW_EVERY 250 /* milliseconds between two looks at a tape that grows */

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
	struct pollfd fds[APP_FDS];
	struct input_event event;
	u64 looked = 0;
	bool busy, awake = true, follows = true;

	while (awake) {
		while (!app_is_over(app) && terminal_read(terminal, &event))
			app_input(app, &event);
		if (app_is_over(app))
			break;
		tell_size(app, terminal);
		grant_wish(app, terminal);
		if (app_changed(app))
			terminal_show(terminal, app_draw(app));
		if (follows && clock_microseconds() - looked >= 1000 * FOLLOW_EVERY) {
			follows = app_follow(app);
			looked = clock_microseconds();
		}
		busy = app_work(app) || app_changed(app);
		awake = terminal_wait(terminal, fds, app_fds(app, fds),
				      busy	? 0
				      : follows ? FOLLOW_EVERY
						: -1);
	}
}

bool tui_run(const struct app_options *options, char *error, size_t size)
{
	struct app *const app = app_new(options, error, size);
	struct terminal *const terminal = app ? terminal_open(error, size) : NULL;

	if (terminal) {
		app_set_unicode(app, terminal_has_unicode(terminal));
		terminal_set(terminal, app_theme(app), app->config.mouse);
		loop(app, terminal);
	}
	terminal_close(terminal);
	app_free(app);
	return terminal;
}
