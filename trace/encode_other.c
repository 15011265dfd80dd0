/*
 * trace/encode_other.c - any event, in the order of the steps of docs/trace-format.md, "An event"
 */
#include "trace/encode_parts.h"

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

void encoder_catch_up(struct trace_encoder *encoder, struct site *site)
{
	catch_up(encoder, site->plan, site);
	site->version = encoder->version;
	if (site->plan->current_column != SCHEMA_NONE && site->path != PATH_OTHER)
		site->path = (u8)encoder_ordered_path(site);
	if (site->field && site->vmcs != encoder->fields.vmcs)
		encoder_find_field(encoder, site, site->field_id);
}

/* A table may be full that every kind of event can add to. */
static void check_fields(struct trace_encoder *encoder)
{
	if (encoder->fields.count > CODEC_MAX_FIELDS - TRACE_MAX_ITEMS - 1 ||
	    encoder->fields.vmcs_count == CODEC_MAX_VMCSS)
		encoder_close(encoder);
}

void encoder_find_field(struct trace_encoder *encoder, struct site *site, u64 id)
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
		encoder_find_field(encoder, site, id);
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
		encoder_select_vmcs(encoder, event->col[plan->vmcs_column]);
	if (plan->value_column != SCHEMA_NONE)
		predict_field(encoder, plan, event, site);
	if (plan->order_column != SCHEMA_NONE)
		predict_order(encoder, plan, event, site);
	return encoder_missed(plan, event->col, site->values, plan->first);
}

/*
 * Transmits what misses, by the bits of @missed: bit 0 of a kind whose key is column 0 stands for
 * RIP. Returns OP_MASK when the mask had to be transmitted too.
 */
static ALWAYS_INLINE u8 correct(struct trace_encoder *encoder, const struct plan *plan,
				const struct trace_event *event, struct site *site, u32 missed)
{
	u8 op = 0;

	if (missed != site->mask) {
		op = OP_MASK;
		encoder_put(encoder, STREAM_MASK, missed);
		site->mask = missed;
	}
	if (plan->first && (site->mask & 1)) {
		encoder_put(encoder, STREAM_RIP, zigzag(event->rip - site->rip));
		site->rip = event->rip;
	}
	encoder_put_columns(encoder, plan, event, site, site->mask & ~(u32)plan->first);
	if (unlikely(missed & plan->last_mask))
		update_cells(encoder, plan, event);
	if (plan->key_cell != SCHEMA_NONE)
		set_key_cell(encoder, plan, event->col[0]);
	site->version = encoder->version;
	encoder_make_current(encoder, site);
	return op;
}

/* For kinds with a key that is not RIP: returns 1, the bit of the mask, when RIP misses. */
static ALWAYS_INLINE u32 predict_rip(struct trace_encoder *encoder, const struct plan *plan,
				     const struct trace_event *event, struct site *site)
{
	const u16 id = encoder->schema->rip_field;

	if (plan->flags & KIND_RIP_FIELD) {
		if (site->field_id != id || site->vmcs != encoder->fields.vmcs)
			encoder_find_field(encoder, site, id);
		site->rip = *site->field;
	}
	return event->rip != site->rip;
}

void encoder_find_shape_fields(struct trace_encoder *encoder, struct shape *shape)
{
	for (u32 i = 0; i < shape->count; i++)
		encoder->shape_fields[shape->first + i] =
			codec_fields_at(&encoder->fields, encoder->shape_ids[shape->first + i]);
	shape->vmcs = encoder->fields.vmcs;
	check_fields(encoder);
}

struct shape *encoder_change_shape(struct trace_encoder *encoder, const struct trace_item *items,
				   struct site *site, u32 count)
{
	const u16 before = site->shape_before;

	site->shape_before = site->shape;
	site->shape = encoder_shape_is(encoder, &encoder->shapes[before], items, count)
			      ? before
			      : encoder_find_shape(encoder, items, count);
	encoder_put(encoder, STREAM_SHAPE, site->shape);
	return &encoder->shapes[site->shape];
}

static void encode_bytes(struct trace_encoder *encoder, const struct trace_event *event, u32 count)
{
	encoder_put(encoder, STREAM_LENGTH, count);
	streams_put_bytes(&encoder->streams, STREAM_BYTES, event->bytes, count);
}

/* How the next event at @site is gone about, if all is as expected. */
static enum path next_path(const struct plan *plan, const struct site *site)
{
	const u32 mask = site->mask;

	/* At first everything misses that is not 0. */
	if (!site->seen)
		return PATH_OTHER;
	if (plan->path == PATH_OTHER || mask & plan->odd_mask)
		return PATH_OTHER;
	if (plan->path == PATH_ITEMS)
		return PATH_ITEMS;
	if (plan->path == PATH_ORDERED)
		return encoder_ordered_path(site);
	if (mask & ~(plan->value_bit | FLAGS_BIT(0) | FLAGS_BIT(1)))
		return PATH_MASKED;
	if (!mask && plan->path == PATH_SAME && any_operand(site->values) &&
	    !any_rare(site->values))
		return PATH_MEMORY;
	if (mask & ~plan->value_bit || any_rare(site->values) ||
	    (plan->path == PATH_SAME && any_operand(site->values)))
		return PATH_FLAGS;
	return mask ? PATH_CHANGES : (enum path)plan->path;
}

u8 encoder_widen_mask(struct trace_encoder *encoder, const struct trace_event *event,
		      struct site *site)
{
	const struct plan *const plan = site->plan;
	u32 more = encoder_missed(plan, event->col, site->values, plan->first);

	if (more & plan->value_bit)
		*site->field = event->col[plan->value_column];
	encoder_put_columns(encoder, plan, event, site, more);
	if (plan->first && event->rip != *site->field) {
		encoder_put(encoder, STREAM_RIP, zigzag(event->rip - *site->field));
		more |= 1;
	}
	site->mask |= more;
	encoder_put(encoder, STREAM_MASK, site->mask);
	if (more & plan->last_mask) {
		update_cells(encoder, plan, event);
		site->version = encoder->version;
	}
	site->path = (u8)next_path(plan, site);
	return OP_MASK;
}

enum status encoder_put_other(struct trace_encoder *encoder, const struct trace_event *event,
			      struct site *site, u8 op)
{
	const struct plan *const plan = site->plan;
	u32 missed;

	encoder->previous = site;
	encoder_put(encoder, STREAM_TSC, encoder_take_delta(encoder, event, site));
	missed = predict(encoder, plan, event, site);
	if (plan->flags & KIND_ITEMS)
		op |= encoder_put_list(encoder, event, site);
	if (plan->first) {
		missed |= predict_rip(encoder, plan, event, site);
		encoder->turn = site->turn;
	}
	op |= correct(encoder, plan, event, site, missed);
	if (plan->flags & KIND_BYTES)
		encode_bytes(encoder, event, encoder_byte_count(plan, event));
	site->path = (u8)next_path(plan, site);
	site->seen = true;
	site->quiet = 0;
	encoder->uncounted += !plan->counted;
	encoder_put_op(encoder, op);
	return encoder_end(encoder);
}
