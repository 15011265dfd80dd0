#include "base/cursor.h"
#include "tests/test.h"

static void numbers_are_little_endian_and_move_the_cursor(void **state)
{
	static const u8 bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct cursor cursor = cursor_over(bytes, sizeof(bytes));

	(void)state;
	assert_u64(cursor_u8(&cursor), 0x01);
	assert_u64(cursor_u16(&cursor), 0x0302);
	assert_u64(cursor_u32(&cursor), 0x07060504);
	assert_u64(cursor_u64(&cursor), 0x0f0e0d0c0b0a0908);
	assert_int_equal(cursor_left(&cursor), 0);
	assert_int_equal(cursor.status, ST_OK);
}

static void first_access_beyond_the_end_sticks_and_moves_nothing(void **state)
{
	static const u8 bytes[] = { 1, 2, 3 };
	struct cursor cursor = cursor_over(bytes, sizeof(bytes));

	(void)state;
	assert_u64(cursor_u8(&cursor), 1);
	assert_u64(cursor_u32(&cursor), 0);
	assert_int_equal(cursor.status, ST_TRUNCATED);
	assert_int_equal(cursor_left(&cursor), 2);
	/* There is room for this one, but the error came first. */
	assert_u64(cursor_u8(&cursor), 0);
	assert_null(cursor_take(&cursor, 1));
	assert_int_equal(cursor_left(&cursor), 2);
}

static void taking_nothing_at_the_end_is_no_error(void **state)
{
	static const u8 byte = 1;
	struct cursor cursor = cursor_over(&byte, 1);

	(void)state;
	assert_ptr_equal(cursor_take(&cursor, 1), &byte);
	assert_ptr_equal(cursor_take(&cursor, 0), &byte + 1);
	assert_int_equal(cursor.status, ST_OK);
	assert_null(cursor_take(&cursor, ~(size_t)0));
	assert_int_equal(cursor.status, ST_TRUNCATED);
}

static void varints_come_back_in_the_bytes_they_need(void **state)
{
	static const struct {
		u64 value;
		size_t size;
	} rows[] = {
		{ 0, 1 },	 { 0x7f, 1 },	    { 0x80, 2 },    { 0x3fff, 2 },
		{ 0x4000, 3 },	 { 0xffffffff, 5 }, { BIT(62), 9 }, { BIT(63) - 1, 9 },
		{ BIT(63), 10 }, { ~0ull, 10 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u8 bytes[11];
		struct cursor cursor;
		char name[32];

		snprintf(name, sizeof(name), "0x%llx", (unsigned long long)rows[i].value);
		assert_row(name, (u64)(varint_put(bytes, rows[i].value) - bytes), rows[i].size);
		cursor = cursor_over(bytes, rows[i].size);
		assert_row(name, cursor_varint(&cursor), rows[i].value);
		assert_row(name, cursor_left(&cursor), 0);
		cursor = cursor_over(bytes, rows[i].size - 1);
		cursor_varint(&cursor);
		assert_row(name, cursor.status, ST_TRUNCATED);
	}
}

static void varints_longer_than_64_bits_are_corrupt(void **state)
{
	static const struct {
		const char *name;
		u8 bytes[12];
	} rows[] = {
		{ "eleven bytes",
		  { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1 } },
		{ "bit 64", { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2 } },
		{ "bits 64 to 69", { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cursor cursor = cursor_over(rows[i].bytes, sizeof(rows[i].bytes));

		assert_row(rows[i].name, cursor_varint(&cursor), 0);
		assert_row(rows[i].name, cursor.status, ST_CORRUPT);
	}
}

static void small_differences_of_either_sign_become_small(void **state)
{
	static const struct {
		s64 value;
		u64 coded;
	} rows[] = {
		{ 0, 0 },
		{ -1, 1 },
		{ 1, 2 },
		{ -2, 3 },
		{ INT64_MAX, ~0ull - 1 },
		{ INT64_MIN, ~0ull },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_u64(zigzag((u64)rows[i].value), rows[i].coded);
		assert_u64(unzigzag(rows[i].coded), (u64)rows[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_little_endian_and_move_the_cursor),
		cmocka_unit_test(first_access_beyond_the_end_sticks_and_moves_nothing),
		cmocka_unit_test(taking_nothing_at_the_end_is_no_error),
		cmocka_unit_test(varints_come_back_in_the_bytes_they_need),
		cmocka_unit_test(varints_longer_than_64_bits_are_corrupt),
		cmocka_unit_test(small_differences_of_either_sign_become_small),
	};

	return cmocka_run_group_tests_name("base/cursor", tests, NULL, NULL);
}
