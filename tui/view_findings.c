/*
 * tui/view_findings.c - what is wrong on this tape, as `vmxtape check` prints it
 */
#include <stdio.h>
#include <string.h>

#include "replay/report.h"
#include "tui/app_parts.h"

struct report {
	struct app *app;
	struct lines *lines;
	const struct finding *finding;
	bool first; /* the line that begins is the heading of the finding */
	bool begun; /* a line has no end yet */
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
	const char *const end = text + length;

	while (text < end) {
		const char *const stop = memchr(text, '\n', (size_t)(end - text));
		const size_t size = (size_t)((stop ? stop : end) - text);

		if (!report->begun)
			lines_add(report->lines);
		lines_put_linked(report->lines,
				 report->first ? heading(report->finding) : STYLE_PLAIN, text,
				 size);
		report->begun = !stop;
		report->first &= !stop;
		text += size + (stop != NULL);
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
		struct report report = { app, &view->lines, findings->list[i], true, false };
		const size_t start = view->lines.count;
		u64 n;

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
