#include "tests/replay/script_entry.h"

static struct script running(void)
{
	struct script script = script_ready();

	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_enter(&script);
	script_forget_counts(&script);
	return script;
}

static void a_good_exit_agrees(void **state)
{
	struct script script = running();

	(void)state;
	EXIT12(&script, EXIT_CPUID, { VMCS_EXIT_REASON, EXIT_CPUID },
	       { VMCS_VM_EXIT_INSTRUCTION_LENGTH, 2 });
	assert_int_equal(check_counts(script.check)->agree, 1);
	assert_found(&script, EXIT_STATE, 0);
	script_free(&script);
}

static void an_exit_that_changes_a_control_is_found(void **state)
{
	struct script script = running();
	const struct finding *finding;

	(void)state;
	EXIT12(&script, EXIT_CPUID, { VMCS_EXIT_REASON, EXIT_CPUID },
	       { VMCS_VM_EXIT_INSTRUCTION_LENGTH, 2 }, { VMCS_HOST_RIP, 0 });
	assert_int_equal(check_counts(script.check)->diverge, 1);
	finding = script_finding(&script, FINDING_EXIT_STATE);
	assert_non_null(finding);
	assert_non_null(strstr(finding->title, "CONTROLS_KEPT"));
	assert_non_null(strstr(finding->note, "host_rip = 0x0"));
	assert_non_null(strstr(finding->note, "it was 0xffffffff81000000 before"));
	script_free(&script);
}

static void a_failed_entry_that_touches_more_than_it_may_is_found(void **state)
{
	struct script script = running();
	const struct judge_counts *const counts = check_counts(script.check);

	(void)state;
	FIELD12(&script, GUEST_RFLAGS, 0);
	INSN(&script, VMRESUME, vmresume, .launched = 1);
	EXIT12(&script, EXIT_REASON_ENTRY_FAILURE | EXIT_INVALID_GUEST_STATE,
	       { VMCS_EXIT_QUALIFICATION, 0 }, { VMCS_VM_EXIT_INSTRUCTION_LENGTH, 3 });
	/* The entry fails as it should; what it leaves is wrong. */
	assert_int_equal(counts->agree, 1);
	assert_int_equal(counts->diverge, 1);
	assert_found(&script, EXIT_STATE, 0);
	assert_found(&script, L0_ENTRY_FAIL_SIDE_EFFECT, 1);
	script_free(&script);
}

static void the_same_row_and_reason_are_one_finding(void **state)
{
	struct script script = running();

	(void)state;
	for (u64 i = 0; i < 3; i++) {
		EXIT12(&script, EXIT_CPUID, { VMCS_VM_EXIT_INSTRUCTION_LENGTH, 2 },
		       { VMCS_HOST_RIP, i });
		INSN(&script, VMRESUME, vmresume, .launched = 1);
		script_enter(&script);
	}
	assert_found(&script, EXIT_STATE, 1);
	assert_int_equal(script_finding(&script, FINDING_EXIT_STATE)->count, 3);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_exit_agrees),
		cmocka_unit_test(an_exit_that_changes_a_control_is_found),
		cmocka_unit_test(a_failed_entry_that_touches_more_than_it_may_is_found),
		cmocka_unit_test(the_same_row_and_reason_are_one_finding),
	};
	return cmocka_run_group_tests_name("replay/rule_exit", tests, NULL, NULL);
}
