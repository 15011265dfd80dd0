#include "hv/mem.h"
#include "hv/percpu.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

#define MEMORY	  MIB(32)
#define HV_BASE	  (MEMORY - STUB_HV_SIZE)
#define POOL_BASE (HV_BASE + MIB(1))
#define POOL_SIZE (STUB_HV_SIZE - MIB(1))

static int boot(void **state)
{
	(void)state;
	stub_boot(MEMORY);
	return 0;
}

static void range_is_hv_s_when_it_touches_hv_s(void **state)
{
	static const struct {
		const char *name;
		u64 pa, size;
		bool expected;
	} rows[] = {
		{ "below", HV_BASE - 4096, 4096, false },
		{ "last byte touches", HV_BASE - 4096, 4097, true },
		{ "first byte", HV_BASE, 1, true },
		{ "last byte", MEMORY - 1, 1, true },
		{ "behind", MEMORY, 4096, false },
		{ "covers all of it", 0, GIB(1), true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(rows[i].name, mem_is_hv(rows[i].pa, rows[i].size), rows[i].expected);
}

static void allocated_pages_are_zero_aligned_and_hv_s(void **state)
{
	u8 *first, *second;

	(void)state;
	memset(stub_at(POOL_BASE), 0xff, MIB(1));
	first = mem_alloc_pages(3);
	second = mem_alloc_pages(1);
	assert_u64(virt_to_phys(first), POOL_BASE);
	assert_u64(virt_to_phys(second), POOL_BASE + 3 * PAGE_SIZE);
	for (size_t i = 0; i < 3 * PAGE_SIZE; i++)
		assert_int_equal(first[i], 0);
	assert_true(mem_is_hv(virt_to_phys(first), 3 * PAGE_SIZE));
}

static void set_up_that_wants_more_than_there_is_panics(void **state)
{
	(void)state;
	mem_alloc_pages(POOL_SIZE / PAGE_SIZE - 1);
	assert_int_equal(mem_pages_left(), 1);
	assert_true(stub_stops(mem_alloc_pages(2)));
	assert_true(stub_said("2 pages wanted, 1 left"));
	mem_alloc_pages(1);
	assert_int_equal(mem_pages_left(), 0);
}

static void pool_gives_every_page_once_and_then_none(void **state)
{
	static const u8 zeros[PAGE_SIZE];
	static u8 seen[POOL_SIZE / PAGE_SIZE];
	unsigned count = 0;
	u8 *page;

	(void)state;
	memset(stub_at(POOL_BASE), 0xff, POOL_SIZE);
	memset(seen, 0, sizeof(seen));
	while ((page = mem_try_page())) {
		const u64 index = (virt_to_phys(page) - POOL_BASE) / PAGE_SIZE;

		assert_true(index < ARRAY_SIZE(seen));
		assert_false(seen[index]);
		assert_memory_equal(page, zeros, PAGE_SIZE);
		seen[index] = 1;
		count++;
	}
	assert_int_equal(count, ARRAY_SIZE(seen));
	assert_int_equal(mem_pages_left(), 0);
}

static void each_processor_has_a_part_of_its_own(void **state)
{
	const size_t all = mem_pages_left();
	struct percpu *cpus[3];
	u8 *pages[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		cpus[i] = percpu_create();
		if (i)
			percpu_add(cpus[i]);
		else
			percpu_set_boot(cpus[i]);
	}
	stub_cpu.gs_self = cpus[0];
	mem_share(3);
	for (unsigned i = 0; i < 3; i++) {
		stub_cpu.gs_self = cpus[i];
		pages[i] = mem_try_page();
		while (mem_try_page())
			;
	}
	assert_in_range((u64)(pages[2] - pages[1]) / PAGE_SIZE, all / 3 - 100, all / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(range_is_hv_s_when_it_touches_hv_s, boot),
		cmocka_unit_test_setup(allocated_pages_are_zero_aligned_and_hv_s, boot),
		cmocka_unit_test_setup(set_up_that_wants_more_than_there_is_panics, boot),
		cmocka_unit_test_setup(pool_gives_every_page_once_and_then_none, boot),
		cmocka_unit_test_setup(each_processor_has_a_part_of_its_own, boot),
	};

	return cmocka_run_group_tests_name("hv/mem", tests, NULL, NULL);
}
