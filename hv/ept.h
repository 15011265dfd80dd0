/*
 * hv/ept.h - EPT01: all of physical memory as L1 sees it
 *
 * The identity, without hv's own range, in the largest pages whose memory type is uniform by the
 * MTRRs. Shared by all processors and immutable but for memory types, those that the MTRRs of
 * processor 0 have: SDM, "MTRR Considerations in MP Systems", wants them to be the same everywhere.
 */
#ifndef HV_EPT_H
#define HV_EPT_H

#include "base/base.h"

#define EPT_READ       BIT(0)
#define EPT_WRITE      BIT(1)
#define EPT_EXECUTE    BIT(2)
#define EPT_LARGE      BIT(7)
#define EPT_ACCESSED   BIT(8)
#define EPT_DIRTY      BIT(9)
#define EPT_RIGHTS     (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_LEAF_TYPE  MASK(6, 3) /* memory type and "ignore PAT" */
#define EPT_ADDRESS    MASK(51, 12)

#define EPTP_WALK_4    (3ull << 3)
#define EPTP_ENABLE_AD BIT(6)
#define EPT_TYPE_UC    0ull
#define EPT_TYPE_WB    6ull
#define EPT_TYPE_SHIFT 3

/* Bytes that an entry of @level maps or leads to: 4 KiB of level 1. */
static inline u64 ept_level_size(unsigned level)
{
	return BIT(12 + 9 * (level - 1));
}

/* Of the entry for @address in its table of @level. */
static inline unsigned ept_index(u64 address, unsigned level)
{
	return address >> (12 + 9 * (level - 1)) & 511;
}

/* Whether @entry, which is present, maps a page. */
static inline bool ept_is_leaf(unsigned level, u64 entry)
{
	return level == 1 || (entry & EPT_LARGE && level <= 3);
}

struct ept_page {
	u64 pa;	  /* what gpa1 maps to: gpa1 itself */
	u64 type; /* EPT memory type, 0 to 6 */
	u64 size; /* 4 KiB, 2 MiB or 1 GiB: the page of EPT01 that holds gpa1 */
};

/* Build EPT01 from the MTRRs. Once, before VMX operation of L1. */
void ept01_init(void);

/* The value for the EPT pointer of VMCS01. */
u64 ept01_pointer(void);

/*
 * Recompute memory types after an MTRR changed. Where that changed EPT01, drop this processor's
 * cached translations and return true: others have theirs still. For processor 0 only, whose MTRRs
 * are the ones that count.
 */
bool ept01_update_types(void);

/* Drop this processor's translations by EPT01, which another has changed. */
void ept01_flush(void);

/*
 * For capture=deep, on a machine with one processor. Translations that are cached are not dropped:
 * ept01_flush().
 *
 * Take the right to write from L1's RAM from address *@at on (@protect), or give it back: for as
 * much of it as an exit may do. ST_OK: *@at says where to go on; ST_END: there is no more.
 * ST_NO_MEMORY: hv has no page for a table.
 */
enum status ept01_set_right(u64 *at, bool protect);

/* Give the right to write back to the page that maps @gpa1, of whatever size. */
void ept01_let_write(u64 gpa1);

/*
 * The same for the 4 KiB page at @gpa1, which is split off for it. ST_NO_MEMORY, nothing is done.
 */
enum status ept01_protect_page(u64 gpa1, bool protect);

/* Counts changes of memory types, which give all rights back. */
u64 ept01_type_changes(void);

/* The page of EPT01 at @gpa1; false where there is none: hv's range, or beyond physical memory. */
bool ept01_lookup(u64 gpa1, struct ept_page *page);

#endif
