/*
 * hv/nested/ept02.h - what L2 runs on: EPT12 as L1 wrote it, over EPT01
 *
 * Trees are filled page by page as L2 touches memory, kept for a few EPTPs of L1, and thrown away
 * whole when L1 invalidates them or when pages run out. No entry ever maps a page that EPT01 does
 * not map. Where the EPTP enables accessed and dirty flags, EPT02 has them enabled as well, so that
 * the processor takes walks of L2's page tables for writes, and a page is writable in EPT02 only
 * while it is dirty in EPT12: ept12_access.h.
 */
#ifndef HV_NESTED_EPT02_H
#define HV_NESTED_EPT02_H

#include "base/base.h"

struct nested;
struct percpu;

#define EPT12_LEVELS 4

/* One way through EPT12; the entries read are kept for the tape. */
struct ept12_walk {
	enum {
		EPT12_MAPPED,
		EPT12_VIOLATION,
		EPT12_MISCONFIGURED,
		EPT12_LOG_FULL, /* of ept12_access() only */
	} result;
	unsigned level; /* of the last entry read: 4 to 1 */
	u64 rights;	/* EPT_READ ... of all levels together; 0 when some level is not present */
	u64 type;	/* bits 6:3 of the leaf: memory type, and whether it ignores the PAT */
	u64 gpa1;	/* what gpa2 maps to */
	u64 entry[EPT12_LEVELS + 1]; /* by level, down to @level */
	u64 entry_gpa[EPT12_LEVELS + 1];
};

void ept02_init(struct nested *nested);

/* The EPT pointer for VMCS02 while L1's is @eptp. */
u64 ept02_pointer(struct nested *nested, u64 eptp);

/*
 * Walk the EPT12 of @eptp for @gpa2. A misconfigured entry is found before a missing permission;
 * @access is bits 2:0 of the exit qualification.
 */
void ept12_walk(const struct nested *nested, u64 eptp, u64 gpa2, u64 access,
		struct ept12_walk *walk);

/* Enter what @walk found for @gpa2 into the tree of @eptp. */
void ept02_map(struct nested *nested, u64 eptp, u64 gpa2, const struct ept12_walk *walk);

/* The entry that maps @gpa2 in the tree of @eptp, and its level; false: none. */
bool ept02_find(const struct nested *nested, u64 eptp, u64 gpa2, unsigned *level, u64 *entry);

/* Tables in use in the tree of @eptp, its root aside. */
unsigned ept02_tables(const struct nested *nested, u64 eptp);

/* INVEPT of L1: one EPTP, all. */
void ept02_invalidate(struct nested *nested, u64 eptp);
void ept02_invalidate_all(struct nested *nested);

#endif
