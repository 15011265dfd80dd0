/*
 * hv/memmap.h - the physical memory map: finding room, and cutting hv out of it
 *
 * Works on boot_info.ranges, which is what L1 gets in the end.
 */
#ifndef HV_MEMMAP_H
#define HV_MEMMAP_H

#include "base/base.h"
#include "base/status.h"

/* A range that must not be used because something still lies there. */
struct memmap_hole {
	u64 base, size;
};

/*
 * The highest place for @size bytes of RAM below @limit, aligned to @align (a power of two, at
 * least 4096), at or above 1 MiB and clear of @holes; clear also of what UEFI firmware still uses,
 * unless there is no such place. ST_NO_SPACE when there is none at all.
 */
enum status memmap_find(u64 size, u64 align, u64 limit, const struct memmap_hole *holes,
			unsigned hole_count, u64 *base);

/* Whether all of [@base, @base + @size) is RAM by the map. */
bool memmap_is_ram(u64 base, u64 size);

/*
 * Make [@base, @base + @size), which lies in one range, of @type, and reserved in the map of UEFI
 * firmware. ST_NO_SPACE when a map is full.
 */
enum status memmap_cut(u64 base, u64 size, u32 type);

/* One past the highest byte of RAM. */
u64 memmap_top(void);

#endif
