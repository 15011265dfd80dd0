#include "tests/test.h"
#include "tests/tui/screen_tape.h"
#include "tui/rows.h"

static struct reader *open_tape(const char *name)
{
	struct reader *reader;
	char error[512];

	assert_true(screen_tape_make(name));
	if (reader_open(QUERY_TAPE, &reader, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return reader;
}

static void set_query(struct rows *rows, struct reader *reader, const char *text)
{
	struct query *query;
	char error[256];

	if (query_compile(text, reader_names(reader)->schema, &query, error, sizeof(error)) !=
	    ST_OK)
		fail_msg("%s", error);
	rows_set_query(rows, query);
}

/* Goes on until there is an answer. */
static enum rows_found next(struct rows *rows, const struct row *row, struct row *to, bool back)
{
	enum rows_found found;

	while ((found = back ? rows_previous(rows, row, to) : rows_next(rows, row, to)) ==
	       ROWS_PENDING)
		while (rows_work(rows, 1000000))
			;
	return found;
}

static u64 count_matches(struct reader *reader, const struct query *query)
{
	const struct trace_event *event;
	u64 count = 0, n;

	assert_int_equal(reader_seek(reader, 0), ST_OK);
	while (n = reader_tell(reader), reader_next(reader, &event) == ST_OK)
		count += !query || query_match(query, event, n);
	return count;
}

/* Whatever is let through and folded, forth and back meet the same rows, and all events once. */
static void forth_and_back_give_the_same_rows(void **state)
{
	static const struct {
		const char *name;
		const char *query;
		bool folding;
	} rows_of[] = {
		{ "everything", NULL, false },
		{ "folded", NULL, true },
		{ "one in seven", "kind==l2_exit", false },
		{ "folded and filtered", "kind==vmread", true },
		{ "three in all", "guest_cr4>=0", false },
		{ "nothing", "kind==vmptrst", false },
	};
	struct reader *const reader = open_tape("long");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows_of); i++) {
		struct rows *const rows = rows_new(reader);
		struct row row, at;
		u64 events = 0, count = 0, back = 0;
		enum rows_found found;

		assert_non_null(rows);
		if (rows_of[i].query)
			set_query(rows, reader, rows_of[i].query);
		rows_set_folding(rows, rows_of[i].folding);
		while ((found = rows_at(rows, 0, ROWS_FORWARD, &row)) == ROWS_PENDING)
			while (rows_work(rows, 1000000))
				;
		for (; found == ROWS_FOUND; found = next(rows, &row, &row, false)) {
			events += row.count;
			count++;
			at = row;
		}
		assert_row(rows_of[i].name, events, count_matches(reader, rows_query(rows)));
		for (found = count ? ROWS_FOUND : ROWS_NONE; found == ROWS_FOUND;
		     found = next(rows, &at, &at, true))
			back++;
		assert_row(rows_of[i].name, back, count);
		rows_free(rows);
	}
	reader_close(reader);
}

static void an_event_within_a_fold_is_in_its_row(void **state)
{
	struct reader *const reader = open_tape("dialogue");
	struct rows *const rows = rows_new(reader);
	struct row first, row;

	(void)state;
	/* The loop over MSRs reads a different one each time: no repeats. */
	set_query(rows, reader, "kind==msr_read");
	assert_int_equal(rows_at(rows, 0, ROWS_FORWARD, &first), ROWS_FOUND);
	assert_int_equal(first.count, 1);
	rows_set_query(rows, NULL);
	assert_int_equal(rows_at(rows, first.n + 1, ROWS_FORWARD, &row), ROWS_FOUND);
	assert_u64(row.n, first.n + 1);
	rows_free(rows);
	reader_close(reader);
}

static void what_lies_far_away_is_pending_until_it_was_looked_for(void **state)
{
	struct reader *const reader = open_tape("long");
	struct rows *const rows = rows_new(reader);
	const u64 events = reader_info(reader)->events;
	struct row row;

	(void)state;
	set_query(rows, reader, "kind==gap");
	assert_true(events > 8 * ROWS_CHUNK);
	assert_int_equal(rows_at(rows, events, ROWS_BACKWARD, &row), ROWS_FOUND);
	assert_true(row.n > events / 2);
	assert_int_equal(next(rows, &row, &row, true), ROWS_NONE);
	assert_int_equal(rows_progress(rows), 100);
	rows_free(rows);
	reader_close(reader);
}

static void a_longer_tape_keeps_what_is_known_of_the_shorter_one(void **state)
{
	struct reader *shorter = open_tape("live"), *longer;
	struct rows *const rows = rows_new(shorter);
	const u64 same = reader_info(shorter)->events - 1; /* the last is a gap: it is cut */
	struct row row;

	(void)state;
	assert_int_equal(rows_at(rows, same, ROWS_FORWARD, &row), ROWS_FOUND);
	longer = open_tape("finished");
	assert_int_equal(rows_grow(rows, longer, reader_info(longer)->events, same), ST_OK);
	reader_close(shorter);
	assert_int_equal(rows_at(rows, reader_info(longer)->events, ROWS_BACKWARD, &row),
			 ROWS_FOUND);
	assert_u64(row.n, reader_info(longer)->events - 1);
	rows_free(rows);
	reader_close(longer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forth_and_back_give_the_same_rows),
		cmocka_unit_test(an_event_within_a_fold_is_in_its_row),
		cmocka_unit_test(what_lies_far_away_is_pending_until_it_was_looked_for),
		cmocka_unit_test(a_longer_tape_keeps_what_is_known_of_the_shorter_one),
	};

	return cmocka_run_group_tests_name("tui/rows", tests, query_tape_folder, query_tape_remove);
}
