#include "tests/replay/script_entry.h"

#define FAULT_PF .outcome = OUTCOME_FAULT, .error = 14, .cr2 = 0x140000000

static void error_codes_say_whether_the_operand_is_written(void **state)
{
	struct script script = script_ready();

	(void)state;
	INSN(&script, VMREAD, vmread, .field = VMCS_HOST_RSP, FAULT_PF, .fault_code = 2);
	INSN(&script, VMPTRST, vmptrst, FAULT_PF, .fault_code = 3);
	INSN(&script, VMPTRLD, vmptrld, FAULT_PF, .fault_code = 0);
	INSN(&script, VMWRITE, vmwrite, .field = VMCS_HOST_RSP, FAULT_PF, .fault_code = 1);
	assert_found(&script, L0_OPERAND_FAULT, 0);
	INSN(&script, VMREAD, vmread, .field = VMCS_HOST_RSP, FAULT_PF, .fault_code = 0);
	assert_found(&script, L0_OPERAND_FAULT, 1);
	assert_non_null(strstr(script_finding(&script, FINDING_L0_OPERAND_FAULT)->title,
			       "bit 1 must be 1"));
	INSN(&script, VMPTRLD, vmptrld, FAULT_PF, .fault_code = 2);
	assert_found(&script, L0_OPERAND_FAULT, 2);
	script_free(&script);
}

static void a_fault_is_a_supervisor_s_and_no_fetch(void **state)
{
	struct script script = script_ready();

	(void)state;
	INSN(&script, VMPTRLD, vmptrld, FAULT_PF, .fault_code = 4);
	INSN(&script, VMPTRLD, vmptrld, FAULT_PF, .fault_code = 0x10);
	assert_found(&script, L0_OPERAND_FAULT, 2);
	script_free(&script);
}

static void a_fault_leaves_rflags_alone(void **state)
{
	struct script script = script_ready();

	(void)state;
	INSN(&script, VMPTRLD, vmptrld, FAULT_PF, .rflags = 0x46, .rflags_after = 0x46);
	assert_found(&script, L0_OPERAND_FAULT, 0);
	INSN(&script, VMPTRLD, vmptrld, FAULT_PF, .rflags = 0x46, .rflags_after = 0x2);
	assert_found(&script, L0_OPERAND_FAULT, 1);
	script_free(&script);
}

static void other_faults_have_other_codes(void **state)
{
	struct script script = script_ready();

	(void)state;
	INSN(&script, VMREAD, vmread, .field = VMCS_HOST_RSP, .outcome = OUTCOME_FAULT,
	     .error = 13);
	assert_found(&script, L0_OPERAND_FAULT, 0);
	script_free(&script);
}

/* It rests on nothing but the event itself. */
static void a_gap_does_not_matter(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_gap(&script);
	INSN(&script, VMREAD, vmread, .field = VMCS_HOST_RSP, FAULT_PF, .fault_code = 0);
	assert_found(&script, L0_OPERAND_FAULT, 1);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_codes_say_whether_the_operand_is_written),
		cmocka_unit_test(a_fault_is_a_supervisor_s_and_no_fetch),
		cmocka_unit_test(a_fault_leaves_rflags_alone),
		cmocka_unit_test(other_faults_have_other_codes),
		cmocka_unit_test(a_gap_does_not_matter),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_operand", tests, NULL, NULL);
}
