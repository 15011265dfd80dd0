/*
 * tui/view_findings.c - what is wrong on this tape, as `vmxtape check` prints it
 */
#include <stdio.h>
#include <string.h>

#include "replay/report.h"
#include "tui/app_parts.h"

#define INDENT 12 /* of what goes on from the line before, as the report has it */

struct report {
	struct app *app;
	struct lines *lines;
	const struct finding *finding;
	unsigned columns;
	bool first; /* the line that begins is the heading of the finding */
	size_t size;
	char line[EVENT_TEXT_MAX]; /* until its end has come */
};

static enum style heading(const struct finding *finding)
{
	switch (finding->severity) {
	case SEVERITY_ERROR:
		return STYLE_ERROR;
	case SEVERITY_WARNING:
		return STYLE_WARNING;
	default:
		return STYLE_NOTE;
	}
}

static void take_text(void *owner, const char *text, size_t length)
{
	struct report *const report = owner;

	for (size_t i = 0; i < length; i++) {
		if (text[i] != '\n') {
			if (report->size < sizeof(report->line))
				report->line[report->size++] = text[i];
			continue;
		}
		lines_add_linked(report->lines,
				 report->first ? heading(report->finding) : STYLE_PLAIN,
				 report->line, report->size, report->columns, INDENT);
		report->first = false;
		report->size = 0;
	}
}

static char *take_event(void *owner, const struct model_place *place, char *to)
{
	struct app *const app = ((struct report *)owner)->app;
	const struct trace_event *event;

	if (reader_seek(app->look, place->n) != ST_OK || reader_next(app->look, &event) != ST_OK)
		return to;
	return event_text(to, reader_names(app->look), event, NULL);
}

static void make(struct app *app, struct view *view)
{
	static const struct report_ops ops = { .write = take_text, .event = take_event };
	const struct findings *const findings = survey_findings(app->survey);

	for (unsigned i = 0; i < findings->count; i++) {
		static struct report report;
		const size_t start = view->lines.count;
		u64 n;

		report.app = app;
		report.lines = &view->lines;
		report.finding = findings->list[i];
		report.columns = view->columns;
		report.first = true;
		report.size = 0;
		report_text(&ops, &report, findings->list[i], i + 1);
		if (timeline_finding_place(findings->list[i], &n) && start < view->lines.count)
			view->lines.list[start].event = n;
		lines_add(&view->lines);
	}
	if (findings->count)
		return;
	lines_add(&view->lines);
	lines_put(&view->lines, STYLE_LABEL, "%s",
		  app->survey->done ? "nothing is wrong on this tape, as far as it tells"
				    : "nothing is wrong so far");
}

static void title(struct app *app, const struct view *view, char *to, size_t size)
{
	(void)view;
	if (app->survey->done)
		snprintf(to, size, "%u", survey_findings(app->survey)->count);
	else
		snprintf(to, size, "%u so far, %u%% of the tape is checked",
			 survey_findings(app->survey)->count, survey_progress(app->survey));
}

const struct view_ops view_findings_ops = { .make = make, .title = title, .wide = true };
