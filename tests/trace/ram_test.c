#include "tests/test.h"
#include "trace/ram.h"

static u8 bytes[4096];

static struct ram_reader reader_of(size_t size)
{
	return (struct ram_reader){ .in = cursor_over(bytes, size) };
}

static void runs_come_back_in_any_order(void **state)
{
	static const struct {
		u64 address;
		u32 count;
	} runs[] = { { 0x1000, 1 }, { 0x1008, 3 }, { 0x800, 64 }, { BIT(52) - 16, 2 }, { 0, 1 } };
	struct ram_writer writer = { .to = bytes };
	struct ram_reader reader;
	struct ram_run run;
	u64 words[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = i * 0x0123456789abcdefull;
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		const u32 before = writer.size;

		ram_put(&writer, runs[i].address, words, runs[i].count);
		assert_true(writer.size - before <= RAM_RUN_OVERHEAD + runs[i].count * RAM_WORD);
	}
	reader = reader_of(writer.size);
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		assert_int_equal(ram_next(&reader, &run), ST_OK);
		assert_int_equal(run.address, runs[i].address);
		assert_int_equal(run.size, runs[i].count * RAM_WORD);
		assert_memory_equal(run.bytes, words, run.size);
	}
	assert_int_equal(ram_next(&reader, &run), ST_END);
}

static void what_is_no_list_is_corrupt(void **state)
{
	static const struct {
		const char *name;
		u64 address, count;
		size_t words;
	} rows[] = {
		{ "no words", 0, 0, 0 },
		{ "more words than bytes", 0, 2, 1 },
		{ "a count that overflows", 0, BIT(61), 1 },
		{ "an address beyond the end", BIT(52), 1, 1 },
		{ "a run across the end", BIT(52) - 8, 2, 2 },
		{ "an address before the start", 0 - 8ull, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ram_reader reader;
		struct ram_run run;
		u8 *to = varint_put(bytes, zigzag(rows[i].address / 8));

		if (rows[i].address > BIT(63))
			to = varint_put(bytes, zigzag(0 - 1ull));
		to = varint_put(to, rows[i].count) + rows[i].words * RAM_WORD;
		reader = reader_of((size_t)(to - bytes));
		assert_row(rows[i].name, ram_next(&reader, &run), ST_CORRUPT);
	}
}

static void every_truncation_is_noticed(void **state)
{
	struct ram_writer writer = { .to = bytes };
	const u64 words[2] = { 1, 2 };

	(void)state;
	ram_put(&writer, 0x123456780, words, 2);
	for (u32 size = 1; size < writer.size; size++) {
		struct ram_reader reader = reader_of(size);
		struct ram_run run;

		assert_int_equal(ram_next(&reader, &run), ST_CORRUPT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_come_back_in_any_order),
		cmocka_unit_test(what_is_no_list_is_corrupt),
		cmocka_unit_test(every_truncation_is_noticed),
	};
	return cmocka_run_group_tests_name("trace/ram", tests, NULL, NULL);
}
