#include "tui/survey.h"

#include <stdio.h>
#include <stdlib.h>

#include "replay/array.h"
#include "tui/clock.h"
#include "tui/event_row.h"

#define LOOK_EVERY 64 /* events between two looks at the clock */

struct survey *survey_new(const char *path, char *error, size_t size)
{
	struct survey *const survey = calloc(1, sizeof(*survey));
	const struct trace_event *event;
	const struct reader_info *info;

	if (!survey) {
		snprintf(error, size, "'%s': %s", path, status_text(ST_NO_MEMORY));
		return NULL;
	}
	survey->check = check_new(path);
	if (!survey->check || reader_open(path, &survey->reader, error, size) != ST_OK) {
		if (!survey->check)
			snprintf(error, size, "'%s': %s", path, status_text(ST_NO_MEMORY));
		survey_free(survey);
		return NULL;
	}
	info = reader_info(survey->reader);
	survey->events = info->events;
	if (reader_next(survey->reader, &event) == ST_OK)
		survey->first_tsc = survey->tsc = event->tsc;
	survey->last_tsc = MAX(info->last_tsc, survey->first_tsc);
	reader_seek(survey->reader, 0);
	survey->lanes = MIN(2 * info->cpus, (unsigned)SURVEY_MAX_LANES);
	for (unsigned by = 0; by < SURVEY_AXES; by++)
		for (unsigned i = 0; i <= SURVEY_BUCKETS; i++)
			survey->axes[by].first[i] = info->events;
	return survey;
}

void survey_free(struct survey *survey)
{
	if (!survey)
		return;
	check_free(survey->check);
	reader_close(survey->reader);
	free(survey->evidence);
	free(survey);
}

/* --- counting --------------------------------------------------------------------------------- */

/* The lane of @level (1 or 2) of @cpu. */
static unsigned lane_of(u16 cpu, u8 level)
{
	return 2 * MIN((unsigned)cpu, SURVEY_MAX_LANES / 2 - 1u) + (level == 2);
}

static void count_on(struct survey_axis *axis, unsigned bucket, const struct trace_event *event,
		     u64 n)
{
	struct survey_flags *const flags = &axis->flags[bucket];

	if (event->level)
		axis->counts[lane_of(event->cpu, event->level)][bucket]++;
	flags->failures += event_failed(event);
	flags->gaps += event->kind == EV_GAP;
	flags->marks += event->kind == EV_MARK;
	/* Buckets without events begin where the next one does. */
	for (unsigned i = bucket + 1; i-- && axis->first[i] > n;)
		axis->first[i] = n;
}

static unsigned part(u64 at, u64 whole)
{
	return whole ? (unsigned)MIN((unsigned __int128)at * SURVEY_BUCKETS / whole,
				     SURVEY_BUCKETS - 1u)
		     : 0;
}

static void count(struct survey *survey, const struct trace_event *event, u64 n)
{
	const u64 whole = survey->last_tsc - survey->first_tsc + 1;

	/* An event is no earlier than the one before it, whatever its clock says. */
	survey->tsc = MIN(MAX(event->tsc, survey->tsc), survey->last_tsc);
	survey->failures += event_failed(event);
	count_on(&survey->axes[SURVEY_BY_TIME], part(survey->tsc - survey->first_tsc, whole), event,
		 n);
	count_on(&survey->axes[SURVEY_BY_EVENTS], part(n, survey->events), event, n);
}

unsigned survey_bucket(const struct survey *survey, enum survey_by by, u64 n)
{
	const u64 *const first = survey->axes[by].first;
	unsigned low = 0, high = SURVEY_BUCKETS;

	if (by == SURVEY_BY_EVENTS)
		return part(n, survey->events);
	while (low + 1 < high) {
		const unsigned middle = (low + high) / 2;

		if (first[middle] <= n)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* --- findings --------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
	const u64 left = *(const u64 *)a, right = *(const u64 *)b;

	return (left > right) - (left < right);
}

static void gather_evidence(struct survey *survey)
{
	const struct findings *const findings = survey_findings(survey);

	survey->evidence =
		calloc(MAX(findings->count, 1u), FINDING_MAX_EVIDENCE * sizeof(*survey->evidence));
	if (!survey->evidence) {
		survey->no_memory = true;
		return;
	}
	for (unsigned i = 0; i < findings->count; i++)
		for (unsigned k = 0; k < findings->list[i]->evidence_count; k++)
			survey->evidence[survey->evidence_count++] =
				findings->list[i]->evidence[k].n;
	qsort(survey->evidence, survey->evidence_count, sizeof(*survey->evidence), compare_numbers);
}

const struct findings *survey_findings(const struct survey *survey)
{
	return check_findings(survey->check);
}

bool survey_is_evidence(const struct survey *survey, u64 n)
{
	const size_t at = array_below(survey->evidence, survey->evidence_count, n);

	return at < survey->evidence_count && survey->evidence[at] == n;
}

/* --- in slices -------------------------------------------------------------------------------- */

static bool count_slice(struct survey *survey, u64 end)
{
	const struct trace_event *event;

	do {
		for (unsigned i = 0; i < LOOK_EVERY; i++) {
			const u64 n = reader_tell(survey->reader);

			if (reader_next(survey->reader, &event) != ST_OK) {
				survey->counted = survey->events;
				reader_seek(survey->reader, 0);
				return false;
			}
			count(survey, event, n);
		}
	} while (clock_microseconds() < end);
	survey->counted = reader_tell(survey->reader);
	return true;
}

static bool check_slice(struct survey *survey, u64 end)
{
	const struct trace_event *event;

	do {
		for (unsigned i = 0; i < LOOK_EVERY; i++) {
			const u64 n = reader_tell(survey->reader);

			if (reader_next(survey->reader, &event) != ST_OK) {
				check_end(survey->check);
				gather_evidence(survey);
				survey->checked = survey->events;
				survey->done = true;
				return false;
			}
			if (check_event(survey->check, event, n) != ST_OK) {
				survey->no_memory = survey->done = true;
				return false;
			}
		}
	} while (clock_microseconds() < end);
	survey->checked = reader_tell(survey->reader);
	return true;
}

bool survey_work(struct survey *survey, u64 microseconds)
{
	const u64 end = clock_microseconds() + microseconds;

	if (survey->done)
		return false;
	if (survey->counted < survey->events || !survey->events)
		if (count_slice(survey, end))
			return true;
	return check_slice(survey, end);
}

unsigned survey_progress(const struct survey *survey)
{
	const u64 done = survey->counted / 8 + survey->checked;
	const u64 all = survey->events / 8 + survey->events;

	return survey->done || !all ? 100 : (unsigned)(100 * done / all);
}
