/*
 * tui/app_parts.h - the state of the UI, for the files that it is made of
 */
#ifndef TUI_APP_PARTS_H
#define TUI_APP_PARTS_H

#include "replay/timeline.h"
#include "tui/app.h"
#include "tui/config.h"
#include "tui/event_row.h"
#include "tui/find.h"
#include "tui/index_job.h"
#include "tui/list.h"
#include "tui/places.h"
#include "tui/prompt.h"
#include "tui/survey.h"
#include "tui/verb.h"
#include "tui/view.h"

#define APP_SLICE 5000 /* microseconds of work between two looks at the keys */

struct app {
	struct app_options options;
	struct timeline *timeline; /* its cursor follows @n when a pane needs the state */
	struct reader *look;	   /* timeline_reader(), or @fresh */
	struct reader *fresh;	   /* of a tape that has grown; owned, NULL: it has not */
	bool follows;		   /* it may grow */
	u64 provisional;	   /* events from this on may get others before them */
	const struct trace_schema *schema;
	u64 events;
	u64 n;	   /* the event under the cursor; == events: behind the last */
	u64 bound; /* where the cursor goes when @look has got there; PLACES_NOWHERE: nowhere */
	u64 moves; /* timeline_moves() as it was when @n was taken from it */

	struct grid grid;
	struct config config;
	struct index_job index; /* while it runs, states far away are not to be had */
	bool has_state;		/* the timeline is at @n: else panes do without */
	void *gdb;		/* the server, NULL: none */
	bool gdb_connected;	/* as it was last */
	struct event_rows *texts;
	struct list list;
	struct find *find;
	struct rows *entries; /* of one VMCS on one CPU: */
	u64 entries_vmcs;
	u16 entries_cpu;
	struct survey *survey;
	struct survey *survey_next; /* of the longer tape, until it is done; else NULL */
	struct places places;
	struct prompt prompt;

	struct view views[VIEW_COUNT];
	enum view_id pane;	/* beside the list, VIEW_NONE: none */
	enum view_id pane_left; /* what close goes back to */
	bool pane_active;	/* it has the keys */
	bool zoomed;		/* the one that has the keys is alone */
	enum survey_by by;

	u64 diff_from;	       /* what the difference is from; PLACES_NOWHERE: the entry before */
	u64 count;	       /* typed before a request, 0: none */
	char search[FIND_MAX]; /* as the user typed it */
	char filter[FIND_MAX];
	char view_search[FIND_MAX];
	char message[256];
	bool message_bad;
	bool changed;
	bool over;
	enum app_wish wish;
	char copied[64];

	/* Where things are on the screen, for the mouse; filled when it is drawn. */
	struct area overview_area;
	struct area list_area;
	struct area pane_area;
};

/* A line at the bottom of the screen, until the next key. */
void app_say(struct app *app, const char *format, ...) printf_like(2, 3);
void app_fail(struct app *app, const char *format, ...) printf_like(2, 3);

/* The cursor goes to event @n; app_jump() keeps the place that is left. */
void app_go(struct app *app, u64 n);
void app_jump(struct app *app, u64 n);

/* The timeline's cursor goes where the UI's is. False when it cannot, or not yet. */
bool app_seek(struct app *app);

/* The event under the cursor, NULL behind the last. Valid until app->look moves. */
const struct trace_event *app_event(struct app *app);

/* "@c0:1850" of event @n, or "@N". At most 32 bytes. */
void app_position(struct app *app, u64 n, char *to);

/* Look for a query; the cursor goes there when it is found. @what is for messages. */
void app_find(struct app *app, const char *query, const char *what, enum rows_way way, u64 times);
/* Goes on with that; false: nothing is looked for. */
bool app_find_work(struct app *app, u64 microseconds);

/*
 * The last VM entry of @vmcs on @cpu before the cursor. ROWS_PENDING: it is far away;
 * app_last_entry_work() looks for it, and is false when there is nothing to look for.
 */
enum rows_found app_last_entry(struct app *app, u64 vmcs, u16 cpu, u64 *n);
bool app_last_entry_work(struct app *app);

/* Open pane @id, or make it the one with the keys when it is open. */
void app_open(struct app *app, enum view_id id, bool active);
/* Likewise, without asking it whether it can be shown. */
void app_show(struct app *app, enum view_id id, bool active);
/* The pane for memory is about what @text names. False, with a message: it is nothing. */
bool app_memory_at(struct app *app, const char *text);
/* The pane that has the keys, NULL: the list has them. */
struct view *app_active_view(struct app *app);

/* The VMCS field that is asked about: of the line of the pane, or of the event. */
int app_field(struct app *app);

/* When the tape was opened: whether it grows. */
void app_follow_start(struct app *app);
/* Make the timeline know what the tape has grown by. False: it does already, or cannot. */
bool app_grow_timeline(struct app *app);
bool app_is_provisional(const struct app *app, u64 n);

/* Serve gdb at @address ("": where it is usual), or end that ("off"). app_gdb.c */
void app_gdb_command(struct app *app, const char *address);
/* What gdb wants. False: nothing has happened. */
bool app_gdb_work(struct app *app);
void app_gdb_close(struct app *app);
/* For the top bar, "" when there is no server. */
void app_gdb_text(const struct app *app, char *to, size_t size);

/* One of enum request. */
void app_request(struct app *app, enum request request, u64 count);

/* Requests about places and causes; false when @request is none of them. app_moves.c */
bool app_move_request(struct app *app, enum request request, u64 count);

/* The prompt: a key for it, and what it asks for when it is opened. app_prompt.c */
void app_prompt_key(struct app *app, u32 key);
void app_prompt_open(struct app *app, enum prompt_kind kind);

/* A line for the overview at the top, one lane a row; returns rows that it wants. overview.c */
unsigned overview_rows(const struct app *app);
void overview_draw(struct app *app, const struct area *area);
/* The event that column @column of the overview stands for. */
u64 overview_event(const struct app *app, unsigned column);

#endif
