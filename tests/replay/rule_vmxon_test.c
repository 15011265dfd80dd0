#include "tests/replay/script.h"

static void a_second_vmxon_names_both(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	script_vmxon(&script, 0x1000);
	INSN(&script, VMXON, vmxon, .pointer = 0x5000, .outcome = OUTCOME_FAIL_INVALID);
	script_end(&script);
	assert_found(&script, VMXON_IN_ROOT, 1);
	finding = script_finding(&script, FINDING_VMXON_IN_ROOT);
	assert_int_equal(finding->severity, SEVERITY_NOTE);
	assert_int_equal(finding->evidence_count, 2);
	assert_int_equal(check_model(script.check)->diverge, 0);
	script_free(&script);
}

static void vmxon_after_vmxoff_is_fine(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmxon(&script, 0x1000);
	script_vmxoff(&script);
	script_vmxon(&script, 0x1000);
	INSN(&script, VMXOFF, vmxoff, .error = 0);
	INSN(&script, VMXON, vmxon, .pointer = 0x1001, .outcome = OUTCOME_FAIL_INVALID);
	script_end(&script);
	assert_found(&script, VMXON_IN_ROOT, 0);
	script_free(&script);
}

static void a_failed_vmxon_of_an_unknown_processor_says_nothing(void **state)
{
	struct script script = script_start_unknown();

	(void)state;
	INSN(&script, VMXON, vmxon, .pointer = 0x5000, .outcome = OUTCOME_FAIL_INVALID);
	script_end(&script);
	assert_found(&script, VMXON_IN_ROOT, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_vmxon_names_both),
		cmocka_unit_test(vmxon_after_vmxoff_is_fine),
		cmocka_unit_test(a_failed_vmxon_of_an_unknown_processor_says_nothing),
	};

	return cmocka_run_group_tests_name("replay/rule_vmxon", tests, NULL, NULL);
}
