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
	assert_int_equal(check_counts(script.check)->diverge, 0);
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

/* A VMXON that faults, as CPL 0 in the mode of the script. */
static void vmxon_faults(struct script *script, u64 vector, u64 cr0, u64 cr4, u64 feature_control)
{
	INSN(script, VMXON, vmxon, .pointer = 0x1000, .outcome = OUTCOME_FAULT, .error = vector,
	     .cr0 = cr0, .cr4 = cr4, .feature_control = feature_control);
}

static void a_cr0_without_ne_is_found_with_the_write_to_it(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	OTHER(&script, CR_WRITE, cr_write, .mode = SCRIPT_MODE, .cr = 0, .old = 0x80000031,
	      .value = 0x80000011);
	vmxon_faults(&script, 13, 0x80000011, 0x2020, 5);
	script_end(&script);
	assert_found(&script, VMXON_BAD_CR, 1);
	assert_found(&script, VMXON_FEATURE_CONTROL, 0);
	finding = script_finding(&script, FINDING_VMXON_BAD_CR);
	assert_string_equal(finding->title, "VMXON with CR0 = 0x80000011: ne must be 1");
	assert_int_equal(finding->evidence[0].kind, EV_CR_WRITE);
	script_free(&script);
}

static void a_cr4_without_vmxe_is_found(void **state)
{
	struct script script = script_start();

	(void)state;
	vmxon_faults(&script, 6, 0x80000031, 0x20, 5);
	script_end(&script);
	assert_found(&script, VMXON_BAD_CR, 1);
	assert_string_equal(script_finding(&script, FINDING_VMXON_BAD_CR)->title,
			    "VMXON with CR4 = 0x20: vmxe must be 1");
	script_free(&script);
}

static void a_bit_that_must_be_0_is_found(void **state)
{
	struct script script = script_start();

	(void)state;
	vmxon_faults(&script, 13, 0x80000031, 0x2020 | BIT(24), 5);
	script_end(&script);
	assert_found(&script, VMXON_BAD_CR, 1);
	assert_string_equal(script_finding(&script, FINDING_VMXON_BAD_CR)->title,
			    "VMXON with CR4 = 0x1002020: pks must be 0");
	script_free(&script);
}

static void what_feature_control_does_not_allow_is_found(void **state)
{
	struct script script = script_start();

	(void)state;
	vmxon_faults(&script, 13, 0x80000031, 0x2020, 1);
	vmxon_faults(&script, 13, 0x80000031, 0x2020, 4);
	script_end(&script);
	assert_found(&script, VMXON_FEATURE_CONTROL, 2);
	assert_found(&script, VMXON_BAD_CR, 0);
	script_free(&script);
}

static void faults_for_other_reasons_say_nothing(void **state)
{
	struct script script = script_start();

	(void)state;
	/* A page fault of the operand; ring 3; in VMX operation; a good CR0 and CR4. */
	vmxon_faults(&script, 14, 0x80000011, 0x2020, 1);
	INSN(&script, VMXON, vmxon, .mode = SCRIPT_MODE | 3, .outcome = OUTCOME_FAULT, .error = 13,
	     .cr0 = 0x80000011, .cr4 = 0x2020, .feature_control = 1);
	vmxon_faults(&script, 13, 0x80000031, 0x2020, 5);
	script_vmxon(&script, 0x1000);
	vmxon_faults(&script, 13, 0x80000011, 0x2020, 1);
	script_end(&script);
	assert_found(&script, VMXON_BAD_CR, 0);
	assert_found(&script, VMXON_FEATURE_CONTROL, 0);
	script_free(&script);
}

static void nothing_rests_on_fixed_bits_that_are_unknown(void **state)
{
	struct script script = script_start_unknown();

	(void)state;
	vmxon_faults(&script, 13, 0x80000011, 0x2020, 5);
	script_end(&script);
	assert_found(&script, VMXON_BAD_CR, 0);
	script_free(&script);

	script = script_start();
	script_gap(&script);
	vmxon_faults(&script, 13, 0x80000011, 0x2020, 1);
	script_end(&script);
	assert_found(&script, VMXON_BAD_CR, 0);
	assert_found(&script, VMXON_FEATURE_CONTROL, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_vmxon_names_both),
		cmocka_unit_test(vmxon_after_vmxoff_is_fine),
		cmocka_unit_test(a_failed_vmxon_of_an_unknown_processor_says_nothing),
		cmocka_unit_test(a_cr0_without_ne_is_found_with_the_write_to_it),
		cmocka_unit_test(a_cr4_without_vmxe_is_found),
		cmocka_unit_test(a_bit_that_must_be_0_is_found),
		cmocka_unit_test(what_feature_control_does_not_allow_is_found),
		cmocka_unit_test(faults_for_other_reasons_say_nothing),
		cmocka_unit_test(nothing_rests_on_fixed_bits_that_are_unknown),
	};

	return cmocka_run_group_tests_name("replay/rule_vmxon", tests, NULL, NULL);
}
