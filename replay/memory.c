#include "replay/memory.h"

#include <string.h>

#include "replay/memory_state.h"

/* Instruction bytes of L1 at @address, as the events near the cursor showed them. */
static size_t read_code(struct timeline *timeline, u16 cpu, u64 address, u8 *to, size_t size,
			u64 *seen)
{
	const struct nearby *const nearby = memory_state_nearby(timeline, cpu);
	const struct nearby_code *best = NULL;
	struct registers registers;
	u64 cr3;

	registers_at(timeline, cpu, 1, &registers);
	if (!nearby || !register_known(&registers, REGISTER_CR3, &cr3))
		return 0;
	for (unsigned i = 0; i < nearby->code_count; i++) {
		const struct nearby_code *const code = &nearby->codes[i];

		if (code->cr3 == cr3 && address - code->rip < code->count &&
		    (!best || code->n > best->n))
			best = code;
	}
	if (!best)
		return 0;
	size = MIN(size, (size_t)(best->rip + best->count - address));
	memcpy(to, best->bytes + (address - best->rip), size);
	*seen = MIN(*seen, best->n);
	return size;
}

/* As far as one page goes. */
static size_t read_page(struct timeline *timeline, u16 cpu, enum memory_space space, u64 address,
			u8 *to, size_t size, u64 *seen)
{
	struct memory_walk walk;
	size_t known = 0;
	u64 part_seen = MEMORY_NEVER;

	if (memory_walk(timeline, cpu, space, address, &walk) != ST_OK)
		return 0;
	if (walk.end == WALK_MAPPED) {
		size = MIN(size, walk.page_size - address % walk.page_size);
		known = memory_state_read(timeline, walk.gpa1, to, size, &part_seen);
	}
	/* A machine has all that there is. */
	if (!known && space == MEMORY_L1_LINEAR && !memory_state_machine(timeline))
		known = read_code(timeline, cpu, address, to, size, &part_seen);
	*seen = MIN(*seen, part_seen);
	return known;
}

size_t memory_read_seen(struct timeline *timeline, u16 cpu, enum memory_space space, u64 address,
			void *to, size_t size, u64 *seen)
{
	size_t done = 0, part;

	*seen = MEMORY_NEVER;
	do {
		part = read_page(timeline, cpu, space, address + done, (u8 *)to + done, size - done,
				 seen);
		done += part;
	} while (part && done < size);
	return done;
}

size_t memory_read(struct timeline *timeline, u16 cpu, enum memory_space space, u64 address,
		   void *to, size_t size)
{
	u64 seen;

	return memory_read_seen(timeline, cpu, space, address, to, size, &seen);
}

bool memory_on_tape(struct timeline *timeline)
{
	const struct memory_index *const index = memory_state_index(timeline);

	return index && memory_index_any(index);
}
