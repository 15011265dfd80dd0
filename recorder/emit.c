#include "recorder/emit.h"

#include "trace/block.h"
#include "trace/encode.h"
#include "trace/pack.h"

#define SEALED_COUNT   4
#define URGENT_COUNT   (SEALED_COUNT - 1)
/* In a ring that overwrites, images are written again after this part of it at the latest. */
#define IMAGES_RENEWED 8
#define HEADER_SIZE    (CHUNK_HEADER + BLOCK_HEADER)
#define ALIGNED(size)  ALIGN_UP(size, 64)

enum sealed_state { SEALED_RAW, SEALED_PACKING, SEALED_PACKED, SEALED_INCOMPRESSIBLE };

/* A sealed block that has not found its way into the ring yet. */
struct sealed {
	struct block block;
	enum sealed_state state;
	size_t packed_size;
	u8 raw[CODEC_MAX_RAW];
};

struct rec {
	struct ring *ring;
	struct trace_encoder *encoder;
	struct trace_packer *packer;
	const struct rec_ops *ops;
	void *owner;
	u64 block_seq;	/* of the first event of the open block, or of the next */
	u64 number;	/* of the open block, or of the next */
	u64 images;	/* of blocks from this number on can be referred to */
	u64 fresh;	/* bytes pushed since @images was set, where the ring overwrites */
	u32 dropped;	/* events that no block header has told yet */
	u32 key_frames; /* events of the open block that are key frames */
	u16 cpu;
	bool open;
	bool pinned; /* the head is being written */
	bool in_key_frames;
	enum status head_status;
	unsigned oldest; /* of the sealed blocks */
	unsigned count;
	struct sealed sealed[SEALED_COUNT];
	u8 frame[PACK_MAX_FRAME]; /* of the oldest sealed block */
};

size_t rec_size(void)
{
	return ALIGNED(sizeof(struct rec)) + ALIGNED(trace_encoder_size()) + trace_packer_size();
}

struct rec *rec_init(void *memory, struct ring *ring, u16 cpu, const struct rec_ops *ops,
		     void *owner, bool packs)
{
	struct rec *rec = memory;
	u8 *const encoder = (u8 *)memory + ALIGNED(sizeof(struct rec));
	u8 *const packer = encoder + ALIGNED(trace_encoder_size());

	rec->ring = ring;
	rec->ops = ops;
	rec->owner = owner;
	rec->cpu = cpu;
	rec->block_seq = rec->number = 0;
	rec->images = rec->fresh = 0;
	rec->dropped = rec->key_frames = 0;
	rec->open = rec->pinned = rec->in_key_frames = false;
	rec->oldest = rec->count = 0;
	rec->encoder = trace_encoder_init(encoder, trace_schema_builtin(), ops->read_code, owner);
	rec->packer = packs ? trace_packer_init(packer) : NULL;
	return rec;
}

/* --- sealed blocks ---------------------------------------------------------------------------- */

/* Into the pinned head while it is written, else behind what is in the ring. */
static enum status push_chunk(struct rec *rec, struct chunk *chunk)
{
	u8 header[HEADER_SIZE];
	size_t size;
	enum status status;

	chunk->cpu = rec->cpu;
	chunk->flags = rec->pinned		    ? CHUNK_PINNED
		       : ring_overwrites(rec->ring) ? CHUNK_OVERWRITES
						    : 0;
	size = chunk_write_header(chunk, header);
	rec->fresh += size + chunk->size;
	if (!rec->pinned)
		return ring_push(rec->ring, header, size, chunk->payload, chunk->size);
	status = ring_pin(rec->ring, header, size);
	return status != ST_OK ? status : ring_pin(rec->ring, chunk->payload, chunk->size);
}

static enum status push_block(struct rec *rec, const struct block *block, const u8 *payload,
			      size_t size)
{
	u8 extra[BLOCK_HEADER];
	struct chunk chunk = { .type = CHUNK_BLOCK,
			       .extra_size = BLOCK_HEADER,
			       .size = (u32)size,
			       .extra = extra,
			       .payload = payload };

	block_write(block, extra);
	return push_chunk(rec, &chunk);
}

/* Puts the oldest sealed block into the ring, as far as it has been packed or not. */
static enum status push_oldest(struct rec *rec)
{
	struct sealed *const sealed = &rec->sealed[rec->oldest];
	struct block *const block = &sealed->block;
	const bool packed = sealed->state == SEALED_PACKED;
	enum status status;

	block->codec = packed ? BLOCK_ZSTD : BLOCK_RAW;
	status = push_block(rec, block, packed ? rec->frame : sealed->raw,
			    packed ? sealed->packed_size : block->raw_size);
	if (status != ST_OK)
		return status;
	rec->oldest = (rec->oldest + 1) % SEALED_COUNT;
	rec->count--;
	return ST_OK;
}

static u32 add_saturated(u32 a, u32 b)
{
	return a + b < a ? ~0u : a + b;
}

/* Moves the open block to @sealed. */
static void seal_to(struct rec *rec, struct sealed *sealed)
{
	const struct trace_encoder_state state = trace_encoder_state(rec->encoder);

	sealed->state = SEALED_RAW;
	sealed->block = (struct block){
		.number = rec->number,
		.first_seq = rec->block_seq,
		.first_tsc = state.first_tsc,
		.last_tsc = state.last_tsc,
		.events = state.events,
		.counted = state.counted,
		.dropped = rec->dropped,
		.schema_id = trace_schema_builtin()->id,
		.raw_size = (u32)trace_encoder_finish(rec->encoder, sealed->raw),
		.codec = BLOCK_RAW,
		.kinds = state.kinds,
		.last_order = state.last_order,
	};
	rec->dropped = 0;
}

static void seal(struct rec *rec)
{
	const u32 events = trace_encoder_state(rec->encoder).events;

	rec->open = false;
	if (!events)
		return;
	if (rec->pinned) {
		struct sealed *const head = &rec->sealed[0];

		seal_to(rec, head);
		if (rec->head_status == ST_OK)
			rec->head_status =
				push_block(rec, &head->block, head->raw, head->block.raw_size);
	} else if (rec->count == SEALED_COUNT && push_oldest(rec) != ST_OK) {
		rec->dropped = add_saturated(rec->dropped, events);
		rec->images = rec->number + 1;
	} else {
		seal_to(rec, &rec->sealed[(rec->oldest + rec->count++) % SEALED_COUNT]);
	}
	rec->block_seq += events;
	rec->number++;
}

bool rec_pack_slice(struct rec *rec)
{
	struct sealed *const sealed = &rec->sealed[rec->oldest];
	enum status status;

	if (!rec->count)
		return false;
	if (!rec->packer)
		sealed->state = SEALED_INCOMPRESSIBLE;
	if (sealed->state == SEALED_RAW) {
		status = trace_pack_start(rec->packer, sealed->raw, sealed->block.raw_size,
					  rec->frame);
		sealed->state = status == ST_OK ? SEALED_PACKING : SEALED_INCOMPRESSIBLE;
	}
	if (sealed->state == SEALED_PACKING) {
		status = trace_pack_slice(rec->packer, &sealed->packed_size);
		if (status != ST_OK)
			sealed->state = status == ST_END ? SEALED_PACKED : SEALED_INCOMPRESSIBLE;
		return true;
	}
	return rec_push(rec) && rec->count;
}

bool rec_push(struct rec *rec)
{
	return rec->count && push_oldest(rec) == ST_OK;
}

bool rec_pack_urgent(const struct rec *rec)
{
	return rec->count >= URGENT_COUNT;
}

bool rec_image_holds(const struct rec *rec, u64 block)
{
	return block >= rec->images;
}

/* --- the open block --------------------------------------------------------------------------- */

static void open(struct rec *rec)
{
	trace_encoder_reset(rec->encoder);
	rec->open = true;
	rec->key_frames = 0;
	if (rec->pinned || rec->in_key_frames)
		return;
	if (ring_overwrites(rec->ring) && rec->fresh > ring_space(rec->ring) / IMAGES_RENEWED) {
		rec->images = rec->number;
		rec->fresh = 0;
	}
	rec->in_key_frames = true;
	rec->ops->key_frames(rec->owner, rec, rec->number);
	rec->in_key_frames = false;
	rec->key_frames = trace_encoder_state(rec->encoder).events;
}

/* Not as rec_emit() has it mostly: no block is open, or this one is full, or it is now. */
static NOINLINE void emit_at_end(struct rec *rec, const struct trace_event *event,
				 enum status status)
{
	if (!rec->open) {
		open(rec);
		status = trace_encode_next(rec->encoder, event);
	}
	if (status == ST_NO_SPACE) {
		seal(rec);
		open(rec);
		status = trace_encode_next(rec->encoder, event);
	}
	/* Key frames must show the state before the next event, so they are made now. */
	if (status == ST_END && !rec->pinned && !rec->in_key_frames)
		rec_seal(rec);
}

void rec_emit(struct rec *rec, const struct trace_event *event)
{
	enum status status = ST_END;

	if (likely(rec->open))
		status = trace_encode_next(rec->encoder, event);
	if (unlikely(status != ST_OK))
		emit_at_end(rec, event, status);
}

u64 rec_last_seq(const struct rec *rec)
{
	const u32 events = trace_encoder_state(rec->encoder).events;

	return rec->block_seq + (events > rec->key_frames ? events : 0) - 1;
}

void rec_open(struct rec *rec)
{
	if (!rec->open)
		open(rec);
}

void rec_reserve(struct rec *rec, u32 bytes)
{
	if (!trace_encoder_has_room(rec->encoder, bytes))
		rec_seal(rec);
}

void rec_seal(struct rec *rec)
{
	if (!rec->open || trace_encoder_state(rec->encoder).events == rec->key_frames)
		return;
	seal(rec);
	open(rec);
}

/* For events that no block header will tell of. */
static void push_loss(struct rec *rec)
{
	u8 extra[LOSS_HEADER];
	const struct loss loss = { .first_seq = rec->block_seq - rec->dropped,
				   .events = rec->dropped,
				   .why = GAP_RING_FULL };
	struct chunk chunk = { .type = CHUNK_LOSS, .extra_size = LOSS_HEADER, .extra = extra };

	loss_write(&loss, extra);
	if (push_chunk(rec, &chunk) == ST_OK)
		rec->dropped = 0;
}

/* Of a block with nothing else. */
static void forget_key_frames(struct rec *rec)
{
	rec->images = rec->number + 1;
}

void rec_flush(struct rec *rec)
{
	if (rec->open && trace_encoder_state(rec->encoder).events > rec->key_frames)
		seal(rec);
	else if (rec->open)
		forget_key_frames(rec);
	rec->open = false;
	while (rec->count && push_oldest(rec) == ST_OK)
		;
	if (rec->dropped && !rec->count)
		push_loss(rec);
}

enum status rec_head(struct rec *rec, void (*events)(void *owner, struct rec *rec))
{
	struct chunk schema = { .type = CHUNK_SCHEMA, .payload = rec->frame };

	schema.size = (u32)trace_schema_write(trace_schema_builtin(), rec->frame);
	rec->pinned = true;
	rec->head_status = push_chunk(rec, &schema);
	events(rec->owner, rec);
	if (rec->open)
		seal(rec);
	rec->pinned = false;
	open(rec);
	return rec->head_status;
}
