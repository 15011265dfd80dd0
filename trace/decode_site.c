/*
 * trace/decode_site.c - where events come from, and which items they have
 */
#include "trace/decode_parts.h"

const u8 *decoder_take_bytes(struct trace_decoder *decoder, unsigned index, u64 size)
{
	struct stream *const stream = &decoder->streams[index];
	const u8 *const at = stream->at;

	if (size > (size_t)(stream->end - at)) {
		decoder->bad = true;
		return NULL;
	}
	stream->at += size;
	return at;
}

static u8 take_byte(struct trace_decoder *decoder, unsigned index)
{
	const u8 *const at = decoder_take_bytes(decoder, index, 1);

	return at ? *at : 0;
}

static enum form form_of_kind(const struct trace_kind_info *kind)
{
	const unsigned extra = kind->flags & (KIND_ITEMS | KIND_BYTES | KIND_RIP_FIELD);

	if (kind->order_column != SCHEMA_NONE || kind->key_cell != SCHEMA_NONE)
		return FORM_OTHER;
	if (kind->key == KEY_COL0)
		return extra == (KIND_ITEMS | KIND_RIP_FIELD) && kind->value_column == SCHEMA_NONE
			       ? FORM_ITEMS
			       : FORM_OTHER;
	return extra ? FORM_OTHER : FORM_COLUMNS;
}

struct site *decoder_add_site(struct trace_decoder *decoder)
{
	const unsigned number = decoder->site_count;
	struct site *const site = &decoder->sites[number];
	const u8 id = take_byte(decoder, STREAM_DEF);
	const u8 level = take_byte(decoder, STREAM_DEF);
	const u64 key = decoder->last_key + unzigzag(take_number(decoder, STREAM_DEF));
	const struct trace_kind_info *const kind = trace_schema_kind(decoder->schema, id);

	if (decoder->bad || !kind || level > CODEC_MAX_LEVEL || number == CODEC_MAX_SITES)
		return NULL;
	*site = (struct site){
		.event = { .kind = id, .level = level, .cpu = decoder->cpu },
		.kind = kind,
		.values = &decoder->values[number * TRACE_MAX_COLUMNS],
		.vmcs = CODEC_MAX_VMCSS,
		.form = FORM_OTHER,
		.plain = (u8)form_of_kind(kind),
		.turn = number % CODEC_TURNS,
	};
	site->event.col = site->values;
	decoder_prepare_outline(decoder->schema, site);
	if (site->plain == FORM_COLUMNS && kind->value_column != SCHEMA_NONE) {
		site->value = kind->value_column;
		site->value_stream = kind->columns[kind->value_column].stream;
		site->value_bit = 1u << kind->value_column;
	}
	decoder_reset_turns(decoder, site);
	memset(site->values, 0, TRACE_MAX_COLUMNS * sizeof(u64));
	if (kind->key == KEY_COL0)
		site->values[0] = key;
	else
		site->event.rip = key;
	if (kind->flags & KIND_CODE) {
		site->event.code_count = take_byte(decoder, STREAM_DEF);
		site->event.code = decoder_take_bytes(decoder, STREAM_DEF, site->event.code_count);
		if (decoder->bad || site->event.code_count > TRACE_MAX_CODE)
			return NULL;
	}
	decoder->last_key = key;
	decoder->site_count++;
	return site;
}

struct site *decoder_take_site(struct trace_decoder *decoder)
{
	const u64 number = take_number(decoder, STREAM_SITE);
	struct site *site = NULL;

	if (number < decoder->site_count)
		site = &decoder->sites[number];
	else if (number == decoder->site_count)
		site = decoder_add_site(decoder);
	if (site)
		decoder->previous->next[decoder->turn] = site;
	return site;
}

bool decoder_add_shape(struct trace_decoder *decoder)
{
	struct shape *const shape = &decoder->shapes[decoder->shape_count];
	const u64 count = take_number(decoder, STREAM_DEF);
	u64 id = 0;

	if (decoder->shape_count == CODEC_MAX_SHAPES || count > TRACE_MAX_ITEMS ||
	    count > CODEC_MAX_SHAPE_IDS - decoder->id_count)
		return false;
	*shape = (struct shape){ .items = &decoder->items[decoder->id_count],
				 .fields = &decoder->item_fields[decoder->id_count],
				 .count = (u32)count,
				 .sites = (u16)decoder->site_count,
				 .vmcs = CODEC_MAX_VMCSS };
	for (unsigned i = 0; i < count; i++) {
		id += unzigzag(take_number(decoder, STREAM_DEF));
		if (id >= TRACE_MAX_ITEM_ID)
			return false;
		shape->items[i].id = (u32)id;
	}
	decoder->id_count += (u32)count;
	decoder->shape_count++;
	return !decoder->bad;
}

bool decoder_find_shape_fields(struct trace_decoder *decoder, struct shape *shape)
{
	for (u32 i = 0; i < shape->count; i++) {
		shape->fields[i] = codec_fields_at(&decoder->fields, shape->items[i].id);
		if (!shape->fields[i])
			return false;
	}
	shape->vmcs = decoder->fields.vmcs;
	return true;
}
