#include "replay/memory_state.h"

#include <stdlib.h>

#include "replay/memory_core.h"
#include "replay/timeline_parts.h"

struct memory_state {
	struct memory_index *index;
	u64 n; /* of the cursor that @nearby is of */
	struct memory_core *core;
	const struct memory_machine *machine;
	bool nearby_there;
	struct nearby nearby;
};

static struct memory_state *state_of(struct timeline *timeline)
{
	if (!timeline->memory)
		timeline->memory = calloc(1, sizeof(*timeline->memory));
	return timeline->memory;
}

void memory_state_free(struct memory_state *state)
{
	if (!state)
		return;
	memory_index_free(state->index);
	memory_core_free(state->core);
	free(state);
}

struct memory_index *memory_state_index(struct timeline *timeline)
{
	struct memory_state *const state = state_of(timeline);

	if (state && !state->index)
		memory_index_new(timeline_reader(timeline), timeline->poll, timeline->poll_owner,
				 &state->index);
	return state ? state->index : NULL;
}

const struct core_file *memory_state_core(struct timeline *timeline)
{
	struct memory_state *const state = state_of(timeline);

	return state ? memory_core_at(timeline, &state->core) : NULL;
}

void memory_state_set_machine(struct timeline *timeline, const struct memory_machine *machine)
{
	struct memory_state *const state = state_of(timeline);

	if (state)
		state->machine = machine;
}

const struct memory_machine *memory_state_machine(struct timeline *timeline)
{
	const struct memory_state *const state = state_of(timeline);

	return state ? state->machine : NULL;
}

static size_t read_machine(struct timeline *timeline, const struct memory_machine *machine,
			   u64 address, void *to, size_t size, u64 *seen)
{
	if (seen)
		*seen = timeline_tell(timeline);
	return machine->read(machine->owner, address, to, size);
}

size_t memory_state_read(struct timeline *timeline, u64 address, void *to, size_t size, u64 *seen)
{
	const struct memory_machine *const machine = memory_state_machine(timeline);
	const struct core_file *core;
	struct memory_index *index;
	size_t known;

	if (machine)
		return read_machine(timeline, machine, address, to, size, seen);
	core = memory_state_core(timeline);
	known = core ? core_file_read(core, address, to, size) : 0;
	if (known) {
		if (seen)
			*seen = timeline_tell(timeline);
		return known;
	}
	index = memory_state_index(timeline);
	return index ? memory_index_read(index, timeline_tell(timeline), 1, address, to, size, seen)
		     : 0;
}

const struct nearby *memory_state_nearby(struct timeline *timeline, u16 cpu)
{
	struct memory_state *const state = state_of(timeline);
	const u64 n = timeline_tell(timeline);

	if (!state)
		return NULL;
	if (!state->nearby_there || state->n != n || state->nearby.cpu != cpu)
		nearby_read(timeline_reader(timeline), cpu, n, &state->nearby);
	state->nearby_there = true;
	state->n = n;
	return &state->nearby;
}
