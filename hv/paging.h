/*
 * hv/paging.h - the shape of a guest's page tables; SDM, "Hierarchical Paging Structures: an
 * Overview"
 */
#ifndef HV_PAGING_H
#define HV_PAGING_H

#include "base/base.h"
#include "hv/vmcs01.h"

#define PAGING_MAX_LEVELS 5
#define PTE_P		  BIT(0)
#define PTE_W		  BIT(1)
#define PTE_U		  BIT(2)
#define PTE_A		  BIT(5)
#define PTE_D		  BIT(6)
#define PTE_PS		  BIT(7)
#define PTE_NX		  BIT(63)
#define CR0_WP		  BIT(16)
#define CR4_PSE		  BIT(4)
#define CR4_LA57	  BIT(12)
#define CR4_SMAP	  BIT(21)
#define EFER_NXE	  BIT(11)

struct paging_mode {
	unsigned levels;     /* 2 to 5 */
	unsigned entry_size; /* bytes */
	unsigned index_bits;
};

/* The mode while CR0.PG is set; @efer needs LMA only. */
static inline struct paging_mode paging_mode(u64 cr4, u64 efer)
{
	if (efer & EFER_LMA)
		return (struct paging_mode){ cr4 & CR4_LA57 ? 5 : 4, 8, 9 };
	if (cr4 & CR4_PAE)
		return (struct paging_mode){ 3, 8, 9 };
	return (struct paging_mode){ 2, 4, 10 };
}

/* Whether an entry of @level with PS set maps a page. */
static inline bool paging_may_be_large(const struct paging_mode *mode, u64 cr4, unsigned level)
{
	if (mode->entry_size == 4)
		return level == 2 && cr4 & CR4_PSE;
	return level == 2 || (level == 3 && mode->levels >= 4);
}

/* PDPTEs of PAE paging are registers; SDM, "PDPTE Registers". */
static inline bool paging_is_register(const struct paging_mode *mode, unsigned level)
{
	return mode->levels == 3 && level == 3;
}

/* The number of the entry that translates @linear in a table of @level. */
static inline u64 paging_index(const struct paging_mode *mode, unsigned level, u64 linear)
{
	return linear >> (12 + mode->index_bits * (level - 1)) & MASK(mode->index_bits - 1, 0);
}

/* The table that CR3 or an entry leads to. */
static inline u64 paging_root(const struct paging_mode *mode, u64 cr3)
{
	return cr3 & (mode->levels >= 4	  ? MASK(51, 12)
		      : mode->levels == 3 ? MASK(31, 5)
					  : MASK(31, 12));
}

static inline u64 paging_table(const struct paging_mode *mode, u64 entry)
{
	return entry & (mode->entry_size == 4 ? MASK(31, 12) : MASK(51, 12));
}

/* The address that @linear has in the page that the entry @leaf of @level maps. */
static inline u64 paging_address(const struct paging_mode *mode, unsigned level, u64 leaf,
				 u64 linear)
{
	const u64 offset = BIT(12 + mode->index_bits * (level - 1)) - 1;
	u64 page = paging_table(mode, leaf);

	if (mode->entry_size == 4 && level == 2)
		page |= BITS(leaf, 20, 13) << 32; /* PSE-36 */
	return (page & ~offset) | (linear & offset);
}

#endif
