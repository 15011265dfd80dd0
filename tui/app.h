/*
 * tui/app.h - the terminal UI without the terminal: keys go in, a grid comes out
 *
 * All work is done in slices by app_work(), so that a key is answered at once whatever goes on.
 */
#ifndef TUI_APP_H
#define TUI_APP_H

#include "tui/grid.h"
#include "tui/input.h"

struct app;

struct app_options {
	const char *path;    /* of the tape */
	const char *program; /* vmxtape itself, to run verbs with; NULL: they cannot be run */
	const char *config;  /* the file with bindings, NULL: none */
	const char *notes;   /* the file with marks and notes, NULL: none are kept */
	bool unicode;
};

/* On failure NULL, and @error has a line as reader_open() makes it. */
struct app *app_new(const struct app_options *options, char *error, size_t size);
void app_free(struct app *app);

/* A key, a click, or a new size of the screen. */
void app_input(struct app *app, const struct input_event *event);

/* Goes on with what runs in the background, for some milliseconds; false: nothing runs. */
bool app_work(struct app *app);

/* Draws the screen, and returns it. It is the app's. */
const struct grid *app_draw(struct app *app);

/* Something has changed since the last app_draw(). */
bool app_changed(const struct app *app);

/* What app_work() waits for besides keys: a file descriptor to poll for reading, -1: nothing. */
int app_fd(const struct app *app);

/* The user wants to leave. */
bool app_is_over(const struct app *app);

/* What the terminal is to do before the next draw; taking it clears it. */
enum app_wish { APP_WISH_NONE, APP_WISH_REDRAW, APP_WISH_SUSPEND, APP_WISH_COPY };
enum app_wish app_take_wish(struct app *app);

/* The text of APP_WISH_COPY. */
const char *app_copied(const struct app *app);

/* "light", "dark" or "auto", as the configuration says. */
const char *app_theme(const struct app *app);

#endif
