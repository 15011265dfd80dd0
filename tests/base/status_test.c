#include "tests/test.h"

static void every_status_has_a_text_of_its_own(void **state)
{
	(void)state;
	for (int a = 0; a < ST_COUNT; a++) {
		const char *text = status_text((enum status)a);

		assert_true(strlen(text) > 0);
		assert_string_not_equal(text, "unknown status");
		for (int b = 0; b < a; b++)
			assert_string_not_equal(text, status_text((enum status)b));
	}
}

static void numbers_that_are_no_status_say_so(void **state)
{
	(void)state;
	assert_string_equal(status_text(ST_COUNT), "unknown status");
	assert_string_equal(status_text((enum status) - 1), "unknown status");
	assert_string_equal(status_text((enum status)0x7fffffff), "unknown status");
}

static void success_is_zero(void **state)
{
	(void)state;
	assert_int_equal(ST_OK, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_status_has_a_text_of_its_own),
		cmocka_unit_test(numbers_that_are_no_status_say_so),
		cmocka_unit_test(success_is_zero),
	};

	return cmocka_run_group_tests_name("base/status", tests, NULL, NULL);
}
