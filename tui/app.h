/*
 * tui/app.h - the terminal UI without the terminal: keys go in, a grid comes out
 *
 * All work is done in slices by app_work(), so that a key is answered at once whatever goes on.
 */
#ifndef TUI_APP_H
#define TUI_APP_H

#include <poll.h>

#include "tui/grid.h"
#include "tui/input.h"

struct app;
struct reader;
struct timeline;

/* What comes from outside of tui/. Any function may be NULL: then that is not to be had. */
struct app_hooks {
	/* Sets what gives addresses names; the reader is of the tape that is shown. */
	void (*symbols)(struct reader *reader);
	/*
	 * A gdb server over the timeline, at @address (NULL: the usual one). NULL, and a line in
	 * @error, when it cannot be.
	 */
	void *(*gdb_open)(struct timeline *timeline, const char *address, char *error, size_t size);
	void (*gdb_close)(void *server);
	/* What to wait for; returns how many, at most APP_GDB_FDS. */
	unsigned (*gdb_fds)(void *server, struct pollfd *fds);
	/* Does what can be done without waiting. False: the server has ended. */
	bool (*gdb_step)(void *server);
	const char *(*gdb_address)(void *server);
	bool (*gdb_connected)(void *server);
};

#define APP_GDB_FDS 2
#define APP_FDS	    (APP_GDB_FDS + 2)

struct app_options {
	const char *path;    /* of the tape */
	const char *program; /* vmxtape itself, to run verbs with; NULL: they cannot be run */
	const char *config;  /* the file with bindings, NULL: none */
	const char *notes;   /* the file with marks and notes, NULL: none are kept */
	const char *gdb; /* serve gdb there from the start, "" where it is usual; NULL: do not */
	const struct app_hooks *hooks; /* NULL: none */
	bool unicode;
	bool follow; /* the tape is being recorded: app_follow() looks for what is new */
};

/* On failure NULL, and @error has a line as reader_open() makes it. */
struct app *app_new(const struct app_options *options, char *error, size_t size);
void app_free(struct app *app);

/* A key, a click, or a new size of the screen. */
void app_input(struct app *app, const struct input_event *event);

/* Goes on with what runs in the background, for some milliseconds; false: nothing runs. */
bool app_work(struct app *app);

/* Takes what a followed tape has grown by. False: it does not grow any more, or never did. */
bool app_follow(struct app *app);

/* Draws the screen, and returns it. It is the app's. */
const struct grid *app_draw(struct app *app);

/* Something has changed since the last app_draw(). */
bool app_changed(const struct app *app);

/*
 * What app_work() waits for besides keys, into @fds of APP_FDS; returns how many. When one of them
 * can be read, app_work() is to be called.
 */
unsigned app_fds(const struct app *app, struct pollfd *fds);

/* The user wants to leave. */
bool app_is_over(const struct app *app);

/* What the terminal is to do before the next draw; taking it clears it. */
enum app_wish { APP_WISH_NONE, APP_WISH_REDRAW, APP_WISH_SUSPEND, APP_WISH_COPY };
enum app_wish app_take_wish(struct app *app);

/* Whether the terminal has Unicode; the configuration may know better. */
void app_set_unicode(struct app *app, bool unicode);

/* The text of APP_WISH_COPY. */
const char *app_copied(const struct app *app);

/* "light", "dark" or "auto", as the configuration says. */
const char *app_theme(const struct app *app);

#endif
