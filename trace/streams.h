/*
 * trace/streams.h - the streams of a block while it is written
 *
 * Streams grow in segments of one pool, since nobody knows beforehand which of them will be long. A
 * segment is left when it has no room for another number, so all but its last bytes are used.
 */
#ifndef TRACE_STREAMS_H
#define TRACE_STREAMS_H

#include "trace/codec.h"

#define NUMBER_SIZE	  10 /* the longest varint */
#define SEGMENT_SIZE	  256
#define SEGMENT_USED	  (SEGMENT_SIZE - NUMBER_SIZE + 1) /* at least, in one that was left */
#define SEGMENT_COUNT	  (CODEC_MAX_RAW / SEGMENT_USED + SCHEMA_MAX_STREAMS + 2)
#define SEGMENT_NONE	  0xffff

/* Bytes of the longest stream table. */
#define STREAMS_MAX_TABLE (2 + SCHEMA_MAX_STREAMS * 5)

struct stream {
	u8 *at;	   /* next byte */
	u8 *limit; /* the last place where a number fits into the segment */
	u16 first;
	u16 current;
};

struct streams {
	u32 used;  /* bytes written, at most */
	u32 limit; /* of @used: beyond, the block is full */
	u32 count; /* streams that have a segment */
	u32 segment_count;
	struct stream stream[SCHEMA_MAX_STREAMS];
	u16 next[SEGMENT_COUNT];
	u16 length[SEGMENT_COUNT];
	u8 segment[SEGMENT_COUNT][SEGMENT_SIZE];
};

/* @limit is what @used may be before an event that takes no more than CODEC_MAX_RAW - @limit. */
void streams_reset(struct streams *streams, u32 limit);

/*
 * The block is full: @used is above any limit, and STREAM_TSC, which every event writes to, has no
 * room in its segment, so that whoever looks for that needs to look for nothing else.
 */
void streams_close(struct streams *streams);

/*
 * Gives @stream a new segment; closes the block when that takes it beyond its limit. The caller of
 * all that writes keeps @used at most CODEC_MAX_RAW.
 */
void streams_grow(struct streams *streams, struct stream *stream);

void streams_put_bytes(struct streams *streams, unsigned index, const u8 *bytes, size_t size);

/* Writes the stream table and the streams to @to and returns their length. */
size_t streams_write(const struct streams *streams, u8 *to);

static inline void streams_put_byte(struct streams *streams, unsigned index, u8 byte)
{
	struct stream *const stream = &streams->stream[index];

	if (unlikely(stream->at > stream->limit))
		streams_grow(streams, stream);
	*stream->at++ = byte;
}

static inline void streams_put_to(struct streams *streams, struct stream *stream, u64 value)
{
	if (unlikely(stream->at > stream->limit))
		streams_grow(streams, stream);
	stream->at = varint_put(stream->at, value);
}

static inline void streams_put_number(struct streams *streams, unsigned index, u64 value)
{
	streams_put_to(streams, &streams->stream[index], value);
}

#endif
