#include "tests/replay/script.h"

static void start(struct script *script)
{
	script_vmxon(script, 0x1000);
	script_vmclear(script, 0x2000);
	script_vmptrld(script, 0x2000);
}

static void vmptrld_fails(struct script *script)
{
	INSN(script, VMPTRLD, vmptrld, .pointer = 0x1000, .outcome = OUTCOME_FAIL_VALID,
	     .error = 10);
}

static void going_on_after_a_failed_vmptrld_is_a_warning(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	start(&script);
	vmptrld_fails(&script);
	script_vmwrite(&script, VMCS_GUEST_RIP, 1);
	script_end(&script);
	assert_found(&script, FAIL_IGNORED, 1);
	finding = script_finding(&script, FINDING_FAIL_IGNORED);
	assert_int_equal(finding->severity, SEVERITY_WARNING);
	assert_string_equal(finding->title, "VMPTRLD failed with error 10, and VMWRITE followed");
	script_free(&script);
}

static void vmresume_falling_through_to_vmlaunch_is_found(void **state)
{
	struct script script = script_start();

	(void)state;
	start(&script);
	INSN(&script, VMRESUME, vmresume, .outcome = OUTCOME_FAIL_VALID, .error = 5);
	INSN(&script, VMLAUNCH, vmlaunch, .outcome = OUTCOME_SUCCEED);
	script_end(&script);
	assert_found(&script, FAIL_IGNORED, 1);
	script_free(&script);
}

static void reading_the_error_or_cleaning_up_is_an_answer(void **state)
{
	struct script script = script_start();

	(void)state;
	start(&script);
	vmptrld_fails(&script);
	INSN(&script, VMREAD, vmread, .field = VMCS_VM_INSTRUCTION_ERROR, .value = 10);
	script_vmwrite(&script, VMCS_GUEST_RIP, 1);
	vmptrld_fails(&script);
	script_vmclear(&script, 0x2000);
	INSN(&script, VMREAD, vmread, .field = VMCS_GUEST_RIP, .outcome = OUTCOME_FAIL_INVALID);
	script_vmxoff(&script);
	script_end(&script);
	assert_found(&script, FAIL_IGNORED, 0);
	script_free(&script);
}

static void trying_a_field_is_only_a_note(void **state)
{
	struct script script = script_start();

	(void)state;
	start(&script);
	INSN(&script, VMREAD, vmread, .field = 0x6880, .outcome = OUTCOME_FAIL_VALID, .error = 12);
	script_vmwrite(&script, VMCS_GUEST_RIP, 1);
	script_end(&script);
	assert_found(&script, FAIL_IGNORED, 1);
	assert_int_equal(script_finding(&script, FINDING_FAIL_IGNORED)->severity, SEVERITY_NOTE);
	script_free(&script);
}

static void what_a_gap_hides_may_have_been_the_answer(void **state)
{
	struct script script = script_start();

	(void)state;
	start(&script);
	vmptrld_fails(&script);
	script_gap(&script);
	script_vmwrite(&script, VMCS_GUEST_RIP, 1);
	script_end(&script);
	assert_found(&script, FAIL_IGNORED, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(going_on_after_a_failed_vmptrld_is_a_warning),
		cmocka_unit_test(vmresume_falling_through_to_vmlaunch_is_found),
		cmocka_unit_test(reading_the_error_or_cleaning_up_is_an_answer),
		cmocka_unit_test(trying_a_field_is_only_a_note),
		cmocka_unit_test(what_a_gap_hides_may_have_been_the_answer),
	};

	return cmocka_run_group_tests_name("replay/rule_fail_ignored", tests, NULL, NULL);
}
