#include "replay/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/event_json.h"
#include "replay/put.h"

#define LABEL_COLUMN 12
#define MAX_COLUMN   100

struct report {
	const struct report_ops *ops;
	void *owner;
};

static void put(const struct report *report, const char *text, size_t length)
{
	report->ops->write(report->owner, text, length);
}

static void puts_text(const struct report *report, const char *text)
{
	put(report, text, strlen(text));
}

/* --- text ------------------------------------------------------------------------------------- */

/* "  label     " before the first line, blanks before the others. */
static void start_line(const struct report *report, const char *label)
{
	char line[LABEL_COLUMN + 32], *to = line;

	to = put_text(put_bytes(to, "  ", 2), label);
	to = put_pad(to, line, LABEL_COLUMN, 0);
	put(report, line, (size_t)(to - line));
}

/* Words, as many as @room columns take; returns where the next line begins. */
static const char *one_line(const struct report *report, const char *text, size_t room)
{
	size_t length = strcspn(text, "\n"), end;

	if (length > room) {
		for (end = room; end && text[end] != ' '; end--)
			;
		length = end ? end : strcspn(text, " \n");
	}
	put(report, text, length);
	puts_text(report, "\n");
	text += length;
	return *text == ' ' || *text == '\n' ? text + 1 : text;
}

/* @text in lines of its own; its first label was written when @label is NULL. */
static void paragraph(const struct report *report, const char *label, const char *text)
{
	if (!text || !*text)
		return;
	while (*text) {
		start_line(report, label);
		text = one_line(report, text, MAX_COLUMN - LABEL_COLUMN);
		label = "";
	}
}

/* As a sentence. */
static void title_text(const struct report *report, const char *title)
{
	char *sentence;

	if (!title || asprintf(&sentence, "%s.", title) < 0)
		return;
	for (const char *at = sentence; *at;) {
		puts_text(report, "  ");
		at = one_line(report, at, MAX_COLUMN - 2);
	}
	free(sentence);
}

static void evidence_text(const struct report *report, const struct finding *finding)
{
	char *const line = malloc(EVENT_TEXT_MAX);
	const char *label = "evidence";

	for (unsigned i = 0; line && i < finding->evidence_count; i++) {
		const char *const end =
			report->ops->event(report->owner, &finding->evidence[i], line);

		if (end == line)
			continue;
		start_line(report, label);
		put(report, line, (size_t)(end - line));
		label = "";
	}
	free(line);
	paragraph(report, label, finding->note);
}

static void section_text(const struct report *report, const char *section)
{
	char *text;

	if (!strcmp(section, "none") || asprintf(&text, "SDM, %s", section) < 0)
		return;
	paragraph(report, "expected", text);
	free(text);
}

void report_text(const struct report_ops *ops, void *owner, const struct finding *finding,
		 unsigned number)
{
	const struct report report = { ops, owner };
	const struct finding_row *const row = &finding_rows[finding->id];
	char line[256], *to = line;

	to = put_text(to, finding_severity_name(finding->severity));
	to = put_text(put_pad(to, line, 9, 1), row->rule);
	to = put_dec(put_text(put_pad(to, line, 36, 2), "@finding:"), number);
	to = put_text(to, ", fault ");
	to = put_text(to, finding_fault_name(row->fault));
	to = put_text(put_text(to, ", confidence "), finding_confidence_name(finding->confidence));
	if (finding->count > 1)
		to = put_text(put_dec(put_text(to, ", "), finding->count), " times");
	to = put_char(to, '\n');
	put(&report, line, (size_t)(to - line));
	title_text(&report, finding->title);
	evidence_text(&report, finding);
	section_text(&report, row->section);
	paragraph(&report, "effect", finding->explanation);
	/* A command line stays whole, to be copied. */
	if (finding->next && !strncmp(finding->next, "vmxtape ", 8)) {
		start_line(&report, "next");
		puts_text(&report, finding->next);
		puts_text(&report, "\n");
	} else {
		paragraph(&report, "next", finding->next);
	}
	paragraph(&report, "unknown", finding->unknown);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void json_value(const struct report *report, const char *text, size_t length)
{
	char *const quoted = malloc(6 * length + 2);

	if (!quoted)
		return;
	put(report, quoted, (size_t)(json_string(quoted, text, length) - quoted));
	free(quoted);
}

static void json_member(const struct report *report, const char *key, const char *text)
{
	puts_text(report, ",\"");
	puts_text(report, key);
	puts_text(report, "\":");
	if (text)
		json_value(report, text, strlen(text));
	else
		puts_text(report, "null");
}

static void json_evidence(const struct report *report, const struct finding *finding)
{
	char position[40];

	puts_text(report, ",\"evidence\":[");
	for (unsigned i = 0; i < finding->evidence_count; i++) {
		const struct model_place *const place = &finding->evidence[i];
		const char *const end = event_text_position(position, place->cpu, place->seq);

		if (i)
			puts_text(report, ",");
		json_value(report, position, (size_t)(end - position));
	}
	puts_text(report, "],\"notes\":[");
	for (const char *note = finding->note; note && *note;) {
		const size_t length = strcspn(note, "\n");

		json_value(report, note, length);
		note += length + (note[length] == '\n');
		if (*note)
			puts_text(report, ",");
	}
	puts_text(report, "]");
}

void report_json(const struct report_ops *ops, void *owner, const struct finding *finding,
		 unsigned number)
{
	const struct report report = { ops, owner };
	const struct finding_row *const row = &finding_rows[finding->id];
	char text[32];

	puts_text(&report, "{\"schema\":1,\"finding\":");
	put(&report, text, (size_t)(put_dec(text, number) - text));
	json_member(&report, "rule", row->rule);
	json_member(&report, "severity", finding_severity_name(finding->severity));
	json_member(&report, "fault", finding_fault_name(row->fault));
	json_member(&report, "title", finding->title);
	json_evidence(&report, finding);
	json_member(&report, "expected", strcmp(row->section, "none") ? row->section : NULL);
	json_member(&report, "explanation", finding->explanation);
	json_member(&report, "next", finding->next);
	json_member(&report, "unknown", finding->unknown);
	json_member(&report, "confidence", finding_confidence_name(finding->confidence));
	puts_text(&report, ",\"count\":");
	put(&report, text, (size_t)(put_dec(text, finding->count) - text));
	puts_text(&report, "}\n");
}
