#include "hv/multiboot.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

#define LOADER_MAGIC 0x36d76289
#define INFO_AT	     0x8000ull

/* Boot information under construction, in the machine's memory. */
static u8 *info;
static u32 info_size;

static void set_size(u32 size)
{
	info_size = size;
	memcpy(info, &size, sizeof(size));
}

static int empty_information(void **state)
{
	(void)state;
	stub_reset(NULL);
	memset(&boot_info, 0, sizeof(boot_info));
	info = stub_at(INFO_AT);
	set_size(8);
	return 0;
}

/* Append a tag whose size field says @size; returns where it is. */
static u8 *add_tag(u32 type, const void *content, u32 content_size, u32 size)
{
	u8 *tag = info + info_size;

	memcpy(tag, &type, 4);
	memcpy(tag + 4, &size, 4);
	if (content_size)
		memcpy(tag + 8, content, content_size);
	set_size(info_size + ALIGN_UP(8 + content_size, 8u));
	return tag;
}

static void add(u32 type, const void *content, u32 size)
{
	add_tag(type, content, size, 8 + size);
}

static void add_end(void)
{
	add(0, NULL, 0);
}

struct map_entry {
	u64 base, size;
	u32 type, reserved;
};

static void add_map(const struct map_entry *entries, unsigned count)
{
	u8 content[8 + 200 * sizeof(struct map_entry)];
	const u32 head[] = { sizeof(struct map_entry), 0 };

	memcpy(content, head, sizeof(head));
	memcpy(content + 8, entries, count * sizeof(*entries));
	add(6, content, 8 + count * (u32)sizeof(*entries));
}

static void add_small_map(void)
{
	add_map((const struct map_entry[]){ { 0, 0x9f000, 1, 0 }, { MIB(1), MIB(63), 1, 0 } }, 2);
}

static void add_module(u32 start, u32 end, const char *text)
{
	u8 content[8 + 4096];

	memcpy(content, &start, 4);
	memcpy(content + 4, &end, 4);
	memcpy(content + 8, text, strlen(text) + 1);
	add(3, content, 8 + (u32)strlen(text) + 1);
}

static void what_grub_leaves_is_copied(void **state)
{
	static const u8 rsdp[20] = "RSD PTR 12345678901";
	const u64 system_table = 0x12345678abcd;

	(void)state;
	add(1, "ring=8M log=quiet", 18);
	add(2, "GRUB 2.06", 10);
	add_module(0x200000, 0x280001, "kernel console=ttyS0");
	add_module(0x300000, 0x300010, "initrd");
	add_small_map();
	add(12, &system_table, 8);
	add(14, rsdp, sizeof(rsdp));
	add_end();
	assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_OK);
	assert_string_equal(boot_info.options, "ring=8M log=quiet");
	assert_int_equal(boot_info.module_count, 2);
	assert_u64(boot_info.modules[0].base, 0x200000);
	assert_u64(boot_info.modules[0].size, 0x80001);
	assert_string_equal(boot_info.modules[0].text, "kernel console=ttyS0");
	assert_string_equal(boot_info.modules[1].text, "initrd");
	assert_int_equal(boot_info.range_count, 2);
	assert_u64(boot_info.ranges[1].base, MIB(1));
	assert_u64(boot_info.ranges[1].size, MIB(63));
	assert_int_equal(boot_info.ranges[1].type, E820_RAM);
	assert_u64(boot_info.efi_system_table, system_table);
	assert_memory_equal(boot_info.rsdp_copy, rsdp, sizeof(rsdp));
	assert_memory_equal(stub_at(boot_info.rsdp), rsdp, sizeof(rsdp));
	assert_u64(boot_info.loader_base, INFO_AT);
	assert_u64(boot_info.loader_size, info_size);
}

static void the_newer_rsdp_is_taken_wherever_it_stands(void **state)
{
	static const u8 old[20] = "RSD PTR old", new[36] = "RSD PTR new";

	for (unsigned first = 0; first < 2; first++) {
		empty_information(state);
		add_small_map();
		if (first)
			add(15, new, sizeof(new));
		add(14, old, sizeof(old));
		if (!first)
			add(15, new, sizeof(new));
		add_end();
		assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_OK);
		assert_memory_equal(boot_info.rsdp_copy, new, sizeof(new));
		assert_memory_equal(stub_at(boot_info.rsdp), new, sizeof(new));
	}
}

static void other_loaders_are_refused(void **state)
{
	(void)state;
	add_small_map();
	add_end();
	assert_int_equal(multiboot_parse(0x2badb002, INFO_AT), ST_INVALID);
	assert_int_equal(multiboot_parse(0, INFO_AT), ST_INVALID);
}

static void information_without_memory_map_is_refused(void **state)
{
	(void)state;
	add(1, "x", 2);
	add_end();
	assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_INVALID);
}

static void framebuffer_is_read(void **state)
{
	const u8 content[] = { 0, 0, 0, 0xe0, 1,  0, 0, 0, 0x00, 0x10, 0, 0, 0x00, 0x04, 0, 0,
			       0, 3, 0, 0,    32, 1, 0, 0, 16,	 8,    8, 8, 0,	   8,	 0, 0 };

	(void)state;
	add_small_map();
	add(8, content, sizeof(content));
	add_end();
	assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_OK);
	assert_true(boot_info.framebuffer.present);
	assert_u64(boot_info.framebuffer.address, 0x1e0000000);
	assert_int_equal(boot_info.framebuffer.pitch, 4096);
	assert_int_equal(boot_info.framebuffer.width, 1024);
	assert_int_equal(boot_info.framebuffer.height, 768);
	assert_int_equal(boot_info.framebuffer.bpp, 32);
	assert_int_equal(boot_info.framebuffer.red[0], 16);
	assert_int_equal(boot_info.framebuffer.blue[1], 8);
}

static void tags_that_lie_about_their_size_end_the_parse(void **state)
{
	static const struct {
		const char *name;
		u32 size;
	} rows[] = {
		{ "zero: would not advance", 0 },
		{ "smaller than a tag", 7 },
		{ "beyond the information", 4096 },
		{ "wraps around", 0xfffffff8 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		empty_information(NULL);
		add_small_map();
		add_tag(1, "log=quiet", 10, rows[i].size);
		add_end();
		assert_row(rows[i].name, multiboot_parse(LOADER_MAGIC, INFO_AT), ST_OK);
		assert_row(rows[i].name, boot_info.options[0], 0);
	}
}

static void contents_cut_short_read_as_zero(void **state)
{
	(void)state;
	add_small_map();
	add(3, "\x00\x00\x20\x00", 4); /* a module without its end */
	add(8, "\x00\x00", 2);
	add(12, "\x01\x02\x03\x04", 4);
	add(14, NULL, 0);
	add(17, "\x30\x00\x00\x00", 4);
	add(6, NULL, 0);
	add_end();
	assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_OK);
	assert_u64(boot_info.efi_system_table, 0x04030201);
	assert_int_equal(boot_info.efi_map_size, 0);
	assert_u64(boot_info.rsdp, 0);
	assert_u64(boot_info.framebuffer.address, 0);
	assert_int_equal(boot_info.range_count, 2);
	assert_int_equal(boot_info.module_count, 0);
}

static void module_that_ends_before_it_starts_is_left_out(void **state)
{
	(void)state;
	add_small_map();
	add_module(0x300000, 0x200000, "kernel");
	add_module(0x400000, 0x400100, "initrd");
	add_end();
	assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_OK);
	assert_int_equal(boot_info.module_count, 1);
	assert_string_equal(boot_info.modules[0].text, "initrd");
	assert_u64(boot_info.modules[0].size, 0x100);
	assert_true(stub_said("a module ends at 0x200000, before it starts at 0x300000"));
}

static void map_entries_of_other_sizes_are_stepped_over(void **state)
{
	u8 content[8 + 2 * 32] = { 32, 0, 0, 0 };
	const struct map_entry first = { MIB(1), MIB(1), 1, 0 }, second = { MIB(4), MIB(1), 1, 0 };

	(void)state;
	memcpy(content + 8, &first, sizeof(first));
	memcpy(content + 40, &second, sizeof(second));
	add(6, content, sizeof(content));
	add_end();
	assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_OK);
	assert_int_equal(boot_info.range_count, 2);
	assert_u64(boot_info.ranges[1].base, MIB(4));
}

static void map_entries_too_small_to_be_one_are_not_read(void **state)
{
	static const u32 sizes[] = { 0, 1, 19 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		u8 content[8 + 64] = { 0 };

		empty_information(NULL);
		memcpy(content, &sizes[i], 4);
		add(6, content, sizeof(content));
		add_end();
		assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_INVALID);
		assert_int_equal(boot_info.range_count, 0);
	}
}

static void more_than_there_is_room_for_is_left_out_and_said(void **state)
{
	struct map_entry entries[200];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = (struct map_entry){ i * MIB(1), MIB(1), 1, 0 };
	add_map(entries, ARRAY_SIZE(entries));
	for (unsigned i = 0; i < BOOT_MAX_MODULES + 3; i++)
		add_module(0x100000 * (i + 1), 0x100000 * (i + 1) + 16, "m");
	add_end();
	assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_OK);
	/* Two stay free for cutting hv out. */
	assert_int_equal(boot_info.range_count, BOOT_MAX_RANGES - 2);
	assert_int_equal(boot_info.module_count, BOOT_MAX_MODULES);
	assert_true(stub_said("memory ranges: the rest is left out"));
	assert_true(stub_said("modules: the rest is left out"));
}

static void long_texts_are_cut_and_said(void **state)
{
	char text[sizeof(boot_info.options) + 100];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = 0;
	add_small_map();
	add(1, text, sizeof(text));
	add_end();
	assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_OK);
	assert_int_equal(strlen(boot_info.options), sizeof(boot_info.options) - 1);
	assert_true(stub_said("was cut"));
}

static void text_without_its_zero_ends_with_the_tag(void **state)
{
	(void)state;
	add_small_map();
	add_tag(1, "abcdefgh", 8, 8 + 5);
	add_end();
	assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_OK);
	assert_string_equal(boot_info.options, "abcde");
	assert_false(stub_said("was cut"));
}

static void efi_map_larger_than_its_room_is_left_out_and_said(void **state)
{
	static u8 content[8 + BOOT_MAX_EFI_MAP + 48] = { 48, 0, 0, 0, 1, 0, 0, 0 };

	(void)state;
	add_small_map();
	add(17, content, sizeof(content));
	add_end();
	assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_OK);
	assert_int_equal(boot_info.efi_map_size, 0);
	assert_true(stub_said("EFI memory map"));

	empty_information(NULL);
	add_small_map();
	add(17, content, 8 + 96);
	add_end();
	assert_int_equal(multiboot_parse(LOADER_MAGIC, INFO_AT), ST_OK);
	assert_int_equal(boot_info.efi_map_size, 96);
	assert_int_equal(boot_info.efi_descriptor_size, 48);
	assert_int_equal(boot_info.efi_descriptor_version, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_grub_leaves_is_copied, empty_information),
		cmocka_unit_test_setup(the_newer_rsdp_is_taken_wherever_it_stands,
				       empty_information),
		cmocka_unit_test_setup(other_loaders_are_refused, empty_information),
		cmocka_unit_test_setup(information_without_memory_map_is_refused,
				       empty_information),
		cmocka_unit_test_setup(framebuffer_is_read, empty_information),
		cmocka_unit_test_setup(tags_that_lie_about_their_size_end_the_parse,
				       empty_information),
		cmocka_unit_test_setup(contents_cut_short_read_as_zero, empty_information),
		cmocka_unit_test_setup(module_that_ends_before_it_starts_is_left_out,
				       empty_information),
		cmocka_unit_test_setup(map_entries_of_other_sizes_are_stepped_over,
				       empty_information),
		cmocka_unit_test_setup(map_entries_too_small_to_be_one_are_not_read,
				       empty_information),
		cmocka_unit_test_setup(more_than_there_is_room_for_is_left_out_and_said,
				       empty_information),
		cmocka_unit_test_setup(long_texts_are_cut_and_said, empty_information),
		cmocka_unit_test_setup(text_without_its_zero_ends_with_the_tag, empty_information),
		cmocka_unit_test_setup(efi_map_larger_than_its_room_is_left_out_and_said,
				       empty_information),
	};

	return cmocka_run_group_tests_name("hv/multiboot", tests, NULL, NULL);
}
