/*
 * trace/decode.h - the payload of a block back into events
 *
 * A decoder belongs to a schema and reads one block after the other. Nothing in a payload can make
 * it read or write out of bounds, or go on for ever; a payload that contradicts itself ends with
 * ST_CORRUPT.
 */
#ifndef TRACE_DECODE_H
#define TRACE_DECODE_H

#include "trace/codec.h"

struct trace_decoder;

/* Bytes that a decoder needs. */
size_t trace_decoder_size(void);

/* Make a decoder in @memory (trace_decoder_size() bytes, 64-byte aligned). @schema outlives it. */
struct trace_decoder *trace_decoder_init(void *memory, const struct trace_schema *schema);

/* What the header of a block says of its payload. */
struct trace_block_facts {
	u16 cpu;
	u32 events;
	u64 first_seq;
	u64 first_tsc;
};

/*
 * Begin to read the @size bytes at @payload, which must stay until the last event was used.
 * ST_CORRUPT when they are no payload or contradict @facts.
 */
enum status trace_decoder_open(struct trace_decoder *decoder, const void *payload, size_t size,
			       const struct trace_block_facts *facts);

/*
 * The next event. It and all it points to hold until the next call. Its col has TRACE_MAX_COLUMNS
 * values, 0 behind the columns that the tape has.
 *
 * ST_END behind the last event, ST_CORRUPT when the rest cannot be read.
 */
enum status trace_decode_event(struct trace_decoder *decoder, const struct trace_event **event);

/*
 * Pass over @count events, as if each had been decoded but with less work. Returns how many were
 * passed: fewer, when trace_decode_event() does not say ST_OK for the next one.
 */
u64 trace_decoder_skip(struct trace_decoder *decoder, u64 count);

#endif
