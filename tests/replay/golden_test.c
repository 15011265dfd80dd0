#include "tests/test.h"

#include <unistd.h>

#include "base/crc32c.h"
#include "replay/reader.h"
#include "tests/golden/future_tape.h"
#include "trace/text.h"

#define FUTURE "tests/golden/1/future.vxt"

static struct reader *open_tape(const char *path)
{
	struct reader *reader;
	char error[256];

	if (reader_open(path, &reader, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return reader;
}

/* --- tapes that were recorded ----------------------------------------------------------------- */

/* All that the tape says of @event. */
static u32 hash_event(u32 crc, const struct trace_schema *schema, const struct trace_event *event)
{
	const u64 head[] = { event->kind,	event->level,	   event->cpu,
			     event->seq,	event->tsc,	   event->rip,
			     event->item_count, event->byte_count, event->code_count };
	const struct trace_kind_info *const kind = trace_schema_kind(schema, event->kind);

	crc = crc32c(crc, head, sizeof(head));
	/* Gaps are the reader's: their columns are not those of the tape. */
	crc = crc32c(crc, event->col, (kind ? kind->column_count : 4) * sizeof(u64));
	for (u32 i = 0; i < event->item_count; i++) {
		crc = crc32c(crc, &event->items[i].id, sizeof(event->items[i].id));
		crc = crc32c(crc, &event->items[i].value, sizeof(event->items[i].value));
	}
	if (event->byte_count)
		crc = crc32c(crc, event->bytes, event->byte_count);
	if (event->code_count)
		crc = crc32c(crc, event->code, event->code_count);
	return crc;
}

static void tapes_of_version_1_are_read_whole(void **state)
{
	static const struct {
		const char *path;
		u64 events;
		u64 counted;
		u64 lost;
		unsigned cpus;
		u32 hash;
	} rows[] = {
		/* Debian's KVM as L1, an L2 of 100 exits. */
		{ "tests/golden/1/kvm.vxt", 1790, 1609, 0, 1, 0xdabba7e2 },
		/* l1_vmware_like with capture=default+l0: registers and memory. */
		{ "tests/golden/1/vmware.vxt", 61921, 25480, 0, 1, 0xa1a0995c },
		/* Three processors whose TSCs differ, from replay/track_test.c. */
		{ "tests/golden/1/smp.vxt", 20027, 20000, 0, 3, 0x44450c1 },
		/* l1_smp: two processors that hand VMCSs over, in the second layout of the schema.
		 */
		{ "tests/golden/1/handover.vxt", 4414, 4130, 0, 2, 0xec5d09bd },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reader *const reader = open_tape(rows[i].path);
		const struct reader_info *const info = reader_info(reader);
		const struct trace_event *event;
		u64 events = 0;
		u32 hash = 0;

		for (; reader_next(reader, &event) == ST_OK; events++)
			hash = hash_event(hash, reader_schema(reader), event);
		assert_row(rows[i].path, events, rows[i].events);
		assert_row(rows[i].path, info->events, rows[i].events);
		assert_row(rows[i].path, info->counted, rows[i].counted);
		assert_row(rows[i].path, info->lost, rows[i].lost);
		assert_row(rows[i].path, info->cpus, rows[i].cpus);
		assert_row(rows[i].path, info->version, 1);
		assert_row(rows[i].path, hash, rows[i].hash);
		assert_null(reader_damage(reader));
		reader_close(reader);
	}
}

/* --- tapes to come ---------------------------------------------------------------------------- */

static void check_future(const char *path)
{
	struct reader *const reader = open_tape(path);
	const struct trace_schema *const schema = reader_schema(reader);
	static struct test_event made;
	const struct trace_event *event;
	unsigned unknown = 0;
	u64 number = 0;

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

static void kinds_and_columns_to_come_are_read_whole(void **state)
{
	char path[] = "/tmp/vmxtape-test-XXXXXX";

	(void)state;
	check_future(FUTURE);
	/* And with a column more in every kind. */
	close(mkstemp(path));
	assert_true(future_make(path, true));
	check_future(path);
	unlink(path);
}

static void what_is_unknown_has_a_text(void **state)
{
	struct reader *const reader = open_tape(FUTURE);
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
		cmocka_unit_test(tapes_of_version_1_are_read_whole),
		cmocka_unit_test(kinds_and_columns_to_come_are_read_whole),
		cmocka_unit_test(what_is_unknown_has_a_text),
	};
	return cmocka_run_group_tests_name("replay/golden", tests, NULL, NULL);
}
