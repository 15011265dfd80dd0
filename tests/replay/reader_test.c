#include "tests/test.h"

#include <unistd.h>

#include "recorder/capture.h"
#include "replay/reader.h"
#include "tests/recorder/recording.h"

static char path[] = "/tmp/vmxtape-test-XXXXXX";

/* The capture of what @recording put on the line. */
static void capture_line(const struct recording *recording, struct capture_stats *stats)
{
	struct capture *capture;
	char error[256];

	assert_int_equal(capture_open(path, NULL, NULL, &capture, error, sizeof(error)), ST_OK);
	assert_int_equal(capture_feed(capture, recording->line, recording->line_size), ST_OK);
	assert_int_equal(capture_close(capture), ST_OK);
	*stats = *capture_stats(capture);
	capture_free(capture);
}

static struct reader *open_tape(void)
{
	struct reader *reader;
	char error[256];

	if (reader_open(path, &reader, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return reader;
}

/* Everything that the test recorder emitted comes out of the reader, in order. */
static u64 check_events(struct reader *reader, u64 expected)
{
	static struct test_event made;
	const struct trace_event *event;
	u64 n = 0, all = 0;

	for (; reader_next(reader, &event) == ST_OK; all++) {
		const char *wrong;

		assert_u64(event->seq, all);
		if (all < 8 || (event->kind == EV_VMX_STATE && !event->rip))
			continue;
		test_event(reader_schema(reader), n, &made);
		wrong = test_event_differs(reader_schema(reader), &made.event, event);
		if (wrong)
			fail_msg("event %llu: %s", (unsigned long long)n, wrong);
		n++;
	}
	assert_u64(n, expected);
	assert_u64(all, reader_info(reader)->events);
	return all;
}

static void a_recording_comes_back_whole(void **state)
{
	static const struct {
		const char *name;
		u64 events;
		size_t ring;
		bool packs;
	} rows[] = {
		{ "nothing", 0, MIB(1), true },
		{ "one", 1, MIB(1), true },
		{ "raw", 20000, MIB(32), false },
		{ "packed", 20000, MIB(32), true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct recording recording;
		struct capture_stats stats;
		struct reader *reader;

		recording_start(&recording, rows[i].ring, rows[i].packs);
		for (u64 n = 0; n < rows[i].events; n++) {
			recording_emit(&recording, 1);
			rec_pack_slice(recording.rec);
		}
		recording_end(&recording);
		capture_line(&recording, &stats);
		reader = open_tape();
		assert_row(rows[i].name, check_events(reader, rows[i].events), stats.events);
		assert_null(reader_damage(reader));
		assert_true(reader_info(reader)->complete);
		assert_row(rows[i].name, reader_info(reader)->lost, 0);
		if (rows[i].events > 1)
			assert_row(rows[i].name, reader_info(reader)->packed > 10, rows[i].packs);
		reader_close(reader);
		recording_free(&recording);
	}
}

static int make_path(void **state)
{
	(void)state;
	close(mkstemp(path));
	return 0;
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_recording_comes_back_whole),
	};
	return cmocka_run_group_tests_name("replay/reader", tests, make_path, remove_path);
}
