/*
 * trace/decode_digest.c - events that are expected, all at once
 */
#include "trace/decode_parts.h"
#include "trace/digest.h"

_Static_assert(DIGEST_MAX_FIELDS < 0xffff, "marks are numbers of fields");

/* Whether the columns of @site are those that its effect is about, whatever the tape's schema. */
static bool can_have(const struct site *site, enum trace_effect effect)
{
	if (site->plain == FORM_ITEMS)
		return effect == EFFECT_ITEMS;
	return effect <= EFFECT_NOTED || (effect != EFFECT_ITEMS && site->value_bit);
}

/* Whether a digest takes the events of @site. */
static NOINLINE bool meet(struct trace_digest *digest, struct site *site)
{
	site->fixed = 0;
	site->effect = (u8)digest->meet(digest->owner, &site->event, &site->fixed);
	if (site->effect == EFFECT_OTHER || !can_have(site, site->effect) ||
	    site->mask & site->fixed)
		return false;
	site->stamp = digest->stamp;
	return true;
}

static NOINLINE struct trace_digest_field *add_field(struct trace_decoder *decoder,
						     struct trace_digest *digest, u32 slot)
{
	struct trace_digest_field *const field = &digest->fields[digest->field_count++];

	field->id = (u16)(decoder->fields.keys[slot] - 1);
	field->slot = slot;
	field->writer = 0;
	digest->marks[slot] = (u16)digest->field_count;
	return field;
}

/* The field whose last value is at @value, which event @at names. */
static ALWAYS_INLINE struct trace_digest_field *
touch(struct trace_decoder *decoder, struct trace_digest *digest, const u64 *value, u32 at)
{
	const u32 slot = (u32)(value - decoder->fields.values);
	const u32 mark = digest->marks[slot];
	struct trace_digest_field *const field =
		likely(mark) ? &digest->fields[mark - 1] : add_field(decoder, digest, slot);

	field->last = at;
	return field;
}

static ALWAYS_INLINE void change(struct trace_decoder *decoder, struct trace_digest *digest,
				 const u64 *value, u32 at)
{
	struct trace_digest_field *const field = touch(decoder, digest, value, at);

	field->writer = digest->writer_count;
	field->written = *value;
}

static ALWAYS_INLINE struct trace_digest_writer *add_writer(const struct trace_decoder *decoder,
							    struct trace_digest *digest,
							    const struct site *site, u32 at)
{
	struct trace_digest_writer *const writer = &digest->writers[digest->writer_count++];

	writer->event = &site->event;
	writer->rip = site->event.rip;
	writer->seq = decoder->seq + at;
	writer->at = at;
	return writer;
}

static bool take_items(struct trace_decoder *decoder, struct trace_digest *digest,
		       struct site *site, u32 at)
{
	struct shape *const shape = &decoder->shapes[site->shape];
	struct trace_digest_writer *const writer = add_writer(decoder, digest, site, at);
	u64 *last;

	digest->items++;
	decoder->turn = site->turn;
	take_missed(decoder, site, site->mask);
	if (shape->vmcs != decoder->fields.vmcs && !decoder_find_shape_fields(decoder, shape))
		return false;
	for (u32 i = 0; i < shape->count; i++) {
		*shape->fields[i] += unzigzag(take_number(decoder, STREAM_ITEM));
		change(decoder, digest, shape->fields[i], at);
	}
	/* An item may be what RIP is. */
	writer->rip = *site->field;
	last = &digest->rips[(writer->rip ^ writer->rip >> 8) % ARRAY_SIZE(digest->rips)];
	if (unlikely(*last != writer->rip)) {
		*last = writer->rip;
		digest->at_rip(digest->owner, writer->rip);
	}
	return !decoder->bad;
}

/* Where not only the value of a field may miss, but which field it is. */
static NOINLINE bool take_masked(struct trace_decoder *decoder, struct trace_digest *digest,
				 struct site *site)
{
	u64 id;

	take_missed(decoder, site, site->mask & ~site->value_bit);
	if (!site->value_bit)
		return true;
	id = site->values[site->kind->field_column];
	digest->is_odd |= id >= TRACE_MAX_ITEM_ID;
	return site->field_id == id || decoder_find_field(decoder, site, id);
}

/* What an event changes but for the time. */
static ALWAYS_INLINE bool take_event(struct trace_decoder *decoder, struct trace_digest *digest,
				     struct site *site, u32 at)
{
	if (site->effect == EFFECT_ITEMS)
		return take_items(decoder, digest, site, at);
	if (unlikely(site->form == FORM_MASKED) && !take_masked(decoder, digest, site))
		return false;
	if (site->mask & site->value_bit)
		*site->field += unzigzag(take_number(decoder, site->value_stream));
	if (likely(site->effect == EFFECT_READ)) {
		touch(decoder, digest, site->field, at);
	} else if (site->effect != EFFECT_NONE) {
		add_writer(decoder, digest, site, at);
		if (site->effect == EFFECT_WRITE)
			change(decoder, digest, site->field, at);
	}
	return !decoder->bad;
}

/* Of at most @most events that are expected, those that a digest takes. Says how many. */
static u32 take_expected(struct trace_decoder *decoder, struct trace_digest *digest, u64 most)
{
	struct stream *const times = &decoder->streams[STREAM_TSC];
	struct stream stream = *times;
	const u64 before = digest->before;
	const u32 first = digest->count, end = first + (u32)most;
	u64 now = decoder->tsc + digest->shift, time = digest->time;
	u32 at = first;

	for (; at < end; at++) {
		struct site *const site = decoder->previous->next[decoder->turn];
		const u8 *const behind = stream.at;
		u64 delta, then;

		if (unlikely(site->form != FORM_COLUMNS &&
			     (site->form == FORM_OTHER || site->mask & site->fixed)))
			break;
		if (unlikely(site->stamp != digest->stamp) && !meet(digest, site))
			break;
		if (unlikely(stream.end - behind < 2 || !take_short(&stream, &delta)))
			break;
		delta = site->delta + unzigzag(delta);
		then = now + delta;
		then = then < time ? time : then;
		if (unlikely(then >= before)) {
			stream.at = behind;
			digest->late = true;
			break;
		}
		if (unlikely(site->version != decoder->version &&
			     !decoder_refresh(decoder, site)) ||
		    unlikely(!take_event(decoder, digest, site, at))) {
			decoder_fail(decoder);
			break;
		}
		site->delta = delta;
		now += delta;
		time = then;
		digest->times[at] = time;
		decoder->previous = site;
	}
	times->at = stream.at;
	decoder->tsc = now - digest->shift;
	digest->time = time;
	digest->count = at;
	return at - first;
}

static void end_digest(struct trace_decoder *decoder, struct trace_digest *digest)
{
	for (u32 i = 0; i < digest->field_count; i++) {
		struct trace_digest_field *const field = &digest->fields[i];

		field->value = decoder->fields.values[field->slot];
		digest->marks[field->slot] = 0;
	}
	decoder->seq += digest->count;
}

void trace_decoder_digest(struct trace_decoder *decoder, struct trace_digest *digest, u32 most)
{
	u32 some;

	digest->count = digest->items = digest->field_count = digest->writer_count = 0;
	digest->vmcs = 0;
	digest->is_odd = digest->late = false;
	if (decoder->schema->vmcs_cell == SCHEMA_NONE)
		return;
	digest->vmcs = decoder->cells[decoder->schema->vmcs_cell];
	most = MIN(most, DIGEST_MAX_EVENTS);
	do {
		/* What ends a run is taken, though the event behind it perhaps is not. */
		if (!decoder->run && decoder->left && !decoder_take_op(decoder)) {
			decoder_fail(decoder);
			break;
		}
		some = take_expected(decoder, digest,
				     MIN(MIN(decoder->run, decoder->left), most - digest->count));
		decoder->run -= some;
		decoder->left -= decoder->bad ? 0 : some;
	} while (!decoder->run && decoder->left && digest->count < most);
	end_digest(decoder, digest);
}
