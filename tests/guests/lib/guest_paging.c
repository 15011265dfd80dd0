#include "tests/guests/lib/guest_paging.h"

#define ENTRIES		  512
#define TABLE_FLAGS	  (PTE_PRESENT | PTE_WRITE | PTE_USER) /* read, write, execute for EPT */
#define ADDRESS_MASK	  MASK(51, 12)
#define LARGE_PAGE	  MIB(2)
#define DIRECTORIES	  4
#define LARGE		  PTE_LARGE /* EPT_LARGE */
#define TABLE_INDEX(a, l) BITS(a, 20 + 9 * (l), 12 + 9 * (l))

static u64 make_tables(u64 leaf_flags)
{
	u64 *pml4 = guest_pages(2 + DIRECTORIES);
	u64 *pdpt = pml4 + ENTRIES;
	u64 *leaves = pdpt + ENTRIES;

	pml4[0] = (uintptr_t)pdpt | TABLE_FLAGS;
	for (unsigned i = 0; i < DIRECTORIES; i++)
		pdpt[i] = (uintptr_t)(leaves + i * ENTRIES) | TABLE_FLAGS;
	for (unsigned i = 0; i < DIRECTORIES * ENTRIES; i++)
		leaves[i] = i * LARGE_PAGE | leaf_flags | LARGE;
	return (uintptr_t)pml4;
}

u64 guest_page_tables(void)
{
	return make_tables(PTE_PRESENT | PTE_WRITE | PTE_USER);
}

u64 guest_ept_tables(void)
{
	return make_tables(EPT_READ | EPT_WRITE | EPT_EXECUTE | EPT_WB) | EPTP_WB | EPTP_LEVEL_4;
}

static void split(u64 *entry)
{
	u64 *table = guest_pages(1);

	for (unsigned i = 0; i < ENTRIES; i++)
		table[i] = (*entry & ~LARGE) + i * PAGE_SIZE;
	*entry = (uintptr_t)table | TABLE_FLAGS;
}

u64 *guest_table_entry(u64 root, u64 address)
{
	u64 *table = (u64 *)(uintptr_t)(root & ADDRESS_MASK);

	for (int level = 3; level > 0; level--) {
		u64 *entry = &table[TABLE_INDEX(address, level)];

		if (level == 1 && *entry & LARGE)
			split(entry);
		table = (u64 *)(uintptr_t)(*entry & ADDRESS_MASK);
	}
	return &table[TABLE_INDEX(address, 0)];
}
