/*
 * trace/encoder.h - what an encoder is made of, for its own sources
 *
 * encoder.c keeps the tables: kinds, sites, shapes. encode.c and encode_other.c put events into the
 * block.
 */
#ifndef TRACE_ENCODER_H
#define TRACE_ENCODER_H

#include "trace/block.h"
#include "trace/encode.h"
#include "trace/streams.h"

/*
 * Bytes that a block needs at most for its stream table, and for an event without items and bytes:
 * op, site, mask, tsc, shape, length, rip, a new site with its code, a new shape's count, columns.
 */
#define BOUND		  (STREAMS_MAX_TABLE + 96 + TRACE_MAX_COLUMNS * NUMBER_SIZE)
#define ITEM_BOUND	  (NUMBER_SIZE + 3)

/* A block is full when the next event might not fit; hv's memory sets these, not the format. */
#define MAX_SITES	  512
#define MAX_VALUES	  (MAX_SITES * 16)
#define MAX_SHAPES	  512

#define INSN_COLUMN_COUNT (sizeof(struct ev_insn) / sizeof(u64))
#define RFLAGS_COLUMN	  (offsetof(struct ev_insn, rflags) / sizeof(u64))
#define VMCS_COLUMN	  (offsetof(struct ev_insn, vmcs) / sizeof(u64))
#define VMCS_BIT	  (1u << VMCS_COLUMN)
#define REGION_COLUMN	  (INSN_COLUMN_COUNT + 2) /* behind an operand in memory */
#define FLAGS_BIT(n)	  (1u << (RFLAGS_COLUMN + (n)))
#define FIELD_TAIL_VALUE  (INSN_COLUMN_COUNT + 3)
#define QUIET_EVENTS	  32 /* and then the mask is made anew */

/* Between these and a number of the hand-over counter: none, an operand and a region, and VMXON's.
 */
#define ORDERED_COLUMNS	  5
#define VMXON_COLUMNS	  8

/* What encoding needs of a kind, close together. */
struct plan {
	struct stream *const *streams; /* of its columns; NULL where the schema has no such kind */
	u8 counted;
	u64 kinds; /* block_kind() */
	u8 column_count;
	u8 first; /* column that comparing begins with: behind the key, where that is one */
	u8 flags;
	u8 value_column;
	u32 value_bit;
	u8 field_column;
	u8 order_column;
	u8 current_column; /* that makes the VMCS that it names current, SCHEMA_NONE: none */
	u8 vmcs_column;	   /* which VMCS the fields of this event are of, SCHEMA_NONE: as before */
	u8 vmcs_cell;
	u8 key_cell;
	u8 last_count;
	u8 last[SCHEMA_MAX_LAST];
	u8 last_cell[SCHEMA_MAX_LAST];
	u16 other; /* OTHER or 0 */
	u8 path;   /* enum path at a site where nothing misses */
	u32 last_mask;
	u32 odd_mask; /* columns whose misses PATH_OTHER alone can take */
};

/* How trace_encode_event() goes about the next event at a site, as long as all is as expected. */
enum path {
	PATH_PLAIN,    /* INSN_COLUMNS and one more, nothing misses */
	PATH_SAME,     /* VMREAD and VMWRITE, nothing misses */
	PATH_CHANGES,  /* the same, the value may miss */
	PATH_MEMORY,   /* the same with an operand in memory, nothing misses */
	PATH_FLAGS,    /* one of these, RFLAGS may miss too */
	PATH_MASKED,   /* one of these, other columns may miss */
	PATH_ORDERED,  /* INSN_COLUMNS, more, and a number of the hand-over counter: nothing misses
			*/
	PATH_HANDOVER, /* the same with a region that becomes the current VMCS: that misses */
	PATH_FLAGGED_HANDOVER, /* the same, and RFLAGS may */
	PATH_MOVES,	       /* the same, any columns may miss */
	PATH_ITEMS,	       /* an L2 entry or exit: a key, a few columns, and items */
	PATH_OTHER,	       /* encoder_put_other() */
};

struct site {
	u64 key;
	u32 version;  /* of the cells that @values has */
	u16 identity; /* kind and level, and OTHER */
	u8 path;      /* enum path */
	u8 turn;      /* what encoder->turn becomes where the key is column 0 */
	u64 *values;  /* of the columns, at the last event here */
	u64 *field;   /* last value of field @field_id of VMCS @vmcs */
	u64 delta;    /* TSC ticks between the last event here and the one before it */
	const struct plan *plan;
	u64 rip; /* where it is not the key: of the last event here, or predicted */
	u64 field_id;
	struct site *next[CODEC_TURNS]; /* what followed last time; at first encoder->start */
	u32 vmcs;
	u32 mask;
	u16 chain; /* next in the hash chain */
	u16 shape;
	u16 shape_before; /* the last other one */
	bool seen;	  /* more than one event */
	u8 quiet;	  /* events since the mask last had, or could have had, to be as it is */
};

/*
 * In the identity of a site whose kind is not one of those that begin with INSN_COLUMNS and have
 * nothing else than columns: most events are of such a kind.
 */
#define OTHER 0x8000

struct shape {
	u32 hash;
	u32 vmcs;  /* that @fields are of; CODEC_MAX_VMCSS: none yet */
	u16 first; /* in shape_ids and shape_fields */
	u16 count;
	u16 chain;
};

struct trace_encoder {
	struct trace_encoder_state state;
	const struct trace_schema *schema;
	trace_read_code read_code;
	void *owner;
	struct site *previous;
	u32 turn;
	u32 run;	/* events since the last one that was not as expected */
	u32 before_run; /* events up to that one */
	u32 uncounted;
	u64 cells[SCHEMA_MAX_CELLS];
	u32 version; /* grows when a cell changes */
	u16 site_count;
	u16 shape_count;
	u16 id_count;
	u32 value_count;
	u64 last_key;
	struct stream *value_stream; /* of VMREAD and VMWRITE */
	u64 order;		     /* last value of a column with PREDICTOR_ORDER */
	struct plan plans[256];
	struct stream *column_streams[SCHEMA_MAX_COLUMNS];
	struct site start; /* what the first event of the block follows */
	struct site sites[MAX_SITES];
	u16 site_hash[2 * MAX_SITES];
	struct shape shapes[MAX_SHAPES];
	u16 shape_hash[MAX_SHAPES];
	u16 shape_ids[CODEC_MAX_SHAPE_IDS];
	u64 *shape_fields[CODEC_MAX_SHAPE_IDS]; /* where their last values are */
	u64 values[MAX_VALUES];
	struct codec_fields fields;
	struct streams streams;
};

/* trace_encoder_has_room(). */
static inline bool encoder_has_room(const struct trace_encoder *encoder, u32 bytes)
{
	return encoder->streams.used + bytes + TRACE_MAX_ITEMS * ITEM_BOUND <=
	       encoder->streams.limit;
}

/* Appends a number to a stream. */
static inline void encoder_put(struct trace_encoder *encoder, unsigned stream, u64 number)
{
	streams_put_number(&encoder->streams, stream, number);
}

/* A table is full: no further event goes into the block. */
static inline void encoder_close(struct trace_encoder *encoder)
{
	streams_close(&encoder->streams);
}

/* Kind and level. */
static inline u16 encoder_identity(const struct trace_event *event)
{
	u16 identity;

	_Static_assert(offsetof(struct trace_event, level) ==
			       offsetof(struct trace_event, kind) + 1,
		       "the two bytes are read as one number");
	memcpy(&identity, &event->kind, sizeof(identity));
	return identity;
}

/* What sites of the event's kind and level have. */
static inline u16 encoder_site_identity(const struct plan *plan, const struct trace_event *event)
{
	return encoder_identity(event) | plan->other;
}

/* The site of an event that did not come where it was expected; transmits which it is. */
struct site *encoder_find_site(struct trace_encoder *encoder, const struct plan *plan,
			       const struct trace_event *event, u64 key);

/* Whether @shape is the list of the ids of @items. */
static inline bool encoder_shape_is(const struct trace_encoder *encoder, const struct shape *shape,
				    const struct trace_item *items, u32 count)
{
	const u16 *const ids = &encoder->shape_ids[shape->first];
	u32 differ = 0, i = count & 1;

	if (shape->count != count)
		return false;
	if (i)
		differ = ids[0] ^ items[0].id;
	for (; i < count; i += 2)
		differ |= (ids[i] ^ items[i].id) | (ids[i + 1] ^ items[i + 1].id);
	return !(u16)differ;
}

/* The number of the shape of @items, which is not the one that was expected. */
u16 encoder_find_shape(struct trace_encoder *encoder, const struct trace_item *items, u32 count);

#endif
