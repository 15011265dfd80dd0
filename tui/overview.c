/*
 * tui/overview.c - the whole tape in a few rows: a lane for each CPU and level, and a line below
 * with what stands out and with the part that the list shows
 */
#include <stdio.h>

#include "replay/array.h"
#include "tui/app_parts.h"

#define LABEL 6 /* columns: "c0 L1 " */

static unsigned map_columns(const struct app *app)
{
	return app->grid.columns > LABEL ? app->grid.columns - LABEL : 1;
}

/* Lanes are shared when there are more than rows: L1 and L2 of some CPUs then are one row each. */
static unsigned lane_rows(const struct app *app)
{
	const unsigned most = MAX(2u, (app->grid.rows / 6) & ~1u);

	return MIN(app->survey->lanes, most);
}

unsigned overview_rows(const struct app *app)
{
	return app->grid.rows < 16 ? 0 : lane_rows(app) + 1;
}

/* The buckets of column @column: from *first up to, not including, the result. */
static unsigned buckets_of(const struct app *app, unsigned column, unsigned *first)
{
	const unsigned columns = map_columns(app);
	const unsigned end = (column + 1) * SURVEY_BUCKETS / columns;

	*first = column * SURVEY_BUCKETS / columns;
	return MAX(end, *first + 1);
}

static unsigned column_of(const struct app *app, u64 n)
{
	const unsigned columns = map_columns(app);
	unsigned column = survey_bucket(app->survey, app->by, n) * columns / SURVEY_BUCKETS;
	unsigned first;

	/* The column whose buckets begin at or before it. */
	while (column + 1 < columns &&
	       buckets_of(app, column, &first) <= survey_bucket(app->survey, app->by, n))
		column++;
	return column;
}

u64 overview_event(const struct app *app, unsigned column)
{
	const unsigned bucket = column * SURVEY_BUCKETS / map_columns(app);

	return app->survey->axes[app->by].first[MIN(bucket, SURVEY_BUCKETS - 1u)];
}

/* Events of the lanes of row @row in column @column. */
static u64 density(const struct app *app, unsigned row, unsigned column)
{
	const struct survey_axis *const axis = &app->survey->axes[app->by];
	const unsigned pairs = MAX(lane_rows(app) / 2, 1u), cpus = MAX(app->survey->lanes / 2, 1u);
	unsigned first, end = buckets_of(app, column, &first);
	u64 sum = 0;

	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		if (cpu * pairs / cpus != row / 2)
			continue;
		for (unsigned i = first; i < end && i < SURVEY_BUCKETS; i++)
			sum += axis->counts[2 * cpu + row % 2][i];
	}
	return sum;
}

static unsigned bits(u64 value)
{
	return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
}

/* Eight steps, each of them a multiple of the one before: few events are seen beside many. */
static void draw_lane(struct app *app, const struct area *area, unsigned row)
{
	const unsigned columns = map_columns(app);
	u64 most = 1;

	for (unsigned column = 0; column < columns; column++)
		most = MAX(most, density(app, row, column));
	for (unsigned column = 0; column < columns; column++) {
		const u64 events = density(app, row, column);
		const unsigned step = bits(most) > 8
					      ? (bits(events) * 8 + bits(most) - 1) / bits(most)
					      : (unsigned)((events * 8 + most - 1) / most);

		if (events)
			draw_glyph(area, row, LABEL + column, row % 2 ? STYLE_L2 : STYLE_PLAIN,
				   (enum glyph)(GLYPH_LEVEL_1 + MIN(MAX(step, 1u), 8u) - 1));
	}
}

static void draw_label(struct app *app, const struct area *area, unsigned row)
{
	const unsigned pairs = MAX(lane_rows(app) / 2, 1u), cpus = MAX(app->survey->lanes / 2, 1u);

	if (cpus == pairs)
		draw_format(area, row, 0, STYLE_LABEL, "c%u L%u", row / 2, row % 2 + 1);
	else
		draw_format(area, row, 0, STYLE_LABEL, "c%u+ L%u",
			    (row / 2 * cpus + pairs - 1) / pairs, row % 2 + 1);
}

static bool finding_in(const struct app *app, u64 first, u64 end)
{
	const struct survey *const survey = app->survey;
	const size_t at = array_below(survey->evidence, survey->evidence_count, first);

	return at < survey->evidence_count && survey->evidence[at] < end;
}

/* What stands out in a column, the worst first. */
static void draw_flags(struct app *app, const struct area *area, unsigned row, unsigned column)
{
	const struct survey_axis *const axis = &app->survey->axes[app->by];
	struct survey_flags sum = { 0 };
	unsigned first, end = MIN(buckets_of(app, column, &first), (unsigned)SURVEY_BUCKETS);
	const unsigned at = LABEL + column;

	for (unsigned i = first; i < end; i++) {
		sum.failures += axis->flags[i].failures;
		sum.gaps += axis->flags[i].gaps;
		sum.marks += axis->flags[i].marks;
	}
	for (unsigned i = 0; i < PLACES_LETTERS; i++)
		if (app->places.marks[i] != PLACES_NOWHERE &&
		    column_of(app, app->places.marks[i]) == column) {
			draw_char(area, row, at, STYLE_MARK, 'a' + i);
			return;
		}
	if (sum.gaps && !app->follows)
		draw_glyph(area, row, at, STYLE_ERROR, GLYPH_GAP);
	else if (finding_in(app, axis->first[first], axis->first[end]))
		draw_glyph(area, row, at, STYLE_WARNING, GLYPH_FINDING);
	else if (sum.failures)
		draw_glyph(area, row, at, STYLE_ERROR, GLYPH_FAILURE);
	else if (sum.marks)
		draw_char(area, row, at, STYLE_MARK, 'm');
}

/* The part of the tape that the list shows stands between brackets, the cursor in it. */
static void draw_window(struct app *app, const struct area *area, unsigned row)
{
	const struct list *const list = &app->list;
	const unsigned cursor = LABEL + column_of(app, app->n);
	unsigned left, right;

	if (!list->count)
		return;
	left = LABEL + column_of(app, list->shown[0]);
	right = LABEL + column_of(app, list->shown[list->count - 1]);
	if (left > LABEL)
		draw_glyph(area, row, left - 1, STYLE_STRONG, GLYPH_WINDOW_LEFT);
	draw_glyph(area, row, right + 1, STYLE_STRONG, GLYPH_WINDOW_RIGHT);
	draw_glyph(area, row, cursor, STYLE_KEY, GLYPH_CURSOR);
}

void overview_draw(struct app *app, const struct area *area)
{
	const unsigned lanes = area->rows - 1;

	app->overview_area = *area;
	app->overview_area.column += LABEL;
	app->overview_area.columns = map_columns(app);
	for (unsigned row = 0; row < lanes; row++) {
		draw_label(app, area, row);
		draw_lane(app, area, row);
	}
	draw_rule(area, lanes);
	draw_text(area, lanes, 0, STYLE_LABEL, app->by == SURVEY_BY_TIME ? "time " : "count");
	for (unsigned column = 0; column < map_columns(app); column++)
		draw_flags(app, area, lanes, column);
	draw_window(app, area, lanes);
}
