/*
 * trace/decode_parts.h - what both ways to decode an event have in common
 *
 * decode.c takes what most events are, decode_other.c any event. What is inline here is part of the
 * first.
 */
#ifndef TRACE_DECODE_PARTS_H
#define TRACE_DECODE_PARTS_H

#include "trace/decode.h"

#define DECODER_SLOTS (2 * CODEC_MAX_FIELDS)

/* Of a site that no cell's change can be compared with. */
#define NO_VERSION    0

/* How the next event at a site is taken, as long as it is expected. */
enum form {
	FORM_COLUMNS, /* nothing misses but perhaps the value of a field */
	FORM_MASKED,  /* other columns miss, but no cell */
	FORM_ITEMS,   /* an L2 entry or exit: some columns, and the items of last time */
	FORM_OTHER,   /* decoder_decode_other() */
};

struct stream {
	const u8 *at;
	const u8 *end;
};

struct site {
	struct trace_event
		event; /* as the last event here was, and what is the same in all of them */
	const struct trace_kind_info *kind;
	u64 *values; /* event.col */
	u64 *field;  /* last value of field @field_id of VMCS @vmcs */
	u64 field_id;
	u64 delta;
	struct site *next[CODEC_TURNS]; /* what followed last time; at first decoder->start */
	u32 vmcs;
	u32 mask;
	u32 version; /* of the cells that @values has */
	u16 shape;
	u8 form;  /* enum form */
	u8 plain; /* enum form where nothing misses */
	u8 turn;  /* what decoder->turn becomes where the key is column 0 */
	u8 value; /* of a kind without more: the column with the value of a field ... */
	u8 value_stream;
	u32 value_bit; /* ... and its bit, 0: none */
	u32 stamp;     /* of the digest that met it last ... */
	u32 fixed;     /* ... and what that found, trace/digest.h */
	u8 effect;
	/* For outlines: */
	bool turns;   /* column 0 is the key, so that the turn becomes @turn */
	bool names;   /* events tell more than the time: a number, a region ... */
	bool tells;   /* ... or they do, since this column misses: */
	u32 vmcs_bit; /* that of the current-VMCS pointer; 0: none */
};

struct shape {
	struct trace_item *items; /* their values are those of the last event with this shape */
	u64 **fields;		  /* where the last value of each is, of VMCS @vmcs */
	u32 count;
	u32 vmcs;  /* CODEC_MAX_VMCSS: none yet */
	u16 sites; /* that there were when it was defined */
};

struct trace_decoder {
	const struct trace_schema *schema;
	bool has_outlines; /* decoder_has_outlines() of it */
	u32 left;	   /* events */
	u64 run;	   /* of these, how many are as expected ... */
	u8 op;		   /* ... before one with these bits */
	struct site *previous;
	u32 turn;
	u32 version; /* grows when a cell changes */
	bool bad;    /* a stream ended early or a number had too many bytes */
	u64 tsc;
	u64 seq;
	u64 last_key;
	u64 order;			/* last value of a column with PREDICTOR_ORDER */
	struct trace_decode_base *base; /* to be made; NULL: none */
	u16 cpu;
	u64 cells[SCHEMA_MAX_CELLS];
	u32 site_count;
	u32 shape_count;
	u32 id_count;
	struct stream streams[SCHEMA_MAX_STREAMS];
	struct site start; /* what the first event of the block follows */
	struct site sites[CODEC_MAX_SITES];
	struct shape shapes[CODEC_MAX_SHAPES];
	struct trace_item items[CODEC_MAX_SHAPE_IDS];
	u64 *item_fields[CODEC_MAX_SHAPE_IDS];
	u64 values[CODEC_MAX_SITES * TRACE_MAX_COLUMNS];
	struct codec_fields fields;
};

/* After a number that is missing or too long, decoder->bad is set. */
u64 decoder_take_long(struct trace_decoder *decoder, struct stream *stream);

/* How many events are as expected from here on, and what is not with the one behind them. */
void decoder_take_run(struct trace_decoder *decoder);

/*
 * What is not as expected with the next event, of which there is one: from here on, it is. False
 * when that makes no sense.
 */
bool decoder_take_op(struct trace_decoder *decoder);

/* @size bytes of stream @index; NULL, and decoder->bad, where there are not so many. */
const u8 *decoder_take_bytes(struct trace_decoder *decoder, unsigned index, u64 size);

/* The next site that is defined; NULL when that makes no sense. */
struct site *decoder_add_site(struct trace_decoder *decoder);

/* The site of the next event, which is told; NULL when there is no such site. */
struct site *decoder_take_site(struct trace_decoder *decoder);

/* The next shape that is defined. False when that makes no sense. */
bool decoder_add_shape(struct trace_decoder *decoder);

/* Behind each event that decoder_decode_other() takes: makes decoder->base, if it is time. */
void decoder_take_base(struct trace_decoder *decoder);

/* An event of any kind at any site; the results of trace_decode_event(). */
enum status decoder_decode_other(struct trace_decoder *decoder, const struct trace_event **event);

/* Where the last value of field @id is, for @site. False when there are too many. */
bool decoder_find_field(struct trace_decoder *decoder, struct site *site, u64 id);

/* Where the last values of its items are depends on the current VMCS alone. Likewise. */
bool decoder_find_shape_fields(struct trace_decoder *decoder, struct shape *shape);

/* Makes @site what it was last time, where cells have changed since. Likewise. */
bool decoder_refresh(struct trace_decoder *decoder, struct site *site);

/* Whether numbers of the counter and current VMCSs can be told without the other columns. */
bool decoder_has_outlines(const struct trace_schema *schema);

/* What outlines need to know of a new @site. */
void decoder_prepare_outline(const struct trace_schema *schema, struct site *site);

/* The rest cannot be read: ST_CORRUPT. */
enum status decoder_fail(struct trace_decoder *decoder);

/* How the next event at @site can be taken, now that it has been met. */
static inline enum form decoder_next_form(const struct site *site)
{
	if (site->plain == FORM_OTHER || site->mask & site->kind->last_mask)
		return FORM_OTHER;
	if (site->plain == FORM_ITEMS)
		return site->mask & 1 ? FORM_OTHER : FORM_ITEMS;
	return site->mask & ~site->value_bit ? FORM_MASKED : FORM_COLUMNS;
}

/* What @column is predicted from. */
static inline enum trace_predictor decoder_predictor(const struct trace_column *column)
{
	return column->predictor == PREDICTOR_CURRENT ? PREDICTOR_SITE
						      : (enum trace_predictor)column->predictor;
}

/* For states: */

/* Columns whose last value at the site is what predicts the next; others are made anew. */
static inline bool decoder_keeps_column(const struct trace_kind_info *kind, unsigned column)
{
	return decoder_predictor(&kind->columns[column]) == PREDICTOR_SITE &&
	       (column || kind->key != KEY_COL0);
}

/* Whether the last RIP at the site predicts the next. */
static inline bool decoder_keeps_rip(const struct trace_kind_info *kind)
{
	return kind->key == KEY_COL0 && !(kind->flags & KIND_RIP_FIELD);
}

static inline void decoder_reset_turns(struct trace_decoder *decoder, struct site *site)
{
	for (unsigned i = 0; i < CODEC_TURNS; i++)
		site->next[i] = &decoder->start;
}

static ALWAYS_INLINE u64 take_number(struct trace_decoder *decoder, unsigned index)
{
	struct stream *const stream = &decoder->streams[index];
	const u8 *const at = stream->at;

	if (likely(stream->end - at >= 2)) {
		const unsigned low = at[0];

		if (low < 0x80) {
			stream->at = at + 1;
			return low;
		}
		if (likely(at[1] < 0x80)) {
			stream->at = at + 2;
			return low + ((unsigned)at[1] << 7) - 0x80;
		}
	}
	return decoder_take_long(decoder, stream);
}

/* A number of one or two bytes; false when there is none, or it is longer. */
static ALWAYS_INLINE bool take_short(struct stream *stream, u64 *number)
{
	const u8 *const at = stream->at;
	const unsigned low = at[0];

	if (low < 0x80) {
		*number = low;
		stream->at = at + 1;
		return true;
	}
	if (at[1] >= 0x80)
		return false;
	*number = low + ((unsigned)at[1] << 7) - 0x80;
	stream->at = at + 2;
	return true;
}

static ALWAYS_INLINE void take_missed(struct trace_decoder *decoder, struct site *site, u32 mask)
{
	const struct trace_column *const columns = site->kind->columns;

	for (; mask; mask &= mask - 1) {
		const unsigned i = (unsigned)__builtin_ctz(mask);

		site->values[i] += unzigzag(take_number(decoder, columns[i].stream));
	}
}

/* The values of the items of @shape. */
static ALWAYS_INLINE void take_values(struct trace_decoder *decoder, struct site *site,
				      struct shape *shape)
{
	for (u32 i = 0; i < shape->count; i++) {
		*shape->fields[i] += unzigzag(take_number(decoder, STREAM_ITEM));
		shape->items[i].value = *shape->fields[i];
	}
	site->event.items = shape->items;
	site->event.item_count = shape->count;
}

static ALWAYS_INLINE void begin_event(struct trace_decoder *decoder, struct site *site, u64 delta)
{
	decoder->previous = site;
	site->delta += unzigzag(delta);
	decoder->tsc += site->delta;
	site->event.tsc = decoder->tsc;
	site->event.seq = decoder->seq++;
}

#endif
