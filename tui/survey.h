/*
 * tui/survey.h - the whole tape at a glance: read once in the background, slice by slice
 *
 * The first pass counts events for the overview, the second finds what is wrong.

 */
#ifndef TUI_SURVEY_H
#define TUI_SURVEY_H

#include "replay/check.h"
#include "replay/reader.h"

#define SURVEY_BUCKETS	 1024
#define SURVEY_MAX_LANES 64 /* a CPU has two: L1 and L2. More CPUs share the last two */

/* What happened in one bucket besides events. */
struct survey_flags {
	u32 failures; /* VM entries that failed, VMX instructions that did not succeed */
	u32 gaps;
	u32 marks; /* set by L1 */
};

/* A part of the tape: 1/SURVEY_BUCKETS of its time, or of its events. */
struct survey_axis {
	u32 counts[SURVEY_MAX_LANES][SURVEY_BUCKETS];
	struct survey_flags flags[SURVEY_BUCKETS];
	u64 first[SURVEY_BUCKETS + 1]; /* number of the first event at or behind its start */
};

enum survey_by { SURVEY_BY_TIME, SURVEY_BY_EVENTS, SURVEY_AXES };

struct survey {
	struct reader *reader; /* its own */
	struct check *check;
	u64 events;
	u64 counted; /* events that the first pass has seen */
	u64 checked; /* and the second */
	u64 failures;
	u64 first_tsc, last_tsc;
	u64 tsc; /* where the first pass is */
	unsigned lanes;
	u64 *evidence; /* numbers of events that findings rest on, sorted */
	size_t evidence_count;
	bool done;
	bool no_memory;
	struct survey_axis axes[SURVEY_AXES];
};

/* NULL, and a line in @error, when the tape at @path cannot be read. */
struct survey *survey_new(const char *path, char *error, size_t size);
void survey_free(struct survey *survey);

/* Goes on for about @microseconds; false when there is nothing more to do. */
bool survey_work(struct survey *survey, u64 microseconds);

/* The findings so far: of the whole tape once survey->done. */
const struct findings *survey_findings(const struct survey *survey);

/* Whether a finding rests on event @n; once survey->done. */
bool survey_is_evidence(const struct survey *survey, u64 n);

/* The bucket that event @n is in. */
unsigned survey_bucket(const struct survey *survey, enum survey_by by, u64 n);

/* Percent of the work that is done. */
unsigned survey_progress(const struct survey *survey);

#endif
