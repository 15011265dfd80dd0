/*
 * trace/encode_parts.h - what both ways to encode an event have in common
 *
 * encode.c takes what most events are, encode_other.c any event. What is inline here is part of the
 * first.
 */
#ifndef TRACE_ENCODE_PARTS_H
#define TRACE_ENCODE_PARTS_H

#include "trace/encoder.h"

/* A cell has changed since the last event at @site: bring its values up to date. */
void encoder_catch_up(struct trace_encoder *encoder, struct site *site);

/* Where the last value of field @id is, for @site. */
void encoder_find_field(struct trace_encoder *encoder, struct site *site, u64 id);

/* The same for all fields of @shape, which is of the current VMCS from then on. */
void encoder_find_shape_fields(struct trace_encoder *encoder, struct shape *shape);

/*
 * The shape of @items, @count of them, when it is not that of last time: mostly the one before
 * that. Transmits it.
 */
struct shape *encoder_change_shape(struct trace_encoder *encoder, const struct trace_item *items,
				   struct site *site, u32 count);

/*
 * What differs from the prediction beyond the mask of @site, which has it from here on: a mask that
 * names more than what misses now costs a 0, which is less than changing it back and forth. All of
 * the mask has been transmitted. Returns OP_MASK.
 */
u8 encoder_widen_mask(struct trace_encoder *encoder, const struct trace_event *event,
		      struct site *site);

/* An event of any kind at any site; @op is OP_SITE when that was transmitted. */
enum status encoder_put_other(struct trace_encoder *encoder, const struct trace_event *event,
			      struct site *site, u8 op);

/* What trace_encode_next() returns for an event that is in the block. */
static inline enum status encoder_end(const struct trace_encoder *encoder)
{
	return likely(encoder_has_room(encoder, 0)) ? ST_OK : ST_END;
}

/*
 * An event with the number of the hand-over counter last, where nothing misses; @op is OP_SITE when
 * the site was transmitted.
 */
enum status encoder_put_ordered(struct trace_encoder *encoder, const struct trace_event *event,
				struct site *site, u8 op);

/* The same where columns may miss, that of the current VMCS among them. */
enum status encoder_put_moves(struct trace_encoder *encoder, const struct trace_event *event,
			      struct site *site, u8 op);

/* The same where the region misses, which becomes the current VMCS. */
enum status encoder_put_handover(struct trace_encoder *encoder, const struct trace_event *event,
				 struct site *site, u8 op);

/* The same where RFLAGS may miss too. */
enum status encoder_put_flagged_handover(struct trace_encoder *encoder,
					 const struct trace_event *event, struct site *site, u8 op);

/* What PATH_ORDERED, PATH_HANDOVER or PATH_MOVES becomes at @site, as its values and mask are. */
enum path encoder_ordered_path(const struct site *site);

/* Fields are those of the VMCS at @pointer. */
static inline void encoder_select_vmcs(struct trace_encoder *encoder, u64 pointer)
{
	codec_fields_select(&encoder->fields, pointer);
	if (unlikely(encoder->fields.vmcs_count == CODEC_MAX_VMCSS))
		encoder_close(encoder);
}

/* Another VMCS is current with the event at @site. */
static inline void encoder_move_vmcs(struct trace_encoder *encoder, struct site *site, u64 vmcs)
{
	encoder->cells[site->plan->vmcs_cell] = vmcs;
	site->version = ++encoder->version;
}

/* What the event at @site, which is in the block, names as the next VMCS, if it does. */
static inline void encoder_make_current(struct trace_encoder *encoder, struct site *site)
{
	const struct plan *const plan = site->plan;
	u64 pointer;

	if (plan->current_column == SCHEMA_NONE)
		return;
	pointer = site->values[plan->current_column];
	if (pointer == site->values[plan->vmcs_column])
		return;
	encoder_select_vmcs(encoder, pointer);
	site->values[plan->vmcs_column] = pointer;
	encoder_move_vmcs(encoder, site, pointer);
}

/*
 * Columns of the mask missed. Where the VMCS, which is in it, has not moved, it may be there for
 * nothing all the same.
 */
static inline void encoder_is_not_quiet(struct site *site, bool vmcs_moved)
{
	if (vmcs_moved || !(site->mask & VMCS_BIT))
		site->quiet = 0;
}

/* --- columns -------------------------------------------------------------------------------- */

static inline u64 differ4(const u64 *a, const u64 *b)
{
	return (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]);
}

/*
 * The columns of a VMX instruction fall into groups: what is mostly other than 0, but the same at
 * one site; RFLAGS; and what is 0 unless the instruction fails or has an operand in memory.
 */
static inline u64 differ_steady(const u64 *a, const u64 *b)
{
	_Static_assert(INSN_COLUMN_COUNT == 11 && RFLAGS_COLUMN == 1, "one term for each");
	return (a[0] ^ b[0]) | differ4(a + 3, b + 3);
}

static inline u64 differ_flags(const u64 *a, const u64 *b, unsigned i)
{
	return a[RFLAGS_COLUMN + i] ^ b[RFLAGS_COLUMN + i];
}

static inline u64 any_rare(const u64 *a)
{
	return a[7] | a[8] | a[9] | a[10];
}

static inline u64 differ_rare(const u64 *a, const u64 *b)
{
	return differ4(a + 7, b + 7);
}

/* Behind them, VMREAD and VMWRITE have the operand and the field, and then the value. */
#define OPERAND_COLUMN INSN_COLUMN_COUNT
#define FIELD_COLUMN   (FIELD_TAIL_VALUE - 1)

static inline u64 any_operand(const u64 *a)
{
	return a[OPERAND_COLUMN] | a[OPERAND_COLUMN + 1];
}

static inline u64 differ_operand(const u64 *a, const u64 *b)
{
	return (a[OPERAND_COLUMN] ^ b[OPERAND_COLUMN]) |
	       (a[OPERAND_COLUMN + 1] ^ b[OPERAND_COLUMN + 1]);
}

/* PLAIN instructions have one column more. */
static inline u64 differ_last(const u64 *a, const u64 *b)
{
	return a[INSN_COLUMN_COUNT] ^ b[INSN_COLUMN_COUNT];
}

static inline u32 missed4(const u64 *a, const u64 *b)
{
	return (u32)(a[0] != b[0]) | (u32)(a[1] != b[1]) << 1 | (u32)(a[2] != b[2]) << 2 |
	       (u32)(a[3] != b[3]) << 3;
}

/* Which of the columns from @first on differ from the prediction, by bit. */
static ALWAYS_INLINE u32 encoder_missed(const struct plan *plan, const u64 *columns,
					const u64 *values, unsigned first)
{
	const unsigned count = plan->column_count;
	unsigned i = first;
	u32 missed = 0;

	for (; i + 4 <= count; i += 4)
		missed |= missed4(columns + i, values + i) << i;
	for (; i < count; i++)
		missed |= (u32)(columns[i] != values[i]) << i;
	return missed;
}

/*
 * Transmits the columns that @mask names and makes @site hold the event's values. Returns 0 if none
 * of them missed.
 */
static ALWAYS_INLINE u64 encoder_put_columns(struct trace_encoder *encoder, const struct plan *plan,
					     const struct trace_event *event, struct site *site,
					     u32 mask)
{
	const u64 *const columns = event->col;
	u64 *const values = site->values;
	struct stream *const *const streams = plan->streams;
	u64 missed = 0;

	for (; mask; mask &= mask - 1) {
		const unsigned i = (unsigned)__builtin_ctz(mask);
		const u64 value = columns[i], difference = value - values[i];

		streams_put_to(&encoder->streams, streams[i], zigzag(difference));
		values[i] = value;
		missed |= difference;
	}
	return missed;
}

static inline u32 encoder_item_count(const struct plan *plan, const struct trace_event *event)
{
	return plan->flags & KIND_ITEMS ? MIN(event->item_count, TRACE_MAX_ITEMS) : 0;
}

static inline u32 encoder_byte_count(const struct plan *plan, const struct trace_event *event)
{
	return plan->flags & KIND_BYTES ? MIN(event->byte_count, TRACE_MAX_BYTES) : 0;
}

/* Most items are as they were. */
static ALWAYS_INLINE void put_item(u8 **at, const struct trace_item *item, u64 *field)
{
	const u64 difference = item->value - *field;

	if (likely(!difference)) {
		*(*at)++ = 0;
		return;
	}
	*at = varint_put(*at, zigzag(difference));
	*field = item->value;
}

static ALWAYS_INLINE void encoder_put_items(struct trace_encoder *encoder,
					    const struct trace_item *items, u64 *const *fields,
					    u32 count)
{
	struct stream *const stream = &encoder->streams.stream[STREAM_ITEM];
	u8 *at = stream->at;

	if (likely(at + count * NUMBER_SIZE < stream->limit)) {
		for (u32 i = 0; i < count; i++)
			put_item(&at, &items[i], fields[i]);
		stream->at = at;
		return;
	}
	for (u32 i = 0; i < count; i++) {
		if (unlikely(stream->at > stream->limit))
			streams_grow(&encoder->streams, stream);
		put_item(&stream->at, &items[i], fields[i]);
	}
}

/* Returns OP_SHAPE when the shape had to be transmitted. */
static ALWAYS_INLINE u8 encoder_put_list(struct trace_encoder *encoder,
					 const struct trace_event *event, struct site *site)
{
	const struct trace_item *const items = event->items;
	const u32 count = MIN(event->item_count, TRACE_MAX_ITEMS);
	struct shape *shape = &encoder->shapes[site->shape];
	u8 op = 0;

	if (unlikely(!encoder_shape_is(encoder, shape, items, count))) {
		op = OP_SHAPE;
		shape = encoder_change_shape(encoder, items, site, count);
	}
	if (!count)
		return op;
	if (unlikely(shape->vmcs != encoder->fields.vmcs))
		encoder_find_shape_fields(encoder, shape);
	encoder_put_items(encoder, items, &encoder->shape_fields[shape->first], count);
	return op;
}

static ALWAYS_INLINE void encoder_put_op(struct trace_encoder *encoder, u8 op)
{
	if (op) {
		encoder_put(encoder, STREAM_OP, (u64)encoder->run << OP_BITS | op);
		encoder->before_run += encoder->run + 1;
		encoder->run = 0;
	} else {
		encoder->run++;
	}
}

/* The event at @site is in the block. */
static ALWAYS_INLINE enum status encoder_end_as_expected(struct trace_encoder *encoder,
							 struct site *site, u8 op)
{
	encoder->previous = site;
	encoder_put_op(encoder, op);
	return ST_OK;
}

static inline bool encoder_is_full(const struct stream *stream)
{
	return stream->at > stream->limit;
}

static ALWAYS_INLINE u64 encoder_take_delta(struct trace_encoder *encoder,
					    const struct trace_event *event, struct site *site)
{
	const u64 tsc = event->tsc, delta = tsc - encoder->state.last_tsc;
	const u64 coded = zigzag(delta - site->delta);

	site->delta = delta;
	encoder->state.last_tsc = tsc;
	return coded;
}

#endif
