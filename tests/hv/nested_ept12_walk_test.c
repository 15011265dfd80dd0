#include "hv/ept.h"
#include "hv/nested/ept12_walk.h"
#include "tests/hv/ept12_build.h"

static void walks_find_what_the_manual_says(void **state)
{
	static const struct {
		const char *name;
		u64 e4, e3, e2, e1;
		u64 access, gpa2;
		int result;
		unsigned level;
		u64 rights, gpa1;
	} rows[] = {
		{ "4 KiB", T3 | 7, T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 7, 1, 0x123, EPT12_MAPPED,
		  1, 7, 0x800123 },
		{ "2 MiB", T3 | 7, T2 | 7, 0x800000 | WB_LARGE | 7, 0, 2, 0x12345, EPT12_MAPPED, 2,
		  7, 0x812345 },
		{ "1 GiB", T3 | 7, 0x40000000 | WB_LARGE | 7, 0, 0, 4, 0x1234567, EPT12_MAPPED, 3,
		  7, 0x41234567 },
		{ "rights are those of all levels", T3 | 7, T2 | 5, T1 | 7, 0x800000 | 3, 1, 0,
		  EPT12_MAPPED, 1, 1, 0x800000 },
		{ "write forbidden above", T3 | 7, T2 | 5, T1 | 7, 0x800000 | WB_PAGE | 7, 2, 0,
		  EPT12_VIOLATION, 1, 5, 0x800000 },
		{ "fetch forbidden below", T3 | 7, T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 3, 4, 0,
		  EPT12_VIOLATION, 1, 3, 0x800000 },
		{ "read and write, read-only", T3 | 7, T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 1, 3, 0,
		  EPT12_VIOLATION, 1, 1, 0x800000 },
		{ "not present at 4", 0, 0, 0, 0, 1, 0, EPT12_VIOLATION, 4, 0, 0 },
		{ "not present at 2", T3 | 7, T2 | 7, 0xff0, 0, 1, 0, EPT12_VIOLATION, 2, 0, 0 },
		{ "not present at 1", T3 | 7, T2 | 7, T1 | 7, 0x800000, 1, 0, EPT12_VIOLATION, 1, 0,
		  0 },
		{ "execute-only", T3 | 7, T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 4, 4, 0,
		  EPT12_MAPPED, 1, 4, 0x800000 },
		{ "write-only", T3 | 7, T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 2, 2, 0,
		  EPT12_MISCONFIGURED, 1, 0, 0 },
		{ "write and execute", T3 | 7, T2 | 7, T1 | 6, 0, 1, 0, EPT12_MISCONFIGURED, 2, 0,
		  0 },
		{ "memory type 2", T3 | 7, T2 | 7, T1 | 7, 0x800000 | 2 << 3 | 7, 1, 0,
		  EPT12_MISCONFIGURED, 1, 0, 0 },
		{ "memory type 7", T3 | 7, T2 | 7, 0x800000 | BIT(7) | 7 << 3 | 7, 0, 1, 0,
		  EPT12_MISCONFIGURED, 2, 0, 0 },
		{ "bits 7:3 at level 4", T3 | 7 | BIT(7), T2 | 7, T1 | 7, 0, 1, 0,
		  EPT12_MISCONFIGURED, 4, 0, 0 },
		{ "bits 6:3 at level 3", T3 | 7, T2 | 7 | BIT(3), T1 | 7, 0, 1, 0,
		  EPT12_MISCONFIGURED, 3, 0, 0 },
		{ "address beyond the width", T3 | 7, T2 | 7 | BIT(STUB_PHYS_WIDTH), T1 | 7, 0, 1,
		  0, EPT12_MISCONFIGURED, 3, 0, 0 },
		{ "low address bits of 2 MiB", T3 | 7, T2 | 7, 0x801000 | WB_LARGE | 7, 0, 1, 0,
		  EPT12_MISCONFIGURED, 2, 0, 0 },
		{ "low address bits of 1 GiB", T3 | 7, 0x40200000 | WB_LARGE | 7, 0, 0, 1, 0,
		  EPT12_MISCONFIGURED, 3, 0, 0 },
		{ "misconfigured leaf below a read-only entry", T3 | 7, T2 | 1, T1 | 7,
		  0x800000 | WB_PAGE | 2, 2, 0, EPT12_MISCONFIGURED, 1, 0, 0 },
		{ "ignored bits", T3 | 7 | BIT(63) | BIT(52), T2 | 7 | BIT(11), T1 | 7 | BIT(8),
		  0x800000 | WB_PAGE | 7 | BIT(62) | BIT(11), 1, 0, EPT12_MAPPED, 1, 7, 0x800000 },
		{ "table outside of RAM", T3 | 7, GIB(2) | 7, 0, 0, 1, 0, EPT12_MISCONFIGURED, 2, 0,
		  0 },
		{ "table in hv's memory", (PLAY_MEMORY - MIB(1)) | 7, 0, 0, 0, 1, 0,
		  EPT12_MISCONFIGURED, 3, 0, 0 },
		{ "gpa2 of more than 48 bits", T3 | 7, T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 7, 1,
		  BIT(48), EPT12_VIOLATION, 4, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u64 eptp = build(rows[i].e4, rows[i].e3, rows[i].e2, rows[i].e1);
		struct ept12_walk walk;

		ept12_walk(&cpu->nested, eptp, rows[i].gpa2, rows[i].access, &walk);
		assert_row(rows[i].name, walk.result, rows[i].result);
		assert_row(rows[i].name, walk.level, rows[i].level);
		assert_row(rows[i].name, walk.rights, rows[i].rights);
		assert_row(rows[i].name, walk.gpa1, rows[i].gpa1);
		assert_row(rows[i].name, walk.entry[4], rows[i].e4);
	}
}

static void sizes_and_rights_that_are_not_shown_are_misconfigured(void **state)
{
	struct ept12_walk walk;
	u64 eptp;

	(void)state;
	play_boot_with("-ept_1g,-ept_2m,-ept_execute_only");
	eptp = build(T3 | 7, 0x40000000 | WB_LARGE | 7, 0, 0);
	ept12_walk(&cpu->nested, eptp, 0, 1, &walk);
	assert_int_equal(walk.result, EPT12_MISCONFIGURED);
	eptp = build(T3 | 7, T2 | 7, 0x800000 | WB_LARGE | 7, 0);
	ept12_walk(&cpu->nested, eptp, 0, 1, &walk);
	assert_int_equal(walk.result, EPT12_MISCONFIGURED);
	eptp = build(T3 | 7, T2 | 7, T1 | 7, 0x800000 | WB_PAGE | 4);
	ept12_walk(&cpu->nested, eptp, 0, 4, &walk);
	assert_int_equal(walk.result, EPT12_MISCONFIGURED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_boot, walks_find_what_the_manual_says),
		IN(play_boot, sizes_and_rights_that_are_not_shown_are_misconfigured),
	};

	return cmocka_run_group_tests_name("hv/nested/ept12_walk", tests, NULL, NULL);
}
