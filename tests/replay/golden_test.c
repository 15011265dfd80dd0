#include "tests/test.h"
#include "replay/reader.h"
#include "tests/golden/future_tape.h"
#include "trace/text.h"

#define TAPE "tests/golden/draft/future.vxt"

static struct reader *open_tape(void)
{
	struct reader *reader;
	char error[256];

	if (reader_open(TAPE, &reader, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return reader;
}

static void kinds_and_columns_to_come_are_read_whole(void **state)
{
	struct reader *const reader = open_tape();
	const struct trace_schema *const schema = reader_schema(reader);
	static struct test_event made;
	const struct trace_event *event;
	unsigned unknown = 0;
	u64 number = 0;

	(void)state;
	assert_string_equal(schema->kinds[FUTURE_KIND].name, "future_kind");
	assert_null(trace_schema_kind(trace_schema_builtin(), FUTURE_KIND));
	for (unsigned i = 0; i < FUTURE_EVENTS; i++) {
		const char *wrong;

		number = future_event(schema, number, &made);
		assert_int_equal(reader_next(reader, &event), ST_OK);
		wrong = test_event_differs(schema, &made.event, event);
		if (wrong)
			fail_msg("event %u: %s", i, wrong);
		assert_u64(event->seq, i);
		unknown += event->kind == FUTURE_KIND;
	}
	assert_int_equal(reader_next(reader, &event), ST_END);
	assert_true(unknown > 0);
	assert_null(reader_damage(reader));
	assert_int_equal(reader_info(reader)->unknown_chunks, 2);
	assert_int_equal(reader_info(reader)->blocks, 3);
	assert_int_equal(reader_info(reader)->packed, 1);
	assert_u64(reader_info(reader)->lost, 0);
	reader_close(reader);
}

static void what_is_unknown_has_a_text(void **state)
{
	struct reader *const reader = open_tape();
	const struct trace_event *event;
	char text[8192];

	(void)state;
	do
		assert_int_equal(reader_next(reader, &event), ST_OK);
	while (event->kind != FUTURE_KIND || !event->col[2]);
	trace_text_event(text, sizeof(text), reader_schema(reader), event);
	assert_true(!strncmp(text, "future_kind ", 12));
	assert_non_null(strstr(text, " what=0x"));
	assert_non_null(strstr(text, " future_cell=0x"));
	reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_and_columns_to_come_are_read_whole),
		cmocka_unit_test(what_is_unknown_has_a_text),
	};
	return cmocka_run_group_tests_name("replay/golden", tests, NULL, NULL);
}
