#include "trace/block.h"

#include "base/crc32c.h"

static u8 *put16(u8 *to, u16 value)
{
	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

static u8 *put32(u8 *to, u32 value)
{
	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

static u8 *put64(u8 *to, u64 value)
{
	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

/* Of the header without the checksum itself, which are its bytes 20 to 23. */
static u32 header_crc(const u8 *header, size_t size)
{
	return crc32c(crc32c(0, header, 20), header + CHUNK_HEADER, size - CHUNK_HEADER);
}

size_t chunk_write_header(const struct chunk *chunk, u8 *to)
{
	const size_t size = chunk_header_size(chunk);
	u8 *at = to;

	at = put32(at, CHUNK_SYNC);
	at = put32(at, chunk->type);
	at = put16(at, chunk->cpu);
	*at++ = chunk->flags;
	*at++ = (u8)(size / 8);
	at = put32(at, chunk->size);
	at = put32(at, crc32c(0, chunk->payload, chunk->size));
	if (chunk->extra_size)
		memcpy(to + CHUNK_HEADER, chunk->extra, chunk->extra_size);
	put32(at, header_crc(to, size));
	return size;
}

size_t chunk_whole_size(const u8 *header)
{
	u32 payload;

	memcpy(&payload, header + 12, sizeof(payload));
	return 8 * (size_t)header[11] + payload;
}

enum status chunk_read_header(struct cursor *in, struct chunk *chunk)
{
	struct cursor at = *in;
	const u32 sync = cursor_u32(&at);

	if (at.status == ST_OK && sync != CHUNK_SYNC)
		return ST_CORRUPT;
	chunk->type = cursor_u32(&at);
	chunk->cpu = cursor_u16(&at);
	chunk->flags = cursor_u8(&at);

	const size_t size = 8 * (size_t)cursor_u8(&at);

	chunk->size = cursor_u32(&at);
	chunk->payload_crc = cursor_u32(&at);

	const u32 crc = cursor_u32(&at);

	if (at.status != ST_OK)
		return at.status;
	if (size < CHUNK_HEADER || size > CHUNK_MAX_HEADER || chunk->size > CHUNK_MAX_SIZE)
		return ST_CORRUPT;
	chunk->extra_size = (u16)(size - CHUNK_HEADER);
	chunk->extra = cursor_take(&at, chunk->extra_size);
	if (at.status != ST_OK)
		return at.status;
	if (crc != header_crc(in->at, size))
		return ST_CORRUPT;
	chunk->payload = at.at;
	*in = at;
	return ST_OK;
}

enum status chunk_read_payload(struct cursor *in, const struct chunk *chunk)
{
	const u8 *const payload = cursor_take(in, chunk->size);

	if (!payload) {
		in->status = ST_OK;
		return ST_TRUNCATED;
	}
	return crc32c(0, payload, chunk->size) == chunk->payload_crc ? ST_OK : ST_CORRUPT;
}

void chunk_find(struct cursor *in)
{
	const u32 sync = CHUNK_SYNC;

	for (; in->at < in->end; in->at++)
		if (!memcmp(in->at, &sync, MIN(sizeof(sync), cursor_left(in))))
			return;
}

void block_write(const struct block *block, u8 *to)
{
	to = put64(to, block->number);
	to = put64(to, block->first_seq);
	to = put64(to, block->first_tsc);
	to = put64(to, block->last_tsc);
	to = put32(to, block->events);
	to = put32(to, block->counted);
	to = put32(to, block->dropped);
	to = put32(to, block->schema_id);
	to = put32(to, block->raw_size);
	to = put32(to, block->codec); /* and three unused bytes */
	to = put64(to, block->kinds);
	put64(to, block->last_order);
}

enum status block_read(const struct chunk *chunk, struct block *block)
{
	struct cursor in;

	if (chunk->type != CHUNK_BLOCK || chunk->extra_size < BLOCK_HEADER)
		return ST_CORRUPT;
	in = cursor_over(chunk->extra, chunk->extra_size);
	block->number = cursor_u64(&in);
	block->first_seq = cursor_u64(&in);
	block->first_tsc = cursor_u64(&in);
	block->last_tsc = cursor_u64(&in);
	block->events = cursor_u32(&in);
	block->counted = cursor_u32(&in);
	block->dropped = cursor_u32(&in);
	block->schema_id = cursor_u32(&in);
	block->raw_size = cursor_u32(&in);
	block->codec = cursor_u8(&in);
	cursor_take(&in, 3);
	block->kinds = cursor_u64(&in);
	block->last_order = cursor_u64(&in);
	if (!block->events || block->counted > block->events || block->events > block->raw_size ||
	    block->raw_size > CODEC_MAX_RAW || block->first_seq > BLOCK_MAX_SEQ)
		return ST_CORRUPT;
	if (block->codec == BLOCK_RAW && block->raw_size != chunk->size)
		return ST_CORRUPT;
	return chunk->size <= block->raw_size ? ST_OK : ST_CORRUPT;
}

void loss_write(const struct loss *loss, u8 *to)
{
	to = put64(to, loss->first_seq);
	to = put32(to, loss->events);
	to = put32(to, loss->frames);
	to = put32(to, loss->why);
	put32(to, 0);
}

enum status loss_read(const struct chunk *chunk, struct loss *loss)
{
	struct cursor in;

	if (chunk->type != CHUNK_LOSS || chunk->extra_size < LOSS_HEADER)
		return ST_CORRUPT;
	in = cursor_over(chunk->extra, chunk->extra_size);
	loss->first_seq = cursor_u64(&in);
	loss->events = cursor_u32(&in);
	loss->frames = cursor_u32(&in);
	loss->why = cursor_u32(&in);
	return loss->first_seq > BLOCK_MAX_SEQ ? ST_CORRUPT : ST_OK;
}
