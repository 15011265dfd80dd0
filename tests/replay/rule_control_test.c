#include "tests/replay/script.h"

#define GOOD_PIN     0x16u
#define GOOD_PRIMARY 0x04006172u
#define GOOD_EXIT    0x00036dfbu
#define GOOD_ENTRY   0x000011fbu

static void start(struct script *script)
{
	script_vmxon(script, 0x1000);
	script_vmclear(script, 0x2000);
	script_vmptrld(script, 0x2000);
	script_vmwrite(script, VMCS_PIN_BASED_CONTROLS, GOOD_PIN);
	script_vmwrite(script, VMCS_PRIMARY_PROC_BASED_CONTROLS, GOOD_PRIMARY);
	script_vmwrite(script, VMCS_VM_EXIT_CONTROLS, GOOD_EXIT);
	script_vmwrite(script, VMCS_VM_ENTRY_CONTROLS, GOOD_ENTRY);
}

static void entry_fails(struct script *script)
{
	INSN(script, VMLAUNCH, vmlaunch, .outcome = OUTCOME_FAIL_VALID, .error = 7);
}

static void a_control_that_is_not_allowed_is_named_with_its_writer(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	script_rdmsr(&script, MSR_VMX_TRUE_PINBASED_CTLS, 0x7f00000016);
	start(&script);
	script_vmwrite(&script, VMCS_PIN_BASED_CONTROLS, GOOD_PIN | PIN_POSTED_INTERRUPTS);
	entry_fails(&script);
	script_end(&script);
	assert_found(&script, CTL_MUST_BE_0, 1);
	assert_found(&script, CTL_MUST_BE_1, 0);
	finding = script_finding(&script, FINDING_CTL_MUST_BE_0);
	assert_string_equal(finding->title,
			    "pin_based_controls bit 7 (posted_interrupts) is 1 and must be 0");
	assert_int_equal(finding->evidence[0].kind, EV_VMWRITE);
	assert_int_equal(finding->evidence[1].kind, EV_MSR_READ);
	assert_int_equal(finding->evidence[2].kind, EV_VMLAUNCH);
	assert_non_null(strstr(finding->next, "did not keep to it"));
	script_free(&script);
}

static void a_missing_default_control_is_named_and_that_l1_never_read_the_msr(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	start(&script);
	script_vmwrite(&script, VMCS_PRIMARY_PROC_BASED_CONTROLS, GOOD_PRIMARY & ~BIT(1));
	entry_fails(&script);
	script_end(&script);
	assert_found(&script, CTL_MUST_BE_1, 1);
	finding = script_finding(&script, FINDING_CTL_MUST_BE_1);
	assert_string_equal(finding->title,
			    "primary_proc_based_controls bit 1 (reserved) is 0 and must be 1");
	assert_non_null(strstr(finding->next, "never read ia32_vmx_true_procbased_ctls"));
	script_free(&script);
}

static void the_secondary_word_counts_only_while_it_is_activated(void **state)
{
	struct script script = script_start();

	(void)state;
	start(&script);
	script_vmwrite(&script, VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_PML);
	entry_fails(&script);
	assert_found(&script, CTL_MUST_BE_0, 0);
	script_vmwrite(&script, VMCS_PRIMARY_PROC_BASED_CONTROLS,
		       GOOD_PRIMARY | PRIMARY_SECONDARY_CONTROLS);
	entry_fails(&script);
	script_end(&script);
	assert_found(&script, CTL_MUST_BE_0, 1);
	script_free(&script);
}

static void good_controls_and_entries_that_succeed_are_fine(void **state)
{
	struct script script = script_start();

	(void)state;
	start(&script);
	entry_fails(&script); /* for another reason */
	script_vmwrite(&script, VMCS_PIN_BASED_CONTROLS, GOOD_PIN | PIN_POSTED_INTERRUPTS);
	INSN(&script, VMLAUNCH, vmlaunch, .outcome = OUTCOME_SUCCEED);
	script_end(&script);
	assert_found(&script, CTL_MUST_BE_0, 0);
	assert_found(&script, CTL_MUST_BE_1, 0);
	script_free(&script);
}

static void unknown_controls_and_unknown_capabilities_say_nothing(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmcs(&script);
	entry_fails(&script);
	script_end(&script);
	assert_found(&script, CTL_MUST_BE_0, 0);
	assert_found(&script, CTL_MUST_BE_1, 0);
	script_free(&script);

	script = script_start_unknown();
	start(&script);
	script_vmwrite(&script, VMCS_PIN_BASED_CONTROLS, ~0ull);
	entry_fails(&script);
	script_end(&script);
	assert_found(&script, CTL_MUST_BE_0, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_control_that_is_not_allowed_is_named_with_its_writer),
		cmocka_unit_test(a_missing_default_control_is_named_and_that_l1_never_read_the_msr),
		cmocka_unit_test(the_secondary_word_counts_only_while_it_is_activated),
		cmocka_unit_test(good_controls_and_entries_that_succeed_are_fine),
		cmocka_unit_test(unknown_controls_and_unknown_capabilities_say_nothing),
	};

	return cmocka_run_group_tests_name("replay/rule_control", tests, NULL, NULL);
}
