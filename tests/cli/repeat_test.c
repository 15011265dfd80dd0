#include "cli/repeat.h"

#include "tests/cli/verb_run.h"
#include "tests/cli/query_tape.h"

#define AGAIN "again.vxt"

static void say(struct query_tape *tape, const char *line)
{
	const struct ev_console console = { .port = 0x3f8 };

	assert_int_equal(trace_encode_event(tape->encoder,
					    &(struct trace_event){
						    .kind = EV_CONSOLE,
						    .tsc = tape->tsc += 1000,
						    .col = (const u64 *)&console,
						    .bytes = (const u8 *)line,
						    .byte_count = (u32)strlen(line),
					    }),
			 ST_OK);
	tape->seq++;
}

/* A run in which L1 said two lines, and L2 exited for CPUID and by its timer. */
struct run {
	const char *first, *second;
	u64 cpuids, timers, end;
	bool old; /* no event tells how often it exited */
};

static const struct run usual = { "[    1.5] one 1", "two", 10, 5, END_POWER_OFF, false };

static void make_tape(const struct run *run, const char *path)
{
	struct query_tape tape = query_tape_start();

	say(&tape, run->first);
	if (run->second)
		say(&tape, run->second);
	if (!run->old) {
		query_tape_hv_time(&tape, 1, EXIT_VMRESUME, 15, 1, 1);
		query_tape_hv_time(&tape, 2, EXIT_CPUID, run->cpuids, 1, 1);
		query_tape_hv_time(&tape, 2, EXIT_PREEMPTION_TIMER, run->timers, 1, 1);
	}
	TAPE_OTHER(&tape, END, end, .why = run->end);
	query_tape_end(&tape);
	assert_int_equal(rename(QUERY_TAPE, path), 0);
}

static int compare(int argc, char **argv)
{
	(void)argv;
	return repeat_compare("first.vxt", AGAIN, "capture=off", argc > 1);
}

static int compare_with(const struct run *run, const char *json)
{
	int status;

	make_tape(&usual, "first.vxt");
	make_tape(run, AGAIN);
	status = verb_run(compare, (const char *const[]){ "repeat", json, NULL });
	remove("first.vxt");
	remove(AGAIN);
	return status;
}

static void what_counts_is_said_and_is_the_exit_status(void **state)
{
	static const struct {
		const char *name;
		struct run run;
		int status;
		const char *said;
	} rows[] = {
		{ "the same",
		  { "[    1.5] one 1", "two", 10, 5, END_POWER_OFF, false },
		  0,
		  "result: the same\n" },
		{ "exits by time",
		  { "[    1.5] one 1", "two", 10, 7, END_POWER_OFF, false },
		  0,
		  "result: the same but for time\n" },
		{ "times in lines",
		  { "[   12.9] one 1", "two", 10, 5, END_POWER_OFF, false },
		  0,
		  "2 lines, the same but for the times in them" },
		{ "other exits",
		  { "[    1.5] one 1", "two", 11, 5, END_POWER_OFF, false },
		  1,
		  "cpuid                               10              11  differ\n" },
		{ "another line",
		  { "[    1.5] one 1", "zwei", 10, 5, END_POWER_OFF, false },
		  1,
		  "line 2 differs: 'two', then 'zwei'" },
		{ "another number",
		  { "[    1.5] one 22", "two", 10, 5, END_POWER_OFF, false },
		  1,
		  "line 1 differs in numbers: '[    1.5] one 1', then '[    1.5] one 22'" },
		{ "no line",
		  { "[    1.5] one 1", NULL, 10, 5, END_POWER_OFF, false },
		  1,
		  "line 2 differs: 'two', then '(none)'" },
		{ "another end",
		  { "[    1.5] one 1", "two", 10, 5, END_RESET, false },
		  1,
		  "the machine ended in another way" },
		{ "stopped",
		  { "[    1.5] one 1", "two", 10, 5, END_ASKED, false },
		  2,
		  "'again.vxt' was stopped from outside" },
		{ "old hv",
		  { "[    1.5] one 1", "two", 10, 5, END_POWER_OFF, true },
		  2,
		  "'again.vxt' does not tell how often L1 and L2 exited" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_row(rows[i].name, compare_with(&rows[i].run, NULL), rows[i].status);
		if (!strstr(verb_text, rows[i].said))
			fail_msg("%s: '%s' is not in: %s", rows[i].name, rows[i].said, verb_text);
	}
}

static void json_has_the_counts_and_the_result(void **state)
{
	const struct run run = { "[    1.5] one 1", "two", 11, 5, END_POWER_OFF, false };

	(void)state;
	assert_int_equal(compare_with(&run, "json"), EXIT_FINDINGS);
	assert_printed("{\"reason\":\"cpuid\",\"recorded\":10,\"again\":11,\"by_time\":false}");
	assert_printed("\"line_differs\":null");
	assert_printed("\"result\":\"different\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_counts_is_said_and_is_the_exit_status),
		cmocka_unit_test(json_has_the_counts_and_the_result),
	};

	return cmocka_run_group_tests_name("cli/repeat", tests, query_tape_folder,
					   query_tape_remove);
}
