#include "hv/efi_map.h"

#include "hv/mem.h"
#include "hv/memmap.h"
#include "hv/multiboot.h"

#define DESCRIPTOR_MIN 40

enum { EFI_RESERVED = 0, EFI_BOOT_SERVICES_CODE = 3, EFI_BOOT_SERVICES_DATA = 4 };

/* How a descriptor begins; boot_info.efi_descriptor_size says how long it is. */
struct descriptor {
	u32 type, unused;
	u64 physical, virtual, pages, attribute;
};

_Static_assert(sizeof(struct descriptor) == DESCRIPTOR_MIN, "struct descriptor");

static u32 count(void)
{
	return boot_info.efi_descriptor_size < DESCRIPTOR_MIN
		       ? 0
		       : boot_info.efi_map_size / boot_info.efi_descriptor_size;
}

static u8 *at(u32 i)
{
	return boot_info.efi_map + (size_t)i * boot_info.efi_descriptor_size;
}

static struct descriptor get(u32 i)
{
	struct descriptor descriptor;

	memcpy(&descriptor, at(i), sizeof(descriptor));
	return descriptor;
}

static void put(u32 i, u32 type, u64 base, u64 end)
{
	struct descriptor descriptor = get(i);

	descriptor.type = type;
	descriptor.physical = base;
	descriptor.pages = (end - base) / PAGE_SIZE;
	memcpy(at(i), &descriptor, sizeof(descriptor));
}

static u64 end_of(const struct descriptor *descriptor)
{
	return descriptor->physical + descriptor->pages * PAGE_SIZE;
}

/* One more descriptor @i, the same as that which stands there, and all from there on move up. */
static bool duplicate(u32 i)
{
	const u32 size = boot_info.efi_descriptor_size;

	if (boot_info.efi_map_size + size > sizeof(boot_info.efi_map))
		return false;
	memmove(at(i + 1), at(i), boot_info.efi_map_size - (size_t)i * size);
	boot_info.efi_map_size += size;
	return true;
}

enum status efi_map_reserve(u64 base, u64 size)
{
	for (u32 i = 0; i < count(); i++) {
		const struct descriptor whole = get(i);
		const u64 first = MAX(whole.physical, base), end = MIN(end_of(&whole), base + size);

		if (first >= end || whole.type == EFI_RESERVED)
			continue;
		if (first > whole.physical) {
			if (!duplicate(i))
				return ST_NO_SPACE;
			put(i++, whole.type, whole.physical, first);
		}
		if (end < end_of(&whole)) {
			if (!duplicate(i))
				return ST_NO_SPACE;
			put(i + 1, whole.type, end, end_of(&whole));
		}
		put(i, EFI_RESERVED, first, end);
	}
	return ST_OK;
}

bool efi_map_is_used(u64 base, u64 size, struct memmap_hole *hole)
{
	for (u32 i = 0; i < count(); i++) {
		const struct descriptor descriptor = get(i);

		if ((descriptor.type != EFI_BOOT_SERVICES_CODE &&
		     descriptor.type != EFI_BOOT_SERVICES_DATA) ||
		    descriptor.physical >= base + size || end_of(&descriptor) <= base)
			continue;
		*hole = (struct memmap_hole){ descriptor.physical,
					      end_of(&descriptor) - descriptor.physical };
		return true;
	}
	return false;
}
