/*
 * trace/decode_state.h - a decoder in the midst of a block, as bytes
 *
 * What a decoder predicts from comes from all events before. Who keeps that for some places of a
 * block comes there without them. It is told against what the first events of the block make, its
 * key frames, since most fields are as these say.
 */
#ifndef TRACE_DECODE_STATE_H
#define TRACE_DECODE_STATE_H

#include "base/cursor.h"
#include "trace/decode.h"

#define DECODE_STATE_MAX 8192 /* bytes; what is larger is not worth it */

/* What the fields were behind the key frames of the block, and one event. */
struct trace_decode_base {
	u32 events; /* that have been decoded then; 0: it is not that far yet */
	u32 total;  /* of the block */
	u32 fields;
	u64 values[2 * CODEC_MAX_FIELDS];
};

/* From the next block on, keep that of each in @base, for trace_decode_save(). NULL: no more. */
void trace_decode_keep_base(struct trace_decoder *decoder, struct trace_decode_base *base);

/*
 * Where the decoder is, between two events. Writes to the DECODE_STATE_MAX bytes at @to and returns
 * how many; 0: it cannot be kept here.
 */
size_t trace_decode_save(const struct trace_decoder *decoder, u8 *to);

/*
 * Bring a decoder that was just opened behind @done events of the block, where @in was saved.
 * ST_CORRUPT: what it says makes no sense; the decoder is to be opened again.
 */
enum status trace_decode_load(struct trace_decoder *decoder, struct cursor *in, u32 done);

#endif
