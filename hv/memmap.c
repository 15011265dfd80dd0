#include "hv/memmap.h"

#include "hv/efi_map.h"
#include "hv/mem.h"
#include "hv/multiboot.h"

static u64 end_of(const struct boot_range *range)
{
	return range->base + range->size;
}

static bool touches(u64 base, u64 size, const struct memmap_hole *hole)
{
	return base < hole->base + hole->size && base + size > hole->base;
}

/* A hole that [@base, @base + @size) touches, or memory that firmware uses, if that counts. */
static bool find_hole(u64 base, u64 size, const struct memmap_hole *holes, unsigned count,
		      bool firmware, struct memmap_hole *hole)
{
	for (unsigned i = 0; i < count; i++)
		if (touches(base, size, &holes[i])) {
			*hole = holes[i];
			return true;
		}
	return firmware && efi_map_is_used(base, size, hole);
}

static u64 find(u64 size, u64 align, u64 limit, const struct memmap_hole *holes,
		unsigned hole_count, bool firmware)
{
	u64 best = 0;

	for (unsigned i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *range = &boot_info.ranges[i];
		const u64 low = MAX(range->base, MIB(1)), high = MIN(end_of(range), limit);
		struct memmap_hole hole;
		u64 place;

		if (range->type != E820_RAM || high < low || high - low < size)
			continue;
		place = ALIGN_DOWN(high - size, align);
		while (place && find_hole(place, size, holes, hole_count, firmware, &hole))
			place = hole.base < size ? 0 : ALIGN_DOWN(hole.base - size, align);
		if (place >= low && place > best)
			best = place;
	}
	return best;
}

enum status memmap_find(u64 size, u64 align, u64 limit, const struct memmap_hole *holes,
			unsigned hole_count, u64 *base)
{
	*base = find(size, align, limit, holes, hole_count, true);
	if (!*base)
		*base = find(size, align, limit, holes, hole_count, false);
	return *base ? ST_OK : ST_NO_SPACE;
}

static bool is_in_ram(const struct boot_range *range, u64 base, u64 size)
{
	const u64 offset = base - range->base;

	return range->type == E820_RAM && offset < range->size && size <= range->size - offset;
}

bool memmap_is_ram(u64 base, u64 size)
{
	/* Most questions are about one range, the largest. Any processor may say which. */
	static const struct boot_range *last = boot_info.ranges;

	if (likely(is_in_ram(__atomic_load_n(&last, __ATOMIC_RELAXED), base, size)))
		return true;
	for (unsigned i = 0; i < boot_info.range_count; i++)
		if (is_in_ram(&boot_info.ranges[i], base, size)) {
			__atomic_store_n(&last, &boot_info.ranges[i], __ATOMIC_RELAXED);
			return true;
		}
	return false;
}

enum status memmap_cut(u64 base, u64 size, u32 type)
{
	for (unsigned i = 0; i < boot_info.range_count; i++) {
		struct boot_range *range = &boot_info.ranges[i];
		const struct boot_range whole = *range;
		struct boot_range parts[3];
		unsigned count = 0;

		if (whole.type != E820_RAM || base < whole.base || base + size > end_of(&whole))
			continue;
		if (base > whole.base)
			parts[count++] =
				(struct boot_range){ whole.base, base - whole.base, whole.type };
		parts[count++] = (struct boot_range){ base, size, type };
		if (base + size < end_of(&whole))
			parts[count++] =
				(struct boot_range){ base + size, end_of(&whole) - base - size,
						     whole.type };
		if (boot_info.range_count + count - 1 > BOOT_MAX_RANGES)
			return ST_NO_SPACE;
		memmove(range + count, range + 1, (boot_info.range_count - i - 1) * sizeof(*range));
		memcpy(range, parts, count * sizeof(*range));
		boot_info.range_count += count - 1;
		return efi_map_reserve(base, size);
	}
	return ST_RANGE;
}

u64 memmap_top(void)
{
	u64 top = 0;

	for (unsigned i = 0; i < boot_info.range_count; i++)
		if (boot_info.ranges[i].type == E820_RAM)
			top = MAX(top, end_of(&boot_info.ranges[i]));
	return top;
}
