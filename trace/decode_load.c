/*
 * trace/decode_load.c - a decoder out of bytes, which are checked as they come
 */
#include "trace/decode_parts.h"
#include "trace/decode_state.h"

static bool skip_base(struct trace_decoder *decoder, u64 events, u32 done)
{
	const struct trace_event *event;

	if (!events || events > done)
		return false;
	while (events--)
		if (trace_decode_event(decoder, &event) != ST_OK)
			return false;
	return true;
}

/* Sites and shapes that the base did not have yet, from where they are defined. */
static bool load_definitions(struct trace_decoder *decoder, struct cursor *in)
{
	const u64 sites = cursor_varint(in), shapes = cursor_varint(in);

	for (u64 i = 0; i < shapes && in->status == ST_OK; i++) {
		const u64 before = cursor_varint(in);

		if (i < decoder->shape_count)
			continue;
		if (before > sites)
			return false;
		while (decoder->site_count < before)
			if (!decoder_add_site(decoder))
				return false;
		if (!decoder_add_shape(decoder))
			return false;
	}
	while (decoder->site_count < sites)
		if (!decoder_add_site(decoder))
			return false;
	return decoder->site_count == sites && decoder->shape_count == shapes;
}

static bool load_streams(struct trace_decoder *decoder, struct cursor *in)
{
	unsigned next = 0;

	for (;;) {
		const u64 step = cursor_varint(in);
		const u64 at = step ? next + step - 1 : SCHEMA_MAX_STREAMS;
		u64 left;

		if (in->status != ST_OK || step > SCHEMA_MAX_STREAMS || at > SCHEMA_MAX_STREAMS)
			return false;
		for (; next < at; next++)
			decoder->streams[next].at = decoder->streams[next].end;
		if (!step)
			return true;
		if (at == SCHEMA_MAX_STREAMS)
			return false;
		left = cursor_varint(in);
		if (left > (u64)(decoder->streams[at].end - decoder->streams[at].at))
			return false;
		decoder->streams[at].at = decoder->streams[at].end - left;
		next++;
	}
}

static struct site *load_site_number(struct trace_decoder *decoder, u64 number)
{
	if (!number || number > decoder->site_count)
		return NULL;
	return &decoder->sites[number - 1];
}

static bool load_next(struct trace_decoder *decoder, struct cursor *in, struct site *site)
{
	const u64 set = cursor_varint(in);
	u64 number = 0;

	for (unsigned i = 0; i < CODEC_TURNS; i++) {
		site->next[i] = &decoder->start;
		if (!(set >> i & 1))
			continue;
		number += unzigzag(cursor_varint(in));
		site->next[i] = load_site_number(decoder, number);
		if (!site->next[i])
			return false;
	}
	return true;
}

/* Where its field is, is found out when it comes: what it has of cells is too old. */
static void set_field(struct trace_decoder *decoder, struct site *site)
{
	site->version = NO_VERSION;
	site->vmcs = CODEC_MAX_VMCSS;
	site->field = NULL;
	if (site->form == FORM_OTHER)
		return;
	if (site->form == FORM_ITEMS)
		site->field_id = decoder->schema->rip_field;
	else if (site->value_bit)
		site->field_id = site->values[site->kind->field_column];
	else
		return;
	site->field = decoder->fields.values;
}

static bool load_values(struct cursor *in, struct site *site)
{
	const struct trace_kind_info *const kind = site->kind;
	const u64 set = cursor_varint(in);

	for (unsigned i = 0; i < kind->column_count; i++)
		if (decoder_keeps_column(kind, i))
			site->values[i] = set >> i & 1 ? unzigzag(cursor_varint(in)) : 0;
	return set < BIT(kind->column_count);
}

static bool load_site(struct trace_decoder *decoder, struct cursor *in, struct site *site)
{
	const struct trace_kind_info *const kind = site->kind;
	const u64 bits = cursor_varint(in), mask = bits >> 1;
	u64 shape = 0;

	site->delta = unzigzag(cursor_varint(in));
	if (kind->flags & KIND_ITEMS)
		shape = cursor_varint(in);
	if (mask >= BIT(kind->column_count) || shape >= decoder->shape_count)
		return false;
	site->mask = (u32)mask;
	site->shape = (u16)shape;
	site->tells = site->names || site->mask & site->vmcs_bit;
	site->form = bits & 1 ? (u8)decoder_next_form(site) : FORM_OTHER;
	if (decoder_keeps_rip(kind))
		site->event.rip = cursor_varint(in);
	if (!load_next(decoder, in, site) || !load_values(in, site))
		return false;
	set_field(decoder, site);
	return in->status == ST_OK;
}

static bool load_vmcss(struct codec_fields *fields, struct cursor *in)
{
	const u64 count = cursor_varint(in);
	u64 now;

	if (count < fields->vmcs_count || count > CODEC_MAX_VMCSS)
		return false;
	for (u32 i = 0; i < count; i++)
		fields->vmcss[i] = cursor_varint(in);
	now = cursor_varint(in);
	if (now >= count)
		return false;
	fields->vmcs_count = (u32)count;
	fields->vmcs = (u32)now;
	fields->vmcs_now = fields->vmcss[fields->vmcs];
	return true;
}

static bool load_changed(struct codec_fields *fields, struct cursor *in)
{
	u64 step, next = 0;

	while ((step = cursor_varint(in))) {
		next += step;
		if (step > DECODER_SLOTS || next > DECODER_SLOTS || !fields->keys[next - 1])
			return false;
		fields->values[next - 1] += unzigzag(cursor_varint(in));
	}
	return in->status == ST_OK;
}

static bool load_new(struct codec_fields *fields, struct cursor *in)
{
	const u32 vmcs = fields->vmcs;
	u64 key, *value = fields->values;

	while (value && (key = cursor_varint(in))) {
		if (key > (u64)fields->vmcs_count << 16)
			return false;
		fields->vmcs = (u32)(key - 1) >> 16;
		value = codec_fields_at(fields, key - 1);
		if (value)
			*value = unzigzag(cursor_varint(in));
	}
	fields->vmcs = vmcs;
	return value && in->status == ST_OK;
}

static bool load_place(struct trace_decoder *decoder, struct cursor *in)
{
	decoder->run = cursor_varint(in) - 1;
	decoder->op = cursor_varint(in) & OP_ALL;
	decoder->previous = load_site_number(decoder, cursor_varint(in));
	decoder->turn = cursor_varint(in) % CODEC_TURNS;
	decoder->tsc = cursor_varint(in);
	decoder->order = cursor_varint(in);
	for (unsigned i = 0; i < decoder->schema->cell_count; i++)
		decoder->cells[i] = cursor_varint(in);
	return decoder->previous && (decoder->op || decoder->run == ~0ull);
}

enum status trace_decode_load(struct trace_decoder *decoder, struct cursor *in, u32 done)
{
	const u32 total = decoder->left;
	const u64 first_seq = decoder->seq;

	if (done > total || !skip_base(decoder, cursor_varint(in), done) ||
	    !load_definitions(decoder, in) || !load_streams(decoder, in) ||
	    !load_place(decoder, in))
		return ST_CORRUPT;
	decoder->left = total - done;
	decoder->seq = first_seq + done;
	for (u32 i = 0; i < decoder->site_count; i++)
		if (!load_site(decoder, in, &decoder->sites[i]))
			return ST_CORRUPT;
	for (u32 i = 0; i < decoder->shape_count; i++)
		decoder->shapes[i].vmcs = CODEC_MAX_VMCSS;
	if (!load_vmcss(&decoder->fields, in) || !load_changed(&decoder->fields, in) ||
	    !load_new(&decoder->fields, in) || decoder->bad)
		return ST_CORRUPT;
	return ST_OK;
}
