#include "tests/replay/script.h"

static void start_vmcs(struct script *script)
{
	script_vmxon(script, 0x1000);
	script_vmclear(script, 0x2000);
	script_vmptrld(script, 0x2000);
}

static void vmlaunch_of_a_launched_vmcs_names_what_launched_it(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	start_vmcs(&script);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_l2(&script, EXIT_CPUID);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 1, .outcome = OUTCOME_FAIL_VALID, .error = 4);
	script_end(&script);
	assert_found(&script, LAUNCH_STATE, 1);
	finding = script_finding(&script, FINDING_LAUNCH_STATE);
	assert_int_equal(finding->severity, SEVERITY_ERROR);
	assert_int_equal(finding->confidence, CONFIDENCE_HIGH);
	assert_int_equal(finding->evidence[0].kind, EV_L2_ENTRY);
	assert_int_equal(finding->evidence[1].kind, EV_VMLAUNCH);
	script_free(&script);
}

static void vmresume_of_a_clear_vmcs_names_the_vmclear(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	start_vmcs(&script);
	INSN(&script, VMRESUME, vmresume, .outcome = OUTCOME_FAIL_VALID, .error = 5);
	script_end(&script);
	assert_found(&script, LAUNCH_STATE, 1);
	finding = script_finding(&script, FINDING_LAUNCH_STATE);
	assert_int_equal(finding->evidence[0].kind, EV_VMCLEAR);
	assert_non_null(strstr(finding->title, "which is clear since @c0:"));
	script_free(&script);
}

static void entries_that_fit_the_launch_state_are_fine(void **state)
{
	struct script script = script_start();

	(void)state;
	start_vmcs(&script);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_l2(&script, EXIT_CPUID);
	INSN(&script, VMRESUME, vmresume, .launched = 1);
	script_l2(&script, EXIT_CPUID);
	script_end(&script);
	assert_found(&script, LAUNCH_STATE, 0);
	script_free(&script);
}

static void a_wrong_error_of_l0_is_not_blamed_on_l1(void **state)
{
	struct script script = script_start();

	(void)state;
	start_vmcs(&script);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_l2(&script, EXIT_CPUID);
	/* It is launched: error 5 is wrong. */
	INSN(&script, VMRESUME, vmresume, .launched = 1, .outcome = OUTCOME_FAIL_VALID, .error = 5);
	script_end(&script);
	assert_found(&script, LAUNCH_STATE, 0);
	assert_int_equal(check_counts(script.check)->diverge, 1);
	script_free(&script);
}

static void without_the_history_the_processors_word_is_taken_with_less_confidence(void **state)
{
	struct script script = script_start_unknown();
	const struct finding *finding;

	(void)state;
	script.vmcs = 0x2000;
	INSN(&script, VMRESUME, vmresume, .outcome = OUTCOME_FAIL_VALID, .error = 5);
	script_end(&script);
	assert_found(&script, LAUNCH_STATE, 1);
	finding = script_finding(&script, FINDING_LAUNCH_STATE);
	assert_int_equal(finding->confidence, CONFIDENCE_MEDIUM);
	assert_non_null(finding->unknown);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmlaunch_of_a_launched_vmcs_names_what_launched_it),
		cmocka_unit_test(vmresume_of_a_clear_vmcs_names_the_vmclear),
		cmocka_unit_test(entries_that_fit_the_launch_state_are_fine),
		cmocka_unit_test(a_wrong_error_of_l0_is_not_blamed_on_l1),
		cmocka_unit_test(
			without_the_history_the_processors_word_is_taken_with_less_confidence),
	};

	return cmocka_run_group_tests_name("replay/rule_launch_state", tests, NULL, NULL);
}
