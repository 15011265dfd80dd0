/*
 * trace/decode_state.c - what a decoder knows, into bytes
 */
#include "trace/decode_state.h"

#include "trace/decode_parts.h"

/* What a field is that the block did not have yet: any value that fields rarely have. */
#define FREE 0x5bd1e995c2b2ae3dull

/* --- the base ----------------------------------------------------------------------------------
 */

void trace_decode_keep_base(struct trace_decoder *decoder, struct trace_decode_base *base)
{
	decoder->base = base;
	if (base)
		base->events = base->total = 0;
}

void decoder_take_base(struct trace_decoder *decoder)
{
	struct trace_decode_base *const base = decoder->base;
	struct codec_fields *const fields = &decoder->fields;

	/* The block was open before. */
	if (!base->total || base->events || decoder->previous->event.kind == EV_VMCS_IMAGE ||
	    decoder->previous->event.kind == EV_VMX_STATE)
		return;
	base->events = base->total - decoder->left;
	base->fields = fields->count;
	/* Without a branch: which slots are free is hard to foretell. */
	for (u32 slot = 0; slot < DECODER_SLOTS; slot++) {
		const u64 used = 0 - (u64)(fields->keys[slot] != 0);

		fields->values[slot] = FREE ^ ((fields->values[slot] ^ FREE) & used);
	}
	memcpy(base->values, fields->values, sizeof(base->values));
}

/* --- saving ------------------------------------------------------------------------------------
 */

/* Bytes that are written as long as there is room. */
struct sink {
	u8 *at;
	u8 *end;
	bool full;
};

static void put(struct sink *sink, u64 number)
{
	if (sink->end - sink->at < 10)
		sink->full = true;
	else
		sink->at = varint_put(sink->at, number);
}

static u64 number_of(const struct trace_decoder *decoder, const struct site *site)
{
	return site == &decoder->start ? 0 : (u64)(site - decoder->sites) + 1;
}

/* What is left of each stream that has something left. */
static void put_streams(struct sink *sink, const struct trace_decoder *decoder)
{
	unsigned next = 0;

	for (unsigned i = 0; i < SCHEMA_MAX_STREAMS; i++) {
		const struct stream *const stream = &decoder->streams[i];

		if (stream->at == stream->end)
			continue;
		put(sink, i + 1 - next);
		put(sink, (u64)(stream->end - stream->at));
		next = i + 1;
	}
	put(sink, 0);
}

static void put_next(struct sink *sink, const struct trace_decoder *decoder,
		     const struct site *site)
{
	u64 last = 0, set = 0;

	for (unsigned i = 0; i < CODEC_TURNS; i++)
		set |= (u64)(site->next[i] != &decoder->start) << i;
	put(sink, set);
	for (unsigned i = 0; i < CODEC_TURNS; i++) {
		const u64 number = number_of(decoder, site->next[i]);

		if (!number)
			continue;
		put(sink, zigzag(number - last));
		last = number;
	}
}

static void put_site(struct sink *sink, const struct trace_decoder *decoder,
		     const struct site *site)
{
	const struct trace_kind_info *const kind = site->kind;
	u32 set = 0;

	put(sink, (u64)(site->form != FORM_OTHER) | (u64)site->mask << 1);
	put(sink, zigzag(site->delta));
	if (kind->flags & KIND_ITEMS)
		put(sink, site->shape);
	if (decoder_keeps_rip(kind))
		put(sink, site->event.rip);
	put_next(sink, decoder, site);
	for (unsigned i = 0; i < kind->column_count; i++)
		set |= (decoder_keeps_column(kind, i) && site->values[i] ? 1u : 0u) << i;
	put(sink, set);
	for (; set; set &= set - 1)
		put(sink, zigzag(site->values[__builtin_ctz(set)]));
}

/* Slots of fields that differ from the base. Returns how many. */
static u32 find_changed(const struct trace_decoder *decoder, u16 *slots)
{
	const u64 *const values = decoder->fields.values, *const base = decoder->base->values;
	u32 count = 0;

	for (u32 slot = 0; slot < DECODER_SLOTS; slot += 4) {
		const u64 differ =
			(values[slot] ^ base[slot]) | (values[slot + 1] ^ base[slot + 1]) |
			(values[slot + 2] ^ base[slot + 2]) | (values[slot + 3] ^ base[slot + 3]);

		if (likely(!differ))
			continue;
		for (u32 i = slot; i < slot + 4; i++) {
			slots[count] = (u16)i;
			count += values[i] != base[i];
		}
	}
	return count;
}

/* Fields that the base has by how far each is from the one before, then the others by name. */
static bool put_fields(struct sink *sink, const struct trace_decoder *decoder)
{
	const u64 *const values = decoder->fields.values, *const base = decoder->base->values;
	u16 slots[DECODER_SLOTS + 1];
	const u32 count = find_changed(decoder, slots);
	u32 last = 0, made = 0;

	for (u32 i = 0; i < count; i++) {
		const u32 slot = slots[i];

		if (base[slot] == FREE) {
			slots[made++] = (u16)slot;
			continue;
		}
		put(sink, slot + 1 - last);
		put(sink, zigzag(values[slot] - base[slot]));
		last = slot + 1;
	}
	put(sink, 0);
	for (u32 i = 0; i < made; i++) {
		put(sink, decoder->fields.keys[slots[i]]);
		put(sink, zigzag(values[slots[i]]));
	}
	put(sink, 0);
	/* Else a field cannot be told from one that is not there. */
	return made == decoder->fields.count - decoder->base->fields;
}

size_t trace_decode_save(const struct trace_decoder *decoder, u8 *to)
{
	const struct trace_decode_base *const base = decoder->base;
	const struct codec_fields *const fields = &decoder->fields;
	struct sink sink = { .at = to, .end = to + DECODE_STATE_MAX };

	if (!base || !base->events || decoder->bad)
		return 0;
	put(&sink, base->events);
	put(&sink, decoder->site_count);
	put(&sink, decoder->shape_count);
	for (u32 i = 0; i < decoder->shape_count; i++)
		put(&sink, decoder->shapes[i].sites);
	put_streams(&sink, decoder);
	put(&sink, decoder->run + 1);
	put(&sink, decoder->op);
	put(&sink, number_of(decoder, decoder->previous));
	put(&sink, decoder->turn);
	put(&sink, decoder->tsc);
	put(&sink, decoder->order);
	for (unsigned i = 0; i < decoder->schema->cell_count; i++)
		put(&sink, decoder->cells[i]);
	for (u32 i = 0; i < decoder->site_count; i++)
		put_site(&sink, decoder, &decoder->sites[i]);
	put(&sink, fields->vmcs_count);
	for (u32 i = 0; i < fields->vmcs_count; i++)
		put(&sink, fields->vmcss[i]);
	put(&sink, fields->vmcs);
	return put_fields(&sink, decoder) && !sink.full ? (size_t)(sink.at - to) : 0;
}
