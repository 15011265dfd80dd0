#include "trace/encode.h"

/*
 * Streams grow in segments of one pool, since nobody knows beforehand which of them will be long.
 * A segment is left when it has no room for another number, so all but its last bytes are used.
 */
#define SEGMENT_SIZE  128
#define NUMBER_SIZE   10 /* the longest varint */
#define SEGMENT_COUNT (CODEC_MAX_RAW / (SEGMENT_SIZE - NUMBER_SIZE + 1) + SCHEMA_MAX_STREAMS + 2)
#define NO_SEGMENT    0xffff

/*
 * Bytes that a block needs at most for its stream table, and for an event without items and bytes:
 * op, site, mask, tsc, shape, length, rip, a new site with its code, a new shape's count, columns.
 */
#define BOUND	      (2 + SCHEMA_MAX_STREAMS * 5 + 96 + TRACE_MAX_COLUMNS * NUMBER_SIZE)
#define ITEM_BOUND    (NUMBER_SIZE + 3)

/* A block is full when the next event might not fit; hv's memory sets these, not the format. */
#define MAX_SITES     512
#define MAX_VALUES    (MAX_SITES * 16)
#define MAX_SHAPES    512

struct stream {
	u8 *at;	   /* next byte */
	u8 *limit; /* the last place where a number fits into the segment */
	u16 first;
	u16 current;
};

struct site {
	u64 key;
	u64 delta; /* TSC ticks between the last event here and the one before it */
	u64 rip;   /* where it is not the key */
	u64 *values;
	u32 mask;
	u16 next;  /* the site that followed last time */
	u16 chain; /* next in the hash chain */
	u16 shape;
	u8 kind;
	u8 level;
};

struct shape {
	u32 hash;
	u16 first; /* in shape_ids */
	u16 count;
	u16 chain;
};

struct trace_encoder {
	struct trace_encoder_state state;
	const struct trace_schema *schema;
	trace_read_code read_code;
	void *owner;
	struct site *previous;
	u64 cells[SCHEMA_MAX_CELLS];
	u32 closed; /* bytes in the segments that were left */
	u32 open;   /* streams that have a segment */
	bool full;  /* a table might not hold what another event brings */
	u16 site_count;
	u16 shape_count;
	u16 id_count;
	u32 value_count;
	u32 segment_count;
	u64 last_key;
	struct stream streams[SCHEMA_MAX_STREAMS];
	struct site start; /* what the first event of the block follows */
	struct site sites[MAX_SITES];
	u16 site_hash[2 * MAX_SITES];
	struct shape shapes[MAX_SHAPES];
	u16 shape_hash[MAX_SHAPES];
	u16 shape_ids[CODEC_MAX_SHAPE_IDS];
	u64 values[MAX_VALUES];
	struct codec_fields fields;
	u16 segment_next[SEGMENT_COUNT];
	u8 segment_length[SEGMENT_COUNT];
	u8 segments[SEGMENT_COUNT][SEGMENT_SIZE];
};

size_t trace_encoder_size(void)
{
	return sizeof(struct trace_encoder);
}

struct trace_encoder *trace_encoder_init(void *memory, const struct trace_schema *schema,
					 trace_read_code read_code, void *owner)
{
	struct trace_encoder *encoder = memory;

	encoder->schema = schema;
	encoder->read_code = read_code;
	encoder->owner = owner;
	trace_encoder_reset(encoder);
	return encoder;
}

void trace_encoder_reset(struct trace_encoder *encoder)
{
	encoder->state = (struct trace_encoder_state){ 0 };
	memset(encoder->cells, 0, sizeof(encoder->cells));
	encoder->start = (struct site){ .next = CODEC_NO_SITE };
	encoder->previous = &encoder->start;
	encoder->closed = encoder->open = 0;
	encoder->full = false;
	encoder->site_count = encoder->id_count = 0;
	encoder->value_count = encoder->segment_count = 0;
	encoder->last_key = 0;
	for (unsigned i = 0; i < SCHEMA_MAX_STREAMS; i++)
		encoder->streams[i] = (struct stream){ .at = encoder->segments[1],
						       .limit = encoder->segments[0],
						       .first = NO_SEGMENT };
	memset(encoder->site_hash, 0xff, sizeof(encoder->site_hash));
	memset(encoder->shape_hash, 0xff, sizeof(encoder->shape_hash));
	/* Shape 0 is the empty list. */
	encoder->shapes[0] = (struct shape){ .chain = CODEC_NO_SITE };
	encoder->shape_count = 1;
	codec_fields_reset(&encoder->fields);
}

/* --- streams -----------------------------------------------------------------------------------
 */

static void stream_close(struct trace_encoder *encoder, struct stream *stream)
{
	const size_t length = (size_t)(stream->at - encoder->segments[stream->current]);

	encoder->segment_length[stream->current] = (u8)length;
	encoder->closed += (u32)length;
}

static void stream_grow(struct trace_encoder *encoder, struct stream *stream)
{
	const u16 segment = (u16)encoder->segment_count++;

	encoder->segment_next[segment] = NO_SEGMENT;
	if (stream->first == NO_SEGMENT) {
		stream->first = segment;
		encoder->open++;
	} else {
		stream_close(encoder, stream);
		encoder->segment_next[stream->current] = segment;
	}
	stream->current = segment;
	stream->at = encoder->segments[segment];
	stream->limit = stream->at + SEGMENT_SIZE - NUMBER_SIZE;
}

static inline void put_byte(struct trace_encoder *encoder, unsigned index, u8 byte)
{
	struct stream *const stream = &encoder->streams[index];

	if (unlikely(stream->at > stream->limit))
		stream_grow(encoder, stream);
	*stream->at++ = byte;
}

static inline void put_number(struct trace_encoder *encoder, unsigned index, u64 value)
{
	struct stream *const stream = &encoder->streams[index];

	if (unlikely(stream->at > stream->limit))
		stream_grow(encoder, stream);
	stream->at = varint_put(stream->at, value);
}

static void put_bytes(struct trace_encoder *encoder, unsigned index, const u8 *bytes, size_t size)
{
	struct stream *const stream = &encoder->streams[index];

	while (size) {
		if (stream->at > stream->limit)
			stream_grow(encoder, stream);
		const size_t room = (size_t)(stream->limit - stream->at) + 1;
		const size_t now = MIN(size, room);

		memcpy(stream->at, bytes, now);
		stream->at += now;
		bytes += now;
		size -= now;
	}
}

static u8 *stream_copy(const struct trace_encoder *encoder, const struct stream *stream, u8 *to)
{
	for (u16 i = stream->first; i != NO_SEGMENT; i = encoder->segment_next[i]) {
		const size_t length = i == stream->current
					      ? (size_t)(stream->at - encoder->segments[i])
					      : encoder->segment_length[i];

		memcpy(to, encoder->segments[i], length);
		to += length;
	}
	return to;
}

static size_t stream_length(const struct trace_encoder *encoder, const struct stream *stream)
{
	size_t length = (size_t)(stream->at - encoder->segments[stream->current]);

	for (u16 i = stream->first; i != stream->current; i = encoder->segment_next[i])
		length += encoder->segment_length[i];
	return length;
}

/* --- sites and shapes --------------------------------------------------------------------------
 */

static inline bool site_is(const struct site *site, const struct trace_event *event, u64 key)
{
	return site->key == key && site->kind == event->kind && site->level == event->level;
}

static unsigned site_slot(const struct trace_event *event, u64 key)
{
	const u64 mixed =
		(key ^ (u64)event->kind << 56 ^ (u64)event->level << 52) * 0x9e3779b97f4a7c15ull;

	return (unsigned)(mixed >> 32) % (2 * MAX_SITES);
}

static struct site *site_add(struct trace_encoder *encoder, const struct trace_kind_info *kind,
			     const struct trace_event *event, u64 key, unsigned slot)
{
	struct site *const site = &encoder->sites[encoder->site_count];

	*site = (struct site){
		.key = key,
		.values = &encoder->values[encoder->value_count],
		.next = CODEC_NO_SITE,
		.chain = encoder->site_hash[slot],
		.kind = event->kind,
		.level = event->level,
	};
	memset(site->values, 0, kind->column_count * sizeof(u64));
	encoder->value_count += kind->column_count;
	encoder->site_hash[slot] = encoder->site_count++;
	if (encoder->site_count == MAX_SITES ||
	    encoder->value_count > MAX_VALUES - TRACE_MAX_COLUMNS)
		encoder->full = true;

	put_byte(encoder, STREAM_DEF, event->kind);
	put_byte(encoder, STREAM_DEF, event->level);
	put_number(encoder, STREAM_DEF, zigzag(key - encoder->last_key));
	encoder->last_key = key;
	if (kind->flags & KIND_CODE) {
		u8 code[TRACE_MAX_CODE];
		unsigned size = 0;

		if (encoder->read_code)
			size = encoder->read_code(encoder->owner, event->level, event->rip, code);
		size = MIN(size, TRACE_MAX_CODE);
		put_byte(encoder, STREAM_DEF, (u8)size);
		put_bytes(encoder, STREAM_DEF, code, size);
	}
	return site;
}

/* The site of an event that did not come where it was expected. */
static struct site *site_find(struct trace_encoder *encoder, const struct trace_kind_info *kind,
			      const struct trace_event *event, u64 key)
{
	const unsigned slot = site_slot(event, key);

	for (u16 i = encoder->site_hash[slot]; i != CODEC_NO_SITE; i = encoder->sites[i].chain)
		if (site_is(&encoder->sites[i], event, key)) {
			put_number(encoder, STREAM_SITE, i);
			return &encoder->sites[i];
		}
	put_number(encoder, STREAM_SITE, encoder->site_count);
	return site_add(encoder, kind, event, key, slot);
}

static bool shape_is(const struct trace_encoder *encoder, const struct shape *shape,
		     const struct trace_item *items, u32 count)
{
	const u16 *const ids = &encoder->shape_ids[shape->first];

	if (shape->count != count)
		return false;
	for (u32 i = 0; i < count; i++)
		if (ids[i] != items[i].id)
			return false;
	return true;
}

static u16 shape_add(struct trace_encoder *encoder, const struct trace_item *items, u32 count,
		     u32 hash)
{
	const u16 number = encoder->shape_count++;
	const unsigned slot = hash % MAX_SHAPES;
	u32 last = 0;

	encoder->shapes[number] = (struct shape){
		.hash = hash,
		.first = encoder->id_count,
		.count = (u16)count,
		.chain = encoder->shape_hash[slot],
	};
	encoder->shape_hash[slot] = number;
	put_number(encoder, STREAM_DEF, count);
	for (u32 i = 0; i < count; i++) {
		encoder->shape_ids[encoder->id_count++] = (u16)items[i].id;
		put_number(encoder, STREAM_DEF, zigzag((u64)items[i].id - last));
		last = items[i].id;
	}
	if (encoder->shape_count == MAX_SHAPES ||
	    encoder->id_count > CODEC_MAX_SHAPE_IDS - TRACE_MAX_ITEMS)
		encoder->full = true;
	return number;
}

/* The number of the shape of @items, which is not the one that was expected. */
static u16 shape_find(struct trace_encoder *encoder, const struct trace_item *items, u32 count)
{
	u32 hash = count;

	if (!count)
		return 0;
	for (u32 i = 0; i < count; i++)
		hash = (hash ^ items[i].id) * 0x01000193u;
	hash ^= hash >> 15;
	for (u16 i = encoder->shape_hash[hash % MAX_SHAPES]; i != CODEC_NO_SITE;
	     i = encoder->shapes[i].chain)
		if (encoder->shapes[i].hash == hash &&
		    shape_is(encoder, &encoder->shapes[i], items, count))
			return i;
	return shape_add(encoder, items, count, hash);
}

/* --- events ------------------------------------------------------------------------------------
 */

/* Which of @count columns from @first on differ from the prediction, by bit. */
static inline u32 columns_missed(const u64 *columns, const u64 *values, unsigned first,
				 unsigned count)
{
	u32 missed = 0;
	unsigned i = first;

	/* Mostly none of a group does. */
	for (; i + 4 <= count; i += 4) {
		const u64 differ = (columns[i] ^ values[i]) | (columns[i + 1] ^ values[i + 1]) |
				   (columns[i + 2] ^ values[i + 2]) |
				   (columns[i + 3] ^ values[i + 3]);

		if (unlikely(differ))
			for (unsigned j = i; j < i + 4; j++)
				missed |= (u32)(columns[j] != values[j]) << j;
	}
	for (; i < count; i++)
		missed |= (u32)(columns[i] != values[i]) << i;
	return missed;
}

/* Transmits what @mask names and makes @site hold the event's values. */
static inline void put_columns(struct trace_encoder *encoder, const struct trace_kind_info *kind,
			       const struct trace_event *event, struct site *site, u32 mask)
{
	if (kind->key == KEY_COL0 && (mask & 1)) {
		put_number(encoder, STREAM_RIP, zigzag(event->rip - site->rip));
		site->rip = event->rip;
		mask &= ~1u;
	}
	for (; mask; mask &= mask - 1) {
		const unsigned i = (unsigned)__builtin_ctz(mask);

		put_number(encoder, kind->columns[i].stream,
			   zigzag(event->col[i] - site->values[i]));
		site->values[i] = event->col[i];
	}
}

static void put_items(struct trace_encoder *encoder, const struct trace_event *event, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		u64 *const last = codec_fields_at(&encoder->fields, event->items[i].id);

		put_number(encoder, STREAM_ITEM, zigzag(event->items[i].value - *last));
		*last = event->items[i].value;
	}
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

/* Cuts off what the format cannot carry. */
static inline u32 event_items(const struct trace_kind_info *kind, const struct trace_event *event)
{
	return kind->flags & KIND_ITEMS ? MIN(event->item_count, TRACE_MAX_ITEMS) : 0;
}

static inline u32 event_bytes(const struct trace_kind_info *kind, const struct trace_event *event)
{
	return kind->flags & KIND_BYTES ? MIN(event->byte_count, TRACE_MAX_BYTES) : 0;
}

static bool items_valid(const struct trace_event *event, u32 count)
{
	for (u32 i = 0; i < count; i++)
		if (event->items[i].id >= TRACE_MAX_ITEM_ID)
			return false;
	return true;
}

/*
 * Sets the values of @site to what is predicted where that is not its own last value, and the last
 * values to the event's.
 */
static inline void predict(struct trace_encoder *encoder, const struct trace_kind_info *kind,
			   const struct trace_event *event, struct site *site)
{
	const unsigned vmcs_cell = encoder->schema->vmcs_cell;

	for (unsigned i = 0; i < kind->last_count; i++) {
		const unsigned column = kind->last[i];

		site->values[column] = encoder->cells[kind->last_cell[i]];
		encoder->cells[kind->last_cell[i]] = event->col[column];
	}
	if (kind->key_cell != SCHEMA_NONE)
		encoder->cells[kind->key_cell] = event->col[0];
	if (vmcs_cell != SCHEMA_NONE)
		codec_fields_select(&encoder->fields, encoder->cells[vmcs_cell]);
	if (kind->value_column != SCHEMA_NONE) {
		u64 *const field =
			codec_fields_at(&encoder->fields, event->col[kind->field_column]);

		site->values[kind->value_column] = *field;
		*field = event->col[kind->value_column];
	}
}

static void put_event(struct trace_encoder *encoder, const struct trace_kind_info *kind,
		      const struct trace_event *event, u32 items, u32 bytes)
{
	const u64 key = kind->key == KEY_COL0 ? event->col[0] : event->rip;
	const u16 next = encoder->previous->next;
	struct site *site = &encoder->start;
	u8 op = 0;

	if (likely(next != CODEC_NO_SITE))
		site = &encoder->sites[next];
	if (unlikely(!site_is(site, event, key))) {
		op |= OP_SITE;
		site = site_find(encoder, kind, event, key);
		encoder->previous->next = (u16)(site - encoder->sites);
	}
	encoder->previous = site;

	const u64 delta = event->tsc - encoder->state.last_tsc;

	put_number(encoder, STREAM_TSC, zigzag(delta - site->delta));
	site->delta = delta;
	encoder->state.last_tsc = event->tsc;

	predict(encoder, kind, event, site);
	u32 missed =
		columns_missed(event->col, site->values, kind->key == KEY_COL0, kind->column_count);
	if (kind->key == KEY_COL0 && event->rip != site->rip)
		missed |= 1;
	if (missed != site->mask && !mask_serves(site->mask, missed)) {
		op |= OP_MASK;
		put_number(encoder, STREAM_MASK, missed);
		site->mask = missed;
	}
	put_columns(encoder, kind, event, site, site->mask);

	if (kind->flags & KIND_ITEMS) {
		if (!shape_is(encoder, &encoder->shapes[site->shape], event->items, items)) {
			op |= OP_SHAPE;
			site->shape = shape_find(encoder, event->items, items);
			put_number(encoder, STREAM_SHAPE, site->shape);
		}
		put_items(encoder, event, items);
	}
	if (kind->flags & KIND_BYTES) {
		put_number(encoder, STREAM_LENGTH, bytes);
		put_bytes(encoder, STREAM_BYTES, event->bytes, bytes);
	}
	put_byte(encoder, STREAM_OP, op);
}

static inline bool fits(const struct trace_encoder *encoder, u32 items_and_bytes)
{
	const u32 used = encoder->closed + encoder->open * SEGMENT_SIZE;

	return !encoder->full && used + BOUND + items_and_bytes <= CODEC_MAX_RAW;
}

bool trace_encoder_has_room(const struct trace_encoder *encoder)
{
	return fits(encoder, 128 * ITEM_BOUND);
}

enum status trace_encode_event(struct trace_encoder *encoder, const struct trace_event *event)
{
	const struct trace_kind_info *kind = trace_schema_kind(encoder->schema, event->kind);

	if (!kind || event->level > CODEC_MAX_LEVEL)
		return ST_INVALID;

	const u32 items = event_items(kind, event);
	const u32 bytes = event_bytes(kind, event);

	if (!items_valid(event, items))
		return ST_INVALID;
	if (!fits(encoder, items * ITEM_BOUND + bytes))
		return ST_NO_SPACE;

	if (!encoder->state.events)
		encoder->state.first_tsc = encoder->state.last_tsc = event->tsc;
	put_event(encoder, kind, event, items, bytes);
	encoder->state.events++;
	encoder->state.counted += kind->flags & KIND_COUNTED;
	if (encoder->fields.count > CODEC_MAX_FIELDS - TRACE_MAX_ITEMS - 1 ||
	    encoder->fields.vmcs_count == CODEC_MAX_VMCSS)
		encoder->full = true;
	return ST_OK;
}

const struct trace_encoder_state *trace_encoder_state(const struct trace_encoder *encoder)
{
	return &encoder->state;
}

size_t trace_encoder_finish(const struct trace_encoder *encoder, u8 *to)
{
	u8 *const start = to;

	to = varint_put(to, encoder->open);
	for (unsigned i = 0; i < SCHEMA_MAX_STREAMS; i++)
		if (encoder->streams[i].first != NO_SEGMENT) {
			to = varint_put(to, i);
			to = varint_put(to, stream_length(encoder, &encoder->streams[i]));
		}
	for (unsigned i = 0; i < SCHEMA_MAX_STREAMS; i++)
		to = stream_copy(encoder, &encoder->streams[i], to);
	return (size_t)(to - start);
}
