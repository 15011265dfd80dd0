/*
 * replay/memory_state.h - what registers and memory keep with a timeline, for their own sources
 */
#ifndef REPLAY_MEMORY_STATE_H
#define REPLAY_MEMORY_STATE_H

#include "replay/memory_index.h"
#include "replay/nearby.h"
#include "replay/registers.h"

/*
 * The index of @timeline's tape, made by the first call; NULL when there is no memory, or the poll
 * of the timeline interrupted it, and then the next call begins anew.
 */
struct memory_index *memory_state_index(struct timeline *timeline);

struct core_file;

/* The core file of the cursor; NULL when there is none. It holds until the cursor moves. */
const struct core_file *memory_state_core(struct timeline *timeline);

/*
 * A machine that stands at the cursor, or between the event before it and the one at it: all of
 * memory, and what runs, is known from there.
 */
struct memory_machine {
	u16 cpu;
	u8 level; /* that runs */
	/* Physical memory of L1: how many bytes were copied, 0: there is none. */
	size_t (*read)(void *owner, u64 address, void *to, size_t size);
	const char *(*registers)(void *owner); /* registers_from_text() */
	/* The same of another CPU, and which level it is that runs there; NULL where hv does. */
	const char *(*others)(void *owner, u16 cpu, u8 *level);
	void *owner;
};

/* @machine outlives the timeline, or is taken off by NULL. */
void memory_state_set_machine(struct timeline *timeline, const struct memory_machine *machine);
const struct memory_machine *memory_state_machine(struct timeline *timeline);

/*
 * Physical memory of L1 at the cursor, from a machine, a core file or the tape:
 * memory_index_read(). What a machine or a core file tells is of the moment itself.
 */
size_t memory_state_read(struct timeline *timeline, u64 address, void *to, size_t size, u64 *seen);

/* What is near the cursor; holds until the next call for another CPU or place. NULL: no memory. */
const struct nearby *memory_state_nearby(struct timeline *timeline, u16 cpu);

#endif
