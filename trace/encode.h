/*
 * trace/encode.h - events into the payload of a block
 *
 * One encoder holds the open block of one CPU. It allocates nothing and never fails on what an
 * event holds: what the format cannot carry (more than TRACE_MAX_ITEMS items, bytes beyond
 * TRACE_MAX_BYTES) is cut off.
 */
#ifndef TRACE_ENCODE_H
#define TRACE_ENCODE_H

#include "trace/codec.h"

struct trace_encoder;

/* See struct rec_ops; NULL records no instruction bytes. */
typedef unsigned (*trace_read_code)(void *owner, unsigned level, u64 rip, u8 *to);

/* Bytes that an encoder needs. */
size_t trace_encoder_size(void);

/*
 * Make an encoder in @memory (trace_encoder_size() bytes, 64-byte aligned) with an empty block. All
 * arguments must outlive it.
 */
struct trace_encoder *trace_encoder_init(void *memory, const struct trace_schema *schema,
					 trace_read_code read_code, void *owner);

/* Forget the block and begin an empty one. */
void trace_encoder_reset(struct trace_encoder *encoder);

/*
 * Append @event to the block. ST_NO_SPACE when the block is full: finish it, reset, and try again,
 * which cannot fail a second time. ST_INVALID when the schema has no such kind, or its level is
 * above CODEC_MAX_LEVEL: nothing was appended.
 */
enum status trace_encode_event(struct trace_encoder *encoder, const struct trace_event *event);

/*
 * The same, and ST_END when @event was appended, but trace_encoder_has_room(encoder, 0) is false
 * since then or for longer.
 */
enum status trace_encode_next(struct trace_encoder *encoder, const struct trace_event *event);

/*
 * Whether @bytes and another event with up to 128 items or 1,600 bytes would certainly fit: a
 * writer that wants key frames to show the state between two events begins a new block when this
 * turns false.
 */
bool trace_encoder_has_room(const struct trace_encoder *encoder, u32 bytes);

/* What the header of the block will say. The TSCs mean nothing while @events is 0. */
struct trace_encoder_state {
	u32 events;
	u32 counted;
	u64 kinds; /* block_kind() of each kind that was encoded */
	u64 first_tsc;
	u64 last_tsc;
	u64 last_order; /* largest number of the hand-over counter, 0: none */
};

struct trace_encoder_state trace_encoder_state(const struct trace_encoder *encoder);

/* Write the payload of the block to @to (CODEC_MAX_RAW bytes) and return its length. */
size_t trace_encoder_finish(const struct trace_encoder *encoder, u8 *to);

#endif
