#include "hv/bios_map.h"

#include "hv/mem.h"
#include "hv/multiboot.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

#define MEMORY	   MIB(64)
#define BIOS	   0xf000f859u
#define VECTOR_15H 0x54
#define LOW_END	   0x9f000u /* of stub_boot()'s first range */
#define PAGE	   (LOW_END - PAGE_SIZE)

static int boot(void **state)
{
	const u32 vector = BIOS;
	const u16 free_kib = LOW_END / 1024;

	(void)state;
	stub_boot(MEMORY);
	memcpy(stub_at(VECTOR_15H), &vector, sizeof(vector));
	memcpy(stub_at(0x413), &free_kib, sizeof(free_kib));
	return 0;
}

static const struct bios_map *installed(void)
{
	return stub_at(PAGE + (u64)(bios_map_end - bios_map_code));
}

static void int_15h_leads_to_a_page_that_l1_does_not_think_free(void **state)
{
	u32 vector;
	u16 free_kib;

	(void)state;
	assert_int_equal(bios_map_install(), ST_OK);
	memcpy(&vector, stub_at(VECTOR_15H), sizeof(vector));
	memcpy(&free_kib, stub_at(0x413), sizeof(free_kib));
	assert_int_equal(vector, (PAGE >> 4) << 16);
	assert_int_equal(free_kib, PAGE / 1024);
	assert_memory_equal(stub_at(PAGE), bios_map_code, (size_t)(bios_map_end - bios_map_code));
	for (unsigned i = 0; i < boot_info.range_count; i++)
		if (boot_info.ranges[i].base == PAGE) {
			assert_int_equal(boot_info.ranges[i].size, PAGE_SIZE);
			assert_int_equal(boot_info.ranges[i].type, E820_RESERVED);
			return;
		}
	fail_msg("the page is no range of its own");
}

static void the_map_is_that_of_the_boot_information(void **state)
{
	const struct bios_map *const map = installed();

	(void)state;
	assert_int_equal(bios_map_install(), ST_OK);
	assert_int_equal((u32)map->bios_cs << 16 | map->bios_ip, BIOS);
	assert_int_equal(map->count, boot_info.range_count);
	for (unsigned i = 0; i < map->count; i++) {
		assert_int_equal(map->entries[i].base, boot_info.ranges[i].base);
		assert_int_equal(map->entries[i].size, boot_info.ranges[i].size);
		assert_int_equal(map->entries[i].type, boot_info.ranges[i].type);
	}
	assert_int_equal(map->below_16m, 15 * 1024);
	assert_int_equal(map->above_16m, (MEMORY - STUB_HV_SIZE - MIB(16)) / KIB(64));
}

static void a_machine_without_a_bios_stays_as_it_is(void **state)
{
	const unsigned count = boot_info.range_count;
	const u32 none = 0;

	(void)state;
	boot_info.efi_system_table = 0x1000;
	assert_int_equal(bios_map_install(), ST_OK);
	boot_info.efi_system_table = 0;
	memcpy(stub_at(VECTOR_15H), &none, sizeof(none));
	assert_int_equal(bios_map_install(), ST_OK);
	assert_int_equal(boot_info.range_count, count);
}

static void without_low_memory_there_is_no_room(void **state)
{
	(void)state;
	boot_info.ranges[0].type = E820_RESERVED;
	assert_int_equal(bios_map_install(), ST_NO_SPACE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(int_15h_leads_to_a_page_that_l1_does_not_think_free, boot),
		cmocka_unit_test_setup(the_map_is_that_of_the_boot_information, boot),
		cmocka_unit_test_setup(a_machine_without_a_bios_stays_as_it_is, boot),
		cmocka_unit_test_setup(without_low_memory_there_is_no_room, boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
