#include "tests/replay/script.h"

static void probe(struct script *script)
{
	OTHER(script, CR_WRITE, cr_write, .mode = SCRIPT_MODE, .cr = 4, .old = 0x20,
	      .value = 0x2020);
	script_vmxon(script, 0x1000);
	script_vmclear(script, 0x2000);
	script_vmptrld(script, 0x2000);
	INSN(script, INVVPID, invvpid, .type = 1, .outcome = OUTCOME_FAIL_VALID, .error = 28);
	script_vmclear(script, 0x2000);
	script_vmxoff(script);
}

static void a_loop_without_entries_names_the_instruction_that_failed(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		probe(&script);
	script_end(&script);
	assert_found(&script, VMX_TOGGLE, 1);
	finding = script_finding(&script, FINDING_VMX_TOGGLE);
	assert_string_equal(finding->title,
			    "CPU 0 entered and left VMX operation 6 times, 6 of them "
			    "without a VM entry");
	assert_non_null(strstr(finding->note, "6 of them after INVVPID failed: Invalid operand"));
	assert_int_equal(finding->evidence_count, 3);
	script_free(&script);
}

static void a_guest_that_runs_later_does_not_hide_the_loop(void **state)
{
	struct script script = script_start();

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		probe(&script);
	script_vmcs(&script);
	for (unsigned i = 0; i < 1000; i++)
		script_l2(&script, EXIT_CPUID);
	script_end(&script);
	assert_found(&script, VMX_TOGGLE, 1);
	script_free(&script);
}

static void three_sessions_or_long_ones_are_fine(void **state)
{
	struct script script = script_start();

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		probe(&script);
	for (unsigned i = 0; i < 6; i++) {
		script_vmxon(&script, 0x1000);
		script_vmclear(&script, 0x2000);
		script_vmptrld(&script, 0x2000);
		for (unsigned j = 0; j < 40; j++)
			script_l2(&script, EXIT_CPUID);
		script_vmclear(&script, 0x2000);
		script_vmxoff(&script);
	}
	script_end(&script);
	assert_found(&script, VMX_TOGGLE, 0);
	script_free(&script);
}

static void a_vmxoff_whose_vmxon_is_not_on_the_tape_is_no_session(void **state)
{
	struct script script = script_start_unknown();

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		script_vmxoff(&script);
	script_end(&script);
	assert_found(&script, VMX_TOGGLE, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_without_entries_names_the_instruction_that_failed),
		cmocka_unit_test(a_guest_that_runs_later_does_not_hide_the_loop),
		cmocka_unit_test(three_sessions_or_long_ones_are_fine),
		cmocka_unit_test(a_vmxoff_whose_vmxon_is_not_on_the_tape_is_no_session),
	};

	return cmocka_run_group_tests_name("replay/rule_toggle", tests, NULL, NULL);
}
