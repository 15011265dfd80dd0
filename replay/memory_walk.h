/*
 * replay/memory_walk.h - from an address to L1's physical memory, level by level
 *
 * The tables are those that the tape holds at the cursor of a timeline, and every bit is taken from
 * there: where an entry, or a register that leads to it, is unknown, so is the translation.
 * Accessed and dirty flags are not looked at. SDM, "Paging" and "The Extended Page Table Mechanism
 * (EPT)".
 */
#ifndef REPLAY_MEMORY_WALK_H
#define REPLAY_MEMORY_WALK_H

#include "replay/memory_event.h"
#include "replay/timeline.h"

enum memory_space {
	MEMORY_L1_PHYSICAL,
	MEMORY_L1_LINEAR,
	MEMORY_L2_PHYSICAL, /* through the EPT12 of the current VMCS, where it uses one */
	MEMORY_L2_LINEAR,
};

enum memory_walk_end {
	WALK_MAPPED,
	WALK_NOT_PRESENT,      /* the last entry, of a page table or of EPT12 */
	WALK_RESERVED,	       /* the last entry, of a page table, has reserved bits set */
	WALK_MISCONFIGURED,    /* the last entry, of EPT12 */
	WALK_NOT_CANONICAL,    /* the linear address, or it is wider than the mode allows */
	WALK_TOO_WIDE,	       /* a physical address beyond the width of the processor */
	WALK_UNKNOWN_ENTRY,    /* the last entry is not on the tape */
	WALK_UNKNOWN_REGISTER, /* struct memory_walk.unknown */
};

enum memory_table { TABLE_L1, TABLE_L2, TABLE_EPT12 };

/* An entry on the way. */
struct memory_step {
	u8 table; /* enum memory_table */
	u8 level; /* 5 to 1 */
	u8 size;  /* bytes: 4 or 8; 0: a PDPTE that is a register */
	bool known;
	bool leaf;	/* it maps a page */
	u64 address;	/* where it is: physical, of L2 for TABLE_L2 */
	u64 gpa1;	/* and that of L1 */
	u64 translates; /* linear address or, of TABLE_EPT12, gpa2 */
	u64 entry;
	u64 seen; /* number of the event that told it, MEMORY_NEVER: a register */
};

#define MEMORY_MAX_STEPS 40 /* 5 + 1 times 5 of EPT12, and 5 of L2 */

/* What all levels of page tables together allow. */
enum { WALK_WRITE = 1, WALK_USER = 2, WALK_EXECUTE = 4 };

struct memory_walk {
	u16 cpu;
	enum memory_space space;
	u64 address;
	enum memory_walk_end end;
	const char *unknown; /* WALK_UNKNOWN_REGISTER: its name */
	bool paged;	     /* page tables of the level translate; else linear is physical */
	bool ept;	     /* EPT12 does */
	u8 rights;	     /* of the page tables: WALK_* */
	u8 ept_rights;	     /* bits 2:0 of EPT12's entries */
	u64 gpa2;	     /* for addresses of L2, once it is known */
	u64 gpa1;	     /* WALK_MAPPED */
	u64 page_size;	     /* up to the end of a page of this size gpa1 goes on with @address */
	unsigned count;
	struct memory_step steps[MEMORY_MAX_STEPS];
};

/* What translates @address in @space for @cpu at the cursor. ST_NO_MEMORY, ST_INTERRUPTED. */
enum status memory_walk(struct timeline *timeline, u16 cpu, enum memory_space space, u64 address,
			struct memory_walk *walk);

#endif
