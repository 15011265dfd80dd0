#include "hv/efi_map.h"
#include "hv/memmap.h"
#include "hv/multiboot.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

#define SIZE 48 /* of a descriptor, more than it has fields, as firmware has it */

enum { RESERVED = 0, BOOT_CODE = 3, BOOT_DATA = 4, RUNTIME_DATA = 6, CONVENTIONAL = 7 };

struct row {
	u32 type;
	u64 base, pages;
};

static void put_map(const struct row *rows, unsigned count)
{
	memset(&boot_info, 0, sizeof(boot_info));
	boot_info.efi_descriptor_size = SIZE;
	boot_info.efi_map_size = count * SIZE;
	for (unsigned i = 0; i < count; i++) {
		memcpy(boot_info.efi_map + i * SIZE, &rows[i].type, 4);
		memcpy(boot_info.efi_map + i * SIZE + 8, &rows[i].base, 8);
		memcpy(boot_info.efi_map + i * SIZE + 24, &rows[i].pages, 8);
		boot_info.efi_map[i * SIZE + 32] = 0xf; /* attribute */
		boot_info.efi_map[i * SIZE + 47] = (u8)i;
	}
}

static struct row row_at(unsigned i)
{
	struct row row;

	memcpy(&row.type, boot_info.efi_map + i * SIZE, 4);
	memcpy(&row.base, boot_info.efi_map + i * SIZE + 8, 8);
	memcpy(&row.pages, boot_info.efi_map + i * SIZE + 24, 8);
	return row;
}

static int firmware(void **state)
{
	static const struct row rows[] = {
		{ CONVENTIONAL, MIB(1), 255 * 256 }, /* to 256 MiB */
		{ BOOT_DATA, MIB(256), 256 },	     { BOOT_CODE, MIB(257), 256 },
		{ CONVENTIONAL, MIB(258), 256 },     { RUNTIME_DATA, MIB(259), 256 },
	};

	(void)state;
	put_map(rows, ARRAY_SIZE(rows));
	return 0;
}

static void what_is_reserved_is_cut_out_of_every_range(void **state)
{
	static const struct {
		const char *name;
		u64 base, size;
		unsigned count;
		struct row rows[8];
	} cases[] = {
		{ "inside of one",
		  MIB(16),
		  MIB(16),
		  7,
		  { { CONVENTIONAL, MIB(1), 15 * 256 },
		    { RESERVED, MIB(16), 16 * 256 },
		    { CONVENTIONAL, MIB(32), 224 * 256 },
		    { BOOT_DATA, MIB(256), 256 } } },
		{ "over several",
		  MIB(255),
		  MIB(4),
		  6,
		  { { CONVENTIONAL, MIB(1), 254 * 256 },
		    { RESERVED, MIB(255), 256 },
		    { RESERVED, MIB(256), 256 },
		    { RESERVED, MIB(257), 256 },
		    { RESERVED, MIB(258), 256 },
		    { RUNTIME_DATA, MIB(259), 256 } } },
		{ "exactly one",
		  MIB(258),
		  MIB(1),
		  5,
		  { { CONVENTIONAL, MIB(1), 255 * 256 },
		    { BOOT_DATA, MIB(256), 256 },
		    { BOOT_CODE, MIB(257), 256 },
		    { RESERVED, MIB(258), 256 } } },
		{ "none", MIB(512), MIB(1), 5, { { CONVENTIONAL, MIB(1), 255 * 256 } } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		firmware(state);
		assert_row(cases[i].name, efi_map_reserve(cases[i].base, cases[i].size), ST_OK);
		assert_row(cases[i].name, boot_info.efi_map_size, cases[i].count * SIZE);
		for (unsigned row = 0; row < 8 && cases[i].rows[row].pages; row++) {
			assert_row(cases[i].name, row_at(row).type, cases[i].rows[row].type);
			assert_row(cases[i].name, row_at(row).base, cases[i].rows[row].base);
			assert_row(cases[i].name, row_at(row).pages, cases[i].rows[row].pages);
		}
	}
}

static void the_rest_of_a_descriptor_goes_with_each_part(void **state)
{
	(void)state;
	efi_map_reserve(MIB(16), MIB(16));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(boot_info.efi_map[i * SIZE + 32], 0xf);
		assert_int_equal(boot_info.efi_map[i * SIZE + 47], 0);
	}
	assert_int_equal(boot_info.efi_map[3 * SIZE + 47], 1);
}

static void a_full_map_is_said(void **state)
{
	struct row rows[BOOT_MAX_EFI_MAP / SIZE];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		rows[i] = (struct row){ CONVENTIONAL, i * MIB(1), 256 };
	put_map(rows, ARRAY_SIZE(rows));
	assert_int_equal(efi_map_reserve(MIB(1) + 4096, 4096), ST_NO_SPACE);
	assert_int_equal(efi_map_reserve(MIB(2), MIB(1)), ST_OK);
}

static void a_machine_without_the_map_has_nothing_to_do(void **state)
{
	struct memmap_hole hole;

	(void)state;
	memset(&boot_info, 0, sizeof(boot_info));
	assert_int_equal(efi_map_reserve(MIB(16), MIB(16)), ST_OK);
	assert_false(efi_map_is_used(0, GIB(4), &hole));
	/* Descriptors too short for their fields are none. */
	boot_info.efi_map_size = 320;
	boot_info.efi_descriptor_size = 32;
	assert_int_equal(efi_map_reserve(0, GIB(4)), ST_OK);
	assert_false(efi_map_is_used(0, GIB(4), &hole));
}

static void memory_of_boot_services_is_used(void **state)
{
	struct memmap_hole hole;

	(void)state;
	assert_false(efi_map_is_used(MIB(1), MIB(255), &hole));
	assert_true(efi_map_is_used(MIB(255), MIB(1) + 1, &hole));
	assert_u64(hole.base, MIB(256));
	assert_u64(hole.size, MIB(1));
	assert_false(efi_map_is_used(MIB(258), MIB(8), &hole));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_reserved_is_cut_out_of_every_range, firmware),
		cmocka_unit_test_setup(the_rest_of_a_descriptor_goes_with_each_part, firmware),
		cmocka_unit_test_setup(a_full_map_is_said, firmware),
		cmocka_unit_test_setup(a_machine_without_the_map_has_nothing_to_do, firmware),
		cmocka_unit_test_setup(memory_of_boot_services_is_used, firmware),
	};

	return cmocka_run_group_tests_name("hv/efi_map", tests, NULL, NULL);
}
