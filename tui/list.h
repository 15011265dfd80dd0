/*
 * tui/list.h - the list of events
 */
#ifndef TUI_LIST_H
#define TUI_LIST_H

#include "tui/draw.h"
#include "tui/request.h"
#include "tui/rows.h"

struct app;

/* Kinds of what hv took along: panes show it, the list only when it is asked for. */
#define LIST_CAPTURED (BIT(EV_REGS) | BIT(EV_RAM) | BIT(EV_PAGE) | BIT(EV_HV_TIME) | BIT(EV_FILE))

struct list {
	struct rows *rows;
	u64 top; /* the event in the first row */
	unsigned left;
	unsigned count;		  /* rows that were drawn ... */
	u64 shown[GRID_MAX_ROWS]; /* ... and their events */
	bool waiting;		  /* a row is pending */
	s64 owed;		  /* lines to move that were pending when the key came */
};

/* The list into @area; @active: it has the keys. */
void list_draw(struct app *app, const struct area *area, bool active);

/* Moves in the list; false when @request is none. */
bool list_request(struct app *app, enum request request, u64 count);

/* A slice of the search for rows that were pending; false when there is nothing to do. */
bool list_work(struct app *app);

#endif
