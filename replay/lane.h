/*
 * replay/lane.h - the events of one CPU of a tape, gaps included
 *
 * A lane is a list of segments: blocks, and gaps between them. It is made from block headers alone;
 * a block is checked, unpacked and decoded when its events are asked for.
 */
#ifndef REPLAY_LANE_H
#define REPLAY_LANE_H

#include "trace/decode.h"
#include "trace/file.h"
#include "trace/outline.h"
#include "trace/pack.h"

struct lane_segment {
	u64 n;			  /* number of its first event in the lane, from 0 */
	u64 seq;		  /* of its first event */
	u64 events;		  /* numbers that it takes: of a block its events, of a gap 1 */
	struct tape_chunk *chunk; /* NULL: a gap ... */
	struct ev_gap gap;	  /* ... which is this */
	bool bad;		  /* the block was found damaged */
};

/* Where a decoder was in the midst of a block, and what it knew: trace/decode_state.h. */
struct lane_state {
	u64 track; /* number of its lane */
	u64 n;	   /* of the next event, in the lane */
	u64 at;	   /* of the bytes, which may have any content */
};

struct lane_states {
	const struct lane_state *list; /* with ascending @n; each @at is at most @size */
	size_t count;
	const u8 *bytes;
	size_t size;
	u64 worth; /* events that are passed over in the time of coming to a state */
};

struct lane {
	u16 cpu;
	bool opened;   /* the block at @at is in the decoder ... */
	bool outlined; /* ... which has an outline of it only */
	struct tape *tape;
	struct lane_segment *segments;
	size_t count;
	size_t room;
	u64 numbers; /* that all segments take */
	u64 lost;    /* events that gaps between the blocks stand for */
	unsigned gaps;
	unsigned bad_blocks; /* met so far */
	const struct trace_schema *schema;
	u64 next_seq;
	u64 last_tsc;	/* of the last block added */
	bool loss_open; /* a LOSS chunk that no block has followed yet: */
	struct loss loss;

	size_t at; /* the segment ... */
	u64 done;  /* ... and how many of its numbers were read */
	u64 gap_col[TRACE_MAX_COLUMNS];
	struct trace_event gap;
	struct trace_decoder *decoder;
	struct trace_unpacker *unpacker;
	struct lane_states states;
	size_t unpacked; /* the segment + 1 that was checked, and is in @raw if it was packed */
	u8 raw[CODEC_MAX_RAW];
};

/* @schema and @tape outlive the lane. NULL when there is no memory. */
struct lane *lane_new(struct tape *tape, u16 cpu, const struct trace_schema *schema);
void lane_free(struct lane *lane);

/* Another lane over the same blocks, which reads by itself. NULL when there is no memory. */
struct lane *lane_scout(const struct lane *lane);

/* Append what a BLCK or LOSS chunk of this CPU says. ST_NO_MEMORY. */
enum status lane_add(struct lane *lane, struct tape_chunk *chunk);

/* No more chunks come: @next_seq is the seq after the last event by the index, 0 when unknown. */
enum status lane_end(struct lane *lane, u64 next_seq);

/* What lane_next() does where no block is open, or the open one has no more events. */
enum status lane_next_segment(struct lane *lane, const struct trace_event **event, u64 *numbers);

/*
 * The next event and how many numbers it takes: 1, or of a damaged block what was left of it.
 * ST_END. The event holds until the next call.
 */
static inline enum status lane_next(struct lane *lane, const struct trace_event **event,
				    u64 *numbers)
{
	if (likely(lane->opened) && likely(trace_decode_event(lane->decoder, event) == ST_OK)) {
		lane->done++;
		*numbers = 1;
		return ST_OK;
	}
	return lane_next_segment(lane, event, numbers);
}

/* Seek by these states, which are of this lane and stay the caller's. NULL: none. */
void lane_use_states(struct lane *lane, const struct lane_states *states);

/* Make number @n the next; inside a damaged block, the one after it. */
void lane_seek(struct lane *lane, u64 n);

/*
 * Pass over events as trace_decoder_outline() does. ST_OK: the next one is not before
 * outline->before. ST_END; ST_UNSUPPORTED: what is next cannot be passed over, but read. Behind it
 * the lane is where lane_tell() says, for lane_outline() and lane_seek() alone.
 */
enum status lane_outline(struct lane *lane, struct trace_outline *outline);

/* The number of the event @seq. ST_NOT_FOUND where it is in a gap or was never there. */
enum status lane_find(const struct lane *lane, u64 seq, u64 *n);

/*
 * Pass over whole blocks that have no number of the hand-over counter, and gaps. Returns the number
 * of the next event.
 */
u64 lane_skip_unordered(struct lane *lane);

/* A TSC that the next event, and those before it in its block, are not before; 0: none is. */
u64 lane_first_tsc(const struct lane *lane);

/* The number of the next event. */
u64 lane_tell(const struct lane *lane);

#endif
