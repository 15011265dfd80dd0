#define HV_FAULTS
#include "hv/fault.c"

#include "tests/test.h"

static int with_none(void **state)
{
	(void)state;
	fault_set = 0;
	return 0;
}

static void a_list_chooses_those_and_no_others(void **state)
{
	(void)state;
	assert_true(fault_choose("no_cpl_check"));
	assert_true(hv_fault(NO_CPL_CHECK));
	assert_true(fault_choose("vmxon_any_cr,inject_repeat"));
	assert_true(hv_fault(VMXON_ANY_CR) && hv_fault(INJECT_REPEAT));
	assert_false(hv_fault(NO_CPL_CHECK));
	assert_true(fault_choose(""));
	assert_u64(fault_set, 0);
}

static void unknown_names_change_nothing(void **state)
{
	static const char *const lists[] = { "no_such", "no_cpl", "no_cpl_check_", "no_cpl_check,x",
					     ",no_cpl_check" };

	(void)state;
	fault_choose("field_missing");
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		assert_row(lists[i], fault_choose(lists[i]), false);
		assert_row(lists[i], fault_set, BIT(FAULT_FIELD_MISSING));
	}
}

static void marks_choose_where_they_begin_with_the_word(void **state)
{
	static const char longest[] = "fault vmclear_clobbers_headerXYZ";

	(void)state;
	fault_choose_by_mark("fault invept_ignored", 20);
	assert_true(hv_fault(INVEPT_IGNORED));
	fault_choose_by_mark("case invept_ignored", 19);
	fault_choose_by_mark("fault", 5);
	fault_choose_by_mark(longest, 32);
	assert_true(hv_fault(INVEPT_IGNORED));
	fault_choose_by_mark("fault ", 6);
	assert_u64(fault_set, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_list_chooses_those_and_no_others, with_none),
		cmocka_unit_test_setup(unknown_names_change_nothing, with_none),
		cmocka_unit_test_setup(marks_choose_where_they_begin_with_the_word, with_none),
	};

	return cmocka_run_group_tests_name("hv/fault", tests, NULL, NULL);
}
