#include "tests/replay/script_entry.h"

#define CPL_3	     (SCRIPT_MODE | 3)
#define WITHOUT_VMXE (SCRIPT_MODE & ~(u64)BIT(MODE_VMXE))
#define EXITS_33     (EXIT_REASON_ENTRY_FAILURE | EXIT_INVALID_GUEST_STATE)
#define EXITS_34     (EXIT_REASON_ENTRY_FAILURE | EXIT_MSR_LOADING)
#define EVENT_UD     0x80000306

/* Outside of VMX operation, with the capabilities of a processor. */
static struct script outside(void)
{
	struct script script = script_ready();

	INSN(&script, VMCLEAR, vmclear, .pointer = SCRIPT_VMCS, .dword0 = REVISION);
	script.vmcs = NO_VMCS;
	INSN(&script, VMXOFF, vmxoff, .error = 0);
	return script;
}

#define VMXON(script, ...)                                                               \
	INSN(script, VMXON, vmxon, .dword0 = REVISION, .cr0 = 0x80000031, .cr4 = 0x2020, \
	     .feature_control = 5, __VA_ARGS__)

/* --- VMXON ------------------------------------------------------------------------------------ */

static void vmxon_with_a_bad_cr0_must_fault(void **state)
{
	struct script script = outside();
	const struct finding *finding;

	(void)state;
	INSN(&script, VMXON, vmxon, .pointer = 0x1000, .dword0 = REVISION, .cr0 = 0x80000011,
	     .cr4 = 0x2020, .feature_control = 5, .outcome = OUTCOME_FAULT, .error = 13);
	assert_found(&script, L0_VMXON_ACCEPTS_BAD_CR, 0);
	INSN(&script, VMXON, vmxon, .pointer = 0x1000, .dword0 = REVISION, .cr0 = 0x80000011,
	     .cr4 = 0x2020, .feature_control = 5);
	assert_found(&script, L0_VMXON_ACCEPTS_BAD_CR, 1);
	assert_found(&script, INSN_OUTCOME, 0);
	finding = script_finding(&script, FINDING_L0_VMXON_ACCEPTS_BAD_CR);
	assert_int_equal(finding->severity, SEVERITY_ERROR);
	assert_non_null(strstr(finding->note, "CR0 = 0x80000011, must have 0x80000021"));
	script_free(&script);
}

static void vmxon_is_undefined_without_cr4_vmxe(void **state)
{
	struct script script = outside();

	(void)state;
	VMXON(&script, .mode = WITHOUT_VMXE, .outcome = OUTCOME_FAULT, .error = 6);
	assert_found(&script, L0_VMX_HIDDEN_BUT_ON, 0);
	VMXON(&script, .mode = WITHOUT_VMXE, .pointer = 0x1000);
	assert_found(&script, L0_VMX_HIDDEN_BUT_ON, 1);
	script_free(&script);
}

static void instructions_are_undefined_outside_of_vmx_operation(void **state)
{
	struct script script = outside();

	(void)state;
	INSN(&script, VMPTRST, vmptrst, .outcome = OUTCOME_FAULT, .error = 6);
	assert_found(&script, L0_VMX_HIDDEN_BUT_ON, 0);
	INSN(&script, VMPTRST, vmptrst, .linear = 8);
	assert_found(&script, L0_VMX_HIDDEN_BUT_ON, 1);
	script_free(&script);
}

static void address_0_is_an_address(void **state)
{
	struct script script = outside();

	(void)state;
	VMXON(&script, .pointer = 0);
	VMXON(&script, .pointer = 0, .outcome = OUTCOME_FAIL_INVALID);
	assert_found(&script, L0_SENTINEL_ADDRESS, 0);
	VMXON(&script, .pointer = 0);
	assert_found(&script, L0_SENTINEL_ADDRESS, 1);
	script_free(&script);

	script = outside();
	VMXON(&script, .pointer = 0);
	INSN(&script, VMPTRLD, vmptrld, .pointer = 0, .dword0 = REVISION);
	assert_found(&script, L0_SENTINEL_ADDRESS, 1);
	script_free(&script);

	/* A second VMXON that succeeds elsewhere is another mistake. */
	script = outside();
	VMXON(&script, .pointer = 0x1000);
	VMXON(&script, .pointer = 0x1000);
	assert_found(&script, L0_SENTINEL_ADDRESS, 0);
	assert_found(&script, INSN_OUTCOME, 1);
	script_free(&script);
}

/* --- Others ----------------------------------------------------------------------------------- */

static void instructions_fault_above_cpl_0(void **state)
{
	struct script script = script_ready();

	(void)state;
	INSN(&script, VMREAD, vmread, .mode = CPL_3, .field = VMCS_HOST_RSP,
	     .outcome = OUTCOME_FAULT, .error = 13);
	assert_found(&script, L0_VMX_INSN_CPL, 0);
	INSN(&script, VMREAD, vmread, .mode = CPL_3, .field = VMCS_HOST_RSP);
	assert_found(&script, L0_VMX_INSN_CPL, 1);
	script_free(&script);
}

static void how_an_instruction_fails_depends_on_the_current_vmcs(void **state)
{
	struct script script = script_ready();

	(void)state;
	INSN(&script, VMPTRLD, vmptrld, .pointer = 8, .outcome = OUTCOME_FAIL_VALID, .error = 9);
	assert_found(&script, L0_VMFAIL_KIND, 0);
	INSN(&script, VMPTRLD, vmptrld, .pointer = 8, .outcome = OUTCOME_FAIL_INVALID);
	assert_found(&script, L0_VMFAIL_KIND, 1);
	script_free(&script);

	script = script_ready();
	INSN(&script, VMCLEAR, vmclear, .pointer = SCRIPT_VMCS, .dword0 = REVISION);
	script.vmcs = NO_VMCS;
	INSN(&script, VMPTRLD, vmptrld, .pointer = 8, .outcome = OUTCOME_FAIL_INVALID);
	assert_found(&script, L0_VMFAIL_KIND, 0);
	INSN(&script, VMPTRLD, vmptrld, .pointer = 8, .outcome = OUTCOME_FAIL_VALID, .error = 9);
	assert_found(&script, L0_VMFAIL_KIND, 1);
	script_free(&script);
}

static void a_field_that_exists_can_be_read(void **state)
{
	struct script script = script_ready();

	(void)state;
	INSN(&script, VMREAD, vmread, .field = 0x7ffe, .outcome = OUTCOME_FAIL_VALID, .error = 12);
	assert_found(&script, L0_VMCS_FIELD_MISSING, 0);
	INSN(&script, VMREAD, vmread, .field = VMCS_HOST_RSP, .outcome = OUTCOME_FAIL_VALID,
	     .error = 12);
	assert_found(&script, L0_VMCS_FIELD_MISSING, 1);
	script_free(&script);
}

static void a_field_holds_what_was_written_last(void **state)
{
	struct script script = script_ready();
	const struct finding *finding;

	(void)state;
	script_vmwrite(&script, VMCS_HOST_RSP, 0x1234);
	INSN(&script, VMCLEAR, vmclear, .pointer = SCRIPT_VMCS, .dword0 = REVISION);
	script.vmcs = NO_VMCS;
	INSN(&script, VMPTRLD, vmptrld, .pointer = SCRIPT_VMCS, .dword0 = REVISION);
	script.vmcs = SCRIPT_VMCS;
	INSN(&script, VMREAD, vmread, .field = VMCS_HOST_RSP, .value = 0x1234);
	assert_found(&script, L0_VMCS_VALUE_LOST, 0);
	INSN(&script, VMREAD, vmread, .field = VMCS_HOST_RSP, .value = 0x1111);
	assert_found(&script, L0_VMCS_VALUE_LOST, 1);
	finding = script_finding(&script, FINDING_L0_VMCS_VALUE_LOST);
	assert_int_equal(finding->evidence[0].kind, EV_VMWRITE);
	assert_non_null(strstr(finding->title, "host_rsp returned 0x1111; it holds 0x1234"));
	script_free(&script);
}

/* What VMXOFF found active is lost by L1. */
static void vmxoff_with_an_active_vmcs_loses_what_it_holds(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_vmwrite(&script, VMCS_HOST_RSP, 0x1234);
	INSN(&script, VMXOFF, vmxoff, .error = 0);
	script.vmcs = NO_VMCS;
	VMXON(&script, .pointer = 0x1000);
	INSN(&script, VMPTRLD, vmptrld, .pointer = SCRIPT_VMCS, .dword0 = REVISION);
	script.vmcs = SCRIPT_VMCS;
	INSN(&script, VMREAD, vmread, .field = VMCS_HOST_RSP, .value = 0x1111);
	assert_found(&script, L0_VMCS_VALUE_LOST, 0);
	script_free(&script);
}

static void nothing_is_known_behind_a_gap(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_gap(&script);
	INSN(&script, VMREAD, vmread, .field = VMCS_HOST_RSP, .value = 0x1111);
	INSN(&script, VMPTRLD, vmptrld, .pointer = 0, .dword0 = REVISION);
	assert_found(&script, L0_VMCS_VALUE_LOST, 0);
	assert_found(&script, L0_SENTINEL_ADDRESS, 0);
	assert_found(&script, INSN_OUTCOME, 0);
	script_free(&script);
}

static void vmx_instructions_of_l2_are_l1_s(void **state)
{
	struct script script = script_ready();

	(void)state;
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_enter(&script);
	EXIT12(&script, EXIT_VMREAD, { VMCS_EXIT_QUALIFICATION, 0 });
	INSN(&script, VMREAD, vmread, .field = VMCS_EXIT_REASON, .value = EXIT_VMREAD);
	assert_found(&script, L0_REFLECT_MISSING, 0);
	INSN(&script, VMRESUME, vmresume, .launched = 1);
	script_enter(&script);
	INSN(&script, VMREAD, vmread, .field = VMCS_EXIT_REASON, .value = EXIT_VMREAD);
	assert_found(&script, L0_REFLECT_MISSING, 1);
	assert_found(&script, INSN_OUTCOME, 0);
	script_free(&script);
}

/* --- Entries ---------------------------------------------------------------------------------- */

static void an_entry_that_fails_leaves_the_vmcs_alone(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_vmwrite(&script, VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_UD);
	FIELD12(&script, CR3_TARGET_COUNT, 255);
	INSN(&script, VMLAUNCH, vmlaunch, .outcome = OUTCOME_FAIL_VALID, .error = 7);
	INSN(&script, VMREAD, vmread, .field = VMCS_VM_ENTRY_INTERRUPTION_INFO, .value = EVENT_UD);
	assert_found(&script, L0_ENTRY_FAIL_SIDE_EFFECT, 0);
	INSN(&script, VMREAD, vmread, .field = VMCS_VM_ENTRY_INTERRUPTION_INFO,
	     .value = EVENT_UD & ~BIT(31));
	assert_found(&script, L0_ENTRY_FAIL_SIDE_EFFECT, 1);
	assert_found(&script, L0_VMCS_VALUE_LOST, 0);
	script_free(&script);
}

static void fields_of_features_that_are_off_are_not_checked(void **state)
{
	struct script script = script_ready();

	(void)state;
	INSN(&script, VMLAUNCH, vmlaunch, .outcome = OUTCOME_FAIL_VALID, .error = 7);
	assert_found(&script, L0_CHECKS_DISABLED_FEATURE, 0);
	assert_found(&script, ENTRY_TOO_STRICT, 1);
	FIELD12(&script, IO_BITMAP_A, ~0ull);
	INSN(&script, VMLAUNCH, vmlaunch, .outcome = OUTCOME_FAIL_VALID, .error = 7);
	assert_found(&script, L0_CHECKS_DISABLED_FEATURE, 1);
	assert_non_null(strstr(script_finding(&script, FINDING_L0_CHECKS_DISABLED_FEATURE)->note,
			       "io_bitmap_a = 0xffffffffffffffff"));
	script_free(&script);
}

static void an_entry_of_an_msr_list_that_is_not_allowed_fails(void **state)
{
	const struct ev_l2_entry entry = { .vmcs = SCRIPT_VMCS };
	const struct trace_item items[] = { { ITEM_MSR_LOAD, MSR_FS_BASE },
					    { ITEM_MSR_LOAD + 1, 0 } };
	struct script script = script_ready();

	(void)state;
	FIELD12(&script, VM_ENTRY_MSR_LOAD_COUNT, 1);
	FIELD12(&script, VM_ENTRY_MSR_LOAD_ADDRESS, 0x5000);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	EXIT12(&script, EXITS_34, { VMCS_EXIT_QUALIFICATION, 1 }, { ITEM_MSR_LOAD, MSR_FS_BASE },
	       { ITEM_MSR_LOAD + 1, 0 });
	assert_found(&script, L0_MSR_LIST, 0);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_items(&script, EV_L2_ENTRY, &entry, sizeof(entry), items, ARRAY_SIZE(items));
	assert_found(&script, L0_MSR_LIST, 1);
	assert_found(&script, ENTRY_TOO_LAX, 0);
	script_free(&script);
}

static void a_list_without_entries_cannot_fail(void **state)
{
	struct script script = script_ready();

	(void)state;
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	EXIT12(&script, EXITS_34, { VMCS_EXIT_QUALIFICATION, 1 });
	assert_found(&script, L0_MSR_LOAD_FAULT, 1);
	script_free(&script);

	script = script_ready();
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	EXIT12(&script, EXITS_33, { VMCS_EXIT_QUALIFICATION, 0 });
	assert_found(&script, L0_MSR_LOAD_FAULT, 0);
	assert_found(&script, ENTRY_TOO_STRICT, 1);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmxon_with_a_bad_cr0_must_fault),
		cmocka_unit_test(vmxon_is_undefined_without_cr4_vmxe),
		cmocka_unit_test(instructions_are_undefined_outside_of_vmx_operation),
		cmocka_unit_test(address_0_is_an_address),
		cmocka_unit_test(instructions_fault_above_cpl_0),
		cmocka_unit_test(how_an_instruction_fails_depends_on_the_current_vmcs),
		cmocka_unit_test(a_field_that_exists_can_be_read),
		cmocka_unit_test(a_field_holds_what_was_written_last),
		cmocka_unit_test(vmxoff_with_an_active_vmcs_loses_what_it_holds),
		cmocka_unit_test(nothing_is_known_behind_a_gap),
		cmocka_unit_test(vmx_instructions_of_l2_are_l1_s),
		cmocka_unit_test(an_entry_that_fails_leaves_the_vmcs_alone),
		cmocka_unit_test(fields_of_features_that_are_off_are_not_checked),
		cmocka_unit_test(an_entry_of_an_msr_list_that_is_not_allowed_fails),
		cmocka_unit_test(a_list_without_entries_cannot_fail),
	};

	return cmocka_run_group_tests_name("replay/l0_insn", tests, NULL, NULL);
}
