#include "hv/ept.h"
#include "hv/mem.h"
#include "hv/mtrr.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define MEMORY	MIB(64)
#define HV_BASE (MEMORY - STUB_HV_SIZE)
#define EPT_1G	BIT(17)

static int boot(void **state)
{
	(void)state;
	stub_boot(MEMORY);
	return 0;
}

static void set_variable(unsigned i, u64 base, u64 size, u8 type)
{
	stub_msr_set(MSR_MTRR_PHYSBASE0 + 2 * i, base | type);
	stub_msr_set(MSR_MTRR_PHYSBASE0 + 2 * i + 1,
		     (MASK(STUB_PHYS_WIDTH - 1, 12) & ~(size - 1)) | BIT(11));
}

/* What the processor would find for @gpa1: its own walk, which knows nothing of hv's code. */
struct translation {
	bool mapped;
	u64 pa, type, size, rights;
};

static struct translation walk(u64 gpa1)
{
	u64 table = ept01_pointer() & MASK(51, 12), entry;
	unsigned shift = 39;

	for (;; shift -= 9) {
		memcpy(&entry, (u8 *)stub_at(table) + (gpa1 >> shift & 511) * 8, 8);
		if (!(entry & 7))
			return (struct translation){ .mapped = false };
		if (shift == 12 || entry & EPT_LARGE)
			break;
		/* In an entry that names a table these bits are reserved. */
		assert_u64(entry & MASK(6, 3), 0);
		table = entry & MASK(51, 12);
	}
	assert_u64(entry & MASK(51, 12) & (BIT(shift) - 1), 0);
	return (struct translation){
		.mapped = true,
		.pa = (entry & MASK(51, 12)) | (gpa1 & (BIT(shift) - 1)),
		.type = BITS(entry, 5, 3),
		.size = BIT(shift),
		.rights = entry & 7,
	};
}

static void pointer_names_four_levels_of_write_back_memory(void **state)
{
	(void)state;
	ept01_init();
	assert_u64(ept01_pointer() & MASK(11, 0), 6 | 3 << 3);
	assert_true(mem_is_hv(ept01_pointer() & MASK(51, 12), 4096));
}

static void every_address_but_hv_s_maps_to_itself(void **state)
{
	static const u64 rows[] = {
		0,	    0x1000,	0x9f123,    0xa0000,	 0xfffff,
		MIB(1),	    MIB(2) - 1, MIB(33),    HV_BASE - 1, MEMORY,
		GIB(1) + 5, 0xfee00000, GIB(4) - 1, GIB(17),	 BIT(STUB_PHYS_WIDTH) - 1,
	};

	(void)state;
	ept01_init();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct translation t = walk(rows[i]);
		struct ept_page page;
		char name[32];

		snprintf(name, sizeof(name), "0x%llx", (unsigned long long)rows[i]);
		assert_row(name, t.mapped, true);
		assert_row(name, t.pa, rows[i]);
		assert_row(name, t.rights, 7);
		assert_row(name, ept01_lookup(rows[i], &page), true);
		assert_row(name, page.pa, rows[i]);
		assert_row(name, page.type, t.type);
		assert_row(name, page.size, t.size);
	}
}

static void addresses_beyond_the_physical_width_map_to_nothing(void **state)
{
	struct ept_page page;

	(void)state;
	ept01_init();
	assert_false(ept01_lookup(BIT(STUB_PHYS_WIDTH), &page));
	assert_false(walk(BIT(STUB_PHYS_WIDTH)).mapped);
	assert_false(ept01_lookup(~0ull, &page));
}

/* The promise that keeps L1 out of hv, page by page. */
static void no_address_maps_into_hv_s_range_but_to_the_page_of_nothing(void **state)
{
	u64 scratch = 0;
	struct ept_page page;

	(void)state;
	ept01_init();
	for (u64 gpa1 = 0; gpa1 < MEMORY + MIB(4); gpa1 += 4096) {
		const struct translation t = walk(gpa1);

		assert_true(t.mapped);
		if (gpa1 < HV_BASE || gpa1 >= MEMORY) {
			assert_false(mem_is_hv(t.pa, 4096));
			continue;
		}
		if (!scratch)
			scratch = t.pa;
		assert_u64(t.pa, scratch);
		assert_int_equal(t.size, 4096);
		assert_false(ept01_lookup(gpa1, &page));
	}
	/* That page holds nothing of hv's: it is not a table, and zero. */
	assert_true(mem_is_hv(scratch, 4096));
	for (u64 i = 0; i < 4096; i++)
		assert_int_equal(((u8 *)stub_at(scratch))[i], 0);
}

static void large_pages_are_used_where_types_are_uniform(void **state)
{
	static const struct {
		const char *name;
		u64 gpa1, size, type;
	} rows[] = {
		{ "first MiB, by fixed ranges", 0x8000, KIB(4), MEMORY_WB },
		{ "video memory", 0xa0000, KIB(4), MEMORY_UC },
		{ "rest of the first 2 MiB", MIB(1), KIB(4), MEMORY_WB },
		{ "RAM beside hv", MIB(4), MIB(2), MEMORY_WB },
		{ "a whole GiB", GIB(1), GIB(1), MEMORY_WB },
		{ "PCI hole", GIB(3), GIB(1), MEMORY_UC },
		{ "WC page inside a GiB", GIB(2) + MIB(6) + 0x3000, KIB(4), MEMORY_WC },
		{ "its neighbour", GIB(2) + MIB(6) + 0x4000, KIB(4), MEMORY_WB },
		{ "2 MiB beside it", GIB(2) + MIB(8), MIB(2), MEMORY_WB },
	};

	(void)state;
	stub_msr_set(0x259, 0);
	set_variable(0, GIB(3), GIB(1), MEMORY_UC);
	set_variable(1, GIB(2) + MIB(6) + 0x3000, 0x1000, MEMORY_WC);
	ept01_init();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct translation t = walk(rows[i].gpa1);

		assert_row(rows[i].name, t.size, rows[i].size);
		assert_row(rows[i].name, t.type, rows[i].type);
		assert_row(rows[i].name, t.pa, rows[i].gpa1);
	}
}

static void processor_without_1_gib_pages_gets_2_mib_pages(void **state)
{
	(void)state;
	stub_msr_set(MSR_VMX_EPT_VPID_CAP, stub_msr(MSR_VMX_EPT_VPID_CAP) & ~EPT_1G);
	ept01_init();
	assert_u64(walk(GIB(1)).size, MIB(2));
	assert_u64(walk(GIB(1)).pa, GIB(1));
}

static void new_types_split_pages_and_drop_cached_translations(void **state)
{
	struct percpu *cpu = stub_boot_l1(MEMORY, true);
	unsigned before;

	(void)state;
	(void)cpu;
	assert_u64(walk(GIB(2)).size, GIB(1));
	before = stub_cpu.invalidation_count;
	set_variable(0, GIB(2) + MIB(2), MIB(2), MEMORY_UC);
	ept01_update_types();
	assert_u64(walk(GIB(2)).size, MIB(2));
	assert_u64(walk(GIB(2)).type, MEMORY_WB);
	assert_u64(walk(GIB(2) + MIB(2)).type, MEMORY_UC);
	assert_u64(walk(GIB(2) + MIB(4)).type, MEMORY_WB);
	assert_int_equal(stub_cpu.invalidation_count, before + 1);
	assert_int_equal(stub_cpu.invalidations[before].what, 'e');
	assert_u64(stub_cpu.invalidations[before].type, 1);
	assert_u64(stub_cpu.invalidations[before].low, ept01_pointer());
}

/* Linux switches the MTRRs off and on when it writes them; memory must come back as it was. */
static void types_that_come_and_go_leave_the_same_translations_and_take_no_memory(void **state)
{
	size_t pages;

	(void)state;
	stub_boot_l1(MEMORY, true);
	set_variable(0, GIB(2) + MIB(2), MIB(2), MEMORY_UC);
	ept01_update_types();
	stub_msr_set(MSR_MTRR_DEF_TYPE, 0);
	ept01_update_types();
	pages = mem_pages_left();
	assert_u64(walk(MIB(4)).type, MEMORY_UC);
	for (unsigned i = 0; i < 100; i++) {
		stub_msr_set(MSR_MTRR_DEF_TYPE, 0xc06);
		ept01_update_types();
		assert_u64(walk(MIB(4)).type, MEMORY_WB);
		assert_u64(walk(GIB(2) + MIB(3)).type, MEMORY_UC);
		assert_u64(walk(HV_BASE).pa, walk(HV_BASE + MIB(1)).pa);
		stub_msr_set(MSR_MTRR_DEF_TYPE, 0);
		ept01_update_types();
		assert_u64(walk(GIB(2) + MIB(3)).type, MEMORY_UC);
	}
	assert_u64(mem_pages_left(), pages);
}

/*
 * L1 can write any MTRRs, also ones that ask for a split everywhere. Tables come from hv's pool,
 * which L1 must not be able to empty.
 */
static void mtrrs_that_split_everything_do_not_stop_hv(void **state)
{
	size_t pages;

	(void)state;
	stub_boot_l1(MEMORY, true);
	/* A mask with holes: every other page of memory is UC. */
	stub_msr_set(MSR_MTRR_PHYSBASE0, MEMORY_UC);
	stub_msr_set(MSR_MTRR_PHYSMASK0, BIT(12) | BIT(11));
	pages = mem_pages_left();
	assert_false(stub_stops(ept01_update_types()));
	assert_true(mem_pages_left() > pages - 200);
	/* What could not be split any more is uncached as a whole, and hv's is still hv's. */
	assert_u64(walk(GIB(20)).size, GIB(1));
	assert_u64(walk(GIB(20)).type, MEMORY_UC);
	for (u64 gpa1 = 0; gpa1 < GIB(1); gpa1 += 4096)
		assert_true(walk(gpa1).pa == gpa1 || walk(gpa1).pa == walk(HV_BASE).pa);
}

static void the_right_to_write_is_taken_and_given_a_part_at_a_time(void **state)
{
	static const u64 rows[] = { 0x1000, MIB(2), MIB(6) + 0x5000, MIB(10), HV_BASE - 1 };

	(void)state;
	ept01_init();
	/* Tables enough for several parts. */
	for (u64 at = MIB(2); at < MIB(12); at += MIB(2))
		assert_int_equal(ept01_protect_page(at, false), ST_OK);
	for (unsigned protect = 2; protect-- > 0;) {
		u64 at = 0, before;
		enum status status;

		do {
			before = at;
			status = ept01_set_right(&at, protect);
			assert_true(status == ST_END || (status == ST_OK && at > before));
		} while (status == ST_OK);
		assert_true(before > 0);
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			assert_int_equal(walk(rows[i]).rights, protect ? 5 : 7);
		/* What is no RAM is nobody's to follow. */
		assert_int_equal(walk(0xa0000).rights, 7);
	}
}

static void a_store_is_let_through_to_the_page_that_is_there(void **state)
{
	u64 at = 0;

	(void)state;
	ept01_init();
	assert_int_equal(ept01_protect_page(MIB(2), true), ST_OK);
	assert_int_equal(ept01_set_right(&at, true), ST_END);
	ept01_let_write(MIB(2) + 0x1008);
	assert_int_equal(walk(MIB(2) + 0x1000).rights, 7);
	assert_int_equal(walk(MIB(2)).rights, 5);
	ept01_let_write(MIB(5));
	assert_int_equal(walk(MIB(4)).rights, 7);
	assert_u64(walk(MIB(4)).size, MIB(2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(pointer_names_four_levels_of_write_back_memory, boot),
		cmocka_unit_test_setup(every_address_but_hv_s_maps_to_itself, boot),
		cmocka_unit_test_setup(addresses_beyond_the_physical_width_map_to_nothing, boot),
		cmocka_unit_test_setup(no_address_maps_into_hv_s_range_but_to_the_page_of_nothing,
				       boot),
		cmocka_unit_test_setup(large_pages_are_used_where_types_are_uniform, boot),
		cmocka_unit_test_setup(processor_without_1_gib_pages_gets_2_mib_pages, boot),
		cmocka_unit_test_setup(new_types_split_pages_and_drop_cached_translations, boot),
		cmocka_unit_test_setup(
			types_that_come_and_go_leave_the_same_translations_and_take_no_memory,
			boot),
		cmocka_unit_test_setup(mtrrs_that_split_everything_do_not_stop_hv, boot),
		cmocka_unit_test_setup(the_right_to_write_is_taken_and_given_a_part_at_a_time,
				       boot),
		cmocka_unit_test_setup(a_store_is_let_through_to_the_page_that_is_there, boot),
	};

	return cmocka_run_group_tests_name("hv/ept", tests, NULL, NULL);
}
