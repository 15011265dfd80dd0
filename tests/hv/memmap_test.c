#include "hv/memmap.h"
#include "hv/multiboot.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

static int pc_with_two_ranges_of_ram(void **state)
{
	static const struct boot_range ranges[] = {
		{ 0, 0x9fc00, E820_RAM },	{ 0xf0000, 0x10000, E820_RESERVED },
		{ MIB(1), MIB(127), E820_RAM }, { MIB(128), MIB(16), E820_ACPI },
		{ GIB(4), GIB(1), E820_RAM },
	};

	(void)state;
	memset(&boot_info, 0, sizeof(boot_info));
	memcpy(boot_info.ranges, ranges, sizeof(ranges));
	boot_info.range_count = ARRAY_SIZE(ranges);
	return 0;
}

static void find_takes_the_highest_place_that_satisfies_all(void **state)
{
	static const struct memmap_hole top[] = { { MIB(127), MIB(1) } };
	static const struct memmap_hole chained[] = { { MIB(120), MIB(7) },
						      { MIB(127), MIB(1) },
						      { MIB(110), MIB(4) } };
	static const struct memmap_hole all[] = { { 0, MIB(128) } };
	static const struct memmap_hole low[] = { { MIB(2), MIB(126) } };
	static const struct {
		const char *name;
		u64 size, align, limit;
		const struct memmap_hole *holes;
		unsigned hole_count;
		u64 expected; /* 0: no space */
	} rows[] = {
		{ "below 4 GiB", MIB(4), MIB(2), GIB(4), NULL, 0, MIB(124) },
		{ "above 4 GiB", MIB(4), MIB(2), GIB(64), NULL, 0, GIB(5) - MIB(4) },
		{ "limit inside a range", MIB(4), 4096, MIB(50) + 5, NULL, 0, MIB(46) },
		{ "alignment rounds down", MIB(3), MIB(2), GIB(4), NULL, 0, MIB(124) },
		{ "one hole", MIB(4), 4096, GIB(4), top, 1, MIB(123) },
		{ "holes one below the other", MIB(8), 4096, GIB(4), chained, 3, MIB(102) },
		{ "fits between holes", MIB(6), 4096, GIB(4), chained, 3, MIB(114) },
		{ "a hole over everything", MIB(1), 4096, GIB(4), all, 1, 0 },
		{ "all that is left", MIB(1), 4096, GIB(4), low, 1, MIB(1) },
		{ "more than is left", MIB(1) + 4096, 4096, GIB(4), low, 1, 0 },
		{ "larger than any range", GIB(2), 4096, GIB(64), NULL, 0, 0 },
		{ "low memory is not used", KIB(4), 4096, MIB(1), NULL, 0, 0 },
		{ "the whole range", MIB(127), 4096, GIB(4), NULL, 0, MIB(1) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 base = 1;
		const enum status status = memmap_find(rows[i].size, rows[i].align, rows[i].limit,
						       rows[i].holes, rows[i].hole_count, &base);

		assert_row(rows[i].name, status, rows[i].expected ? ST_OK : ST_NO_SPACE);
		if (rows[i].expected)
			assert_row(rows[i].name, base, rows[i].expected);
	}
}

/* The firmware's map: one range of data of boot services. */
static void put_boot_services(u64 base, u64 size)
{
	const u32 type = 4;
	const u64 pages = size / 4096;

	boot_info.efi_descriptor_size = 48;
	boot_info.efi_map_size = 48;
	memcpy(boot_info.efi_map, &type, 4);
	memcpy(boot_info.efi_map + 8, &base, 8);
	memcpy(boot_info.efi_map + 24, &pages, 8);
}

static void find_leaves_to_firmware_what_it_uses_if_it_can(void **state)
{
	static const struct memmap_hole hole = { MIB(100), MIB(4) };
	u64 base;

	(void)state;
	put_boot_services(MIB(104), MIB(24));
	assert_int_equal(memmap_find(MIB(4), MIB(2), GIB(4), &hole, 1, &base), ST_OK);
	assert_u64(base, MIB(96));
	put_boot_services(0, GIB(4));
	assert_int_equal(memmap_find(MIB(4), MIB(2), GIB(4), &hole, 1, &base), ST_OK);
	assert_u64(base, MIB(124));
}

static void cut_reserves_in_the_map_of_firmware_too(void **state)
{
	u32 type;

	(void)state;
	put_boot_services(MIB(64), MIB(16));
	assert_int_equal(memmap_cut(MIB(64), MIB(16), E820_RESERVED), ST_OK);
	memcpy(&type, boot_info.efi_map, 4);
	assert_int_equal(type, 0);
}

static void find_survives_ranges_that_wrap_around(void **state)
{
	u64 base;

	(void)state;
	boot_info.ranges[4] = (struct boot_range){ ~0ull - 4095, GIB(8), E820_RAM };
	assert_int_equal(memmap_find(MIB(4), 4096, GIB(64), NULL, 0, &base), ST_OK);
	assert_u64(base, MIB(124));
}

static void ram_is_what_lies_in_one_range_of_ram_whole(void **state)
{
	static const struct {
		const char *name;
		u64 base, size;
		bool expected;
	} rows[] = {
		{ "first byte", 0, 1, true },
		{ "last byte of low memory", 0x9fbff, 1, true },
		{ "one beyond", 0x9fbff, 2, false },
		{ "reserved", 0xf0000, 16, false },
		{ "in no range", 0xa0000, 1, false },
		{ "whole range", MIB(1), MIB(127), true },
		{ "into ACPI", MIB(127), MIB(2), false },
		{ "size that wraps", MIB(2), ~0ull, false },
		{ "address that wraps", ~0ull, 2, false },
		{ "above 4 GiB", GIB(5) - 1, 1, true },
		{ "end of memory", GIB(5), 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(rows[i].name, memmap_is_ram(rows[i].base, rows[i].size),
			   rows[i].expected);
}

static void cut_in_the_middle_leaves_both_sides(void **state)
{
	(void)state;
	assert_int_equal(memmap_cut(MIB(64), MIB(16), E820_RESERVED), ST_OK);
	assert_int_equal(boot_info.range_count, 7);
	assert_u64(boot_info.ranges[2].base, MIB(1));
	assert_u64(boot_info.ranges[2].size, MIB(63));
	assert_u64(boot_info.ranges[3].base, MIB(64));
	assert_u64(boot_info.ranges[3].size, MIB(16));
	assert_int_equal(boot_info.ranges[3].type, E820_RESERVED);
	assert_u64(boot_info.ranges[4].base, MIB(80));
	assert_u64(boot_info.ranges[4].size, MIB(48));
	assert_int_equal(boot_info.ranges[5].type, E820_ACPI);
	assert_u64(boot_info.ranges[6].base, GIB(4));
	assert_false(memmap_is_ram(MIB(64), 1));
	assert_false(memmap_is_ram(MIB(80) - 1, 1));
	assert_true(memmap_is_ram(MIB(80), 1));
}

static void cut_at_an_edge_or_of_all_leaves_no_empty_range(void **state)
{
	(void)state;
	assert_int_equal(memmap_cut(MIB(1), MIB(1), E820_RESERVED), ST_OK);
	assert_int_equal(boot_info.range_count, 6);
	assert_int_equal(memmap_cut(MIB(127), MIB(1), E820_RESERVED), ST_OK);
	assert_int_equal(boot_info.range_count, 7);
	assert_int_equal(memmap_cut(GIB(4), GIB(1), E820_RESERVED), ST_OK);
	assert_int_equal(boot_info.range_count, 7);
	for (unsigned i = 0; i < boot_info.range_count; i++)
		assert_true(boot_info.ranges[i].size);
}

static void cut_that_crosses_ranges_changes_nothing(void **state)
{
	const struct boot_info before = boot_info;

	(void)state;
	assert_int_equal(memmap_cut(MIB(127), MIB(2), E820_RESERVED), ST_RANGE);
	assert_int_equal(memmap_cut(0xf0000, 4096, E820_RESERVED), ST_RANGE);
	assert_memory_equal(&before, &boot_info, sizeof(before));
}

static void cut_in_a_full_map_is_refused(void **state)
{
	(void)state;
	while (boot_info.range_count < BOOT_MAX_RANGES - 1)
		boot_info.ranges[boot_info.range_count++] =
			(struct boot_range){ GIB(8) + boot_info.range_count * 4096, 4096,
					     E820_NVS };
	assert_int_equal(memmap_cut(MIB(64), MIB(16), E820_RESERVED), ST_NO_SPACE);
	assert_int_equal(memmap_cut(MIB(1), MIB(1), E820_RESERVED), ST_OK);
	assert_int_equal(boot_info.range_count, BOOT_MAX_RANGES);
	assert_int_equal(boot_info.ranges[BOOT_MAX_RANGES - 1].type, E820_NVS);
}

static void top_is_the_end_of_the_highest_ram(void **state)
{
	(void)state;
	assert_u64(memmap_top(), GIB(5));
	boot_info.ranges[4].type = E820_RESERVED;
	assert_u64(memmap_top(), MIB(128));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(find_takes_the_highest_place_that_satisfies_all,
				       pc_with_two_ranges_of_ram),
		cmocka_unit_test_setup(find_leaves_to_firmware_what_it_uses_if_it_can,
				       pc_with_two_ranges_of_ram),
		cmocka_unit_test_setup(cut_reserves_in_the_map_of_firmware_too,
				       pc_with_two_ranges_of_ram),
		cmocka_unit_test_setup(find_survives_ranges_that_wrap_around,
				       pc_with_two_ranges_of_ram),
		cmocka_unit_test_setup(ram_is_what_lies_in_one_range_of_ram_whole,
				       pc_with_two_ranges_of_ram),
		cmocka_unit_test_setup(cut_in_the_middle_leaves_both_sides,
				       pc_with_two_ranges_of_ram),
		cmocka_unit_test_setup(cut_at_an_edge_or_of_all_leaves_no_empty_range,
				       pc_with_two_ranges_of_ram),
		cmocka_unit_test_setup(cut_that_crosses_ranges_changes_nothing,
				       pc_with_two_ranges_of_ram),
		cmocka_unit_test_setup(cut_in_a_full_map_is_refused, pc_with_two_ranges_of_ram),
		cmocka_unit_test_setup(top_is_the_end_of_the_highest_ram,
				       pc_with_two_ranges_of_ram),
	};

	return cmocka_run_group_tests_name("hv/memmap", tests, NULL, NULL);
}
