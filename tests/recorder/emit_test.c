#include "tests/test.h"
#include "tests/recorder/recording.h"
#include "trace/block.h"

/* Takes everything off the ring and calls @on_chunk for each chunk in it. */
static unsigned chunks_of(struct recording *recording,
			  void (*on_chunk)(void *owner, const struct chunk *chunk), void *owner)
{
	const size_t size = ring_readable(recording->ring);
	u8 *const bytes = malloc(size + 1);
	struct cursor in = cursor_over(bytes, size);
	struct chunk chunk;
	unsigned count = 0;

	assert_int_equal(ring_read(recording->ring, bytes, size), size);
	for (; cursor_left(&in); count++) {
		assert_int_equal(chunk_read_header(&in, &chunk), ST_OK);
		assert_int_equal(chunk_read_payload(&in, &chunk), ST_OK);
		on_chunk(owner, &chunk);
	}
	free(bytes);
	return count;
}

struct blocks {
	unsigned count;
	unsigned packed;
	unsigned pinned;
	unsigned framed; /* say that they have key frames */
	unsigned losses;
	struct loss loss;
	u64 next_seq; /* of the last block, and what follows it */
	u64 next_number;
	u64 told; /* events that headers said were dropped */
};

static void take(void *owner, const struct chunk *chunk)
{
	struct blocks *const blocks = owner;
	struct block block;

	if (chunk->type == CHUNK_LOSS) {
		assert_int_equal(loss_read(chunk, &blocks->loss), ST_OK);
		blocks->losses++;
	}
	if (chunk->type != CHUNK_BLOCK)
		return;
	assert_int_equal(block_read(chunk, &block), ST_OK);
	assert_int_equal(block.schema_id, trace_schema_builtin()->id);
	assert_u64(block.first_seq, blocks->next_seq + block.dropped);
	assert_true(block.number >= blocks->next_number);
	assert_int_equal(block.number > blocks->next_number, block.dropped > 0);
	blocks->told += block.dropped;
	blocks->next_seq = block.first_seq + block.events;
	blocks->next_number = block.number + 1;
	blocks->count++;
	blocks->framed += block.kinds & block_kind(EV_VMX_STATE) ? 1 : 0;
	blocks->packed += block.codec == BLOCK_ZSTD;
	blocks->pinned += chunk->flags & CHUNK_PINNED;
}

static void the_head_is_a_schema_and_pinned_blocks(void **state)
{
	struct recording recording;
	struct blocks blocks = { 0 };

	(void)state;
	recording_start(&recording, MIB(1), true);
	assert_int_equal(chunks_of(&recording, take, &blocks), 2);
	assert_int_equal(blocks.pinned, 1);
	assert_u64(blocks.next_seq, 8);
	recording_free(&recording);
}

static void key_frames_begin_every_block(void **state)
{
	struct recording recording;
	struct blocks blocks = { 0 };

	(void)state;
	recording_start(&recording, MIB(16), false);
	recording_emit(&recording, 10000);
	/* The next block was begun when the last one was full, not when its first event came. */
	const u64 before = recording.key_frames;

	rec_seal(recording.rec);
	assert_u64(recording.key_frames, before + 1);
	rec_seal(recording.rec);
	assert_u64(recording.key_frames, before + 1);
	rec_flush(recording.rec);
	chunks_of(&recording, take, &blocks);
	assert_true(blocks.count > 5);
	assert_int_equal(blocks.framed, blocks.count - blocks.pinned);
	/* Of the block that stayed empty nothing was written. */
	assert_int_equal(recording.key_frames, blocks.count - blocks.pinned + 1);
	assert_u64(blocks.next_seq, 8 + 10000 + recording.key_frames - 1);
	recording_free(&recording);
}

static void a_flush_of_key_frames_alone_leaves_no_hole(void **state)
{
	struct recording recording;
	struct blocks blocks = { 0 };

	(void)state;
	recording_start(&recording, MIB(1), false);
	for (unsigned i = 0; i < 3; i++) {
		rec_flush(recording.rec);
		rec_flush(recording.rec);
		recording_emit(&recording, 1);
	}
	rec_flush(recording.rec);
	/* take() demands that no number is missing. */
	chunks_of(&recording, take, &blocks);
	assert_int_equal(blocks.count - blocks.pinned, 3);
	assert_u64(blocks.next_seq, 8 + 2 * 3);
	recording_free(&recording);
}

static void key_frames_behind_a_flush_are_made_when_asked_for(void **state)
{
	struct recording recording;
	struct blocks blocks = { 0 };

	(void)state;
	recording_start(&recording, MIB(1), false);
	for (unsigned i = 0; i < 3; i++) {
		u64 before;

		rec_flush(recording.rec);
		before = recording.key_frames;
		rec_open(recording.rec);
		assert_u64(recording.key_frames, before + 1);
		rec_open(recording.rec);
		recording_emit(&recording, 1);
		assert_u64(recording.key_frames, before + 1);
	}
	rec_flush(recording.rec);
	chunks_of(&recording, take, &blocks);
	assert_int_equal(blocks.count - blocks.pinned, 3);
	assert_u64(blocks.next_seq, 8 + 2 * 3);
	recording_free(&recording);
}

static void a_full_ring_drops_blocks_and_tells(void **state)
{
	struct recording recording;
	struct blocks blocks = { 0 };

	(void)state;
	recording_start(&recording, KIB(512), false);
	recording_emit(&recording, 20000);
	chunks_of(&recording, take, &blocks);
	assert_u64(blocks.told, 0);
	/* The blocks in waiting are older than what was dropped. */
	recording_emit(&recording, 3000);
	do
		rec_flush(recording.rec);
	while (chunks_of(&recording, take, &blocks));
	assert_true(blocks.told > 5000);
	assert_u64(blocks.next_seq, 8 + 23000 + recording.key_frames);
	assert_int_equal(blocks.losses, 0);
	recording_free(&recording);
}

static void drops_behind_the_last_block_are_told_too(void **state)
{
	struct recording recording;
	struct blocks blocks = { 0 };
	unsigned rounds = 0;

	(void)state;
	recording_start(&recording, KIB(512), false);
	recording_emit(&recording, 20000);
	/* The ring is full, so each flush puts a part into what the line made free. */
	do {
		rec_flush(recording.rec);
		rounds++;
	} while (chunks_of(&recording, take, &blocks));
	assert_true(rounds > 2);
	assert_int_equal(blocks.losses, 1);
	assert_u64(blocks.loss.first_seq, blocks.next_seq);
	assert_u64(blocks.loss.why, GAP_RING_FULL);
	assert_u64(blocks.next_seq + blocks.loss.events, 8 + 20000 + recording.key_frames);
	recording_free(&recording);
}

struct flight {
	u64 first_seq; /* of the oldest block behind the head */
	u64 next_seq;
	unsigned pinned;
	unsigned count;
};

static void take_flight(void *owner, const struct chunk *chunk)
{
	struct flight *const flight = owner;
	struct block block;

	if (chunk->type != CHUNK_BLOCK)
		return;
	assert_int_equal(block_read(chunk, &block), ST_OK);
	assert_int_equal(block.dropped, 0);
	if (chunk->flags & CHUNK_PINNED) {
		flight->pinned++;
		return;
	}
	assert_int_equal(chunk->flags, CHUNK_OVERWRITES);
	if (!flight->count++)
		flight->first_seq = block.first_seq;
	else
		assert_u64(block.first_seq, flight->next_seq);
	flight->next_seq = block.first_seq + block.events;
}

static void a_flight_recorder_keeps_its_head_and_the_newest_blocks(void **state)
{
	struct recording recording;
	struct flight flight = { 0 };

	(void)state;
	recording_start(&recording, KIB(512), false);
	ring_set_overwrite(recording.ring);
	recording_emit(&recording, 30000);
	rec_flush(recording.rec);
	chunks_of(&recording, take_flight, &flight);
	assert_int_equal(flight.pinned, 1);
	assert_true(flight.count >= 4);
	assert_true(flight.first_seq > 8 + 20000);
	assert_u64(flight.next_seq, 8 + 30000 + recording.key_frames);
	recording_free(&recording);
}

static void images_that_are_lost_are_not_referred_to(void **state)
{
	struct recording recording;
	struct blocks blocks = { 0 };

	(void)state;
	recording_start(&recording, KIB(512), false);
	/* The head was block 0; block 1 is open, and given up with its key frames. */
	assert_true(rec_image_holds(recording.rec, 1));
	rec_flush(recording.rec);
	assert_false(rec_image_holds(recording.rec, 1));
	recording_emit(&recording, 1);
	rec_seal(recording.rec);
	assert_true(rec_image_holds(recording.rec, 2));
	/* The ring is full, and blocks are dropped. */
	recording_emit(&recording, 20000);
	assert_false(rec_image_holds(recording.rec, 5));
	chunks_of(&recording, take, &blocks);
	recording_free(&recording);

	recording_start(&recording, MIB(1), false);
	ring_set_overwrite(recording.ring);
	assert_true(rec_image_holds(recording.rec, 1));
	recording_emit(&recording, 10000);
	assert_false(rec_image_holds(recording.rec, 1));
	recording_free(&recording);
}

static void blocks_are_packed_when_there_is_time(void **state)
{
	static const struct {
		const char *name;
		unsigned slices; /* after each event */
		unsigned at_least;
		unsigned at_most; /* percent that is packed */
	} rows[] = {
		{ "never", 0, 0, 0 },
		{ "always", 1, 95, 100 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct recording recording;
		struct blocks blocks = { 0 };

		recording_start(&recording, MIB(16), true);
		for (unsigned n = 0; n < 20000; n++) {
			recording_emit(&recording, 1);
			for (unsigned j = 0; j < rows[i].slices; j++)
				rec_pack_slice(recording.rec);
		}
		rec_seal(recording.rec);
		while (rows[i].slices && rec_pack_slice(recording.rec))
			;
		rec_flush(recording.rec);
		chunks_of(&recording, take, &blocks);
		blocks.count -= blocks.pinned;
		assert_true(blocks.packed * 100 >= blocks.count * rows[i].at_least);
		assert_true(blocks.packed * 100 <= blocks.count * rows[i].at_most);
		assert_u64(blocks.told, 0);
		recording_free(&recording);
	}
}

static void packing_is_urgent_before_the_buffers_run_out(void **state)
{
	struct recording recording;
	struct blocks blocks = { 0 };

	(void)state;
	recording_start(&recording, MIB(16), true);
	chunks_of(&recording, take, &blocks);
	assert_false(rec_pack_urgent(recording.rec));
	while (!rec_pack_urgent(recording.rec))
		recording_emit(&recording, 1);
	/* Nothing had to go raw so far. */
	assert_int_equal(ring_readable(recording.ring), 0);
	while (rec_pack_urgent(recording.rec))
		assert_true(rec_pack_slice(recording.rec));
	recording_free(&recording);
}

static void a_ring_that_cannot_hold_the_head_says_so(void **state)
{
	static const struct rec_ops ops = { .read_code = test_read_code,
					    .key_frames = recording_key_frames };
	struct recording recording = { 0 };

	(void)state;
	recording.ring_memory = aligned_alloc(4096, 4096);
	recording.rec_memory = aligned_alloc(64, ALIGN_UP(rec_size(), 64));
	recording.ring = ring_init(recording.ring_memory, 4096);
	recording.rec = rec_init(recording.rec_memory, recording.ring, 0, &ops, &recording, true);
	assert_int_equal(rec_head(recording.rec, recording_boot_record), ST_NO_SPACE);
	recording_free(&recording);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_head_is_a_schema_and_pinned_blocks),
		cmocka_unit_test(key_frames_begin_every_block),
		cmocka_unit_test(a_flush_of_key_frames_alone_leaves_no_hole),
		cmocka_unit_test(key_frames_behind_a_flush_are_made_when_asked_for),
		cmocka_unit_test(a_full_ring_drops_blocks_and_tells),
		cmocka_unit_test(drops_behind_the_last_block_are_told_too),
		cmocka_unit_test(a_flight_recorder_keeps_its_head_and_the_newest_blocks),
		cmocka_unit_test(images_that_are_lost_are_not_referred_to),
		cmocka_unit_test(blocks_are_packed_when_there_is_time),
		cmocka_unit_test(packing_is_urgent_before_the_buffers_run_out),
		cmocka_unit_test(a_ring_that_cannot_hold_the_head_says_so),
	};
	return cmocka_run_group_tests_name("recorder/emit", tests, NULL, NULL);
}
