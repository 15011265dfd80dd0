/*
 * tui/verb.h - panes that show what a verb of vmxtape prints
 *
 * The verb runs beside the UI as a program of its own, so that the longest one keeps no key
 * waiting; its lines appear as they come. Enter goes to the first position that a line names.
 */
#ifndef TUI_VERB_H
#define TUI_VERB_H

#include "tui/view.h"

#define VERB_MAX_ARGS 64

/*
 * Run @args (ended with NULL, from the verb on) on the tape, in place of what @view showed. False,
 * with a message, when that cannot be.
 */
bool verb_run(struct app *app, struct view *view, const char *const *args);

/*
 * The words of @line, where @ alone is the position of the cursor, and the tape at the end unless
 * the verb takes none. False, with a message, when there are too many or no verb.
 */
bool verb_run_line(struct app *app, struct view *view, const char *line);

/* For struct view_ops. */
bool verb_work(struct app *app, struct view *view);
void verb_close(struct app *app, struct view *view);
void verb_title(struct app *app, const struct view *view, char *to, size_t size);

#endif
