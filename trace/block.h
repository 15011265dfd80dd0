/*
 * trace/block.h - chunks: what rings and tapes are made of
 *
 * A chunk has a header, with a checksum of its own, and a payload, with another. So a reader can go
 * from header to header without touching payloads, loses no more than one chunk to a damaged byte,
 * and passes over types it does not know. Layout: docs/trace-format.md, "Chunks".
 */
#ifndef TRACE_BLOCK_H
#define TRACE_BLOCK_H

#include "base/cursor.h"
#include "trace/codec.h"

#define CHUNK_SYNC	       0xb9c654d6u /* bytes d6 54 c6 b9 */
#define CHUNK_HEADER	       24	   /* bytes before what the type adds */
#define CHUNK_MAX_HEADER       256
#define CHUNK_MAX_SIZE	       (16u << 20) /* of a payload */

#define CHUNK_TYPE(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)
#define CHUNK_SCHEMA	       CHUNK_TYPE('S', 'C', 'H', 'M')
#define CHUNK_BLOCK	       CHUNK_TYPE('B', 'L', 'C', 'K')
#define CHUNK_LOSS	       CHUNK_TYPE('L', 'O', 'S', 'S')
#define CHUNK_MACHINE	       CHUNK_TYPE('M', 'A', 'C', 'H')
#define CHUNK_INDEX	       CHUNK_TYPE('I', 'N', 'D', 'X')

/*
 * PINNED: it belongs to the head of its ring. OVERWRITES: its ring makes room by overwriting the
 * oldest chunks behind the head.
 */
enum { CHUNK_PINNED = 1, CHUNK_OVERWRITES = 2 };

struct chunk {
	u32 type;
	u16 cpu;
	u8 flags;
	u16 extra_size;	 /* of @extra, a multiple of 8 */
	u32 size;	 /* of @payload */
	u32 payload_crc; /* as the header says; set by chunk_read_header() only */
	const u8 *extra; /* what the type adds to the header */
	const u8 *payload;
};

/* Bytes of the header of @chunk. */
static inline size_t chunk_header_size(const struct chunk *chunk)
{
	return CHUNK_HEADER + chunk->extra_size;
}

/* Write the header of @chunk, whose payload is complete, to @to, and return its size. */
size_t chunk_write_header(const struct chunk *chunk, u8 *to);

/* Bytes of the chunk whose header begins with the CHUNK_HEADER bytes at @header, unchecked. */
size_t chunk_whole_size(const u8 *header);

/*
 * Take the header of a chunk at @in. chunk->payload is set even when the payload is not all there.
 *
 * @in	advanced behind the header on ST_OK, unchanged otherwise
 *
 * ST_TRUNCATED when more bytes may complete the header, ST_CORRUPT when none can.
 */
enum status chunk_read_header(struct cursor *in, struct chunk *chunk);

/* Take the payload behind the header: ST_TRUNCATED, or ST_CORRUPT with @in behind it. */
enum status chunk_read_payload(struct cursor *in, const struct chunk *chunk);

/* Move @in to the next place where a header could begin: a sync, or the start of one at the end. */
void chunk_find(struct cursor *in);

enum block_codec { BLOCK_RAW, BLOCK_ZSTD };

/* What the header of a BLCK chunk adds. */
#define BLOCK_HEADER  72
#define BLOCK_MAX_SEQ (~0ull >> 2) /* so that sums of counts do not overflow */

struct block {
	u64 number;    /* of the block on its CPU, from 0; dropped blocks have one too */
	u64 first_seq; /* of its first event */
	u64 first_tsc;
	u64 last_tsc;
	u32 events;
	u32 counted;	/* events of kinds with COUNTED */
	u32 dropped;	/* events right before it that found no room in the ring; seq counts them */
	u32 schema_id;	/* struct trace_schema */
	u32 raw_size;	/* of the payload before packing, at most CODEC_MAX_RAW */
	u8 codec;	/* enum block_codec */
	u64 kinds;	/* block_kind() of each kind that it has events of */
	u64 last_order; /* largest number of the hand-over counter among its events, 0: none */
};

/* The bit of kind @id in block->kinds; kinds from 63 on share one. */
static inline u64 block_kind(unsigned id)
{
	return BIT(MIN(id, 63u));
}

/* Write the BLOCK_HEADER bytes that the header of its chunk adds to @to. */
void block_write(const struct block *block, u8 *to);

/* ST_CORRUPT when @chunk is no BLCK chunk or what it says is impossible. */
enum status block_read(const struct chunk *chunk, struct block *block);

/*
 * What the header of a LOSS chunk adds: events are missing here, and no later block tells of them.
 * It has no payload.
 */
#define LOSS_HEADER 24

struct loss {
	u64 first_seq; /* of the first missing event, when @events is not 0 */
	u32 events;    /* how many, 0: unknown */
	u32 frames;    /* lost on the way from the ring to the file */
	u32 why;       /* enum trace_gap */
};

/*
 * Write those LOSS_HEADER bytes to @to, and read them. ST_CORRUPT when @chunk is no LOSS chunk or
 * what it says is impossible.
 */
void loss_write(const struct loss *loss, u8 *to);
enum status loss_read(const struct chunk *chunk, struct loss *loss);

#endif
