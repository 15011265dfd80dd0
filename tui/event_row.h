/*
 * tui/event_row.h - the texts of one event as the list shows it
 *
 * Rows are kept for a while. A row comes at first without what only the state before its event
 * tells, the old value of a field; event_rows_work() adds that.
 */
#ifndef TUI_EVENT_ROW_H
#define TUI_EVENT_ROW_H

#include "replay/symbols.h"
#include "replay/timeline.h"

#define EVENT_ROW_TEXT 256

struct event_row {
	u64 n;
	u64 seq;
	u64 tsc;
	u64 rip;
	u64 vmcs; /* MODEL_NO_POINTER: none */
	u16 cpu;
	u8 kind;
	u8 level;
	bool failed;
	bool gap;
	bool made;
	bool whole;		      /* old values are in */
	bool wants;		      /* they would change the text */
	char position[32];	      /* "@c0:1850" */
	char name[32];		      /* "vmwrite" */
	char where[SYMBOLS_MAX_NAME]; /* "vmx_set_cr4+0x48", or the address; "" */
	char what[EVENT_ROW_TEXT];    /* "guest_cr4 0x0 -> 0x2668" */
};

struct event_rows;

/* @path is opened once more, for the states. NULL when there is no memory. */
struct event_rows *event_rows_new(const char *path);
void event_rows_free(struct event_rows *rows);

/* The tape has become longer, and events up to @same are as they were. */
void event_rows_grow(struct event_rows *rows, u64 same);

/* The row of event @n of @reader. Valid until as many others were asked for. */
const struct event_row *event_row_get(struct event_rows *rows, struct reader *reader, u64 n);

/*
 * Adds old values to the rows asked for since the last call, for about @microseconds; false when
 * there is nothing to do.
 */
bool event_rows_work(struct event_rows *rows, u64 microseconds);

/*
 * The state before event @n, by a cursor that nobody else sees; NULL when it cannot be had. Valid
 * until the next call, or that of event_rows_work().
 */
const struct model *event_rows_state(struct event_rows *rows, u64 n);

/* Whether the VM entry or instruction did not succeed. */
bool event_failed(const struct trace_event *event);

/* The current VMCS of @event, MODEL_NO_POINTER when it has none. */
u64 event_vmcs(const struct trace_event *event);

#endif
