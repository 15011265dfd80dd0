/*
 * tui/app_follow.c - a tape that is being recorded: what is new on it
 *
 * The tape is opened again when its file has grown. What was there keeps its numbers, but for the
 * newest events where there are several CPUs: one whose block still comes can have events that
 * belong before them. Those are provisional.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "tui/app_parts.h"

#define TAIL 65536 /* events that are looked at for the newest of each CPU */

bool app_is_provisional(const struct app *app, u64 n)
{
	return n >= app->provisional;
}

static bool is_cut(const struct trace_event *event)
{
	return event->kind == EV_GAP && ((const struct ev_gap *)event->col)->why == GAP_CUT;
}

/*
 * The first event that an event still to come can stand before: where what there is of a CPU ends,
 * the reader has a gap. PLACES_NOWHERE: there is none among the first @events.
 */
static u64 first_provisional(struct reader *reader, u64 events)
{
	const u64 start = events - MIN(events, TAIL);
	const unsigned cpus = reader_info(reader)->cpus;
	const struct trace_event *event;
	unsigned cuts = 0;
	u64 first = PLACES_NOWHERE, n;

	if (cpus < 2 || reader_info(reader)->finished)
		return PLACES_NOWHERE;
	if (reader_seek(reader, start) != ST_OK)
		return start;
	while ((n = reader_tell(reader)) < events && reader_next(reader, &event) == ST_OK)
		if (is_cut(event)) {
			first = MIN(first, n);
			cuts++;
		}
	/* One CPU's is the end of the tape; others may end before what was looked at. */
	return cuts + 1 < cpus ? MIN(first, start) : first;
}

/* A tape that is not whole ends with gaps, one a CPU, which are no more than that. */
static u64 count_events(struct reader *reader)
{
	const struct reader_info *const info = reader_info(reader);
	const struct trace_event *event;
	u64 events = info->events;

	if (info->finished)
		return events;
	for (unsigned i = 0; i < info->cpus && events; i++) {
		if (reader_seek(reader, events - 1) != ST_OK ||
		    reader_next(reader, &event) != ST_OK || !is_cut(event))
			break;
		events--;
	}
	return events;
}

/* All that reads the tape reads the longer one from now on. */
static void use(struct app *app, struct reader *fresh)
{
	const u64 same = MIN(app->provisional, app->events);
	const u64 events = count_events(fresh);

	reader_set_symbols(fresh, reader_names(app->look)->symbols);
	if (rows_grow(app->list.rows, fresh, events, same) != ST_OK ||
	    rows_grow(app->find->rows, fresh, events, same) != ST_OK ||
	    rows_grow(app->entries, fresh, events, same) != ST_OK) {
		app_fail(app, "the tape has grown: %s", status_text(ST_NO_MEMORY));
		app->over = true;
	}
	event_rows_grow(app->texts, same);
	if (app->fresh)
		reader_close(app->fresh);
	app->look = app->fresh = fresh;
	app->schema = reader_names(fresh)->schema;
	app->events = events;
	app->provisional = first_provisional(fresh, app->events);
	app->follows = !reader_info(fresh)->finished;
}

/* Its cursor stays where it was; gdb holds on to the one that there is. */
bool app_grow_timeline(struct app *app)
{
	const u64 at = timeline_tell(app->timeline);
	struct timeline *timeline;
	char error[256];

	if (app->gdb || !app->fresh || app->events <= timeline_events(app->timeline) ||
	    timeline_open(app->options.path, &timeline, error, sizeof(error)) != ST_OK)
		return false;
	timeline_close(app->timeline);
	app->timeline = timeline;
	timeline_seek(timeline, at);
	app->moves = timeline_moves(timeline);
	return true;
}

/* Not for every event that comes: a survey reads the whole tape. */
static void survey_again(struct app *app)
{
	const u64 seen = app->survey->events;
	char error[256];

	if (!app->survey_next && app->survey->done &&
	    (app->events > seen + seen / 8 || !app->follows))
		app->survey_next = survey_new(app->options.path, error, sizeof(error));
}

void app_follow_start(struct app *app)
{
	app->provisional = PLACES_NOWHERE;
	app->follows = app->options.follow && !reader_info(app->look)->finished;
	if (!app->follows)
		return;
	app->events = count_events(app->look);
	app->provisional = first_provisional(app->look, app->events);
}

bool app_follow(struct app *app)
{
	const bool at_end = app->n + 1 >= app->events;
	struct reader *fresh;
	char error[256];
	struct stat file;

	if (!app->follows || stat(app->options.path, &file) ||
	    (u64)file.st_size == reader_info(app->look)->bytes)
		return app->follows;
	if (reader_open(app->options.path, &fresh, error, sizeof(error)) != ST_OK)
		return true;
	if (count_events(fresh) < app->events) {
		app_fail(app, "'%s' is another tape now: open it again", app->options.path);
		reader_close(fresh);
		app->follows = false;
		return false;
	}
	use(app, fresh);
	survey_again(app);
	if (at_end && app->events)
		app_go(app, app->events - 1);
	app->changed = true;
	return app->follows;
}
