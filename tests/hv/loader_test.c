#include "hv/loader.h"
#include "hv/mem.h"
#include "hv/memmap.h"
#include "hv/multiboot.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

#define MEMORY	 MIB(64)
#define HV_BASE	 (MEMORY - STUB_HV_SIZE)
#define FILE_AT	 MIB(8)
#define FILE_MAX KIB(64)

static int boot(void **state)
{
	(void)state;
	stub_boot(MEMORY);
	memset(stub_at(FILE_AT), 0xcc, FILE_MAX);
	return 0;
}

static void put(u64 pa, u64 value, unsigned bytes)
{
	memcpy(stub_at(pa), &value, bytes);
}

static u64 get(u64 pa, unsigned bytes)
{
	u64 value = 0;

	memcpy(&value, stub_at(pa), bytes);
	return value;
}

static void add_module(u64 base, u64 size, const char *text)
{
	struct boot_module *module = &boot_info.modules[boot_info.module_count++];

	module->base = base;
	module->size = size;
	strcpy(module->text, text);
}

struct segment {
	u32 type;
	u64 offset, paddr, filesz, memsz;
};

/* An ELF file at @at with program headers behind its header. */
static void put_elf(u64 at, bool is64, u64 entry, const struct segment *segments, unsigned count)
{
	memcpy(stub_at(at), "\177ELF\0\1\1", 7);
	put(at + 4, is64 ? 2 : 1, 1);
	put(at + (is64 ? 24 : 24), entry, is64 ? 8 : 4);
	put(at + (is64 ? 32 : 28), 64, is64 ? 8 : 4);
	put(at + (is64 ? 54 : 42), is64 ? 56 : 32, 2);
	put(at + (is64 ? 56 : 44), count, 2);
	for (unsigned i = 0; i < count; i++) {
		const struct segment *s = &segments[i];
		const u64 ph = at + 64 + i * (is64 ? 56 : 32);

		put(ph, s->type, 4);
		put(ph + (is64 ? 8 : 4), s->offset, is64 ? 8 : 4);
		put(ph + (is64 ? 24 : 12), s->paddr, is64 ? 8 : 4);
		put(ph + (is64 ? 32 : 16), s->filesz, is64 ? 8 : 4);
		put(ph + (is64 ? 40 : 20), s->memsz, is64 ? 8 : 4);
	}
}

static enum status load(u64 size, u64 *entry)
{
	const struct memmap_hole file = { FILE_AT, FILE_MAX };

	return loader_load_elf(stub_at(FILE_AT), size, &file, 1, entry);
}

static void elf_files_of_both_classes_load(void **state)
{
	static const struct segment segments[] = {
		{ 4, 0x300, 0x9999, 8, 8 }, /* a note */
		{ 1, 0x1000, MIB(16), 0x20, 0x2000 },
		{ 1, 0x2000, MIB(17), 0x10, 0x10 },
		{ 1, 0, MIB(18), 0, 0 },
	};

	(void)state;
	for (unsigned is64 = 0; is64 < 2; is64++) {
		u64 entry = 0;

		boot(NULL);
		memset(stub_at(MIB(16)), 0xee, 0x3000);
		put_elf(FILE_AT, is64, MIB(16) + 0x10, segments, ARRAY_SIZE(segments));
		memset(stub_at(FILE_AT + 0x1000), 0x11, 0x20);
		memset(stub_at(FILE_AT + 0x2000), 0x22, 0x10);
		assert_int_equal(load(0x2010, &entry), ST_OK);
		assert_u64(entry, MIB(16) + 0x10);
		assert_u64(get(MIB(16), 8), 0x1111111111111111);
		/* What the file does not have is zero, and what is behind is untouched. */
		assert_u64(get(MIB(16) + 0x18, 8), 0x1111111111111111);
		assert_u64(get(MIB(16) + 0x20, 8), 0);
		assert_u64(get(MIB(16) + 0x1ff8, 8), 0);
		assert_u64(get(MIB(16) + 0x2000, 8), 0xeeeeeeeeeeeeeeee);
		assert_u64(get(MIB(17) + 8, 8), 0x2222222222222222);
	}
}

static void hostile_elf_headers_are_refused(void **state)
{
	static const struct {
		const char *name;
		struct segment segment;
		enum status expected;
	} rows[] = {
		{ "good", { 1, 0x1000, MIB(16), 0x20, 0x20 }, ST_OK },
		{ "no loadable segment", { 6, 0x1000, MIB(16), 0x20, 0x20 }, ST_INVALID },
		{ "empty segment", { 1, 0x1000, MIB(16), 0, 0 }, ST_INVALID },
		{ "more in the file than in memory",
		  { 1, 0x1000, MIB(16), 0x20, 0x10 },
		  ST_CORRUPT },
		{ "begins behind the file", { 1, 0x2001, MIB(16), 0x20, 0x20 }, ST_CORRUPT },
		{ "ends behind the file", { 1, 0x1ff0, MIB(16), 0x20, 0x20 }, ST_CORRUPT },
		{ "offset wraps", { 1, ~0ull - 7, MIB(16), 0x20, 0x20 }, ST_CORRUPT },
		{ "size wraps", { 1, 0x1000, MIB(16), ~0ull, ~0ull }, ST_CORRUPT },
		{ "into hv", { 1, 0x1000, HV_BASE - 0x10, 0x20, 0x20 }, ST_NO_MEMORY },
		{ "zeros into hv", { 1, 0x1000, HV_BASE - 0x20, 0x20, 0x21 }, ST_NO_MEMORY },
		{ "inside hv", { 1, 0x1000, HV_BASE + MIB(1), 0x20, 0x20 }, ST_NO_MEMORY },
		{ "behind memory", { 1, 0x1000, MEMORY, 0x20, 0x20 }, ST_NO_MEMORY },
		{ "into the firmware", { 1, 0x1000, 0xf0000, 0x20, 0x20 }, ST_NO_MEMORY },
		{ "address wraps", { 1, 0x1000, ~0ull - 0xf, 0x20, 0x20 }, ST_NO_MEMORY },
		{ "zeros over all of memory", { 1, 0x1000, MIB(1), 0x20, ~0ull }, ST_NO_MEMORY },
		{ "over the file itself", { 1, 0x1000, FILE_AT - 8, 0x20, 0x20 }, ST_NO_MEMORY },
		{ "over the boot parameters",
		  { 1, 0x1000, LOW_AREA + 8, 0x20, 0x20 },
		  ST_NO_MEMORY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 entry;

		boot(NULL);
		put_elf(FILE_AT, true, MIB(16), &rows[i].segment, 1);
		assert_row(rows[i].name, load(0x2000, &entry), rows[i].expected);
	}
}

static void files_that_are_no_elf_are_refused(void **state)
{
	static const struct {
		const char *name;
		u64 at, value;
		unsigned bytes;
		u64 size;
	} rows[] = {
		{ "magic", 0, 0x464c457e, 4, 0x2000 },
		{ "class 3", 4, 3, 1, 0x2000 },
		{ "big-endian", 5, 2, 1, 0x2000 },
		{ "shorter than a header", 0, 0x464c457f, 4, 63 },
		{ "nothing", 0, 0x464c457f, 4, 0 },
		{ "headers behind the file", 32, 0x5000, 8, 0x2000 },
		{ "headers that wrap", 32, ~0ull - 3, 8, 0x2000 },
		{ "no headers", 56, 0, 2, 0x2000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 entry;

		boot(NULL);
		put_elf(FILE_AT, true, MIB(16), &(struct segment){ 1, 0x1000, MIB(16), 0x20, 0x20 },
			1);
		put(FILE_AT + rows[i].at, rows[i].value, rows[i].bytes);
		assert_row(rows[i].name, load(rows[i].size, &entry), ST_INVALID);
	}
}

/* Whatever the file says, nothing is written but RAM of L1's that is not the file. */
static void no_elf_file_writes_where_it_must_not(void **state)
{
	static u8 file[0x400];
	u32 seed = 12345;
	unsigned loaded = 0;
	u64 entry;

	(void)state;
	put_elf(FILE_AT, true, MIB(16),
		(struct segment[]){ { 1, 0x200, MIB(16), 0x100, 0x180 },
				    { 1, 0x100, MIB(20), 0x80, 0x1000 } },
		2);
	memcpy(file, stub_at(FILE_AT), sizeof(file));
	memset(stub_at(HV_BASE), 0x5a, STUB_HV_SIZE);
	for (unsigned round = 0; round < 20000; round++) {
		memcpy(stub_at(FILE_AT), file, sizeof(file));
		for (unsigned i = 0; i < 4; i++) {
			seed = seed * 1103515245 + 12345;
			put(FILE_AT + (seed >> 8) % 0xb0, seed >> 24, 1);
		}
		loaded += load(sizeof(file), &entry) == ST_OK;
	}
	for (u64 at = HV_BASE; at < MEMORY; at += 8)
		assert_u64(get(at, 8), 0x5a5a5a5a5a5a5a5a);
	/* The rounds that change nothing of weight still load, or this proves nothing. */
	assert_true(loaded > 100);
}

static void linux_elf_gets_boot_params_page_tables_and_its_command_line(void **state)
{
	struct l1_entry entry = { 0 };
	const u64 params = LOW_AREA;

	(void)state;
	put_elf(FILE_AT, true, MIB(16), &(struct segment){ 1, 0x1000, MIB(16), 0x20, 0x20 }, 1);
	add_module(FILE_AT, 0x2000, "kernel console=ttyS0 quiet");
	add_module(MIB(4), 0x1234, "initrd");
	put(MIB(4), 0x123456789abcdef0, 8);
	assert_int_equal(loader_load_l1(&entry), ST_OK);
	assert_true(entry.long_mode);
	assert_u64(entry.rip, MIB(16));
	assert_u64(entry.rsi, params);
	assert_u64(get(params + 0x1fe, 2), 0xaa55);
	assert_memory_equal(stub_at(params + 0x202), "HdrS", 4);
	assert_u64(get(params + 0x206, 2), 0x20f);
	assert_u64(get(params + 0x210, 1), 0xff);
	assert_string_equal(stub_at(get(params + 0x228, 4)), "console=ttyS0 quiet");
	/* The initrd moved up, out of the kernel's way, with its contents. */
	assert_u64(get(params + 0x218, 4), boot_info.modules[1].base);
	assert_u64(get(params + 0x21c, 4), 0x1234);
	assert_true(boot_info.modules[1].base > MIB(32));
	assert_u64(get(boot_info.modules[1].base, 8), 0x123456789abcdef0);
	/* E820: as boot_info has it, so without hv. */
	assert_u64(get(params + 0x1e8, 1), boot_info.range_count);
	assert_u64(get(params + 0x2d0 + 2 * 20, 8), MIB(1));
	assert_u64(get(params + 0x2d0 + 2 * 20 + 8, 8), HV_BASE - MIB(1));
	assert_u64(get(params + 0x2d0 + 3 * 20 + 16, 4), E820_RESERVED);
	/* Selectors 10h and 18h, flat; the first 4 GiB mapped to themselves. */
	assert_u64(get(entry.gdt_base + 0x10, 8), 0x00af9b000000ffff);
	assert_u64(get(entry.gdt_base + 0x18, 8), 0x00cf93000000ffff);
	assert_int_equal(entry.gdt_limit, 31);
	for (u64 gib = 0; gib < 4; gib++) {
		const u64 pdpt = get(entry.cr3, 8) & MASK(51, 12);
		const u64 pd = get(pdpt + gib * 8, 8) & MASK(51, 12);

		assert_u64(get(pd, 8), GIB(gib) | 0x83);
		assert_u64(get(pd + 511 * 8, 8), GIB(gib) + 511 * MIB(2) + 0x83);
	}
}

/* A bzImage of one setup sector with a payload of @payload bytes. */
static void put_bzimage(u64 payload, u32 init_size, u64 pref_address)
{
	put(FILE_AT + 0x1f1, 1, 1);
	put(FILE_AT + 0x1fe, 0xaa55, 2);
	put(FILE_AT + 0x201, 0x6a, 1);
	memcpy(stub_at(FILE_AT + 0x202), "HdrS", 4);
	put(FILE_AT + 0x206, 0x20f, 2);
	put(FILE_AT + 0x236, 1, 2);
	put(FILE_AT + 0x258, pref_address, 8);
	put(FILE_AT + 0x260, init_size, 4);
	memset(stub_at(FILE_AT + 0x400), 0x77, payload);
	add_module(FILE_AT, 0x400 + payload, "kernel");
}

static void bzimage_loads_at_its_preferred_address(void **state)
{
	struct l1_entry entry = { 0 };

	(void)state;
	put_bzimage(0x3000, MIB(2), MIB(16));
	assert_int_equal(loader_load_l1(&entry), ST_OK);
	assert_u64(entry.rip, MIB(16) + 0x200);
	assert_u64(get(MIB(16), 8), 0x7777777777777777);
	assert_u64(get(MIB(16) + 0x2ff8, 8), 0x7777777777777777);
	assert_u64(get(LOW_AREA + 0x236, 2), 1);
	assert_u64(get(LOW_AREA + 0x260, 4), MIB(2));
	assert_string_equal(stub_at(get(LOW_AREA + 0x228, 4)), "");
}

static void use_framebuffer(u64 address)
{
	boot_info.framebuffer = (struct boot_framebuffer){
		.present = true,
		.type = 1,
		.bpp = 32,
		.pitch = 1920 * 4,
		.width = 1920,
		.height = 1080,
		.address = address,
		.red = { 16, 8 },
		.green = { 8, 8 },
		.blue = { 0, 8 },
	};
}

/* Documentation/arch/x86/zero-page.rst: screen_info begins, efi_info is at 1C0h. */
static void firmware_and_screen_of_uefi_are_told(void **state)
{
	struct l1_entry entry = { 0 };

	(void)state;
	put_bzimage(0x3000, MIB(2), MIB(16));
	use_framebuffer(0x4000000000);
	boot_info.efi_system_table = 0x17ab12018;
	boot_info.efi_descriptor_size = 48;
	boot_info.efi_descriptor_version = 1;
	boot_info.efi_map_size = 96;
	memset(boot_info.efi_map, 0x5a, 96);
	assert_int_equal(loader_load_l1(&entry), ST_OK);
	assert_u64(get(LOW_AREA + 0x0f, 1), 0x70);
	assert_u64(get(LOW_AREA + 0x12, 2), 1920);
	assert_u64(get(LOW_AREA + 0x18, 4), 0);
	assert_u64(get(LOW_AREA + 0x1c, 4), 1920 * 4 * 1080);
	assert_u64(get(LOW_AREA + 0x36, 4), 2);
	assert_u64(get(LOW_AREA + 0x3a, 4), 0x40);
	assert_memory_equal(stub_at(LOW_AREA + 0x1c0), "EL64", 4);
	assert_u64(get(LOW_AREA + 0x1c4, 4), 0x7ab12018);
	assert_u64(get(LOW_AREA + 0x1d8, 4), 1);
	assert_u64(get(LOW_AREA + 0x1c8, 4), 48);
	assert_u64(get(LOW_AREA + 0x1cc, 4), 1);
	assert_u64(get(LOW_AREA + 0x1d4, 4), 96);
	assert_memory_equal(stub_at(get(LOW_AREA + 0x1d0, 4)), boot_info.efi_map, 96);
}

static void screen_is_what_there_is(void **state)
{
	static const struct {
		const char *name;
		bool efi, framebuffer;
		u64 kind, size;
	} rows[] = {
		{ "text of a BIOS", false, false, 1, 0 },
		{ "VESA, in units of 64 KiB", false, true, 0x23, 127 },
		{ "UEFI", true, true, 0x70, 1920 * 4 * 1080 },
		{ "UEFI without a screen", true, false, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l1_entry entry = { 0 };

		boot(state);
		put_bzimage(0x3000, MIB(2), MIB(16));
		boot_info.efi_system_table = rows[i].efi ? 0x1000 : 0;
		if (rows[i].framebuffer)
			use_framebuffer(0xc0000000);
		assert_int_equal(loader_load_l1(&entry), ST_OK);
		assert_row(rows[i].name, get(LOW_AREA + 0x0f, 1), rows[i].kind);
		assert_row(rows[i].name, get(LOW_AREA + 0x1c, 4), rows[i].size);
		assert_row(rows[i].name, get(LOW_AREA + 0x0e, 1), rows[i].kind == 1 ? 25 : 0);
	}
}

static void bzimages_that_can_not_start_are_refused_by_name(void **state)
{
	static const struct {
		const char *name;
		u64 at, value;
		unsigned bytes;
		const char *said;
	} rows[] = {
		{ "no 64-bit entry", 0x236, 0, 2, "can't be loaded" },
		{ "more setup than file", 0x1f1, 0xff, 1, "can't be loaded" },
		{ "preferred address in hv", 0x258, HV_BASE, 8, "can't be loaded" },
		{ "preferred address wraps", 0x258, ~0ull - 0xfff, 8, "can't be loaded" },
		{ "needs more than there is", 0x260, 0xffffffff, 4, "can't be loaded" },
		{ "no magic", 0x202, 0, 4, "neither a bzImage nor an ELF file" },
		{ "no boot flag", 0x1fe, 0, 2, "neither a bzImage nor an ELF file" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l1_entry entry = { 0 };

		boot(NULL);
		put_bzimage(0x3000, MIB(2), MIB(16));
		put(FILE_AT + rows[i].at, rows[i].value, rows[i].bytes);
		assert_row(rows[i].name, loader_load_l1(&entry) != ST_OK, true);
		assert_row(rows[i].name, stub_said(rows[i].said), true);
	}
}

/* init_size may lie: the payload itself must not fall on a module either. */
static void bzimage_larger_than_it_says_does_not_overwrite_its_initrd(void **state)
{
	struct l1_entry entry = { 0 };
	const u64 initrd = MIB(16) + 0x2000;

	(void)state;
	put_bzimage(0x3000, 0x1000, MIB(16));
	add_module(initrd, 0x1000, "initrd");
	memset(stub_at(initrd), 0x33, 0x1000);
	assert_int_equal(loader_linux("", &entry), ST_NO_MEMORY);
	assert_u64(get(initrd, 8), 0x3333333333333333);
}

#define KLUDGE BIT(16)

static void put_multiboot_header(u64 at, u32 flags)
{
	put(at, 0x1badb002, 4);
	put(at + 4, flags, 4);
	put(at + 8, (u32) - (0x1badb002 + flags), 4);
}

static void multiboot_elf_gets_memory_modules_and_command_line(void **state)
{
	struct l1_entry entry = { 0 };
	u64 info, modules, map;

	(void)state;
	put_elf(FILE_AT, false, MIB(16), &(struct segment){ 1, 0x1000, MIB(16), 0x20, 0x20 }, 1);
	put_multiboot_header(FILE_AT + 0x200, 3);
	add_module(FILE_AT, 0x2000, "multiboot only=vmx");
	add_module(MIB(4), 0x100, "module one two");
	add_module(MIB(5), 0x200, "module");
	assert_int_equal(loader_load_l1(&entry), ST_OK);
	assert_false(entry.long_mode);
	assert_u64(entry.rip, MIB(16));
	assert_u64(entry.rax, 0x2badb002);
	info = entry.rbx;
	assert_u64(get(info, 4), BIT(0) | BIT(2) | BIT(3) | BIT(6) | BIT(9));
	assert_u64(get(info + 4, 4), 0x9f000 / 1024);
	assert_u64(get(info + 8, 4), (HV_BASE - MIB(1)) / 1024);
	assert_string_equal(stub_at(get(info + 16, 4)), "only=vmx");
	assert_u64(get(info + 20, 4), 2);
	modules = get(info + 24, 4);
	assert_u64(get(modules + 4, 4) - get(modules, 4), 0x100);
	assert_string_equal(stub_at(get(modules + 8, 4)), "one two");
	assert_string_equal(stub_at(get(modules + 16 + 8, 4)), "");
	map = get(info + 48, 4);
	assert_u64(get(info + 44, 4), boot_info.range_count * 24);
	assert_u64(get(map, 4), 20);
	assert_u64(get(map + 3 * 24 + 4, 8), HV_BASE);
	assert_u64(get(map + 3 * 24 + 20, 4), E820_RESERVED);
}

/* The address fields of the header, for kernels that are no ELF files. */
struct kludge {
	u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

static enum status load_kludge(const struct kludge *kludge, struct l1_entry *entry)
{
	memset(stub_at(FILE_AT), 0x44, 0x1000);
	put_multiboot_header(FILE_AT + 0x100, KLUDGE);
	memcpy(stub_at(FILE_AT + 0x10c), kludge, sizeof(*kludge));
	add_module(FILE_AT, 0x1000, "multiboot");
	return loader_load_l1(entry);
}

static void address_fields_of_the_header_are_followed(void **state)
{
	static const struct kludge kludge = { 0x1000080, 0x1000000, 0x1000800, 0x1002000,
					      0x1000010 };
	struct l1_entry entry = { 0 };

	(void)state;
	memset(stub_at(0x1000000), 0xee, 0x3000);
	assert_int_equal(load_kludge(&kludge, &entry), ST_OK);
	assert_u64(entry.rip, 0x1000010);
	/* The header is at 100h of the file and 80h of memory: loading begins at 80h of the file.
	 */
	assert_u64(get(0x1000080, 4), 0x1badb002);
	assert_u64(get(0x10007f8, 8), 0x4444444444444444);
	assert_u64(get(0x1000800, 8), 0);
	assert_u64(get(0x1001ff8, 8), 0);
	assert_u64(get(0x1002000, 8), 0xeeeeeeeeeeeeeeee);
}

static void hostile_address_fields_are_refused(void **state)
{
	static const struct {
		const char *name;
		struct kludge kludge;
		enum status expected;
	} rows[] = {
		{ "to the end of the file", { 0x1000100, 0x1000000, 0, 0, 0x1000000 }, ST_OK },
		{ "header before what is loaded", { 0x1000000, 0x1000100, 0, 0, 0 }, ST_CORRUPT },
		{ "begins before the file", { 0x1000200, 0x1000000, 0, 0, 0 }, ST_CORRUPT },
		{ "ends behind the file", { 0x1000100, 0x1000000, 0x1001001, 0, 0 }, ST_CORRUPT },
		{ "ends before it begins", { 0x1000100, 0x1000000, 0xffffff, 0, 0 }, ST_CORRUPT },
		{ "zeros end before the rest",
		  { 0x1000100, 0x1000000, 0x1000800, 0x1000400, 0 },
		  ST_CORRUPT },
		{ "into hv", { 0x3000000, 0x2ffff00, 0, 0, 0 }, ST_NO_MEMORY },
		{ "zeros into hv", { 0x1000100, 0x1000000, 0, HV_BASE + 1, 0 }, ST_NO_MEMORY },
		{ "over the boot information",
		  { LOW_AREA + 0x100, LOW_AREA, 0, 0, 0 },
		  ST_NO_MEMORY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l1_entry entry = { 0 };

		boot(NULL);
		assert_row(rows[i].name, load_kludge(&rows[i].kludge, &entry), rows[i].expected);
	}
}

static void kernel_without_elf_does_not_overwrite_modules(void **state)
{
	struct l1_entry entry = { 0 };
	const u64 module = MIB(16);
	const struct kludge kludge = { MIB(16) - 0x700, MIB(16) - 0x800, 0, 0, 0 };

	(void)state;
	put_multiboot_header(FILE_AT + 0x100, KLUDGE);
	memcpy(stub_at(FILE_AT + 0x10c), &kludge, sizeof(kludge));
	add_module(FILE_AT, 0x1000, "multiboot");
	add_module(module, 0x1000, "module");
	memset(stub_at(module), 0x33, 0x1000);
	assert_int_equal(loader_multiboot("", &entry), ST_NO_MEMORY);
	assert_u64(get(module, 8), 0x3333333333333333);
}

static void multiboot_headers_are_found_where_the_specification_allows(void **state)
{
	static const struct {
		const char *name;
		u64 at;
		u32 spoil;
		bool found;
	} rows[] = {
		{ "at the start of the search", 0x200, 0, true },
		{ "at its end", 8192 - 32, 0, true },
		{ "behind it", 8192, 0, false },
		{ "not aligned", 0x202, 0, false },
		{ "wrong checksum", 0x200, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l1_entry entry = { 0 };

		boot(NULL);
		put_elf(FILE_AT, false, MIB(16), &(struct segment){ 1, 0, MIB(16), 0x20, 0x20 }, 1);
		put_multiboot_header(FILE_AT + rows[i].at, 0);
		put(FILE_AT + rows[i].at + 8, get(FILE_AT + rows[i].at + 8, 4) + rows[i].spoil, 4);
		add_module(FILE_AT, 0x4000, "multiboot");
		assert_row(rows[i].name, loader_load_l1(&entry),
			   rows[i].found ? ST_OK : ST_INVALID);
	}
}

static void modules_that_name_no_l1_are_refused_by_name(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ NULL, "there is no L1" },
		{ "", "neither 'kernel' nor 'multiboot'" },
		{ "kernels", "neither 'kernel' nor 'multiboot'" },
		{ "initrd", "'initrd'" },
		{ "kernel", "neither a bzImage nor an ELF file" },
		{ "multiboot", "no multiboot header" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l1_entry entry;

		boot(NULL);
		if (rows[i].text)
			add_module(FILE_AT, 0x2000, rows[i].text);
		assert_row(rows[i].said, loader_load_l1(&entry) != ST_OK, true);
		assert_row(rows[i].said, stub_said(rows[i].said), true);
	}
}

static void modules_move_to_the_top_and_keep_their_contents(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		add_module(MIB(2) + i * KIB(64), KIB(40) + i, "m");
		memset(stub_at(MIB(2) + i * KIB(64)), (int)(0x10 + i), KIB(40) + i);
	}
	assert_int_equal(loader_move_modules(), ST_OK);
	for (unsigned i = 0; i < 4; i++) {
		const struct boot_module *module = &boot_info.modules[i];

		assert_true(module->base > HV_BASE - MIB(1));
		assert_true(module->base + module->size <= HV_BASE);
		assert_u64(module->base & 4095, 0);
		assert_u64(get(module->base, 1), 0x10 + i);
		assert_u64(get(module->base + module->size - 1, 1), 0x10 + i);
		for (unsigned k = 0; k < i; k++) {
			const struct boot_module *other = &boot_info.modules[k];

			assert_true(module->base >= other->base + other->size ||
				    other->base >= module->base + module->size);
		}
	}
}

static void modules_without_room_are_said(void **state)
{
	struct l1_entry entry;

	(void)state;
	add_module(MIB(2), MIB(30), "kernel");
	assert_int_equal(loader_load_l1(&entry), ST_NO_MEMORY);
	assert_true(stub_said("memory is too small for L1's modules"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(elf_files_of_both_classes_load, boot),
		cmocka_unit_test_setup(hostile_elf_headers_are_refused, boot),
		cmocka_unit_test_setup(files_that_are_no_elf_are_refused, boot),
		cmocka_unit_test_setup(no_elf_file_writes_where_it_must_not, boot),
		cmocka_unit_test_setup(linux_elf_gets_boot_params_page_tables_and_its_command_line,
				       boot),
		cmocka_unit_test_setup(bzimage_loads_at_its_preferred_address, boot),
		cmocka_unit_test_setup(firmware_and_screen_of_uefi_are_told, boot),
		cmocka_unit_test_setup(screen_is_what_there_is, boot),
		cmocka_unit_test_setup(bzimages_that_can_not_start_are_refused_by_name, boot),
		cmocka_unit_test_setup(bzimage_larger_than_it_says_does_not_overwrite_its_initrd,
				       boot),
		cmocka_unit_test_setup(multiboot_elf_gets_memory_modules_and_command_line, boot),
		cmocka_unit_test_setup(address_fields_of_the_header_are_followed, boot),
		cmocka_unit_test_setup(hostile_address_fields_are_refused, boot),
		cmocka_unit_test_setup(kernel_without_elf_does_not_overwrite_modules, boot),
		cmocka_unit_test_setup(multiboot_headers_are_found_where_the_specification_allows,
				       boot),
		cmocka_unit_test_setup(modules_that_name_no_l1_are_refused_by_name, boot),
		cmocka_unit_test_setup(modules_move_to_the_top_and_keep_their_contents, boot),
		cmocka_unit_test_setup(modules_without_room_are_said, boot),
	};

	return cmocka_run_group_tests_name("hv/loader", tests, NULL, NULL);
}
