/*
 * Places that are found by the times of events alone, against those that reading gives.
 */
#include "tests/replay/timeline_tapes.h"

#define EVERY  64 /* events between checkpoints */
#define PLACES 40

struct name {
	u16 cpu;
	u64 seq;
};

/* The events by number; of those inside of damaged blocks the gap. */
static struct name *read_all(const struct timeline_tape *tape)
{
	struct reader *const reader = timeline_read(tape, EVERY);
	struct name *const names = calloc(reader_info(reader)->events + 1, sizeof(*names));
	const struct trace_event *event;

	assert_non_null(names);
	for (u64 n = 0; reader_next(reader, &event) == ST_OK;)
		for (; n < reader_tell(reader); n++)
			names[n] = (struct name){ event->cpu, event->seq };
	reader_close(reader);
	return names;
}

static void a_far_place_is_where_reading_comes_to(void **state)
{
	u64 random = 5;

	(void)state;
	for (unsigned i = 0; i < TIMELINE_TAPES; i++) {
		struct name *const names = read_all(&timeline_tapes[i]);

		for (unsigned k = 0; k < PLACES; k++) {
			struct reader *const reader = timeline_read(&timeline_tapes[i], EVERY);
			const struct trace_event *event;
			const u64 n = test_random(&random) % reader_info(reader)->events;
			u64 found;

			assert_int_equal(reader_seek(reader, n), ST_OK);
			found = reader_tell(reader);
			assert_true(found >= n);
			if (reader_next(reader, &event) == ST_OK) {
				assert_int_equal(event->cpu, names[found].cpu);
				assert_u64(event->seq, names[found].seq);
			}
			/* What lies inside of a damaged block has another name. */
			if (reader_find(reader, names[n].cpu, names[n].seq, &found) == ST_OK)
				assert_true(found == n || names[found].seq == names[n].seq);
			reader_close(reader);
		}
		free(names);
	}
}

static void in_steps_it_is_the_same_place(void **state)
{
	const struct timeline_tape *const tape = &timeline_tapes[1];
	struct name *const names = read_all(tape);
	struct reader *const reader = timeline_read(tape, EVERY);
	const u64 last = reader_info(reader)->events - 1;
	const struct trace_event *event;

	(void)state;
	while (!reader_approach(reader, last, READER_STEP))
		;
	assert_int_equal(reader_next(reader, &event), ST_OK);
	assert_int_equal(event->cpu, names[last].cpu);
	assert_u64(event->seq, names[last].seq);
	reader_close(reader);
	free(names);
}

/* Handed over in an order that their times contradict, too: nothing is read for it. */
static void no_event_is_read_where_none_is_missing(void **state)
{
	static const unsigned whole[] = { 1, 5, 9 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		struct reader *const reader = timeline_read(&timeline_tapes[whole[i]], EVERY);
		const struct reader_goal goal = { .n = reader_info(reader)->events - 1 };

		assert_true(reader_outline(reader, &goal, ~0ull));
		assert_true(reader->checkpoint_count > reader_info(reader)->events / EVERY / 4);
		reader_close(reader);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_far_place_is_where_reading_comes_to),
		cmocka_unit_test(in_steps_it_is_the_same_place),
		cmocka_unit_test(no_event_is_read_where_none_is_missing),
	};

	return cmocka_run_group_tests(tests, timeline_make_tapes, timeline_free_tapes);
}
