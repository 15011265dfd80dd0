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

/* Above all physical addresses. */
#define MTRR_END BIT(52)

/* The memory type at @pa, below MTRR_END. It is the same up to *@end, a multiple of 4 KiB. */
u8 mtrr_type(u64 pa, u64 *end);

#endif
