/*
 * hv/loader_linux.c - Linux as L1, by the 64-bit boot protocol
 *
 * Documentation/arch/x86/boot.rst and zero-page.rst of Linux 6.1. A bzImage is entered at its
 * 64-bit entry point, an uncompressed vmlinux at its ELF entry point, both with boot_params in RSI.
 */
#include "hv/guestmem.h"
#include "hv/loader.h"
#include "hv/log.h"
#include "hv/mem.h"
#include "hv/memmap.h"
#include "hv/multiboot.h"

/* Where in the low area; the page tables take six pages. */
#define BOOT_PARAMS  (LOW_AREA + 0x0000)
#define BOOT_GDT     (LOW_AREA + 0x1000)
#define BOOT_RSDP    (LOW_AREA + 0x1800)
#define PAGE_TABLES  (LOW_AREA + 0x2000)
#define COMMAND_LINE (LOW_AREA + 0x8000)
#define EFI_MAP	     (LOW_AREA + 0xa000)

enum boot_params_offset {
	ACPI_RSDP_ADDR = 0x070,
	EXT_RAMDISK_IMAGE = 0x0c0,
	EFI_SIGNATURE = 0x1c0,
	E820_ENTRIES = 0x1e8,
	SETUP_HEADER = 0x1f1,
	SETUP_SECTS = 0x1f1,
	BOOT_FLAG = 0x1fe,
	JUMP_OFFSET = 0x201,
	HEADER_MAGIC = 0x202,
	PROTOCOL_VERSION = 0x206,
	TYPE_OF_LOADER = 0x210,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	CMD_LINE_PTR = 0x228,
	KERNEL_ALIGNMENT = 0x230,
	XLOADFLAGS = 0x236,
	CMDLINE_SIZE = 0x238,
	PREF_ADDRESS = 0x258,
	INIT_SIZE = 0x260,
	E820_TABLE = 0x2d0,
};

#define E820_MAX_ENTRIES  128
#define E820_ENTRY_SIZE	  20
#define BOOT_FLAG_VALUE	  0xaa55
#define HEADER_MAGIC_TEXT "HdrS"
#define XLF_KERNEL_64	  BIT(0)
#define ENTRY_64_OFFSET	  0x200
#define LOADER_UNDEFINED  0xff

static u8 *params;

static void put(unsigned offset, u64 value, unsigned bytes)
{
	memcpy(params + offset, &value, bytes);
}

static void put_e820(void)
{
	unsigned count = 0;

	for (; count < boot_info.range_count && count < E820_MAX_ENTRIES; count++) {
		const struct boot_range *range = &boot_info.ranges[count];
		const unsigned at = E820_TABLE + count * E820_ENTRY_SIZE;

		put(at, range->base, 8);
		put(at + 8, range->size, 8);
		put(at + 16, range->type, 4);
	}
	put(E820_ENTRIES, count, 1);
}

static void put_screen(void)
{
	const struct boot_framebuffer *fb = &boot_info.framebuffer;
	const bool efi = boot_info.efi_system_table;
	const u64 size = (u64)fb->pitch * fb->height;

	/* There is no VGA, and nothing in its place. */
	if (!fb->present && efi)
		return;
	if (!fb->present || fb->type == 2) {
		put(0x06, 3, 1); /* 80x25 text */
		put(0x07, 80, 1);
		put(0x0e, 25, 1);
		put(0x0f, 1, 1); /* VGA */
		put(0x10, 16, 2);
		return;
	}
	put(0x0f, efi ? 0x70 : 0x23, 1); /* EFI or VESA linear framebuffer */
	put(0x12, fb->width, 2);
	put(0x14, fb->height, 2);
	put(0x16, fb->bpp, 2);
	put(0x18, fb->address, 4);
	put(0x1c, efi ? size : ALIGN_UP(size, KIB(64)) / KIB(64), 4);
	put(0x24, fb->pitch, 2);
	put(0x26, fb->red[1], 1);
	put(0x27, fb->red[0], 1);
	put(0x28, fb->green[1], 1);
	put(0x29, fb->green[0], 1);
	put(0x2a, fb->blue[1], 1);
	put(0x2b, fb->blue[0], 1);
	if (fb->address >> 32) {
		put(0x36, 2, 4); /* capability: 64-bit base */
		put(0x3a, fb->address >> 32, 4);
	}
}

static void put_firmware(void)
{
	if (boot_info.rsdp_copy[0]) {
		memcpy(phys_to_virt(BOOT_RSDP), boot_info.rsdp_copy, sizeof(boot_info.rsdp_copy));
		put(ACPI_RSDP_ADDR, BOOT_RSDP, 8);
	}
	if (!boot_info.efi_system_table || !boot_info.efi_map_size)
		return;
	memcpy(phys_to_virt(EFI_MAP), boot_info.efi_map, boot_info.efi_map_size);
	memcpy(params + EFI_SIGNATURE, "EL64", 4);
	put(EFI_SIGNATURE + 0x04, boot_info.efi_system_table, 4);
	put(EFI_SIGNATURE + 0x08, boot_info.efi_descriptor_size, 4);
	put(EFI_SIGNATURE + 0x0c, boot_info.efi_descriptor_version, 4);
	put(EFI_SIGNATURE + 0x10, EFI_MAP, 4);
	put(EFI_SIGNATURE + 0x14, boot_info.efi_map_size, 4);
	put(EFI_SIGNATURE + 0x18, boot_info.efi_system_table >> 32, 4);
}

static void put_initrd(void)
{
	if (boot_info.module_count < 2)
		return;
	put(RAMDISK_IMAGE, boot_info.modules[1].base, 4);
	put(RAMDISK_SIZE, boot_info.modules[1].size, 4);
	put(EXT_RAMDISK_IMAGE, boot_info.modules[1].base >> 32, 4);
}

/* PML4, PDPT and four page directories: the first 4 GiB, in pages of 2 MiB. */
static void build_page_tables(void)
{
	u64 *tables = phys_to_virt(PAGE_TABLES);

	memset(tables, 0, 6 * PAGE_SIZE);
	tables[0] = (PAGE_TABLES + PAGE_SIZE) | 3;
	for (unsigned i = 0; i < 4; i++)
		tables[512 + i] = (PAGE_TABLES + (2 + i) * PAGE_SIZE) | 3;
	for (u64 i = 0; i < 4 * 512; i++)
		tables[1024 + i] = i * MIB(2) | 0x83;
}

/* Selectors 0x10 and 0x18, as the protocol asks. */
static void build_gdt(struct l1_entry *entry)
{
	static const u64 gdt[] = { 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff };

	memcpy(phys_to_virt(BOOT_GDT), gdt, sizeof(gdt));
	entry->gdt_base = BOOT_GDT;
	entry->gdt_limit = sizeof(gdt) - 1;
}

static bool is_bzimage(const u8 *file, u64 size)
{
	u16 flag;

	if (size < INIT_SIZE + 4)
		return false;
	memcpy(&flag, file + BOOT_FLAG, sizeof(flag));
	return flag == BOOT_FLAG_VALUE && !memcmp(file + HEADER_MAGIC, HEADER_MAGIC_TEXT, 4);
}

static enum status load_bzimage(const u8 *file, u64 size, const struct memmap_hole *holes,
				unsigned hole_count, u64 *entry_point)
{
	const unsigned sectors = file[SETUP_SECTS] ? file[SETUP_SECTS] : 4;
	const u64 skip = (sectors + 1) * 512ull;
	u64 base;
	u32 init_size;
	u8 *to;

	memcpy(&init_size, file + INIT_SIZE, sizeof(init_size));
	memcpy(&base, file + PREF_ADDRESS, sizeof(base));
	if (skip >= size)
		return ST_CORRUPT;
	if (!(file[XLOADFLAGS] & XLF_KERNEL_64))
		return ST_UNSUPPORTED;
	to = loader_place(base, MAX(init_size, size - skip), holes, hole_count);
	if (!to)
		return ST_NO_MEMORY;
	memcpy(to, file + skip, size - skip);
	memcpy(params + SETUP_HEADER, file + SETUP_HEADER,
	       MIN(0x202u + file[JUMP_OFFSET] - SETUP_HEADER, E820_TABLE - SETUP_HEADER));
	*entry_point = base + ENTRY_64_OFFSET;
	return ST_OK;
}

static enum status load_vmlinux(const u8 *file, u64 size, const struct memmap_hole *holes,
				unsigned hole_count, u64 *entry_point)
{
	put(BOOT_FLAG, BOOT_FLAG_VALUE, 2);
	memcpy(params + HEADER_MAGIC, HEADER_MAGIC_TEXT, 4);
	put(PROTOCOL_VERSION, 0x20f, 2);
	put(KERNEL_ALIGNMENT, MIB(2), 4);
	put(CMDLINE_SIZE, BOOT_MAX_TEXT - 1, 4);
	return loader_load_elf(file, size, holes, hole_count, entry_point);
}

enum status loader_linux(const char *command_line, struct l1_entry *entry)
{
	const struct boot_module *kernel = &boot_info.modules[0];
	const u8 *file = phys_to_virt(kernel->base);
	struct memmap_hole holes[BOOT_MAX_MODULES];
	const unsigned hole_count = loader_module_holes(holes);
	enum status status;

	params = guest_ram(LOW_AREA, LOW_AREA_SIZE);
	if (!params) {
		log_print("there is no memory at 0x%llx, where Linux gets its boot parameters",
			  LOW_AREA);
		return ST_NO_MEMORY;
	}
	memset(params, 0, PAGE_SIZE);
	status = is_bzimage(file, kernel->size)
			 ? load_bzimage(file, kernel->size, holes, hole_count, &entry->rip)
			 : load_vmlinux(file, kernel->size, holes, hole_count, &entry->rip);
	if (status != ST_OK) {
		log_print("the kernel can't be loaded: %s",
			  status == ST_INVALID ? "it is neither a bzImage nor an ELF file"
					       : status_text(status));
		return status;
	}
	put(TYPE_OF_LOADER, LOADER_UNDEFINED, 1);
	put(CMD_LINE_PTR, COMMAND_LINE, 4);
	memcpy(phys_to_virt(COMMAND_LINE), command_line, strlen(command_line) + 1);
	put_initrd();
	put_screen();
	put_firmware();
	put_e820();
	build_page_tables();
	build_gdt(entry);
	entry->long_mode = true;
	entry->cr3 = PAGE_TABLES;
	entry->rsi = BOOT_PARAMS;
	return ST_OK;
}
