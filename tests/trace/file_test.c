#include "tests/scratch_path.h"
#include "tests/test.h"

#include "base/crc32c.h"
#include "trace/file.h"

/* Appends a block of @events events, which nobody decodes here. */
static void append_block(struct tape_writer *writer, u16 cpu, u64 first_seq, u32 events)
{
	static const u8 payload[100] = { 1, 2, 3 };
	const struct block block = { .first_seq = first_seq,
				     .first_tsc = first_seq * 10,
				     .last_tsc = (first_seq + events) * 10,
				     .events = events,
				     .counted = events - 1,
				     .dropped = 3,
				     .raw_size = sizeof(payload) };
	u8 extra[BLOCK_HEADER], header[CHUNK_MAX_HEADER];
	const struct chunk chunk = { .type = CHUNK_BLOCK,
				     .cpu = cpu,
				     .extra_size = BLOCK_HEADER,
				     .size = sizeof(payload),
				     .extra = extra,
				     .payload = payload };

	block_write(&block, extra);
	chunk_write_header(&chunk, header);
	assert_int_equal(tape_append(writer, &chunk, header), ST_OK);
}

static void append_unknown(struct tape_writer *writer)
{
	const struct chunk chunk = { .type = CHUNK_TYPE('N', 'E', 'W', '!') };
	u8 header[CHUNK_MAX_HEADER];

	chunk_write_header(&chunk, header);
	assert_int_equal(tape_append(writer, &chunk, header), ST_OK);
}

static void write_tape(bool finish, bool complete)
{
	struct tape_writer *writer;

	assert_int_equal(tape_create(scratch_path, &writer), ST_OK);
	append_block(writer, 0, 0, 5);
	append_unknown(writer);
	append_block(writer, 1, 0, 7);
	append_block(writer, 0, 8, 9);
	if (finish)
		assert_int_equal(tape_finish(writer, complete), ST_OK);
	assert_int_equal(tape_close(writer), ST_OK);
}

static void open_tape(struct tape *tape)
{
	char error[200];

	if (tape_open(scratch_path, tape, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
}

static void chunks_are_found_and_the_index_agrees(void **state)
{
	struct tape tape;
	u64 offset;

	(void)state;
	write_tape(true, true);
	open_tape(&tape);
	assert_int_equal(tape.version, TAPE_VERSION);
	assert_true(tape.finished);
	assert_true(tape.complete);
	assert_string_equal(tape.damage, "");
	assert_int_equal(tape.unknown_chunks, 1);
	assert_int_equal(tape.chunk_count, 3);
	assert_int_equal(tape.index_count, 3);
	for (unsigned i = 0; i < 3; i++) {
		const u8 *const entry = tape.index + i * TAPE_INDEX_ENTRY;
		const struct tape_chunk *const chunk = &tape.chunks[i];

		assert_memory_equal(entry, &chunk->offset, 8);
		assert_memory_equal(entry + 8, &chunk->block.first_seq, 8);
		assert_memory_equal(entry + 16, &chunk->block.first_tsc, 8);
		assert_memory_equal(entry + 24, &chunk->block.last_tsc, 8);
		assert_memory_equal(entry + 32, &chunk->block.events, 4);
		assert_memory_equal(entry + 36, &chunk->block.counted, 4);
		assert_memory_equal(entry + 40, &chunk->block.dropped, 4);
		assert_memory_equal(entry + 44, &chunk->chunk.cpu, 2);
	}
	assert_u64(tape_index_end(&tape, 0), 17);
	assert_u64(tape_index_end(&tape, 1), 7);
	assert_u64(tape_index_end(&tape, 2), 0);
	/* The last 16 bytes of the file lead to the index. */
	memcpy(&offset, tape.bytes + tape.size - 16, 8);
	assert_memory_equal(tape.bytes + offset + 4, "INDX", 4);
	assert_memory_equal(tape.bytes + tape.size - 8, TAPE_INDEX_MAGIC, 8);
	tape_unmap(&tape);
}

static void a_tape_without_an_index_is_cut(void **state)
{
	struct tape tape;

	(void)state;
	write_tape(false, false);
	open_tape(&tape);
	assert_false(tape.finished);
	assert_int_equal(tape.chunk_count, 3);
	assert_string_equal(tape.damage, "it ends without an index: the recording was cut off");
	tape_unmap(&tape);

	write_tape(true, false);
	open_tape(&tape);
	assert_true(tape.finished);
	assert_false(tape.complete);
	assert_string_equal(tape.damage, "");
	tape_unmap(&tape);
}

static void bytes_behind_the_index_are_damage(void **state)
{
	struct tape tape;
	FILE *file;

	(void)state;
	write_tape(true, true);
	file = fopen(scratch_path, "ab");
	fputs("more", file);
	fclose(file);
	open_tape(&tape);
	assert_false(tape.finished);
	assert_int_equal(tape.chunk_count, 3);
	assert_true(strlen(tape.damage) > 0);
	tape_unmap(&tape);
}

static void a_longer_header_is_read(void **state)
{
	u8 bytes[TAPE_HEADER + 8] = TAPE_MAGIC;
	const u16 version = TAPE_VERSION, size = sizeof(bytes);
	struct tape tape;
	char error[200];
	u32 crc;

	(void)state;
	memcpy(bytes + 8, &version, 2);
	memcpy(bytes + 10, &size, 2);
	memset(bytes + 30, 0x77, 6);
	crc = crc32c(0, bytes, sizeof(bytes) - 4);
	memcpy(bytes + sizeof(bytes) - 4, &crc, 4);
	assert_int_equal(tape_open_memory("it", bytes, sizeof(bytes), &tape, error, sizeof(error)),
			 ST_OK);
	assert_int_equal(tape.chunk_count, 0);
	tape_free(&tape);
}

static void a_disk_that_is_full_is_told(void **state)
{
	struct tape_writer *writer;
	enum status status;

	(void)state;
	assert_int_equal(tape_create("/nowhere/x", &writer), ST_IO);
	assert_null(writer);
	status = tape_create("/dev/full", &writer);
	for (unsigned i = 0; status == ST_OK && i < 10; i++)
		status = tape_finish(writer, true);
	assert_int_equal(status, ST_IO);
	assert_int_equal(tape_close(writer), ST_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_are_found_and_the_index_agrees),
		cmocka_unit_test(a_tape_without_an_index_is_cut),
		cmocka_unit_test(bytes_behind_the_index_are_damage),
		cmocka_unit_test(a_longer_header_is_read),
		cmocka_unit_test(a_disk_that_is_full_is_told),
	};
	return cmocka_run_group_tests_name("trace/file", tests, make_scratch_path,
					   remove_scratch_path);
}
