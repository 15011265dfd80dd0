#include "tests/test.h"
#include "replay/legal.h"
#include "vmx/tables.h"

static const struct legal fail7 = { .kind = LEGAL_FAIL_VALID, .number = 7, .check = 1 };

static void the_same_outcome_is_a_member_once(void **state)
{
	struct legal sure = fail7;
	struct legal_set set = { 0 };

	(void)state;
	sure.sure = true;
	sure.check = 2;
	legal_add(&set, fail7);
	assert_int_equal(set.count, 1);
	assert_false(set.of[0].sure);
	legal_add(&set, sure);
	assert_int_equal(set.count, 1);
	assert_true(set.of[0].sure);
	assert_int_equal(set.of[0].check, 2);
	legal_add(&set, fail7);
	assert_true(set.of[0].sure);
}

static void neighbouring_qualifications_become_one_range(void **state)
{
	struct legal_set set = { 0 };
	char text[64];

	(void)state;
	legal_add(&set, legal_failure(EXIT_MSR_LOADING, 1, 1));
	legal_add(&set, legal_failure(EXIT_MSR_LOADING, 2, 2));
	legal_add(&set, legal_failure(EXIT_MSR_LOADING, 3, 9));
	assert_int_equal(set.count, 1);
	assert_string_equal(legal_text(&set.of[0], text, sizeof(text)),
			    "exit 34, qualification 1 to 9");
	legal_add(&set, legal_failure(EXIT_MSR_LOADING, 11, 11));
	assert_int_equal(set.count, 2);
}

static void a_full_set_calls_nothing_divergent(void **state)
{
	struct legal_set set = { 0 };

	(void)state;
	for (unsigned int n = 0; n < 2 * LEGAL_MAX; n++)
		legal_add(&set, legal_fault(n));
	assert_int_equal(set.count, LEGAL_MAX);
	assert_int_equal(set.of[LEGAL_MAX - 1].number, LEGAL_MAX - 1);
	assert_int_equal(legal_judge(&set, &fail7, NULL), LEGAL_UNKNOWN);
}

static void faults_of_the_operand_are_those_of_any_access(void **state)
{
	static const struct {
		u16 vector;
		enum legal_verdict verdict;
	} rows[] = { { 6, LEGAL_DIVERGE }, { 11, LEGAL_DIVERGE }, { 12, LEGAL_AGREE },
		     { 13, LEGAL_AGREE },  { 14, LEGAL_AGREE },	  { 15, LEGAL_DIVERGE },
		     { 17, LEGAL_AGREE },  { 18, LEGAL_DIVERGE } };
	const struct legal operand = { .kind = LEGAL_OPERAND_FAULT, .sure = true };
	struct legal_set set = { 0 };

	(void)state;
	legal_add(&set, operand);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct legal observed = legal_fault(rows[i].vector);

		assert_int_equal(legal_judge(&set, &observed, NULL), rows[i].verdict);
	}
}

static void flags_follow_the_conventions(void **state)
{
	static const struct {
		enum legal_kind kind;
		u64 before, after;
	} rows[] = {
		{ LEGAL_SUCCEED, 0x8d7, 0x2 },	      { LEGAL_SUCCEED, 0x246, 0x202 },
		{ LEGAL_FAIL_INVALID, 0x246, 0x203 }, { LEGAL_FAIL_INVALID, 0x8d7, 0x3 },
		{ LEGAL_FAIL_VALID, 0x203, 0x242 },   { LEGAL_FAIL_VALID, 0x8d7, 0x42 },
		{ LEGAL_FAULT, 0x8d7, 0x8d7 },	      { LEGAL_OPERAND_FAULT, 0x246, 0x246 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_u64(legal_rflags(rows[i].kind, rows[i].before), rows[i].after);
}

static void a_step_that_is_not_reached_adds_nothing(void **state)
{
	struct legal_set set = { 0 };
	struct legal_walk walk = { &set, TRI_YES };

	(void)state;
	legal_ends_if(&walk, TRI_NO, legal_fault(6));
	assert_int_equal(set.count, 0);
	assert_int_equal(walk.reached, TRI_YES);
	legal_may_end_if(&walk, TRI_YES, legal_fault(7));
	assert_true(set.of[0].sure);
	assert_int_equal(walk.reached, TRI_YES);
	legal_ends_if(&walk, TRI_MAYBE, legal_fault(8));
	assert_false(set.of[1].sure);
	assert_int_equal(walk.reached, TRI_MAYBE);
	legal_ends_if(&walk, TRI_YES, legal_succeed());
	assert_false(set.of[2].sure);
	legal_ends_if(&walk, TRI_YES, legal_fault(9));
	assert_int_equal(set.count, 3);
}

static void vmfail_depends_on_the_current_vmcs(void **state)
{
	static const struct {
		struct word current;
		u8 kinds[2]; /* LEGAL_SUCCEED: no more */
	} rows[] = {
		{ { 0x5000, ~0ull }, { LEGAL_FAIL_VALID } },
		{ { 0, ~0ull }, { LEGAL_FAIL_VALID } },
		{ { ~0ull, ~0ull }, { LEGAL_FAIL_INVALID } },
		{ { 0, 0 }, { LEGAL_FAIL_INVALID, LEGAL_FAIL_VALID } },
		{ { 0, 1 }, { LEGAL_FAIL_VALID } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct legal_set set = { 0 };
		struct legal_walk walk = { &set, TRI_YES };
		unsigned int count = 1 + (rows[i].kinds[1] != LEGAL_SUCCEED);

		legal_vmfail_if(&walk, TRI_YES, rows[i].current, 9);
		assert_int_equal(set.count, count);
		for (unsigned int n = 0; n < count; n++) {
			assert_int_equal(set.of[n].kind, rows[i].kinds[n]);
			assert_int_equal(set.of[n].sure, count == 1);
		}
		assert_int_equal(walk.reached, TRI_NO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_outcome_is_a_member_once),
		cmocka_unit_test(neighbouring_qualifications_become_one_range),
		cmocka_unit_test(a_full_set_calls_nothing_divergent),
		cmocka_unit_test(faults_of_the_operand_are_those_of_any_access),
		cmocka_unit_test(flags_follow_the_conventions),
		cmocka_unit_test(a_step_that_is_not_reached_adds_nothing),
		cmocka_unit_test(vmfail_depends_on_the_current_vmcs),
	};
	return cmocka_run_group_tests_name("replay/legal", tests, NULL, NULL);
}
