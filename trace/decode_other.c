/*
 * trace/decode_other.c - the parts of a decoder that few events need
 */
#include "trace/decode_parts.h"

/* --- streams -----------------------------------------------------------------------------------
 */

/* The bits that eight bytes of a number hold, those behind its end being 0. */
static u64 join_bits(u64 bytes)
{
	bytes &= 0x7f7f7f7f7f7f7f7f;
	bytes = (bytes & 0x007f007f007f007f) | (bytes & 0x7f007f007f007f00) >> 1;
	bytes = (bytes & 0x00003fff00003fff) | (bytes & 0x3fff00003fff0000) >> 2;
	return (bytes & 0x000000000fffffff) | (bytes & 0x0fffffff00000000) >> 4;
}

u64 decoder_take_long(struct trace_decoder *decoder, struct stream *stream)
{
	struct cursor in = { .at = stream->at, .end = stream->end, .status = ST_OK };
	u64 value, bytes, ends;

	/* Mostly the number ends among the next eight bytes, and there are so many. */
	if (likely(stream->end - stream->at >= 8)) {
		memcpy(&bytes, stream->at, sizeof(bytes));
		ends = ~bytes & 0x8080808080808080;
		if (likely(ends)) {
			stream->at += __builtin_ctzll(ends) / 8 + 1;
			return join_bits(bytes & (ends ^ (ends - 1)));
		}
	}
	value = cursor_varint(&in);
	stream->at = in.at;
	if (in.status != ST_OK)
		decoder->bad = true;
	return value;
}

void decoder_take_run(struct trace_decoder *decoder)
{
	const struct stream *const stream = &decoder->streams[STREAM_OP];
	u64 number;

	if (stream->at == stream->end) {
		decoder->run = ~0ull;
		return;
	}
	number = take_number(decoder, STREAM_OP);
	decoder->run = number >> OP_BITS;
	decoder->op = number & OP_ALL;
	if (!decoder->op)
		decoder->bad = true;
}

/* --- columns -----------------------------------------------------------------------------------
 */

static void catch_up(const struct trace_decoder *decoder, struct site *site)
{
	const struct trace_kind_info *const kind = site->kind;

	for (unsigned i = 0; i < kind->last_count; i++)
		site->values[kind->last[i]] = decoder->cells[kind->last_cell[i]];
}

/* A cell may have changed, so the values of other sites must catch up when they come. */
static void update_cells(struct trace_decoder *decoder, const struct site *site)
{
	const struct trace_kind_info *const kind = site->kind;

	for (unsigned i = 0; i < kind->last_count; i++)
		decoder->cells[kind->last_cell[i]] = site->values[kind->last[i]];
	if (kind->key_cell != SCHEMA_NONE)
		decoder->cells[kind->key_cell] = site->values[0];
	decoder->version++;
}

/* The VMCS that @site names, if it does, is current from here on. */
static void make_current(struct trace_decoder *decoder, const struct site *site)
{
	u64 *const cell = &decoder->cells[decoder->schema->vmcs_cell];
	const unsigned column = site->kind->current_column;

	if (column == SCHEMA_NONE || *cell == site->values[column])
		return;
	*cell = site->values[column];
	decoder->version++;
}

/* What the columns of @site are to those that come, fields of the current VMCS among them. */
static bool move_cells(struct trace_decoder *decoder, const struct site *site)
{
	const struct trace_kind_info *const kind = site->kind;
	const unsigned vmcs_cell = decoder->schema->vmcs_cell;

	if (unlikely(site->mask & kind->last_mask) || kind->key_cell != SCHEMA_NONE)
		update_cells(decoder, site);
	make_current(decoder, site);
	return vmcs_cell == SCHEMA_NONE ||
	       codec_fields_select(&decoder->fields, decoder->cells[vmcs_cell]);
}

bool decoder_find_field(struct trace_decoder *decoder, struct site *site, u64 id)
{
	site->field = codec_fields_at(&decoder->fields, id);
	site->field_id = id;
	site->vmcs = decoder->fields.vmcs;
	return site->field;
}

/* The columns below a field's value tell which field of which VMCS it is. */
static bool take_columns(struct trace_decoder *decoder, struct site *site)
{
	const struct trace_kind_info *const kind = site->kind;
	const unsigned value = kind->value_column;
	u32 mask = site->mask;

	if (unlikely(site->version != decoder->version))
		catch_up(decoder, site);
	if (kind->key == KEY_COL0)
		mask &= ~1u;
	if (kind->order_column != SCHEMA_NONE)
		site->values[kind->order_column] = decoder->order + 1;
	if (value == SCHEMA_NONE) {
		take_missed(decoder, site, mask);
	} else {
		const u32 below = (1u << value) - 1;

		take_missed(decoder, site, mask & below);
		mask &= ~below;
	}
	if (!move_cells(decoder, site))
		return false;
	if (value != SCHEMA_NONE) {
		const u64 id = site->values[kind->field_column];

		if (unlikely(site->field_id != id || site->vmcs != decoder->fields.vmcs) &&
		    !decoder_find_field(decoder, site, id))
			return false;
		site->values[value] = *site->field;
		take_missed(decoder, site, mask);
		*site->field = site->values[value];
		if (unlikely(mask & kind->last_mask))
			update_cells(decoder, site);
	}
	if (kind->order_column != SCHEMA_NONE && site->values[kind->order_column])
		decoder->order = site->values[kind->order_column];
	/* Where the next VMCS is another one than the event's, the site has to catch up. */
	site->version = kind->current_column == SCHEMA_NONE ? decoder->version : NO_VERSION;
	site->form = (u8)decoder_next_form(site);
	return true;
}

bool decoder_refresh(struct trace_decoder *decoder, struct site *site)
{
	catch_up(decoder, site);
	site->version = decoder->version;
	return !site->field || site->vmcs == decoder->fields.vmcs ||
	       decoder_find_field(decoder, site, site->field_id);
}

/* --- events ------------------------------------------------------------------------------------
 */

static bool take_items(struct trace_decoder *decoder, struct site *site)
{
	struct shape *const shape = &decoder->shapes[site->shape];

	if (shape->vmcs != decoder->fields.vmcs && !decoder_find_shape_fields(decoder, shape))
		return false;
	take_values(decoder, site, shape);
	return true;
}

static bool take_string(struct trace_decoder *decoder, struct site *site)
{
	const u64 length = take_number(decoder, STREAM_LENGTH);

	if (length > TRACE_MAX_BYTES)
		return false;
	site->event.bytes = decoder_take_bytes(decoder, STREAM_BYTES, length);
	site->event.byte_count = (u32)length;
	return true;
}

/* RIP of kinds whose key is another; behind the items, since they may tell the field. */
static bool take_rip(struct trace_decoder *decoder, struct site *site)
{
	const u16 id = decoder->schema->rip_field;

	if (site->kind->flags & KIND_RIP_FIELD) {
		if ((site->field_id != id || site->vmcs != decoder->fields.vmcs) &&
		    !decoder_find_field(decoder, site, id))
			return false;
		site->event.rip = *site->field;
	}
	if (site->mask & 1)
		site->event.rip += unzigzag(take_number(decoder, STREAM_RIP));
	return true;
}

/* What is not columns. */
static bool take_others(struct trace_decoder *decoder, struct site *site)
{
	const unsigned flags = site->kind->flags;

	if (flags & KIND_ITEMS && !take_items(decoder, site))
		return false;
	if (site->kind->key == KEY_COL0) {
		decoder->turn = site->turn;
		if (!take_rip(decoder, site))
			return false;
	}
	return !(flags & KIND_BYTES) || take_string(decoder, site);
}

enum status decoder_fail(struct trace_decoder *decoder)
{
	decoder->left = 0;
	decoder->bad = true;
	return ST_CORRUPT;
}

/* Every stream must end with the last event. */
static enum status end(struct trace_decoder *decoder)
{
	for (unsigned i = 0; i < SCHEMA_MAX_STREAMS; i++)
		if (decoder->streams[i].at != decoder->streams[i].end)
			return decoder_fail(decoder);
	return decoder->bad ? ST_CORRUPT : ST_END;
}

static bool take_mask(struct trace_decoder *decoder, struct site *site)
{
	const u64 mask = take_number(decoder, STREAM_MASK);

	if (mask >= BIT(site->kind->column_count))
		return false;
	site->mask = (u32)mask;
	site->tells = site->names || site->mask & site->vmcs_bit;
	if (site->form != FORM_OTHER)
		site->form = (u8)decoder_next_form(site);
	return true;
}

static bool take_shape(struct trace_decoder *decoder, struct site *site)
{
	const u64 number = take_number(decoder, STREAM_SHAPE);

	if (!(site->kind->flags & KIND_ITEMS) || number > decoder->shape_count ||
	    (number == decoder->shape_count && !decoder_add_shape(decoder)))
		return false;
	site->shape = (u16)number;
	return true;
}

bool decoder_take_op(struct trace_decoder *decoder)
{
	const unsigned op = decoder->op;
	struct site *const site =
		op & OP_SITE ? decoder_take_site(decoder) : decoder->previous->next[decoder->turn];

	decoder_take_run(decoder);
	decoder->run += decoder->run != ~0ull;
	return site && site != &decoder->start && (!(op & OP_MASK) || take_mask(decoder, site)) &&
	       (!(op & OP_SHAPE) || take_shape(decoder, site)) && !decoder->bad;
}

enum status decoder_decode_other(struct trace_decoder *decoder, const struct trace_event **event)
{
	struct site *site;

	if (!decoder->left)
		return end(decoder);
	if (!decoder->run && !decoder_take_op(decoder))
		return decoder_fail(decoder);
	site = decoder->previous->next[decoder->turn];
	if (site == &decoder->start)
		return decoder_fail(decoder);
	decoder->left--;
	decoder->run--;
	begin_event(decoder, site, take_number(decoder, STREAM_TSC));
	if (!take_columns(decoder, site) || !take_others(decoder, site) || decoder->bad)
		return decoder_fail(decoder);
	if (unlikely(decoder->base))
		decoder_take_base(decoder);
	*event = &site->event;
	return ST_OK;
}
