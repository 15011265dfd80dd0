/*
 * trace/pack.h - payloads into zstd frames and back
 *
 * The only file that knows zstd. Packing works in a static workspace and in slices, so that a
 * processor that has guests to run can do it bit by bit.
 */
#ifndef TRACE_PACK_H
#define TRACE_PACK_H

#include "trace/codec.h"

/*
 * Bytes of input that trace_pack_slice() takes at most: the worst that was found for it needs some
 * 160,000 instructions, blocks of a KVM recording 110,000.
 */
#define PACK_SLICE     4096

/* Room that a frame needs while it is made: a block that does not shrink is not kept. */
#define PACK_MAX_FRAME (CODEC_MAX_RAW + 1024)

struct trace_packer;

/* Bytes that a packer needs. */
size_t trace_packer_size(void);

/* Make a packer in @memory (trace_packer_size() bytes, 64-byte aligned); NULL when zstd refuses. */
struct trace_packer *trace_packer_init(void *memory);

/*
 * Begin to pack the @size bytes (at most CODEC_MAX_RAW) at @from into @to (PACK_MAX_FRAME bytes).
 * Both stay with the packer until it is done.
 */
enum status trace_pack_start(struct trace_packer *packer, const u8 *from, size_t size, u8 *to);

/*
 * Pack a little further. ST_OK there is more to do; ST_END done, *@packed is the size of the frame;
 * ST_NO_SPACE it does not get smaller than it was: keep it raw. Uses vector registers.
 */
enum status trace_pack_slice(struct trace_packer *packer, size_t *packed);

#ifndef HV

/*
 * Pack the @size bytes (at most CODEC_MAX_RAW) at @from into @to (PACK_MAX_FRAME bytes) in one go,
 * as small as a host makes them that has time. Returns the size of the frame, or 0 when it would
 * not be smaller, or there is no memory: keep it raw.
 */
size_t trace_pack_whole(const u8 *from, size_t size, u8 *to);

struct trace_unpacker;

/* NULL when there is no memory. */
struct trace_unpacker *trace_unpacker_new(void);
void trace_unpacker_free(struct trace_unpacker *unpacker);

/*
 * Unpack the zstd frame at @from into exactly @raw_size bytes at @to; ST_CORRUPT when it does not.
 */
enum status trace_unpack(struct trace_unpacker *unpacker, const u8 *from, size_t size, u8 *to,
			 size_t raw_size);

#endif

#endif
