/*
 * tui/view.h - a pane: lines of text about the tape, or about the moment at the cursor
 *
 * A view is a row of tui/views.def and a struct view_ops. The shared code draws its lines, moves
 * and searches in them; a new view only makes lines.
 */
#ifndef TUI_VIEW_H
#define TUI_VIEW_H

#include "tui/child.h"
#include "tui/lines.h"
#include "tui/request.h"

struct app;
struct view;

/* What a pane runs: tui/verb.h. */
struct verb {
	struct child child;
	char words[1024]; /* the command line, for the title */
	bool ended;
	size_t size;	 /* of the line that has no end yet: */
	char line[4096]; /* what is longer is cut */
};

struct view_ops {
	/* Fill view->lines, which are empty; view->columns is the width. NULL: open and work do. */
	void (*make)(struct app *app, struct view *view);
	/* Behind the name in the title; NULL: nothing. */
	void (*title)(struct app *app, const struct view *view, char *to, size_t size);
	/* The lines are of the moment, and made anew when the cursor moves. */
	bool moment;
	/* Of a verb: its lines are text, which goes on in the next line at the edge. */
	bool wraps;
	/* Such lines can be made, poorer ones, where app->has_state is false. */
	bool stateless;
	/* Its lines are long: it stands below the list even where both would fit side by side. */
	bool wide;
	/* A request that shared code does not know; false: not done. NULL: none. */
	bool (*request)(struct app *app, struct view *view, enum request request, u64 count);
	/*
	 * Something goes on in the background: a slice of it; false when it is over. NULL: never.
	 */
	bool (*work)(struct app *app, struct view *view);
	/* It is asked for, maybe again. False, with a message: it cannot be shown. NULL: it can. */
	bool (*open)(struct app *app, struct view *view);
	/* It goes away. NULL: nothing to do. */
	void (*close)(struct app *app, struct view *view);
};

struct view {
	const struct view_ops *ops;
	const char *name;
	struct lines lines;
	size_t top;	 /* the line in the first row */
	size_t selected; /* the line of the cursor */
	unsigned left;	 /* columns scrolled away */
	unsigned rows;	 /* that it had when it was drawn last */
	unsigned columns;
	bool stale; /* the lines are to be made anew */
	bool made;
	u64 n;		/* the moment that they are of */
	int field;	/* enum vmcs_index that it is about, LINES_NO_FIELD */
	u64 address;	/* of memory ... */
	unsigned space; /* ... and which: a row of view_memory.c */
	struct verb verb;
};

enum view_id {
	VIEW_NONE, /* no pane: the list alone */
#define VIEW(NAME, name) VIEW_##NAME,
#include "tui/views.def"
#undef VIEW
	VIEW_COUNT
};

#define VIEW(NAME, name) extern const struct view_ops view_##name##_ops;
#include "tui/views.def"
#undef VIEW

/* The lines into @area; @active: it has the keys. */
void view_draw(struct app *app, struct view *view, const struct area *area, bool active);

/* Moves and searches in the lines; false when @request is none of these. */
bool view_request(struct app *app, struct view *view, enum request request, u64 count);

/* The line of the cursor becomes @line, which is cut to what there is. */
void view_select(struct view *view, size_t line);

/* The next line that contains @text. False when none does. */
bool view_find(struct view *view, const char *text, bool backward);

/* The line of the cursor, NULL when there is none. */
const struct line *view_line(const struct view *view);

#endif
