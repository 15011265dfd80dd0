#include "trace/decode_parts.h"
#include "trace/decode_state.h"

size_t trace_decoder_size(void)
{
	return sizeof(struct trace_decoder);
}

struct trace_decoder *trace_decoder_init(void *memory, const struct trace_schema *schema)
{
	struct trace_decoder *decoder = memory;

	decoder->schema = schema;
	decoder->has_outlines = decoder_has_outlines(schema);
	decoder->left = decoder->turn = 0;
	decoder->base = NULL;
	decoder->bad = false;
	memset(decoder->streams, 0, sizeof(decoder->streams));
	/* An event is never there: whoever comes there looks twice. */
	decoder->start = (struct site){ .version = NO_VERSION, .form = FORM_OTHER, .tells = true };
	decoder->previous = &decoder->start;
	decoder_reset_turns(decoder, &decoder->start);
	return decoder;
}

static enum status take_table(struct trace_decoder *decoder, struct cursor *in)
{
	const u64 count = cursor_varint(in);
	u32 lengths[SCHEMA_MAX_STREAMS] = { 0 };
	u64 next = 0;

	for (u64 i = 0; i < count && in->status == ST_OK; i++) {
		const u64 index = cursor_varint(in);
		const u64 length = cursor_varint(in);

		if (index < next || index >= SCHEMA_MAX_STREAMS || length > CODEC_MAX_RAW)
			return ST_CORRUPT;
		lengths[index] = (u32)length;
		next = index + 1;
	}
	for (unsigned i = 0; i < SCHEMA_MAX_STREAMS; i++) {
		const u8 *const at = cursor_take(in, lengths[i]);

		if (!at)
			return ST_CORRUPT;
		decoder->streams[i] = (struct stream){ .at = at, .end = at + lengths[i] };
	}
	return cursor_left(in) ? ST_CORRUPT : ST_OK;
}

enum status trace_decoder_open(struct trace_decoder *decoder, const void *payload, size_t size,
			       const struct trace_block_facts *facts)
{
	struct cursor in = cursor_over(payload, size);

	decoder->left = 0;
	if (size > CODEC_MAX_RAW || take_table(decoder, &in) != ST_OK)
		return ST_CORRUPT;
	decoder->left = facts->events;
	decoder->bad = false;
	decoder_take_run(decoder);
	decoder->cpu = facts->cpu;
	decoder->seq = facts->first_seq;
	decoder->tsc = facts->first_tsc;
	decoder->last_key = 0;
	decoder->order = 0;
	memset(decoder->cells, 0, sizeof(decoder->cells));
	decoder->version = 1;
	decoder_reset_turns(decoder, &decoder->start);
	decoder->previous = &decoder->start;
	decoder->turn = 0;
	decoder->site_count = decoder->id_count = 0;
	decoder->shapes[0] =
		(struct shape){ .items = decoder->items, .fields = decoder->item_fields };
	decoder->shape_count = 1;
	codec_fields_reset(&decoder->fields);
	if (decoder->base) {
		decoder->base->events = 0;
		decoder->base->total = facts->events;
	}
	return ST_OK;
}

/* An expected event at @site whose cells are as at the last event here. */
static NOINLINE enum status decode_expected(struct trace_decoder *decoder,
					    const struct trace_event **event, struct site *site)
{
	if (site->form == FORM_OTHER)
		return decoder_decode_other(decoder, event);
	decoder->left--;
	decoder->run--;
	begin_event(decoder, site, take_number(decoder, STREAM_TSC));
	if (site->form == FORM_ITEMS) {
		struct shape *const shape = &decoder->shapes[site->shape];

		take_missed(decoder, site, site->mask);
		if (shape->vmcs != decoder->fields.vmcs &&
		    !decoder_find_shape_fields(decoder, shape))
			return decoder_fail(decoder);
		take_values(decoder, site, shape);
		site->event.rip = *site->field;
		decoder->turn = site->turn;
	} else {
		take_missed(decoder, site, site->mask & ~site->value_bit);
		if (site->value_bit) {
			const u64 id = site->values[site->kind->field_column];

			if (site->field_id != id && !decoder_find_field(decoder, site, id))
				return decoder_fail(decoder);
			site->values[site->value] = *site->field;
			take_missed(decoder, site, site->mask & site->value_bit);
			*site->field = site->values[site->value];
		}
	}
	if (unlikely(decoder->bad))
		return decoder_fail(decoder);
	*event = &site->event;
	return ST_OK;
}

/*
 * What most events are: as expected, but perhaps for the value of a field, which is all that misses
 * here. Nothing is taken before it is certain that all of it can be.
 */
enum status trace_decode_event(struct trace_decoder *decoder, const struct trace_event **event)
{
	struct site *const site = decoder->previous->next[decoder->turn];
	struct stream *const tsc = &decoder->streams[STREAM_TSC];
	struct stream *const values = &decoder->streams[site->value_stream];
	const u8 *const value_at = values->at;
	u64 delta, change = 0;

	if (unlikely(!decoder->left || !decoder->run || site->version != decoder->version))
		return decoder_decode_other(decoder, event);
	if (unlikely(site->form != FORM_COLUMNS || tsc->end - tsc->at < 2))
		return decode_expected(decoder, event, site);
	if (site->mask && (values->end - value_at < 2 || !take_short(values, &change)))
		return decoder_decode_other(decoder, event);
	if (unlikely(!take_short(tsc, &delta))) {
		values->at = value_at;
		return decoder_decode_other(decoder, event);
	}
	/* Cells are as at the last event here, so the field's place is still the same. */
	if (site->value_bit) {
		*site->field += unzigzag(change);
		site->values[site->value] = *site->field;
	}
	decoder->left--;
	decoder->run--;
	begin_event(decoder, site, delta);
	*event = &site->event;
	return ST_OK;
}

/* --- passing over events -----------------------------------------------------------------------
 */

/* The items of @shape, most of which are short. */
static ALWAYS_INLINE void skip_items(struct trace_decoder *decoder, const struct shape *shape)
{
	struct stream *const stream = &decoder->streams[STREAM_ITEM];
	struct stream items = *stream;
	u32 i = 0;

	if (likely((size_t)(items.end - items.at) >= 2 * (size_t)shape->count))
		for (u64 change; i < shape->count && take_short(&items, &change); i++)
			*shape->fields[i] += unzigzag(change);
	stream->at = items.at;
	for (; i < shape->count; i++)
		*shape->fields[i] += unzigzag(take_number(decoder, STREAM_ITEM));
}

/*
 * What the next event at @site changes but for its time, as decode_expected() does: the last values
 * of columns and fields, not those that are made of them anew with every event.
 */
static ALWAYS_INLINE bool skip_values(struct trace_decoder *decoder, struct site *site)
{
	struct shape *const shape = &decoder->shapes[site->shape];

	take_missed(decoder, site, site->mask & ~site->value_bit);
	if (site->form == FORM_ITEMS) {
		if (shape->vmcs != decoder->fields.vmcs &&
		    !decoder_find_shape_fields(decoder, shape))
			return false;
		skip_items(decoder, shape);
		decoder->turn = site->turn;
	} else if (site->value_bit) {
		const u64 id = site->values[site->kind->field_column];

		if (site->field_id != id && !decoder_find_field(decoder, site, id))
			return false;
		if (site->mask & site->value_bit)
			*site->field += unzigzag(take_number(decoder, site->value_stream));
	}
	return !decoder->bad;
}

/* Passes over at most @count events that are expected, and says how many those were. */
static u64 skip_expected(struct trace_decoder *decoder, u64 count)
{
	struct stream *const times = &decoder->streams[STREAM_TSC];
	struct stream time = *times;
	struct site *site = decoder->previous;
	u64 tsc = decoder->tsc, done = 0, delta;

	for (; done < count; done++) {
		struct site *const next = site->next[decoder->turn];

		if (unlikely(next->form == FORM_OTHER || time.end - time.at < 2 ||
			     !take_short(&time, &delta)))
			break;
		if (unlikely(next->version != decoder->version) && !decoder_refresh(decoder, next))
			decoder->bad = true;
		if (likely(next->form == FORM_COLUMNS)) {
			/* That is, the value's. */
			if (next->mask)
				*next->field += unzigzag(take_number(decoder, next->value_stream));
		} else if (!skip_values(decoder, next)) {
			decoder->bad = true;
		}
		if (unlikely(decoder->bad)) {
			decoder_fail(decoder);
			break;
		}
		next->delta += unzigzag(delta);
		tsc += next->delta;
		site = next;
	}
	times->at = time.at;
	decoder->tsc = tsc;
	decoder->previous = site;
	return done;
}

u64 trace_decoder_skip(struct trace_decoder *decoder, u64 count)
{
	const struct trace_event *event;
	u64 done = 0, some;

	while (done < count) {
		some = skip_expected(decoder, MIN(MIN(decoder->run, decoder->left), count - done));
		done += some;
		decoder->run -= some;
		decoder->seq += some;
		decoder->left -= decoder->bad ? 0 : (u32)some;
		if (done == count)
			break;
		if (!decoder->run && decoder->left) {
			if (decoder_take_op(decoder))
				continue;
			decoder_fail(decoder);
		}
		/* What is next is not so simple. */
		if (decoder_decode_other(decoder, &event) != ST_OK)
			break;
		done++;
	}
	return done;
}
