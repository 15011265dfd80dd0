/*
 * hv/bios_map.h - the memory map that the BIOS gives to an L1 that asks it by INT 15h
 *
 * Xen and boot loaders trust the BIOS more than what they were given at their start, and the BIOS
 * knows nothing of hv.
 */
#ifndef HV_BIOS_MAP_H
#define HV_BIOS_MAP_H

#include "base/base.h"
#include "base/status.h"

/* What bios_map.S reads, right behind it. */
struct bios_map {
	u16 bios_ip, bios_cs; /* the BIOS's own INT 15h */
	u16 below_16m;	      /* RAM from 1 MiB on up to 16 MiB, in KiB */
	u16 above_16m;	      /* from 16 MiB on without a hole, in units of 64 KiB */
	u16 count, unused;
	struct bios_map_entry {
		u64 base, size;
		u32 type; /* E820 */
	} __attribute__((packed)) entries[];
};

extern const u8 bios_map_code[], bios_map_end[];

/*
 * Make INT 15h tell boot_info.ranges. Takes the last page of L1's memory below 640 KiB for it, once
 * hv's own place is cut out of the map. Does nothing where there is no BIOS. ST_NO_SPACE: no room
 * there, or in the map.
 */
enum status bios_map_install(void);

#endif
