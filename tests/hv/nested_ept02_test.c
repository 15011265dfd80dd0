#include "hv/ept.h"
#include "hv/mem.h"
#include "hv/nested/ept02.h"
#include "tests/hv/nested_play.h"

#define RIGHTS	 7ull
#define WB_LARGE 0xb0
#define WB_PAGE	 0x30

static u64 *table(unsigned level)
{
	return stub_at(PLAY_EPT12 + 0x1000 * (4 - level));
}

/* EPT12 with one way through: the entries of levels 4 to 1 for gpa2 0. */
static u64 build(u64 e4, u64 e3, u64 e2, u64 e1)
{
	table(4)[0] = e4;
	table(3)[0] = e3;
	table(2)[0] = e2;
	table(1)[0] = e1;
	return PLAY_EPT12 | 3 << 3 | 6;
}

#define T3 (PLAY_EPT12 + 0x1000)
#define T2 (PLAY_EPT12 + 0x2000)
#define T1 (PLAY_EPT12 + 0x3000)

/* The leaf of EPT02 for @gpa2 and its level; 0 when there is none. */
static u64 leaf_of(u64 pointer, u64 gpa2, unsigned *level)
{
	const u64 *entries = stub_at(pointer & MASK(51, 12));

	for (*level = 4;; --*level) {
		const u64 entry = entries[gpa2 >> (12 + 9 * (*level - 1)) & 511];

		if (!entry || *level == 1 || entry & EPT_LARGE)
			return entry;
		entries = stub_at(entry & MASK(51, 12));
	}
}

static u64 map(u64 eptp, u64 gpa2)
{
	struct ept12_walk walk;

	ept12_walk(&cpu->nested, eptp, gpa2, 0, &walk);
	assert_int_equal(walk.result, EPT12_MAPPED);
	ept02_map(&cpu->nested, eptp, gpa2, &walk);
	return ept02_pointer(&cpu->nested, eptp);
}

static void pages_are_composed_of_both_epts(void **state)
{
	static const struct {
		const char *name;
		u64 e3, e2, e1, gpa2;
		unsigned level;
		u64 leaf;
	} rows[] = {
		{ "4 KiB", T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 7, 0, 1, 0x800000 | WB_PAGE | 7 },
		{ "2 MiB", T2 | 7, 0x800000 | WB_LARGE | 7, 0, 0x123456, 2,
		  0x800000 | WB_LARGE | 7 },
		{ "rights", T2 | 5, 0x800000 | WB_LARGE | 3, 0, 0, 2, 0x800000 | WB_LARGE | 1 },
		{ "type and ignore-PAT", T2 | 7, T1 | 7, 0x800000 | BIT(6) | 7, 0, 1,
		  0x800000 | BIT(6) | 7 },
		/* EPT01 has 4 KiB pages in the first 2 MiB, for the fixed MTRRs, so EPT02 too. */
		{ "2 MiB over 4 KiB", T2 | 7, 0 | WB_LARGE | 7, 0, 0x5000, 1,
		  0x5000 | WB_PAGE | 7 },
		{ "1 GiB over smaller", 0 | WB_LARGE | 7, 0, 0, 0x5000, 1, 0x5000 | WB_PAGE | 7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u64 eptp = build(T3 | 7, rows[i].e3, rows[i].e2, rows[i].e1);
		struct ept_page page;
		unsigned level;
		u64 pointer, leaf;

		ept02_invalidate_all(&cpu->nested);
		pointer = map(eptp, rows[i].gpa2);
		leaf = leaf_of(pointer, rows[i].gpa2, &level);
		if (rows[i].level == 1 && rows[i].gpa2 == 0x5000) {
			/* As large as EPT01 allows: what it has there decides. */
			assert_true(ept01_lookup(0x5000, &page));
			assert_row(rows[i].name, 4096ull << 9 * (level - 1) <= page.size, true);
			assert_row(rows[i].name, (leaf & RIGHTS), 7);
			continue;
		}
		assert_row(rows[i].name, level, rows[i].level);
		assert_row(rows[i].name, leaf, rows[i].leaf);
	}
}

static void nothing_maps_hvs_memory(void **state)
{
	const u64 dummy = virt_to_phys(cpu->nested.dummy);
	unsigned level;
	u64 leaf;

	(void)state;
	leaf = leaf_of(map(build(T3 | 7, T2 | 7, T1 | 7, (PLAY_MEMORY - MIB(1)) | WB_PAGE | 7), 0),
		       0, &level);
	assert_u64(leaf & MASK(51, 12), dummy);

	/* A large page of L1's that contains hv: no page of hv's is below it. */
	ept02_invalidate_all(&cpu->nested);
	for (u64 at = 0; at < PLAY_MEMORY; at += 0x1000) {
		const u64 pointer = map(build(T3 | 7, 0 | WB_LARGE | 7, 0, 0), at);

		leaf = leaf_of(pointer, at, &level);
		if ((leaf & MASK(51, 12)) != dummy)
			assert_false(mem_is_hv(leaf & MASK(51, 12), 4096ull << 9 * (level - 1)));
		else
			assert_int_equal(level, 1);
	}
}

static void trees_belong_to_their_eptp(void **state)
{
	const u64 eptp = build(T3 | 7, T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 7);
	const u64 other = eptp + 0x10000;
	unsigned level;
	u64 pointer;

	(void)state;
	pointer = map(eptp, 0);
	assert_u64(ept02_pointer(&cpu->nested, eptp), pointer);
	assert_true(ept02_pointer(&cpu->nested, other) != pointer);
	/* Another memory type for the tables is the same tree. */
	assert_u64(ept02_pointer(&cpu->nested, eptp & ~7ull), pointer);
	ept02_invalidate(&cpu->nested, other);
	assert_true(leaf_of(pointer, 0, &level) != 0);
	ept02_invalidate(&cpu->nested, eptp);
	assert_u64(leaf_of(pointer, 0, &level), 0);
	assert_true(stub_cpu.invalidation_count > 0);
	assert_int_equal(stub_cpu.invalidations[stub_cpu.invalidation_count - 1].what, 'e');
	assert_u64(stub_cpu.invalidations[stub_cpu.invalidation_count - 1].low, pointer);
}

static void a_tree_taken_over_by_another_eptp_is_empty(void **state)
{
	const u64 eptp = build(T3 | 7, T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 7);
	unsigned level;

	(void)state;
	map(eptp, 0);
	for (u64 i = 1; i <= NESTED_EPT_ROOTS; i++) {
		const u64 pointer = ept02_pointer(&cpu->nested, eptp + i * 0x10000);

		assert_u64(leaf_of(pointer, 0, &level), 0);
	}
	/* The first one's went to the last. */
	assert_u64(leaf_of(ept02_pointer(&cpu->nested, eptp), 0, &level), 0);
}

static void changed_entries_take_effect_at_the_next_violation(void **state)
{
	const u64 eptp = build(T3 | 7, T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 1);
	unsigned level;
	u64 pointer;

	(void)state;
	pointer = map(eptp, 0);
	assert_u64(leaf_of(pointer, 0, &level), 0x800000 | WB_PAGE | 1);
	table(1)[0] = 0x900000 | WB_PAGE | 7;
	map(eptp, 0);
	assert_u64(leaf_of(pointer, 0, &level), 0x900000 | WB_PAGE | 7);
	/* A large page takes the place of a table, and the other way round. */
	table(2)[0] = 0x800000 | WB_LARGE | 7;
	map(eptp, 0);
	assert_u64(leaf_of(pointer, 0, &level), 0x800000 | WB_LARGE | 7);
	assert_int_equal(level, 2);
	table(2)[0] = T1 | 7;
	map(eptp, 0);
	assert_u64(leaf_of(pointer, 0, &level), 0x900000 | WB_PAGE | 7);
	assert_int_equal(level, 1);
}

static void tables_that_come_again_are_empty(void **state)
{
	const u64 eptp = build(T3 | 7, T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 7);
	unsigned level;
	u64 pointer;

	(void)state;
	table(1)[5] = 0x900000 | WB_PAGE | 7;
	table(2)[7] = T1 | 7;
	map(eptp, 0x5000);
	map(eptp, 7 * MIB(2) + 0x5000);
	ept02_invalidate(&cpu->nested, eptp);
	pointer = map(eptp, 0);
	assert_u64(leaf_of(pointer, 0, &level), 0x800000 | WB_PAGE | 7);
	assert_u64(leaf_of(pointer, 0x5000, &level), 0);
	assert_u64(leaf_of(pointer, 7 * MIB(2) + 0x5000, &level), 0);
}

static void running_out_of_pages_starts_over(void **state)
{
	const u64 eptp = build(T3 | 7, T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 7);
	unsigned level;

	(void)state;
	while (mem_try_page())
		;
	/* Each page in another GiB needs two tables of its own. */
	for (u64 i = 0; i < 400; i++) {
		table(3)[i] = T2 | 7;
		assert_u64(leaf_of(map(eptp, GIB(i)), GIB(i), &level), 0x800000 | WB_PAGE | 7);
	}
	/* Those that were thrown away can come back. */
	assert_u64(leaf_of(map(eptp, 0), 0, &level), 0x800000 | WB_PAGE | 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_boot, pages_are_composed_of_both_epts),
		IN(play_boot, nothing_maps_hvs_memory),
		IN(play_boot, trees_belong_to_their_eptp),
		IN(play_boot, a_tree_taken_over_by_another_eptp_is_empty),
		IN(play_boot, changed_entries_take_effect_at_the_next_violation),
		IN(play_boot, tables_that_come_again_are_empty),
		IN(play_boot, running_out_of_pages_starts_over),
	};

	return cmocka_run_group_tests_name("hv/nested/ept02", tests, NULL, NULL);
}
