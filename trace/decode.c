#include "trace/decode.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NOINLINE      __attribute__((noinline))

/* Of a site that no cell's change can be compared with. */
#define NO_VERSION    0

/* How the next event at a site is taken, as long as it is expected. */
enum form {
	FORM_COLUMNS, /* nothing misses but perhaps the value of a field */
	FORM_MASKED,  /* other columns miss, but no cell */
	FORM_ITEMS,   /* an L2 entry or exit: some columns, and the items of last time */
	FORM_OTHER,   /* decode_other() */
};

struct stream {
	const u8 *at;
	const u8 *end;
};

struct site {
	struct trace_event
		event; /* as the last event here was, and what is the same in all of them */
	const struct trace_kind_info *kind;
	u64 *values; /* event.col */
	u64 *field;  /* last value of field @field_id of VMCS @vmcs */
	u64 field_id;
	u64 delta;
	struct site *next[CODEC_TURNS]; /* what followed last time; at first decoder->start */
	u32 vmcs;
	u32 mask;
	u32 version; /* of the cells that @values has */
	u16 shape;
	u8 form;  /* enum form */
	u8 plain; /* enum form where nothing misses */
	u8 turn;  /* what decoder->turn becomes where the key is column 0 */
	u8 value; /* of a kind without more: the column with the value of a field ... */
	u8 value_stream;
	u32 value_bit; /* ... and its bit, 0: none */
};

struct shape {
	struct trace_item *items; /* their values are those of the last event with this shape */
	u64 **fields;		  /* where the last value of each is, of VMCS @vmcs */
	u32 count;
	u32 vmcs; /* CODEC_MAX_VMCSS: none yet */
};

struct trace_decoder {
	const struct trace_schema *schema;
	u32 left; /* events */
	u64 run;  /* of these, how many are as expected ... */
	u8 op;	  /* ... before one with these bits */
	struct site *previous;
	u32 turn;
	u32 version; /* grows when a cell changes */
	bool bad;    /* a stream ended early or a number had too many bytes */
	u64 tsc;
	u64 seq;
	u64 last_key;
	u64 order; /* last value of a column with PREDICTOR_ORDER */
	u16 cpu;
	u64 cells[SCHEMA_MAX_CELLS];
	u32 site_count;
	u32 shape_count;
	u32 id_count;
	struct stream streams[SCHEMA_MAX_STREAMS];
	struct site start; /* what the first event of the block follows */
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

static void reset_turns(struct trace_decoder *decoder, struct site *site)
{
	for (unsigned i = 0; i < CODEC_TURNS; i++)
		site->next[i] = &decoder->start;
}

struct trace_decoder *trace_decoder_init(void *memory, const struct trace_schema *schema)
{
	struct trace_decoder *decoder = memory;

	decoder->schema = schema;
	decoder->left = decoder->turn = 0;
	decoder->bad = false;
	memset(decoder->streams, 0, sizeof(decoder->streams));
	decoder->start = (struct site){ .version = NO_VERSION };
	decoder->previous = &decoder->start;
	reset_turns(decoder, &decoder->start);
	return decoder;
}

/* --- streams -----------------------------------------------------------------------------------
 */

static u64 take_long(struct trace_decoder *decoder, struct stream *stream)
{
	struct cursor in = { .at = stream->at, .end = stream->end, .status = ST_OK };
	u64 value = 0;

	/* Mostly there is enough behind it, so that nobody needs to count. */
	if (likely(stream->end - stream->at >= 9)) {
		for (unsigned shift = 0; shift < 63; shift += 7) {
			const u8 byte = *stream->at++;

			value |= (u64)(byte & 0x7f) << shift;
			if (byte < 0x80)
				return value;
		}
		stream->at = in.at;
	}
	value = cursor_varint(&in);
	stream->at = in.at;
	if (in.status != ST_OK)
		decoder->bad = true;
	return value;
}

static ALWAYS_INLINE u64 take_number(struct trace_decoder *decoder, unsigned index)
{
	struct stream *const stream = &decoder->streams[index];
	const u8 *const at = stream->at;

	if (likely(stream->end - at >= 2)) {
		const unsigned low = at[0];

		if (low < 0x80) {
			stream->at = at + 1;
			return low;
		}
		if (likely(at[1] < 0x80)) {
			stream->at = at + 2;
			return low + ((unsigned)at[1] << 7) - 0x80;
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

/* How many events are as expected from here on, and what is not with the one behind them. */
static void take_run(struct trace_decoder *decoder)
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

enum status trace_decoder_open(struct trace_decoder *decoder, const void *payload, size_t size,
			       const struct trace_block_facts *facts)
{
	struct cursor in = cursor_over(payload, size);

	decoder->left = 0;
	if (size > CODEC_MAX_RAW || take_table(decoder, &in) != ST_OK)
		return ST_CORRUPT;
	decoder->left = facts->events;
	decoder->bad = false;
	take_run(decoder);
	decoder->cpu = facts->cpu;
	decoder->seq = facts->first_seq;
	decoder->tsc = facts->first_tsc;
	decoder->last_key = 0;
	decoder->order = 0;
	memset(decoder->cells, 0, sizeof(decoder->cells));
	decoder->version = 1;
	reset_turns(decoder, &decoder->start);
	decoder->previous = &decoder->start;
	decoder->turn = 0;
	decoder->site_count = decoder->id_count = 0;
	decoder->shapes[0] =
		(struct shape){ .items = decoder->items, .fields = decoder->item_fields };
	decoder->shape_count = 1;
	codec_fields_reset(&decoder->fields);
	return ST_OK;
}

/* --- sites and shapes --------------------------------------------------------------------------
 */

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

static enum form next_form(const struct site *site)
{
	if (site->plain == FORM_OTHER || site->mask & site->kind->last_mask)
		return FORM_OTHER;
	if (site->plain == FORM_ITEMS)
		return site->mask & 1 ? FORM_OTHER : FORM_ITEMS;
	return site->mask & ~site->value_bit ? FORM_MASKED : FORM_COLUMNS;
}

static struct site *add_site(struct trace_decoder *decoder)
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
	if (site->plain == FORM_COLUMNS && kind->value_column != SCHEMA_NONE) {
		site->value = kind->value_column;
		site->value_stream = kind->columns[kind->value_column].stream;
		site->value_bit = 1u << kind->value_column;
	}
	reset_turns(decoder, site);
	memset(site->values, 0, TRACE_MAX_COLUMNS * sizeof(u64));
	if (kind->key == KEY_COL0)
		site->values[0] = key;
	else
		site->event.rip = key;
	if (kind->flags & KIND_CODE) {
		site->event.code_count = take_byte(decoder, STREAM_DEF);
		site->event.code = take_bytes(decoder, STREAM_DEF, site->event.code_count);
		if (decoder->bad || site->event.code_count > TRACE_MAX_CODE)
			return NULL;
	}
	decoder->last_key = key;
	decoder->site_count++;
	return site;
}

/* The site of the next event, which is told; NULL when there is no such site. */
static struct site *take_site(struct trace_decoder *decoder)
{
	const u64 number = take_number(decoder, STREAM_SITE);
	struct site *site = NULL;

	if (number < decoder->site_count)
		site = &decoder->sites[number];
	else if (number == decoder->site_count)
		site = add_site(decoder);
	if (site)
		decoder->previous->next[decoder->turn] = site;
	return site;
}

static bool add_shape(struct trace_decoder *decoder)
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
static bool find_shape_fields(struct trace_decoder *decoder, struct shape *shape)
{
	for (u32 i = 0; i < shape->count; i++) {
		shape->fields[i] = codec_fields_at(&decoder->fields, shape->items[i].id);
		if (!shape->fields[i])
			return false;
	}
	shape->vmcs = decoder->fields.vmcs;
	return true;
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

static ALWAYS_INLINE void take_missed(struct trace_decoder *decoder, struct site *site, u32 mask)
{
	const struct trace_column *const columns = site->kind->columns;

	for (; mask; mask &= mask - 1) {
		const unsigned i = (unsigned)__builtin_ctz(mask);

		site->values[i] += unzigzag(take_number(decoder, columns[i].stream));
	}
}

static bool find_field(struct trace_decoder *decoder, struct site *site, u64 id)
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
	const unsigned vmcs_cell = decoder->schema->vmcs_cell;
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
	if (unlikely(site->mask & kind->last_mask) || kind->key_cell != SCHEMA_NONE) {
		update_cells(decoder, site);
		if (vmcs_cell != SCHEMA_NONE &&
		    !codec_fields_select(&decoder->fields, decoder->cells[vmcs_cell]))
			return false;
	}
	if (value != SCHEMA_NONE) {
		const u64 id = site->values[kind->field_column];

		if (unlikely(site->field_id != id || site->vmcs != decoder->fields.vmcs) &&
		    !find_field(decoder, site, id))
			return false;
		site->values[value] = *site->field;
		take_missed(decoder, site, mask);
		*site->field = site->values[value];
		if (unlikely(mask & kind->last_mask))
			update_cells(decoder, site);
	}
	if (kind->order_column != SCHEMA_NONE && site->values[kind->order_column])
		decoder->order = site->values[kind->order_column];
	site->version = decoder->version;
	site->form = (u8)next_form(site);
	return true;
}

/* --- events ------------------------------------------------------------------------------------
 */

/* The values of the items of @shape. */
static ALWAYS_INLINE void take_values(struct trace_decoder *decoder, struct site *site,
				      struct shape *shape)
{
	for (u32 i = 0; i < shape->count; i++) {
		*shape->fields[i] += unzigzag(take_number(decoder, STREAM_ITEM));
		shape->items[i].value = *shape->fields[i];
	}
	site->event.items = shape->items;
	site->event.item_count = shape->count;
}

static bool take_items(struct trace_decoder *decoder, struct site *site, unsigned op)
{
	struct shape *shape;

	if (op & OP_SHAPE) {
		const u64 number = take_number(decoder, STREAM_SHAPE);

		if (number > decoder->shape_count ||
		    (number == decoder->shape_count && !add_shape(decoder)))
			return false;
		site->shape = (u16)number;
	}
	shape = &decoder->shapes[site->shape];
	if (shape->vmcs != decoder->fields.vmcs && !find_shape_fields(decoder, shape))
		return false;
	take_values(decoder, site, shape);
	return true;
}

static bool take_string(struct trace_decoder *decoder, struct site *site)
{
	const u64 length = take_number(decoder, STREAM_LENGTH);

	if (length > TRACE_MAX_BYTES)
		return false;
	site->event.bytes = take_bytes(decoder, STREAM_BYTES, length);
	site->event.byte_count = (u32)length;
	return true;
}

static bool take_mask(struct trace_decoder *decoder, struct site *site)
{
	const u64 mask = take_number(decoder, STREAM_MASK);

	site->mask = (u32)mask;
	return mask < BIT(site->kind->column_count);
}

/* RIP of kinds whose key is another; behind the items, since they may tell the field. */
static bool take_rip(struct trace_decoder *decoder, struct site *site)
{
	const u16 id = decoder->schema->rip_field;

	if (site->kind->flags & KIND_RIP_FIELD) {
		if ((site->field_id != id || site->vmcs != decoder->fields.vmcs) &&
		    !find_field(decoder, site, id))
			return false;
		site->event.rip = *site->field;
	}
	if (site->mask & 1)
		site->event.rip += unzigzag(take_number(decoder, STREAM_RIP));
	return true;
}

/* What is not columns of a site that was expected. */
static bool take_others(struct trace_decoder *decoder, struct site *site, unsigned op)
{
	const unsigned flags = site->kind->flags;

	if (!(flags & KIND_ITEMS) ? op & OP_SHAPE : !take_items(decoder, site, op))
		return false;
	if (site->kind->key == KEY_COL0) {
		decoder->turn = site->turn;
		if (!take_rip(decoder, site))
			return false;
	}
	return !(flags & KIND_BYTES) || take_string(decoder, site);
}

static enum status fail(struct trace_decoder *decoder)
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
			return fail(decoder);
	return decoder->bad ? ST_CORRUPT : ST_END;
}

static ALWAYS_INLINE void begin_event(struct trace_decoder *decoder, struct site *site, u64 delta)
{
	decoder->previous = site;
	site->delta += unzigzag(delta);
	decoder->tsc += site->delta;
	site->event.tsc = decoder->tsc;
	site->event.seq = decoder->seq++;
}

/* An event of any kind at any site. */
static NOINLINE enum status decode_other(struct trace_decoder *decoder,
					 const struct trace_event **event)
{
	struct site *site;
	unsigned op = 0;

	if (!decoder->left)
		return end(decoder);
	decoder->left--;
	site = decoder->previous->next[decoder->turn];
	if (decoder->run) {
		decoder->run--;
	} else {
		op = decoder->op;
		take_run(decoder);
		if (op & OP_SITE)
			site = take_site(decoder);
	}
	if (!site || site == &decoder->start)
		return fail(decoder);
	begin_event(decoder, site, take_number(decoder, STREAM_TSC));
	if ((op & OP_MASK && !take_mask(decoder, site)) || !take_columns(decoder, site) ||
	    !take_others(decoder, site, op) || decoder->bad)
		return fail(decoder);
	*event = &site->event;
	return ST_OK;
}

/* An expected event at @site whose cells are as at the last event here. */
static NOINLINE enum status decode_expected(struct trace_decoder *decoder,
					    const struct trace_event **event, struct site *site)
{
	if (site->form == FORM_OTHER)
		return decode_other(decoder, event);
	decoder->left--;
	decoder->run--;
	begin_event(decoder, site, take_number(decoder, STREAM_TSC));
	if (site->form == FORM_ITEMS) {
		struct shape *const shape = &decoder->shapes[site->shape];

		take_missed(decoder, site, site->mask);
		if (shape->vmcs != decoder->fields.vmcs && !find_shape_fields(decoder, shape))
			return fail(decoder);
		take_values(decoder, site, shape);
		site->event.rip = *site->field;
		decoder->turn = site->turn;
	} else {
		take_missed(decoder, site, site->mask & ~site->value_bit);
		if (site->value_bit) {
			const u64 id = site->values[site->kind->field_column];

			if (site->field_id != id && !find_field(decoder, site, id))
				return fail(decoder);
			site->values[site->value] = *site->field;
			take_missed(decoder, site, site->mask & site->value_bit);
			*site->field = site->values[site->value];
		}
	}
	if (unlikely(decoder->bad))
		return fail(decoder);
	*event = &site->event;
	return ST_OK;
}

/* A number of one or two bytes; false when there is none, or it is longer. */
static ALWAYS_INLINE bool take_short(struct stream *stream, u64 *number)
{
	const u8 *const at = stream->at;
	const unsigned low = at[0];

	if (low < 0x80) {
		*number = low;
		stream->at = at + 1;
		return true;
	}
	if (at[1] >= 0x80)
		return false;
	*number = low + ((unsigned)at[1] << 7) - 0x80;
	stream->at = at + 2;
	return true;
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
		return decode_other(decoder, event);
	if (unlikely(site->form != FORM_COLUMNS || tsc->end - tsc->at < 2))
		return decode_expected(decoder, event, site);
	if (site->mask && (values->end - value_at < 2 || !take_short(values, &change)))
		return decode_other(decoder, event);
	if (unlikely(!take_short(tsc, &delta))) {
		values->at = value_at;
		return decode_other(decoder, event);
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
