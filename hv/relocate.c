#include "hv/relocate.h"

#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/memmap.h"
#include "hv/multiboot.h"
#include "hv/screen.h"

#define IMAGE_VIRTUAL_BASE 0xffffffff80000000ull
#define PTE_PRESENT	   BIT(0)
#define PTE_WRITE	   BIT(1)
#define PTE_UNCACHED	   (BIT(3) | BIT(4)) /* entry 3 of the PAT */
#define PTE_LARGE	   BIT(7)
#define PTE_TABLE	   (PTE_PRESENT | PTE_WRITE)
#define SCREEN_TABLES	   4 /* one that has 1 GiB at most can cross one boundary at each level */

extern u8 image_start[], image_end[], image_load_start[];

/* Page tables are built with the loader's mapping still in force, in pages of the new place. */
static u64 next_table;

static u64 *new_table(void)
{
	u64 *table = phys_to_virt(next_table);

	next_table += PAGE_SIZE;
	memset(table, 0, PAGE_SIZE);
	return table;
}

static u64 *lower_table(u64 *entry)
{
	if (!(*entry & PTE_PRESENT))
		*entry = (next_table | PTE_TABLE), new_table();
	return phys_to_virt(*entry & MASK(51, 12));
}

/* Map [@virt, @virt + @size) in pages of 2 MiB. */
static void map(u64 *pml4, u64 virt, u64 phys, u64 size, u64 flags)
{
	for (u64 at = 0; at < size; at += MIB(2)) {
		u64 *pdpt = lower_table(&pml4[BITS(virt + at, 47, 39)]);
		u64 *pd = lower_table(&pdpt[BITS(virt + at, 38, 30)]);

		pd[BITS(virt + at, 29, 21)] = (phys + at) | PTE_TABLE | PTE_LARGE | flags;
	}
}

/* It may lie far above RAM, and be of any type by the MTRRs. */
static void map_screen(u64 *pml4)
{
	u64 base, size;

	screen_range(&base, &size);
	if (!size || base < MIB(1))
		return;
	size = ALIGN_UP(base + size, MIB(2)) - ALIGN_DOWN(base, MIB(2));
	base = ALIGN_DOWN(base, MIB(2));
	map(pml4, DIRECT_MAP + base, base, size, PTE_UNCACHED);
}

enum status relocate_image(u64 size)
{
	struct memmap_hole holes[BOOT_MAX_MODULES + 2];
	unsigned hole_count = 0;
	const u64 image_size = (u64)(image_end - image_start);
	const u64 load = (u64)image_load_start;
	const u64 top = MAX(memmap_top(), GIB(4));
	u64 base, *pml4, tables;
	enum status status;

	holes[hole_count++] = (struct memmap_hole){ load, image_size };
	holes[hole_count++] = (struct memmap_hole){ boot_info.loader_base, boot_info.loader_size };
	for (unsigned i = 0; i < boot_info.module_count; i++)
		holes[hole_count++] = (struct memmap_hole){ boot_info.modules[i].base,
							    boot_info.modules[i].size };
	status = memmap_find(size, MIB(2), GIB(4), holes, hole_count, &base);
	if (status != ST_OK)
		return status;
	status = memmap_cut(base, size, E820_RESERVED);
	if (status != ST_OK)
		return status;

	/*
	 * The tables take the first MiB of the range, below where the image goes, and the end of
	 * it.
	 */
	tables = (4 + ALIGN_UP(top, GIB(1)) / GIB(1) + size / GIB(1) + SCREEN_TABLES) * PAGE_SIZE;
	if (tables > MIB(1) && tables > size / 2)
		return ST_NO_SPACE;
	next_table = tables <= MIB(1) ? base : base + size - tables;
	pml4 = new_table();
	map(pml4, DIRECT_MAP, 0, ALIGN_UP(top, MIB(2)), 0);
	map(pml4, IMAGE_VIRTUAL_BASE, base, size, 0);
	map_screen(pml4);
	mem_init(base, size, base + load + image_size,
		 base + size - (tables <= MIB(1) ? 0 : tables));

	/*
	 * Copy and switch in one breath: between the two nothing may change in the image or on the
	 * stack, which is part of it.
	 */
	void *to = phys_to_virt(base + load);
	const void *from = phys_to_virt(load);
	u64 left = image_size;

	__asm__ volatile("rep movsb; mov %3, %%cr3"
			 : "+D"(to), "+S"(from), "+c"(left)
			 : "r"(virt_to_phys(pml4))
			 : "memory");
	return ST_OK;
}
