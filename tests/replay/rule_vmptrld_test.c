#include "tests/replay/script.h"

static void a_region_made_current_without_vmclear_is_a_note(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	script_vmxon(&script, 0x1000);
	script_vmptrld(&script, 0x2000);
	script_end(&script);
	assert_found(&script, VMPTRLD_NO_VMCLEAR, 1);
	finding = script_finding(&script, FINDING_VMPTRLD_NO_VMCLEAR);
	assert_int_equal(finding->severity, SEVERITY_NOTE);
	assert_string_equal(finding->title, "VMCS 0x2000 was made current without VMCLEAR");
	assert_int_equal(finding->evidence_count, 2);
	assert_int_equal(finding->evidence[0].kind, EV_VMXON);
	assert_int_equal(finding->evidence[1].kind, EV_VMPTRLD);
	script_free(&script);
}

static void entering_l2_with_it_makes_it_a_warning(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmxon(&script, 0x1000);
	script_vmptrld(&script, 0x2000);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_l2(&script, EXIT_CPUID);
	script_end(&script);
	assert_found(&script, VMPTRLD_NO_VMCLEAR, 1);
	assert_int_equal(script_finding(&script, FINDING_VMPTRLD_NO_VMCLEAR)->severity,
			 SEVERITY_WARNING);
	script_free(&script);
}

static void a_cleared_region_is_fine_also_after_the_next_vmxon(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmcs(&script);
	script_vmclear(&script, 0x2000);
	script_vmxoff(&script);
	script_vmxon(&script, 0x1000);
	script_vmptrld(&script, 0x2000);
	script_end(&script);
	assert_found(&script, VMPTRLD_NO_VMCLEAR, 0);
	script_free(&script);
}

static void a_region_active_at_vmxoff_must_be_cleared_again(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	script_vmcs(&script);
	script_vmxoff(&script);
	script_vmxon(&script, 0x1000);
	script_vmptrld(&script, 0x2000);
	script_end(&script);
	assert_found(&script, VMPTRLD_NO_VMCLEAR, 1);
	finding = script_finding(&script, FINDING_VMPTRLD_NO_VMCLEAR);
	assert_int_equal(finding->evidence[1].kind, EV_VMCLEAR);
	assert_int_equal(finding->evidence[2].kind, EV_VMXOFF);
	script_free(&script);
}

static void the_same_instruction_is_counted_not_repeated(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmxon(&script, 0x1000);
	for (unsigned i = 0; i < 5; i++) {
		script.rip = 0x7000;
		script_vmptrld(&script, 0x2000 + 0x1000 * i);
	}
	script_end(&script);
	assert_found(&script, VMPTRLD_NO_VMCLEAR, 1);
	assert_int_equal(script_finding(&script, FINDING_VMPTRLD_NO_VMCLEAR)->count, 5);
	script_free(&script);
}

static void nothing_is_said_of_a_region_from_before_the_tape_or_a_gap(void **state)
{
	struct script script = script_start_unknown();

	(void)state;
	script_vmxon(&script, 0x1000);
	script_vmptrld(&script, 0x2000);
	script_end(&script);
	assert_found(&script, VMPTRLD_NO_VMCLEAR, 0);
	script_free(&script);

	script = script_start();
	script_vmxon(&script, 0x1000);
	script_gap(&script);
	script_vmptrld(&script, 0x2000);
	script_end(&script);
	assert_found(&script, VMPTRLD_NO_VMCLEAR, 0);
	script_free(&script);
}

static void a_vmptrld_that_failed_made_nothing_current(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmxon(&script, 0x1000);
	INSN(&script, VMPTRLD, vmptrld, .pointer = 0x2000, .outcome = OUTCOME_FAIL_INVALID);
	script_end(&script);
	assert_found(&script, VMPTRLD_NO_VMCLEAR, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_region_made_current_without_vmclear_is_a_note),
		cmocka_unit_test(entering_l2_with_it_makes_it_a_warning),
		cmocka_unit_test(a_cleared_region_is_fine_also_after_the_next_vmxon),
		cmocka_unit_test(a_region_active_at_vmxoff_must_be_cleared_again),
		cmocka_unit_test(the_same_instruction_is_counted_not_repeated),
		cmocka_unit_test(nothing_is_said_of_a_region_from_before_the_tape_or_a_gap),
		cmocka_unit_test(a_vmptrld_that_failed_made_nothing_current),
	};

	return cmocka_run_group_tests_name("replay/rule_vmptrld", tests, NULL, NULL);
}
