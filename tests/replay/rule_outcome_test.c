#include "tests/replay/script_entry.h"

#define RFLAGS 0x246ull /* with PF and ZF */

static struct script begun(void)
{
	struct script script = script_ready();

	script_forget_counts(&script);
	return script;
}

static void an_outcome_that_the_sdm_does_not_allow_is_found(void **state)
{
	struct script script = begun();

	(void)state;
	INSN(&script, VMCLEAR, vmclear, .pointer = 0x1000, .dword0 = REVISION);
	assert_found(&script, INSN_OUTCOME, 1);
	assert_non_null(strstr(script_finding(&script, FINDING_INSN_OUTCOME)->title,
			       "expected VMfailValid(3)"));
	script_free(&script);
}

static void flags_that_do_not_go_with_the_outcome_are_found(void **state)
{
	struct script script = begun();

	(void)state;
	INSN(&script, VMPTRST, vmptrst, .rflags = RFLAGS, .rflags_after = 0x202);
	assert_found(&script, L0_VMFAIL_KIND, 0);
	INSN(&script, VMPTRST, vmptrst, .rflags = RFLAGS, .rflags_after = RFLAGS);
	assert_found(&script, L0_VMFAIL_KIND, 1);
	assert_int_equal(check_counts(script.check)->agree, 1);
	assert_int_equal(check_counts(script.check)->diverge, 1);
	script_free(&script);
}

static void a_fault_leaves_the_flags_alone(void **state)
{
	struct script script = begun();

	(void)state;
	INSN(&script, VMFUNC, vmfunc, .rflags = RFLAGS, .rflags_after = RFLAGS,
	     .outcome = OUTCOME_FAULT, .error = 6);
	assert_int_equal(check_counts(script.check)->agree, 1);
	assert_found(&script, INSN_OUTCOME, 0);
	script_free(&script);
}

static void vmread_returns_what_the_field_holds(void **state)
{
	struct script script = begun();

	(void)state;
	FIELD12(&script, GUEST_CR3, 0x123456789000);
	INSN(&script, VMREAD, vmread, .field = VMCS_GUEST_CR3, .value = 0x123456789000);
	assert_found(&script, INSN_OUTCOME, 0);
	INSN(&script, VMREAD, vmread, .field = VMCS_GUEST_CR3, .value = 0x6789000,
	     .mode = BIT(MODE_PE) | BIT(MODE_VMXE) | BIT(MODE_VMX_ROOT));
	INSN(&script, VMREAD, vmread, .field = VMCS_EPT_POINTER + 1, .value = 0);
	assert_int_equal(check_counts(script.check)->diverge, 1);
	INSN(&script, VMREAD, vmread, .field = VMCS_GUEST_CR3, .value = 0x2000);
	assert_int_equal(check_counts(script.check)->diverge, 2);
	script_free(&script);
}

static void vmread_of_the_error_returns_that_of_the_last_failure(void **state)
{
	struct script script = begun();

	(void)state;
	INSN(&script, VMCALL, vmcall, .outcome = OUTCOME_FAIL_VALID, .error = 1);
	INSN(&script, VMREAD, vmread, .field = VMCS_VM_INSTRUCTION_ERROR, .value = 1);
	assert_int_equal(check_counts(script.check)->agree, 2);
	INSN(&script, VMREAD, vmread, .field = VMCS_VM_INSTRUCTION_ERROR, .value = 2);
	assert_found(&script, INSN_OUTCOME, 1);
	script_free(&script);
}

static void a_field_of_unknown_value_may_be_read_as_anything(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmxon(&script, 0x1000);
	script_vmptrld(&script, 0x2000);
	INSN(&script, VMREAD, vmread, .field = VMCS_GUEST_CR3, .value = 0x1234);
	assert_int_equal(check_counts(script.check)->diverge, 0);
	assert_int_equal(check_counts(script.check)->agree, 3);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_outcome_that_the_sdm_does_not_allow_is_found),
		cmocka_unit_test(flags_that_do_not_go_with_the_outcome_are_found),
		cmocka_unit_test(a_fault_leaves_the_flags_alone),
		cmocka_unit_test(vmread_returns_what_the_field_holds),
		cmocka_unit_test(vmread_of_the_error_returns_that_of_the_last_failure),
		cmocka_unit_test(a_field_of_unknown_value_may_be_read_as_anything),
	};
	return cmocka_run_group_tests_name("replay/rule_outcome", tests, NULL, NULL);
}
