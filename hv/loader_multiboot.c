/*
 * hv/loader_multiboot.c - a multiboot kernel as L1
 *
 * Multiboot Specification version 0.6.96. The kernel starts in 32-bit mode without paging.
 */
#include "hv/bios_map.h"
#include "hv/guestmem.h"
#include "hv/loader.h"
#include "hv/log.h"
#include "hv/mem.h"
#include "hv/memmap.h"
#include "hv/multiboot.h"

#define HEADER_SEARCH	8192
#define HEADER_MAGIC	0x1badb002
#define LOADER_MAGIC	0x2badb002
#define HEADER_KLUDGE	BIT(16)
/* Xen takes the first word of a command line for a file's name unless this says that it is none. */
#define LOADER_NAME	"vmxtape-hv " VERSION ", like GRUB 2"
#define INFO_MEMORY	BIT(0)
#define INFO_COMMAND	BIT(2)
#define INFO_MODULES	BIT(3)
#define INFO_MEMORY_MAP BIT(6)
#define INFO_LOADER	BIT(9)

struct header {
	u32 magic, flags, checksum;
	u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	u32 syms[4], mmap_length, mmap_addr, drives_length, drives_addr, config_table;
	u32 boot_loader_name, apm_table;
};

struct info_module {
	u32 start, end, string, reserved;
};

struct info_range {
	u32 size;
	u64 base, length;
	u32 type;
} __attribute__((packed));

/* The low area, filled from its start. */
static u64 low_next;

static void *low_take(size_t size)
{
	void *taken = phys_to_virt(low_next);

	if (low_next + size > LOW_AREA + LOW_AREA_SIZE)
		return NULL;
	low_next = ALIGN_UP(low_next + size, 16);
	return taken;
}

static u32 low_text(const char *text)
{
	char *to = low_take(strlen(text) + 1);

	if (!to)
		return 0;
	memcpy(to, text, strlen(text) + 1);
	return (u32)((u64)to - DIRECT_MAP);
}

static const struct header *find_header(const u8 *file, u64 size, u64 *offset)
{
	for (u64 at = 0; at + sizeof(struct header) <= MIN(size, HEADER_SEARCH); at += 4) {
		const struct header *header = (const struct header *)(file + at);

		if (header->magic == HEADER_MAGIC &&
		    header->magic + header->flags + header->checksum == 0) {
			*offset = at;
			return header;
		}
	}
	return NULL;
}

/* The address fields of the header instead of an ELF file. */
static enum status load_by_header(const u8 *file, u64 size, const struct header *header, u64 offset,
				  const struct memmap_hole *holes, unsigned hole_count)
{
	const u64 skip = offset - (header->header_addr - header->load_addr);
	const u64 length =
		header->load_end_addr ? header->load_end_addr - header->load_addr : size - skip;
	const u64 end = header->bss_end_addr ? header->bss_end_addr : header->load_addr + length;
	u8 *to;

	if (header->header_addr < header->load_addr || skip > size || length > size - skip ||
	    end < header->load_addr + length)
		return ST_CORRUPT;
	to = loader_place(header->load_addr, end - header->load_addr, holes, hole_count);
	if (!to)
		return ST_NO_MEMORY;
	memcpy(to, file + skip, length);
	memset(to + length, 0, end - header->load_addr - length);
	return ST_OK;
}

static void put_memory(struct info *info)
{
	struct info_range *map = low_take(boot_info.range_count * sizeof(*map));

	if (!map)
		return;
	for (unsigned i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *range = &boot_info.ranges[i];

		map[i] = (struct info_range){ sizeof(*map) - 4, range->base, range->size,
					      range->type };
		if (range->type != E820_RAM)
			continue;
		if (range->base == 0)
			info->mem_lower = (u32)(MIN(range->size, KIB(640)) / 1024);
		else if (range->base == MIB(1))
			info->mem_upper = (u32)(range->size / 1024);
	}
	info->flags |= INFO_MEMORY | INFO_MEMORY_MAP;
	info->mmap_addr = (u32)((u64)map - DIRECT_MAP);
	info->mmap_length = (u32)(boot_info.range_count * sizeof(*map));
}

/* A further module's text begins with the word "module", which is hv's. */
static void put_modules(struct info *info)
{
	struct info_module *modules = low_take(BOOT_MAX_MODULES * sizeof(*modules));

	if (!modules)
		return;
	for (unsigned i = 1; i < boot_info.module_count; i++) {
		const struct boot_module *module = &boot_info.modules[i];
		const char *text = module->text;

		if (!strncmp(text, "module", 6))
			text += text[6] == ' ' ? 7 : 6;
		modules[i - 1] =
			(struct info_module){ (u32)module->base, (u32)(module->base + module->size),
					      low_text(text), 0 };
	}
	info->flags |= INFO_MODULES;
	info->mods_count = boot_info.module_count - 1;
	info->mods_addr = (u32)((u64)modules - DIRECT_MAP);
}

enum status loader_multiboot(const char *command_line, struct l1_entry *entry)
{
	const struct boot_module *kernel = &boot_info.modules[0];
	const u8 *file = phys_to_virt(kernel->base);
	struct memmap_hole holes[BOOT_MAX_MODULES];
	const unsigned hole_count = loader_module_holes(holes);
	const struct header *header;
	struct info *info;
	u64 offset;
	enum status status;

	header = find_header(file, kernel->size, &offset);
	if (!header) {
		log_print("the multiboot kernel has no multiboot header");
		return ST_INVALID;
	}
	if (!guest_ram(LOW_AREA, LOW_AREA_SIZE)) {
		log_print("there is no memory at 0x%llx for the boot information", LOW_AREA);
		return ST_NO_MEMORY;
	}
	if (header->flags & HEADER_KLUDGE) {
		entry->rip = header->entry_addr;
		status = load_by_header(file, kernel->size, header, offset, holes, hole_count);
	} else {
		status = loader_load_elf(file, kernel->size, holes, hole_count, &entry->rip);
	}
	if (status != ST_OK) {
		log_print("the multiboot kernel can't be loaded: %s", status_text(status));
		return status;
	}
	if (bios_map_install() != ST_OK)
		log_print("no room for a memory map below 640 KiB: a kernel that asks the BIOS for "
			  "it may take hv's memory for its own");
	low_next = LOW_AREA;
	info = low_take(sizeof(*info));
	memset(info, 0, sizeof(*info));
	info->flags = INFO_COMMAND | INFO_LOADER;
	info->cmdline = low_text(command_line);
	info->boot_loader_name = low_text(LOADER_NAME);
	put_memory(info);
	put_modules(info);
	entry->long_mode = false;
	entry->rax = LOADER_MAGIC;
	entry->rbx = (u64)info - DIRECT_MAP;
	return ST_OK;
}
