#include "hv/bios_map.h"

#include "hv/mem.h"
#include "hv/memmap.h"
#include "hv/multiboot.h"

#define VECTOR_15H     (4 * 0x15)
#define BASE_MEMORY    0x413 /* BIOS data area: KiB below 640 KiB that are free */
#define CONVENTIONAL   KIB(640)
#define UNIT_ABOVE_16M KIB(64)

/* How much RAM there is from @base on without a hole. */
static u64 ram_from(u64 base)
{
	u64 end = base;

	for (unsigned i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *range = &boot_info.ranges[i];

		if (range->type == E820_RAM && end >= range->base &&
		    end < range->base + range->size)
			end = range->base + range->size;
	}
	return end - base;
}

static void fill(struct bios_map *map)
{
	memcpy(&map->bios_ip, phys_to_virt(VECTOR_15H), 4);
	map->below_16m = (u16)(MIN(ram_from(MIB(1)), MIB(15)) / KIB(1));
	map->above_16m = (u16)MIN(ram_from(MIB(16)) / UNIT_ABOVE_16M, 0xffffull);
	map->count = (u16)boot_info.range_count;
	for (unsigned i = 0; i < boot_info.range_count; i++)
		map->entries[i] =
			(struct bios_map_entry){ boot_info.ranges[i].base, boot_info.ranges[i].size,
						 boot_info.ranges[i].type };
}

enum status bios_map_install(void)
{
	const size_t code_size = (size_t)(bios_map_end - bios_map_code);
	const u64 top = MIN(ram_from(0), CONVENTIONAL);
	const u64 page = ALIGN_DOWN(top, PAGE_SIZE) - PAGE_SIZE;
	const u32 vector = (u32)(page >> 4 << 16);
	u16 free_kib;
	u32 old;

	memcpy(&old, phys_to_virt(VECTOR_15H), sizeof(old));
	if (boot_info.efi_system_table || !old)
		return ST_OK;
	if (top < 2 * PAGE_SIZE || memmap_cut(page, PAGE_SIZE, E820_RESERVED) != ST_OK ||
	    code_size + sizeof(struct bios_map) +
			    boot_info.range_count * sizeof(struct bios_map_entry) >
		    PAGE_SIZE)
		return ST_NO_SPACE;
	memcpy(phys_to_virt(page), bios_map_code, code_size);
	fill(phys_to_virt(page + code_size));
	memcpy(&free_kib, phys_to_virt(BASE_MEMORY), sizeof(free_kib));
	free_kib = (u16)MIN((u64)free_kib, page / KIB(1));
	memcpy(phys_to_virt(BASE_MEMORY), &free_kib, sizeof(free_kib));
	memcpy(phys_to_virt(VECTOR_15H), &vector, sizeof(vector));
	return ST_OK;
}
