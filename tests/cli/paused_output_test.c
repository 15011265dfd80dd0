#include "tests/test.h"

#include "cli/paused_output.h"

#define STOPPED "Next at t=7\n(0) [0x1] 0:1 (unk. ctxt): nop ; 90\n<bochs:2> "

static struct paused_output paused;

static int tear_down(void **state)
{
	(void)state;
	paused_output_free(&paused);
	return 0;
}

/* What is passed on of @text, which comes @step bytes at a time. */
static void assert_passed(const char *text, size_t step, const char *wanted)
{
	char passed[512] = "";

	paused_output_begin(&paused, 2);
	for (size_t i = 0; i < strlen(text); i += step) {
		const size_t part = MIN(step, strlen(text) - i);

		if (!paused.prompts)
			strncat(passed, text + i, part);
		else if (paused_output_take(&paused, text + i, part))
			strncat(passed, paused.bytes, paused.length);
	}
	assert_string_equal(passed, wanted);
}

static void what_bochs_says_between_is_taken_out(void **state)
{
	static const char text[] = "one block " STOPPED "<bochs:3> of two";

	(void)state;
	assert_passed(text, sizeof(text) - 1, "one block of two");
	assert_passed(text, 1, "one block of two");
	assert_passed(text, 7, "one block of two");
}

static void what_ends_before_it_has_gone_on_stays(void **state)
{
	static const char text[] = "one block" STOPPED;

	(void)state;
	assert_passed(text, sizeof(text) - 1, "");
	assert_int_equal(paused.prompts, 2);
	paused_output_end(&paused);
	assert_int_equal(paused.prompts, 0);
	assert_u64(paused.length, sizeof(text) - 1);
	assert_memory_equal(paused.bytes, text, sizeof(text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_bochs_says_between_is_taken_out, tear_down),
		cmocka_unit_test_teardown(what_ends_before_it_has_gone_on_stays, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
