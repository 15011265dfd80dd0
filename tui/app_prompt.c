/*
 * tui/app_prompt.c - what the prompts do
 */
#include <stdio.h>
#include <string.h>

#include "replay/position.h"
#include "tui/app_parts.h"

void app_prompt_open(struct app *app, enum prompt_kind kind)
{
	const char *text = "";
	const char *note;

	if (kind == PROMPT_GOTO) {
		text = "@";
	} else if (kind == PROMPT_FILTER) {
		text = app->filter;
	} else if (kind == PROMPT_MEMORY) {
		text = "rsp";
	} else if (kind == PROMPT_NOTE) {
		note = places_note_at(&app->places, app->n);
		text = note ? note : "";
	}
	prompt_open(&app->prompt, kind, text);
}

/* --- what is entered -------------------------------------------------------------------------- */

static void go_to(struct app *app, const char *text)
{
	char error[sizeof(app->message)];
	u64 n;

	if (position_resolve(app->look, text, &n, error, sizeof(error)) == ST_OK)
		app_jump(app, n);
	else
		app_fail(app, "%s", error);
}

static void search(struct app *app, const char *text)
{
	struct view *const view = app_active_view(app);
	char meaning[FIND_MAX], error[sizeof(app->message)];
	struct query *query;

	if (view) {
		snprintf(app->view_search, sizeof(app->view_search), "%s", text);
		if (*text && !view_find(view, text, false))
			app_say(app, "'%s' is not in this pane", text);
		return;
	}
	if (!*text) {
		*app->search = 0;
		return;
	}
	if (find_meaning(app->schema, text, meaning, sizeof(meaning), &query, error,
			 sizeof(error)) != ST_OK) {
		app_fail(app, "%s", error);
		return;
	}
	query_free(query);
	snprintf(app->search, sizeof(app->search), "%s", meaning);
	app_find(app, app->search, "match", ROWS_FORWARD, 1);
}

/* Also while it is typed: what makes no sense yet changes nothing. */
static bool set_filter(struct app *app, const char *text, char *error, size_t size)
{
	char meaning[FIND_MAX];
	struct query *query = NULL;

	if (text[strspn(text, " ")] &&
	    find_meaning(app->schema, text, meaning, sizeof(meaning), &query, error, size) != ST_OK)
		return false;
	rows_set_query(app->list.rows, query);
	return true;
}

static void filter(struct app *app, const char *text)
{
	char error[sizeof(app->message)];

	if (!set_filter(app, text, error, sizeof(error))) {
		set_filter(app, app->filter, app->message, sizeof(app->message));
		app_fail(app, "%s", error);
		return;
	}
	snprintf(app->filter, sizeof(app->filter), "%s", text);
	if (!*app->filter)
		app_say(app, "every event is shown");
}

static void note(struct app *app, const char *text)
{
	const struct trace_event *const event = app_event(app);
	enum status status;

	if (!event)
		return;
	status = places_note(&app->places, app->n, event->cpu, event->seq, text);
	app->views[VIEW_DETAIL].stale = true;
	if (status != ST_OK)
		app_fail(app, "the note cannot be kept in '%s': %s", app->places.path,
			 status_text(status));
}

/* A position, a request by its name alone, or a verb with its arguments. */
static void command(struct app *app, const char *text)
{
	const char *const word = text + strspn(text, " ");
	const struct request_info *const info = request_find(word, strlen(word));

	if (!*word)
		return;
	if (*word == '@')
		go_to(app, word);
	else if (info)
		app_request(app, (enum request)info->request, 0);
	else if (!strcmp(word, "q"))
		app->over = true;
	else if (!strncmp(word, "gdb", 3) && (!word[3] || word[3] == ' '))
		app_gdb_command(app, word + 3 + strspn(word + 3, " "));
	else if (verb_run_line(app, &app->views[VIEW_OUTPUT], word))
		app_open(app, VIEW_OUTPUT, true);
}

static void entered(struct app *app)
{
	const enum prompt_kind kind = app->prompt.kind;
	const char *const text = app->prompt.text;

	switch (kind) {
	case PROMPT_GOTO:
		go_to(app, text);
		break;
	case PROMPT_SEARCH:
		search(app, text);
		break;
	case PROMPT_FILTER:
		filter(app, text);
		break;
	case PROMPT_NOTE:
		note(app, text);
		break;
	case PROMPT_COMMAND:
		command(app, text);
		break;
	case PROMPT_MEMORY:
		if (app_memory_at(app, text))
			app_show(app, VIEW_MEMORY, true);
		break;
	default:
		break;
	}
	prompt_close(&app->prompt, kind != PROMPT_NOTE);
}

/* --- keys ------------------------------------------------------------------------------------- */

static void set_mark(struct app *app, u32 letter)
{
	const struct trace_event *const event = app_event(app);

	if (!event)
		return;
	if (places_mark(&app->places, letter - 'a', app->n, event->cpu, event->seq) != ST_OK)
		app_fail(app, "the mark cannot be kept in '%s'", app->places.path);
	else
		app_say(app, "mark %c is here", (char)letter);
}

static void go_to_mark(struct app *app, u32 letter)
{
	const u64 n = app->places.marks[letter - 'a'];

	if (n == PLACES_NOWHERE)
		app_say(app, "there is no mark %c", (char)letter);
	else
		app_jump(app, n);
}

static void letter_key(struct app *app, u32 key)
{
	const bool set = app->prompt.kind == PROMPT_MARK;

	prompt_close(&app->prompt, false);
	if (key >= 'a' && key <= 'z') {
		if (set)
			set_mark(app, key);
		else
			go_to_mark(app, key);
	} else if (key == '\'' && !set) {
		app_request(app, REQUEST_BACK, 0);
	} else if (key != INPUT_ESC && key != INPUT_CTRL('c')) {
		app_say(app, "marks are the letters a to z");
	}
}

static void preview(struct app *app)
{
	char error[sizeof(app->message)];

	*app->message = 0;
	if (app->prompt.kind == PROMPT_FILTER)
		set_filter(app, app->prompt.text, error, sizeof(error));
}

void app_prompt_key(struct app *app, u32 key)
{
	if (app->prompt.kind == PROMPT_MARK || app->prompt.kind == PROMPT_GOTO_MARK) {
		letter_key(app, key);
		return;
	}
	switch (prompt_key(&app->prompt, key)) {
	case PROMPT_ENTERED:
		entered(app);
		break;
	case PROMPT_LEFT:
		if (app->prompt.kind == PROMPT_FILTER)
			set_filter(app, app->filter, app->message, sizeof(app->message));
		prompt_close(&app->prompt, false);
		break;
	case PROMPT_EDITED:
		preview(app);
		break;
	case PROMPT_IGNORED:
		break;
	}
}
