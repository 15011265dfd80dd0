/*
 * hv/multiboot.h - what the multiboot2 loader left: memory, modules, firmware
 *
 * Multiboot2 Specification version 2.0. Copied out of the loader's memory, which L1 gets.
 */
#ifndef HV_MULTIBOOT_H
#define HV_MULTIBOOT_H

#include "base/base.h"
#include "base/status.h"

#define BOOT_MAX_RANGES	 128
#define BOOT_MAX_MODULES 8
#define BOOT_MAX_TEXT	 2048
#define BOOT_MAX_EFI_MAP 16384

enum { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4, E820_UNUSABLE = 5 };

struct boot_range {
	u64 base, size;
	u32 type; /* E820 */
};

struct boot_module {
	u64 base, size; /* physical; moved by the loader of L1 */
	char text[BOOT_MAX_TEXT];
};

struct boot_framebuffer {
	bool present;
	u8 type;			   /* 0 indexed, 1 RGB, 2 EGA text */
	u8 bpp, red[2], green[2], blue[2]; /* position, size */
	u32 pitch, width, height;
	u64 address;
};

struct boot_info {
	char options[2 * BOOT_MAX_TEXT]; /* hv's command line */
	struct boot_range ranges[BOOT_MAX_RANGES];
	unsigned range_count;
	struct boot_module modules[BOOT_MAX_MODULES];
	unsigned module_count;
	struct boot_framebuffer framebuffer;
	u64 rsdp; /* physical, in the loader's memory; 0 when it gave none */
	u64 efi_system_table;
	u32 efi_descriptor_size, efi_descriptor_version, efi_map_size;
	u8 efi_map[BOOT_MAX_EFI_MAP];
	u8 rsdp_copy[36];
	u64 loader_base, loader_size; /* the boot information itself */
};

extern struct boot_info boot_info;

/*
 * Fill boot_info from the boot information at physical @address. ST_INVALID when the loader is not
 * a multiboot2 one (@magic) or gave no memory map; what exceeds the limits above is left out with a
 * log line.
 */
enum status multiboot_parse(u32 magic, u64 address);

#endif
