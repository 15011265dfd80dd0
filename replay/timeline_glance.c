/*
 * replay/timeline_glance.c - one look at a long tape that has no index
 */
#include "replay/glance.h"
#include "replay/timeline_parts.h"

#define LONG_FROM 500000 /* events: what is shorter has its index in no time */
#define NEAR	  262144 /* events that a run passes in the time of a glance */

enum status timeline_glance(struct timeline *timeline, u64 n)
{
	const u64 from = n < timeline->n || timeline->glanced ? 0 : timeline->n;
	struct model *model;
	enum status status;

	if (timeline_events(timeline) < LONG_FROM || n - from < NEAR ||
	    timeline_find_index(timeline))
		return timeline_seek(timeline, n);
	status = glance_model(timeline->look, n, &model);
	if (status == ST_UNSUPPORTED)
		return timeline_seek(timeline, n);
	if (status != ST_OK)
		return status;
	model_free(timeline->model);
	timeline->model = model;
	timeline->glanced = true;
	reader_learn(timeline->reader, timeline->look);
	status = reader_seek(timeline->reader, n);
	timeline_take_event(timeline);
	return status;
}

enum status timeline_answer(struct timeline *timeline, u64 vmcs, u64 n,
			    struct history_question *question)
{
	struct history *history;
	enum status status = ST_UNSUPPORTED;

	if (timeline->glanced && timeline->n == n)
		status = glance_answer(timeline->look, n, vmcs, question);
	if (status != ST_UNSUPPORTED)
		return status;
	status = timeline_history(timeline, vmcs, question->index, n, &history);
	if (status == ST_OK)
		status = history_answer(history, question);
	history_free(history);
	return status;
}
