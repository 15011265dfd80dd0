#include "tests/test.h"
#include "trace/block.h"

static const u8 payload[] = "the payload of a chunk";

static size_t make_chunk(u8 *to, u32 type, const u8 *extra, u16 extra_size)
{
	const struct chunk chunk = { .type = type,
				     .cpu = 513,
				     .flags = CHUNK_PINNED,
				     .extra_size = extra_size,
				     .size = sizeof(payload),
				     .extra = extra,
				     .payload = payload };
	const size_t size = chunk_write_header(&chunk, to);

	memcpy(to + size, payload, sizeof(payload));
	return size + sizeof(payload);
}

static void a_chunk_comes_back(void **state)
{
	static const u8 extra[] = "16 bytes of this";
	u8 bytes[CHUNK_MAX_HEADER + sizeof(payload)];
	const size_t size = make_chunk(bytes, CHUNK_TYPE('T', 'E', 'S', 'T'), extra, 16);
	struct cursor in = cursor_over(bytes, size);
	struct chunk chunk;

	(void)state;
	assert_int_equal(size, CHUNK_HEADER + 16 + sizeof(payload));
	assert_memory_equal(bytes, "\xd6\x54\xc6\xb9TEST", 8);
	assert_int_equal(chunk_read_header(&in, &chunk), ST_OK);
	assert_int_equal(chunk.type, CHUNK_TYPE('T', 'E', 'S', 'T'));
	assert_int_equal(chunk.cpu, 513);
	assert_int_equal(chunk.flags, CHUNK_PINNED);
	assert_int_equal(chunk.size, sizeof(payload));
	assert_int_equal(chunk.extra_size, 16);
	assert_memory_equal(chunk.extra, extra, 16);
	assert_ptr_equal(chunk.payload, bytes + CHUNK_HEADER + 16);
	assert_int_equal(chunk_read_payload(&in, &chunk), ST_OK);
	assert_int_equal(cursor_left(&in), 0);
}

static void a_cut_chunk_may_be_completed(void **state)
{
	u8 bytes[CHUNK_MAX_HEADER + sizeof(payload)];
	const size_t size = make_chunk(bytes, CHUNK_LOSS, (const u8 *)"12345678", 8);

	(void)state;
	for (size_t cut = 0; cut < size; cut++) {
		struct cursor in = cursor_over(bytes, cut);
		struct chunk chunk;

		if (cut < CHUNK_HEADER + 8) {
			assert_int_equal(chunk_read_header(&in, &chunk), ST_TRUNCATED);
			assert_ptr_equal(in.at, bytes);
			continue;
		}
		assert_int_equal(chunk_read_header(&in, &chunk), ST_OK);
		assert_int_equal(chunk_read_payload(&in, &chunk), ST_TRUNCATED);
	}
}

static void a_flipped_bit_is_found(void **state)
{
	u8 bytes[CHUNK_MAX_HEADER + sizeof(payload)];
	const size_t size = make_chunk(bytes, CHUNK_LOSS, (const u8 *)"12345678", 8);
	const size_t header = CHUNK_HEADER + 8;

	(void)state;
	for (size_t at = 0; at < size; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct cursor in = cursor_over(bytes, size);
			struct chunk chunk;
			enum status status;

			bytes[at] ^= (u8)(1u << bit);
			status = chunk_read_header(&in, &chunk);
			if (at >= header) {
				assert_int_equal(status, ST_OK);
				assert_int_equal(chunk_read_payload(&in, &chunk), ST_CORRUPT);
				assert_int_equal(cursor_left(&in), 0);
			} else {
				/* A header that says that it is longer may seem to be cut. */
				assert_true(status == ST_CORRUPT ||
					    (at == 11 && status == ST_TRUNCATED));
				assert_ptr_equal(in.at, bytes);
			}
			bytes[at] ^= (u8)(1u << bit);
		}
}

static void the_next_chunk_is_found_by_its_sync(void **state)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t size;
		size_t found;
	} rows[] = {
		{ "nothing", "", 0, 0 },
		{ "no sync", "abcdefg", 7, 7 },
		{ "at the start", "\xd6\x54\xc6\xb9", 4, 0 },
		{ "behind some bytes", "ab\xd6\x54\xc6\xb9...", 9, 2 },
		{ "behind a false start", "\xd6\x54\xd6\x54\xc6\xb9", 6, 2 },
		{ "what may become one at the end", "ab\xd6\x54", 4, 2 },
		{ "what may not", "ab\xd6\x55", 4, 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cursor in = cursor_over(rows[i].bytes, rows[i].size);

		chunk_find(&in);
		assert_row(rows[i].name, (const char *)in.at - rows[i].bytes, rows[i].found);
	}
}

static const struct block good = { .number = 3,
				   .first_seq = 1000,
				   .first_tsc = 5,
				   .last_tsc = ~0ull,
				   .events = 20,
				   .counted = 20,
				   .dropped = 7,
				   .schema_id = 0x12345678,
				   .raw_size = sizeof(payload) + 10,
				   .codec = BLOCK_ZSTD,
				   .kinds = BIT(1) | BIT(63),
				   .last_order = 0x123456789 };

static enum status read_block(const struct block *block, u32 type, u16 extra_size,
			      struct block *back)
{
	u8 bytes[CHUNK_MAX_HEADER + sizeof(payload)], extra[BLOCK_HEADER + 8] = { 0 };
	struct cursor in;
	struct chunk chunk;

	block_write(block, extra);
	in = cursor_over(bytes, make_chunk(bytes, type, extra, extra_size));
	assert_int_equal(chunk_read_header(&in, &chunk), ST_OK);
	return block_read(&chunk, back);
}

static void a_block_header_comes_back(void **state)
{
	struct block back;

	(void)state;
	/* What a later version adds behind it does not matter. */
	for (u16 more = 0; more <= 8; more += 8) {
		memset(&back, 0, sizeof(back));
		assert_int_equal(read_block(&good, CHUNK_BLOCK, BLOCK_HEADER + more, &back), ST_OK);
		assert_u64(back.number, good.number);
		assert_u64(back.first_seq, good.first_seq);
		assert_u64(back.first_tsc, good.first_tsc);
		assert_u64(back.last_tsc, good.last_tsc);
		assert_int_equal(back.events, good.events);
		assert_int_equal(back.counted, good.counted);
		assert_int_equal(back.dropped, good.dropped);
		assert_int_equal(back.schema_id, good.schema_id);
		assert_int_equal(back.raw_size, good.raw_size);
		assert_u64(back.kinds, good.kinds);
		assert_u64(back.last_order, good.last_order);
		assert_int_equal(back.codec, good.codec);
	}
}

static void impossible_block_headers_are_refused(void **state)
{
	struct block rows[7];
	struct block back;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		rows[i] = good;
	rows[0].events = rows[0].counted = 0;
	rows[1].counted = 21;
	rows[2].raw_size = 19;
	rows[3].raw_size = CODEC_MAX_RAW + 1;
	rows[4].raw_size = sizeof(payload) - 1;
	rows[5].codec = BLOCK_RAW;
	rows[6].first_seq = BLOCK_MAX_SEQ + 1;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (read_block(&rows[i], CHUNK_BLOCK, BLOCK_HEADER, &back) != ST_CORRUPT)
			fail_msg("row %zu is accepted", i);
	assert_int_equal(read_block(&good, CHUNK_LOSS, BLOCK_HEADER, &back), ST_CORRUPT);
	assert_int_equal(read_block(&good, CHUNK_BLOCK, BLOCK_HEADER - 8, &back), ST_CORRUPT);
}

static void a_loss_comes_back(void **state)
{
	const struct loss loss = { .first_seq = 77, .events = 5, .frames = 2, .why = 1 };
	u8 bytes[CHUNK_MAX_HEADER + sizeof(payload)], extra[LOSS_HEADER];
	struct loss back = { 0 };
	struct cursor in;
	struct chunk chunk;

	(void)state;
	loss_write(&loss, extra);
	in = cursor_over(bytes, make_chunk(bytes, CHUNK_LOSS, extra, LOSS_HEADER));
	assert_int_equal(chunk_read_header(&in, &chunk), ST_OK);
	assert_int_equal(loss_read(&chunk, &back), ST_OK);
	assert_u64(back.first_seq, loss.first_seq);
	assert_int_equal(back.events, loss.events);
	assert_int_equal(back.frames, loss.frames);
	assert_int_equal(back.why, loss.why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chunk_comes_back),
		cmocka_unit_test(a_cut_chunk_may_be_completed),
		cmocka_unit_test(a_flipped_bit_is_found),
		cmocka_unit_test(the_next_chunk_is_found_by_its_sync),
		cmocka_unit_test(a_block_header_comes_back),
		cmocka_unit_test(impossible_block_headers_are_refused),
		cmocka_unit_test(a_loss_comes_back),
	};
	return cmocka_run_group_tests_name("trace/block", tests, NULL, NULL);
}
