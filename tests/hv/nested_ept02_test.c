#include "hv/ept.h"
#include "hv/mem.h"
#include "hv/nested/ept02.h"
#include "hv/nested/ept12_access.h"
#include "tests/hv/ept12_build.h"

#define RIGHTS 7ull

/* The leaf of EPT02 for @gpa2 and its level; 0 when there is none. */
static u64 leaf_of(u64 pointer, u64 gpa2, unsigned *level)
{
	const u64 *entries = stub_at(pointer & MASK(51, 12));

	for (*level = 4;; --*level) {
		const u64 entry = entries[gpa2 >> (12 + 9 * (*level - 1)) & 511];

		if (!(entry & RIGHTS))
			return 0;
		if (*level == 1 || entry & EPT_LARGE)
			return entry;
		entries = stub_at(entry & MASK(51, 12));
	}
}

static u64 map(u64 eptp, u64 gpa2)
{
	struct ept12_walk walk;

	ept12_walk(&cpu->nested, eptp, gpa2, 0, &walk);
	assert_int_equal(walk.result, EPT12_MAPPED);
	ept02_map(cpu, eptp, gpa2, &walk);
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
	for (u64 i = 1; i <= NESTED_EPT_ROOTS; i++)
		ept02_pointer(&cpu->nested, eptp + i * 0x10000);
	pointer = map(eptp, 0);
	assert_u64(leaf_of(pointer, 0, &level), 0x800000 | WB_PAGE | 7);
	assert_u64(leaf_of(pointer, 0x5000, &level), 0);
	assert_u64(leaf_of(pointer, 7 * MIB(2) + 0x5000, &level), 0);
}

/* --- Trees that L1 invalidated ---------------------------------------------------------------- */

#define PAGE1 (0x800000ull | WB_PAGE | 7) /* what EPT12 has for pages that stay as they are */
#define AD    (EPT_ACCESSED | EPT_DIRTY)

static u64 page02(u64 eptp, u64 gpa2)
{
	unsigned level;

	return leaf_of(ept02_pointer(&cpu->nested, eptp), gpa2, &level);
}

static void l2_reads(u64 eptp, u64 gpa2)
{
	static struct ept12_walk walk; /* with what the one before left in it */

	ept12_access(&cpu->nested, eptp, gpa2, EPT_READ, &walk);
	assert_int_equal(walk.result, EPT12_MAPPED);
	ept02_map(cpu, eptp, gpa2, &walk);
}

/* Pages 0 to 8, all of which L2 read. */
static u64 nine_pages(u64 flags)
{
	const u64 eptp = build(T3 | 7, T2 | 7, T1 | 7, 0) | flags;

	for (u64 i = 0; i < 9; i++) {
		table(1)[i] = (PAGE1 + i * 0x1000) | (flags & EPTP_ENABLE_AD ? AD : 0);
		l2_reads(eptp, i * 0x1000);
	}
	return eptp;
}

static void assert_page(const char *name, u64 eptp, u64 number)
{
	assert_row(name, page02(eptp, number * 0x1000), PAGE1 + number * 0x1000);
}

static void pages_that_l2_used_come_back_as_ept12_has_them_now(void **state)
{
	const u64 hv = PLAY_MEMORY - MIB(1), dummy = virt_to_phys(cpu->nested.dummy);
	const struct {
		const char *name;
		u64 flags, before, after, leaf;
	} rows[] = {
		{ "as before", 0, 0x900000 | WB_PAGE | 7, 0x900000 | WB_PAGE | 7,
		  0x900000 | WB_PAGE | 7 },
		{ "another page", 0, 0x900000 | WB_PAGE | 7, 0xa00000 | WB_PAGE | 7,
		  0xa00000 | WB_PAGE | 7 },
		{ "another page above 4 GiB", 0, 0x900000 | WB_PAGE | 7,
		  GIB(4) | 0x900000 | WB_PAGE | 7, GIB(4) | 0x900000 | WB_PAGE | 7 },
		{ "a right taken", 0, 0x900000 | WB_PAGE | 7, 0x900000 | WB_PAGE | 5,
		  0x900000 | WB_PAGE | 5 },
		{ "a right given", 0, 0x900000 | WB_PAGE | 1, 0x900000 | WB_PAGE | 7,
		  0x900000 | WB_PAGE | 7 },
		{ "execute-only", 0, 0x900000 | WB_PAGE | 7, 0x900000 | WB_PAGE | 4,
		  0x900000 | WB_PAGE | 4 },
		{ "another type", 0, 0x900000 | WB_PAGE | 7, 0x900000 | BIT(6) | 7,
		  0x900000 | BIT(6) | 7 },
		{ "gone", 0, 0x900000 | WB_PAGE | 7, 0, 0 },
		{ "gone, its address left", 0, 0x900000 | WB_PAGE | 7, 0x900000, 0 },
		{ "write-only", 0, 0x900000 | WB_PAGE | 7, 0x900000 | WB_PAGE | 2, 0 },
		{ "memory type 2", 0, 0x900000 | WB_PAGE | 7, 0x900000 | 2 << 3 | 7, 0 },
		{ "beyond the width", 0, 0x900000 | WB_PAGE | 7,
		  0x900000 | BIT(STUB_PHYS_WIDTH) | WB_PAGE | 7, 0 },
		{ "hv's memory now", 0, 0x900000 | WB_PAGE | 7, hv | WB_PAGE | 7,
		  dummy | WB_PAGE | 7 },
		{ "hv's memory as before", 0, hv | WB_PAGE | 7, hv | WB_PAGE | 7,
		  dummy | WB_PAGE | 7 },
		{ "the page that stands for hv's", 0, hv | WB_PAGE | 7, dummy | WB_PAGE | 7,
		  dummy | WB_PAGE | 7 },
		{ "hv's memory no more", 0, hv | WB_PAGE | 7, 0x900000 | WB_PAGE | 7,
		  0x900000 | WB_PAGE | 7 },
		{ "accessed and dirty", EPTP_ENABLE_AD, 0x900000 | WB_PAGE | 7,
		  0x900000 | WB_PAGE | AD | 7, 0x900000 | WB_PAGE | 7 },
		{ "accessed no more", EPTP_ENABLE_AD, 0x900000 | WB_PAGE | AD | 7,
		  0x900000 | WB_PAGE | EPT_DIRTY | 7, 0 },
		{ "clean again", EPTP_ENABLE_AD, 0x900000 | WB_PAGE | AD | 7,
		  0x900000 | WB_PAGE | EPT_ACCESSED | 7, 0x900000 | WB_PAGE | 5 },
		{ "flags that are software's", 0, 0x900000 | WB_PAGE | AD | 7,
		  0x900000 | WB_PAGE | 7, 0x900000 | WB_PAGE | 7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u64 eptp = nine_pages(rows[i].flags);

		/* Another, between those that stay as they are. */
		table(1)[5] = rows[i].before;
		l2_reads(eptp, 0x5000);
		table(1)[5] = rows[i].after;
		ept02_invalidate(&cpu->nested, eptp);
		assert_row(rows[i].name, page02(eptp, 0x5000), 0);
		l2_reads(eptp, 0x1000);
		assert_row(rows[i].name, page02(eptp, 0x5000), rows[i].leaf);
		assert_page(rows[i].name, eptp, 0);
		assert_page(rows[i].name, eptp, 4);
		assert_page(rows[i].name, eptp, 6);
		assert_page(rows[i].name, eptp, 8);
	}
}

static void pages_that_l2_did_not_use_wait_for_it(void **state)
{
	const u64 eptp = nine_pages(0);

	(void)state;
	table(1)[9] = PAGE1;
	ept02_invalidate(&cpu->nested, eptp);
	l2_reads(eptp, 0);
	assert_page("used", eptp, 1);
	assert_u64(page02(eptp, 0x9000), 0);
}

/* What hv learns of a page at one INVEPT counts for the next. */
static void a_page_that_went_does_not_come_back_unasked(void **state)
{
	const u64 eptp = nine_pages(0);

	(void)state;
	for (u64 i = 0; i < 9; i++)
		table(1)[i] &= i == 5 ? MASK(2, 0) | MASK(51, 12) : MASK(51, 12);
	ept02_invalidate(&cpu->nested, eptp);
	l2_reads(eptp, 0x5000);
	for (u64 i = 0; i < 9; i++)
		table(1)[i] |= PAGE1;
	ept02_invalidate(&cpu->nested, eptp);
	l2_reads(eptp, 0x5000);
	for (u64 i = 0; i < 9; i++)
		assert_u64(page02(eptp, i * 0x1000), i == 5 ? PAGE1 + 0x5000 : 0);
}

static void rights_above_count_for_all_pages_of_a_table(void **state)
{
	const u64 eptp = nine_pages(0);

	(void)state;
	table(3)[0] = T2 | 5;
	ept02_invalidate(&cpu->nested, eptp);
	l2_reads(eptp, 0);
	for (u64 i = 0; i < 9; i++)
		assert_u64(page02(eptp, i * 0x1000), (PAGE1 + i * 0x1000) & ~2ull);
}

static void pages_come_from_the_table_that_ept12_has_now(void **state)
{
	const u64 eptp = nine_pages(0), other = T1 + 0x1000;
	u64 *const entries = stub_at(other);

	(void)state;
	memset(entries, 0, 0x1000);
	entries[0] = PAGE1;
	entries[6] = 0xb00000 | WB_PAGE | 1;
	table(2)[0] = other | 7;
	ept02_invalidate(&cpu->nested, eptp);
	l2_reads(eptp, 0);
	for (u64 i = 1; i < 9; i++)
		assert_u64(page02(eptp, i * 0x1000), i == 6 ? 0xb00000 | WB_PAGE | 1 : 0);
}

static void a_table_that_became_a_large_page_is_not_used(void **state)
{
	u64 eptp = nine_pages(0);
	unsigned level;

	(void)state;
	table(2)[0] = 0x800000 | WB_LARGE | 7;
	ept02_invalidate(&cpu->nested, eptp);
	l2_reads(eptp, 0);
	assert_u64(leaf_of(ept02_pointer(&cpu->nested, eptp), 0x5000, &level),
		   0x800000 | WB_LARGE | 7);
	assert_int_equal(level, 2);

	/* One of which EPT01 has no page as large: hv's memory is there. */
	eptp = nine_pages(0);
	table(2)[0] = (PLAY_MEMORY - MIB(2)) | WB_LARGE | 7;
	ept02_invalidate(&cpu->nested, eptp);
	l2_reads(eptp, MIB(1));
	assert_u64(page02(eptp, MIB(1)), virt_to_phys(cpu->nested.dummy) | WB_PAGE | 7);
	assert_u64(page02(eptp, 0x5000), 0);
}

static void large_pages_go(void **state)
{
	const u64 eptp = nine_pages(0);

	(void)state;
	table(2)[1] = 0x800000 | WB_LARGE | 7;
	table(3)[1] = 0x40000000 | WB_LARGE | 7;
	l2_reads(eptp, MIB(2));
	l2_reads(eptp, GIB(1));
	ept02_invalidate(&cpu->nested, eptp);
	l2_reads(eptp, 0);
	assert_page("beside", eptp, 5);
	assert_u64(page02(eptp, MIB(2)), 0);
	assert_u64(page02(eptp, GIB(1)), 0);
}

static void each_table_stays_stale_until_l2_is_there(void **state)
{
	const u64 eptp = nine_pages(0);

	(void)state;
	/* The same pages, by other ways through the tree. */
	table(2)[1] = T1 | 7;
	table(3)[1] = T2 | 7;
	table(4)[1] = T3 | 7;
	l2_reads(eptp, MIB(2) + 0x1000);
	l2_reads(eptp, GIB(1) + 0x1000);
	l2_reads(eptp, GIB(512) + 0x1000);
	ept02_invalidate(&cpu->nested, eptp);
	assert_int_equal(ept02_tables(&cpu->nested, eptp), 0);
	l2_reads(eptp, 0);
	assert_int_equal(ept02_tables(&cpu->nested, eptp), 3);
	assert_page("beside", eptp, 1);
	assert_u64(page02(eptp, MIB(2) + 0x1000), 0);
	assert_u64(page02(eptp, GIB(1) + 0x1000), 0);
	assert_u64(page02(eptp, GIB(512) + 0x1000), 0);
	table(1)[1] = 0x900000 | WB_PAGE | 1;
	l2_reads(eptp, MIB(2));
	l2_reads(eptp, GIB(1));
	l2_reads(eptp, GIB(512));
	assert_int_equal(ept02_tables(&cpu->nested, eptp), 9);
	assert_u64(page02(eptp, MIB(2) + 0x1000), 0x900000 | WB_PAGE | 1);
	assert_u64(page02(eptp, GIB(1) + 0x1000), 0x900000 | WB_PAGE | 1);
	assert_u64(page02(eptp, GIB(512) + 0x1000), 0x900000 | WB_PAGE | 1);
	/* This one was not stale any more. */
	assert_page("beside", eptp, 1);
	/* And all of it can become stale again. */
	ept02_invalidate_all(&cpu->nested);
	assert_u64(page02(eptp, GIB(512) + 0x1000), 0);
	assert_u64(page02(eptp, 0x1000), 0);
	assert_int_equal(ept02_tables(&cpu->nested, eptp), 0);
}

static void a_tree_that_leads_to_itself_does_no_harm(void **state)
{
	const u64 eptp = build(PLAY_EPT12 | 7, 0, 0, 0);

	(void)state;
	l2_reads(eptp, 0);
	assert_u64(page02(eptp, 0), PLAY_EPT12 | 7);
	table(4)[1] = PLAY_EPT12 | 7;
	l2_reads(eptp, 0x1000);
	ept02_invalidate(&cpu->nested, eptp);
	l2_reads(eptp, 0);
	assert_u64(page02(eptp, 0x1000), PLAY_EPT12 | 7);
}

static void stale_tables_make_room(void **state)
{
	const u64 eptp = nine_pages(0);
	unsigned level;

	(void)state;
	while (mem_try_page())
		;
	for (u64 i = 0; i < 400; i++) {
		table(3)[i] = T2 | 7;
		l2_reads(eptp, GIB(i) + 0x1000);
		ept02_invalidate(&cpu->nested, eptp);
		assert_u64(leaf_of(map(eptp, GIB(i)), GIB(i), &level), PAGE1);
	}
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
		IN(play_good_vmcs, pages_that_l2_used_come_back_as_ept12_has_them_now),
		IN(play_boot, pages_that_l2_did_not_use_wait_for_it),
		IN(play_boot, a_page_that_went_does_not_come_back_unasked),
		IN(play_boot, rights_above_count_for_all_pages_of_a_table),
		IN(play_boot, pages_come_from_the_table_that_ept12_has_now),
		IN(play_boot, a_table_that_became_a_large_page_is_not_used),
		IN(play_boot, large_pages_go),
		IN(play_boot, each_table_stays_stale_until_l2_is_there),
		IN(play_boot, a_tree_that_leads_to_itself_does_no_harm),
		IN(play_boot, stale_tables_make_room),
		IN(play_boot, running_out_of_pages_starts_over),
	};

	return cmocka_run_group_tests_name("hv/nested/ept02", tests, NULL, NULL);
}
