/*
 * tui/index_job.h - the index of a long tape, made beside the UI
 *
 * A timeline makes the index of its tape when it first moves far, which takes seconds on a tape of
 * many million events, and keeps it in a file. A copy of this process does it, so that the UI
 * answers meanwhile; until it is over, states far from the timeline's cursor are not to be had.
 */
#ifndef TUI_INDEX_JOB_H
#define TUI_INDEX_JOB_H

#include "tui/child.h"

struct index_job {
	struct child child;
	unsigned percent;
};

/* Starts, where the tape at @path, of @events events, is long. Where it cannot, the job is over. */
void index_job_start(struct index_job *job, const char *path, u64 events);

/* Takes its progress without waiting; false: it is over. */
bool index_job_work(struct index_job *job);

#endif
