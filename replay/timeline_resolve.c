/*
 * replay/timeline_resolve.c - places as people write them, found by the index
 */
#include <stdio.h>

#include "replay/position.h"
#include "replay/timeline_parts.h"

/* The first interval for which @is_behind, which holds for all after it. */
static u64 first_interval(const struct timeline_index *index, u64 value,
			  bool (*is_behind)(const struct index_interval *at, u64 value))
{
	u64 low = 0, high = index->count;

	while (low < high) {
		const u64 middle = (low + high) / 2;

		if (is_behind(index_at(index, middle), value))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static bool has_entries(const struct index_interval *at, u64 wanted)
{
	return at->entries >= wanted;
}

static bool reaches_tsc(const struct index_interval *at, u64 tsc)
{
	return at->last_tsc >= tsc;
}

static enum status find_entry(struct timeline *timeline, const struct timeline_index *index,
			      u64 wanted, u64 *n)
{
	const u64 behind = first_interval(index, wanted, has_entries);
	const struct index_interval *const at = index_at(index, behind ? behind - 1 : 0);
	const struct trace_event *event;
	u64 count = at->entries;

	if (!wanted || reader_seek(timeline->look, at->mark[0]) != ST_OK)
		return ST_NOT_FOUND;
	for (;;) {
		*n = reader_tell(timeline->look);
		if (reader_next(timeline->look, &event) != ST_OK)
			return ST_NOT_FOUND;
		if (event->kind == EV_L2_ENTRY && ++count == wanted)
			return ST_OK;
	}
}

static enum status find_tsc(struct timeline *timeline, const struct timeline_index *index, u64 tsc,
			    u64 *n)
{
	const u64 i = first_interval(index, tsc, reaches_tsc);
	const struct trace_event *event;

	if (i == index->count || reader_seek(timeline->look, index_at(index, i)->mark[0]) != ST_OK)
		return ST_NOT_FOUND;
	do {
		*n = reader_tell(timeline->look);
		if (reader_next(timeline->look, &event) != ST_OK)
			return ST_NOT_FOUND;
	} while (event->tsc < tsc);
	return ST_OK;
}

static enum status find_finding(struct timeline *timeline, u64 wanted, u64 *n)
{
	const struct findings *findings;
	enum status status = timeline_findings(timeline, &findings);

	if (status != ST_OK)
		return status;
	if (!wanted || wanted > findings->count)
		return ST_NOT_FOUND;
	timeline_finding_place(findings->list[wanted - 1], n);
	return ST_OK;
}

enum status timeline_resolve(struct timeline *timeline, const char *text, u64 *n, char *error,
			     size_t size)
{
	const struct timeline_index *index = NULL;
	enum status status = ST_OK;
	u64 value;

	if (position_counts(text, "finding", &value)) {
		status = find_finding(timeline, value, n);
	} else {
		const bool counts = position_counts(text, "entry", &value) ||
				    position_counts(text, "tsc", &value);

		if (counts)
			status = timeline_get_index(timeline, &index);
		else
			/* The reader comes to places by it, too, if it is there. */
			timeline_find_index(timeline);
		if (status == ST_OK && (!index || !counts))
			return position_resolve(timeline->look, text, n, error, size);
		if (status == ST_OK)
			status = position_counts(text, "entry", &value)
					 ? find_entry(timeline, index, value, n)
					 : find_tsc(timeline, index, value, n);
	}
	if (status == ST_NOT_FOUND)
		snprintf(error, size, "'%s': the tape does not have it, it has %llu events", text,
			 (unsigned long long)timeline_events(timeline));
	else if (status != ST_OK)
		snprintf(error, size, "'%s': %s", text, status_text(status));
	return status;
}
