#include "replay/scrub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/memory_event.h"
#include "replay/reader.h"
#include "trace/decode.h"
#include "trace/encode.h"
#include "trace/file.h"
#include "trace/pack.h"

#define RUN	   8	 /* bytes that are looked for */
#define RUN_KINDS  6	 /* different ones among them, or they say nothing */
#define RUN_SLOTS  65536 /* of the hash, more than a block has runs */
#define MAX_LISTED (RUN_SLOTS / 2)

struct scrub {
	const struct scrub_options *options;
	struct scrub_result *result;
	struct tape tape;
	struct trace_schema schema;
	char schema_text[SCHEMA_MAX_SIZE];
	struct tape_writer *writer;
	void *encoder_memory, *decoder_memory;
	struct trace_encoder *encoder;
	struct trace_decoder *decoder;
	struct trace_unpacker *unpacker;
	const struct trace_event *event; /* whose code is asked for */
	u8 raw[CODEC_MAX_RAW];		 /* as it was */
	u8 scrubbed[CODEC_MAX_RAW];
	u8 frame[PACK_MAX_FRAME];
	u64 runs[RUN_SLOTS]; /* hashes of what was removed from the block; 0: free */
	unsigned run_count;
};

/* --- What was removed, and is it gone? -------------------------------------------------------- */

/* Different for different runs; 0 for zeros, which do not tell. */
static u64 run_hash(const u8 *bytes)
{
	u64 word;

	memcpy(&word, bytes, sizeof(word));
	return word * 0x9e3779b97f4a7c15ull;
}

/* Zeros and the like are everywhere. */
static bool is_telling(const u8 *bytes)
{
	unsigned kinds = 0;

	for (unsigned i = 0; i < RUN; i++)
		kinds += !memchr(bytes, bytes[i], i);
	return kinds >= RUN_KINDS;
}

static u64 *run_slot(struct scrub *scrub, u64 hash)
{
	size_t slot = (size_t)(hash >> 20) % RUN_SLOTS;

	while (scrub->runs[slot] && scrub->runs[slot] != hash)
		slot = (slot + 1) % RUN_SLOTS;
	return &scrub->runs[slot];
}

static void note_removed(struct scrub *scrub, const u8 *bytes, size_t size)
{
	scrub->result->removed += size;
	for (size_t i = 0; i + RUN <= size; i += RAM_WORD) {
		u64 *const slot = run_slot(scrub, run_hash(bytes + i));

		if (*slot || !is_telling(bytes + i) || scrub->run_count == MAX_LISTED)
			continue;
		*slot = run_hash(bytes + i);
		scrub->run_count++;
	}
}

static void look_for_removed(struct scrub *scrub, size_t size)
{
	for (size_t i = 0; scrub->run_count && i + RUN <= size; i++)
		scrub->result->left += is_telling(scrub->scrubbed + i) &&
				       *run_slot(scrub, run_hash(scrub->scrubbed + i)) != 0;
}

/* --- Events ----------------------------------------------------------------------------------- */

static unsigned give_code(void *owner, unsigned level, u64 rip, u8 *to)
{
	struct scrub *const scrub = owner;
	const struct trace_event *const event = scrub->event;

	(void)level;
	(void)rip;
	if (!event->code)
		return 0;
	if (scrub->options->code) {
		note_removed(scrub, event->code, event->code_count);
		return 0;
	}
	memcpy(to, event->code, event->code_count);
	return event->code_count;
}

static bool is_removed(const struct scrub *scrub, const struct trace_event *event)
{
	switch (event->kind) {
	case EV_RAM:
	case EV_PAGE:
	case EV_REGS:
		return true;
	case EV_CONSOLE:
		return scrub->options->console;
	case EV_FILE:
		return scrub->options->files;
	default:
		/* What a newer vmxtape put there can be anything. */
		return !trace_schema_kind(trace_schema_builtin(), event->kind) && event->byte_count;
	}
}

static void note_event(struct scrub *scrub, const struct trace_event *event)
{
	struct memory_pieces pieces = memory_event_pieces(event);
	struct memory_piece piece;

	if (!memory_event_is(event) && event->byte_count)
		note_removed(scrub, event->bytes, event->byte_count);
	while (memory_event_next(&pieces, &piece))
		if (piece.bytes)
			note_removed(scrub, piece.bytes, piece.size);
	scrub->result->emptied++;
}

/* @event without what is removed; @col is room for its columns. */
static struct trace_event scrub_event(struct scrub *scrub, const struct trace_event *event,
				      u64 *col)
{
	struct trace_event made = *event;

	if (!is_removed(scrub, event))
		return made;
	note_event(scrub, event);
	memcpy(col, event->col, TRACE_MAX_COLUMNS * sizeof(*col));
	made.col = col;
	made.byte_count = 0;
	if (event->kind == EV_REGS) {
		*(struct ev_regs *)col = (struct ev_regs){ .level = event->col[0] };
		made.item_count = 0;
	} else if (event->kind == EV_PAGE) {
		((struct ev_page *)col)->since = 0;
	}
	return made;
}

/* --- Blocks ----------------------------------------------------------------------------------- */

/* The payload as it was packed; NULL: it is damaged. */
static const u8 *unpack(struct scrub *scrub, const struct tape_chunk *chunk)
{
	struct cursor in = { chunk->chunk.payload, scrub->tape.bytes + scrub->tape.size, ST_OK };

	if (chunk->block.schema_id != scrub->schema.id ||
	    chunk_read_payload(&in, &chunk->chunk) != ST_OK)
		return NULL;
	if (chunk->block.codec == BLOCK_RAW)
		return chunk->chunk.payload;
	if (trace_unpack(scrub->unpacker, chunk->chunk.payload, chunk->chunk.size, scrub->raw,
			 chunk->block.raw_size) != ST_OK)
		return NULL;
	return scrub->raw;
}

/* Decodes the block into the encoder. ST_CORRUPT: its end cannot be read. */
static enum status encode_again(struct scrub *scrub, const struct tape_chunk *chunk, const u8 *raw)
{
	const struct trace_block_facts facts = { .cpu = chunk->chunk.cpu,
						 .events = chunk->block.events,
						 .first_seq = chunk->block.first_seq,
						 .first_tsc = chunk->block.first_tsc };
	enum status status = trace_decoder_open(scrub->decoder, raw, chunk->block.raw_size, &facts);
	u64 col[TRACE_MAX_COLUMNS];

	trace_encoder_reset(scrub->encoder);
	memset(scrub->runs, 0, sizeof(scrub->runs));
	scrub->run_count = 0;
	while (status == ST_OK &&
	       (status = trace_decode_event(scrub->decoder, &scrub->event)) == ST_OK) {
		const struct trace_event made = scrub_event(scrub, scrub->event, col);

		status = trace_encode_event(scrub->encoder, &made);
	}
	return status == ST_END ? ST_OK : status;
}

/* The new payload, packed where that makes it smaller; its size. */
static size_t pack(struct scrub *scrub, struct block *block, const u8 **payload)
{
	const size_t size = trace_encoder_finish(scrub->encoder, scrub->scrubbed);
	const size_t packed = trace_pack_whole(scrub->scrubbed, size, scrub->frame);

	block->raw_size = (u32)size;
	block->codec = BLOCK_RAW;
	*payload = scrub->scrubbed;
	if (!packed)
		return size;
	block->codec = BLOCK_ZSTD;
	*payload = scrub->frame;
	return packed;
}

static enum status append(struct scrub *scrub, struct chunk *chunk)
{
	u8 header[CHUNK_MAX_HEADER];

	chunk_write_header(chunk, header);
	return tape_append(scrub->writer, chunk, header);
}

static enum status scrub_block(struct scrub *scrub, const struct tape_chunk *from)
{
	struct trace_encoder_state state;
	const u8 *const raw = unpack(scrub, from);
	struct block block = from->block;
	u8 extra[BLOCK_HEADER];
	struct chunk chunk = { .type = CHUNK_BLOCK,
			       .cpu = from->chunk.cpu,
			       .flags = from->chunk.flags,
			       .extra_size = sizeof(extra),
			       .extra = extra };
	enum status status = raw ? encode_again(scrub, from, raw) : ST_CORRUPT;

	if (status == ST_CORRUPT) {
		scrub->result->bad_blocks++;
		return ST_OK;
	}
	state = trace_encoder_state(scrub->encoder);
	if (status != ST_OK || state.events != block.events || state.counted != block.counted)
		return status != ST_OK ? status : ST_CORRUPT;
	block.kinds = state.kinds;
	block.last_order = state.last_order;
	chunk.size = (u32)pack(scrub, &block, &chunk.payload);
	look_for_removed(scrub, block.raw_size);
	block_write(&block, extra);
	scrub->result->events += block.events;
	return append(scrub, &chunk);
}

/* --- The tape --------------------------------------------------------------------------------- */

static enum status find_schema(struct scrub *scrub)
{
	for (size_t i = 0; i < scrub->tape.chunk_count; i++) {
		const struct chunk *const chunk = &scrub->tape.chunks[i].chunk;
		struct cursor in = { chunk->payload, scrub->tape.bytes + scrub->tape.size, ST_OK };

		if (chunk->type == CHUNK_SCHEMA && chunk_read_payload(&in, chunk) == ST_OK)
			return trace_schema_parse(&scrub->schema, scrub->schema_text,
						  chunk->payload, chunk->size);
	}
	scrub->schema = *trace_schema_builtin();
	return ST_OK;
}

static enum status copy_chunk(struct scrub *scrub, const struct tape_chunk *from)
{
	struct cursor in = { from->chunk.payload, scrub->tape.bytes + scrub->tape.size, ST_OK };
	struct chunk chunk = from->chunk;

	return chunk_read_payload(&in, &from->chunk) == ST_OK ? append(scrub, &chunk) : ST_OK;
}

static enum status scrub_chunks(struct scrub *scrub)
{
	enum status status = ST_OK;

	scrub->result->unknown_chunks = scrub->tape.unknown_chunks;
	scrub->result->machine = scrub->tape.machine;
	for (size_t i = 0; i < scrub->tape.chunk_count && status == ST_OK; i++) {
		const struct tape_chunk *const chunk = &scrub->tape.chunks[i];

		status = chunk->chunk.type == CHUNK_BLOCK ? scrub_block(scrub, chunk)
							  : copy_chunk(scrub, chunk);
	}
	/* A tape that was cut stays one. */
	if (status == ST_OK && scrub->tape.finished)
		status = tape_finish(scrub->writer, scrub->tape.complete);
	return status;
}

static enum status prepare(struct scrub *scrub)
{
	const enum status status = find_schema(scrub);

	if (status != ST_OK)
		return status;
	scrub->encoder_memory = aligned_alloc(64, ALIGN_UP(trace_encoder_size(), 64));
	scrub->decoder_memory = aligned_alloc(64, ALIGN_UP(trace_decoder_size(), 64));
	scrub->unpacker = trace_unpacker_new();
	if (!scrub->encoder_memory || !scrub->decoder_memory || !scrub->unpacker)
		return ST_NO_MEMORY;
	scrub->encoder =
		trace_encoder_init(scrub->encoder_memory, &scrub->schema, give_code, scrub);
	scrub->decoder = trace_decoder_init(scrub->decoder_memory, &scrub->schema);
	return ST_OK;
}

static void release(struct scrub *scrub)
{
	trace_unpacker_free(scrub->unpacker);
	free(scrub->encoder_memory);
	free(scrub->decoder_memory);
	tape_unmap(&scrub->tape);
	free(scrub);
}

static void count_full(void *owner, const struct trace_event *event)
{
	u64 *const full = owner;

	*full += event->byte_count > 0;
	if (event->kind == EV_REGS)
		for (unsigned i = 1; i < sizeof(struct ev_regs) / sizeof(u64); i++)
			*full += event->col[i] > 0;
	*full += event->item_count > 0;
	if (event->kind == EV_PAGE)
		*full += ((const struct ev_page *)event->col)->since > 0;
}

/* Reads the result as anybody will: nothing must be left that had to go. */
static enum status verify(const char *path, const struct scrub_options *options, char *error,
			  size_t size)
{
	const struct {
		u8 kind;
		bool removed;
	} kinds[] = { { EV_RAM, true },
		      { EV_PAGE, true },
		      { EV_REGS, true },
		      { EV_CONSOLE, options->console },
		      { EV_FILE, options->files } };
	struct reader *reader;
	enum status status = reader_open(path, &reader, error, size);
	u64 full = 0;

	if (status != ST_OK)
		return status;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].removed)
			reader_visit(reader, kinds[i].kind, count_full, &full);
	reader_close(reader);
	if (!full)
		return ST_OK;
	snprintf(error, size, "'%s': %llu events still hold memory: this is a bug of vmxtape", path,
		 (unsigned long long)full);
	return ST_CORRUPT;
}

enum status scrub_tape(const char *from, const char *to, const struct scrub_options *options,
		       struct scrub_result *result, char *error, size_t size)
{
	struct scrub *const scrub = calloc(1, sizeof(*scrub));
	enum status status, closed;

	*result = (struct scrub_result){ 0 };
	if (!scrub) {
		snprintf(error, size, "%s", status_text(ST_NO_MEMORY));
		return ST_NO_MEMORY;
	}
	scrub->options = options;
	scrub->result = result;
	status = tape_open(from, &scrub->tape, error, size);
	if (status != ST_OK) {
		free(scrub);
		return status;
	}
	status = prepare(scrub);
	if (status != ST_OK) {
		snprintf(error, size, "'%s': %s", from, status_text(status));
		release(scrub);
		return status;
	}
	status = tape_create(to, &scrub->writer);
	if (status == ST_OK)
		status = scrub_chunks(scrub);
	closed = tape_close(scrub->writer);
	if (status == ST_OK)
		status = closed;
	if (status != ST_OK)
		snprintf(error, size, "'%s': %s", status == ST_IO ? to : from,
			 status == ST_IO ? strerror(errno) : status_text(status));
	else
		status = verify(to, options, error, size);
	if (status != ST_OK)
		unlink(to);
	release(scrub);
	return status;
}
