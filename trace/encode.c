#include "trace/encoder.h"

/* --- columns -------------------------------------------------------------------------------- */

static inline u64 differ4(const u64 *a, const u64 *b)
{
	return (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]);
}

/* All INSN_COLUMNS; mostly none of them does. */
static inline u64 differ_insn(const u64 *a, const u64 *b)
{
	_Static_assert(INSN_COLUMN_COUNT == 11, "one term for each");
	return differ4(a, b) | differ4(a + 4, b + 4) | (a[8] ^ b[8]) | (a[9] ^ b[9]) |
	       (a[10] ^ b[10]);
}

/* The three columns between INSN_COLUMNS and the value of a field. */
static inline u64 differ_operand(const u64 *a, const u64 *b)
{
	const unsigned i = INSN_COLUMN_COUNT;

	return (a[i] ^ b[i]) | (a[i + 1] ^ b[i + 1]) | (a[i + 2] ^ b[i + 2]);
}

static inline u32 missed4(const u64 *a, const u64 *b)
{
	return (u32)(a[0] != b[0]) | (u32)(a[1] != b[1]) << 1 | (u32)(a[2] != b[2]) << 2 |
	       (u32)(a[3] != b[3]) << 3;
}

/* Which of the columns from @first on differ from the prediction, by bit. */
static ALWAYS_INLINE u32 columns_missed(const struct plan *plan, const u64 *columns,
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

static u32 insn_missed(const u64 *columns, const u64 *values)
{
	return missed4(columns, values) | missed4(columns + 4, values + 4) << 4 |
	       missed4(columns + 7, values + 7) << 7;
}

/* A cell has changed, so the values of other sites must be brought up to date when they come. */
static void update_cells(struct trace_encoder *encoder, const struct plan *plan,
			 const struct trace_event *event)
{
	for (unsigned i = 0; i < plan->last_count; i++)
		encoder->cells[plan->last_cell[i]] = event->col[plan->last[i]];
	encoder->version++;
}

static void catch_up(const struct trace_encoder *encoder, const struct plan *plan,
		     struct site *site)
{
	for (unsigned i = 0; i < plan->last_count; i++)
		site->values[plan->last[i]] = encoder->cells[plan->last_cell[i]];
}

/* A table may be full that every kind of event can add to. */
static void check_fields(struct trace_encoder *encoder)
{
	if (encoder->fields.count > CODEC_MAX_FIELDS - TRACE_MAX_ITEMS - 1 ||
	    encoder->fields.vmcs_count == CODEC_MAX_VMCSS)
		encoder->limit = 0;
}

static void find_field(struct trace_encoder *encoder, struct site *site, u64 id)
{
	site->field = codec_fields_at(&encoder->fields, id);
	site->field_id = id;
	site->vmcs = encoder->fields.vmcs;
	check_fields(encoder);
}

/* The field's last value is the prediction, and the event's value the next one. */
static inline void predict_field(struct trace_encoder *encoder, const struct plan *plan,
				 const struct trace_event *event, struct site *site)
{
	const u64 id = event->col[plan->field_column];

	if (unlikely(site->field_id != id || site->vmcs != encoder->fields.vmcs))
		find_field(encoder, site, id);
	site->values[plan->value_column] = *site->field;
	*site->field = event->col[plan->value_column];
}

/* Numbers go up one by one while no other CPU takes any. */
static inline void predict_order(struct trace_encoder *encoder, const struct plan *plan,
				 const struct trace_event *event, struct site *site)
{
	const u64 order = event->col[plan->order_column];

	site->values[plan->order_column] = encoder->order + 1;
	if (!order)
		return;
	encoder->order = order;
	encoder->state.last_order = MAX(encoder->state.last_order, order);
}

/* Transmits the columns that @mask names and makes @site hold the event's values. */
static ALWAYS_INLINE void put_columns(struct trace_encoder *encoder, const struct plan *plan,
				      const struct trace_event *event, struct site *site, u32 mask)
{
	for (; mask; mask &= mask - 1) {
		const unsigned i = (unsigned)__builtin_ctz(mask);

		encoder_put(encoder, plan->columns[i].stream,
			    zigzag(event->col[i] - site->values[i]));
		site->values[i] = event->col[i];
	}
}

static void set_key_cell(struct trace_encoder *encoder, const struct plan *plan, u64 key)
{
	if (encoder->cells[plan->key_cell] == key)
		return;
	encoder->cells[plan->key_cell] = key;
	encoder->version++;
}

/* Brings the values of @site to what is predicted now; returns which columns miss. */
static ALWAYS_INLINE u32 predict(struct trace_encoder *encoder, const struct plan *plan,
				 const struct trace_event *event, struct site *site)
{
	if (site->version != encoder->version)
		catch_up(encoder, plan, site);
	if (plan->vmcs_column != SCHEMA_NONE)
		codec_fields_select(&encoder->fields, event->col[plan->vmcs_column]);
	if (plan->value_column != SCHEMA_NONE)
		predict_field(encoder, plan, event, site);
	if (plan->order_column != SCHEMA_NONE)
		predict_order(encoder, plan, event, site);
	return columns_missed(plan, event->col, site->values, plan->first);
}

/*
 * Transmits what misses, by the bits of @missed: bit 0 of a kind whose key is column 0 stands for
 * RIP. Returns OP_MASK when the mask had to be transmitted too.
 */
static ALWAYS_INLINE u8 correct(struct trace_encoder *encoder, const struct plan *plan,
				const struct trace_event *event, struct site *site, u32 missed)
{
	u8 op = 0;

	/* A mask that transmits more than misses was tried, and costs more than a new one. */
	if (missed != site->mask) {
		op = OP_MASK;
		encoder_put(encoder, STREAM_MASK, missed);
		site->mask = missed;
	}
	if (plan->first && (site->mask & 1)) {
		encoder_put(encoder, STREAM_RIP, zigzag(event->rip - site->rip));
		site->rip = event->rip;
	}
	put_columns(encoder, plan, event, site, site->mask & ~(u32)plan->first);
	if (unlikely(missed & plan->last_mask))
		update_cells(encoder, plan, event);
	if (plan->key_cell != SCHEMA_NONE)
		set_key_cell(encoder, plan, event->col[0]);
	site->version = encoder->version;
	return op;
}

/* For kinds with a key that is not RIP: returns 1, the bit of the mask, when RIP misses. */
static ALWAYS_INLINE u32 predict_rip(struct trace_encoder *encoder, const struct plan *plan,
				     const struct trace_event *event, struct site *site)
{
	const u16 id = encoder->schema->rip_field;

	if (plan->flags & KIND_RIP_FIELD) {
		if (site->field_id != id || site->vmcs != encoder->fields.vmcs)
			find_field(encoder, site, id);
		site->rip = *site->field;
	}
	return event->rip != site->rip;
}

/* --- events -------------------------------------------------------------------------------- */

static inline u32 event_items(const struct plan *plan, const struct trace_event *event)
{
	return plan->flags & KIND_ITEMS ? MIN(event->item_count, TRACE_MAX_ITEMS) : 0;
}

static inline u32 event_bytes(const struct plan *plan, const struct trace_event *event)
{
	return plan->flags & KIND_BYTES ? MIN(event->byte_count, TRACE_MAX_BYTES) : 0;
}

static void find_shape_fields(struct trace_encoder *encoder, struct shape *shape)
{
	for (u32 i = 0; i < shape->count; i++)
		encoder->shape_fields[shape->first + i] =
			codec_fields_at(&encoder->fields, encoder->shape_ids[shape->first + i]);
	shape->vmcs = encoder->fields.vmcs;
	check_fields(encoder);
}

static void put_items(struct trace_encoder *encoder, const struct trace_item *items,
		      u64 *const *fields, u32 count)
{
	struct stream *const stream = &encoder->streams.stream[STREAM_ITEM];
	u8 *at = stream->at;

	for (u32 i = 0; i < count; i++) {
		if (unlikely(at > stream->limit)) {
			stream->at = at;
			streams_grow(&encoder->streams, stream);
			at = stream->at;
		}
		at = varint_put(at, zigzag(items[i].value - *fields[i]));
		*fields[i] = items[i].value;
	}
	stream->at = at;
}

/* Returns OP_SHAPE when the shape had to be transmitted. */
static u8 encode_items(struct trace_encoder *encoder, const struct trace_event *event,
		       struct site *site, u32 count)
{
	struct shape *shape = &encoder->shapes[site->shape];
	u8 op = 0;

	if (!encoder_shape_is(encoder, shape, event->items, count)) {
		op = OP_SHAPE;
		site->shape = encoder_find_shape(encoder, event->items, count);
		encoder_put(encoder, STREAM_SHAPE, site->shape);
		shape = &encoder->shapes[site->shape];
	}
	if (unlikely(shape->vmcs != encoder->fields.vmcs))
		find_shape_fields(encoder, shape);
	put_items(encoder, event->items, &encoder->shape_fields[shape->first], count);
	return op;
}

static void encode_bytes(struct trace_encoder *encoder, const struct trace_event *event, u32 count)
{
	encoder_put(encoder, STREAM_LENGTH, count);
	streams_put_bytes(&encoder->streams, STREAM_BYTES, event->bytes, count);
}

static ALWAYS_INLINE void put_op(struct trace_encoder *encoder, u8 op)
{
	if (op) {
		encoder_put(encoder, STREAM_OP, (u64)encoder->run << OP_BITS | op);
		encoder->run = 0;
	} else {
		encoder->run++;
	}
}

static ALWAYS_INLINE void end_event(struct trace_encoder *encoder, const struct plan *plan, u8 op)
{
	put_op(encoder, op);
	encoder->state.events++;
	encoder->state.counted += plan->counted;
}

static ALWAYS_INLINE u64 take_delta(struct trace_encoder *encoder, const struct trace_event *event,
				    struct site *site)
{
	const u64 delta = event->tsc - encoder->state.last_tsc;
	const u64 coded = zigzag(delta - site->delta);

	site->delta = delta;
	encoder->state.last_tsc = event->tsc;
	return coded;
}

/* An event of any kind at any site. */
static NOINLINE enum status encode_other(struct trace_encoder *encoder,
					 const struct trace_event *event)
{
	const struct plan *const plan = &encoder->plans[event->kind];
	const u32 items = event_items(plan, event);
	const u32 bytes = event_bytes(plan, event);
	const u64 key = plan->first ? event->col[0] : event->rip;
	struct site *site = encoder->previous->next[encoder->turn];
	u32 missed;
	u8 op = 0;

	if (!plan->columns || event->level > CODEC_MAX_LEVEL)
		return ST_INVALID;
	if (encoder->streams.used + items * ITEM_BOUND + bytes > encoder->limit)
		return ST_NO_SPACE;
	if (!encoder->state.events)
		encoder->state.first_tsc = encoder->state.last_tsc = event->tsc;
	if (site->key != key || site->identity != encoder_site_identity(plan, event)) {
		op = OP_SITE;
		site = encoder_find_site(encoder, plan, event, key);
		encoder->previous->next[encoder->turn] = site;
	}
	encoder->previous = site;
	encoder_put(encoder, STREAM_TSC, take_delta(encoder, event, site));
	missed = predict(encoder, plan, event, site);
	if (plan->flags & KIND_ITEMS)
		op |= encode_items(encoder, event, site, items);
	if (plan->first) {
		missed |= predict_rip(encoder, plan, event, site);
		encoder->turn = (u32)(site - encoder->sites) % CODEC_TURNS;
	}
	op |= correct(encoder, plan, event, site, missed);
	if (plan->flags & KIND_BYTES)
		encode_bytes(encoder, event, bytes);
	end_event(encoder, plan, op);
	return ST_OK;
}

/* Bits of what misses that no column has: look at INSN_COLUMNS, or at all, in encode_missed(). */
#define INSN_AGAIN (1u << 31)
#define ALL_AGAIN  (1u << 30)

/* The end of an event at an expected site, where columns miss. */
static NOINLINE enum status encode_missed(struct trace_encoder *encoder,
					  const struct trace_event *event, struct site *site,
					  u32 missed)
{
	const struct plan *const plan = site->plan;

	if (missed & INSN_AGAIN)
		missed ^= INSN_AGAIN | insn_missed(event->col, site->values);
	if (missed & (ALL_AGAIN | plan->last_mask))
		missed = predict(encoder, plan, event, site);
	else if (plan->value_column != SCHEMA_NONE)
		predict_field(encoder, plan, event, site);
	end_event(encoder, plan, correct(encoder, plan, event, site, missed));
	return ST_OK;
}

/*
 * What most events are: a VMX instruction at the site that followed last time, with nothing or one
 * value that is not as predicted. So this has no calls but in its last steps, and few questions.
 */
enum status trace_encode_event(struct trace_encoder *encoder, const struct trace_event *event)
{
	struct site *const site = encoder->previous->next[encoder->turn];
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	const struct plan *plan;
	const u64 *columns, *values;
	u32 missed = 0;

	if (unlikely(site->key != event->rip || site->identity != encoder_identity(event)))
		return encode_other(encoder, event);
	if (unlikely(site->version != encoder->version || tsc->at > tsc->limit ||
		     encoder->streams.used > encoder->limit))
		return encode_other(encoder, event);
	encoder->previous = site;
	tsc->at = varint_put(tsc->at, take_delta(encoder, event, site));

	plan = site->plan;
	columns = event->col;
	values = site->values;
	if (unlikely(differ_insn(columns, values)))
		missed = INSN_AGAIN;
	if (plan->field_tail) {
		/* Cells are as at the last event here, so the field's place is that of this VMCS.
		 */
		if (unlikely(differ_operand(columns, values)))
			missed = ALL_AGAIN;
		else if (columns[FIELD_TAIL_VALUE] != *site->field)
			missed |= 1u << FIELD_TAIL_VALUE;
	} else if (plan->column_count != INSN_COLUMN_COUNT + 1 ||
		   columns[INSN_COLUMN_COUNT] != values[INSN_COLUMN_COUNT]) {
		missed = ALL_AGAIN;
	}
	if (missed | site->mask) {
		struct stream *const stream = &encoder->streams.stream[plan->value_stream];

		if (missed != 1u << FIELD_TAIL_VALUE || missed != site->mask ||
		    stream->at > stream->limit)
			return encode_missed(encoder, event, site, missed);
		stream->at =
			varint_put(stream->at, zigzag(columns[FIELD_TAIL_VALUE] - *site->field));
		*site->field = columns[FIELD_TAIL_VALUE];
	}
	end_event(encoder, plan, 0);
	return ST_OK;
}
