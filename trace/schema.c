#include "trace/schema.h"

#include "base/crc32c.h"
#include "vmx/tables.h"

/* The second has PREDICTOR_CURRENT. */
enum { SCHEMA_LAYOUT = 1, SCHEMA_LAYOUT_CURRENT };

/* --- building --------------------------------------------------------------------------------- */

void trace_schema_start(struct trace_schema *schema)
{
	memset(schema, 0, sizeof(*schema));
	schema->stream_count = STREAM_COLUMNS;
	schema->vmcs_cell = SCHEMA_NONE;
	schema->rip_field = VMCS_GUEST_RIP;
}

void trace_schema_add_kind(struct trace_schema *schema, const char *name, unsigned id,
			   enum trace_key key, unsigned flags)
{
	struct trace_kind_info *kind = &schema->kinds[id];

	*kind = (struct trace_kind_info){
		.name = name,
		.columns = &schema->columns[schema->column_count],
		.id = (u8)id,
		.key = (u8)key,
		.flags = (u8)flags,
		.field_column = SCHEMA_NONE,
		.value_column = SCHEMA_NONE,
		.order_column = SCHEMA_NONE,
		.key_cell = SCHEMA_NONE,
	};
	schema->last_kind = (u8)id;
	schema->kind_count++;
}

static const struct trace_column *column_named(const struct trace_schema *schema, const char *name,
					       bool with_cell)
{
	for (unsigned i = 0; i < schema->column_count; i++) {
		const struct trace_column *column = &schema->columns[i];

		if (!strcmp(column->name, name) && (!with_cell || column->cell != SCHEMA_NONE))
			return column;
	}
	return NULL;
}

/* Fills what follows from the columns of @kind; false when they contradict each other. */
static bool kind_derive(struct trace_kind_info *kind)
{
	kind->value_column = kind->order_column = kind->key_cell = SCHEMA_NONE;
	kind->pointer_column = kind->current_column = SCHEMA_NONE;
	kind->last_count = 0;
	kind->last_mask = 0;
	for (unsigned i = 0; i < kind->column_count; i++) {
		const struct trace_column *column = &kind->columns[i];

		if (i == 0 && kind->key == KEY_COL0) {
			kind->key_cell = column->cell;
			if (column->predictor >= PREDICTOR_FIELD)
				return false;
		} else if (column->predictor == PREDICTOR_LAST) {
			if (kind->last_count == SCHEMA_MAX_LAST || column->cell == kind->key_cell)
				return false;
			for (unsigned j = 0; j < kind->last_count; j++)
				if (kind->last_cell[j] == column->cell)
					return false;
			kind->last_mask |= 1u << i;
			kind->last[kind->last_count] = (u8)i;
			kind->last_cell[kind->last_count++] = column->cell;
		} else if (column->predictor == PREDICTOR_FIELD) {
			if (kind->value_column != SCHEMA_NONE || kind->field_column >= i)
				return false;
			kind->value_column = (u8)i;
		} else if (column->predictor == PREDICTOR_ORDER) {
			if (kind->order_column != SCHEMA_NONE)
				return false;
			kind->order_column = (u8)i;
		} else {
			if (column->predictor == PREDICTOR_CURRENT) {
				if (kind->current_column != SCHEMA_NONE)
					return false;
				kind->current_column = (u8)i;
			}
			if (!strcmp(column->name, "pointer"))
				kind->pointer_column = (u8)i;
		}
	}
	if (kind->key == KEY_COL0)
		return kind->column_count > 0;
	return !(kind->flags & KIND_RIP_FIELD);
}

/* Columns of one name share a stream, and a cell where they have one. */
void trace_schema_add_column(struct trace_schema *schema, const char *name, unsigned type,
			     enum trace_predictor predictor)
{
	struct trace_kind_info *kind = &schema->kinds[schema->last_kind];
	const struct trace_column *same = column_named(schema, name, false);
	struct trace_column *column = &schema->columns[schema->column_count];

	column->name = name;
	column->type = (u8)type;
	column->predictor = (u8)predictor;
	column->stream = same ? same->stream : schema->stream_count++;
	column->cell = SCHEMA_NONE;
	if (predictor == PREDICTOR_LAST) {
		same = column_named(schema, name, true);
		column->cell = same ? same->cell : schema->cell_count++;
		if (!strcmp(name, "vmcs"))
			schema->vmcs_cell = column->cell;
	}
	if (!strcmp(name, "field"))
		kind->field_column = kind->column_count;
	schema->column_count++;
	kind->column_count++;
	kind_derive(kind);
}

void trace_schema_add_range(struct trace_schema *schema, const char *name, u32 first, u32 count)
{
	schema->ranges[schema->range_count++] =
		(struct trace_item_range){ .name = name, .first = first, .count = count };
}

void trace_schema_finish(struct trace_schema *schema, u8 *scratch)
{
	schema->id = crc32c(0, scratch, trace_schema_write(schema, scratch));
}

/* --- the .def tables -------------------------------------------------------------------------- */

struct column_row {
	const char *name;
	u8 type;
	u8 predictor;
};

enum { BY_RIP = KEY_RIP, BY_COL0 = KEY_COL0 };
enum {
	COUNTED = KIND_COUNTED,
	CODE = KIND_CODE,
	ITEMS = KIND_ITEMS,
	BYTES = KIND_BYTES,
	RIP_FIELD = KIND_RIP_FIELD,
};

#define C(name, type, predictor, title) { #name, TYPE_##type, PREDICTOR_##predictor },
#define EVENT(KIND, name, id, key, flags, title, columns) \
	static const struct column_row columns_of_##name[] = { columns };
#include "trace/events.def"
#undef EVENT
#undef C

static const struct {
	const char *name;
	const struct column_row *columns;
	u8 column_count;
	u8 id;
	u8 key;
	u8 flags;
} kind_rows[] = {
#define EVENT(KIND, name, id, key, flags, title, columns) \
	{ #name, columns_of_##name, ARRAY_SIZE(columns_of_##name), id, key, flags },
#include "trace/events.def"
#undef EVENT
};

static const struct trace_item_range range_rows[] = {
#define ITEM(NAME, name, first, count, title) { #name, first, count },
#include "trace/items.def"
#undef ITEM
};

const struct trace_schema *trace_schema_builtin(void)
{
	static struct trace_schema schema;
	static u8 scratch[SCHEMA_MAX_SIZE];

	if (schema.id)
		return &schema;
	trace_schema_start(&schema);
	for (unsigned i = 0; i < ARRAY_SIZE(kind_rows); i++) {
		trace_schema_add_kind(&schema, kind_rows[i].name, kind_rows[i].id, kind_rows[i].key,
				      kind_rows[i].flags);
		for (unsigned j = 0; j < kind_rows[i].column_count; j++)
			trace_schema_add_column(&schema, kind_rows[i].columns[j].name,
						kind_rows[i].columns[j].type,
						kind_rows[i].columns[j].predictor);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(range_rows); i++)
		trace_schema_add_range(&schema, range_rows[i].name, range_rows[i].first,
				       range_rows[i].count);
	trace_schema_finish(&schema, scratch);
	return &schema;
}

/* --- to and from bytes ------------------------------------------------------------------------ */

static u8 *put_name(u8 *to, const char *name)
{
	const size_t length = strlen(name);

	*to++ = (u8)length;
	memcpy(to, name, length);
	return to + length;
}

static u8 *put_kind(u8 *to, const struct trace_kind_info *kind)
{
	to = put_name(to, kind->name);
	*to++ = kind->id;
	*to++ = kind->key;
	*to++ = kind->flags;
	*to++ = kind->field_column;
	*to++ = kind->column_count;
	for (unsigned i = 0; i < kind->column_count; i++) {
		const struct trace_column *column = &kind->columns[i];

		to = put_name(to, column->name);
		*to++ = column->type;
		*to++ = column->predictor;
		*to++ = column->stream;
		*to++ = column->cell;
	}
	return to;
}

/* The first that can say it. */
static u8 layout_of(const struct trace_schema *schema)
{
	for (unsigned i = 0; i < schema->column_count; i++)
		if (schema->columns[i].predictor == PREDICTOR_CURRENT)
			return SCHEMA_LAYOUT_CURRENT;
	return SCHEMA_LAYOUT;
}

size_t trace_schema_write(const struct trace_schema *schema, u8 *to)
{
	u8 *const start = to;

	*to++ = layout_of(schema);
	*to++ = schema->vmcs_cell;
	memcpy(to, &schema->rip_field, sizeof(schema->rip_field));
	to += sizeof(schema->rip_field);
	*to++ = schema->kind_count;
	for (unsigned id = 0; id < SCHEMA_MAX_KINDS; id++)
		if (schema->kinds[id].name)
			to = put_kind(to, &schema->kinds[id]);
	*to++ = schema->range_count;
	for (unsigned i = 0; i < schema->range_count; i++) {
		to = put_name(to, schema->ranges[i].name);
		to = varint_put(to, schema->ranges[i].first);
		to = varint_put(to, schema->ranges[i].count);
	}
	return (size_t)(to - start);
}

/* Sticks ST_CORRUPT to @in unless @good. */
static void demand(struct cursor *in, bool good)
{
	if (in->status == ST_OK && !good)
		in->status = ST_CORRUPT;
}

static const char *take_name(struct cursor *in, char **names)
{
	const u8 length = cursor_u8(in);
	const u8 *const text = cursor_take(in, length);
	char *const name = *names;

	demand(in, length > 0 && length <= SCHEMA_MAX_NAME);
	if (in->status != ST_OK)
		return NULL;
	for (unsigned i = 0; i < length; i++)
		demand(in, (text[i] >= 'a' && text[i] <= 'z') || text[i] == '_' ||
				   (text[i] >= '0' && text[i] <= '9'));
	/* Each name took its length byte from the input, so the names never outgrow it. */
	memcpy(name, text, length);
	name[length] = 0;
	*names += length + 1;
	return name;
}

static void take_column(struct cursor *in, struct trace_schema *schema, char **names,
			unsigned predictors)
{
	struct trace_column *const column = &schema->columns[schema->column_count++];

	column->name = take_name(in, names);
	column->type = cursor_u8(in);
	column->predictor = cursor_u8(in);
	column->stream = cursor_u8(in);
	column->cell = cursor_u8(in);
	demand(in, column->predictor < predictors);
	demand(in, column->stream >= STREAM_COLUMNS && column->stream < SCHEMA_MAX_STREAMS);
	demand(in, column->predictor == PREDICTOR_LAST ? column->cell < SCHEMA_MAX_CELLS
						       : column->cell == SCHEMA_NONE);
	if (in->status != ST_OK)
		return;
	schema->stream_count = MAX(schema->stream_count, column->stream + 1);
	if (column->cell != SCHEMA_NONE)
		schema->cell_count = MAX(schema->cell_count, column->cell + 1);
}

/*
 * The current VMCS must be known when the value of one of its fields is predicted, and what comes
 * behind it in the same event must not depend on it.
 */
static bool kind_is_ordered(const struct trace_schema *schema, const struct trace_kind_info *kind)
{
	unsigned vmcs = SCHEMA_NONE;

	for (unsigned i = 0; i < kind->last_count; i++)
		if (kind->last_cell[i] == schema->vmcs_cell)
			vmcs = kind->last[i];
	if (kind->current_column != SCHEMA_NONE)
		return vmcs < kind->current_column && kind->value_column == SCHEMA_NONE &&
		       kind->key != KEY_COL0 && !(kind->flags & KIND_ITEMS);
	return vmcs == SCHEMA_NONE || vmcs < kind->value_column;
}

static void take_kind(struct cursor *in, struct trace_schema *schema, char **names,
		      unsigned predictors)
{
	struct trace_kind_info kind = { .name = take_name(in, names) };

	kind.id = cursor_u8(in);
	kind.key = cursor_u8(in);
	kind.flags = cursor_u8(in);
	kind.field_column = cursor_u8(in);
	kind.column_count = cursor_u8(in);
	kind.columns = &schema->columns[schema->column_count];
	demand(in, kind.id > 0 && kind.id < SCHEMA_MAX_KINDS);
	demand(in, kind.key <= KEY_COL0 && kind.flags <= KIND_ALL &&
			   kind.column_count <= TRACE_MAX_COLUMNS);
	demand(in, schema->column_count + kind.column_count <= SCHEMA_MAX_COLUMNS);
	if (in->status != ST_OK)
		return;
	demand(in, !schema->kinds[kind.id].name);
	for (unsigned i = 0; i < kind.column_count && in->status == ST_OK; i++)
		take_column(in, schema, names, predictors);
	if (in->status != ST_OK)
		return;
	demand(in, kind_derive(&kind) && kind_is_ordered(schema, &kind));
	schema->kinds[kind.id] = kind;
}

static void take_range(struct cursor *in, struct trace_schema *schema, char **names)
{
	struct trace_item_range *const range = &schema->ranges[schema->range_count++];

	range->name = take_name(in, names);
	const u64 first = cursor_varint(in);
	const u64 count = cursor_varint(in);

	demand(in, first < TRACE_MAX_ITEM_ID && count <= TRACE_MAX_ITEM_ID - first);
	range->first = (u32)first;
	range->count = (u32)count;
}

enum status trace_schema_parse(struct trace_schema *schema, char *names, const void *data,
			       size_t size)
{
	struct cursor in = cursor_over(data, size);
	unsigned layout, predictors;

	trace_schema_start(schema);
	if (size > SCHEMA_MAX_SIZE)
		return ST_CORRUPT;
	layout = cursor_u8(&in);
	if (layout != SCHEMA_LAYOUT && layout != SCHEMA_LAYOUT_CURRENT)
		return size ? ST_NEWER : ST_TRUNCATED;
	predictors = layout == SCHEMA_LAYOUT ? PREDICTOR_CURRENT : PREDICTOR_COUNT;
	schema->vmcs_cell = cursor_u8(&in);
	schema->rip_field = cursor_u16(&in);
	schema->kind_count = cursor_u8(&in);
	demand(&in, schema->kind_count <= SCHEMA_MAX_KINDS);
	for (unsigned i = 0; i < schema->kind_count && in.status == ST_OK; i++)
		take_kind(&in, schema, &names, predictors);
	demand(&in, schema->vmcs_cell < schema->cell_count || schema->vmcs_cell == SCHEMA_NONE);

	const unsigned ranges = cursor_u8(&in);

	demand(&in, ranges <= SCHEMA_MAX_RANGES);
	for (unsigned i = 0; i < ranges && in.status == ST_OK; i++)
		take_range(&in, schema, &names);
	demand(&in, cursor_left(&in) == 0);
	schema->id = crc32c(0, data, size);
	return in.status;
}

const struct trace_item_range *trace_schema_range(const struct trace_schema *schema, u32 id)
{
	for (unsigned i = 0; i < schema->range_count; i++)
		if (id - schema->ranges[i].first < schema->ranges[i].count)
			return &schema->ranges[i];
	return NULL;
}
