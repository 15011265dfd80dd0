#include "tests/replay/script.h"
#include "vmx/qual.h"

#define EVENT_HARDWARE (BIT(31) | BIT(11) | 3ull << 8 | 14)
#define EVENT_SOFTWARE (BIT(31) | 6ull << 8 | 3)

/* What an exit leaves, and the field that L1 reads then. */
struct read_case {
	const char *name;
	u64 reason, qualification, event, original, field;
	bool found;
};

static const struct read_case read_cases[] = {
	{ "linear address of CPUID", EXIT_CPUID, 0, 0, 0, VMCS_GUEST_LINEAR_ADDRESS, true },
	{ "linear address of an EPT violation", EXIT_EPT_VIOLATION,
	  VMX_EPT_VIOLATION_LINEAR_VALID | 1, 0, 0, VMCS_GUEST_LINEAR_ADDRESS, false },
	{ "linear address of an EPT violation that has none", EXIT_EPT_VIOLATION, 1, 0, 0,
	  VMCS_GUEST_LINEAR_ADDRESS, true },
	{ "linear address of OUTS", EXIT_IO, BIT(4), 0, 0, VMCS_GUEST_LINEAR_ADDRESS, false },
	{ "linear address of OUT", EXIT_IO, 0, 0, 0, VMCS_GUEST_LINEAR_ADDRESS, true },
	{ "physical address of an EPT misconfiguration", EXIT_EPT_MISCONFIGURATION, 0, 0, 0,
	  VMCS_GUEST_PHYSICAL_ADDRESS, false },
	{ "physical address of HLT", EXIT_HLT, 0, 0, 0, VMCS_GUEST_PHYSICAL_ADDRESS, true },
	{ "length of HLT", EXIT_HLT, 0, 0, 0, VMCS_VM_EXIT_INSTRUCTION_LENGTH, false },
	{ "length of an EPT violation", EXIT_EPT_VIOLATION, 1, 0, 0,
	  VMCS_VM_EXIT_INSTRUCTION_LENGTH, true },
	{ "length of an EPT violation that delays INT3", EXIT_EPT_VIOLATION, 1, 0, EVENT_SOFTWARE,
	  VMCS_VM_EXIT_INSTRUCTION_LENGTH, false },
	{ "length of #PF", EXIT_EXCEPTION_NMI, 0, EVENT_HARDWARE, 0,
	  VMCS_VM_EXIT_INSTRUCTION_LENGTH, true },
	{ "length of #BP", EXIT_EXCEPTION_NMI, 0, EVENT_SOFTWARE, 0,
	  VMCS_VM_EXIT_INSTRUCTION_LENGTH, false },
	{ "length of a task switch by CALL", EXIT_TASK_SWITCH, 0, 0, 0,
	  VMCS_VM_EXIT_INSTRUCTION_LENGTH, false },
	{ "length of a task switch by a task gate", EXIT_TASK_SWITCH, 3ull << 30, 0, 0,
	  VMCS_VM_EXIT_INSTRUCTION_LENGTH, true },
	{ "information on VMREAD", EXIT_VMREAD, 0, 0, 0, VMCS_VM_EXIT_INSTRUCTION_INFO, false },
	{ "information on CPUID", EXIT_CPUID, 0, 0, 0, VMCS_VM_EXIT_INSTRUCTION_INFO, true },
	{ "error code of #PF", EXIT_EXCEPTION_NMI, 0, EVENT_HARDWARE, 0,
	  VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE, false },
	{ "error code of #BP", EXIT_EXCEPTION_NMI, 0, EVENT_SOFTWARE, 0,
	  VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE, true },
	{ "original error code", EXIT_EPT_VIOLATION, 1, 0, EVENT_HARDWARE,
	  VMCS_IDT_VECTORING_ERROR_CODE, false },
	{ "original error code of nothing", EXIT_EPT_VIOLATION, 1, 0, 0,
	  VMCS_IDT_VECTORING_ERROR_CODE, true },
	{ "fields that are always defined", EXIT_HLT, 0, 0, 0, VMCS_EXIT_QUALIFICATION, false },
	{ "a valid bit", EXIT_HLT, 0, 0, 0, VMCS_IDT_VECTORING_INFO, false },
	{ "a newer exit", EXIT_ENQCMD_PASID, 0, 0, 0, VMCS_GUEST_LINEAR_ADDRESS, false },
};

static void exit_with(struct script *script, const struct read_case *row)
{
	const struct ev_l2_entry entry = { .vmcs = script->vmcs };
	const struct ev_l2_exit exit = { .reason = row->reason, .vmcs = script->vmcs };
	const struct trace_item items[] = {
		{ VMCS_VM_EXIT_INTERRUPTION_INFO, row->event },
		{ VMCS_IDT_VECTORING_INFO, row->original },
		{ VMCS_EXIT_QUALIFICATION, row->qualification },
	};

	script_items(script, EV_L2_ENTRY, &entry, sizeof(entry), NULL, 0);
	script_items(script, EV_L2_EXIT, &exit, sizeof(exit), items, ARRAY_SIZE(items));
}

static void a_read_of_what_the_exit_does_not_define_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(read_cases); i++) {
		struct script script = script_start();

		script_vmcs(&script);
		exit_with(&script, &read_cases[i]);
		INSN(&script, VMREAD, vmread, .field = read_cases[i].field);
		script_end(&script);
		if (script_count(&script, FINDING_READS_INVALID_INFO) != read_cases[i].found)
			fail_msg("%s: %u", read_cases[i].name,
				 script_count(&script, FINDING_READS_INVALID_INFO));
		script_free(&script);
	}
}

static void the_exit_is_part_of_the_evidence(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	script_vmcs(&script);
	exit_with(&script, &read_cases[0]);
	INSN(&script, VMREAD, vmread, .field = VMCS_GUEST_LINEAR_ADDRESS, .value = 0x1234);
	script_end(&script);
	finding = script_finding(&script, FINDING_READS_INVALID_INFO);
	assert_int_equal(finding->severity, SEVERITY_NOTE);
	assert_int_equal(finding->evidence[0].kind, EV_L2_EXIT);
	assert_int_equal(finding->evidence[1].kind, EV_VMREAD);
	assert_non_null(strstr(finding->note, "read was 0x1234"));
	script_free(&script);
}

static void nothing_is_said_without_an_exit_or_behind_a_gap(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmcs(&script);
	INSN(&script, VMREAD, vmread, .field = VMCS_GUEST_LINEAR_ADDRESS);
	exit_with(&script, &read_cases[0]);
	script_gap(&script);
	INSN(&script, VMREAD, vmread, .field = VMCS_GUEST_LINEAR_ADDRESS);
	script_end(&script);
	assert_found(&script, READS_INVALID_INFO, 0);
	script_free(&script);
}

/* --- SUR.qualification-new-bits -------------------------------------------------------------- */

static struct script start_violation(u64 cap)
{
	const struct read_case row = { .reason = EXIT_EPT_VIOLATION, .qualification = 0x581 };
	struct script script = script_start();

	script_capability(&script, MSR_VMX_EPT_VPID_CAP, cap, cap);
	script_vmcs(&script);
	exit_with(&script, &row);
	INSN(&script, VMREAD, vmread, .field = VMCS_EXIT_QUALIFICATION, .value = 0x581);
	return script;
}

static void l1_that_stops_at_bits_it_may_not_know_is_found(void **state)
{
	struct script script = start_violation(CAP_EPT_ADVANCED_EXIT_INFO);
	const struct finding *finding;

	(void)state;
	script_end(&script);
	assert_found(&script, QUALIFICATION_NEW_BITS, 1);
	finding = script_finding(&script, FINDING_QUALIFICATION_NEW_BITS);
	assert_string_equal(finding->note,
			    "exit_qualification = 0x581; without bits 11:9 it is 0x181");
	script_free(&script);
}

static void l1_that_goes_on_knows_them(void **state)
{
	struct script script = start_violation(CAP_EPT_ADVANCED_EXIT_INFO);

	(void)state;
	script_l2(&script, EXIT_HLT);
	script_end(&script);
	assert_found(&script, QUALIFICATION_NEW_BITS, 0);
	script_free(&script);
}

static void bits_that_the_processor_does_not_define_are_not_new_ones(void **state)
{
	struct script script = start_violation(0);

	(void)state;
	script_end(&script);
	assert_found(&script, QUALIFICATION_NEW_BITS, 0);
	script_free(&script);

	script = start_violation(CAP_EPT_ADVANCED_EXIT_INFO);
	script_gap(&script);
	script_end(&script);
	assert_found(&script, QUALIFICATION_NEW_BITS, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_read_of_what_the_exit_does_not_define_is_found),
		cmocka_unit_test(the_exit_is_part_of_the_evidence),
		cmocka_unit_test(nothing_is_said_without_an_exit_or_behind_a_gap),
		cmocka_unit_test(l1_that_stops_at_bits_it_may_not_know_is_found),
		cmocka_unit_test(l1_that_goes_on_knows_them),
		cmocka_unit_test(bits_that_the_processor_does_not_define_are_not_new_ones),
	};

	return cmocka_run_group_tests_name("replay/rule_exit_info", tests, NULL, NULL);
}
