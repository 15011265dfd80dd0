/*
 * hv/snapshot_walk.h - paging structures onto the tape, on the way from linear address to memory
 */
#ifndef HV_SNAPSHOT_WALK_H
#define HV_SNAPSHOT_WALK_H

#include "hv/percpu.h"
#include "hv/tape_memory.h"

/* How linear addresses of a level translate. */
struct snapshot_space {
	u64 cr0, cr3, cr4, efer; /* of @efer LMA */
	u64 pdpte[4];		 /* while PAE paging is in use; else unused */
	bool ept12;		 /* physical addresses are of L2, by the EPT12 of @eptp */
	u64 eptp;
};

#define SNAPSHOT_WAYS 8

/* Translations that were made, so that one which still holds needs not be made again. */
struct snapshot_ways {
	unsigned next; /* the one to be replaced */
	struct {
		struct snapshot_space space;
		u64 linear; /* of a page */
		u64 gpa1;
		struct tape_memory_way way; /* no words: there is none */
	} list[SNAPSHOT_WAYS];
};

/*
 * Translate @linear, and record each entry used. False: not mapped, or not by tables in L1's
 * memory. Permissions are not judged, no flag is set.
 */
bool snapshot_walk(struct percpu *cpu, struct tape_memory *memory, struct snapshot_ways *ways,
		   const struct snapshot_space *space, u64 linear, u64 *gpa1);

/*
 * Record [@linear, @linear + @size) and the way to each of its pages. Returns how many bytes from
 * the first on could be.
 */
size_t snapshot_record(struct percpu *cpu, struct tape_memory *memory, struct snapshot_ways *ways,
		       const struct snapshot_space *space, u64 linear, size_t size);

#endif
