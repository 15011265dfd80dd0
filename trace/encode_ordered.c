/*
 * trace/encode_ordered.c - instructions that hand a VMCS over, or drop translations
 *
 * Behind INSN_COLUMNS they have nothing, or an operand in memory and three columns of a region or
 * of what to invalidate, and VMXON three more; the last column is a number of the hand-over
 * counter.
 */
#include "trace/encode_parts.h"

/* Of what they have in the midst. */
static ALWAYS_INLINE u64 differ_ordered(const struct plan *plan, const u64 *a, const u64 *b)
{
	const unsigned first = INSN_COLUMN_COUNT;
	u64 differ;

	_Static_assert(ORDERED_COLUMNS == 5 && VMXON_COLUMNS == 8, "one term for each");
	if (plan->order_column == first)
		return 0;
	differ = (a[first] ^ b[first]) | differ4(a + first + 1, b + first + 1);
	if (unlikely(plan->order_column > first + ORDERED_COLUMNS))
		differ |= (a[first + 5] ^ b[first + 5]) | (a[first + 6] ^ b[first + 6]) |
			  (a[first + 7] ^ b[first + 7]);
	return differ;
}

NOINLINE enum status encoder_put_moves(struct trace_encoder *encoder,
				       const struct trace_event *event, struct site *site, u8 op)
{
	const struct plan *const plan = site->plan;
	const u64 *const columns = event->col;
	u64 *const values = site->values;
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	const u64 vmcs = columns[VMCS_COLUMN], order = columns[plan->order_column];
	const bool changes = vmcs != values[VMCS_COLUMN];
	u64 differ;

	if (unlikely(site->quiet++ == QUIET_EVENTS))
		return encoder_put_other(encoder, event, site, op);
	if (changes)
		encoder_select_vmcs(encoder, vmcs);
	tsc->at = varint_put(tsc->at, encoder_take_delta(encoder, event, site));
	values[plan->order_column] = encoder->order + 1;
	if (likely(order)) {
		encoder->order = order;
		encoder->state.last_order = MAX(encoder->state.last_order, order);
	}
	if (encoder_put_columns(encoder, plan, event, site, site->mask))
		encoder_is_not_quiet(site, changes);
	differ = (order ^ values[plan->order_column]) | differ_steady(columns, values) |
		 differ_flags(columns, values, 0) | differ_flags(columns, values, 1) |
		 differ_rare(columns, values) | differ_ordered(plan, columns, values);
	if (unlikely(differ))
		op |= encoder_widen_mask(encoder, event, site);
	if (changes)
		encoder_move_vmcs(encoder, site, vmcs);
	encoder_make_current(encoder, site);
	encoder_end_as_expected(encoder, site, op);
	return encoder_end(encoder);
}

/* All that is left is as expected: the number is the next one. */
static ALWAYS_INLINE enum status put_next(struct trace_encoder *encoder,
					  const struct trace_event *event, struct site *site)
{
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];

	encoder->order = encoder->state.last_order = encoder->order + 1;
	tsc->at = varint_put(tsc->at, encoder_take_delta(encoder, event, site));
	return encoder_end_as_expected(encoder, site, 0);
}

/* Of a column that the mask has; its stream has room. */
static ALWAYS_INLINE void put_column(u64 value, u64 *last, struct stream *stream)
{
	stream->at = varint_put(stream->at, zigzag(value - *last));
	*last = value;
}

/* The region misses, and RFLAGS before where @flags says that the mask has them too. */
static ALWAYS_INLINE enum status put_handover(struct trace_encoder *encoder,
					      const struct trace_event *event, struct site *site,
					      u8 op, bool flags)
{
	const unsigned first = INSN_COLUMN_COUNT;
	const u64 *const columns = event->col;
	u64 *const values = site->values;
	struct stream *const *const streams = site->plan->streams;
	const u64 pointer = columns[REGION_COLUMN];
	const u32 number = codec_fields_guess(&encoder->fields, pointer);
	u64 differ = (columns[first + ORDERED_COLUMNS] ^ (encoder->order + 1)) |
		     differ_steady(columns, values) | differ_flags(columns, values, 1) |
		     any_rare(columns);

	differ |= (columns[first] ^ values[first]) | (columns[first + 1] ^ values[first + 1]) |
		  (columns[first + 3] ^ values[first + 3]) |
		  (columns[first + 4] ^ values[first + 4]);
	differ |=
		flags ? encoder_is_full(streams[RFLAGS_COLUMN]) : differ_flags(columns, values, 0);
	/* In the mask for nothing, the region is not to stay there. */
	if (unlikely(op || differ || pointer == values[REGION_COLUMN] ||
		     number == encoder->fields.vmcs_count ||
		     encoder_is_full(streams[REGION_COLUMN])))
		return encoder_put_moves(encoder, event, site, op);
	if (flags)
		put_column(columns[RFLAGS_COLUMN], &values[RFLAGS_COLUMN], streams[RFLAGS_COLUMN]);
	put_column(pointer, &values[REGION_COLUMN], streams[REGION_COLUMN]);
	encoder->fields.vmcs = number;
	encoder->fields.vmcs_now = values[VMCS_COLUMN] = pointer;
	encoder_move_vmcs(encoder, site, pointer);
	return put_next(encoder, event, site);
}

NOINLINE enum status encoder_put_handover(struct trace_encoder *encoder,
					  const struct trace_event *event, struct site *site, u8 op)
{
	return put_handover(encoder, event, site, op, false);
}

NOINLINE enum status encoder_put_flagged_handover(struct trace_encoder *encoder,
						  const struct trace_event *event,
						  struct site *site, u8 op)
{
	return put_handover(encoder, event, site, op, true);
}

NOINLINE enum status encoder_put_ordered(struct trace_encoder *encoder,
					 const struct trace_event *event, struct site *site, u8 op)
{
	const struct plan *const plan = site->plan;
	const u64 *const columns = event->col, *const values = site->values;
	const u64 differ = (columns[plan->order_column] ^ (encoder->order + 1)) |
			   differ_steady(columns, values) | differ_flags(columns, values, 0) |
			   differ_flags(columns, values, 1) | any_rare(columns) |
			   differ_ordered(plan, columns, values);

	/* That is seldom; and the fewer questions are left, the better. */
	if (unlikely(op || differ))
		return encoder_put_moves(encoder, event, site, op);
	return put_next(encoder, event, site);
}

enum path encoder_ordered_path(const struct site *site)
{
	const struct plan *const plan = site->plan;
	const u64 *const values = site->values;
	const u32 region = 1u << REGION_COLUMN;

	if (any_rare(values))
		return site->mask ? PATH_MOVES : PATH_OTHER;
	if (plan->current_column == SCHEMA_NONE)
		return site->mask ? PATH_MOVES : PATH_ORDERED;
	/* What is loaded again and again is current already, or has to become it. */
	if (!site->mask)
		return values[REGION_COLUMN] == values[VMCS_COLUMN] ? PATH_ORDERED : PATH_MOVES;
	if (site->mask == region)
		return PATH_HANDOVER;
	return site->mask == (region | FLAGS_BIT(0)) ? PATH_FLAGGED_HANDOVER : PATH_MOVES;
}
