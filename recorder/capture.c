#include "recorder/capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/decode.h"
#include "trace/drain.h"
#include "trace/file.h"
#include "trace/pack.h"

#define MAX_CPUS    256
#define BUFFER_SIZE (CHUNK_MAX_HEADER + 2 * CODEC_MAX_RAW)

/* The ring bytes of one CPU, from the start of the chunk that is not whole yet. */
struct stream {
	u16 cpu;
	u32 next_sequence;
	u64 next_seq;	 /* of the event after the last block */
	u32 frames_lost; /* since the last block */
	bool seeking;	 /* the start of a chunk is not known */
	bool last;	 /* its last frame has come */
	size_t length;
	u8 bytes[BUFFER_SIZE];
};

/* Decodes what arrives, for those who watch. */
struct watch {
	capture_on_event on_event;
	void *owner;
	struct trace_schema schema;
	char names[SCHEMA_MAX_SIZE];
	struct trace_decoder *decoder;
	struct trace_unpacker *unpacker;
	u8 raw[CODEC_MAX_RAW];
};

struct capture {
	char *path;
	struct tape_writer *writer;
	struct drain_parser parser;
	struct capture_stats stats;
	struct stream *streams[MAX_CPUS];
	struct watch *watch; /* NULL: nobody does */
	u8 packed[PACK_MAX_FRAME];
	enum status status;
	char error[256];
};

static enum status fail(struct capture *capture, enum status status)
{
	if (capture->status != ST_OK)
		return capture->status;
	capture->status = status;
	snprintf(capture->error, sizeof(capture->error), "cannot write '%s': %s", capture->path,
		 status == ST_IO ? strerror(errno) : status_text(status));
	return status;
}

/* --- watching --------------------------------------------------------------------------------- */

static void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	trace_unpacker_free(watch->unpacker);
	free(watch->decoder);
	free(watch);
}

static struct watch *watch_new(capture_on_event on_event, void *owner)
{
	struct watch *const watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->on_event = on_event;
	watch->owner = owner;
	watch->decoder = aligned_alloc(64, ALIGN_UP(trace_decoder_size(), 64));
	watch->unpacker = trace_unpacker_new();
	if (watch->decoder && watch->unpacker)
		return watch;
	watch_free(watch);
	return NULL;
}

static void watch_schema(struct watch *watch, const struct chunk *chunk)
{
	if (trace_schema_parse(&watch->schema, watch->names, chunk->payload, chunk->size) != ST_OK)
		watch->schema.id = 0;
	else
		trace_decoder_init(watch->decoder, &watch->schema);
}

/* What cannot be decoded is shown to nobody now; the reader of the tape will say so. */
static void watch_block(struct watch *watch, const struct chunk *chunk, const struct block *block)
{
	const struct trace_block_facts facts = { .cpu = chunk->cpu,
						 .events = block->events,
						 .first_seq = block->first_seq,
						 .first_tsc = block->first_tsc };
	const u8 *raw = chunk->payload;
	const struct trace_event *event;

	if (!watch->schema.id || block->schema_id != watch->schema.id)
		return;
	if (block->codec == BLOCK_ZSTD) {
		raw = watch->raw;
		if (trace_unpack(watch->unpacker, chunk->payload, chunk->size, watch->raw,
				 block->raw_size) != ST_OK)
			return;
	}
	if (trace_decoder_open(watch->decoder, raw, block->raw_size, &facts) != ST_OK)
		return;
	while (trace_decode_event(watch->decoder, &event) == ST_OK)
		watch->on_event(watch->owner, &watch->schema, event);
}

/* --- chunks ----------------------------------------------------------------------------------- */

static void count_block(struct capture *capture, struct stream *stream, const struct chunk *chunk,
			const struct block *block)
{
	capture->stats.blocks++;
	capture->stats.events += block->events;
	if (block->first_seq > stream->next_seq)
		capture->stats.lost_events += block->first_seq - stream->next_seq;
	stream->next_seq = block->first_seq + block->events;
	stream->frames_lost = 0;
	if (chunk->flags & CHUNK_PINNED)
		capture->stats.head = true;
}

/* hv leaves packing to the host where that gets the tape at once. */
static enum status append_packed(struct capture *capture, const struct chunk *raw,
				 struct block block, size_t size)
{
	u8 extra[CHUNK_MAX_HEADER], header[CHUNK_MAX_HEADER];
	struct chunk chunk = *raw;

	/* What it adds to the header may be more than is known here. */
	memcpy(extra, raw->extra, raw->extra_size);
	block.codec = BLOCK_ZSTD;
	block_write(&block, extra);
	chunk.extra = extra;
	chunk.payload = capture->packed;
	chunk.size = (u32)size;
	chunk_write_header(&chunk, header);
	return tape_append(capture->writer, &chunk, header);
}

static enum status append(struct capture *capture, const struct chunk *chunk, const u8 *header,
			  const struct block *block)
{
	size_t size = 0;

	if (block && block->codec == BLOCK_RAW && !(chunk->flags & CHUNK_PINNED))
		size = trace_pack_whole(chunk->payload, chunk->size, capture->packed);
	return size ? append_packed(capture, chunk, *block, size)
		    : tape_append(capture->writer, chunk, header);
}

static void take_chunk(struct capture *capture, struct stream *stream, const struct chunk *chunk,
		       const u8 *header)
{
	struct block block;
	const bool is_block = block_read(chunk, &block) == ST_OK;

	if (chunk->cpu != stream->cpu || chunk->type == CHUNK_INDEX) {
		capture->stats.bad_chunks++;
		return;
	}
	const enum status status = append(capture, chunk, header, is_block ? &block : NULL);

	if (status != ST_OK) {
		fail(capture, status);
		return;
	}
	capture->stats.tape_bytes = tape_written(capture->writer);
	if (is_block)
		count_block(capture, stream, chunk, &block);
	if (capture->watch && is_block)
		watch_block(capture->watch, chunk, &block);
	if (capture->watch && chunk->type == CHUNK_SCHEMA)
		watch_schema(capture->watch, chunk);
}

/* Takes the chunks that are whole off the front of the stream's bytes. */
static void take_chunks(struct capture *capture, struct stream *stream)
{
	struct cursor in = cursor_over(stream->bytes, stream->length);
	const u8 *start;
	struct chunk chunk;
	enum status status;

	for (start = in.at; cursor_left(&in) && capture->status == ST_OK; start = in.at) {
		status = chunk_read_header(&in, &chunk);
		if (status == ST_TRUNCATED)
			break;
		if (status == ST_OK && chunk_header_size(&chunk) + chunk.size > BUFFER_SIZE)
			status = ST_CORRUPT;
		else if (status == ST_OK)
			status = chunk_read_payload(&in, &chunk);
		if (status == ST_TRUNCATED)
			break;
		if (status == ST_OK) {
			stream->seeking = false;
			take_chunk(capture, stream, &chunk, start);
			continue;
		}
		if (!stream->seeking)
			capture->stats.bad_chunks++;
		stream->seeking = true;
		in.at = start + 1;
		chunk_find(&in);
	}
	stream->length -= (size_t)(start - stream->bytes);
	memmove(stream->bytes, start, stream->length);
}

/* --- frames ----------------------------------------------------------------------------------- */

static struct stream *stream_of(struct capture *capture, u16 cpu)
{
	struct stream *stream = capture->streams[cpu];

	if (stream)
		return stream;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return NULL;
	stream->cpu = cpu;
	capture->streams[cpu] = stream;
	return stream;
}

/* The rest of a chunk that lost a frame is of no use; what follows begins anywhere in one. */
static void drop_partial(struct capture *capture, struct stream *stream)
{
	if (!stream->seeking && stream->length)
		capture->stats.bad_chunks++;
	stream->seeking = true;
	stream->length = 0;
}

static bool all_ended(const struct capture *capture)
{
	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (capture->streams[i] && !capture->streams[i]->last)
			return false;
	return true;
}

static void take_frame(void *owner, const struct drain_frame *frame)
{
	struct capture *const capture = owner;
	struct stream *const stream = stream_of(capture, frame->cpu);
	const u8 *from = frame->payload;
	size_t left = frame->length;

	if (!stream) {
		fail(capture, ST_NO_MEMORY);
		return;
	}
	if (frame->flags & DRAIN_AGAIN && frame->sequence + 1 == stream->next_sequence)
		return;
	if (frame->sequence != stream->next_sequence) {
		const u32 lost = frame->sequence - stream->next_sequence;

		/* A count that went back began again: hv was started anew. */
		if (lost < BIT(31)) {
			capture->stats.lost_frames += lost;
			stream->frames_lost += lost;
		}
		drop_partial(capture, stream);
	}
	stream->next_sequence = frame->sequence + 1;
	while (left && capture->status == ST_OK) {
		const size_t now = MIN(left, BUFFER_SIZE - stream->length);

		memcpy(stream->bytes + stream->length, from, now);
		stream->length += now;
		from += now;
		left -= now;
		take_chunks(capture, stream);
	}
	stream->last = frame->flags & DRAIN_LAST;
	capture->stats.last = all_ended(capture);
}

enum status capture_machine(struct capture *capture, const char *text, size_t size)
{
	const struct chunk chunk = { .type = CHUNK_MACHINE,
				     .size = (u32)size,
				     .payload = (const u8 *)text };
	u8 header[CHUNK_HEADER];
	enum status status;

	chunk_write_header(&chunk, header);
	status = tape_append(capture->writer, &chunk, header);
	if (status != ST_OK)
		fail(capture, status);
	capture->stats.tape_bytes = tape_written(capture->writer);
	return capture->status;
}

enum status capture_feed(struct capture *capture, const void *bytes, size_t size)
{
	if (capture->status == ST_OK)
		drain_parse(&capture->parser, bytes, size, take_frame, capture);
	capture->stats.noise_bytes = capture->parser.noise;
	return capture->status;
}

/* --- opening and closing ---------------------------------------------------------------------- */

enum status capture_open(const char *path, capture_on_event on_event, void *owner,
			 struct capture **capture, char *error, size_t size)
{
	struct capture *const made = calloc(1, sizeof(*made));
	enum status status = ST_NO_MEMORY;

	*capture = NULL;
	if (made)
		made->path = strdup(path);
	if (made && made->path && on_event)
		made->watch = watch_new(on_event, owner);
	if (made && made->path && (!on_event || made->watch))
		status = tape_create(path, &made->writer);
	if (status != ST_OK) {
		snprintf(error, size, "cannot write '%s': %s", path,
			 status == ST_IO ? strerror(errno) : status_text(status));
		capture_free(made);
		return status;
	}
	made->stats.tape_bytes = tape_written(made->writer);
	*capture = made;
	return ST_OK;
}

const struct capture_stats *capture_stats(const struct capture *capture)
{
	return &capture->stats;
}

const char *capture_error(const struct capture *capture)
{
	return capture->error[0] ? capture->error : NULL;
}

/* Tells of frames that were lost behind the last block, since no later block will. */
static enum status write_loss(struct capture *capture, const struct stream *stream)
{
	u8 extra[LOSS_HEADER], header[CHUNK_HEADER + LOSS_HEADER];
	const struct loss loss = { .first_seq = stream->next_seq,
				   .frames = stream->frames_lost,
				   .why = GAP_LOST_BLOCK };
	const struct chunk chunk = { .type = CHUNK_LOSS,
				     .cpu = stream->cpu,
				     .extra_size = LOSS_HEADER,
				     .extra = extra,
				     .payload = extra };

	loss_write(&loss, extra);
	chunk_write_header(&chunk, header);
	return tape_append(capture->writer, &chunk, header);
}

enum status capture_close(struct capture *capture)
{
	bool complete;
	enum status status;

	drain_parse_end(&capture->parser, take_frame, capture);
	capture->stats.noise_bytes = capture->parser.noise;
	complete = capture->stats.last;
	for (unsigned i = 0; i < MAX_CPUS && capture->status == ST_OK; i++) {
		struct stream *const stream = capture->streams[i];

		if (!stream)
			continue;
		if (stream->length) {
			drop_partial(capture, stream);
			complete = false;
		}
		if (!stream->frames_lost)
			continue;
		status = write_loss(capture, stream);
		if (status != ST_OK)
			fail(capture, status);
	}
	if (capture->status == ST_OK) {
		status = tape_finish(capture->writer, complete);
		if (status != ST_OK)
			fail(capture, status);
	}
	capture->stats.tape_bytes = tape_written(capture->writer);
	if (tape_close(capture->writer) != ST_OK)
		fail(capture, ST_IO);
	capture->writer = NULL;
	return capture->status;
}

void capture_free(struct capture *capture)
{
	if (!capture)
		return;
	for (unsigned i = 0; i < MAX_CPUS; i++)
		free(capture->streams[i]);
	tape_close(capture->writer);
	watch_free(capture->watch);
	free(capture->path);
	free(capture);
}
