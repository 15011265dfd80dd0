/*
 * hv/nested/ept02.h - what L2 runs on: EPT12 as L1 wrote it, over EPT01
 *
 * Trees are filled page by page as L2 touches memory, kept for a few EPTPs of L1, and thrown away
 * whole when pages run out. When L1 invalidates one, the processor loses all of it, but hv knows
 * which pages L2 used: an entry of levels 4 to 2 with an address but no rights is stale, and so is
 * all below it. With the first page that L2 touches below, its table of level 1 is linked again,
 * with those of its other pages that EPT12 maps at that moment, as it maps them then. No entry ever
 * maps a page that EPT01 does not map. Where the EPTP enables accessed and dirty flags, EPT02 has
 * them enabled as well, so that the processor takes walks of L2's page tables for writes, and a
 * page is writable in EPT02 only while it is dirty in EPT12: ept12_access.h.
 */
#ifndef HV_NESTED_EPT02_H
#define HV_NESTED_EPT02_H

#include "base/base.h"
#include "hv/nested/ept12_walk.h"

struct nested;
struct percpu;

void ept02_init(struct nested *nested);

/* The EPT pointer for VMCS02 while L1's is @eptp. */
u64 ept02_pointer(struct nested *nested, u64 eptp);

/* Enter what @walk found for @gpa2 into the tree of @eptp. */
void ept02_map(struct percpu *cpu, u64 eptp, u64 gpa2, const struct ept12_walk *walk);

/* The entry that maps @gpa2 in the tree of @eptp, and its level; false: none. */
bool ept02_find(const struct nested *nested, u64 eptp, u64 gpa2, unsigned *level, u64 *entry);

/* Tables that the processor was given in the tree of @eptp since L1 invalidated it. */
unsigned ept02_tables(const struct nested *nested, u64 eptp);

/* INVEPT of L1: one EPTP, all. */
void ept02_invalidate(struct nested *nested, u64 eptp);
void ept02_invalidate_all(struct nested *nested);

#endif
