#include "tests/scratch_path.h"
#include "tests/test.h"

#include <unistd.h>

#include "replay/core_file.h"
#include "tests/trace/events.h"

/* Pages of many values, single bytes in pages, and long runs of zeros. */
static void fill(u8 *bytes, size_t size)
{
	u64 random = 1;

	memset(bytes, 0, size);
	for (unsigned i = 0; i < 20; i++)
		bytes[test_random(&random) % size] = (u8)i;
	for (size_t at = 3 * 4096; at < 9 * 4096 + 77; at++)
		bytes[at] = (u8)test_random(&random);
}

static void memory_comes_back_and_what_is_between_is_unknown(void **state)
{
	const size_t size = MIB(2) + 100;
	u8 *const bytes = malloc(size), *const back = malloc(size + 64);
	const struct core_range ranges[] = { { 0x1000, size, bytes },
					     { 0x40000000, 5000, bytes + 4096 } };
	struct core_file *file;
	u64 random = 3;

	(void)state;
	fill(bytes, size);
	assert_int_equal(core_file_write(scratch_path, "tick 7\nrax 1\n", ranges, 2), ST_OK);
	assert_int_equal(core_file_open(scratch_path, &file), ST_OK);
	assert_string_equal(core_file_note(file), "tick 7\nrax 1\n");
	assert_int_equal(core_file_read(file, 0x1000, back, size + 64), size);
	assert_memory_equal(back, bytes, size);
	for (unsigned i = 0; i < 200; i++) {
		const size_t at = test_random(&random) % size;
		const size_t part = test_random(&random) % 9000 + 1;
		const size_t expected = MIN(part, size - at);

		assert_int_equal(core_file_read(file, 0x1000 + at, back, part), expected);
		assert_memory_equal(back, bytes + at, expected);
	}
	assert_int_equal(core_file_read(file, 0xfff, back, 10), 0);
	assert_int_equal(core_file_read(file, 0x1000 + size, back, 10), 0);
	assert_int_equal(core_file_read(file, 0x40000000 + 4990, back, 100), 10);
	assert_int_equal(core_file_read(file, ~0ull, back, 10), 0);
	core_file_close(file);
	free(bytes);
	free(back);
}

static void zeros_take_no_room(void **state)
{
	const size_t size = MIB(64);
	u8 *const bytes = calloc(1, size);
	const struct core_range range = { 0, size, bytes };
	struct core_file *file;
	FILE *written;
	u8 byte = 1;

	(void)state;
	assert_int_equal(core_file_write(scratch_path, "", &range, 1), ST_OK);
	written = fopen(scratch_path, "r");
	fseek(written, 0, SEEK_END);
	assert_true(ftell(written) < 1000);
	fclose(written);
	assert_int_equal(core_file_open(scratch_path, &file), ST_OK);
	assert_int_equal(core_file_read(file, size - 1, &byte, 1), 1);
	assert_int_equal(byte, 0);
	core_file_close(file);
	free(bytes);
}

static void a_damaged_file_does_no_harm(void **state)
{
	u8 bytes[3 * 4096], file_bytes[20000], changed[sizeof(file_bytes)], back[64];
	const struct core_range range = { 0x1000, sizeof(bytes), bytes };
	struct core_file *file;
	u64 random = 5;
	size_t size;
	FILE *io;

	(void)state;
	memset(bytes, 7, sizeof(bytes));
	assert_int_equal(core_file_write(scratch_path, "note", &range, 1), ST_OK);
	io = fopen(scratch_path, "rb");
	size = fread(file_bytes, 1, sizeof(file_bytes), io);
	fclose(io);
	for (unsigned i = 0; i < 3000; i++) {
		const size_t cut = i % 3 ? size : test_random(&random) % size;

		memcpy(changed, file_bytes, size);
		for (unsigned k = 0; k <= i % 4; k++)
			changed[test_random(&random) % 400] = (u8)test_random(&random);
		io = fopen(scratch_path, "wb");
		fwrite(changed, 1, cut, io);
		fclose(io);
		if (core_file_open(scratch_path, &file) != ST_OK)
			continue;
		core_file_read(file, 0x1000, back, sizeof(back));
		core_file_read(file, test_random(&random), back, sizeof(back));
		assert_true(strlen(core_file_note(file)) < 65537);
		core_file_close(file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_comes_back_and_what_is_between_is_unknown),
		cmocka_unit_test(zeros_take_no_room),
		cmocka_unit_test(a_damaged_file_does_no_harm),
	};

	return cmocka_run_group_tests_name("replay/core_file", tests, make_scratch_path,
					   remove_scratch_path);
}
