#include "hv/mtrr.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define DEF_TYPE_ENABLE BIT(11)
#define DEF_TYPE_FIXED	BIT(10)
#define MASK_VALID	BIT(11)
#define WIDTH_MASK	MASK(35, 12)

/* A variable range of @size bytes, a power of two. */
static void set_variable(unsigned i, u64 base, u64 size, u8 type)
{
	stub_msr_set(MSR_MTRR_PHYSBASE0 + 2 * i, base | type);
	stub_msr_set(MSR_MTRR_PHYSBASE0 + 2 * i + 1, (WIDTH_MASK & ~(size - 1)) | MASK_VALID);
}

#define MIXED 0xff /* not uniform */

static u8 type_of(u64 base, u64 size)
{
	const u8 type = mtrr_type(base, &(u64){ 0 });
	u64 end;

	for (u64 at = base; at < base + size; at = end)
		if (mtrr_type(at, &end) != type || end <= at || end % 4096)
			return MIXED;
	return type;
}

static void everything_is_uncached_while_mtrrs_are_off(void **state)
{
	(void)state;
	stub_msr_set(MSR_MTRR_DEF_TYPE, MEMORY_WB | DEF_TYPE_FIXED);
	set_variable(0, 0, GIB(1), MEMORY_WB);
	mtrr_read();
	assert_int_equal(type_of(0, 4096), MEMORY_UC);
	assert_int_equal(type_of(0, GIB(1)), MEMORY_UC);
}

static void default_type_holds_where_nothing_matches(void **state)
{
	(void)state;
	stub_msr_set(MSR_MTRR_DEF_TYPE, MEMORY_WT | DEF_TYPE_ENABLE);
	mtrr_read();
	assert_int_equal(type_of(GIB(8), GIB(1)), MEMORY_WT);
	/* Fixed ranges are off, so the first MiB has it too. */
	assert_int_equal(type_of(0xa0000, 4096), MEMORY_WT);
}

static void fixed_ranges_rule_the_first_mib_alone(void **state)
{
	static const struct {
		const char *name;
		u32 msr;
		unsigned byte;
		u64 first, last;
	} rows[] = {
		{ "64K at 0", 0x250, 0, 0x00000, 0x0f000 },
		{ "64K at 70000", 0x250, 7, 0x70000, 0x7f000 },
		{ "16K at 80000", 0x258, 0, 0x80000, 0x83000 },
		{ "16K at bc000", 0x259, 7, 0xbc000, 0xbf000 },
		{ "4K at c0000", 0x268, 0, 0xc0000, 0xc0000 },
		{ "4K at c8000", 0x269, 0, 0xc8000, 0xc8000 },
		{ "4K at d7000", 0x26a, 7, 0xd7000, 0xd7000 },
		{ "4K at d8000", 0x26b, 0, 0xd8000, 0xd8000 },
		{ "4K at e3000", 0x26c, 3, 0xe3000, 0xe3000 },
		{ "4K at ef000", 0x26d, 7, 0xef000, 0xef000 },
		{ "4K at f0000", 0x26e, 0, 0xf0000, 0xf0000 },
		{ "4K at ff000", 0x26f, 7, 0xff000, 0xff000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		stub_reset(NULL);
		set_variable(0, 0, GIB(1), MEMORY_WT);
		stub_msr_set(rows[i].msr, (0x0606060606060606ull & ~(0xffull << rows[i].byte * 8)) |
						  (u64)MEMORY_WP << rows[i].byte * 8);
		mtrr_read();
		assert_row(rows[i].name, type_of(rows[i].first, 4096), MEMORY_WP);
		assert_row(rows[i].name, type_of(rows[i].last, 4096), MEMORY_WP);
		assert_row(rows[i].name, type_of(rows[i].last + 4096, 4096),
			   rows[i].last == 0xff000 ? MEMORY_WT : MEMORY_WB);
		if (rows[i].first)
			assert_row(rows[i].name, type_of(rows[i].first - 4096, 4096), MEMORY_WB);
	}
}

static void fixed_range_makes_large_pages_over_it_not_uniform(void **state)
{
	(void)state;
	stub_msr_set(0x259, 0);
	mtrr_read();
	assert_int_equal(type_of(0, MIB(2)), MIXED);
	assert_int_equal(type_of(0, GIB(1)), MIXED);
	assert_int_equal(type_of(MIB(2), MIB(2)), MEMORY_WB);
}

static void overlaps_combine_as_the_sdm_says(void **state)
{
	static const struct {
		const char *name;
		u8 a, b, expected;
	} rows[] = {
		{ "UC wins over WB", MEMORY_UC, MEMORY_WB, MEMORY_UC },
		{ "UC wins over WT", MEMORY_WT, MEMORY_UC, MEMORY_UC },
		{ "UC wins over WC", MEMORY_WC, MEMORY_UC, MEMORY_UC },
		{ "WT wins over WB", MEMORY_WB, MEMORY_WT, MEMORY_WT },
		{ "equal types stay", MEMORY_WP, MEMORY_WP, MEMORY_WP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		stub_reset(NULL);
		set_variable(1, GIB(2), GIB(2), rows[i].a);
		set_variable(5, GIB(3), GIB(1), rows[i].b);
		mtrr_read();
		assert_row(rows[i].name, type_of(GIB(2), GIB(1)), rows[i].a);
		assert_row(rows[i].name, type_of(GIB(3), GIB(1)), rows[i].expected);
		assert_row(rows[i].name, type_of(GIB(4), GIB(1)), MEMORY_WB);
	}
}

static void page_that_a_range_covers_in_part_is_not_uniform(void **state)
{
	(void)state;
	/* 4 KiB of UC inside 2 MiB inside 1 GiB. */
	set_variable(0, GIB(1) + MIB(6) + 0x5000, 0x1000, MEMORY_UC);
	mtrr_read();
	assert_int_equal(type_of(GIB(1), GIB(1)), MIXED);
	assert_int_equal(type_of(GIB(1) + MIB(6), MIB(2)), MIXED);
	assert_int_equal(type_of(GIB(1) + MIB(4), MIB(2)), MEMORY_WB);
	assert_int_equal(type_of(GIB(1) + MIB(6) + 0x5000, 0x1000), MEMORY_UC);
	assert_int_equal(type_of(GIB(1) + MIB(6) + 0x6000, 0x1000), MEMORY_WB);
	assert_int_equal(type_of(GIB(2), GIB(1)), MEMORY_WB);
}

/* The usual set-up of firmware: WB by range up to 3 GiB, the default is UC. */
static void range_smaller_than_a_gib_that_ends_at_its_border_splits_it(void **state)
{
	(void)state;
	stub_msr_set(MSR_MTRR_DEF_TYPE, MEMORY_UC | DEF_TYPE_ENABLE | DEF_TYPE_FIXED);
	set_variable(0, 0, GIB(2), MEMORY_WB);
	set_variable(1, GIB(2), MIB(512), MEMORY_WB);
	mtrr_read();
	assert_int_equal(type_of(GIB(1), GIB(1)), MEMORY_WB);
	assert_int_equal(type_of(GIB(2), GIB(1)), MIXED);
	assert_int_equal(type_of(GIB(2) + MIB(510), MIB(2)), MEMORY_WB);
	assert_int_equal(type_of(GIB(2) + MIB(512), MIB(2)), MEMORY_UC);
	assert_int_equal(type_of(GIB(3), GIB(1)), MEMORY_UC);
}

static void invalid_range_counts_for_nothing(void **state)
{
	(void)state;
	stub_msr_set(MSR_MTRR_PHYSBASE0, GIB(1) | MEMORY_UC);
	stub_msr_set(MSR_MTRR_PHYSMASK0, WIDTH_MASK & ~(GIB(1) - 1));
	mtrr_read();
	assert_int_equal(type_of(GIB(1), GIB(1)), MEMORY_WB);
}

static void ranges_beyond_what_the_processor_has_are_not_read(void **state)
{
	(void)state;
	/* MTRRCAP says eight; reading a ninth would fault. */
	mtrr_read();
	stub_msr_set(MSR_MTRRCAP, 0x500);
	set_variable(0, 0, GIB(4), MEMORY_UC);
	mtrr_read();
	assert_int_equal(type_of(GIB(1), GIB(1)), MEMORY_WB);
}

static void processor_without_fixed_ranges_is_not_asked_for_them(void **state)
{
	(void)state;
	stub_msr_set(MSR_MTRRCAP, 0x408);
	stub_msr_set(MSR_MTRR_DEF_TYPE, MEMORY_WB | DEF_TYPE_ENABLE);
	for (u32 index = 0x250; index < 0x270; index++)
		stub_msr_remove(index);
	mtrr_read();
	assert_int_equal(type_of(0, 4096), MEMORY_WB);
}

static void mtrr_msrs_are_told_from_their_neighbours(void **state)
{
	static const struct {
		u32 index;
		bool is;
	} rows[] = {
		{ 0xfe, false },  { 0x1ff, false }, { 0x200, true },  { 0x20f, true },
		{ 0x21f, true },  { 0x220, false }, { 0x250, true },  { 0x251, false },
		{ 0x257, false }, { 0x258, true },  { 0x259, true },  { 0x25a, false },
		{ 0x268, true },  { 0x26f, true },  { 0x270, false }, { 0x277, false },
		{ 0x2ff, true },  { 0x300, false },
	};
	char name[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(name, sizeof(name), "MSR %x", rows[i].index);
		assert_row(name, mtrr_is_msr(rows[i].index), rows[i].is);
	}
}

static void ranges_in_pieces_make_all_memory_uncached(void **state)
{
	static const struct {
		const char *name;
		u64 mask;
		bool in_pieces;
	} rows[] = {
		{ "1 GiB of 36 bits", MASK(35, 30), false },
		{ "1 GiB of 46 bits", MASK(45, 30), false },
		{ "4 KiB", MASK(35, 12), false },
		{ "everything", 0, false },
		{ "every other page", BIT(12), true },
		{ "a hole", MASK(35, 30) & ~BIT(33), true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		stub_reset(state);
		stub_msr_set(MSR_MTRR_DEF_TYPE, MEMORY_WB | DEF_TYPE_ENABLE);
		stub_msr_set(MSR_MTRR_PHYSBASE0, MEMORY_WB);
		stub_msr_set(MSR_MTRR_PHYSMASK0, rows[i].mask | MASK_VALID);
		mtrr_read();
		assert_row(rows[i].name, type_of(MIB(2), 4096),
			   rows[i].in_pieces ? MEMORY_UC : MEMORY_WB);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(everything_is_uncached_while_mtrrs_are_off, stub_reset),
		cmocka_unit_test_setup(default_type_holds_where_nothing_matches, stub_reset),
		cmocka_unit_test_setup(fixed_ranges_rule_the_first_mib_alone, stub_reset),
		cmocka_unit_test_setup(fixed_range_makes_large_pages_over_it_not_uniform,
				       stub_reset),
		cmocka_unit_test_setup(overlaps_combine_as_the_sdm_says, stub_reset),
		cmocka_unit_test_setup(page_that_a_range_covers_in_part_is_not_uniform, stub_reset),
		cmocka_unit_test_setup(range_smaller_than_a_gib_that_ends_at_its_border_splits_it,
				       stub_reset),
		cmocka_unit_test_setup(invalid_range_counts_for_nothing, stub_reset),
		cmocka_unit_test_setup(ranges_beyond_what_the_processor_has_are_not_read,
				       stub_reset),
		cmocka_unit_test_setup(processor_without_fixed_ranges_is_not_asked_for_them,
				       stub_reset),
		cmocka_unit_test_setup(mtrr_msrs_are_told_from_their_neighbours, stub_reset),
		cmocka_unit_test(ranges_in_pieces_make_all_memory_uncached),
	};

	return cmocka_run_group_tests_name("hv/mtrr", tests, NULL, NULL);
}
