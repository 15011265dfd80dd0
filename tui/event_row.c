#include "tui/event_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/event_text.h"
#include "replay/symbols.h"
#include "tui/clock.h"

#define KEPT	  1024
#define MAX_WANTS 1024

struct event_rows {
	char *path;
	struct timeline *states; /* a cursor of its own, NULL before it is needed */
	bool no_states;
	struct event_row rows[KEPT];
	u64 wants[MAX_WANTS]; /* numbers of events, as they were asked for */
	unsigned want_count;
	char text[EVENT_TEXT_MAX + 1];
};

struct event_rows *event_rows_new(const char *path)
{
	struct event_rows *const rows = calloc(1, sizeof(*rows));

	if (!rows)
		return NULL;
	rows->path = strdup(path);
	if (rows->path)
		return rows;
	free(rows);
	return NULL;
}

void event_rows_free(struct event_rows *rows)
{
	if (!rows)
		return;
	timeline_close(rows->states);
	free(rows->path);
	free(rows);
}

bool event_failed(const struct trace_event *event)
{
	if (event->kind == EV_L2_EXIT)
		return ((const struct ev_l2_exit *)event->col)->reason & EXIT_REASON_ENTRY_FAILURE;
	return trace_event_is_insn(event) &&
	       ((const struct ev_insn *)event->col)->outcome != OUTCOME_SUCCEED;
}

u64 event_vmcs(const struct trace_event *event)
{
	if (trace_event_is_insn(event))
		return ((const struct ev_insn *)event->col)->vmcs;
	switch (event->kind) {
	case EV_L2_ENTRY:
		return ((const struct ev_l2_entry *)event->col)->vmcs;
	case EV_L2_EXIT:
		return ((const struct ev_l2_exit *)event->col)->vmcs;
	case EV_VMCS12_WRITE:
		return ((const struct ev_vmcs12_write *)event->col)->vmcs;
	case EV_VMCS_IMAGE:
		return ((const struct ev_vmcs_image *)event->col)->vmcs;
	default:
		return MODEL_NO_POINTER;
	}
}

static void put_what(struct event_rows *rows, struct event_row *row,
		     const struct event_names *names, const struct trace_event *event,
		     const struct model *model)
{
	const char *const end = event_text_what(rows->text, names, event, model);
	size_t length = MIN((size_t)(end - rows->text), sizeof(row->what) - 1);

	while (length && rows->text[length - 1] == ' ')
		length--;
	memcpy(row->what, rows->text, length);
	row->what[length] = 0;
}

static void make(struct event_rows *rows, struct event_row *row, const struct event_names *names,
		 const struct trace_event *event)
{
	const struct trace_kind_info *const kind = trace_schema_kind(names->schema, event->kind);

	row->seq = event->seq;
	row->tsc = event->tsc;
	row->rip = event->rip;
	row->vmcs = event_vmcs(event);
	row->cpu = event->cpu;
	row->kind = event->kind;
	row->level = event->level;
	row->failed = event_failed(event);
	row->gap = event->kind == EV_GAP;
	row->wants = event->kind == EV_VMWRITE;
	*event_text_position(row->position, event->cpu, event->seq) = 0;
	if (kind)
		snprintf(row->name, sizeof(row->name), "%s", kind->name);
	else
		snprintf(row->name, sizeof(row->name), "kind %u", event->kind);
	*row->where = 0;
	if (event->rip && !symbols_text(names->symbols, event->level, event->rip, row->where))
		snprintf(row->where, sizeof(row->where), "%llx", (unsigned long long)event->rip);
	put_what(rows, row, names, event, NULL);
}

const struct event_row *event_row_get(struct event_rows *rows, struct reader *reader, u64 n)
{
	struct event_row *const row = &rows->rows[n % KEPT];
	const struct trace_event *event;

	if (!row->made || row->n != n) {
		*row = (struct event_row){ .n = n, .made = true };
		if (reader_tell(reader) != n)
			reader_seek(reader, n);
		if (reader_next(reader, &event) == ST_OK)
			make(rows, row, reader_names(reader), event);
	}
	if (row->wants && !row->whole && rows->want_count < MAX_WANTS)
		rows->wants[rows->want_count++] = n;
	return row;
}

void event_rows_grow(struct event_rows *rows, u64 same)
{
	for (unsigned i = 0; i < KEPT; i++)
		if (rows->rows[i].n >= same)
			rows->rows[i].made = false;
	timeline_close(rows->states);
	rows->states = NULL;
	rows->no_states = false;
	rows->want_count = 0;
}

static bool open_states(struct event_rows *rows)
{
	char error[256];

	if (!rows->states && !rows->no_states)
		rows->no_states =
			timeline_open(rows->path, &rows->states, error, sizeof(error)) != ST_OK;
	return rows->states;
}

const struct model *event_rows_state(struct event_rows *rows, u64 n)
{
	if (!open_states(rows) || timeline_seek(rows->states, n) != ST_OK)
		return NULL;
	return timeline_model(rows->states);
}

static void complete(struct event_rows *rows, u64 n)
{
	struct event_row *const row = &rows->rows[n % KEPT];
	const struct trace_event *event;

	if (row->n != n || row->whole)
		return;
	row->whole = true;
	if (timeline_seek(rows->states, n) != ST_OK)
		return;
	event = timeline_event(rows->states);
	if (event)
		put_what(rows, row, reader_names(timeline_reader(rows->states)), event,
			 timeline_model(rows->states));
}

bool event_rows_work(struct event_rows *rows, u64 microseconds)
{
	const u64 end = clock_microseconds() + microseconds;
	unsigned done = 0;

	if (!rows->want_count)
		return false;
	while (open_states(rows) && done < rows->want_count && clock_microseconds() < end)
		complete(rows, rows->wants[done++]);
	/* What is left is asked for again when it is drawn again. */
	rows->want_count = 0;
	return done;
}
