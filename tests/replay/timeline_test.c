#include "tests/test.h"

#include "replay/model_hash.h"
#include "replay/position.h"
#include "replay/timeline.h"
#include "tests/replay/timeline_tapes.h"

/* What a linear run says: the places of all events, the state before each, and the end's. */
struct linear {
	u64 *n;
	u64 *hash;
	u64 count; /* of events; one more place is behind them */
};

static struct linear run_linear(unsigned tape)
{
	struct timeline *const timeline = timeline_of(tape);
	struct reader *const reader = timeline_reader(timeline);
	struct model *const model = model_new();
	const u64 events = timeline_events(timeline);
	struct linear linear = { .n = calloc(events + 1, sizeof(u64)),
				 .hash = calloc(events + 1, sizeof(u64)) };
	const struct trace_event *event;

	assert_int_equal(reader_seek(reader, 0), ST_OK);
	for (;;) {
		linear.n[linear.count] = reader_tell(reader);
		linear.hash[linear.count] = model_hash(model);
		if (reader_next(reader, &event) != ST_OK)
			break;
		assert_int_equal(model_step(model, event, linear.n[linear.count]), ST_OK);
		linear.count++;
	}
	model_free(model);
	timeline_close(timeline);
	return linear;
}

static void free_linear(struct linear *linear)
{
	free(linear->n);
	free(linear->hash);
}

static void check_place(struct timeline *timeline, unsigned tape, const struct linear *linear,
			u64 i)
{
	const struct trace_event *const event = timeline_event(timeline);

	assert_row(timeline_tapes[tape].name, timeline_tell(timeline), linear->n[i]);
	assert_row(timeline_tapes[tape].name, model_hash(timeline_model(timeline)),
		   linear->hash[i]);
	assert_row(timeline_tapes[tape].name, event == NULL, i == linear->count);
}

static void forward_and_back_by_any_steps_is_the_identity(void **state)
{
	struct timeline_stop stop;

	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct linear linear = run_linear(tape);
		struct timeline *const timeline = timeline_of(tape);
		u64 *const hashes = calloc(linear.count + 1, sizeof(u64)), moves;

		for (u64 i = 0; i <= linear.count; i++) {
			check_place(timeline, tape, &linear, i);
			hashes[i] = timeline_hash(timeline);
			moves = timeline_moves(timeline);
			assert_int_equal(timeline_run(timeline, TIMELINE_FORWARD, 1, &stop), ST_OK);
			assert_int_equal(stop.why, i + 1 < linear.count ? STOP_STEP : STOP_END);
			assert_true(i == linear.count || timeline_moves(timeline) > moves);
		}
		for (u64 i = linear.count; i--;) {
			assert_int_equal(timeline_run(timeline, TIMELINE_BACKWARD, 1, &stop),
					 ST_OK);
			assert_int_equal(stop.why, i ? STOP_STEP : STOP_BEGIN);
			check_place(timeline, tape, &linear, i);
			assert_row(timeline_tapes[tape].name, timeline_hash(timeline), hashes[i]);
		}
		assert_int_equal(timeline_run(timeline, TIMELINE_BACKWARD, 1, &stop), ST_OK);
		assert_int_equal(stop.why, STOP_BEGIN);
		free(hashes);
		free_linear(&linear);
		timeline_close(timeline);
	}
}

/* The place that a seek to @n comes to. */
static u64 place_of(const struct linear *linear, u64 n)
{
	u64 i = 0;

	while (linear->n[i] < n)
		i++;
	return i;
}

static void seeking_anywhere_gives_what_a_linear_run_gives(void **state)
{
	unsigned leapt = 0;
	u64 random = 4;

	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct linear linear = run_linear(tape);
		struct timeline *const timeline = timeline_of(tape);
		const u64 events = timeline_events(timeline);

		for (unsigned i = 0; i < 400; i++) {
			const u64 near = timeline_tell(timeline) + test_random(&random) % 100;
			const u64 far = i ? test_random(&random) % (events + 1) : events;
			const u64 n = i % 2 ? MIN(near, events) : far;

			assert_int_equal(timeline_seek(timeline, n), ST_OK);
			check_place(timeline, tape, &linear, place_of(&linear, n));
		}
		assert_int_equal(timeline_seek(timeline, events + 1), ST_RANGE);
		assert_int_equal(timeline->has, INDEX_READY);
		assert_true(timeline->index.count >= events / 200);
		/* Most of the way at once. */
		leapt += timeline->stride != NULL;
		free_linear(&linear);
		timeline_close(timeline);
	}
	assert_true(leapt > 2);
}

static void many_steps_at_once_are_as_many_steps(void **state)
{
	u64 random = 6;

	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct linear linear = run_linear(tape);
		struct timeline *const timeline = timeline_of(tape);
		struct timeline_stop stop;
		u64 at = 0;

		for (unsigned i = 0; i < 60; i++) {
			const u64 steps = test_random(&random) % (i % 3 ? 900 : 20) + 1;
			const bool back = test_random(&random) % 2;

			assert_int_equal(timeline_run(timeline,
						      back ? TIMELINE_BACKWARD : TIMELINE_FORWARD,
						      steps, &stop),
					 ST_OK);
			at = back ? at - MIN(at, steps) : MIN(at + steps, linear.count);
			check_place(timeline, tape, &linear, at);
		}
		free_linear(&linear);
		timeline_close(timeline);
	}
}

static void the_second_reader_moves_no_cursor(void **state)
{
	struct timeline *const timeline = timeline_of(1);
	u64 hash;

	(void)state;
	assert_int_equal(timeline_seek(timeline, 1000), ST_OK);
	hash = timeline_hash(timeline);
	assert_int_equal(reader_seek(timeline_reader(timeline), 7), ST_OK);
	assert_u64(timeline_hash(timeline), hash);
	assert_u64(timeline_tell(timeline), 1000);
	assert_int_equal(timeline_run(timeline, TIMELINE_FORWARD, 1, &(struct timeline_stop){ 0 }),
			 ST_OK);
	assert_u64(timeline_tell(timeline), 1001);
	timeline_close(timeline);
}

static void last_writers_are_those_of_the_history(void **state)
{
	u64 random = 8;

	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct timeline *const timeline = timeline_of(tape);
		const u64 events = timeline_events(timeline);

		for (unsigned i = 0; i < 60; i++) {
			const u64 n = test_random(&random) % (events + 1);
			const u64 vmcs =
				dialogue_pointer((int)(test_random(&random) % DIALOGUE_REGIONS));
			const int field = (int)(test_random(&random) % VMCS_FIELD_COUNT);
			struct history *const history =
				history_new(timeline_reader(timeline), vmcs, field, n);
			struct history_write a = { 0 }, b = { 0 };
			const enum status expected = history_next(history, &a);

			assert_int_equal(timeline_last_writer(timeline, vmcs, field, n, &b),
					 expected == ST_END ? ST_NOT_FOUND : expected);
			if (expected == ST_OK) {
				assert_row(timeline_tapes[tape].name, b.place.n, a.place.n);
				assert_row(timeline_tapes[tape].name, b.origin, a.origin);
				assert_row(timeline_tapes[tape].name, b.value, a.value);
				assert_row(timeline_tapes[tape].name, b.mask, a.mask);
			}
			history_free(history);
		}
		timeline_close(timeline);
	}
}

/* The answer by following the tape from its start: the last write that changes known bits. */
static bool answer_of(struct reader *reader, u64 vmcs, int field, u64 mask, u64 n, u64 *answer)
{
	const struct trace_event *event;
	u64 value = 0, known = 0, at;
	bool found = false;

	assert_int_equal(reader_seek(reader, 0), ST_OK);
	while ((at = reader_tell(reader)) < n && reader_next(reader, &event) == ST_OK) {
		struct history_write write;
		u64 bits;

		if (!history_take(event, at, vmcs, field, &write))
			continue;
		bits = write.mask & mask;
		if (write.origin == HISTORY_GAP)
			known = 0;
		else if (!(bits & ~known) && !((write.value ^ value) & bits))
			continue;
		value = (value & ~bits) | (write.value & bits);
		known |= bits;
		found = true;
		*answer = at;
	}
	return found;
}

static void who_made_bits_what_they_are_is_found_back_through_time(void **state)
{
	u64 random = 11;
	unsigned found = 0;

	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct timeline *const timeline = timeline_of(tape);
		const u64 events = timeline_events(timeline);

		for (unsigned i = 0; i < 40; i++) {
			const u64 n = test_random(&random) % (events + 1);
			const u64 vmcs =
				dialogue_pointer((int)(test_random(&random) % DIALOGUE_REGIONS));
			struct history_question question = {
				.index = (int)(test_random(&random) % VMCS_FIELD_COUNT),
				.mask = BIT(test_random(&random) % 64) |
					BIT(test_random(&random) % 64),
			};
			struct history *history;
			u64 expected = 0;
			bool any;

			question.mask &= vmcs_width_mask(vmcs_fields[question.index].width);
			if (!question.mask)
				continue;
			any = answer_of(timeline_reader(timeline), vmcs, question.index,
					question.mask, n, &expected);
			assert_int_equal(
				timeline_history(timeline, vmcs, question.index, n, &history),
				ST_OK);
			assert_int_equal(history_answer(history, &question), ST_OK);
			assert_row(timeline_tapes[tape].name, question.found, any);
			if (any)
				assert_row(timeline_tapes[tape].name, question.write.place.n,
					   expected);
			found += any;
			history_free(history);
		}
		timeline_close(timeline);
	}
	assert_true(found > 50);
}

/* Of each CPU's tapes: by a look at every event. */
static u64 first_of(struct timeline *timeline, const char *mark, u64 tsc, u64 entry)
{
	struct reader *const reader = timeline_reader(timeline);
	const struct trace_event *event;
	u64 n = 0, entries = 0;

	assert_int_equal(reader_seek(reader, 0), ST_OK);
	while ((n = reader_tell(reader)) < timeline_events(timeline) &&
	       reader_next(reader, &event) == ST_OK) {
		entries += event->kind == EV_L2_ENTRY;
		if (mark ? event->kind == EV_MARK && event->byte_count == strlen(mark) &&
				    !memcmp(event->bytes, mark, strlen(mark))
		    : tsc ? event->tsc >= tsc
			  : entries == entry)
			return n;
	}
	return n;
}

static void positions_are_found_by_the_index_as_without_it(void **state)
{
	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct timeline *const timeline = timeline_of(tape);
		struct reader *const reader = timeline_reader(timeline);
		const u64 last_tsc = reader_info(reader)->last_tsc;

		for (unsigned i = 1; i < 60; i++) {
			const u64 tsc = last_tsc / 50 * i + 1;
			char text[64], error[256];
			u64 expected, a = 0, b = 0;
			enum status status;

			if (i % 3 == 0)
				snprintf(text, sizeof(text), "@tsc:%llu", (unsigned long long)tsc);
			else if (i % 3 == 1)
				snprintf(text, sizeof(text), "@entry:%u", i * i / 8 + 1);
			else
				snprintf(text, sizeof(text), "@mark:m%u", i % 30);
			expected = i % 3 == 0	? first_of(timeline, NULL, tsc, 0)
				   : i % 3 == 1 ? first_of(timeline, NULL, 0, i * i / 8 + 1)
						: first_of(timeline, text + 6, 0, 0);
			status = position_resolve(reader, text, &a, error, sizeof(error));
			assert_row(text, timeline_resolve(timeline, text, &b, error, sizeof(error)),
				   status);
			assert_row(text, status,
				   expected == timeline_events(timeline) ? ST_NOT_FOUND : ST_OK);
			if (status != ST_OK)
				continue;
			assert_row(text, a, expected);
			assert_row(text, b, expected);
		}
		timeline_close(timeline);
	}
}

static void what_is_no_tape_is_refused(void **state)
{
	struct timeline *timeline;
	char error[256] = "";

	(void)state;
	assert_int_equal(timeline_open("/nowhere/t.vxt", &timeline, error, sizeof(error)), ST_IO);
	assert_null(timeline);
	assert_non_null(strstr(error, "/nowhere/t.vxt"));
	assert_int_equal(timeline_open_memory("it", "x", 1, &timeline, error, sizeof(error)),
			 ST_INVALID);
	assert_null(timeline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward_and_back_by_any_steps_is_the_identity),
		cmocka_unit_test(seeking_anywhere_gives_what_a_linear_run_gives),
		cmocka_unit_test(many_steps_at_once_are_as_many_steps),
		cmocka_unit_test(the_second_reader_moves_no_cursor),
		cmocka_unit_test(last_writers_are_those_of_the_history),
		cmocka_unit_test(who_made_bits_what_they_are_is_found_back_through_time),
		cmocka_unit_test(positions_are_found_by_the_index_as_without_it),
		cmocka_unit_test(what_is_no_tape_is_refused),
	};

	return cmocka_run_group_tests_name("replay/timeline", tests, timeline_make_tapes,
					   timeline_free_tapes);
}
