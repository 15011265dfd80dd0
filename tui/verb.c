#include "tui/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app_parts.h"
#include "tui/clock.h"

#define READ_AT_ONCE 16384
#define INDENT	     12 /* of what goes on from the line before */

bool verb_run(struct app *app, struct view *view, const char *const *args)
{
	struct verb *const verb = &view->verb;
	char *words[VERB_MAX_ARGS + 3];
	size_t count = 0, length = 0;

	verb_close(app, view);
	if (!app->options.program) {
		app_fail(app, "verbs cannot be run here");
		return false;
	}
	words[count++] = (char *)"vmxtape";
	*verb->words = 0;
	for (; *args && count < VERB_MAX_ARGS; args++) {
		words[count++] = (char *)*args;
		if (strcmp(*args, app->options.path) && length < sizeof(verb->words))
			length +=
				(size_t)snprintf(verb->words + length, sizeof(verb->words) - length,
						 "%s%s", length ? " " : "", *args);
	}
	words[count] = NULL;
	lines_clear(&view->lines);
	view->top = view->selected = view->left = 0;
	verb->ended = false;
	verb->size = 0;
	if (child_start(&verb->child, app->options.program, words))
		return true;
	app_fail(app, "'%s' cannot be run", app->options.program);
	return false;
}

/* Splits in place; words in quotes may have blanks. */
static size_t split(char *line, const char *args[VERB_MAX_ARGS])
{
	size_t count = 0;

	while (count < VERB_MAX_ARGS) {
		char quote = 0, *to;

		line += strspn(line, " \t");
		if (!*line)
			break;
		args[count++] = to = line;
		for (; *line && (quote || (*line != ' ' && *line != '\t')); line++) {
			if (quote ? *line == quote : *line == '\'' || *line == '"')
				quote = quote ? 0 : *line;
			else
				*to++ = *line;
		}
		if (*line)
			line++;
		*to = 0;
	}
	return count;
}

/* Verbs that read no tape, or write one. */
static bool takes_tape(const char *verb)
{
	return strcmp(verb, "explain") && strcmp(verb, "record") && strcmp(verb, "--help") &&
	       strcmp(verb, "--version") && strcmp(verb, "help");
}

bool verb_run_line(struct app *app, struct view *view, const char *line)
{
	char copy[PROMPT_MAX], position[32];
	const char *args[VERB_MAX_ARGS + 2];
	bool tape = true;
	size_t count;

	snprintf(copy, sizeof(copy), "%s", line);
	count = split(copy, args);
	if (!count || count == VERB_MAX_ARGS) {
		app_fail(app, count ? "these are too many words" : "which verb? 'help' lists them");
		return false;
	}
	if (!strcmp(args[0], "tui")) {
		app_fail(app, "this is it");
		return false;
	}
	app_position(app, app->n, position);
	for (size_t i = 1; i < count; i++) {
		if (!strcmp(args[i], "@"))
			args[i] = position;
		if (!strcmp(args[i], "--help") ||
		    (strlen(args[i]) > 4 && !strcmp(args[i] + strlen(args[i]) - 4, ".vxt")))
			tape = false;
	}
	if (!strcmp(args[0], "diff"))
		tape = true;
	if (tape && takes_tape(args[0]))
		args[count++] = app->options.path;
	args[count] = NULL;
	return verb_run(app, view, args);
}

/* What came behind the last newline stays in verb->line. */
static void take(struct view *view, const char *text, size_t size)
{
	struct verb *const verb = &view->verb;
	const unsigned columns = view->ops->wraps ? view->columns : 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n') {
			lines_add_linked(&view->lines, STYLE_PLAIN, verb->line, verb->size, columns,
					 INDENT);
			verb->size = 0;
		} else if (verb->size < sizeof(verb->line) && text[i] != '\r') {
			verb->line[verb->size++] = text[i] == '\t' || !text[i] ? ' ' : text[i];
		}
	}
}

bool verb_work(struct app *app, struct view *view)
{
	struct verb *const verb = &view->verb;
	const u64 end = clock_microseconds() + APP_SLICE;
	char text[READ_AT_ONCE];
	bool some = false;

	while (child_is_running(&verb->child) && clock_microseconds() < end) {
		const size_t size = child_read(&verb->child, text, READ_AT_ONCE);

		if (!size)
			break;
		take(view, text, size);
		some = true;
		if (view->lines.count >= LINES_MAX) {
			child_stop(&verb->child);
			lines_put(&view->lines, STYLE_WARNING, " ... there is more than fits here");
		}
	}
	if (!child_is_running(&verb->child) && !verb->ended && *verb->words) {
		verb->ended = some = true;
		if (verb->size)
			take(view, "\n", 1);
		if (!view->lines.count) {
			lines_add(&view->lines);
			lines_put(&view->lines, STYLE_LABEL, "nothing was printed");
		}
	}
	(void)app;
	return some;
}

void verb_close(struct app *app, struct view *view)
{
	(void)app;
	child_stop(&view->verb.child);
}

void verb_title(struct app *app, const struct view *view, char *to, size_t size)
{
	const size_t name = strlen(view->name);
	const char *const words = view->verb.words;

	(void)app;
	/* The pane is often called as its verb. */
	snprintf(to, size, "%s%s",
		 !strncmp(words, view->name, name) && (!words[name] || words[name] == ' ')
			 ? words + name + (words[name] == ' ')
			 : words,
		 child_is_running(&view->verb.child) ? " ..." : "");
}
