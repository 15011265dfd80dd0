#include "tests/hv/loader_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(linux_elf_gets_boot_params_page_tables_and_its_command_line,
				       boot),
		cmocka_unit_test_setup(bzimage_loads_at_its_preferred_address, boot),
		cmocka_unit_test_setup(firmware_and_screen_of_uefi_are_told, boot),
		cmocka_unit_test_setup(screen_is_what_there_is, boot),
		cmocka_unit_test_setup(bzimages_that_can_not_start_are_refused_by_name, boot),
		cmocka_unit_test_setup(bzimage_larger_than_it_says_does_not_overwrite_its_initrd,
				       boot),
	};

	return cmocka_run_group_tests_name("hv/loader_linux", tests, NULL, NULL);
}
