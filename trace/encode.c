/*
 * trace/encode.c - an event into the block, by the shortest way that is right for it
 */
#include "trace/encode_parts.h"

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
	encoder_end_as_expected(encoder, site, op);
	return encoder_end(encoder);
}

/* A VMX instruction at a site that had one, where more than a value misses now and then. */
static ALWAYS_INLINE enum status put_masked(struct trace_encoder *encoder,
					    const struct trace_event *event, struct site *site,
					    u8 op, bool changes)
{
	const struct plan *const plan = site->plan;
	const u64 *const columns = event->col;
	u64 *const values = site->values;
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	u64 differ = 0;

	if (changes)
		encoder_select_vmcs(encoder, columns[VMCS_COLUMN]);
	if (plan->path == PATH_SAME) {
		if (changes || columns[FIELD_COLUMN] != site->field_id)
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
		encoder_is_not_quiet(site, changes);
	differ |= differ_steady(columns, values) | differ_rare(columns, values) |
		  differ_flags(columns, values, 0) | differ_flags(columns, values, 1) |
		  differ_last(columns, values);
	if (plan->path == PATH_SAME)
		differ |= differ_operand(columns, values) |
			  (columns[FIELD_COLUMN] ^ values[FIELD_COLUMN]);
	if (unlikely(differ))
		op |= encoder_widen_mask(encoder, event, site);
	if (changes)
		encoder_move_vmcs(encoder, site, columns[VMCS_COLUMN]);
	encoder_end_as_expected(encoder, site, op);
	return encoder_end(encoder);
}

/* The same behind VMPTRLD: another VMCS is current. */
static NOINLINE enum status encode_masked_moved(struct trace_encoder *encoder,
						const struct trace_event *event, struct site *site,
						u8 op)
{
	if (unlikely(!(site->mask & VMCS_BIT)))
		return encoder_put_other(encoder, event, site, op);
	return put_masked(encoder, event, site, op, true);
}

static NOINLINE enum status encode_masked(struct trace_encoder *encoder,
					  const struct trace_event *event, struct site *site, u8 op)
{
	if (unlikely(site->quiet == QUIET_EVENTS))
		return encoder_put_other(encoder, event, site, op);
	if (unlikely(event->col[VMCS_COLUMN] != site->values[VMCS_COLUMN]))
		return encode_masked_moved(encoder, event, site, op);
	return put_masked(encoder, event, site, op, false);
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
		differ |= changes ? encoder_is_full(stream)
				  : columns[FIELD_TAIL_VALUE] ^ *site->field;
	}
	for (unsigned i = 0; i < 2; i++)
		differ |= site->mask & FLAGS_BIT(i)
				  ? encoder_is_full(plan->streams[RFLAGS_COLUMN + i])
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
	return encoder_end_as_expected(encoder, site, op);
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
	return encoder_end_as_expected(encoder, site, op);
}

typedef enum status (*encode_path)(struct trace_encoder *encoder, const struct trace_event *event,
				   struct site *site, u8 op);

/* Those that trace_encode_next() does not take itself, at the site that is expected. */
static const encode_path paths[] = {
	[PATH_MEMORY] = encode_memory,
	[PATH_FLAGS] = encode_flags,
	[PATH_MASKED] = encode_masked,
	[PATH_ORDERED] = encoder_put_ordered,
	[PATH_HANDOVER] = encoder_put_handover,
	[PATH_FLAGGED_HANDOVER] = encoder_put_flagged_handover,
	[PATH_MOVES] = encoder_put_moves,
	[PATH_ITEMS] = encoder_put_other,
	[PATH_OTHER] = encoder_put_other,
};

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
	if (site->path >= PATH_ORDERED && site->path <= PATH_MOVES)
		return encoder_put_moves(encoder, event, site, op);
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

	if (unlikely(encoder_is_full(stream)))
		return encode_masked(encoder, event, site, 0);
	stream->at = varint_put(stream->at, zigzag(value - *site->field));
	*site->field = value;
	tsc->at = varint_put(tsc->at, encoder_take_delta(encoder, event, site));
	return encoder_end_as_expected(encoder, site, 0);
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
		return paths[site->path](encoder, event, site, 0);
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
	return encoder_end_as_expected(encoder, site, 0);
}

enum status trace_encode_event(struct trace_encoder *encoder, const struct trace_event *event)
{
	const enum status status = trace_encode_next(encoder, event);

	return status == ST_END ? ST_OK : status;
}
