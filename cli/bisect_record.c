#include "cli/bisect_record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/record_child.h"
#include "replay/reader.h"

#define MAX_WORDS 64 /* of the command line of a recording */

struct words {
	char *word[MAX_WORDS + 1];
	size_t count;
};

__attribute__((format(printf, 2, 3))) static void add_word(struct words *words, const char *format,
							   ...)
{
	va_list args;

	if (words->count == MAX_WORDS)
		die("a recording with more than %d words is too much: give fewer modules",
		    MAX_WORDS);
	va_start(args, format);
	if (vasprintf(&words->word[words->count++], format, args) < 0)
		die("out of memory");
	va_end(args);
}

static void free_words(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->word[i]);
}

static void add_list(struct words *words, const char *name, const struct option_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		add_word(words, "--%s=%s", name, list->values[i]);
}

/* What was given of the options that say what runs where, but for those of hv. */
static void add_machine(struct words *words, const struct bisect_recording *recording)
{
	for (size_t i = 0; i < recording->option_count; i++) {
		const struct option *const option = &recording->options[i];

		if (option->to == recording->hv_options)
			continue;
		switch (option->type) {
		case OPTION_FLAG:
			if (*(const bool *)option->to)
				add_word(words, "--%s", option->name);
			break;
		case OPTION_TEXT:
			if (*(const char *const *)option->to)
				add_word(words, "--%s=%s", option->name,
					 *(const char *const *)option->to);
			break;
		case OPTION_NUMBER:
			if (*(const u64 *)option->to)
				add_word(words, "--%s=%llu", option->name,
					 *(const unsigned long long *)option->to);
			break;
		case OPTION_LIST:
			add_list(words, option->name, option->to);
			break;
		case OPTION_GROUP:
			break;
		}
	}
}

/* Capabilities as caps= takes them: "-a,-b"; owned by the caller. */
static char *list_of(const char *const *hidden, size_t count)
{
	char *list = strdup(""), *longer;

	for (size_t i = 0; i < count && list; i++) {
		if (asprintf(&longer, "%s%s-%s", list, i ? "," : "", hidden[i]) < 0)
			longer = NULL;
		free(list);
		list = longer;
	}
	if (!list)
		die("out of memory");
	return list;
}

/* hv's options, with those capabilities hidden besides those that were. */
static void add_hv(struct words *words, const char *given, const char *const *hidden, size_t count)
{
	const char *const old = strstr(given, BISECT_CAPS_OPTION);
	const size_t before = old ? (size_t)(old - given) : strlen(given);
	const size_t length = old ? strcspn(old, " ") : strlen(BISECT_CAPS_OPTION);
	char *list;

	if (!count && !old) {
		add_word(words, "--hv=%s", given);
		return;
	}
	list = list_of(hidden, count);
	add_word(words, "--hv=%.*s%s%.*s%s%s%s", (int)before, given, before && !old ? " " : "",
		 (int)length, old ? old : BISECT_CAPS_OPTION, old && count ? "," : "", list,
		 old ? old + length : "");
	free(list);
}

/* Whether L1's console said it: what came over the line, also if the tape was ended just before. */
static bool has_said(const struct bisect_recording *recording)
{
	FILE *const file = fopen(recording->console, "re");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	if (!file)
		die_errno("cannot read '%s'", recording->console);
	while (!found && getline(&line, &room, file) > 0)
		found = strstr(line, recording->success) != NULL;
	free(line);
	fclose(file);
	return found;
}

static bool has_run_l2(const struct bisect_recording *recording)
{
	const struct trace_event *event;
	struct reader *reader;
	bool found = false;
	char error[512];

	if (reader_open(recording->tape, &reader, error, sizeof(error)) != ST_OK)
		die("%s", error);
	while (!found && reader_next(reader, &event) == ST_OK)
		found = event->kind == EV_L2_ENTRY;
	reader_close(reader);
	return found;
}

bool bisect_record(const struct bisect_recording *recording, const char *const *hidden,
		   size_t count)
{
	const char *const given = *recording->hv_options ? *recording->hv_options : "";
	struct words words = { .count = 0 };

	add_word(&words, "vmxtape");
	add_word(&words, "record");
	add_word(&words, "--quiet");
	add_word(&words, "--console");
	add_word(&words, "--timeout=%llu", (unsigned long long)recording->timeout);
	add_word(&words, "--output=%s", recording->tape);
	if (recording->success)
		add_word(&words, "--until=%s", recording->success);
	add_machine(&words, recording);
	add_hv(&words, given, hidden, count);
	words.word[words.count] = NULL;
	unlink(recording->tape);
	record_child(words.word, recording->console, recording->log);
	free_words(&words);
	return recording->success ? has_said(recording) : has_run_l2(recording);
}
