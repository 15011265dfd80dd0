#include "tests/test.h"

#include <unistd.h>

#include "recorder/capture.h"
#include "replay/check.h"
#include "replay/event_json.h"
#include "replay/event_text.h"
#include "replay/position.h"
#include "replay/report.h"
#include "tests/recorder/recording.h"

#define EVENTS 3000 /* besides boot record and key frames */

static char path[] = "/tmp/vmxtape-position-XXXXXX";

/* A tape of events with arbitrary content. */
static int make_tape(void **state)
{
	struct recording recording;
	struct capture *capture;
	char error[256];

	(void)state;
	close(mkstemp(path));
	recording_start(&recording, MIB(8), true);
	recording_emit(&recording, EVENTS);
	recording_end(&recording);
	assert_int_equal(capture_open(path, NULL, NULL, &capture, error, sizeof(error)), ST_OK);
	assert_int_equal(capture_feed(capture, recording.line, recording.line_size), ST_OK);
	assert_int_equal(capture_close(capture), ST_OK);
	capture_free(capture);
	recording_free(&recording);
	return 0;
}

static int remove_tape(void **state)
{
	(void)state;
	return unlink(path);
}

static struct reader *open_tape(void)
{
	struct reader *reader;
	char error[256];

	assert_int_equal(reader_open(path, &reader, error, sizeof(error)), ST_OK);
	return reader;
}

static void positions_are_found(void **state)
{
	struct reader *const reader = open_tape();
	const u64 events = reader_info(reader)->events;
	const struct {
		const char *text;
		enum status status;
		u64 n;
	} rows[] = {
		{ "@0", ST_OK, 0 },
		{ "@17", ST_OK, 17 },
		{ "@c0:17", ST_OK, 17 },
		{ "@0%", ST_OK, 0 },
		{ "@50%", ST_OK, events / 100 * 50 + events % 100 * 50 / 100 },
		{ "@100%", ST_OK, events - 1 },
		{ "@101%", ST_NOT_FOUND, 0 },
		{ "@c0:99999999", ST_NOT_FOUND, 0 },
		{ "@c9:1", ST_NOT_FOUND, 0 },
		{ "@c70000:1", ST_NOT_FOUND, 0 },
		{ "@99999999", ST_NOT_FOUND, 0 },
		{ "@entry:0", ST_NOT_FOUND, 0 },
		{ "@entry:99999999", ST_NOT_FOUND, 0 },
		{ "@last", ST_OK, events - 1 },
		{ "@tsc:0", ST_OK, 0 },
		{ "@tsc:0xffffffffffffffff", ST_NOT_FOUND, 0 },
		{ "@tsc:x", ST_INVALID, 0 },
		{ "@tsc:0x", ST_INVALID, 0 },
		{ "@mark:", ST_INVALID, 0 },
		{ "@mark:never", ST_NOT_FOUND, 0 },
		{ "@lasts", ST_INVALID, 0 },
		{ "@finding:0", ST_NOT_FOUND, 0 },
		{ "@finding:99999", ST_NOT_FOUND, 0 },
		{ "17", ST_INVALID, 0 },
		{ "@", ST_INVALID, 0 },
		{ "@x", ST_INVALID, 0 },
		{ "@c0", ST_INVALID, 0 },
		{ "@c0:", ST_INVALID, 0 },
		{ "@c:5", ST_INVALID, 0 },
		{ "@17x", ST_INVALID, 0 },
		{ "@entry:", ST_INVALID, 0 },
		{ "", ST_INVALID, 0 },
	};
	char error[256];
	u64 n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		*error = 0;
		assert_row(rows[i].text,
			   position_resolve(reader, rows[i].text, &n, error, sizeof(error)),
			   rows[i].status);
		if (rows[i].status == ST_OK)
			assert_row(rows[i].text, n, rows[i].n);
		else if (!*error)
			fail_msg("'%s' is refused without a word", rows[i].text);
	}
	reader_close(reader);
}

static void the_nth_entry_is_the_nth(void **state)
{
	struct reader *const reader = open_tape();
	const struct trace_event *event;
	char error[256];
	u64 n, count = 0;

	(void)state;
	assert_int_equal(position_resolve(reader, "@entry:3", &n, error, sizeof(error)), ST_OK);
	assert_int_equal(reader_seek(reader, 0), ST_OK);
	while (reader_tell(reader) < n) {
		assert_int_equal(reader_next(reader, &event), ST_OK);
		count += event->kind == EV_L2_ENTRY;
	}
	assert_int_equal(count, 2);
	assert_int_equal(reader_next(reader, &event), ST_OK);
	assert_int_equal(event->kind, EV_L2_ENTRY);
	reader_close(reader);
}

static void ranges_have_both_their_ends(void **state)
{
	struct reader *const reader = open_tape();
	const u64 events = reader_info(reader)->events;
	const struct {
		const char *text;
		enum status status;
		u64 first, end;
	} rows[] = {
		{ "@5..@9", ST_OK, 5, 10 },    { "@c0:5..@c0:9", ST_OK, 5, 10 },
		{ "@5..", ST_OK, 5, events },  { "..@9", ST_OK, 0, 10 },
		{ "@5", ST_OK, 5, 6 },	       { "@5..@99999999", ST_OK, 5, events },
		{ "@9..@5", ST_OK, 9, 6 },     { "@5..x", ST_INVALID, 0, 0 },
		{ "x..@5", ST_INVALID, 0, 0 }, { "@99999999..@5", ST_NOT_FOUND, 0, 0 },
	};
	struct position_range range;
	char error[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_row(
			rows[i].text,
			position_resolve_range(reader, rows[i].text, &range, error, sizeof(error)),
			rows[i].status);
		if (rows[i].status != ST_OK)
			continue;
		assert_row(rows[i].text, range.first, rows[i].first);
		assert_row(rows[i].text, range.end, rows[i].end);
	}
	reader_close(reader);
}

/* Says that each line ends where it should and has nothing that a terminal would act upon. */
static void check_line(const char *line, const char *end, size_t room)
{
	assert_true(end > line && (size_t)(end - line) < room);
	assert_int_equal(end[-1], '\n');
	for (const char *c = line; c < end - 1; c++)
		if (*c < ' ' || *c > '~')
			fail_msg("byte %d in '%.*s'", *c, (int)(end - line), line);
}

static void any_event_becomes_a_line_of_text_and_of_json(void **state)
{
	struct reader *const reader = open_tape();
	const struct event_names *const names = reader_names(reader);
	struct model *const model = model_new();
	char *const line = malloc(EVENT_JSON_MAX);
	const struct trace_event *event;
	u64 n = 0;

	(void)state;
	for (; reader_next(reader, &event) == ST_OK; n++) {
		check_line(line, event_text(line, names, event, model), EVENT_TEXT_MAX);
		check_line(line, event_json(line, names, event, n, model), EVENT_JSON_MAX);
		for (u32 i = 0; i < event->item_count; i++)
			if (event->items[i].id < ITEM_REG && event->kind == EV_L2_EXIT) {
				check_line(line, event_text_item(line, event, i, model),
					   EVENT_TEXT_MAX);
				check_line(line, event_json_item(line, event, n, i, model),
					   EVENT_JSON_MAX);
			}
		assert_int_equal(model_step(model, event, n), ST_OK);
	}
	assert_true(n > EVENTS);
	free(line);
	model_free(model);
	reader_close(reader);
}

static void write_nothing(void *owner, const char *text, size_t length)
{
	size_t *const total = owner;

	(void)text;
	*total += length;
}

static char *no_event(void *owner, const struct model_place *place, char *to)
{
	(void)owner;
	(void)place;
	return to;
}

static void rules_survive_any_event(void **state)
{
	static const struct report_ops ops = { .write = write_nothing, .event = no_event };
	struct reader *const reader = open_tape();
	struct check *const check = check_new("t.vxt");
	size_t total = 0;

	(void)state;
	assert_int_equal(check_tape(check, reader, 0, reader_info(reader)->events), ST_OK);
	for (unsigned i = 0; i < check_findings(check)->count; i++) {
		report_text(&ops, &total, check_findings(check)->list[i], i + 1);
		report_json(&ops, &total, check_findings(check)->list[i], i + 1);
	}
	assert_int_equal(!total, !check_findings(check)->count);
	check_free(check);
	reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(positions_are_found),
		cmocka_unit_test(the_nth_entry_is_the_nth),
		cmocka_unit_test(ranges_have_both_their_ends),
		cmocka_unit_test(any_event_becomes_a_line_of_text_and_of_json),
		cmocka_unit_test(rules_survive_any_event),
	};

	return cmocka_run_group_tests_name("replay/position", tests, make_tape, remove_tape);
}
