/*
 * tests/trace/encoding.h - an encoder and a decoder for one block
 */
#ifndef TESTS_TRACE_ENCODING_H
#define TESTS_TRACE_ENCODING_H

#include "tests/test.h"
#include "tests/trace/events.h"
#include "trace/decode.h"
#include "trace/encode.h"

static inline struct trace_encoder *make_encoder(const struct trace_schema *schema)
{
	void *const memory = aligned_alloc(64, ALIGN_UP(trace_encoder_size(), 64));

	return trace_encoder_init(memory, schema, test_read_code, NULL);
}

static inline struct trace_decoder *make_decoder(const struct trace_schema *schema)
{
	void *const memory = aligned_alloc(64, ALIGN_UP(trace_decoder_size(), 64));

	return trace_decoder_init(memory, schema);
}

/* Like trace_encode_event(), and sees that the encoder tells when the block comes to its end. */
static inline enum status encode(struct trace_encoder *encoder, const struct trace_event *event)
{
	const bool had_room = trace_encoder_has_room(encoder, 0);
	const enum status status = trace_encode_next(encoder, event);
	const bool has_room = trace_encoder_has_room(encoder, 0);

	if (status == ST_END)
		assert_false(has_room);
	if (status == ST_OK)
		assert_true(has_room || !had_room);
	return status == ST_END ? ST_OK : status;
}

static inline struct trace_block_facts facts_of(const struct trace_encoder *encoder, u64 first_seq)
{
	const struct trace_encoder_state state = trace_encoder_state(encoder);

	return (struct trace_block_facts){ .cpu = 3,
					   .events = state.events,
					   .first_seq = first_seq,
					   .first_tsc = state.first_tsc };
}

#endif
