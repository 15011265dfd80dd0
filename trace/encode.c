#include "trace/encode.h"

#include "trace/streams.h"

/*
 * Bytes that a block needs at most for its stream table, and for an event without items and bytes:
 * op, site, mask, tsc, shape, length, rip, a new site with its code, a new shape's count, columns.
 */
#define BOUND		  (STREAMS_MAX_TABLE + 96 + TRACE_MAX_COLUMNS * NUMBER_SIZE)
#define ITEM_BOUND	  (NUMBER_SIZE + 3)

/* A block is full when the next event might not fit; hv's memory sets these, not the format. */
#define MAX_SITES	  512
#define MAX_VALUES	  (MAX_SITES * 16)
#define MAX_SHAPES	  512

#define ALWAYS_INLINE	  inline __attribute__((always_inline))
#define NOINLINE	  __attribute__((noinline))

#define INSN_COLUMN_COUNT (sizeof(struct ev_insn) / sizeof(u64))
#define MAX_PLAIN_COLUMNS 30 /* the other two bits of what misses have meanings of their own */
#define FIELD_TAIL_VALUE  (INSN_COLUMN_COUNT + 3)

/* What encoding needs of a kind, close together. */
struct plan {
	const struct trace_column *columns; /* NULL where the schema has no such kind */
	u8 counted;
	u8 column_count;
	u8 first; /* column that comparing begins with: behind the key, where that is one */
	u8 flags;
	u8 value_column;
	u8 value_stream;
	u8 field_column;
	u8 vmcs_column; /* which VMCS the fields of this event are of, SCHEMA_NONE: as before */
	u8 key_cell;
	u8 last_count;
	u8 last[SCHEMA_MAX_LAST];
	u8 last_cell[SCHEMA_MAX_LAST];
	u16 other;	 /* OTHER or 0 */
	bool field_tail; /* INSN_COLUMNS, two more, the field and its value: VMREAD and VMWRITE */
	u32 last_mask;
};

struct site {
	u64 key;
	const struct plan *plan;
	u64 delta;   /* TSC ticks between the last event here and the one before it */
	u64 rip;     /* where it is not the key: of the last event here, or predicted */
	u64 *values; /* of the columns, at the last event here */
	u64 *field;  /* last value of field @field_id of VMCS @vmcs */
	u64 field_id;
	struct site *next[CODEC_TURNS]; /* what followed last time; at first encoder->start */
	u32 vmcs;
	u32 mask;
	u32 version; /* of the cells that @values has */
	u16 chain;   /* next in the hash chain */
	u16 shape;
	u16 identity; /* kind and level, and OTHER */
};

/*
 * In the identity of a site whose kind is not one of those that begin with INSN_COLUMNS and have
 * nothing else than columns: most events are of such a kind.
 */
#define OTHER 0x8000

struct shape {
	u32 hash;
	u32 vmcs;  /* that @fields are of; CODEC_MAX_VMCSS: none yet */
	u16 first; /* in shape_ids and shape_fields */
	u16 count;
	u16 chain;
};

struct trace_encoder {
	struct trace_encoder_state state;
	const struct trace_schema *schema;
	trace_read_code read_code;
	void *owner;
	struct site *previous;
	u32 turn;
	u32 run; /* events since the last one that was not as expected */
	u64 cells[SCHEMA_MAX_CELLS];
	u32 version; /* grows when a cell changes */
	u32 limit;   /* of streams.used, beyond which an event might not fit; 0: a table is full */
	u16 site_count;
	u16 shape_count;
	u16 id_count;
	u32 value_count;
	u64 last_key;
	struct plan plans[256];
	struct site start; /* what the first event of the block follows */
	struct site sites[MAX_SITES];
	u16 site_hash[2 * MAX_SITES];
	struct shape shapes[MAX_SHAPES];
	u16 shape_hash[MAX_SHAPES];
	u16 shape_ids[CODEC_MAX_SHAPE_IDS];
	u64 *shape_fields[CODEC_MAX_SHAPE_IDS]; /* where their last values are */
	u64 values[MAX_VALUES];
	struct codec_fields fields;
	struct streams streams;
};

size_t trace_encoder_size(void)
{
	return sizeof(struct trace_encoder);
}

static struct plan make_plan(const struct trace_schema *schema, const struct trace_kind_info *kind)
{
	struct plan plan = {
		.columns = kind->columns,
		.column_count = kind->column_count,
		.first = kind->key == KEY_COL0,
		.flags = kind->flags,
		.value_column = kind->value_column,
		.field_column = kind->field_column,
		.vmcs_column = SCHEMA_NONE,
		.key_cell = kind->key_cell,
		.last_count = kind->last_count,
		.last_mask = kind->last_mask,
		.counted = kind->flags & KIND_COUNTED,
	};

	if (kind->key_cell != SCHEMA_NONE && kind->key_cell == schema->vmcs_cell)
		plan.vmcs_column = 0;
	for (unsigned i = 0; i < kind->last_count; i++) {
		plan.last[i] = kind->last[i];
		plan.last_cell[i] = kind->last_cell[i];
		if (kind->last_cell[i] == schema->vmcs_cell)
			plan.vmcs_column = kind->last[i];
	}
	if (kind->key == KEY_COL0 || (kind->flags & (KIND_ITEMS | KIND_BYTES)) ||
	    kind->column_count < INSN_COLUMN_COUNT || kind->column_count > MAX_PLAIN_COLUMNS ||
	    plan.vmcs_column == SCHEMA_NONE)
		plan.other = OTHER;
	if (kind->value_column != SCHEMA_NONE)
		plan.value_stream = kind->columns[kind->value_column].stream;
	plan.field_tail = kind->column_count == FIELD_TAIL_VALUE + 1 &&
			  kind->value_column == FIELD_TAIL_VALUE &&
			  kind->field_column == FIELD_TAIL_VALUE - 1;
	return plan;
}

struct trace_encoder *trace_encoder_init(void *memory, const struct trace_schema *schema,
					 trace_read_code read_code, void *owner)
{
	struct trace_encoder *encoder = memory;

	encoder->schema = schema;
	encoder->read_code = read_code;
	encoder->owner = owner;
	for (unsigned id = 0; id < ARRAY_SIZE(encoder->plans); id++) {
		const struct trace_kind_info *const kind = trace_schema_kind(schema, id);

		encoder->plans[id] = kind ? make_plan(schema, kind) : (struct plan){ 0 };
	}
	trace_encoder_reset(encoder);
	return encoder;
}

static void reset_turns(struct trace_encoder *encoder, struct site *site)
{
	for (unsigned i = 0; i < CODEC_TURNS; i++)
		site->next[i] = &encoder->start;
}

void trace_encoder_reset(struct trace_encoder *encoder)
{
	encoder->state = (struct trace_encoder_state){ 0 };
	memset(encoder->cells, 0, sizeof(encoder->cells));
	encoder->start = (struct site){ 0 };
	reset_turns(encoder, &encoder->start);
	encoder->turn = 0;
	encoder->run = 0;
	encoder->previous = &encoder->start;
	encoder->version = 1;
	encoder->limit = CODEC_MAX_RAW - BOUND;
	encoder->site_count = encoder->id_count = 0;
	encoder->value_count = 0;
	encoder->last_key = 0;
	memset(encoder->site_hash, 0xff, sizeof(encoder->site_hash));
	memset(encoder->shape_hash, 0xff, sizeof(encoder->shape_hash));
	/* Shape 0 is the empty list. */
	encoder->shapes[0] = (struct shape){ .chain = CODEC_NO_SITE };
	encoder->shape_count = 1;
	codec_fields_reset(&encoder->fields);
	streams_reset(&encoder->streams);
}

static inline void put(struct trace_encoder *encoder, unsigned stream, u64 number)
{
	streams_put_number(&encoder->streams, stream, number);
}

/* --- sites and shapes --------------------------------------------------------------------------
 */

/* Kind and level. */
static inline u16 event_identity(const struct trace_event *event)
{
	u16 identity;

	_Static_assert(offsetof(struct trace_event, level) ==
			       offsetof(struct trace_event, kind) + 1,
		       "the two bytes are read as one number");
	memcpy(&identity, &event->kind, sizeof(identity));
	return identity;
}

/* What sites of the event's kind and level have. */
static u16 site_identity(const struct plan *plan, const struct trace_event *event)
{
	return event_identity(event) | plan->other;
}

static unsigned site_slot(u16 identity, u64 key)
{
	const u64 mixed = (key ^ (u64)identity << 48) * 0x9e3779b97f4a7c15ull;

	return (unsigned)(mixed >> 32) % (2 * MAX_SITES);
}

static void define_site(struct trace_encoder *encoder, const struct plan *plan,
			const struct trace_event *event, u64 key)
{
	struct streams *const streams = &encoder->streams;
	u8 code[TRACE_MAX_CODE];
	unsigned size = 0;

	streams_put_byte(streams, STREAM_DEF, event->kind);
	streams_put_byte(streams, STREAM_DEF, event->level);
	put(encoder, STREAM_DEF, zigzag(key - encoder->last_key));
	encoder->last_key = key;
	if (!(plan->flags & KIND_CODE))
		return;
	if (encoder->read_code)
		size = encoder->read_code(encoder->owner, event->level, event->rip, code);
	size = MIN(size, TRACE_MAX_CODE);
	streams_put_byte(streams, STREAM_DEF, (u8)size);
	streams_put_bytes(streams, STREAM_DEF, code, size);
}

static struct site *add_site(struct trace_encoder *encoder, const struct plan *plan,
			     const struct trace_event *event, u64 key, unsigned slot)
{
	struct site *const site = &encoder->sites[encoder->site_count];

	*site = (struct site){
		.key = key,
		.plan = plan,
		.values = &encoder->values[encoder->value_count],
		.vmcs = CODEC_MAX_VMCSS,
		.chain = encoder->site_hash[slot],
		.identity = site_identity(plan, event),
	};
	reset_turns(encoder, site);
	memset(site->values, 0, plan->column_count * sizeof(u64));
	encoder->value_count += plan->column_count;
	encoder->site_hash[slot] = encoder->site_count++;
	if (encoder->site_count == MAX_SITES ||
	    encoder->value_count > MAX_VALUES - TRACE_MAX_COLUMNS)
		encoder->limit = 0;
	define_site(encoder, plan, event, key);
	return site;
}

/* The site of an event that did not come where it was expected. */
static struct site *find_site(struct trace_encoder *encoder, const struct plan *plan,
			      const struct trace_event *event, u64 key)
{
	const u16 identity = site_identity(plan, event);
	const unsigned slot = site_slot(identity, key);

	for (u16 i = encoder->site_hash[slot]; i != CODEC_NO_SITE; i = encoder->sites[i].chain)
		if (encoder->sites[i].key == key && encoder->sites[i].identity == identity) {
			put(encoder, STREAM_SITE, i);
			return &encoder->sites[i];
		}
	put(encoder, STREAM_SITE, encoder->site_count);
	return add_site(encoder, plan, event, key, slot);
}

static bool shape_is(const struct trace_encoder *encoder, const struct shape *shape,
		     const struct trace_item *items, u32 count)
{
	const u16 *const ids = &encoder->shape_ids[shape->first];

	if (shape->count != count)
		return false;
	for (u32 i = 0; i < count; i++)
		if (ids[i] != (u16)items[i].id)
			return false;
	return true;
}

static u16 add_shape(struct trace_encoder *encoder, const struct trace_item *items, u32 count,
		     u32 hash)
{
	const u16 number = encoder->shape_count++;
	const unsigned slot = hash % MAX_SHAPES;
	u16 last = 0;

	encoder->shapes[number] = (struct shape){
		.hash = hash,
		.vmcs = CODEC_MAX_VMCSS,
		.first = encoder->id_count,
		.count = (u16)count,
		.chain = encoder->shape_hash[slot],
	};
	encoder->shape_hash[slot] = number;
	put(encoder, STREAM_DEF, count);
	for (u32 i = 0; i < count; i++) {
		const u16 id = (u16)items[i].id;

		encoder->shape_ids[encoder->id_count++] = id;
		put(encoder, STREAM_DEF, zigzag((u64)id - last));
		last = id;
	}
	if (encoder->shape_count == MAX_SHAPES ||
	    encoder->id_count > CODEC_MAX_SHAPE_IDS - TRACE_MAX_ITEMS)
		encoder->limit = 0;
	return number;
}

/* The number of the shape of @items, which is not the one that was expected. */
static u16 find_shape(struct trace_encoder *encoder, const struct trace_item *items, u32 count)
{
	u32 hash = count;

	if (!count)
		return 0;
	for (u32 i = 0; i < count; i++)
		hash = (hash ^ (u16)items[i].id) * 0x01000193u;
	hash ^= hash >> 15;
	for (u16 i = encoder->shape_hash[hash % MAX_SHAPES]; i != CODEC_NO_SITE;
	     i = encoder->shapes[i].chain)
		if (encoder->shapes[i].hash == hash &&
		    shape_is(encoder, &encoder->shapes[i], items, count))
			return i;
	return add_shape(encoder, items, count, hash);
}

/* --- columns -----------------------------------------------------------------------------------
 */

static inline u64 differ4(const u64 *a, const u64 *b)
{
	return (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]);
}

/* All INSN_COLUMNS; mostly none of them does. */
static inline u64 differ_insn(const u64 *a, const u64 *b)
{
	_Static_assert(INSN_COLUMN_COUNT == 11, "one term for each");
	return differ4(a, b) | differ4(a + 4, b + 4) | (a[8] ^ b[8]) | (a[9] ^ b[9]) |
	       (a[10] ^ b[10]);
}

/* The three columns between INSN_COLUMNS and the value of a field. */
static inline u64 differ_operand(const u64 *a, const u64 *b)
{
	const unsigned i = INSN_COLUMN_COUNT;

	return (a[i] ^ b[i]) | (a[i + 1] ^ b[i + 1]) | (a[i + 2] ^ b[i + 2]);
}

static inline u32 missed4(const u64 *a, const u64 *b)
{
	return (u32)(a[0] != b[0]) | (u32)(a[1] != b[1]) << 1 | (u32)(a[2] != b[2]) << 2 |
	       (u32)(a[3] != b[3]) << 3;
}

/* Which of the columns from @first on differ from the prediction, by bit. */
static ALWAYS_INLINE u32 columns_missed(const struct plan *plan, const u64 *columns,
					const u64 *values, unsigned first)
{
	const unsigned count = plan->column_count;
	unsigned i = first;
	u32 missed = 0;

	for (; i + 4 <= count; i += 4)
		missed |= missed4(columns + i, values + i) << i;
	for (; i < count; i++)
		missed |= (u32)(columns[i] != values[i]) << i;
	return missed;
}

static u32 insn_missed(const u64 *columns, const u64 *values)
{
	return missed4(columns, values) | missed4(columns + 4, values + 4) << 4 |
	       missed4(columns + 7, values + 7) << 7;
}

/* A cell has changed, so the values of other sites must be brought up to date when they come. */
static void update_cells(struct trace_encoder *encoder, const struct plan *plan,
			 const struct trace_event *event)
{
	for (unsigned i = 0; i < plan->last_count; i++)
		encoder->cells[plan->last_cell[i]] = event->col[plan->last[i]];
	encoder->version++;
}

static void catch_up(const struct trace_encoder *encoder, const struct plan *plan,
		     struct site *site)
{
	for (unsigned i = 0; i < plan->last_count; i++)
		site->values[plan->last[i]] = encoder->cells[plan->last_cell[i]];
}

/* A table may be full that every kind of event can add to. */
static void check_fields(struct trace_encoder *encoder)
{
	if (encoder->fields.count > CODEC_MAX_FIELDS - TRACE_MAX_ITEMS - 1 ||
	    encoder->fields.vmcs_count == CODEC_MAX_VMCSS)
		encoder->limit = 0;
}

static void find_field(struct trace_encoder *encoder, struct site *site, u64 id)
{
	site->field = codec_fields_at(&encoder->fields, id);
	site->field_id = id;
	site->vmcs = encoder->fields.vmcs;
	check_fields(encoder);
}

/* The field's last value is the prediction, and the event's value the next one. */
static inline void predict_field(struct trace_encoder *encoder, const struct plan *plan,
				 const struct trace_event *event, struct site *site)
{
	const u64 id = event->col[plan->field_column];

	if (unlikely(site->field_id != id || site->vmcs != encoder->fields.vmcs))
		find_field(encoder, site, id);
	site->values[plan->value_column] = *site->field;
	*site->field = event->col[plan->value_column];
}

/* At most two columns more than needed are cheaper than a new mask now and the old one later. */
static inline bool mask_serves(u32 mask, u32 missed)
{
	u32 more = mask & ~missed;

	if (missed & ~mask)
		return false;
	more &= more - 1;
	more &= more - 1;
	return more == 0;
}

/* Transmits the columns that @mask names and makes @site hold the event's values. */
static ALWAYS_INLINE void put_columns(struct trace_encoder *encoder, const struct plan *plan,
				      const struct trace_event *event, struct site *site, u32 mask)
{
	for (; mask; mask &= mask - 1) {
		const unsigned i = (unsigned)__builtin_ctz(mask);

		put(encoder, plan->columns[i].stream, zigzag(event->col[i] - site->values[i]));
		site->values[i] = event->col[i];
	}
}

static void set_key_cell(struct trace_encoder *encoder, const struct plan *plan, u64 key)
{
	if (encoder->cells[plan->key_cell] == key)
		return;
	encoder->cells[plan->key_cell] = key;
	encoder->version++;
}

/* Brings the values of @site to what is predicted now; returns which columns miss. */
static ALWAYS_INLINE u32 predict(struct trace_encoder *encoder, const struct plan *plan,
				 const struct trace_event *event, struct site *site)
{
	if (site->version != encoder->version)
		catch_up(encoder, plan, site);
	if (plan->vmcs_column != SCHEMA_NONE)
		codec_fields_select(&encoder->fields, event->col[plan->vmcs_column]);
	if (plan->value_column != SCHEMA_NONE)
		predict_field(encoder, plan, event, site);
	return columns_missed(plan, event->col, site->values, plan->first);
}

/*
 * Transmits what misses, by the bits of @missed: bit 0 of a kind whose key is column 0 stands for
 * RIP. Returns OP_MASK when the mask had to be transmitted too.
 */
static ALWAYS_INLINE u8 correct(struct trace_encoder *encoder, const struct plan *plan,
				const struct trace_event *event, struct site *site, u32 missed)
{
	u8 op = 0;

	if (missed != site->mask && !mask_serves(site->mask, missed)) {
		op = OP_MASK;
		put(encoder, STREAM_MASK, missed);
		site->mask = missed;
	}
	if (plan->first && (site->mask & 1)) {
		put(encoder, STREAM_RIP, zigzag(event->rip - site->rip));
		site->rip = event->rip;
	}
	put_columns(encoder, plan, event, site, site->mask & ~(u32)plan->first);
	if (unlikely(missed & plan->last_mask))
		update_cells(encoder, plan, event);
	if (plan->key_cell != SCHEMA_NONE)
		set_key_cell(encoder, plan, event->col[0]);
	site->version = encoder->version;
	return op;
}

/* For kinds with a key that is not RIP: returns 1, the bit of the mask, when RIP misses. */
static ALWAYS_INLINE u32 predict_rip(struct trace_encoder *encoder, const struct plan *plan,
				     const struct trace_event *event, struct site *site)
{
	const u16 id = encoder->schema->rip_field;

	if (plan->flags & KIND_RIP_FIELD) {
		if (site->field_id != id || site->vmcs != encoder->fields.vmcs)
			find_field(encoder, site, id);
		site->rip = *site->field;
	}
	return event->rip != site->rip;
}

/* --- events ------------------------------------------------------------------------------------
 */

static inline u32 event_items(const struct plan *plan, const struct trace_event *event)
{
	return plan->flags & KIND_ITEMS ? MIN(event->item_count, TRACE_MAX_ITEMS) : 0;
}

static inline u32 event_bytes(const struct plan *plan, const struct trace_event *event)
{
	return plan->flags & KIND_BYTES ? MIN(event->byte_count, TRACE_MAX_BYTES) : 0;
}

static void find_shape_fields(struct trace_encoder *encoder, struct shape *shape)
{
	for (u32 i = 0; i < shape->count; i++)
		encoder->shape_fields[shape->first + i] =
			codec_fields_at(&encoder->fields, encoder->shape_ids[shape->first + i]);
	shape->vmcs = encoder->fields.vmcs;
	check_fields(encoder);
}

static void put_items(struct trace_encoder *encoder, const struct trace_item *items,
		      u64 *const *fields, u32 count)
{
	struct stream *const stream = &encoder->streams.stream[STREAM_ITEM];
	u8 *at = stream->at;

	for (u32 i = 0; i < count; i++) {
		if (unlikely(at > stream->limit)) {
			stream->at = at;
			streams_grow(&encoder->streams, stream);
			at = stream->at;
		}
		at = varint_put(at, zigzag(items[i].value - *fields[i]));
		*fields[i] = items[i].value;
	}
	stream->at = at;
}

/* Returns OP_SHAPE when the shape had to be transmitted. */
static u8 encode_items(struct trace_encoder *encoder, const struct trace_event *event,
		       struct site *site, u32 count)
{
	struct shape *shape = &encoder->shapes[site->shape];
	u8 op = 0;

	if (!shape_is(encoder, shape, event->items, count)) {
		op = OP_SHAPE;
		site->shape = find_shape(encoder, event->items, count);
		put(encoder, STREAM_SHAPE, site->shape);
		shape = &encoder->shapes[site->shape];
	}
	if (unlikely(shape->vmcs != encoder->fields.vmcs))
		find_shape_fields(encoder, shape);
	put_items(encoder, event->items, &encoder->shape_fields[shape->first], count);
	return op;
}

static void encode_bytes(struct trace_encoder *encoder, const struct trace_event *event, u32 count)
{
	put(encoder, STREAM_LENGTH, count);
	streams_put_bytes(&encoder->streams, STREAM_BYTES, event->bytes, count);
}

static ALWAYS_INLINE void put_op(struct trace_encoder *encoder, u8 op)
{
	if (op) {
		put(encoder, STREAM_OP, (u64)encoder->run << OP_BITS | op);
		encoder->run = 0;
	} else {
		encoder->run++;
	}
}

static ALWAYS_INLINE void end_event(struct trace_encoder *encoder, const struct plan *plan, u8 op)
{
	put_op(encoder, op);
	encoder->state.events++;
	encoder->state.counted += plan->counted;
}

bool trace_encoder_has_room(const struct trace_encoder *encoder)
{
	return encoder->streams.used + 128 * ITEM_BOUND <= encoder->limit;
}

static ALWAYS_INLINE u64 take_delta(struct trace_encoder *encoder, const struct trace_event *event,
				    struct site *site)
{
	const u64 delta = event->tsc - encoder->state.last_tsc;
	const u64 coded = zigzag(delta - site->delta);

	site->delta = delta;
	encoder->state.last_tsc = event->tsc;
	return coded;
}

/* An event of any kind at any site. */
static NOINLINE enum status encode_other(struct trace_encoder *encoder,
					 const struct trace_event *event)
{
	const struct plan *const plan = &encoder->plans[event->kind];
	const u32 items = event_items(plan, event);
	const u32 bytes = event_bytes(plan, event);
	const u64 key = plan->first ? event->col[0] : event->rip;
	struct site *site = encoder->previous->next[encoder->turn];
	u32 missed;
	u8 op = 0;

	if (!plan->columns || event->level > CODEC_MAX_LEVEL)
		return ST_INVALID;
	if (encoder->streams.used + items * ITEM_BOUND + bytes > encoder->limit)
		return ST_NO_SPACE;
	if (!encoder->state.events)
		encoder->state.first_tsc = encoder->state.last_tsc = event->tsc;
	if (site->key != key || site->identity != site_identity(plan, event)) {
		op = OP_SITE;
		site = find_site(encoder, plan, event, key);
		encoder->previous->next[encoder->turn] = site;
	}
	encoder->previous = site;
	put(encoder, STREAM_TSC, take_delta(encoder, event, site));
	missed = predict(encoder, plan, event, site);
	if (plan->flags & KIND_ITEMS)
		op |= encode_items(encoder, event, site, items);
	if (plan->first) {
		missed |= predict_rip(encoder, plan, event, site);
		encoder->turn = (u32)(site - encoder->sites) % CODEC_TURNS;
	}
	op |= correct(encoder, plan, event, site, missed);
	if (plan->flags & KIND_BYTES)
		encode_bytes(encoder, event, bytes);
	end_event(encoder, plan, op);
	return ST_OK;
}

/* Bits of what misses that no column has: look at INSN_COLUMNS, or at all, in encode_missed(). */
#define INSN_AGAIN (1u << 31)
#define ALL_AGAIN  (1u << 30)

/* The end of an event at an expected site, where columns miss. */
static NOINLINE enum status encode_missed(struct trace_encoder *encoder,
					  const struct trace_event *event, struct site *site,
					  u32 missed)
{
	const struct plan *const plan = site->plan;

	if (missed & INSN_AGAIN)
		missed ^= INSN_AGAIN | insn_missed(event->col, site->values);
	if (missed & (ALL_AGAIN | plan->last_mask))
		missed = predict(encoder, plan, event, site);
	else if (plan->value_column != SCHEMA_NONE)
		predict_field(encoder, plan, event, site);
	end_event(encoder, plan, correct(encoder, plan, event, site, missed));
	return ST_OK;
}

/*
 * What most events are: a VMX instruction at the site that followed last time, with nothing or one
 * value that is not as predicted. So this has no calls but in its last steps, and few questions.
 */
enum status trace_encode_event(struct trace_encoder *encoder, const struct trace_event *event)
{
	struct site *const site = encoder->previous->next[encoder->turn];
	struct stream *const tsc = &encoder->streams.stream[STREAM_TSC];
	const struct plan *plan;
	const u64 *columns, *values;
	u32 missed = 0;

	if (unlikely(site->key != event->rip || site->identity != event_identity(event)))
		return encode_other(encoder, event);
	if (unlikely(site->version != encoder->version || tsc->at > tsc->limit ||
		     encoder->streams.used > encoder->limit))
		return encode_other(encoder, event);
	encoder->previous = site;
	tsc->at = varint_put(tsc->at, take_delta(encoder, event, site));

	plan = site->plan;
	columns = event->col;
	values = site->values;
	if (unlikely(differ_insn(columns, values)))
		missed = INSN_AGAIN;
	if (plan->field_tail) {
		/* Cells are as at the last event here, so the field's place is that of this VMCS.
		 */
		if (unlikely(differ_operand(columns, values)))
			missed = ALL_AGAIN;
		else if (columns[FIELD_TAIL_VALUE] != *site->field)
			missed |= 1u << FIELD_TAIL_VALUE;
	} else if (plan->column_count != INSN_COLUMN_COUNT + 1 ||
		   columns[INSN_COLUMN_COUNT] != values[INSN_COLUMN_COUNT]) {
		missed = ALL_AGAIN;
	}
	if (missed | site->mask) {
		struct stream *const stream = &encoder->streams.stream[plan->value_stream];

		if (missed != 1u << FIELD_TAIL_VALUE || missed != site->mask ||
		    stream->at > stream->limit)
			return encode_missed(encoder, event, site, missed);
		stream->at =
			varint_put(stream->at, zigzag(columns[FIELD_TAIL_VALUE] - *site->field));
		*site->field = columns[FIELD_TAIL_VALUE];
	}
	end_event(encoder, plan, 0);
	return ST_OK;
}

const struct trace_encoder_state *trace_encoder_state(const struct trace_encoder *encoder)
{
	return &encoder->state;
}

size_t trace_encoder_finish(const struct trace_encoder *encoder, u8 *to)
{
	return streams_write(&encoder->streams, to);
}
