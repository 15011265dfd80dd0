#include "replay/memory.h"
#include "tests/replay/memory_tape.h"

#define CR3 0x3000

static u8 bytes[8192];

/* 1 to 1 for the first 2 MiB by pages; page 7 is at 0x20000. */
static void put_tables(struct memory_tape *tape)
{
	memory_put(tape, CR3, 0x4067);
	memory_put(tape, 0x4000, 0x5067);
	memory_put(tape, 0x5000, 0x6067);
	for (u64 i = 0; i < 16; i++)
		memory_put(tape, 0x6000 + 8 * i, i == 7 ? 0x20067 : i << 12 | 0x67);
}

static size_t read_l1(struct timeline *timeline, u64 address, size_t size)
{
	memset(bytes, 0xee, sizeof(bytes));
	return memory_read(timeline, 0, MEMORY_L1_LINEAR, address, bytes, size);
}

static size_t read_physical(struct timeline *timeline, u64 address, size_t size)
{
	memset(bytes, 0xee, sizeof(bytes));
	return memory_read(timeline, 0, MEMORY_L1_PHYSICAL, address, bytes, size);
}

static void known_bytes_are_read_and_no_more(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct timeline *timeline;
	u64 n;

	(void)state;
	memory_put(tape, 0x8000, 0x1122334455667788);
	memory_put(tape, 0x8008, 0x99aabbccddeeff00);
	memory_put(tape, 0x8018, 1);
	n = memory_insn(tape, &memory_off, 0);
	timeline = memory_tape_end(tape);
	memory_go(timeline, n);
	assert_int_equal(read_physical(timeline, 0x8000, 64), 16);
	assert_memory_equal(bytes, "\x88\x77\x66\x55\x44\x33\x22\x11\x00\xff", 10);
	assert_int_equal(bytes[16], 0xee);
	assert_int_equal(read_physical(timeline, 0x8003, 2), 2);
	assert_memory_equal(bytes, "\x55\x44", 2);
	assert_int_equal(read_physical(timeline, 0x800f, 8), 1);
	assert_int_equal(read_physical(timeline, 0x8010, 8), 0);
	assert_int_equal(read_physical(timeline, 0x7fff, 8), 0);
	assert_int_equal(read_physical(timeline, BIT(52) - 4, 8), 0);
	assert_int_equal(read_physical(timeline, ~0ull - 3, 8), 0);
	assert_true(memory_on_tape(timeline));
	timeline_close(timeline);
}

static void a_byte_told_later_is_not_known_earlier(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct timeline *timeline;
	u64 first, second, seen;

	(void)state;
	memory_put(tape, 0x8000, 1);
	first = memory_insn(tape, &memory_off, 0);
	memory_put(tape, 0x8000, 2);
	memory_put(tape, 0x9000, 3);
	second = memory_insn(tape, &memory_off, 0);
	timeline = memory_tape_end(tape);
	for (unsigned i = 0; i < 2; i++) {
		memory_go(timeline, second);
		assert_int_equal(read_physical(timeline, 0x8000, 8), 8);
		assert_int_equal(bytes[0], 2);
		assert_int_equal(read_physical(timeline, 0x9000, 8), 8);
		memory_go(timeline, first);
		assert_int_equal(read_physical(timeline, 0x8000, 8), 8);
		assert_int_equal(bytes[0], 1);
		assert_int_equal(read_physical(timeline, 0x9000, 8), 0);
		/* Before the event that tells it: nothing. */
		memory_go(timeline, first - 2);
		assert_int_equal(read_physical(timeline, 0x8000, 8), 0);
	}
	memory_go(timeline, second);
	assert_int_equal(memory_read_seen(timeline, 0, MEMORY_L1_PHYSICAL, 0x8000, bytes, 8, &seen),
			 8);
	assert_int_equal(seen, second - 2);
	timeline_close(timeline);
}

static void linear_reads_go_from_page_to_page(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct timeline *timeline;
	u64 n;

	(void)state;
	put_tables(tape);
	memory_put(tape, 0x20ff8, 0x7777777777777777);
	memory_put(tape, 0x8000, 0x8888888888888888);
	memory_put(tape, 0x7ff8, 0x1111111111111111); /* what would be there without the move */
	n = memory_insn(tape, &memory_64, CR3);
	timeline = memory_tape_end(tape);
	memory_go(timeline, n);
	assert_int_equal(read_l1(timeline, 0x7ffc, 32), 12);
	assert_memory_equal(bytes, "\x77\x77\x77\x77\x88\x88\x88\x88", 8);
	/* The page behind the last that is mapped. */
	assert_int_equal(read_l1(timeline, 16 << 12, 8), 0);
	timeline_close(timeline);
}

static void a_gap_ends_all_knowledge(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct timeline *timeline;
	u64 before, behind;

	(void)state;
	memory_put(tape, 0x8000, 1);
	before = memory_insn(tape, &memory_off, 0);
	query_tape_block(&tape->tape);
	tape->tape.block.first_seq += 100; /* lost */
	tape->tape.block.number++;
	memory_put(tape, 0x9000, 2);
	behind = memory_insn(tape, &memory_off, 0) + 1;
	timeline = memory_tape_end(tape);
	memory_go(timeline, before);
	assert_int_equal(read_physical(timeline, 0x8000, 8), 8);
	memory_go(timeline, behind);
	assert_int_equal(read_physical(timeline, 0x8000, 8), 0);
	assert_int_equal(read_physical(timeline, 0x9000, 8), 8);
	timeline_close(timeline);
}

static void a_page_is_where_its_event_says(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct timeline *timeline;
	u64 first, same, changed, gone, nowhere;
	u8 page[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (u8)(i / 16);
	first = memory_page(tape, 0x8000, page, 0);
	memory_put(tape, 0x8010, 0);
	changed = memory_insn(tape, &memory_off, 0);
	query_tape_block(&tape->tape);
	memory_page(tape, 0x8000, NULL, first + 1);
	same = memory_insn(tape, &memory_off, 0);
	memory_page(tape, 0x8000, NULL, 0);
	gone = memory_insn(tape, &memory_off, 0);
	memory_page(tape, 0x8000, NULL, 5);
	nowhere = memory_insn(tape, &memory_off, 0);
	timeline = memory_tape_end(tape);
	memory_go(timeline, changed);
	assert_int_equal(read_physical(timeline, 0x8000, 8192), 4096);
	assert_int_equal(bytes[16], 0);
	assert_int_equal(bytes[32], 2);
	memory_go(timeline, same);
	assert_int_equal(read_physical(timeline, 0x8000, 8192), 4096);
	assert_memory_equal(bytes, page, 4096);
	/* Taken out of the tape, or named wrongly: unknown, not what was there before. */
	memory_go(timeline, gone);
	assert_int_equal(read_physical(timeline, 0x8000, 8), 0);
	memory_go(timeline, nowhere);
	assert_int_equal(read_physical(timeline, 0x8000, 8), 0);
	timeline_close(timeline);
}

static void code_of_events_is_memory_of_l1(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct timeline *timeline;
	u64 n, rip;

	(void)state;
	n = memory_insn(tape, &memory_64, CR3);
	rip = tape->tape.rip;
	memory_insn(tape, &memory_64, 0xa000);
	timeline = memory_tape_end(tape);
	memory_go(timeline, n);
	assert_false(memory_on_tape(timeline));
	assert_int_equal(read_l1(timeline, rip, 16), 2);
	assert_memory_equal(bytes, "\x0f\x78", 2);
	assert_int_equal(read_l1(timeline, rip + 1, 16), 1);
	assert_int_equal(read_l1(timeline, rip + 2, 16), 0);
	assert_int_equal(read_l1(timeline, rip - 1, 16), 0);
	/* Code that comes later, or in another address space, is unknown. */
	assert_int_equal(read_l1(timeline, rip + 16, 16), 0);
	memory_go(timeline, n + 2);
	assert_int_equal(read_l1(timeline, rip, 16), 0);
	assert_int_equal(read_l1(timeline, rip + 16, 16), 2);
	timeline_close(timeline);
}

static void much_is_found_far_back(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct timeline *timeline;
	u64 n = 0;

	(void)state;
	memory_put(tape, 0x100000, 0xabc);
	for (u64 i = 0; i < 20000; i++) {
		memory_put(tape, 0x8000 + 8 * (i % 512), i);
		n = memory_insn(tape, &memory_off, 0);
	}
	timeline = memory_tape_end(tape);
	memory_go(timeline, n);
	assert_int_equal(read_physical(timeline, 0x100000, 8), 8);
	assert_memory_equal(bytes, "\xbc\x0a", 2);
	assert_int_equal(read_physical(timeline, 0x8000, 4096), 4096);
	for (u64 i = 0; i < 512; i++) {
		u64 word;

		memcpy(&word, bytes + 8 * i, 8);
		assert_int_equal(word % 512, i);
		assert_true(word >= 20000 - 512);
	}
	timeline_close(timeline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_bytes_are_read_and_no_more),
		cmocka_unit_test(a_byte_told_later_is_not_known_earlier),
		cmocka_unit_test(linear_reads_go_from_page_to_page),
		cmocka_unit_test(a_gap_ends_all_knowledge),
		cmocka_unit_test(a_page_is_where_its_event_says),
		cmocka_unit_test(code_of_events_is_memory_of_l1),
		cmocka_unit_test(much_is_found_far_back),
	};
	return cmocka_run_group_tests_name("replay/memory", tests, query_tape_folder,
					   query_tape_remove);
}
