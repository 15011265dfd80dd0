#include "tests/hv/loader_fixture.h"

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
	/*
	 * The header is at 100h of the file and 80h of memory: loading begins at 80h of the file.
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(multiboot_elf_gets_memory_modules_and_command_line, boot),
		cmocka_unit_test_setup(address_fields_of_the_header_are_followed, boot),
		cmocka_unit_test_setup(hostile_address_fields_are_refused, boot),
		cmocka_unit_test_setup(kernel_without_elf_does_not_overwrite_modules, boot),
		cmocka_unit_test_setup(multiboot_headers_are_found_where_the_specification_allows,
				       boot),
	};

	return cmocka_run_group_tests_name("hv/loader_multiboot", tests, NULL, NULL);
}
