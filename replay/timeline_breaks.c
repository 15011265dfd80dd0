#include "replay/timeline_parts.h"

static bool makes_sense(const struct timeline_break *how)
{
	if (how->level > 2 || how->cpu < -1 || how->cpu >= MODEL_MAX_CPUS)
		return false;
	switch (how->kind) {
	case BREAK_RIP:
	case BREAK_EVENT:
	case BREAK_FINDING:
		return true;
	case BREAK_RANGE:
	case BREAK_MEMORY:
		return how->address < how->end;
	case BREAK_QUERY:
		return how->query;
	case BREAK_FIELD:
		return how->field >= 0 && how->field < VMCS_FIELD_COUNT;
	}
	return false;
}

int timeline_break_add(struct timeline *timeline, const struct timeline_break *how)
{
	if (!makes_sense(how))
		return -1;
	for (int i = 0; i < TIMELINE_MAX_BREAKS; i++)
		if (!timeline->used[i]) {
			timeline->used[i] = true;
			timeline->breaks[i] = *how;
			return i + 1;
		}
	return -1;
}

void timeline_break_remove(struct timeline *timeline, int id)
{
	if (id > 0 && id <= TIMELINE_MAX_BREAKS)
		timeline->used[id - 1] = false;
}

int timeline_break_next(const struct timeline *timeline, int id)
{
	for (id = MAX(id, 0); id < TIMELINE_MAX_BREAKS; id++)
		if (timeline->used[id])
			return id + 1;
	return 0;
}

const struct timeline_break *timeline_break_get(const struct timeline *timeline, int id)
{
	if (id < 1 || id > TIMELINE_MAX_BREAKS || !timeline->used[id - 1])
		return NULL;
	return &timeline->breaks[id - 1];
}
