/*
 * hv/tape_memory.h - L1's memory on the tape: what the open block holds of it already
 *
 * For each word recorded in the open block its value is remembered, so that a word that has not
 * changed since is not recorded again. Words that are new or different become ram events, pages
 * page events. A new block begins with nothing, so every block can be read alone; a page that is
 * unchanged since an earlier block is named by the event that has its bytes.
 */
#ifndef HV_TAPE_MEMORY_H
#define HV_TAPE_MEMORY_H

#include "hv/percpu.h"
#include "trace/ram.h"

/* The events that are being made: where and when they are. */
struct tape_memory_place {
	u64 tsc, rip;
	u8 level; /* 1 or 2: who is at @rip */
};

struct tape_memory;
struct tape_memory_line;

/*
 * Words that were recorded one after the other: the entries that a translation went through. While
 * all are as they were, and the open block has them, so is the translation.
 */
struct tape_memory_way {
	u32 block;
	u32 count;
	bool whole; /* none had to be left out */
	struct {
		const struct tape_memory_line *line;
		const u64 *now; /* in L1's memory */
		u64 gpa1;
		u64 value;
	} word[32];
};

/* Bytes that tape_memory_init() needs. */
size_t tape_memory_size(void);

/* Prepare @memory (page-aligned, zeroed, owned by the caller). */
struct tape_memory *tape_memory_init(void *memory);

/* A block of the tape was opened: it holds nothing. */
void tape_memory_new_block(struct tape_memory *memory);

/* Grows with every block. */
u32 tape_memory_block(const struct tape_memory *memory);

/* What is collected from here to tape_memory_end() is of a moment at @place. */
void tape_memory_begin(struct tape_memory *memory, const struct tape_memory_place *place);

/*
 * The tape is to hold [@gpa1, @gpa1 + @size) as it is now. Returns how many bytes of it from the
 * first on are RAM of L1's; the others cannot be recorded.
 */
size_t tape_memory_words(struct percpu *cpu, struct tape_memory *memory, u64 gpa1, size_t size);

/* What tape_memory_words() records from here to tape_memory_way_end() makes up @way. */
void tape_memory_way_begin(struct tape_memory *memory, struct tape_memory_way *way);
void tape_memory_way_end(struct tape_memory *memory);

/* Nothing of @way has changed, and the open block has all of it. */
bool tape_memory_way_holds(const struct tape_memory *memory, const struct tape_memory_way *way);

/* tape_memory_words() for the whole page at @gpa1, which @field of the current VMCS names. */
void tape_memory_page(struct percpu *cpu, struct tape_memory *memory, u64 gpa1, u32 field);

/* Emit what was collected since tape_memory_begin(). */
void tape_memory_end(struct percpu *cpu, struct tape_memory *memory);

#endif
