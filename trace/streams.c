#include "trace/streams.h"

void streams_reset(struct streams *streams, u32 limit)
{
	streams->limit = limit;
	streams->used = streams->count = streams->segment_count = 0;
	for (unsigned i = 0; i < SCHEMA_MAX_STREAMS; i++)
		streams->stream[i] = (struct stream){ .at = streams->segment[1],
						      .limit = streams->segment[0],
						      .first = SEGMENT_NONE };
}

void streams_close(struct streams *streams)
{
	streams->limit = 0;
	streams->stream[STREAM_TSC].limit = NULL;
}

void streams_grow(struct streams *streams, struct stream *stream)
{
	const u16 segment = (u16)streams->segment_count++;

	streams->next[segment] = SEGMENT_NONE;
	if (stream->first == SEGMENT_NONE) {
		stream->first = segment;
		streams->count++;
	} else {
		const size_t length = (size_t)(stream->at - streams->segment[stream->current]);

		streams->length[stream->current] = (u16)length;
		streams->next[stream->current] = segment;
		streams->used -= SEGMENT_SIZE - (u32)length;
	}
	streams->used += SEGMENT_SIZE;
	stream->current = segment;
	stream->at = streams->segment[segment];
	stream->limit = stream->at + SEGMENT_SIZE - NUMBER_SIZE;
	if (streams->used > streams->limit)
		streams_close(streams);
}

void streams_put_bytes(struct streams *streams, unsigned index, const u8 *bytes, size_t size)
{
	struct stream *const stream = &streams->stream[index];

	while (size) {
		if (stream->at > stream->limit)
			streams_grow(streams, stream);
		const size_t room = (size_t)(stream->limit - stream->at) + 1;
		const size_t now = MIN(size, room);

		memcpy(stream->at, bytes, now);
		stream->at += now;
		bytes += now;
		size -= now;
	}
}

static size_t stream_length(const struct streams *streams, const struct stream *stream)
{
	size_t length = (size_t)(stream->at - streams->segment[stream->current]);

	for (u16 i = stream->first; i != stream->current; i = streams->next[i])
		length += streams->length[i];
	return length;
}

static u8 *stream_copy(const struct streams *streams, const struct stream *stream, u8 *to)
{
	for (u16 i = stream->first; i != SEGMENT_NONE; i = streams->next[i]) {
		const size_t length = i == stream->current
					      ? (size_t)(stream->at - streams->segment[i])
					      : streams->length[i];

		memcpy(to, streams->segment[i], length);
		to += length;
	}
	return to;
}

size_t streams_write(const struct streams *streams, u8 *to)
{
	u8 *const start = to;

	to = varint_put(to, streams->count);
	for (unsigned i = 0; i < SCHEMA_MAX_STREAMS; i++)
		if (streams->stream[i].first != SEGMENT_NONE) {
			to = varint_put(to, i);
			to = varint_put(to, stream_length(streams, &streams->stream[i]));
		}
	for (unsigned i = 0; i < SCHEMA_MAX_STREAMS; i++)
		to = stream_copy(streams, &streams->stream[i], to);
	return (size_t)(to - start);
}
