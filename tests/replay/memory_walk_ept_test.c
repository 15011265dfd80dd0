#include "tests/replay/memory_tape.h"
#include "replay/memory_walk.h"

/* An entry of a table. */
struct entry {
	u64 at, value;
};

static const struct {
	const char *name;
	u64 eptp, gpa2;
	struct entry entries[5];
	enum memory_walk_end end;
	u64 gpa1, page_size;
	u8 rights;
	unsigned count;
} ept_rows[] = {
	{ "4 KiB",
	  0x301e,
	  0x5678,
	  { { 0x3000, 0x4007 }, { 0x4000, 0x5007 }, { 0x5000, 0x6007 }, { 0x6028, 0x9037 } },
	  WALK_MAPPED,
	  0x9678,
	  4096,
	  7,
	  4 },
	{ "rights of all levels",
	  0x301e,
	  0x5678,
	  { { 0x3000, 0x4005 }, { 0x4000, 0x5007 }, { 0x5000, 0x6007 }, { 0x6028, 0x9033 } },
	  WALK_MAPPED,
	  0x9678,
	  4096,
	  1,
	  4 },
	{ "2 MiB",
	  0x301e,
	  0x212345,
	  { { 0x3000, 0x4007 }, { 0x4000, 0x5007 }, { 0x5008, 0x8000b7 } },
	  WALK_MAPPED,
	  0x812345,
	  MIB(2),
	  7,
	  3 },
	{ "1 GiB",
	  0x301e,
	  0x40012345,
	  { { 0x3000, 0x4007 }, { 0x4008, 0xc00000b7 } },
	  WALK_MAPPED,
	  0xc0012345,
	  GIB(1),
	  7,
	  2 },
	{ "execute only",
	  0x301e,
	  0x40012345,
	  { { 0x3000, 0x4007 }, { 0x4008, 0xc00000b4 } },
	  WALK_MAPPED,
	  0xc0012345,
	  GIB(1),
	  4,
	  2 },
	{ "5 levels",
	  0x3026,
	  0x40012345,
	  { { 0x3000, 0x8007 }, { 0x8000, 0x4007 }, { 0x4008, 0xc00000b7 } },
	  WALK_MAPPED,
	  0xc0012345,
	  GIB(1),
	  7,
	  3 },
	{ "not present", 0x301e, 0x5678, { { 0x3000, 0x4000 } }, WALK_NOT_PRESENT, .count = 1 },
	{ "write only", 0x301e, 0x5678, { { 0x3000, 0x4002 } }, WALK_MISCONFIGURED, .count = 1 },
	{ "reserved bit of a PML4E",
	  0x301e,
	  0x5678,
	  { { 0x3000, 0x4087 } },
	  WALK_MISCONFIGURED,
	  .count = 1 },
	{ "reserved bits of a PDPTE",
	  0x301e,
	  0x5678,
	  { { 0x3000, 0x4007 }, { 0x4000, 0x500f } },
	  WALK_MISCONFIGURED,
	  .count = 2 },
	{ "memory type 2",
	  0x301e,
	  0x40012345,
	  { { 0x3000, 0x4007 }, { 0x4008, 0xc0000097 } },
	  WALK_MISCONFIGURED,
	  .count = 2 },
	{ "a large page that is not aligned",
	  0x301e,
	  0x40012345,
	  { { 0x3000, 0x4007 }, { 0x4008, 0xc02000b7 } },
	  WALK_MISCONFIGURED,
	  .count = 2 },
	{ "beyond the width",
	  0x301e,
	  0x5678,
	  { { 0x3000, BIT(40) | 0x4007 } },
	  WALK_MISCONFIGURED,
	  .count = 1 },
	{ "an address of L2 beyond the width",
	  0x301e,
	  BIT(40),
	  { { 0 } },
	  WALK_TOO_WIDE,
	  .count = 0 },
	{ "levels that no EPT has",
	  0x3036,
	  0x5678,
	  { { 0x3000, 0x4007 } },
	  WALK_MISCONFIGURED,
	  .count = 0 },
	{ "unknown", 0x301e, 0x5678, { { 0x3000, 0x4007 } }, WALK_UNKNOWN_ENTRY, .count = 2 },
};

static void ept12_is_judged_level_by_level(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ept_rows); i++) {
		struct memory_tape *const tape = memory_tape_start();
		struct memory_walk walk;
		struct timeline *timeline;
		u64 n;

		for (unsigned j = 0; ept_rows[i].entries[j].at; j++)
			memory_put(tape, ept_rows[i].entries[j].at, ept_rows[i].entries[j].value);
		n = memory_l2(tape, &memory_off, 0, ept_rows[i].eptp);
		timeline = memory_tape_end(tape);
		memory_go(timeline, n);
		assert_int_equal(
			memory_walk(timeline, 0, MEMORY_L2_PHYSICAL, ept_rows[i].gpa2, &walk),
			ST_OK);
		assert_row(ept_rows[i].name, walk.end, ept_rows[i].end);
		assert_row(ept_rows[i].name, walk.count, ept_rows[i].count);
		assert_row(ept_rows[i].name, walk.ept, true);
		if (walk.end == WALK_MAPPED) {
			assert_row(ept_rows[i].name, walk.gpa1, ept_rows[i].gpa1);
			assert_row(ept_rows[i].name, walk.page_size, ept_rows[i].page_size);
			assert_row(ept_rows[i].name, walk.ept_rights, ept_rows[i].rights);
		}
		timeline_close(timeline);
	}
}

static void the_longest_way_has_room(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct memory_walk walk;
	struct timeline *timeline;
	u64 n;

	(void)state;
	/* Five levels of tables that are all the same page, through five levels of EPT12. */
	memory_put(tape, 0x3000, 0x4007);
	memory_put(tape, 0x4000, 0x5007);
	memory_put(tape, 0x5000, 0x6007);
	memory_put(tape, 0x6000, 0x7007);
	memory_put(tape, 0x7000 + 8 * 9, 0x9037);
	memory_put(tape, 0x9000, 0x9067);
	n = memory_l2(tape, &memory_57, 0x9000, 0x3026);
	timeline = memory_tape_end(tape);
	memory_go(timeline, n);
	assert_int_equal(memory_walk(timeline, 0, MEMORY_L2_LINEAR, 0x123, &walk), ST_OK);
	assert_int_equal(walk.end, WALK_MAPPED);
	assert_u64(walk.gpa1, 0x9123);
	assert_int_equal(walk.count, 5 * 6 + 5);
	assert_true(walk.count <= MEMORY_MAX_STEPS);
	timeline_close(timeline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ept12_is_judged_level_by_level),
		cmocka_unit_test(the_longest_way_has_room),
	};

	return cmocka_run_group_tests_name("replay/memory_walk, EPT12", tests, query_tape_folder,
					   query_tape_remove);
}
