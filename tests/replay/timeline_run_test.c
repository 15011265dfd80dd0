#include "tests/test.h"

#include "replay/timeline.h"
#include "tests/replay/timeline_tapes.h"

#define PAGE_BYTES 16 /* that a page of a dialogue has */

/* What the tests know of each event, apart from the timeline. */
struct seen {
	u64 n;
	u64 rip;
	u64 page; /* + 1 */
	u8 bytes[PAGE_BYTES];
	bool gap;
	u16 cpu;
	u8 level;
	bool matches; /* the query of this test */
	bool writes;  /* field of this test */
	bool ends_finding;
};

struct tape_seen {
	struct seen *list;
	u64 count;
	u64 end;
};

#define QUERY "kind==vmread || reason==cpuid"
#define FIELD 3

static struct tape_seen look(struct timeline *timeline)
{
	struct reader *const reader = timeline_reader(timeline);
	struct tape_seen seen = { .end = timeline_events(timeline) };
	const struct trace_event *event;
	const struct findings *findings;
	struct history_write write;
	struct query *query;
	char error[128];
	u64 n, place;

	seen.list = calloc(seen.end + 1, sizeof(*seen.list));
	assert_int_equal(query_compile(QUERY, reader_schema(reader), &query, error, sizeof(error)),
			 ST_OK);
	assert_int_equal(timeline_findings(timeline, &findings), ST_OK);
	assert_int_equal(reader_seek(reader, 0), ST_OK);
	while ((n = reader_tell(reader)) < seen.end && reader_next(reader, &event) == ST_OK) {
		struct seen *const to = &seen.list[seen.count++];

		*to = (struct seen){ .n = n,
				     .rip = event->rip,
				     .cpu = event->cpu,
				     .level = event->level,
				     .page = event->kind == EV_PAGE ? event->col[0] + 1 : 0,
				     .matches = query_match(query, event, n) };
		to->gap = event->kind == EV_GAP;
		if (to->page && event->byte_count == PAGE_BYTES)
			memcpy(to->bytes, event->bytes, PAGE_BYTES);
		to->writes = history_take(event, n, HISTORY_ANY_VMCS, FIELD, &write) &&
			     write.origin != HISTORY_GAP && write.origin != HISTORY_FRAME;
		for (unsigned i = 0; i < findings->count; i++)
			to->ends_finding |=
				timeline_finding_place(findings->list[i], &place) && place == n;
	}
	query_free(query);
	return seen;
}

#define ADDRESS 0xffffffff81000600ull /* of VMREAD, in a dialogue */
#define RANGE	0x40

static bool changes_page(const struct tape_seen *seen, u64 i, const struct timeline_break *how)
{
	const struct seen *const at = &seen->list[i];
	const u64 first = how->address % 4096, size = how->end - how->address;

	if (at->page != how->address - first + 1)
		return false;
	while (i-- && !seen->list[i].gap)
		if (seen->list[i].page == at->page)
			return memcmp(seen->list[i].bytes + first, at->bytes + first, size) != 0;
	return false;
}

/* Whether a break of @kind stops at event @i by the words of timeline.h. */
static bool stops(const struct tape_seen *seen, u64 i, const struct timeline_break *how)
{
	const struct seen *const at = &seen->list[i];

	if (how->cpu >= 0 && at->cpu != how->cpu)
		return false;
	if (how->kind == BREAK_MEMORY)
		return changes_page(seen, i, how);
	if (how->level && at->level != how->level)
		return false;
	switch (how->kind) {
	case BREAK_RIP:
		return at->level && at->rip == how->address;
	case BREAK_RANGE:
		if (!at->level || at->rip < how->address || at->rip >= how->end)
			return false;
		while (i--)
			if (seen->list[i].cpu == at->cpu && seen->list[i].level == at->level)
				return seen->list[i].rip < how->address ||
				       seen->list[i].rip >= how->end;
		return true;
	case BREAK_QUERY:
		return at->matches;
	case BREAK_EVENT:
		return true;
	case BREAK_FINDING:
		return at->ends_finding;
	case BREAK_FIELD:
		return at->writes;
	default:
		return false;
	}
}

static bool is_passed(const struct timeline_break *how)
{
	return how->kind == BREAK_FIELD || how->kind == BREAK_MEMORY;
}

/* Where a run from place @i stops: a linear scan. @id: index of the break + 1. */
static u64 expected_stop(const struct tape_seen *seen, u64 i, bool back,
			 const struct timeline_break *how, unsigned count, u64 limit, int *id)
{
	const u64 from = i;

	*id = 0;
	while (back ? i > 0 : i < seen->count) {
		i += back ? (u64)-1 : 1;
		for (unsigned b = 0; b < count && !*id; b++) {
			const bool passed = is_passed(&how[b]);

			if (back || !passed ? i < seen->count && stops(seen, i, &how[b])
					    : stops(seen, i - 1, &how[b]))
				*id = (int)b + 1;
		}
		if (*id || (limit && (back ? from - i : i - from) == limit))
			break;
	}
	return i;
}

static u64 place(const struct tape_seen *seen, u64 i)
{
	return i < seen->count ? seen->list[i].n : seen->end;
}

static void check_runs(unsigned tape, const struct timeline_break *how, unsigned count)
{
	struct timeline *const timeline = timeline_of(tape);
	struct tape_seen seen = look(timeline);
	u64 random = 5, at = 0;
	struct query *query;
	char error[128];
	int id;

	assert_int_equal(query_compile(QUERY, reader_schema(timeline_reader(timeline)), &query,
				       error, sizeof(error)),
			 ST_OK);
	for (unsigned b = 0; b < count; b++) {
		struct timeline_break made = how[b];

		made.query = query;
		assert_int_equal(timeline_break_add(timeline, &made), b + 1);
	}
	for (unsigned i = 0; i < 80; i++) {
		/* Now and then to the end, then all the way back, now and then to and fro. */
		const bool back = i < 60 ? i / 20 % 2 : test_random(&random) % 2;
		const u64 limit = i < 60 ? 0 : test_random(&random) % (i % 2 ? 50 : 2) + 1;
		struct timeline_stop stop;
		u64 next;

		if (i == 20)
			at = seen.count;
		if (i == 40)
			at = seen.count / 3;
		assert_int_equal(timeline_seek(timeline, place(&seen, at)), ST_OK);
		next = expected_stop(&seen, at, back, how, count, limit, &id);
		assert_int_equal(timeline_run(timeline, back ? TIMELINE_BACKWARD : TIMELINE_FORWARD,
					      limit, &stop),
				 ST_OK);
		assert_row(timeline_tapes[tape].name, timeline_tell(timeline), place(&seen, next));
		assert_row(timeline_tapes[tape].name, stop.id, id);
		assert_row(timeline_tapes[tape].name, stop.why,
			   id				 ? STOP_BREAK
			   : back && next == 0		 ? STOP_BEGIN
			   : !back && next == seen.count ? STOP_END
							 : STOP_STEP);
		at = next;
	}
	query_free(query);
	free(seen.list);
	timeline_close(timeline);
}

static void runs_stop_where_a_linear_scan_does(void **state)
{
	const struct timeline_break sets[][3] = {
		{ { .kind = BREAK_RIP, .cpu = -1, .address = ADDRESS + 8 } },
		{ { .kind = BREAK_RIP, .cpu = 1, .level = 2, .address = 0x400000 } },
		{ { .kind = BREAK_RANGE, .cpu = -1, .address = ADDRESS, .end = ADDRESS + RANGE } },
		{ { .kind = BREAK_RANGE,
		    .cpu = 0,
		    .level = 1,
		    .address = ADDRESS,
		    .end = ADDRESS + 1000 },
		  { .kind = BREAK_RANGE,
		    .cpu = -1,
		    .level = 2,
		    .address = 0x400003,
		    .end = 0x400010 } },
		{ { .kind = BREAK_QUERY, .cpu = -1 } },
		{ { .kind = BREAK_EVENT, .cpu = 1, .level = 1 } },
		{ { .kind = BREAK_FINDING, .cpu = -1 } },
		{ { .kind = BREAK_FIELD, .cpu = -1, .vmcs = HISTORY_ANY_VMCS, .field = FIELD } },
		{ { .kind = BREAK_MEMORY, .cpu = -1, .level = 1, .address = 0x1005, .end = 0x1010 },
		  { .kind = BREAK_FIELD, .cpu = 0, .vmcs = HISTORY_ANY_VMCS, .field = FIELD },
		  { .kind = BREAK_RIP, .cpu = -1, .address = ADDRESS + 16 } },
		{ { .kind = BREAK_RIP, .cpu = -1, .address = 1 } },
	};

	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++)
		for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
			unsigned count = 1;

			while (count < 3 && (sets[i][count].kind || sets[i][count].address))
				count++;
			check_runs(tape, sets[i], count);
		}
}

static void matches_are_found_without_moving(void **state)
{
	u64 random = 3;

	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct timeline *const timeline = timeline_of(tape);
		struct tape_seen seen = look(timeline);
		struct query *query;
		char error[128];

		assert_int_equal(query_compile(QUERY, reader_schema(timeline_reader(timeline)),
					       &query, error, sizeof(error)),
				 ST_OK);
		for (unsigned i = 0; i < 100; i++) {
			const bool back = i % 2;
			u64 from = test_random(&random) % (seen.count + 1), at = from, n;
			enum status status;

			if (back)
				while (at && !seen.list[--at].matches)
					;
			else
				while (at < seen.count && !seen.list[at].matches)
					at++;
			status = timeline_next_match(timeline, query, place(&seen, from),
						     back ? TIMELINE_BACKWARD : TIMELINE_FORWARD,
						     &n);
			if (at < seen.count && seen.list[at].matches && (!back || at < from)) {
				assert_row(timeline_tapes[tape].name, status, ST_OK);
				assert_row(timeline_tapes[tape].name, n, place(&seen, at));
			} else {
				assert_row(timeline_tapes[tape].name, status, ST_NOT_FOUND);
			}
			assert_u64(timeline_tell(timeline), 0);
		}
		query_free(query);
		free(seen.list);
		timeline_close(timeline);
	}
}

static void breaks_have_numbers(void **state)
{
	struct timeline *const timeline = timeline_of(0);
	struct timeline_break how = { .kind = BREAK_RIP, .cpu = -1, .address = 5 };

	(void)state;
	assert_int_equal(timeline_break_next(timeline, 0), 0);
	assert_int_equal(timeline_break_add(timeline, &how), 1);
	how.address = 6;
	assert_int_equal(timeline_break_add(timeline, &how), 2);
	timeline_break_remove(timeline, 1);
	assert_null(timeline_break_get(timeline, 1));
	assert_u64(timeline_break_get(timeline, 2)->address, 6);
	assert_int_equal(timeline_break_next(timeline, 0), 2);
	assert_int_equal(timeline_break_next(timeline, 2), 0);
	timeline_break_remove(timeline, 77777);
	timeline_break_remove(timeline, -1);
	how.cpu = 5000;
	assert_true(timeline_break_add(timeline, &how) < 0);
	how = (struct timeline_break){ .kind = BREAK_RANGE, .cpu = -1, .address = 5, .end = 5 };
	assert_true(timeline_break_add(timeline, &how) < 0);
	how = (struct timeline_break){ .kind = BREAK_QUERY, .cpu = -1 };
	assert_true(timeline_break_add(timeline, &how) < 0);
	timeline_close(timeline);
}

static bool poll_at_once(void *owner, u64 done, u64 total)
{
	assert_true(done <= total);
	++*(unsigned *)owner;
	return true;
}

static void a_poll_ends_what_is_long(void **state)
{
	struct timeline_break never = { .kind = BREAK_QUERY, .cpu = -1 };
	struct query *query;
	struct timeline *timeline;
	struct timeline_stop stop;
	const struct findings *findings;
	char path[] = "/tmp/vmxtape-timeline-XXXXXX", error[256];
	unsigned polls = 0;

	(void)state;
	close(mkstemp(path));
	dialogue_record(path, 1, 200000, 1000000, 1);
	assert_int_equal(timeline_open(path, &timeline, error, sizeof(error)), ST_OK);
	assert_int_equal(query_compile("kind==vmread && n==9999999",
				       reader_schema(timeline_reader(timeline)), &query, error,
				       sizeof(error)),
			 ST_OK);
	never.query = query;
	assert_int_equal(timeline_break_add(timeline, &never), 1);
	timeline_on_poll(timeline, poll_at_once, &polls);
	assert_int_equal(timeline_run(timeline, TIMELINE_FORWARD, 0, &stop), ST_OK);
	assert_int_equal(stop.why, STOP_INTERRUPTED);
	assert_true(timeline_tell(timeline) < timeline_events(timeline));
	/* That is, of the index. */
	assert_int_equal(timeline_seek(timeline, timeline_events(timeline)), ST_INTERRUPTED);
	timeline_on_poll(timeline, NULL, NULL);
	assert_int_equal(timeline_seek(timeline, timeline_events(timeline)), ST_OK);
	timeline_on_poll(timeline, poll_at_once, &polls);
	assert_int_equal(timeline_run(timeline, TIMELINE_BACKWARD, 0, &stop), ST_OK);
	assert_int_equal(stop.why, STOP_INTERRUPTED);
	assert_true(timeline_tell(timeline) < timeline_events(timeline));
	assert_int_equal(timeline_findings(timeline, &findings), ST_INTERRUPTED);
	assert_true(polls >= 3);
	timeline_on_poll(timeline, NULL, NULL);
	assert_int_equal(timeline_findings(timeline, &findings), ST_OK);
	timeline_close(timeline);
	query_free(query);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_stop_where_a_linear_scan_does),
		cmocka_unit_test(matches_are_found_without_moving),
		cmocka_unit_test(breaks_have_numbers),
		cmocka_unit_test(a_poll_ends_what_is_long),
	};

	return cmocka_run_group_tests_name("replay/timeline_run", tests, timeline_make_tapes,
					   timeline_free_tapes);
}
