#include "cli/tape_tui.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/gdb_verb.h"
#include "cli/message.h"
#include "cli/tape_arg.h"
#include "tui/tui.h"

#define MAX_PATH    4096
#define GDB_ADDRESS "127.0.0.1:1234"

/* Where the configuration is; "" when nobody says where home is. */
static void config_path(const char *config, char *to, size_t size)
{
	const char *const folder = getenv("XDG_CONFIG_HOME"), *const home = getenv("HOME");

	*to = 0;
	if (config)
		snprintf(to, size, "%s", config);
	else if (folder && *folder)
		snprintf(to, size, "%s/vmxtape/config", folder);
	else if (home && *home)
		snprintf(to, size, "%s/.config/vmxtape/config", home);
}

/* --- gdb beside it ---------------------------------------------------------------------------- */

static struct gdb_verb_owner gdb_owner;

static void *gdb_open(struct timeline *timeline, const char *address, char *error, size_t size)
{
	static const struct gdb_server_options server_options = { .verb = gdb_verb_run,
								  .owner = &gdb_owner };
	struct gdb_server *server;

	if (gdb_server_listen(timeline, address ? address : GDB_ADDRESS, false, &server_options,
			      &server, error, size) != ST_OK)
		return NULL;
	gdb_owner.server = server;
	return server;
}

static void gdb_close(void *server)
{
	gdb_owner.server = NULL;
	gdb_server_close(server);
}

static unsigned gdb_fds(void *server, struct pollfd *fds)
{
	_Static_assert(APP_GDB_FDS >= GDB_SERVER_FDS, "room for what the server waits for");
	return gdb_server_fds(server, fds);
}

static bool gdb_step(void *server)
{
	return gdb_server_step(server);
}

static const char *gdb_address(void *server)
{
	return gdb_server_address(server);
}

static bool gdb_connected(void *server)
{
	return gdb_server_is_connected(server);
}

static const struct app_hooks hooks = {
	.symbols = tape_arg_symbols,
	.gdb_open = gdb_open,
	.gdb_close = gdb_close,
	.gdb_fds = gdb_fds,
	.gdb_step = gdb_step,
	.gdb_address = gdb_address,
	.gdb_connected = gdb_connected,
};

void tape_tui_run(const struct tape_tui *how)
{
	struct app_options app = {
		.path = how->path,
		.gdb = how->gdb,
		.follow = how->follow,
		.hooks = &hooks,
	};
	char config[MAX_PATH], notes[MAX_PATH], program[MAX_PATH], error[512];
	ssize_t length;

	config_path(how->config, config, sizeof(config));
	app.config = *config ? config : NULL;
	if (snprintf(notes, sizeof(notes), "%s.notes", app.path) < (int)sizeof(notes))
		app.notes = notes;
	length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	program[MAX(length, 0)] = 0;
	app.program = *program ? program : NULL;
	tape_arg_pass_symbols();
	if (!tui_run(&app, error, sizeof(error)))
		die("%s", error);
}

bool tape_tui_can_show(const char *path)
{
	struct reader *reader;
	char error[512];
	bool can;

	if (reader_open(path, &reader, error, sizeof(error)) != ST_OK)
		return false;
	can = reader_info(reader)->events;
	reader_close(reader);
	return can;
}
