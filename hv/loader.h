/*
 * hv/loader.h - L1 into memory, as its boot loader would have left it
 *
 * L1 is the first module; its command line begins with "kernel" (Linux: bzImage or vmlinux, with an
 * initrd as second module) or "multiboot" (a multiboot 1 kernel, the other modules are its
 * modules).
 */
#ifndef HV_LOADER_H
#define HV_LOADER_H

#include "base/base.h"
#include "base/status.h"

/* How L1 starts. */
struct l1_entry {
	bool long_mode; /* 64-bit with the identity page tables at cr3, else 32-bit without paging
			 */
	u64 rip, cr3, gdt_base;
	u16 gdt_limit;
	u64 rax, rbx, rsi;
};

/*
 * Load L1 and fill @entry. Not ST_OK after a log line that says what is wrong with the module or
 * memory.
 */
enum status loader_load_l1(struct l1_entry *entry);

/* For loader_linux.c and loader_multiboot.c: */

/* Memory below 1 MiB for what L1 finds at its start. */
#define LOW_AREA      0x10000ull
#define LOW_AREA_SIZE 0x10000ull

/*
 * hv's own address for L1's [@base, @base + @size): NULL unless it is all RAM of L1's, clear of
 * @holes and of the low area.
 */
struct memmap_hole;
u8 *loader_place(u64 base, u64 size, const struct memmap_hole *holes, unsigned hole_count);

enum status loader_linux(const char *command_line, struct l1_entry *entry);
enum status loader_multiboot(const char *command_line, struct l1_entry *entry);

/*
 * Copy the loadable segments of the ELF file (32 or 64 bits, x86) at @file to their physical
 * addresses, all within RAM of L1's and clear of @holes. Fills the entry point. ST_INVALID when it
 * is no such file, ST_CORRUPT when its headers contradict its size, ST_NO_MEMORY when it does not
 * fit.
 */
enum status loader_load_elf(const u8 *file, u64 size, const struct memmap_hole *holes,
			    unsigned hole_count, u64 *entry_point);

/* Move every module but the first out of the way, to the top of memory; likewise the first. */
enum status loader_move_modules(void);

/* The modules as holes for memmap_find(); @holes has room for BOOT_MAX_MODULES. */
unsigned loader_module_holes(struct memmap_hole *holes);

#endif
