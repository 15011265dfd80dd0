/*
 * hv/mtrr.h - memory types by the MTRRs (SDM "Memory Type Range Registers (MTRRs)")
 */
#ifndef HV_MTRR_H
#define HV_MTRR_H

#include "base/base.h"

enum memory_type {
	MEMORY_UC = 0,
	MEMORY_WC = 1,
	MEMORY_WT = 4,
	MEMORY_WP = 5,
	MEMORY_WB = 6,
};

/* Read all MTRRs of this processor. */
void mtrr_read(void);

/* Whether @index is an MTRR, so that a write to it may change memory types. */
bool mtrr_is_msr(u32 index);

/*
 * The memory type of [@base, @base + @size), which is a naturally aligned page of any size. false
 * when it is not the same throughout; always true for 4 KiB.
 */
bool mtrr_type(u64 base, u64 size, u8 *type);

#endif
