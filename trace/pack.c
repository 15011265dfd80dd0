#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "trace/pack.h"

/*
 * Measured over a recording of KVM in these slices: level 1 makes 0.88 bytes of an event with 108
 * instructions, -2 1.11 with 62, and that without MIN_MATCH 1.05 with 71. hv has less time than the
 * tape has room.
 */
#define LEVEL	  -2
#define MIN_MATCH 7

struct trace_packer {
	ZSTD_CCtx *context;
	ZSTD_inBuffer in;
	ZSTD_outBuffer out;
	size_t size; /* of the payload; in.size is how far slices have come */
	u8 workspace[] __attribute__((aligned(64)));
};

/* Streaming without buffers of its own (below) needs what packing in one go does. */
static size_t workspace_size(void)
{
	return ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(LEVEL, CODEC_MAX_RAW, 0));
}

size_t trace_packer_size(void)
{
	return sizeof(struct trace_packer) + workspace_size();
}

struct trace_packer *trace_packer_init(void *memory)
{
	struct trace_packer *packer = memory;

	packer->context = ZSTD_initStaticCCtx(packer->workspace, workspace_size());
	return packer->context ? packer : NULL;
}

enum status trace_pack_start(struct trace_packer *packer, const u8 *from, size_t size, u8 *to)
{
	ZSTD_CCtx *const context = packer->context;

	if (size > CODEC_MAX_RAW)
		return ST_INVALID;
	packer->in = (ZSTD_inBuffer){ .src = from };
	packer->out = (ZSTD_outBuffer){ .dst = to, .size = PACK_MAX_FRAME };
	packer->size = size;
	/* Slices are flushed: a frame whose blocks end where the slices do. No copies are kept. */
	if (ZSTD_isError(ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, MIN_MATCH)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_stableInBuffer, 1)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_stableOutBuffer, 1)) ||
	    ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context, size)))
		return ST_UNSUPPORTED;
	return ST_OK;
}

enum status trace_pack_slice(struct trace_packer *packer, size_t *packed)
{
	const size_t left = packer->size - packer->in.size;
	const bool last = left <= PACK_SLICE;
	size_t rest;

	packer->in.size += last ? left : PACK_SLICE;
	rest = ZSTD_compressStream2(packer->context, &packer->out, &packer->in,
				    last ? ZSTD_e_end : ZSTD_e_flush);
	if (ZSTD_isError(rest) || rest || packer->in.pos != packer->in.size)
		return ST_NO_SPACE;
	if (!last)
		return ST_OK;
	*packed = packer->out.pos;
	return packer->out.pos < packer->size ? ST_END : ST_NO_SPACE;
}

#ifndef HV

#define HOST_LEVEL 9

size_t trace_pack_whole(const u8 *from, size_t size, u8 *to)
{
	const size_t packed = ZSTD_compress(to, PACK_MAX_FRAME, from, size, HOST_LEVEL);

	return ZSTD_isError(packed) || packed >= size ? 0 : packed;
}

/* The type is zstd's own, under a name of ours. */
struct trace_unpacker *trace_unpacker_new(void)
{
	return (struct trace_unpacker *)ZSTD_createDCtx();
}

void trace_unpacker_free(struct trace_unpacker *unpacker)
{
	ZSTD_freeDCtx((ZSTD_DCtx *)unpacker);
}

enum status trace_unpack(struct trace_unpacker *unpacker, const u8 *from, size_t size, u8 *to,
			 size_t raw_size)
{
	const size_t got = ZSTD_decompressDCtx((ZSTD_DCtx *)unpacker, to, raw_size, from, size);

	return got == raw_size ? ST_OK : ST_CORRUPT;
}

#endif
