/*
 * tests/golden/future_tape.h - the tape of a vmxtape to come (tests/trace/future.h)
 *
 * Besides kinds and columns that nobody knows yet it has chunks of an unknown type, and block
 * headers that are longer than today's. tests/golden/1/future.vxt is such a tape.
 */
#ifndef TESTS_GOLDEN_FUTURE_TAPE_H
#define TESTS_GOLDEN_FUTURE_TAPE_H

#include <stdlib.h>
#include <string.h>

#include "tests/trace/events.h"
#include "tests/trace/future.h"
#include "trace/encode.h"
#include "trace/file.h"
#include "trace/pack.h"

#define FUTURE_EVENTS 400

/* Makes the next event from number @n on that has few bytes; returns the number after it. */
static inline u64 future_event(const struct trace_schema *schema, u64 n, struct test_event *to)
{
	do
		test_event(schema, n++, to);
	while (to->event.item_count > 10 || to->event.byte_count > 40);
	return n;
}

struct future_tape {
	struct tape_writer *writer;
	const struct trace_schema *schema;
	struct block block;
};

static inline void future_append(struct future_tape *tape, struct chunk *chunk)
{
	u8 header[CHUNK_MAX_HEADER];

	chunk_write_header(chunk, header);
	if (tape_append(tape->writer, chunk, header) != ST_OK)
		exit(1);
}

static inline void future_append_schema(struct future_tape *tape)
{
	static u8 bytes[SCHEMA_MAX_SIZE];
	struct chunk chunk = { .type = CHUNK_SCHEMA, .flags = CHUNK_PINNED, .payload = bytes };

	chunk.size = (u32)trace_schema_write(tape->schema, bytes);
	future_append(tape, &chunk);
}

static inline void future_append_unknown(struct future_tape *tape)
{
	struct chunk chunk = { .type = CHUNK_TYPE('F', 'U', 'T', 'R'),
			       .extra_size = 8,
			       .size = 5,
			       .extra = (const u8 *)"whatever",
			       .payload = (const u8 *)"comes" };

	future_append(tape, &chunk);
}

static inline void future_append_block(struct future_tape *tape, struct trace_encoder *encoder,
				       struct trace_packer *packer)
{
	static u8 raw[CODEC_MAX_RAW], frame[PACK_MAX_FRAME];
	const struct trace_encoder_state state = trace_encoder_state(encoder);
	u8 extra[BLOCK_HEADER + 16] = { 0 };
	struct chunk chunk = { .type = CHUNK_BLOCK, .extra_size = sizeof(extra), .extra = extra };
	size_t packed;
	enum status status;

	tape->block.first_tsc = state.first_tsc;
	tape->block.last_tsc = state.last_tsc;
	tape->block.events = state.events;
	tape->block.counted = state.counted;
	tape->block.kinds = state.kinds;
	tape->block.last_order = state.last_order;
	tape->block.schema_id = tape->schema->id;
	tape->block.raw_size = (u32)trace_encoder_finish(encoder, raw);
	status = trace_pack_start(packer, raw, tape->block.raw_size, frame);
	while (status == ST_OK)
		status = trace_pack_slice(packer, &packed);
	/* One block of each kind. */
	tape->block.codec = status == ST_END && tape->block.number % 2 ? BLOCK_ZSTD : BLOCK_RAW;
	chunk.size = tape->block.codec == BLOCK_ZSTD ? (u32)packed : tape->block.raw_size;
	chunk.payload = tape->block.codec == BLOCK_ZSTD ? frame : raw;
	block_write(&tape->block, extra);
	memset(extra + BLOCK_HEADER, 0x5a, sizeof(extra) - BLOCK_HEADER);
	future_append(tape, &chunk);
	tape->block.number++;
	tape->block.first_seq += tape->block.events;
	trace_encoder_reset(encoder);
}

/* Writes the tape @path; @every as for future_schema(). False when that fails. */
static inline bool future_make(const char *path, bool every)
{
	struct future_tape tape = { .schema = future_schema(every) };
	void *const memory = aligned_alloc(64, ALIGN_UP(trace_encoder_size(), 64));
	void *const workspace = aligned_alloc(64, ALIGN_UP(trace_packer_size(), 64));
	struct trace_encoder *const encoder =
		trace_encoder_init(memory, tape.schema, test_read_code, NULL);
	struct trace_packer *const packer = trace_packer_init(workspace);
	static struct test_event made;
	u64 number = 0;
	bool good = tape_create(path, &tape.writer) == ST_OK;

	if (good)
		future_append_schema(&tape);
	for (unsigned i = 0; i < FUTURE_EVENTS && good; i++) {
		if (i == FUTURE_EVENTS / 3 || i == FUTURE_EVENTS / 2) {
			future_append_block(&tape, encoder, packer);
			future_append_unknown(&tape);
		}
		number = future_event(tape.schema, number, &made);
		good = trace_encode_event(encoder, &made.event) == ST_OK;
	}
	if (good) {
		future_append_block(&tape, encoder, packer);
		good = tape_finish(tape.writer, true) == ST_OK && tape_close(tape.writer) == ST_OK;
	}
	free(memory);
	free(workspace);
	return good;
}

#endif
