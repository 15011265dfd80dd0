/*
 * replay/lane_make.c - the chunks of a CPU become segments
 */
#include <stdlib.h>

#include "replay/lane.h"

static enum status add_segment(struct lane *lane, struct lane_segment segment)
{
	if (lane->count == lane->room) {
		const size_t room = MAX(64, 2 * lane->room);
		struct lane_segment *const segments =
			realloc(lane->segments, room * sizeof(*segments));

		if (!segments)
			return ST_NO_MEMORY;
		lane->segments = segments;
		lane->room = room;
	}
	segment.n = lane->numbers;
	lane->numbers += segment.events;
	lane->segments[lane->count++] = segment;
	return ST_OK;
}

static enum status add_gap(struct lane *lane, enum trace_gap why, u64 events, u64 last_tsc)
{
	const struct lane_segment segment = { .seq = lane->next_seq,
					      .events = 1,
					      .gap = { .why = why,
						       .events = events,
						       .first_tsc = lane->last_tsc,
						       .last_tsc = last_tsc } };

	lane->gaps++;
	lane->lost += events;
	lane->next_seq += events;
	return add_segment(lane, segment);
}

static enum trace_gap why_lost(const struct tape_chunk *chunk)
{
	if (chunk->after_damage)
		return GAP_DAMAGED_BLOCK;
	return chunk->chunk.flags & CHUNK_OVERWRITES ? GAP_OVERWRITTEN : GAP_LOST_BLOCK;
}

/* What is missing before @block: first what was lost, then what hv had to drop. */
static enum status add_hole(struct lane *lane, const struct tape_chunk *chunk)
{
	const struct block *const block = &chunk->block;
	const u64 hole = block->first_seq - lane->next_seq;
	const u64 dropped = MIN(hole, block->dropped);
	enum status status = ST_OK;

	if (hole > dropped)
		status = add_gap(lane, why_lost(chunk), hole - dropped, block->first_tsc);
	if (dropped && status == ST_OK)
		status = add_gap(lane, GAP_RING_FULL, dropped, block->first_tsc);
	return status;
}

static enum status add_block(struct lane *lane, struct tape_chunk *chunk)
{
	const struct block *const block = &chunk->block;
	enum status status;

	/* Seen already: frames or files that were put together twice. */
	if (block->first_seq < lane->next_seq) {
		tape_damaged(lane->tape, "the block at offset %llu is out of order",
			     (unsigned long long)chunk->offset);
		return ST_OK;
	}
	lane->loss_open = false;
	status = add_hole(lane, chunk);
	if (status != ST_OK)
		return status;
	lane->next_seq = block->first_seq + block->events;
	lane->last_tsc = block->last_tsc;
	return add_segment(lane, (struct lane_segment){ .seq = block->first_seq,
							.events = block->events,
							.chunk = chunk });
}

enum status lane_add(struct lane *lane, struct tape_chunk *chunk)
{
	if (chunk->chunk.type == CHUNK_BLOCK)
		return add_block(lane, chunk);
	lane->loss_open = true;
	lane->loss = chunk->loss;
	return ST_OK;
}

enum status lane_end(struct lane *lane, u64 next_seq)
{
	const bool full = lane->loss.why == GAP_RING_FULL;
	enum status status = ST_OK;

	if (lane->next_seq < next_seq)
		status = add_gap(lane, GAP_DAMAGED_BLOCK, next_seq - lane->next_seq, 0);
	if (status == ST_OK && lane->loss_open)
		return add_gap(lane, full ? GAP_RING_FULL : GAP_LOST_BLOCK, lane->loss.events, 0);
	if (status == ST_OK && !lane->tape->complete)
		return add_gap(lane, GAP_CUT, 0, 0);
	return status;
}
