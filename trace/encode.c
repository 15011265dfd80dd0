/*
 * trace/encode.c - an event into the block, by the shortest way that is right for it
 */
#include "trace/encode_parts.h"

static ALWAYS_INLINE enum status end_as_expected(struct trace_encoder *encoder, struct site *site,
						 u8 op)
{
	encoder->previous = site;
	encoder_put_op(encoder, op);
	return ST_OK;
}

/* Another current VMCS has other values of fields. */
static ALWAYS_INLINE bool vmcs_changes(const struct plan *plan, const u64 *columns,
				       const u64 *values)
{
	return columns[plan->vmcs_column] != values[plan->vmcs_column];
}

/*
 * An entry or exit of L2 at a site that had one. As columns have streams of their own, what the
 * mask has can be transmitted before the rest is compared.
 */
static NOINLINE enum status encode_l2(struct trace_encoder *encoder,
				      const struct trace_event *event, struct site *site, u8 op)
{
	const struct plan *const plan = site->plan;
	const u64 *const columns = event->col, *const values = site->values;
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	u64 differ;

	/* Ticks nearly always miss, so other columns may be in the mask for nothing. */
	if (unlikely(vmcs_changes(plan, columns, values) || site->quiet++ == QUIET_EVENTS))
		return encoder_put_other(encoder, event, site, op);
	tsc->at = varint_put(tsc->at, encoder_take_delta(encoder, event, site));
	encoder_put_columns(encoder, plan, event, site, site->mask);
	op |= encoder_put_list(encoder, event, site);
	differ = event->rip ^ *site->field;
	for (unsigned i = plan->vmcs_column + 1u; i < plan->column_count; i++)
		differ |= columns[i] ^ values[i];
	if (unlikely(differ))
		op |= encoder_widen_mask(encoder, event, site);
	encoder->turn = site->turn;
	end_as_expected(encoder, site, op);
	return encoder_end(encoder);
}

/* A VMX instruction at a site that had one, where more than a value misses now and then. */
static NOINLINE enum status encode_masked(struct trace_encoder *encoder,
					  const struct trace_event *event, struct site *site, u8 op)
{
	const struct plan *const plan = site->plan;
	const u64 *const columns = event->col;
	u64 *const values = site->values;
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	u64 differ = 0;

	if (unlikely(vmcs_changes(plan, columns, values) || site->quiet == QUIET_EVENTS))
		return encoder_put_other(encoder, event, site, op);
	if (plan->path == PATH_SAME) {
		if (columns[FIELD_COLUMN] != site->field_id)
			encoder_find_field(encoder, site, columns[FIELD_COLUMN]);
		values[FIELD_TAIL_VALUE] = *site->field;
		if (site->mask & plan->value_bit)
			*site->field = columns[FIELD_TAIL_VALUE];
		else
			differ = columns[FIELD_TAIL_VALUE] ^ *site->field;
	}
	tsc->at = varint_put(tsc->at, encoder_take_delta(encoder, event, site));
	site->quiet++;
	if (encoder_put_columns(encoder, plan, event, site, site->mask))
		site->quiet = 0;
	differ |= differ_steady(columns, values) | differ_rare(columns, values) |
		  differ_flags(columns, values, 0) | differ_flags(columns, values, 1) |
		  differ_last(columns, values);
	if (plan->path == PATH_SAME)
		differ |= differ_operand(columns, values) |
			  (columns[FIELD_COLUMN] ^ values[FIELD_COLUMN]);
	if (unlikely(differ))
		op |= encoder_widen_mask(encoder, event, site);
	end_as_expected(encoder, site, op);
	return encoder_end(encoder);
}

static inline bool is_full(const struct stream *stream)
{
	return stream->at > stream->limit;
}

/* Of rflags (@i 0) or rflags_after (1), where the mask has it; the stream has room. */
static ALWAYS_INLINE void put_flags(const struct trace_event *event, struct site *site, unsigned i)
{
	struct stream *const stream = site->plan->streams[RFLAGS_COLUMN + i];
	const u64 flags = event->col[RFLAGS_COLUMN + i];

	if (!(site->mask & FLAGS_BIT(i)))
		return;
	stream->at = varint_put(stream->at, zigzag(flags - site->values[RFLAGS_COLUMN + i]));
	site->values[RFLAGS_COLUMN + i] = flags;
}

/* The same where RFLAGS alone may miss, and a value: arithmetic comes before most instructions. */
static NOINLINE enum status encode_flags(struct trace_encoder *encoder,
					 const struct trace_event *event, struct site *site, u8 op)
{
	const struct plan *const plan = site->plan;
	const u64 *const columns = event->col;
	u64 *const values = site->values;
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	struct stream *const stream = encoder->value_stream;
	const bool changes = site->mask & plan->value_bit;
	u64 differ = differ_steady(columns, values) | differ_rare(columns, values) |
		     differ_last(columns, values);

	if (plan->path == PATH_SAME) {
		differ |= differ_operand(columns, values) |
			  (columns[FIELD_COLUMN] ^ values[FIELD_COLUMN]);
		differ |= changes ? is_full(stream) : columns[FIELD_TAIL_VALUE] ^ *site->field;
	}
	for (unsigned i = 0; i < 2; i++)
		differ |= site->mask & FLAGS_BIT(i) ? is_full(plan->streams[RFLAGS_COLUMN + i])
						    : differ_flags(columns, values, i);
	if (unlikely(differ))
		return encode_masked(encoder, event, site, op);
	put_flags(event, site, 0);
	put_flags(event, site, 1);
	if (changes) {
		stream->at =
			varint_put(stream->at, zigzag(columns[FIELD_TAIL_VALUE] - *site->field));
		*site->field = columns[FIELD_TAIL_VALUE];
	}
	tsc->at = varint_put(tsc->at, encoder_take_delta(encoder, event, site));
	return end_as_expected(encoder, site, op);
}

/* VMREAD to memory or VMWRITE from it, the same as last time. */
static NOINLINE enum status encode_memory(struct trace_encoder *encoder,
					  const struct trace_event *event, struct site *site, u8 op)
{
	const u64 *const columns = event->col, *const values = site->values;
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	const u64 differ = differ_steady(columns, values) | differ_flags(columns, values, 0) |
			   differ_flags(columns, values, 1) | any_rare(columns) |
			   differ_operand(columns, values) |
			   (columns[FIELD_COLUMN] ^ values[FIELD_COLUMN]) |
			   (columns[FIELD_TAIL_VALUE] ^ *site->field);

	if (unlikely(differ))
		return encode_flags(encoder, event, site, op);
	tsc->at = varint_put(tsc->at, encoder_take_delta(encoder, event, site));
	return end_as_expected(encoder, site, op);
}

/* What instructions have between INSN_COLUMNS and a number of the hand-over counter. */
static ALWAYS_INLINE u64 differ_ordered(const struct plan *plan, const u64 *a, const u64 *b)
{
	const unsigned first = INSN_COLUMN_COUNT;
	u64 differ;

	if (plan->order_column == first)
		return 0;
	/* An operand in memory, and three columns of a region or of what to invalidate. */
	differ = (a[first] ^ b[first]) | differ4(a + first + 1, b + first + 1);
	_Static_assert(ORDERED_COLUMNS == 5 && VMXON_COLUMNS == 8, "one term for each");
	if (unlikely(plan->order_column > first + ORDERED_COLUMNS))
		differ |= (a[first + 5] ^ b[first + 5]) | (a[first + 6] ^ b[first + 6]) |
			  (a[first + 7] ^ b[first + 7]);
	return differ;
}

/*
 * The same where another VMCS is current than at the last event here, or is named, or another CPU
 * took a number.
 */
static NOINLINE enum status encode_moves(struct trace_encoder *encoder,
					 const struct trace_event *event, struct site *site, u8 op)
{
	const struct plan *const plan = site->plan;
	const u64 *const columns = event->col;
	u64 *const values = site->values;
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	const u64 vmcs = columns[plan->vmcs_column], order = columns[plan->order_column];
	const bool changes = vmcs_changes(plan, columns, values);
	u64 differ;

	if (unlikely(site->quiet++ == QUIET_EVENTS))
		return encoder_put_other(encoder, event, site, op);
	if (changes)
		codec_fields_select(&encoder->fields, vmcs);
	tsc->at = varint_put(tsc->at, encoder_take_delta(encoder, event, site));
	values[plan->order_column] = encoder->order + 1;
	if (likely(order)) {
		encoder->order = order;
		if (likely(order > encoder->state.last_order))
			encoder->state.last_order = order;
	}
	if (encoder_put_columns(encoder, plan, event, site, site->mask))
		site->quiet = 0;
	differ = (order ^ values[plan->order_column]) | differ_steady(columns, values) |
		 differ_flags(columns, values, 0) | differ_flags(columns, values, 1) |
		 differ_rare(columns, values) | differ_ordered(plan, columns, values);
	if (unlikely(differ))
		op |= encoder_widen_mask(encoder, event, site);
	if (changes) {
		encoder->cells[plan->vmcs_cell] = vmcs;
		site->version = ++encoder->version;
	}
	end_as_expected(encoder, site, op);
	return encoder_end(encoder);
}

/* An instruction that hands a VMCS over or drops translations, the same as last time. */
static ALWAYS_INLINE enum status put_ordered(struct trace_encoder *encoder,
					     const struct trace_event *event, struct site *site,
					     u8 op)
{
	const struct plan *const plan = site->plan;
	const u64 *const columns = event->col, *const values = site->values;
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	const u64 order = encoder->order + 1;
	const u64 differ = (columns[plan->order_column] ^ order) | differ_steady(columns, values) |
			   differ_flags(columns, values, 0) | differ_flags(columns, values, 1) |
			   any_rare(columns) | differ_ordered(plan, columns, values);

	if (unlikely(differ))
		return encoder_put_other(encoder, event, site, op);
	encoder->order = encoder->state.last_order = order;
	tsc->at = varint_put(tsc->at, encoder_take_delta(encoder, event, site));
	return end_as_expected(encoder, site, op);
}

static NOINLINE enum status encode_ordered(struct trace_encoder *encoder,
					   const struct trace_event *event, struct site *site)
{
	return put_ordered(encoder, event, site, 0);
}

static ALWAYS_INLINE enum status put_moved(struct trace_encoder *encoder,
					   const struct trace_event *event)
{
	const struct plan *const plan = &encoder->plans[event->kind];
	const u32 size =
		encoder_item_count(plan, event) * ITEM_BOUND + encoder_byte_count(plan, event);
	const u64 key = plan->first ? event->col[0] : event->rip;
	struct site *site = encoder->previous->next[encoder->turn];
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	u8 op = 0;

	if (!plan->streams || event->level > CODEC_MAX_LEVEL)
		return ST_INVALID;
	if (encoder->streams.used + size > encoder->streams.limit)
		return ST_NO_SPACE;
	if (unlikely(tsc->at > tsc->limit))
		streams_grow(&encoder->streams, tsc);
	if (unlikely(site->key != key || site->identity != encoder_site_identity(plan, event))) {
		if (!encoder->site_count)
			encoder->state.first_tsc = encoder->state.last_tsc = event->tsc;
		site = encoder_find_site(encoder, plan, event, key);
		encoder->previous->next[encoder->turn] = site;
		op = OP_SITE;
	}
	if (site->path == PATH_OTHER)
		return encoder_put_other(encoder, event, site, op);
	if (site->version != encoder->version)
		encoder_catch_up(encoder, site);
	if (site->path == PATH_ITEMS)
		return encode_l2(encoder, event, site, op);
	if (site->path == PATH_ORDERED)
		return put_ordered(encoder, event, site, op);
	if (site->path == PATH_MOVES)
		return encode_moves(encoder, event, site, op);
	if (site->path == PATH_MEMORY)
		return encode_memory(encoder, event, site, op);
	if (site->path == PATH_MASKED)
		return encode_masked(encoder, event, site, op);
	return encode_flags(encoder, event, site, op);
}

/* Any event but one of those of trace_encode_next(): of another kind, at another site, refused. */
static NOINLINE enum status encode_moved(struct trace_encoder *encoder,
					 const struct trace_event *event)
{
	const enum status status = put_moved(encoder, event);

	return status == ST_OK ? encoder_end(encoder) : status;
}

/* VMREAD or VMWRITE as trace_encode_next() found it, but for a value that may miss. */
static NOINLINE enum status encode_change(struct trace_encoder *encoder,
					  const struct trace_event *event, struct site *site)
{
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	struct stream *const stream = encoder->value_stream;
	const u64 value = event->col[FIELD_TAIL_VALUE];

	if (unlikely(is_full(stream)))
		return encode_masked(encoder, event, site, 0);
	stream->at = varint_put(stream->at, zigzag(value - *site->field));
	*site->field = value;
	tsc->at = varint_put(tsc->at, encoder_take_delta(encoder, event, site));
	return end_as_expected(encoder, site, 0);
}

/* A cell has changed since the last event at @site, which is expected now: begin again without. */
static NOINLINE enum status encode_stale(struct trace_encoder *encoder,
					 const struct trace_event *event, struct site *site)
{
	enum status status;

	if (site->path == PATH_OTHER)
		return site->key == event->rip && site->identity == encoder_identity(event)
			       ? encoder_put_other(encoder, event, site, 0)
			       : encode_moved(encoder, event);
	encoder_catch_up(encoder, site);
	status = trace_encode_next(encoder, event);
	return status == ST_OK ? encoder_end(encoder) : status;
}

/*
 * Most events are a VMX instruction at the site that followed last time, with nothing or one value
 * that is not as predicted. So there are few questions on the way to that, and no calls.
 */
enum status trace_encode_next(struct trace_encoder *encoder, const struct trace_event *event)
{
	struct site *const site = encoder->previous->next[encoder->turn];
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	const u64 *const columns = event->col, *const values = site->values;
	u64 differ;

	if (unlikely(tsc->at > tsc->limit))
		return encode_moved(encoder, event);
	if (unlikely(site->version != encoder->version))
		return encode_stale(encoder, event, site);
	if (unlikely(site->key != event->rip || site->identity != encoder_identity(event))) {
		if (site->path == PATH_ITEMS && site->key == columns[0] &&
		    site->identity == (encoder_identity(event) | OTHER) &&
		    encoder->streams.used + event->item_count * ITEM_BOUND <=
			    encoder->streams.limit)
			return encode_l2(encoder, event, site, 0);
		return encode_moved(encoder, event);
	}
	if (unlikely(site->path > PATH_CHANGES))
		switch (site->path) {
		case PATH_ORDERED:
			return encode_ordered(encoder, event, site);
		case PATH_MOVES:
			return encode_moves(encoder, event, site, 0);
		case PATH_FLAGS:
			return encode_flags(encoder, event, site, 0);
		case PATH_MASKED:
			return encode_masked(encoder, event, site, 0);
		case PATH_MEMORY:
			return encode_memory(encoder, event, site, 0);
		default:
			return encoder_put_other(encoder, event, site, 0);
		}
	differ = differ_steady(columns, values) | differ_flags(columns, values, 0) |
		 differ_flags(columns, values, 1) | any_rare(columns);
	if (likely(site->path != PATH_PLAIN)) {
		differ |= any_operand(columns) | (columns[FIELD_COLUMN] ^ values[FIELD_COLUMN]);
		if (site->path == PATH_SAME)
			differ |= columns[FIELD_TAIL_VALUE] ^ *site->field;
		else if (!differ)
			return encode_change(encoder, event, site);
	} else {
		differ |= differ_last(columns, values);
	}
	if (unlikely(differ))
		return encode_flags(encoder, event, site, 0);
	tsc->at = varint_put(tsc->at, encoder_take_delta(encoder, event, site));
	return end_as_expected(encoder, site, 0);
}

enum status trace_encode_event(struct trace_encoder *encoder, const struct trace_event *event)
{
	const enum status status = trace_encode_next(encoder, event);

	return status == ST_END ? ST_OK : status;
}
