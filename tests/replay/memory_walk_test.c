#include "tests/replay/memory_tape.h"
#include "replay/memory_walk.h"

#define MAX_ENTRIES 8
#define NX	    BIT(63)

/* An entry of a table: 8 bytes, or 4 where the mode has such. */
struct entry {
	u64 at, value;
};

static void put_entry(struct memory_tape *tape, const struct memory_mode *mode,
		      const struct entry *entry)
{
	const bool narrow = !(mode->cr4 & 0x20);

	if (narrow && entry->at & 4)
		memory_put(tape, entry->at & ~7ull, entry->value << 32);
	else
		memory_put(tape, entry->at, entry->value);
}

static const struct row {
	const char *name;
	const struct memory_mode *mode;
	u64 cr3, linear;
	struct entry entries[MAX_ENTRIES];
	enum memory_walk_end end;
	u64 gpa1, page_size;
	u8 rights;
	unsigned count; /* of entries on the way */
} rows[] = {
	{ "no paging", &memory_off, 0, 0x12345, { { 0 } }, WALK_MAPPED, 0x12345, BIT(52), 7, 0 },
	{ "no paging above 4 GiB",
	  &memory_off,
	  0,
	  BIT(32),
	  { { 0 } },
	  WALK_NOT_CANONICAL,
	  .count = 0 },

	{ "32-bit",
	  &memory_32,
	  0x3000,
	  0x00801234,
	  { { 0x3008, 0x4067 }, { 0x4004, 0x7067 } },
	  WALK_MAPPED,
	  0x7234,
	  4096,
	  7,
	  2 },
	{ "32-bit, supervisor and read-only in one level",
	  &memory_32,
	  0x3fff,
	  0x00801234,
	  { { 0x3008, 0x4063 }, { 0x4004, 0x7065 } },
	  WALK_MAPPED,
	  0x7234,
	  4096,
	  4,
	  2 },
	{ "32-bit, 4 MiB",
	  &memory_32,
	  0x3000,
	  0x00c12345,
	  { { 0x300c, 0x00c000e7 } },
	  WALK_MAPPED,
	  0xc12345,
	  MIB(4),
	  7,
	  1 },
	{ "32-bit, 4 MiB above 4 GiB",
	  &memory_32,
	  0x3000,
	  0x00c12345,
	  { { 0x300c, 0x00c020e7 } },
	  WALK_MAPPED,
	  BIT(32) | 0xc12345,
	  MIB(4),
	  7,
	  1 },
	{ "32-bit, PS without CR4.PSE",
	  &memory_32_no_pse,
	  0x3000,
	  0x00801234,
	  { { 0x3008, 0x40e7 }, { 0x4004, 0x7067 } },
	  WALK_MAPPED,
	  0x7234,
	  4096,
	  7,
	  2 },
	{ "32-bit, 4 MiB with reserved bits",
	  &memory_32,
	  0x3000,
	  0x00c12345,
	  { { 0x300c, 0x00e000e7 } },
	  WALK_RESERVED,
	  .count = 1 },
	{ "32-bit, not present",
	  &memory_32,
	  0x3000,
	  0x00801234,
	  { { 0x3008, 0x4067 }, { 0x4004, 0x7066 } },
	  WALK_NOT_PRESENT,
	  .count = 2 },

	{ "PAE",
	  &memory_pae,
	  0x3020,
	  0x40201234,
	  { { 0x3028, 0x4001 }, { 0x4008, 0x5067 }, { 0x5008, NX | 0x7067 } },
	  WALK_MAPPED,
	  0x7234,
	  4096,
	  3,
	  3 },
	{ "PAE, 2 MiB",
	  &memory_pae,
	  0x3020,
	  0x40212345,
	  { { 0x3028, 0x4001 }, { 0x4008, 0x8000e7 } },
	  WALK_MAPPED,
	  0x812345,
	  MIB(2),
	  7,
	  2 },
	{ "PAE, PDPTE with reserved bits",
	  &memory_pae,
	  0x3020,
	  0x40201234,
	  { { 0x3028, 0x4003 } },
	  WALK_RESERVED,
	  .count = 1 },
	{ "PAE, bits 62:52 are reserved",
	  &memory_pae,
	  0x3020,
	  0x40201234,
	  { { 0x3028, 0x4001 }, { 0x4008, BIT(52) | 0x5067 } },
	  WALK_RESERVED,
	  .count = 2 },
	{ "PAE, NX without EFER.NXE",
	  &memory_pae_no_nx,
	  0x3020,
	  0x40201234,
	  { { 0x3028, 0x4001 }, { 0x4008, NX | 0x5067 } },
	  WALK_RESERVED,
	  .count = 2 },

	{ "4 levels",
	  &memory_64,
	  0x3000,
	  0xffff800000401234,
	  { { 0x3800, 0x4067 }, { 0x4000, 0x5067 }, { 0x5010, 0x6067 }, { 0x6008, 0x7067 } },
	  WALK_MAPPED,
	  0x7234,
	  4096,
	  7,
	  4 },
	{ "4 levels, flags and PCID in CR3",
	  &memory_64,
	  0x3abc,
	  0xffff800000401234,
	  { { 0x3800, 0x4067 }, { 0x4000, 0x5067 }, { 0x5010, 0x6067 }, { 0x6008, 0x7067 } },
	  WALK_MAPPED,
	  0x7234,
	  4096,
	  7,
	  4 },
	{ "4 levels, bits 62:52 are ignored",
	  &memory_64,
	  0x3000,
	  0x401234,
	  { { 0x3000, BIT(62) | 0x4067 },
	    { 0x4000, 0x5067 },
	    { 0x5010, 0x6067 },
	    { 0x6008, 0x7067 } },
	  WALK_MAPPED,
	  0x7234,
	  4096,
	  7,
	  4 },
	{ "2 MiB",
	  &memory_64,
	  0x3000,
	  0x412345,
	  { { 0x3000, 0x4067 }, { 0x4000, 0x5067 }, { 0x5010, NX | 0x8000e5 } },
	  WALK_MAPPED,
	  0x812345,
	  MIB(2),
	  2,
	  3 },
	{ "1 GiB",
	  &memory_64,
	  0x3000,
	  0x40012345,
	  { { 0x3000, 0x4063 }, { 0x4008, 0x800000e7 } },
	  WALK_MAPPED,
	  0x80012345,
	  GIB(1),
	  5,
	  2 },
	{ "1 GiB with reserved bits",
	  &memory_64,
	  0x3000,
	  0x40012345,
	  { { 0x3000, 0x4063 }, { 0x4008, 0x802000e7 } },
	  WALK_RESERVED,
	  .count = 2 },
	{ "PAT of a large page is no address",
	  &memory_64,
	  0x3000,
	  0x412345,
	  { { 0x3000, 0x4067 }, { 0x4000, 0x5067 }, { 0x5010, 0x8010e7 } },
	  WALK_MAPPED,
	  0x812345,
	  MIB(2),
	  7,
	  3 },
	{ "PS in a PML4E",
	  &memory_64,
	  0x3000,
	  0x1234,
	  { { 0x3000, 0x40e7 } },
	  WALK_RESERVED,
	  .count = 1 },
	{ "address beyond the width",
	  &memory_64,
	  0x3000,
	  0x1234,
	  { { 0x3000, BIT(40) | 0x4067 } },
	  WALK_RESERVED,
	  .count = 1 },
	{ "CR3 beyond the width",
	  &memory_64,
	  BIT(40),
	  0x1234,
	  { { 0 } },
	  WALK_TOO_WIDE,
	  .count = 1 },
	{ "NX without EFER.NXE",
	  &memory_64_no_nx,
	  0x3000,
	  0x1234,
	  { { 0x3000, NX | 0x4067 } },
	  WALK_RESERVED,
	  .count = 1 },
	{ "not canonical",
	  &memory_64,
	  0x3000,
	  0x800000000000,
	  { { 0 } },
	  WALK_NOT_CANONICAL,
	  .count = 0 },
	{ "a table that is its own",
	  &memory_64,
	  0x3000,
	  0x234,
	  { { 0x3000, 0x3067 } },
	  WALK_MAPPED,
	  0x3234,
	  4096,
	  7,
	  4 },
	{ "an entry in the middle is unknown",
	  &memory_64,
	  0x3000,
	  0x401234,
	  { { 0x3000, 0x4067 }, { 0x5010, 0x6067 }, { 0x6008, 0x7067 } },
	  WALK_UNKNOWN_ENTRY,
	  .count = 2 },
	{ "5 levels",
	  &memory_57,
	  0x3000,
	  0xff00000000401234,
	  { { 0x3800, 0x8067 },
	    { 0x8000, 0x4067 },
	    { 0x4000, 0x5067 },
	    { 0x5010, 0x6067 },
	    { 0x6008, 0x7067 } },
	  WALK_MAPPED,
	  0x7234,
	  4096,
	  7,
	  5 },
	{ "5 levels, not canonical",
	  &memory_57,
	  0x3000,
	  BIT(57),
	  { { 0 } },
	  WALK_NOT_CANONICAL,
	  .count = 0 },
};

static void check_row(const struct row *row, const struct memory_walk *walk)
{
	assert_row(row->name, walk->end, row->end);
	assert_row(row->name, walk->count, row->count);
	if (row->end != WALK_MAPPED)
		return;
	assert_row(row->name, walk->gpa1, row->gpa1);
	assert_row(row->name, walk->page_size, row->page_size);
	assert_row(row->name, walk->rights, row->rights);
}

static void every_mode_of_l1_translates(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct memory_tape *const tape = memory_tape_start();
		struct memory_walk walk;
		struct timeline *timeline;
		u64 n;

		for (unsigned j = 0; rows[i].entries[j].at; j++)
			put_entry(tape, rows[i].mode, &rows[i].entries[j]);
		n = memory_insn(tape, rows[i].mode, rows[i].cr3);
		timeline = memory_tape_end(tape);
		memory_go(timeline, n);
		assert_int_equal(memory_walk(timeline, 0, MEMORY_L1_LINEAR, rows[i].linear, &walk),
				 ST_OK);
		check_row(&rows[i], &walk);
		timeline_close(timeline);
	}
}

/* The same tables are L2's, through an EPT12 that maps its pages 16 MiB higher. */
#define MOVED MIB(16)
#define EPT   0x100000

static u64 put_ept(struct memory_tape *tape)
{
	memory_put(tape, EPT, (EPT + 0x1000) | 7);
	for (u64 i = 0; i < 8; i++)
		memory_put(tape, EPT + 0x1000 + 8 * i, (EPT + 0x2000 + 0x1000 * i) | 7);
	for (u64 i = 0; i < 4; i++)
		memory_put(tape, EPT + 0x2000 + 8 * i, (MOVED + MIB(2) * i) | 0xb7);
	for (u64 i = 4; i < 8; i++)
		memory_put(tape, EPT + 0x2000 + 8 * i, (MOVED + MIB(2) * i) | 0xb7);
	/* 80000000h and 100000000h on, for what large pages lead to. */
	memory_put(tape, EPT + 0x4000, (MOVED + GIB(2)) | 0xb7);
	memory_put(tape, EPT + 0x6000 + 8 * 6, (MOVED + BIT(32) + MIB(12)) | 0xb7);
	return EPT | 3 << 3 | 6;
}

static void every_mode_of_l2_translates_through_ept12(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct memory_tape *const tape = memory_tape_start();
		const u64 eptp = put_ept(tape);
		struct memory_walk walk;
		struct timeline *timeline;
		u64 n;

		for (unsigned j = 0; rows[i].entries[j].at; j++) {
			struct entry moved = rows[i].entries[j];

			moved.at += MOVED;
			put_entry(tape, rows[i].mode, &moved);
		}
		n = memory_l2(tape, rows[i].mode, rows[i].cr3, eptp);
		timeline = memory_tape_end(tape);
		memory_go(timeline, n);
		assert_int_equal(memory_walk(timeline, 0, MEMORY_L2_LINEAR, rows[i].linear, &walk),
				 ST_OK);
		assert_row(rows[i].name, walk.end, rows[i].end);
		if (rows[i].end == WALK_MAPPED) {
			assert_row(rows[i].name, walk.gpa2, rows[i].gpa1);
			assert_row(rows[i].name, walk.gpa1, rows[i].gpa1 + MOVED);
			assert_row(rows[i].name, walk.rights, rows[i].rights);
			assert_row(rows[i].name, walk.ept_rights, 7);
			assert_row(rows[i].name, walk.page_size, MIN(rows[i].page_size, MIB(2)));
		}
		timeline_close(timeline);
	}
}

static void without_ept_l2_has_l1_s_memory(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct memory_walk walk;
	struct timeline *timeline;
	u64 n;

	(void)state;
	memory_put(tape, 0x3028, 0x4001);
	memory_put(tape, 0x4008, 0x8000e7);
	n = memory_l2(tape, &memory_pae, 0x3020, 0);
	timeline = memory_tape_end(tape);
	memory_go(timeline, n);
	assert_int_equal(memory_walk(timeline, 0, MEMORY_L2_LINEAR, 0x40212345, &walk), ST_OK);
	assert_int_equal(walk.end, WALK_MAPPED);
	assert_false(walk.ept);
	assert_u64(walk.gpa1, 0x812345);
	assert_int_equal(memory_walk(timeline, 0, MEMORY_L2_PHYSICAL, 0x1234, &walk), ST_OK);
	assert_u64(walk.gpa1, 0x1234);
	timeline_close(timeline);
}

static void what_is_unknown_is_named(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct memory_walk walk;
	struct timeline *timeline;
	u64 n;

	(void)state;
	query_tape_vmwrite(&tape->tape, VMCS_GUEST_CR0, 0x80000001);
	n = tape->tape.seq - 1;
	timeline = memory_tape_end(tape);
	memory_go(timeline, n);
	/* A lean tape: paging is on, in 64-bit mode, but CR4 is not told. */
	assert_int_equal(memory_walk(timeline, 0, MEMORY_L1_LINEAR, 0x123, &walk), ST_OK);
	assert_int_equal(walk.end, WALK_UNKNOWN_REGISTER);
	assert_string_equal(walk.unknown, "cr4");
	assert_int_equal(memory_walk(timeline, 0, MEMORY_L2_PHYSICAL, 0x123, &walk), ST_OK);
	assert_int_equal(walk.end, WALK_UNKNOWN_REGISTER);
	assert_string_equal(walk.unknown, "primary_proc_based_controls");
	assert_int_equal(memory_walk(timeline, 7, MEMORY_L2_PHYSICAL, 0x123, &walk), ST_OK);
	assert_int_equal(walk.end, WALK_UNKNOWN_REGISTER);
	assert_string_equal(walk.unknown, "current VMCS");
	timeline_close(timeline);
}

static u64 random_number(void)
{
	static u64 seed = 7;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 20;
}

/* Entries that lead to each other, with any bits set. */
static u64 random_entry(void)
{
	u64 entry = (1 + random_number() % 8) << 12 | 7;

	for (u64 i = random_number() % 4; i > 0; i--)
		entry ^= BIT(random_number() % 64);
	return random_number() % 8 ? entry : random_number() << 24;
}

static void any_tables_come_to_an_end(void **state)
{
	static const struct memory_mode *const modes[] = {
		&memory_off, &memory_32, &memory_pae, &memory_64, &memory_57,
	};
	unsigned ends[WALK_UNKNOWN_REGISTER + 1] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		const struct memory_mode *const mode = modes[i % ARRAY_SIZE(modes)];
		struct memory_tape *const tape = memory_tape_start();
		struct timeline *timeline;
		u64 n;

		for (u64 page = 1; page <= 8; page++)
			for (u64 word = 0; word < 8; word++)
				memory_put(tape, page << 12 | word * 8, random_entry());
		n = memory_l2(tape, mode, (1 + random_number() % 8) << 12,
			      i % 2 ? (1 + random_number() % 8) << 12 | (3 + i % 3) << 3 | 6 : 0);
		timeline = memory_tape_end(tape);
		memory_go(timeline, n);
		for (unsigned j = 0; j < 400; j++) {
			const enum memory_space space = (enum memory_space)(j % 4);
			u64 address = random_number() & 0x7ull << (12 + 9 * (j % 5));
			struct memory_walk walk;
			u8 bytes[64];

			address |= random_number() & 0xfff;
			assert_int_equal(memory_walk(timeline, 0, space, address, &walk), ST_OK);
			assert_true(walk.count <= MEMORY_MAX_STEPS);
			assert_true(walk.end <= WALK_UNKNOWN_REGISTER);
			ends[walk.end]++;
			if (walk.end == WALK_MAPPED)
				assert_true(walk.gpa1 < BIT(40));
			assert_true(memory_read(timeline, 0, space, address, bytes, 64) <= 64);
		}
		timeline_close(timeline);
	}
	assert_true(ends[WALK_MAPPED] > 100 && ends[WALK_RESERVED] > 100);
	assert_true(ends[WALK_MISCONFIGURED] > 100 && ends[WALK_UNKNOWN_ENTRY] > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mode_of_l1_translates),
		cmocka_unit_test(every_mode_of_l2_translates_through_ept12),
		cmocka_unit_test(without_ept_l2_has_l1_s_memory),
		cmocka_unit_test(what_is_unknown_is_named),
		cmocka_unit_test(any_tables_come_to_an_end),
	};
	return cmocka_run_group_tests_name("replay/memory_walk", tests, query_tape_folder,
					   query_tape_remove);
}
