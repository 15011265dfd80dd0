#include "replay/lane.h"

#include <stdlib.h>

#include "trace/decode_state.h"

struct lane *lane_new(struct tape *tape, u16 cpu, const struct trace_schema *schema)
{
	struct lane *const lane = calloc(1, sizeof(*lane));
	void *const memory = aligned_alloc(64, ALIGN_UP(trace_decoder_size(), 64));

	if (!lane || !memory) {
		free(memory);
		free(lane);
		return NULL;
	}
	lane->tape = tape;
	lane->cpu = cpu;
	lane->schema = schema;
	lane->decoder = trace_decoder_init(memory, schema);
	lane->unpacker = trace_unpacker_new();
	if (lane->unpacker)
		return lane;
	lane_free(lane);
	return NULL;
}

struct lane *lane_scout(const struct lane *lane)
{
	struct lane *const scout = lane_new(lane->tape, lane->cpu, lane->schema);
	struct lane_segment *const segments = malloc(lane->count * sizeof(*segments));

	if (!scout || !segments) {
		free(segments);
		lane_free(scout);
		return NULL;
	}
	memcpy(segments, lane->segments, lane->count * sizeof(*segments));
	scout->segments = segments;
	scout->count = scout->room = lane->count;
	scout->numbers = lane->numbers;
	return scout;
}

void lane_free(struct lane *lane)
{
	if (!lane)
		return;
	trace_unpacker_free(lane->unpacker);
	free(lane->decoder);
	free(lane->segments);
	free(lane);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void give_gap(struct lane *lane, u64 seq, const struct ev_gap *gap,
		     const struct trace_event **event)
{
	memcpy(lane->gap_col, gap, sizeof(*gap));
	lane->gap = (struct trace_event){ .kind = EV_GAP,
					  .cpu = lane->cpu,
					  .seq = seq,
					  .tsc = gap->first_tsc,
					  .col = lane->gap_col };
	*event = &lane->gap;
}

/* Stands for the events of the block at @at that cannot be read, from the next one on. */
static void give_damage(struct lane *lane, struct lane_segment *segment,
			const struct trace_event **event, u64 *numbers)
{
	const struct block *const block = &segment->chunk->block;
	const u64 seq = segment->seq + lane->done;
	const struct ev_gap gap = { .why = GAP_DAMAGED_BLOCK,
				    .events = segment->events - lane->done,
				    .first_tsc = block->first_tsc,
				    .last_tsc = block->last_tsc };

	if (!segment->bad) {
		segment->bad = true;
		lane->bad_blocks++;
		lane->lost += gap.events;
	}
	give_gap(lane, seq, &gap, event);
	*numbers = gap.events;
	tape_damaged(lane->tape,
		     "the block at offset %llu is damaged, events %llu to %llu are lost",
		     (unsigned long long)segment->chunk->offset, (unsigned long long)seq,
		     (unsigned long long)(seq + gap.events - 1));
}

/* What the block that is open says, from its start. */
static enum status open_decoder(struct lane *lane)
{
	const struct tape_chunk *const chunk = lane->segments[lane->at].chunk;
	const struct block *const block = &chunk->block;
	const struct trace_block_facts facts = { .cpu = lane->cpu,
						 .events = block->events,
						 .first_seq = block->first_seq,
						 .first_tsc = block->first_tsc };

	return trace_decoder_open(lane->decoder,
				  block->codec == BLOCK_RAW ? chunk->chunk.payload : lane->raw,
				  block->raw_size, &facts);
}

/* Checks and unpacks the block at @at, unless that was done last. */
static enum status open_block(struct lane *lane)
{
	const struct chunk *const chunk = &lane->segments[lane->at].chunk->chunk;
	const struct block *const block = &lane->segments[lane->at].chunk->block;
	struct cursor in = cursor_over(chunk->payload, chunk->size);

	if (lane->unpacked == lane->at + 1)
		return open_decoder(lane);
	lane->unpacked = 0;
	if (chunk_read_payload(&in, chunk) != ST_OK || block->schema_id != lane->schema->id)
		return ST_CORRUPT;
	if (block->codec == BLOCK_ZSTD && trace_unpack(lane->unpacker, chunk->payload, chunk->size,
						       lane->raw, block->raw_size) != ST_OK)
		return ST_CORRUPT;
	if (block->codec != BLOCK_ZSTD && block->codec != BLOCK_RAW)
		return ST_CORRUPT;
	lane->unpacked = lane->at + 1;
	return open_decoder(lane);
}

static void leave_segment(struct lane *lane)
{
	lane->at++;
	lane->done = 0;
	lane->opened = lane->outlined = false;
}

enum status lane_next_segment(struct lane *lane, const struct trace_event **event, u64 *numbers)
{
	struct lane_segment *segment;
	enum status status;

	*numbers = 1;
	while (lane->at < lane->count) {
		segment = &lane->segments[lane->at];
		if (!segment->chunk) {
			give_gap(lane, segment->seq, &segment->gap, event);
			leave_segment(lane);
			return ST_OK;
		}
		status = lane->opened ? ST_OK : open_block(lane);
		lane->opened = true;
		if (status == ST_OK)
			status = trace_decode_event(lane->decoder, event);
		if (status == ST_OK) {
			lane->done++;
			return ST_OK;
		}
		if (status != ST_END && lane->done < segment->events) {
			give_damage(lane, segment, event, numbers);
			leave_segment(lane);
			return ST_OK;
		}
		if (status != ST_END)
			tape_damaged(lane->tape, "the block at offset %llu says too much",
				     (unsigned long long)segment->chunk->offset);
		leave_segment(lane);
	}
	return ST_END;
}

/* The last place at or before @n that a state is kept of; NULL: there is none. */
static const struct lane_state *state_before(const struct lane *lane, u64 n)
{
	size_t low = 0, high = lane->states.count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (lane->states.list[middle].n > n)
			high = middle;
		else
			low = middle + 1;
	}
	return low ? &lane->states.list[low - 1] : NULL;
}

/* To a place nearer to @n, in the same block, if a state is kept that is worth it. */
static void load_state(struct lane *lane, u64 n)
{
	const struct lane_state *const state = state_before(lane, n);
	const struct lane_segment *const segment = &lane->segments[lane->at];
	struct cursor in;

	if (!state || lane->at == lane->count || !segment->chunk || state->n <= segment->n ||
	    state->n < lane_tell(lane) + lane->states.worth)
		return;
	if ((lane->opened ? open_decoder(lane) : open_block(lane)) == ST_OK) {
		in = cursor_over(lane->states.bytes + state->at, lane->states.size - state->at);
		lane->done = state->n - segment->n;
		lane->opened = trace_decode_load(lane->decoder, &in, (u32)lane->done) == ST_OK;
	} else {
		lane->opened = false;
	}
	/* What cannot be is found out, and told, by reading. */
	if (!lane->opened)
		lane->done = 0;
}

void lane_use_states(struct lane *lane, const struct lane_states *states)
{
	lane->states = states ? *states : (struct lane_states){ 0 };
}

void lane_seek(struct lane *lane, u64 n)
{
	const struct trace_event *event;
	size_t low = 0, high = lane->count;
	u64 numbers;

	/* The first segment that ends behind @n. */
	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (lane->segments[middle].n + lane->segments[middle].events > n)
			high = middle;
		else
			low = middle + 1;
	}
	if (lane->at != low || lane_tell(lane) > n || lane->outlined) {
		lane->at = low;
		lane->done = 0;
		lane->opened = lane->outlined = false;
	}
	load_state(lane, n);
	/* Most of the way is inside of one block. */
	while (lane_tell(lane) < n && lane_next(lane, &event, &numbers) == ST_OK)
		if (lane->opened && lane_tell(lane) < n)
			lane->done += trace_decoder_skip(lane->decoder, n - lane_tell(lane));
}

/* The gap behind the last event, which nothing follows. */
static enum status outline_end(struct lane *lane, struct trace_outline *outline)
{
	const u64 time = lane->segments[lane->at].gap.first_tsc + outline->shift;

	if (MAX(time, outline->time) >= outline->before)
		return ST_OK;
	outline->time = MAX(time, outline->time);
	leave_segment(lane);
	return ST_END;
}

enum status lane_outline(struct lane *lane, struct trace_outline *outline)
{
	enum status status;

	for (; lane->at < lane->count; leave_segment(lane)) {
		const struct lane_segment *const segment = &lane->segments[lane->at];

		if (!segment->chunk && lane->at + 1 == lane->count)
			return outline_end(lane, outline);
		if (!segment->chunk || (!lane->opened && open_block(lane) != ST_OK))
			return ST_UNSUPPORTED;
		lane->opened = lane->outlined = true;
		status = trace_decoder_outline(lane->decoder, outline);
		lane->done += outline->count;
		if (status != ST_END)
			return status == ST_OK ? ST_OK : ST_UNSUPPORTED;
	}
	return ST_END;
}

enum status lane_find(const struct lane *lane, u64 seq, u64 *n)
{
	size_t low = 0, high = lane->count;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (lane->segments[middle].seq > seq)
			high = middle;
		else
			low = middle + 1;
	}
	if (!low || !lane->segments[low - 1].chunk ||
	    seq - lane->segments[low - 1].seq >= lane->segments[low - 1].events)
		return ST_NOT_FOUND;
	*n = lane->segments[low - 1].n + (seq - lane->segments[low - 1].seq);
	return ST_OK;
}

u64 lane_skip_unordered(struct lane *lane)
{
	while (!lane->opened && lane->at < lane->count &&
	       (!lane->segments[lane->at].chunk ||
		!lane->segments[lane->at].chunk->block.last_order))
		leave_segment(lane);
	return lane_tell(lane);
}

u64 lane_first_tsc(const struct lane *lane)
{
	const struct lane_segment *const at = &lane->segments[lane->at];

	if (lane->at == lane->count)
		return 0;
	return at->chunk ? at->chunk->block.first_tsc : at->gap.first_tsc;
}

u64 lane_tell(const struct lane *lane)
{
	return lane->at < lane->count ? lane->segments[lane->at].n + lane->done : lane->numbers;
}
