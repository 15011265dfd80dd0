#include "trace/decode.h"

struct stream {
	const u8 *at;
	const u8 *end;
};

struct site {
	const struct trace_kind_info *kind;
	u64 *values;
	u64 key;
	u64 delta;
	u64 rip;
	const u8 *code;
	u32 mask;
	u16 next[CODEC_TURNS];
	u16 shape;
	u8 level;
	u8 code_count;
};

struct shape {
	struct trace_item *items; /* their values are those of the last event with this shape */
	u64 **fields;		  /* where the last value of each is, of VMCS @vmcs */
	u32 count;
	u32 vmcs; /* CODEC_MAX_VMCSS: none yet */
};

struct trace_decoder {
	const struct trace_schema *schema;
	struct trace_block_facts facts;
	u32 done;
	bool bad; /* a stream ended early or a number had too many bytes */
	u64 tsc;
	u64 last_key;
	struct site *previous;
	u32 turn;
	u64 cells[SCHEMA_MAX_CELLS];
	u32 site_count;
	u32 shape_count;
	u32 id_count;
	struct stream streams[SCHEMA_MAX_STREAMS];
	struct site start;
	struct site sites[CODEC_MAX_SITES];
	struct shape shapes[CODEC_MAX_SHAPES];
	struct trace_item items[CODEC_MAX_SHAPE_IDS];
	u64 *item_fields[CODEC_MAX_SHAPE_IDS];
	u64 values[CODEC_MAX_SITES * TRACE_MAX_COLUMNS];
	struct codec_fields fields;
};

size_t trace_decoder_size(void)
{
	return sizeof(struct trace_decoder);
}

struct trace_decoder *trace_decoder_init(void *memory, const struct trace_schema *schema)
{
	struct trace_decoder *decoder = memory;

	decoder->schema = schema;
	decoder->facts = (struct trace_block_facts){ 0 };
	decoder->done = 0;
	memset(decoder->streams, 0, sizeof(decoder->streams));
	return decoder;
}

/* --- streams -----------------------------------------------------------------------------------
 */

static u64 take_long(struct trace_decoder *decoder, struct stream *stream)
{
	struct cursor in = { .at = stream->at, .end = stream->end, .status = ST_OK };
	const u64 value = cursor_varint(&in);

	stream->at = in.at;
	if (in.status != ST_OK)
		decoder->bad = true;
	return value;
}

static inline u64 take_number(struct trace_decoder *decoder, unsigned index)
{
	struct stream *const stream = &decoder->streams[index];
	const u8 *const at = stream->at;

	if (likely(stream->end - at >= 2)) {
		if (!(at[0] & 0x80)) {
			stream->at = at + 1;
			return at[0];
		}
		if (!(at[1] & 0x80)) {
			stream->at = at + 2;
			return (at[0] & 0x7f) | (u64)at[1] << 7;
		}
	}
	return take_long(decoder, stream);
}

static const u8 *take_bytes(struct trace_decoder *decoder, unsigned index, u64 size)
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
	const u8 *const at = take_bytes(decoder, index, 1);

	return at ? *at : 0;
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

	decoder->facts = *facts;
	decoder->facts.events = 0;
	decoder->done = 0;
	if (size > CODEC_MAX_RAW || take_table(decoder, &in) != ST_OK)
		return ST_CORRUPT;
	if (decoder->streams[STREAM_OP].end - decoder->streams[STREAM_OP].at != facts->events)
		return ST_CORRUPT;
	decoder->facts.events = facts->events;
	decoder->bad = false;
	decoder->tsc = facts->first_tsc;
	decoder->last_key = 0;
	memset(decoder->cells, 0, sizeof(decoder->cells));
	memset(decoder->start.next, 0xff, sizeof(decoder->start.next));
	decoder->turn = 0;
	decoder->previous = &decoder->start;
	decoder->site_count = decoder->id_count = 0;
	decoder->shapes[0] =
		(struct shape){ .items = decoder->items, .fields = decoder->item_fields };
	decoder->shape_count = 1;
	codec_fields_reset(&decoder->fields);
	return ST_OK;
}

/* --- sites and shapes --------------------------------------------------------------------------
 */

static struct site *site_add(struct trace_decoder *decoder)
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
		.kind = kind,
		.values = &decoder->values[number * TRACE_MAX_COLUMNS],
		.key = key,
		.level = level,
	};
	memset(site->next, 0xff, sizeof(site->next));
	memset(site->values, 0, TRACE_MAX_COLUMNS * sizeof(u64));
	if (kind->key == KEY_COL0)
		site->values[0] = key;
	else
		site->rip = key;
	if (kind->flags & KIND_CODE) {
		site->code_count = take_byte(decoder, STREAM_DEF);
		site->code = take_bytes(decoder, STREAM_DEF, site->code_count);
		if (decoder->bad || site->code_count > TRACE_MAX_CODE)
			return NULL;
	}
	decoder->last_key = key;
	decoder->site_count++;
	return site;
}

static struct site *site_take(struct trace_decoder *decoder)
{
	const u64 number = take_number(decoder, STREAM_SITE);
	struct site *site;

	if (number < decoder->site_count)
		site = &decoder->sites[number];
	else if (number == decoder->site_count)
		site = site_add(decoder);
	else
		return NULL;
	if (site)
		decoder->previous->next[decoder->turn] = (u16)number;
	return site;
}

static bool shape_add(struct trace_decoder *decoder)
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

/* Where the last values of its items are depends on the current VMCS alone. */
static bool shape_locate(struct trace_decoder *decoder, struct shape *shape)
{
	for (u32 i = 0; i < shape->count; i++) {
		shape->fields[i] = codec_fields_at(&decoder->fields, shape->items[i].id);
		if (!shape->fields[i])
			return false;
	}
	shape->vmcs = decoder->fields.vmcs;
	return true;
}

/* --- events ------------------------------------------------------------------------------------
 */

static inline void take_missed(struct trace_decoder *decoder, struct site *site, u32 mask)
{
	for (; mask; mask &= mask - 1) {
		const unsigned i = (unsigned)__builtin_ctz(mask);

		site->values[i] += unzigzag(take_number(decoder, site->kind->columns[i].stream));
	}
}

static inline void cells_update(struct trace_decoder *decoder, const struct site *site)
{
	const struct trace_kind_info *const kind = site->kind;

	for (unsigned i = 0; i < kind->last_count; i++)
		decoder->cells[kind->last_cell[i]] = site->values[kind->last[i]];
}

/* The columns, in the order of the schema: those below a field's value tell which field it is. */
static inline bool take_columns(struct trace_decoder *decoder, struct site *site)
{
	const struct trace_kind_info *const kind = site->kind;
	const unsigned vmcs_cell = decoder->schema->vmcs_cell;
	const unsigned value = kind->value_column;
	const u32 below = value == SCHEMA_NONE ? ~0u : (u32)(BIT(value) - 1);
	u32 mask = site->mask;

	for (unsigned i = 0; i < kind->last_count; i++)
		site->values[kind->last[i]] = decoder->cells[kind->last_cell[i]];
	if (kind->key == KEY_COL0 && (mask & 1)) {
		site->rip += unzigzag(take_number(decoder, STREAM_RIP));
		mask &= ~1u;
	}
	take_missed(decoder, site, mask & below);
	cells_update(decoder, site);
	if (kind->key_cell != SCHEMA_NONE)
		decoder->cells[kind->key_cell] = site->values[0];
	if (vmcs_cell != SCHEMA_NONE &&
	    !codec_fields_select(&decoder->fields, decoder->cells[vmcs_cell]))
		return false;
	if (value != SCHEMA_NONE) {
		u64 *const field =
			codec_fields_at(&decoder->fields, site->values[kind->field_column]);

		if (!field)
			return false;
		site->values[value] = *field;
		take_missed(decoder, site, mask & ~below);
		*field = site->values[value];
		if ((mask & ~below) >> value > 1)
			cells_update(decoder, site);
	}
	return true;
}

static bool take_items(struct trace_decoder *decoder, struct trace_event *event, struct site *site,
		       unsigned op)
{
	if (op & OP_SHAPE) {
		const u64 number = take_number(decoder, STREAM_SHAPE);

		if (number > decoder->shape_count ||
		    (number == decoder->shape_count && !shape_add(decoder)))
			return false;
		site->shape = (u16)number;
	}

	struct shape *const shape = &decoder->shapes[site->shape];

	if (shape->vmcs != decoder->fields.vmcs && !shape_locate(decoder, shape))
		return false;
	for (u32 i = 0; i < shape->count; i++) {
		*shape->fields[i] += unzigzag(take_number(decoder, STREAM_ITEM));
		shape->items[i].value = *shape->fields[i];
	}
	event->items = shape->items;
	event->item_count = shape->count;
	return true;
}

static bool take_string(struct trace_decoder *decoder, struct trace_event *event)
{
	const u64 length = take_number(decoder, STREAM_LENGTH);

	if (length > TRACE_MAX_BYTES)
		return false;
	event->bytes = take_bytes(decoder, STREAM_BYTES, length);
	event->byte_count = (u32)length;
	return true;
}

static enum status fail(struct trace_decoder *decoder)
{
	decoder->done = decoder->facts.events;
	decoder->bad = true;
	return ST_CORRUPT;
}

/* Every stream must end with the last event. */
static enum status end(struct trace_decoder *decoder)
{
	for (unsigned i = 0; i < SCHEMA_MAX_STREAMS; i++)
		if (decoder->streams[i].at != decoder->streams[i].end)
			return fail(decoder);
	return decoder->bad ? ST_CORRUPT : ST_END;
}

enum status trace_decode_event(struct trace_decoder *decoder, struct trace_event *event)
{
	if (decoder->done == decoder->facts.events)
		return end(decoder);

	const unsigned op = *decoder->streams[STREAM_OP].at++;
	const u16 next = decoder->previous->next[decoder->turn];
	struct site *site;

	if (unlikely(op > OP_ALL))
		return fail(decoder);
	if (unlikely(op & OP_SITE)) {
		site = site_take(decoder);
		if (!site)
			return fail(decoder);
	} else if (likely(next != CODEC_NO_SITE)) {
		site = &decoder->sites[next];
	} else {
		return fail(decoder);
	}
	decoder->previous = site;
	if (site->kind->key == KEY_COL0)
		decoder->turn = (u32)(site - decoder->sites) % CODEC_TURNS;

	site->delta += unzigzag(take_number(decoder, STREAM_TSC));
	decoder->tsc += site->delta;
	if (op & OP_MASK) {
		const u64 mask = take_number(decoder, STREAM_MASK);

		if (mask >= BIT(site->kind->column_count))
			return fail(decoder);
		site->mask = (u32)mask;
	}
	if (!take_columns(decoder, site))
		return fail(decoder);

	event->kind = site->kind->id;
	event->level = site->level;
	event->cpu = decoder->facts.cpu;
	event->seq = decoder->facts.first_seq + decoder->done;
	event->tsc = decoder->tsc;
	event->rip = site->rip;
	event->col = site->values;
	event->items = NULL;
	event->item_count = 0;
	event->byte_count = 0;
	event->bytes = NULL;
	event->code = site->code;
	event->code_count = site->code_count;
	if (site->kind->flags & KIND_ITEMS) {
		if (!take_items(decoder, event, site, op))
			return fail(decoder);
	} else if (unlikely(op & OP_SHAPE)) {
		return fail(decoder);
	}
	if ((site->kind->flags & KIND_BYTES) && !take_string(decoder, event))
		return fail(decoder);
	if (unlikely(decoder->bad))
		return fail(decoder);
	decoder->done++;
	return ST_OK;
}
