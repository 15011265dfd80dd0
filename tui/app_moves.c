/*
 * tui/app_moves.c - requests that go somewhere: causes, searches, places
 */
#include <stdio.h>
#include <string.h>

#include "replay/position.h"
#include "tui/app_parts.h"
#include "tui/clock.h"

#define AT_ONCE 20000 /* microseconds that a search may take before the next key is looked at */

void app_find(struct app *app, const char *query, const char *what, enum rows_way way, u64 times)
{
	char error[sizeof(app->message)];

	if (find_start(app->find, app->schema, query, what, app->n, way, times, error,
		       sizeof(error)) != ST_OK)
		app_fail(app, "%s", error);
	else
		app_find_work(app, AT_ONCE);
}

bool app_find_work(struct app *app, u64 microseconds)
{
	const u64 end = clock_microseconds() + microseconds;
	struct find *const find = app->find;

	if (!find->running)
		return false;
	app->changed = true;
	do {
		switch (find_work(find, microseconds)) {
		case FIND_FOUND:
			app_jump(app, find->from.n);
			break;
		case FIND_NOTHING:
			app_say(app, "no %s %s", find->what,
				find->way == ROWS_FORWARD ? "after this" : "before this");
			break;
		case FIND_RUNNING:
			break;
		}
	} while (find->running && clock_microseconds() < end);
	return true;
}

enum rows_found app_last_entry(struct app *app, u64 vmcs, u16 cpu, u64 *n)
{
	const struct row here = { .n = app->n, .count = 1 };
	enum rows_found found;
	struct row row;

	if (app->entries_vmcs != vmcs || app->entries_cpu != cpu || !rows_query(app->entries)) {
		char text[96], error[256];
		struct query *query;

		snprintf(text, sizeof(text), "kind==l2_entry && vmcs==0x%llx && cpu==%u",
			 (unsigned long long)vmcs, cpu);
		if (query_compile(text, app->schema, &query, error, sizeof(error)) != ST_OK)
			return ROWS_NONE;
		rows_set_query(app->entries, query);
		app->entries_vmcs = vmcs;
		app->entries_cpu = cpu;
	}
	rows_give(app->entries, APP_SLICE);
	found = rows_previous(app->entries, &here, &row);
	if (found == ROWS_FOUND)
		*n = row.n;
	return found;
}

bool app_last_entry_work(struct app *app)
{
	if (!rows_is_pending(app->entries))
		return false;
	rows_work(app->entries, APP_SLICE);
	return true;
}

/* --- findings --------------------------------------------------------------------------------- */

/* The place of a finding is the last event that it rests on, as "@finding:N" has it. */
static void to_finding(struct app *app, bool forward, u64 times)
{
	const struct findings *const findings = survey_findings(app->survey);
	u64 n = app->n;
	unsigned number = 0;

	for (u64 i = 0; i < MAX(times, 1ull); i++) {
		u64 best = PLACES_NOWHERE, at;

		for (unsigned k = 0; k < findings->count; k++) {
			if (!timeline_finding_place(findings->list[k], &at) ||
			    (forward ? at <= n : at >= n))
				continue;
			if (best != PLACES_NOWHERE && (forward ? at >= best : at <= best))
				continue;
			best = at;
			number = k + 1;
		}
		if (best == PLACES_NOWHERE)
			break;
		n = best;
	}
	if (number) {
		app_jump(app, n);
		app_say(app, "finding %u/%u: %s", number, findings->count,
			findings->list[number - 1]->title);
	} else if (!app->survey->done) {
		app_say(app, "no finding %s here so far; %u%% of the tape is checked",
			forward ? "after" : "before", survey_progress(app->survey));
	} else {
		app_say(app,
			findings->count ? "no finding %s this" : "nothing is wrong on this tape",
			forward ? "after" : "before");
	}
}

/* --- accesses to the same thing --------------------------------------------------------------- */

static void to_access(struct app *app, enum rows_way way, u64 times)
{
	const int field = app_field(app);
	const struct trace_event *const event = app_event(app);
	char query[128], what[96];

	if (field >= 0) {
		snprintf(query, sizeof(query), "%s>=0", vmcs_fields[field].name);
		snprintf(what, sizeof(what), "access to %s", vmcs_fields[field].name);
	} else if (event && (event->kind == EV_MSR_READ || event->kind == EV_MSR_WRITE)) {
		const u64 msr = ((const struct ev_msr_read *)event->col)->msr;

		snprintf(query, sizeof(query), "msr==0x%llx", (unsigned long long)msr);
		snprintf(what, sizeof(what), "access to MSR 0x%llx", (unsigned long long)msr);
	} else if (event && event->kind == EV_L2_EXIT) {
		const u64 reason = ((const struct ev_l2_exit *)event->col)->reason;

		snprintf(query, sizeof(query), "reason==0x%llx", (unsigned long long)reason);
		snprintf(what, sizeof(what), "exit for %s", vmx_exit_name((u32)reason));
	} else if (event && (event->kind == EV_VMCLEAR || event->kind == EV_VMPTRLD ||
			     event->kind == EV_VMXON)) {
		const u64 pointer = ((const struct ev_vmptrld *)event->col)->pointer;

		snprintf(query, sizeof(query), "pointer==0x%llx", (unsigned long long)pointer);
		snprintf(what, sizeof(what), "use of region 0x%llx", (unsigned long long)pointer);
	} else if (event && event->rip) {
		snprintf(query, sizeof(query), "rip==0x%llx", (unsigned long long)event->rip);
		snprintf(what, sizeof(what), "event at 0x%llx", (unsigned long long)event->rip);
	} else {
		app_say(app, "this event accesses nothing that can be looked for");
		return;
	}
	app_find(app, query, what, way, times);
}

static void to_event_of_cpu(struct app *app, enum rows_way way, u64 times)
{
	const struct trace_event *const event = app_event(app);
	char query[32], what[32];

	if (!event)
		return;
	snprintf(query, sizeof(query), "cpu==%u", event->cpu);
	snprintf(what, sizeof(what), "event of CPU %u", event->cpu);
	app_find(app, query, what, way, times);
}

/* The VMCS that is current at the timeline's cursor, or that its event is about. */
static u64 current_vmcs(struct app *app)
{
	const struct trace_event *const event = timeline_event(app->timeline);
	const struct model_region *region;

	if (!event)
		return MODEL_NO_POINTER;
	region = model_current(timeline_model(app->timeline), event->cpu);
	return region ? region->pointer : event_vmcs(event);
}

/* The last event before the cursor that wrote the field of the VMCS that is current at it. */
static void to_last_writer(struct app *app)
{
	const int field = app_field(app);
	struct history_write write;
	u64 vmcs;

	if (field < 0) {
		app_say(app, "no field is under the cursor: choose a VMREAD, a VMWRITE, or a line "
			     "of the VMCS");
		return;
	}
	if (!app_seek(app)) {
		app_say(app, "who wrote it is known when the tape has an index");
		return;
	}
	vmcs = current_vmcs(app);
	if (vmcs == MODEL_NO_POINTER) {
		app_say(app, "no VMCS is current here");
	} else if (timeline_last_writer(app->timeline, vmcs, field, app->n, &write) != ST_OK) {
		app_say(app, "nothing before this wrote %s of VMCS 0x%llx", vmcs_fields[field].name,
			(unsigned long long)vmcs);
	} else {
		app_jump(app, write.place.n);
		app_say(app, "%s wrote 0x%llx to %s here", history_origin_name(write.origin),
			(unsigned long long)write.value, vmcs_fields[field].name);
	}
}

/* --- places ----------------------------------------------------------------------------------- */

static void go_back(struct app *app)
{
	const u64 n = places_back(&app->places, app->n);

	if (n == PLACES_NOWHERE) {
		app_say(app, "this is where you began");
		return;
	}
	app_go(app, n);
	if (places_can_go_forward(&app->places, app->n))
		app_say(app, "tab (ctrl-i) goes forward again");
}

static void go_forward(struct app *app)
{
	const u64 n = places_forward(&app->places, app->n);

	if (n == PLACES_NOWHERE)
		app_say(app, "ctrl-o has not gone back from here");
	else
		app_go(app, n);
}

static void copy_position(struct app *app)
{
	app_position(app, app->n, app->copied);
	app->wish = APP_WISH_COPY;
	app_say(app, "'%s' is copied, if this terminal takes it (OSC 52)", app->copied);
}

static void search_again(struct app *app, bool backward, u64 count)
{
	struct view *const view = app_active_view(app);

	if (view && *app->view_search) {
		if (!view_find(view, app->view_search, backward))
			app_say(app, "'%s' is not in this pane", app->view_search);
	} else if (*app->search) {
		app_find(app, app->search, "match", backward ? ROWS_BACKWARD : ROWS_FORWARD, count);
	} else {
		app_say(app, "nothing was searched for yet");
	}
}

/* What is asked for; PROMPT_NONE: nothing. */
static enum prompt_kind prompt_of(enum request request)
{
	static const u8 prompts[REQUEST_COUNT] = {
		[REQUEST_GOTO] = PROMPT_GOTO,		[REQUEST_SEARCH] = PROMPT_SEARCH,
		[REQUEST_FILTER] = PROMPT_FILTER,	[REQUEST_COMMAND] = PROMPT_COMMAND,
		[REQUEST_NOTE] = PROMPT_NOTE,		[REQUEST_MARK] = PROMPT_MARK,
		[REQUEST_GOTO_MARK] = PROMPT_GOTO_MARK,
	};

	return (enum prompt_kind)prompts[request];
}

bool app_move_request(struct app *app, enum request request, u64 count)
{
	static const char entries[] = "kind==l2_entry || reason & 0x80000000";
	static const char failures[] = "outcome!=succeed || reason & 0x80000000";

	switch (request) {
	case REQUEST_NEXT_FINDING:
		to_finding(app, true, count);
		return true;
	case REQUEST_PREVIOUS_FINDING:
		to_finding(app, false, count);
		return true;
	case REQUEST_NEXT_ENTRY:
		app_find(app, entries, "VM entry", ROWS_FORWARD, count);
		return true;
	case REQUEST_PREVIOUS_ENTRY:
		app_find(app, entries, "VM entry", ROWS_BACKWARD, count);
		return true;
	case REQUEST_NEXT_FAILURE:
		app_find(app, failures, "failure", ROWS_FORWARD, count);
		return true;
	case REQUEST_PREVIOUS_FAILURE:
		app_find(app, failures, "failure", ROWS_BACKWARD, count);
		return true;
	case REQUEST_NEXT_ACCESS:
		to_access(app, ROWS_FORWARD, count);
		return true;
	case REQUEST_PREVIOUS_ACCESS:
		to_access(app, ROWS_BACKWARD, count);
		return true;
	case REQUEST_NEXT_OF_CPU:
		to_event_of_cpu(app, ROWS_FORWARD, count);
		return true;
	case REQUEST_PREVIOUS_OF_CPU:
		to_event_of_cpu(app, ROWS_BACKWARD, count);
		return true;
	case REQUEST_BLAME:
		to_last_writer(app);
		return true;
	case REQUEST_SEARCH_NEXT:
	case REQUEST_SEARCH_PREVIOUS:
		search_again(app, request == REQUEST_SEARCH_PREVIOUS, count);
		return true;
	case REQUEST_BACK:
		go_back(app);
		return true;
	case REQUEST_FORWARD:
		go_forward(app);
		return true;
	case REQUEST_YANK:
		copy_position(app);
		return true;
	default:
		if (!prompt_of(request))
			return false;
		app_prompt_open(app, prompt_of(request));
		return true;
	}
}
