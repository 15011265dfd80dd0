/*
 * replay/timeline_index_parts.h - shared by what makes an index
 */
#ifndef REPLAY_TIMELINE_INDEX_PARTS_H
#define REPLAY_TIMELINE_INDEX_PARTS_H

#include <stdio.h>

#include "replay/timeline_index.h"
#include "trace/decode_state.h"

#define INDEX_LAST_RIPS	  256
#define INDEX_REGION_HASH (2 * INDEX_MAX_REGIONS)

/* A VMCS by number. */
struct index_region {
	u64 pointer;
	u32 number;
	bool present;		   /* in the model, behind the last interval */
	struct model_region *base; /* what the record at @base_offset says; NULL: none yet */
	u64 base_offset;
	u64 base_size;
	u64 least;		      /* bytes of the smallest record since ... */
	u64 waste;		      /* ... and how much larger the others were, together */
	u64 last_row;		      /* of touched with a state + 1, 0: none */
	u64 row;		      /* of this interval + 1, 0: none */
	u64 value[VMCS_FIELD_COUNT];  /* what was last written, or shown by a key frame ... */
	u64 mask[VMCS_FIELD_COUNT];   /* ... of these bits */
	u64 partly[RECORD_SET_WORDS]; /* the last write was of a part of the field */
};

struct index_rows {
	void *list;
	u64 count;
	u64 room;
};

/* What the decoder of a track is kept by. */
struct index_decoder {
	struct trace_decode_base base;
	u64 from; /* number of the track before that nothing is kept */
	/* The last states, for when the pass has to go back a little. */
	struct lane_state recent[2];
	u8 bytes[2][DECODE_STATE_MAX];
};

struct index_builder {
	struct reader *reader;
	struct model *model;
	FILE *file;
	u64 written; /* bytes */
	enum status status;
	u64 interval; /* events, about */
	size_t stride;
	struct index_rows intervals;
	struct index_rows touched;
	struct index_rows filters;
	struct index_rows states; /* of struct lane_state */
	struct index_rows tables; /* of INDEX_MAX_REGIONS at first: of those that there were */
	struct index_decoder *decoders; /* by track; NULL: states of decoders are not kept */
	struct index_region *regions[INDEX_MAX_REGIONS];
	u32 region_count;
	u32 hash[INDEX_REGION_HASH]; /* number + 1 */
	u32 last_region;	     /* the one looked up last */
	bool unsure;
	u64 first; /* number of the first event of the interval */
	u64 entries;
	u64 last_tsc;
	u64 last_rips[INDEX_LAST_RIPS];		     /* some that the filter has */
	struct model_cpu group_cpus[MODEL_MAX_CPUS]; /* at the begin of the group */
	u8 rest[RECORD_REST_MAX];		     /* the last record of that */
	size_t rest_size;
	u64 rest_offset;
};

/* The interval that is being made. */
static inline struct index_interval *builder_interval(const struct index_builder *builder)
{
	return (struct index_interval *)((u64 *)builder->intervals.list +
					 (builder->intervals.count - 1) * builder->stride);
}

/* The VMCS at @pointer; NULL where there are too many, or no memory. */
struct index_region *builder_region(struct index_builder *builder, u64 pointer);

/* The row of @region in this interval. NULL without memory. */
struct index_touched *builder_row(struct index_builder *builder, struct index_region *region);

/* Writes @size bytes, and returns at which offset. */
u64 builder_put(struct index_builder *builder, const void *bytes, size_t size);

/* States of decoders are kept. Without memory for it, only seeking takes longer. */
void builder_begin_decoders(struct index_builder *builder);
void builder_end_decoders(struct index_builder *builder);

/* The decoder of track @i is between two events. */
void builder_keep_decoder(struct index_builder *builder, unsigned i);

/* The reader and the model are at its begin, or its end. */
void builder_begin_interval(struct index_builder *builder);
void builder_end_interval(struct index_builder *builder);

/* From the start of the tape to its end, interval by interval. */
void index_pass(struct index_builder *builder, const struct index_poll *poll);

#endif
