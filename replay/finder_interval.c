/*
 * replay/finder_interval.c - does an interval of the index have what is looked for
 */
#include "replay/finder.h"
#include "trace/block.h"

struct scene {
	const struct timeline_index *index;
	u64 interval;
};

static bool has_rip(void *owner, u64 rip)
{
	const struct scene *const scene = owner;

	return index_may_have_rip(scene->index, scene->interval, rip);
}

static bool query_may(const struct timeline_index *index, u64 i, const struct query *query)
{
	const struct index_interval *const at = index_at(index, i);
	struct scene scene = { index, i };
	const struct query_scene what = {
		.kinds = at->kinds,
		.reasons = at->reasons,
		.entries_fail = at->flags & INDEX_FAILS,
		.outcomes = at->outcomes,
		.has_rip = has_rip,
		.owner = &scene,
	};

	return query_may_match(query, &what);
}

static bool field_may(const struct timeline_index *index, u64 i, const struct timeline_break *how)
{
	u32 region;

	if (how->vmcs == HISTORY_ANY_VMCS)
		return index_may_write(index, i, NULL, how->field);
	if (!index_region(index, how->vmcs, &region))
		return index_at(index, i)->flags & INDEX_UNSURE;
	return index_may_write(index, i, &region, how->field);
}

static bool finding_may(const struct finder *finder, u64 i, const struct timeline_break *how)
{
	const u64 begin = index_begin(finder->index, i, 0);
	const u64 end = index_begin(finder->index, i + 1, ~0ull);
	u64 place;

	for (unsigned k = 0; k < finder->findings->count; k++)
		if ((!how->address || how->address == k + 1) &&
		    timeline_finding_place(finder->findings->list[k], &place) && place >= begin &&
		    place < end)
			return true;
	return false;
}

static bool break_may(const struct finder *finder, u64 i, const struct timeline_break *how)
{
	switch (how->kind) {
	case BREAK_RIP:
		return index_may_have_rip(finder->index, i, how->address);
	case BREAK_RANGE:
		return index_may_have_range(finder->index, i, how->address, how->end);
	case BREAK_QUERY:
		return query_may(finder->index, i, how->query);
	case BREAK_EVENT:
		return true;
	case BREAK_FINDING:
		return finding_may(finder, i, how);
	case BREAK_FIELD:
		return field_may(finder->index, i, how);
	case BREAK_MEMORY:
		return index_at(finder->index, i)->kinds &
		       (block_kind(EV_PAGE) | block_kind(EV_RAM));
	}
	return true;
}

bool finder_may_stop(const struct finder *finder, u64 i)
{
	for (unsigned k = 0; k < finder->count; k++)
		if (break_may(finder, i, finder->how[k]))
			return true;
	return false;
}
