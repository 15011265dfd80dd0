#include "replay/code_lines.h"
#include "tests/test.h"

#define BASE   0xffffffffc0a00000ull

/* 16 KiB of code whose bytes tell where they are, but for a stretch of zeroes. */
#define SIZE   KIB(16)
#define ZEROES 0x2000
static u8 bytes[SIZE], changed[SIZE];
static struct code_piece piece = { .size = SIZE, .bytes = bytes, .changed = changed };
static struct code_lines lines;

static int set_up(void **state)
{
	u32 noise = 1;

	(void)state;
	for (size_t i = 0; i < SIZE; i++) {
		noise = noise * 1664525 + 1013904223;
		bytes[i] = i >= ZEROES && i < ZEROES + 0x800 ? 0 : (u8)(noise >> 24);
	}
	memset(changed, 0, sizeof(changed));
	piece.address = 0;
	lines.count = 0;
	return 0;
}

/* L1 executed what is at @at of the piece, loaded @distance above. */
static struct code_line *execute(u64 at, u64 distance)
{
	struct code_line *const line = &lines.lines[lines.count++];

	line->rip = piece.address + at + distance;
	line->count = TRACE_MAX_CODE;
	memcpy(line->bytes, bytes + at, TRACE_MAX_CODE);
	return line;
}

static void lines_tell_the_distance(void **state)
{
	static const u64 distances[] = { BASE, 0, 0x1000, 0ull - 0x3000 };
	u64 distance;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(distances); i++) {
		set_up(NULL);
		piece.address = 0x40000;
		execute(0x10, distances[i]);
		execute(0x1234, distances[i]);
		execute(SIZE - TRACE_MAX_CODE, distances[i]);
		distance = 1;
		assert_int_equal(code_lines_place(&lines, &piece, 1, &distance), 3);
		assert_u64(distance, distances[i]);
	}
}

static void bytes_that_the_loader_writes_may_be_anything(void **state)
{
	u64 distance;

	(void)state;
	execute(0x100, BASE)->bytes[3] ^= 0xff;
	assert_int_equal(code_lines_place(&lines, &piece, 1, &distance), 0);
	changed[0x103] = 1;
	assert_int_equal(code_lines_place(&lines, &piece, 1, &distance), 1);
	assert_u64(distance, BASE);
}

static void most_lines_win_over_chance(void **state)
{
	u64 distance;

	(void)state;
	/* Zeroes are in several places of the file, and of a page. */
	execute(ZEROES, BASE);
	execute(ZEROES + 0x100, BASE);
	execute(0x200, BASE);
	execute(0x300, BASE);
	execute(0x400, BASE + 0x7000);
	assert_int_equal(code_lines_place(&lines, &piece, 1, &distance), 4);
	assert_u64(distance, BASE);
}

static void equal_votes_say_nothing_but_for_the_addresses_of_the_file(void **state)
{
	u64 distance;

	(void)state;
	execute(0x100, BASE);
	execute(0x200, BASE + 0x1000);
	assert_int_equal(code_lines_place(&lines, &piece, 1, &distance), 0);
	set_up(NULL);
	execute(0x100, BASE);
	execute(0x200, 0);
	assert_int_equal(code_lines_place(&lines, &piece, 1, &distance), 1);
	assert_u64(distance, 0);
}

static void a_program_is_loaded_in_whole_pages(void **state)
{
	u64 distance;

	(void)state;
	execute(0x100, BASE + 0x10);
	assert_int_equal(code_lines_place(&lines, &piece, 1, &distance), 0);
}

static void code_of_nobody_and_small_pieces_do_no_harm(void **state)
{
	struct code_piece small = { .size = 4, .bytes = bytes };
	u64 distance;

	(void)state;
	execute(0x100, BASE);
	assert_int_equal(code_lines_place(&lines, &small, 1, &distance), 0);
	assert_int_equal(code_lines_place(&lines, NULL, 0, &distance), 0);
	lines.count = 0;
	assert_int_equal(code_lines_place(&lines, &piece, 1, &distance), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(lines_tell_the_distance, set_up),
		cmocka_unit_test_setup(bytes_that_the_loader_writes_may_be_anything, set_up),
		cmocka_unit_test_setup(most_lines_win_over_chance, set_up),
		cmocka_unit_test_setup(equal_votes_say_nothing_but_for_the_addresses_of_the_file,
				       set_up),
		cmocka_unit_test_setup(a_program_is_loaded_in_whole_pages, set_up),
		cmocka_unit_test_setup(code_of_nobody_and_small_pieces_do_no_harm, set_up),
	};

	return cmocka_run_group_tests_name("replay/code_lines", tests, NULL, NULL);
}
