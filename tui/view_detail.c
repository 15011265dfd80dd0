/*
 * tui/view_detail.c - the event under the cursor
 */
#include <stdio.h>

#include "replay/event_text.h"
#include "tui/app_parts.h"

static void make(struct app *app, struct view *view)
{
	static char text[EVENT_TEXT_MAX];
	const struct trace_event *const event = timeline_event(app->timeline);
	char *end;

	if (!event)
		return;
	end = event_text(text, reader_names(app->look), event, timeline_model(app->timeline));
	end[-1] = 0;
	lines_wrap(&view->lines, STYLE_PLAIN, 0, view->columns, text);
}

const struct view_ops view_detail_ops = { .make = make, .moment = true };
