/*
 * tui/app_gdb.c - gdb beside the UI: both look at the tape through one cursor
 */
#include <stdio.h>
#include <string.h>

#include "tui/app_parts.h"

void app_gdb_close(struct app *app)
{
	if (app->gdb)
		app->options.hooks->gdb_close(app->gdb);
	app->gdb = NULL;
}

void app_gdb_command(struct app *app, const char *address)
{
	const struct app_hooks *const hooks = app->options.hooks;
	char error[sizeof(app->message)];

	if (!hooks || !hooks->gdb_open) {
		app_fail(app, "gdb cannot be served here");
		return;
	}
	if (!strcmp(address, "off")) {
		app_say(app, app->gdb ? "gdb is served no more" : "gdb is not served");
		app_gdb_close(app);
		return;
	}
	if (app->gdb) {
		app_say(app, "gdb is served already: target remote %s",
			hooks->gdb_address(app->gdb));
		return;
	}
	app_seek(app);
	app->gdb = hooks->gdb_open(app->timeline, *address ? address : NULL, error, sizeof(error));
	app->gdb_connected = false;
	if (app->gdb)
		app_say(app, "in gdb: target remote %s", hooks->gdb_address(app->gdb));
	else
		app_fail(app, "%s", error);
}

bool app_gdb_work(struct app *app)
{
	const struct app_hooks *const hooks = app->options.hooks;
	struct pollfd fds[APP_GDB_FDS];
	unsigned count, ready = 0;
	bool connected;

	if (!app->gdb)
		return false;
	count = hooks->gdb_fds(app->gdb, fds);
	poll(fds, count, 0);
	for (unsigned i = 0; i < count; i++)
		ready += fds[i].revents != 0;
	if (!ready)
		return false;
	/* gdb begins where the UI is. */
	app_seek(app);
	if (!hooks->gdb_step(app->gdb)) {
		app_gdb_close(app);
		app_say(app, "gdb is served no more");
		app->changed = true;
		return true;
	}
	if (timeline_moves(app->timeline) != app->moves) {
		app->moves = timeline_moves(app->timeline);
		app_go(app, timeline_tell(app->timeline));
	}
	connected = hooks->gdb_connected(app->gdb);
	if (connected != app->gdb_connected) {
		app->gdb_connected = connected;
		app_say(app, connected ? "a gdb is attached" : "gdb has left");
	}
	app->changed = true;
	return true;
}

void app_gdb_text(const struct app *app, char *to, size_t size)
{
	*to = 0;
	if (app->gdb)
		snprintf(to, size, "gdb %s%s", app->options.hooks->gdb_address(app->gdb),
			 app->gdb_connected ? " attached" : "");
}
