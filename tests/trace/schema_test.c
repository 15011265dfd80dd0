#include "tests/test.h"
#include "tests/trace/events.h"
#include "tests/trace/future.h"
#include "trace/schema.h"

static u8 bytes[SCHEMA_MAX_SIZE];
static char names[SCHEMA_MAX_SIZE];
static struct trace_schema parsed;

static void same(const struct trace_schema *a, const struct trace_schema *b)
{
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->kind_count, b->kind_count);
	assert_int_equal(a->column_count, b->column_count);
	assert_int_equal(a->stream_count, b->stream_count);
	assert_int_equal(a->cell_count, b->cell_count);
	assert_int_equal(a->vmcs_cell, b->vmcs_cell);
	assert_int_equal(a->rip_field, b->rip_field);
	assert_int_equal(a->range_count, b->range_count);
	for (unsigned id = 0; id < SCHEMA_MAX_KINDS; id++) {
		const struct trace_kind_info *const ka = trace_schema_kind(a, id);
		const struct trace_kind_info *const kb = trace_schema_kind(b, id);

		assert_int_equal(!ka, !kb);
		if (!ka)
			continue;
		assert_string_equal(ka->name, kb->name);
		assert_int_equal(ka->key, kb->key);
		assert_int_equal(ka->flags, kb->flags);
		assert_int_equal(ka->column_count, kb->column_count);
		assert_int_equal(ka->field_column, kb->field_column);
		assert_int_equal(ka->value_column, kb->value_column);
		assert_int_equal(ka->key_cell, kb->key_cell);
		assert_int_equal(ka->last_mask, kb->last_mask);
		for (unsigned i = 0; i < ka->column_count; i++) {
			assert_string_equal(ka->columns[i].name, kb->columns[i].name);
			assert_int_equal(ka->columns[i].type, kb->columns[i].type);
			assert_int_equal(ka->columns[i].predictor, kb->columns[i].predictor);
			assert_int_equal(ka->columns[i].stream, kb->columns[i].stream);
			assert_int_equal(ka->columns[i].cell, kb->columns[i].cell);
		}
	}
	for (unsigned i = 0; i < a->range_count; i++) {
		assert_string_equal(a->ranges[i].name, b->ranges[i].name);
		assert_int_equal(a->ranges[i].first, b->ranges[i].first);
		assert_int_equal(a->ranges[i].count, b->ranges[i].count);
	}
}

static void a_schema_comes_back_from_its_bytes(void **state)
{
	const struct trace_schema *const schemas[] = { trace_schema_builtin(), future_schema(true),
						       future_schema(false) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
		const size_t size = trace_schema_write(schemas[i], bytes);

		assert_true(size < SCHEMA_MAX_SIZE);
		assert_int_equal(trace_schema_parse(&parsed, names, bytes, size), ST_OK);
		same(schemas[i], &parsed);
	}
	assert_int_not_equal(schemas[0]->id, schemas[1]->id);
}

static void the_builtin_schema_is_that_of_the_structs(void **state)
{
	const struct trace_schema *const schema = trace_schema_builtin();

	(void)state;
#define EVENT(KIND, name_, id_, key, flags, title, columns)        \
	assert_int_equal(schema->kinds[id_].column_count,          \
			 sizeof(struct ev_##name_) / sizeof(u64)); \
	assert_string_equal(schema->kinds[id_].name, #name_);
#include "trace/events.def"
#undef EVENT
	assert_int_equal(schema->kinds[EV_VMWRITE].value_column, EV_COLUMN(vmwrite, value));
	assert_int_equal(schema->kinds[EV_VMWRITE].field_column, EV_COLUMN(vmwrite, field));
	assert_int_equal(schema->kinds[EV_VMCS_IMAGE].key_cell, schema->vmcs_cell);
	assert_int_equal(schema->kinds[EV_VMPTRLD].current_column, EV_COLUMN(vmptrld, pointer));
	assert_int_equal(schema->kinds[EV_VMCLEAR].current_column, SCHEMA_NONE);
	assert_string_equal(trace_schema_range(schema, 0x681e)->name, "field");
	assert_string_equal(trace_schema_range(schema, ITEM_MSR_HOST + 511)->name, "msr_host");
	assert_null(trace_schema_range(schema, 0xffff));
}

static void a_cut_schema_is_refused(void **state)
{
	const size_t size = trace_schema_write(trace_schema_builtin(), bytes);

	(void)state;
	for (size_t cut = 0; cut < size; cut++) {
		u8 *const part = malloc(cut + !cut);

		memcpy(part, bytes, cut);
		assert_int_not_equal(trace_schema_parse(&parsed, names, part, cut), ST_OK);
		free(part);
	}
	assert_int_equal(trace_schema_parse(&parsed, names, bytes, size + 1), ST_CORRUPT);
}

/* What a decoder relies on, whatever bytes the schema was made from. */
static void check_sound(const struct trace_schema *schema)
{
	assert_true(schema->column_count <= SCHEMA_MAX_COLUMNS);
	assert_true(schema->stream_count <= SCHEMA_MAX_STREAMS);
	assert_true(schema->cell_count <= SCHEMA_MAX_CELLS);
	assert_true(schema->vmcs_cell == SCHEMA_NONE || schema->vmcs_cell < SCHEMA_MAX_CELLS);
	for (unsigned id = 0; id < SCHEMA_MAX_KINDS; id++) {
		const struct trace_kind_info *const kind = trace_schema_kind(schema, id);

		if (!kind)
			continue;
		assert_int_equal(kind->id, id);
		assert_true(kind->column_count <= TRACE_MAX_COLUMNS);
		assert_true(kind->columns >= schema->columns);
		assert_true(kind->columns + kind->column_count <=
			    schema->columns + schema->column_count);
		assert_true(strlen(kind->name) <= SCHEMA_MAX_NAME);
		assert_true(kind->key == KEY_RIP || kind->column_count > 0);
		assert_true(kind->value_column == SCHEMA_NONE ||
			    (kind->field_column < kind->value_column &&
			     kind->value_column < kind->column_count));
		assert_true(kind->last_count <= SCHEMA_MAX_LAST);
		assert_true(kind->current_column == SCHEMA_NONE ||
			    (kind->current_column < kind->column_count &&
			     schema->vmcs_cell != SCHEMA_NONE));
		for (unsigned i = 0; i < kind->column_count; i++)
			assert_true(kind->columns[i].stream >= STREAM_COLUMNS &&
				    kind->columns[i].stream < SCHEMA_MAX_STREAMS);
		for (unsigned i = 0; i < kind->last_count; i++)
			assert_true(kind->last[i] < kind->column_count &&
				    kind->last_cell[i] < SCHEMA_MAX_CELLS);
	}
}

static void a_flipped_byte_makes_no_unsound_schema(void **state)
{
	const size_t size = trace_schema_write(trace_schema_builtin(), bytes);
	unsigned accepted = 0;

	(void)state;
	for (size_t at = 0; at < size; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[at] ^= (u8)(1u << bit);
			if (trace_schema_parse(&parsed, names, bytes, size) == ST_OK) {
				check_sound(&parsed);
				accepted++;
			}
			bytes[at] ^= (u8)(1u << bit);
		}
	/* Names can change to other names, for one. */
	assert_true(accepted > 0 && accepted < size * 8);
}

static void contradictions_are_refused(void **state)
{
	/* A schema of one kind with two columns, built by hand: what is wrong with each row? */
	static const struct {
		const char *name;
		enum status status;
		size_t size;
		const char *bytes;
	} rows[] = {
		{ "nothing", ST_OK, 29,
		  "\1\0\36\150\1"
		  "\1k"
		  "\5\0\1\0\2"
		  "\1c\0\1\20\0"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "layout", ST_NEWER, 29,
		  "\3\0\36\150\1"
		  "\1k"
		  "\5\0\1\0\2"
		  "\1c\0\1\20\0"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "cell that is none", ST_CORRUPT, 29,
		  "\1\1\36\150\1"
		  "\1k"
		  "\5\0\1\0\2"
		  "\1c\0\1\20\0"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "id 0", ST_CORRUPT, 29,
		  "\1\0\36\150\1"
		  "\1k"
		  "\0\0\1\0\2"
		  "\1c\0\1\20\0"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "id 128", ST_CORRUPT, 29,
		  "\1\0\36\150\1"
		  "\1k"
		  "\200\0\1\0\2"
		  "\1c\0\1\20\0"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "key", ST_CORRUPT, 29,
		  "\1\0\36\150\1"
		  "\1k"
		  "\5\2\1\0\2"
		  "\1c\0\1\20\0"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "flag", ST_CORRUPT, 29,
		  "\1\0\36\150\1"
		  "\1k"
		  "\5\0\40\0\2"
		  "\1c\0\1\20\0"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "RIP by field where RIP is the key", ST_CORRUPT, 29,
		  "\1\0\36\150\1"
		  "\1k"
		  "\5\0\20\0\2"
		  "\1c\0\1\20\0"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "field behind its value", ST_CORRUPT, 29,
		  "\1\0\36\150\1"
		  "\1k"
		  "\5\0\1\1\2"
		  "\1c\0\1\20\0"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "stream of the codec", ST_CORRUPT, 29,
		  "\1\0\36\150\1"
		  "\1k"
		  "\5\0\1\0\2"
		  "\1c\0\1\3\0"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "stream 192", ST_CORRUPT, 29,
		  "\1\0\36\150\1"
		  "\1k"
		  "\5\0\1\0\2"
		  "\1c\0\1\300\0"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "predictor", ST_CORRUPT, 29,
		  "\1\0\36\150\1"
		  "\1k"
		  "\5\0\1\0\2"
		  "\1c\0\3\20\377"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "cell without LAST", ST_CORRUPT, 29,
		  "\1\0\36\150\1"
		  "\1k"
		  "\5\0\1\0\2"
		  "\1c\0\1\20\0"
		  "\5value\1\2\21\0"
		  "\0" },
		{ "VMCS behind the value", ST_CORRUPT, 29,
		  "\1\0\36\150\1"
		  "\1k"
		  "\5\0\1\0\2"
		  "\1c\0\2\20\377"
		  "\5value\1\1\21\0"
		  "\0" },
		{ "name in upper case", ST_CORRUPT, 29,
		  "\1\0\36\150\1"
		  "\1K"
		  "\5\0\1\0\2"
		  "\1c\0\1\20\0"
		  "\5value\1\2\21\377"
		  "\0" },
		{ "what becomes current", ST_OK, 28,
		  "\2\0\36\150\1"
		  "\1k"
		  "\5\0\1\377\2"
		  "\1c\0\1\20\0"
		  "\4next\1\4\21\377"
		  "\0" },
		{ "what becomes current, in the layout before", ST_CORRUPT, 28,
		  "\1\0\36\150\1"
		  "\1k"
		  "\5\0\1\377\2"
		  "\1c\0\1\20\0"
		  "\4next\1\4\21\377"
		  "\0" },
		{ "a newer predictor in the newest layout", ST_CORRUPT, 28,
		  "\2\0\36\150\1"
		  "\1k"
		  "\5\0\1\377\2"
		  "\1c\0\1\20\0"
		  "\4next\1\5\21\377"
		  "\0" },
		{ "what becomes current without what was", ST_CORRUPT, 28,
		  "\2\377\36\150\1"
		  "\1k"
		  "\5\0\1\377\2"
		  "\1c\0\1\20\0"
		  "\4next\1\4\21\377"
		  "\0" },
		{ "what becomes current before what was", ST_CORRUPT, 28,
		  "\2\0\36\150\1"
		  "\1k"
		  "\5\0\1\377\2"
		  "\4next\1\4\21\377"
		  "\1c\0\1\20\0"
		  "\0" },
		{ "what becomes current, and items", ST_CORRUPT, 28,
		  "\2\0\36\150\1"
		  "\1k"
		  "\5\0\5\377\2"
		  "\1c\0\1\20\0"
		  "\4next\1\4\21\377"
		  "\0" },
		{ "two that become current", ST_CORRUPT, 34,
		  "\2\0\36\150\1"
		  "\1k"
		  "\5\0\1\377\3"
		  "\1c\0\1\20\0"
		  "\4next\1\4\21\377"
		  "\1n\1\4\22\377"
		  "\0" },
		{ "no columns for the key", ST_CORRUPT, 13,
		  "\1\377\36\150\1"
		  "\1k"
		  "\5\1\1\377\0"
		  "\0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(rows[i].name,
			   trace_schema_parse(&parsed, names, rows[i].bytes, rows[i].size),
			   rows[i].status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_schema_comes_back_from_its_bytes),
		cmocka_unit_test(the_builtin_schema_is_that_of_the_structs),
		cmocka_unit_test(a_cut_schema_is_refused),
		cmocka_unit_test(a_flipped_byte_makes_no_unsound_schema),
		cmocka_unit_test(contradictions_are_refused),
	};
	return cmocka_run_group_tests_name("trace/schema", tests, NULL, NULL);
}
