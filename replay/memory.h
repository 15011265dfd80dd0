/*
 * replay/memory.h - the guests' memory at the cursor of a timeline
 *
 * A tape holds some of it: what hv put there, and the instruction bytes of L1. What it does not
 * hold is unknown, which is no zero. A byte is as the last event before the cursor saw it that told
 * of it: a processor may have stored since, so @seen goes with the bytes. Behind a gap nothing from
 * before it is known.
 */
#ifndef REPLAY_MEMORY_H
#define REPLAY_MEMORY_H

#include "replay/memory_walk.h"

/*
 * The bytes known at the cursor for @cpu, from @address on: returns how many are known without a
 * gap and were copied to @to, at most @size; 0: the first is unknown.
 */
size_t memory_read(struct timeline *timeline, u16 cpu, enum memory_space space, u64 address,
		   void *to, size_t size);

/* The same; *@seen becomes the number of the oldest event that one of the bytes is from. */
size_t memory_read_seen(struct timeline *timeline, u16 cpu, enum memory_space space, u64 address,
			void *to, size_t size, u64 *seen);

/* Memory of the guests is told somewhere on this tape, more than instructions. */
bool memory_on_tape(struct timeline *timeline);

#endif
