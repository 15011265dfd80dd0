#include "trace/encoder.h"

size_t trace_encoder_size(void)
{
	return sizeof(struct trace_encoder);
}

static bool is_ordered(const struct trace_kind_info *kind, unsigned extra)
{
	return kind->key != KEY_COL0 && !extra && kind->value_column == SCHEMA_NONE &&
	       kind->order_column == kind->column_count - 1 &&
	       (kind->order_column == INSN_COLUMN_COUNT ||
		kind->order_column == INSN_COLUMN_COUNT + ORDERED_COLUMNS ||
		kind->order_column == INSN_COLUMN_COUNT + VMXON_COLUMNS) &&
	       (kind->current_column == SCHEMA_NONE || kind->current_column == REGION_COLUMN);
}

/* How an event of @kind is gone about where nothing misses. */
static enum path path_of_kind(const struct trace_kind_info *kind, const struct plan *plan)
{
	const unsigned extra = kind->flags & (KIND_ITEMS | KIND_BYTES | KIND_RIP_FIELD);

	if (plan->vmcs_column == SCHEMA_NONE || kind->key_cell != SCHEMA_NONE || !plan->counted)
		return PATH_OTHER;
	if (kind->key != KEY_COL0 && plan->vmcs_column != VMCS_COLUMN)
		return PATH_OTHER;
	if (kind->order_column != SCHEMA_NONE)
		return is_ordered(kind, extra) ? PATH_ORDERED : PATH_OTHER;
	if (kind->key == KEY_COL0)
		return extra == (KIND_ITEMS | KIND_RIP_FIELD) && plan->vmcs_column == 1 &&
				       kind->value_column == SCHEMA_NONE
			       ? PATH_ITEMS
			       : PATH_OTHER;
	if (!extra && kind->column_count == INSN_COLUMN_COUNT + 1 &&
	    kind->value_column == SCHEMA_NONE)
		return PATH_PLAIN;
	if (!extra && kind->column_count == FIELD_TAIL_VALUE + 1 &&
	    kind->value_column == FIELD_TAIL_VALUE && kind->field_column == FIELD_TAIL_VALUE - 1)
		return PATH_SAME;
	return PATH_OTHER;
}

static struct plan make_plan(const struct trace_encoder *encoder,
			     const struct trace_kind_info *kind)
{
	const struct trace_schema *const schema = encoder->schema;
	struct plan plan = {
		.streams = &encoder->column_streams[kind->columns - schema->columns],
		.column_count = kind->column_count,
		.first = kind->key == KEY_COL0,
		.flags = kind->flags,
		.value_column = kind->value_column,
		.field_column = kind->field_column,
		.order_column = kind->order_column,
		.current_column = kind->current_column,
		.vmcs_column = SCHEMA_NONE,
		.key_cell = kind->key_cell,
		.last_count = kind->last_count,
		.last_mask = kind->last_mask,
		.counted = kind->flags & KIND_COUNTED,
		.kinds = block_kind(kind->id),
	};

	if (kind->key_cell != SCHEMA_NONE && kind->key_cell == schema->vmcs_cell)
		plan.vmcs_column = 0;
	for (unsigned i = 0; i < kind->last_count; i++) {
		plan.last[i] = kind->last[i];
		plan.last_cell[i] = kind->last_cell[i];
		if (kind->last_cell[i] == schema->vmcs_cell) {
			plan.vmcs_column = kind->last[i];
			plan.vmcs_cell = kind->last_cell[i];
		}
	}
	if (kind->value_column != SCHEMA_NONE)
		plan.value_bit = 1u << kind->value_column;
	plan.path = path_of_kind(kind, &plan);
	plan.odd_mask = plan.last_mask;
	if (plan.path == PATH_ITEMS)
		plan.odd_mask |= 1; /* RIP */
	else
		plan.odd_mask &= ~VMCS_BIT;
	if (plan.path != PATH_PLAIN && plan.path != PATH_SAME && plan.path != PATH_ORDERED)
		plan.other = OTHER;
	return plan;
}

struct trace_encoder *trace_encoder_init(void *memory, const struct trace_schema *schema,
					 trace_read_code read_code, void *owner)
{
	struct trace_encoder *encoder = memory;

	encoder->schema = schema;
	encoder->read_code = read_code;
	encoder->owner = owner;
	encoder->value_stream = NULL;
	for (unsigned i = 0; i < schema->column_count; i++)
		encoder->column_streams[i] = &encoder->streams.stream[schema->columns[i].stream];
	for (unsigned id = 0; id < ARRAY_SIZE(encoder->plans); id++) {
		const struct trace_kind_info *const kind = trace_schema_kind(schema, id);

		encoder->plans[id] = kind ? make_plan(encoder, kind) : (struct plan){ 0 };
		if (encoder->plans[id].path == PATH_SAME)
			encoder->value_stream = encoder->plans[id].streams[FIELD_TAIL_VALUE];
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
	/* Of no version that there is. */
	encoder->start = (struct site){ .path = PATH_OTHER };
	reset_turns(encoder, &encoder->start);
	encoder->turn = 0;
	encoder->run = encoder->before_run = encoder->uncounted = 0;
	encoder->previous = &encoder->start;
	encoder->version = 1;
	encoder->site_count = encoder->id_count = 0;
	encoder->value_count = 0;
	encoder->last_key = 0;
	encoder->order = 0;
	memset(encoder->site_hash, 0xff, sizeof(encoder->site_hash));
	memset(encoder->shape_hash, 0xff, sizeof(encoder->shape_hash));
	/* Shape 0 is the empty list. */
	encoder->shapes[0] = (struct shape){ .chain = CODEC_NO_SITE };
	encoder->shape_count = 1;
	codec_fields_reset(&encoder->fields);
	streams_reset(&encoder->streams, CODEC_MAX_RAW - BOUND);
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
	encoder_put(encoder, STREAM_DEF, zigzag(key - encoder->last_key));
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
		.identity = encoder_site_identity(plan, event),
		.path = PATH_OTHER,
		.turn = encoder->site_count % CODEC_TURNS,
	};
	reset_turns(encoder, site);
	memset(site->values, 0, plan->column_count * sizeof(u64));
	encoder->value_count += plan->column_count;
	encoder->site_hash[slot] = encoder->site_count++;
	if (encoder->site_count == MAX_SITES ||
	    encoder->value_count > MAX_VALUES - TRACE_MAX_COLUMNS)
		encoder_close(encoder);
	encoder->state.kinds |= plan->kinds;
	define_site(encoder, plan, event, key);
	return site;
}

/* The site of an event that did not come where it was expected. */
struct site *encoder_find_site(struct trace_encoder *encoder, const struct plan *plan,
			       const struct trace_event *event, u64 key)
{
	const u16 identity = encoder_site_identity(plan, event);
	const unsigned slot = site_slot(identity, key);

	for (u16 i = encoder->site_hash[slot]; i != CODEC_NO_SITE; i = encoder->sites[i].chain)
		if (encoder->sites[i].key == key && encoder->sites[i].identity == identity) {
			encoder_put(encoder, STREAM_SITE, i);
			return &encoder->sites[i];
		}
	encoder_put(encoder, STREAM_SITE, encoder->site_count);
	return add_site(encoder, plan, event, key, slot);
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
	encoder_put(encoder, STREAM_DEF, count);
	for (u32 i = 0; i < count; i++) {
		const u16 id = (u16)items[i].id;

		encoder->shape_ids[encoder->id_count++] = id;
		encoder_put(encoder, STREAM_DEF, zigzag((u64)id - last));
		last = id;
	}
	if (encoder->shape_count == MAX_SHAPES ||
	    encoder->id_count > CODEC_MAX_SHAPE_IDS - TRACE_MAX_ITEMS)
		encoder_close(encoder);
	return number;
}

/* The number of the shape of @items, which is not the one that was expected. */
u16 encoder_find_shape(struct trace_encoder *encoder, const struct trace_item *items, u32 count)
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
		    encoder_shape_is(encoder, &encoder->shapes[i], items, count))
			return i;
	return add_shape(encoder, items, count, hash);
}

bool trace_encoder_has_room(const struct trace_encoder *encoder, u32 bytes)
{
	return encoder_has_room(encoder, bytes);
}

struct trace_encoder_state trace_encoder_state(const struct trace_encoder *encoder)
{
	struct trace_encoder_state state = encoder->state;

	state.events = encoder->before_run + encoder->run;
	state.counted = state.events - encoder->uncounted;
	return state;
}

size_t trace_encoder_finish(const struct trace_encoder *encoder, u8 *to)
{
	return streams_write(&encoder->streams, to);
}
