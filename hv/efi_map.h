/*
 * hv/efi_map.h - the memory map of UEFI firmware, which L1 gets as well
 *
 * UEFI Specification, "EFI_BOOT_SERVICES.GetMemoryMap()". Works on boot_info.efi_map; without one
 * nothing is done and nothing is found.
 */
#ifndef HV_EFI_MAP_H
#define HV_EFI_MAP_H

#include "base/base.h"
#include "base/status.h"

struct memmap_hole;

/*
 * Make [@base, @base + @size), of whole pages, reserved: Linux picks the place that it moves itself
 * to from this map. ST_NO_SPACE when the map is full, and then it may be done in part.
 */
enum status efi_map_reserve(u64 base, u64 size);

/*
 * Whether code or data of boot services lie in [@base, @base + @size), which are free by the
 * specification, but which firmware uses until L1 has called SetVirtualAddressMap(). Fills @hole
 * with one such range.
 */
bool efi_map_is_used(u64 base, u64 size, struct memmap_hole *hole);

#endif
