#include "tests/bench/key_frames.h"

#include <stdio.h>
#include <stdlib.h>

#include "replay/reader.h"
#include "trace/encode.h"
#include "trace/pack.h"

#define UNCHANGED_IMAGES 16

enum variant { AS_THEY_ARE, WITHOUT, UNCHANGED, VARIANTS };

struct measure {
	struct trace_encoder *encoders[VARIANTS];
	struct trace_packer *packer;
	u64 bytes[VARIANTS];
	u64 blocks;
};

/* How long the block in @encoder is when it is packed; empties it. */
static u64 packed_size(struct measure *measure, struct trace_encoder *encoder)
{
	static u8 raw[CODEC_MAX_RAW], frame[PACK_MAX_FRAME];
	const u32 size = (u32)trace_encoder_finish(encoder, raw);
	size_t packed = 0;
	enum status status = trace_pack_start(measure->packer, raw, size, frame);

	while (status == ST_OK)
		status = trace_pack_slice(measure->packer, &packed);
	trace_encoder_reset(encoder);
	return status == ST_END ? packed : size;
}

static void end_block(struct measure *measure)
{
	if (!trace_encoder_state(measure->encoders[AS_THEY_ARE]).events)
		return;
	for (unsigned i = 0; i < VARIANTS; i++)
		measure->bytes[i] += packed_size(measure, measure->encoders[i]);
	measure->blocks++;
}

/* Images of other VMCSs, that none has changed since some block. */
static void add_unchanged(struct measure *measure, u64 tsc)
{
	for (unsigned i = 0; i < UNCHANGED_IMAGES; i++) {
		const struct ev_vmcs_image image = { .vmcs = 0x1a2b3000 + i * 0x7000,
						     .launched = 1,
						     .since_block = measure->blocks * i /
								    UNCHANGED_IMAGES };

		trace_encode_event(measure->encoders[UNCHANGED],
				   &(struct trace_event){ .kind = EV_VMCS_IMAGE,
							  .tsc = tsc,
							  .col = (const u64 *)&image });
	}
}

static void take(struct measure *measure, const struct trace_event *event)
{
	trace_encode_event(measure->encoders[AS_THEY_ARE], event);
	if (event->kind == EV_VMX_STATE)
		add_unchanged(measure, event->tsc);
	if (event->kind == EV_VMX_STATE || event->kind == EV_VMCS_IMAGE)
		return;
	trace_encode_event(measure->encoders[WITHOUT], event);
	trace_encode_event(measure->encoders[UNCHANGED], event);
}

static unsigned no_code(void *owner, unsigned level, u64 rip, u8 *to)
{
	(void)owner;
	(void)level;
	memset(to, (int)(rip * 7), 4);
	return 4;
}

bool key_frames_measure(const char *path)
{
	struct measure measure = { 0 };
	const struct trace_event *event;
	struct reader *reader;
	char error[256];
	bool started = false;

	if (reader_open(path, &reader, error, sizeof(error)) != ST_OK)
		return false;
	measure.packer = trace_packer_init(aligned_alloc(64, ALIGN_UP(trace_packer_size(), 64)));
	for (unsigned i = 0; i < VARIANTS; i++)
		measure.encoders[i] =
			trace_encoder_init(aligned_alloc(64, ALIGN_UP(trace_encoder_size(), 64)),
					   trace_schema_builtin(), no_code, NULL);
	/* Each block but those of the head begins with this. */
	while (reader_next(reader, &event) == ST_OK) {
		if (event->kind == EV_VMX_STATE)
			end_block(&measure);
		started |= event->kind == EV_VMX_STATE;
		if (started && event->kind != EV_GAP)
			take(&measure, event);
	}
	end_block(&measure);
	const double blocks = (double)MAX(measure.blocks, 1u);
	const double frames = (double)(measure.bytes[AS_THEY_ARE] - measure.bytes[WITHOUT]);
	const double unchanged = (double)measure.bytes[UNCHANGED] - (double)measure.bytes[WITHOUT];

	printf("%-34s %12.2f  %% of the tape, %.0f bytes a block\n", "key frames",
	       100 * frames / (double)reader_info(reader)->bytes, frames / blocks);
	printf("%-34s %12.2f  bytes a block\n", "an unchanged image",
	       unchanged / blocks / UNCHANGED_IMAGES);
	for (unsigned i = 0; i < VARIANTS; i++)
		free(measure.encoders[i]);
	free(measure.packer);
	reader_close(reader);
	return true;
}
