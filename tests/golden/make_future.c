/*
 * make_future TAPE - write the tape of a vmxtape to come (tests/trace/future.h)
 *
 * Besides kinds and columns that nobody knows yet it has a chunk of an unknown type and block
 * headers that are longer than today's. tests/golden/draft/future.vxt was made by this and stays:
 * it must be read by every later version, so it is made anew only while the format is a draft.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/golden/future_tape.h"
#include "trace/encode.h"
#include "trace/file.h"
#include "trace/pack.h"

static struct tape_writer *tape;
static struct block block;

static void append(struct chunk *chunk)
{
	u8 header[CHUNK_MAX_HEADER];

	chunk_write_header(chunk, header);
	if (tape_append(tape, chunk, header) != ST_OK)
		exit(1);
}

static void append_schema(void)
{
	static u8 bytes[SCHEMA_MAX_SIZE];
	struct chunk chunk = { .type = CHUNK_SCHEMA, .flags = CHUNK_PINNED, .payload = bytes };

	chunk.size = (u32)trace_schema_write(future_schema(), bytes);
	append(&chunk);
}

static void append_unknown(void)
{
	struct chunk chunk = { .type = CHUNK_TYPE('F', 'U', 'T', 'R'),
			       .extra_size = 8,
			       .size = 5,
			       .extra = (const u8 *)"whatever",
			       .payload = (const u8 *)"comes" };

	append(&chunk);
}

static void append_block(struct trace_encoder *encoder, struct trace_packer *packer)
{
	static u8 raw[CODEC_MAX_RAW], frame[PACK_MAX_FRAME];
	const struct trace_encoder_state state = trace_encoder_state(encoder);
	u8 extra[BLOCK_HEADER + 16] = { 0 };
	struct chunk chunk = { .type = CHUNK_BLOCK, .extra_size = sizeof(extra), .extra = extra };
	size_t packed;
	enum status status;

	block.first_tsc = state.first_tsc;
	block.last_tsc = state.last_tsc;
	block.events = state.events;
	block.counted = state.counted;
	block.kinds = state.kinds;
	block.last_order = state.last_order;
	block.schema_id = future_schema()->id;
	block.raw_size = (u32)trace_encoder_finish(encoder, raw);
	status = trace_pack_start(packer, raw, block.raw_size, frame);
	while (status == ST_OK)
		status = trace_pack_slice(packer, &packed);
	/* One block of each kind. */
	block.codec = status == ST_END && block.number % 2 ? BLOCK_ZSTD : BLOCK_RAW;
	chunk.size = block.codec == BLOCK_ZSTD ? (u32)packed : block.raw_size;
	chunk.payload = block.codec == BLOCK_ZSTD ? frame : raw;
	block_write(&block, extra);
	memset(extra + BLOCK_HEADER, 0x5a, sizeof(extra) - BLOCK_HEADER);
	append(&chunk);
	block.number++;
	block.first_seq += block.events;
	trace_encoder_reset(encoder);
}

int main(int argc, char **argv)
{
	void *const memory = aligned_alloc(64, ALIGN_UP(trace_encoder_size(), 64));
	void *const workspace = aligned_alloc(64, ALIGN_UP(trace_packer_size(), 64));
	struct trace_encoder *const encoder =
		trace_encoder_init(memory, future_schema(), test_read_code, NULL);
	struct trace_packer *const packer = trace_packer_init(workspace);
	static struct test_event made;
	u64 number = 0;

	if (argc != 2 || tape_create(argv[1], &tape) != ST_OK) {
		fprintf(stderr, "usage: make_future TAPE\n");
		return 1;
	}
	append_schema();
	for (unsigned i = 0; i < FUTURE_EVENTS; i++) {
		if (i == FUTURE_EVENTS / 3 || i == FUTURE_EVENTS / 2) {
			append_block(encoder, packer);
			append_unknown();
		}
		number = future_event(future_schema(), number, &made);
		if (trace_encode_event(encoder, &made.event) != ST_OK)
			return 1;
	}
	append_block(encoder, packer);
	return tape_finish(tape, true) != ST_OK || tape_close(tape) != ST_OK;
}
