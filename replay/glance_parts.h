/*
 * replay/glance_parts.h - shared by replay/glance*.c
 */
#ifndef REPLAY_GLANCE_PARTS_H
#define REPLAY_GLANCE_PARTS_H

#include "replay/glance.h"
#include "replay/reader_parts.h"

struct glance {
	struct reader *reader;
	struct track *track; /* of the event's CPU ... */
	struct lane *lane;   /* ... and another lane over its blocks */
	u64 end;	     /* number of the event in it */
	size_t last;	     /* the segment with what is right before it */
	u64 *ends;	     /* where every track is then, by its number in the lane */
	u8 kind;	     /* of the event */
	u64 vmcs;	     /* current before it, as the event says */
	struct model *heads; /* what the heads of all CPUs say, and RDMSRs before the event */
	struct model *model;
	u64 since;    /* 1 + the number of the block with the last whole image of @vmcs; 0: @last */
	bool imaged;  /* the last segment has either */
	bool all;     /* a run needs every segment */
	size_t first; /* where the run began */
	bool left_out; /* the run did not take all from the start */
};

static inline bool glance_is_pinned(const struct lane_segment *segment)
{
	return segment->chunk && segment->chunk->chunk.flags & CHUNK_PINNED;
}

/* Another lane over the blocks of @track, the track's. NULL without memory. */
struct lane *glance_scout(struct track *track);

/*
 * Take @model over events of @kinds (block_kind()) of a segment that are before number @end of the
 * lane. ST_UNSUPPORTED: some are missing. ST_NO_MEMORY.
 */
enum status glance_step_segment(struct model *model, struct lane *lane, size_t segment, u64 end,
				u64 kinds);

/*
 * Take glance->heads over what tells of capabilities before the event: the heads of all CPUs, and
 * RDMSRs. Likewise; ST_UNSUPPORTED also where CPUs tell different things. Moves the reader.
 */
enum status glance_step_capabilities(struct glance *glance);

#endif
