#include "tests/replay/script_entry.h"

#define EVENT_INTERRUPT (BIT(31) | 0x40)
#define EVENT_SOFTWARE	(BIT(31) | 4ull << 8 | 0x40)
#define EVENT_NMI	(BIT(31) | 2ull << 8 | 2)
#define MAX_WRITES	6

/* A VM entry that fails for what was written, and what is found. */
struct entry_case {
	const char *name;
	struct {
		u64 field, value;
	} writes[MAX_WRITES];
	unsigned count; /* of writes */
	u64 error;	/* VM-instruction error; 0: exit reason 33 */
	u64 qualification;
	enum finding_id found; /* FINDING_COUNT: nothing */
};

#define SECONDARY(controls)                                                               \
	{ VMCS_PRIMARY_PROC_BASED_CONTROLS, 0x04006172ull | PRIMARY_SECONDARY_CONTROLS }, \
	{                                                                                 \
		VMCS_SECONDARY_PROC_BASED_CONTROLS, controls                              \
	}

static const struct entry_case entry_cases[] = {
	{ .name = "VPID 0",
	  .count = 3,
	  .writes = { SECONDARY(SECONDARY_VPID), { VMCS_VPID, 0 } },
	  .error = VMERR_ENTRY_CONTROLS,
	  .found = FINDING_VPID_ZERO },
	{ .name = "VPID 1",
	  .count = 3,
	  .writes = { SECONDARY(SECONDARY_VPID), { VMCS_VPID, 1 } },
	  .error = VMERR_ENTRY_CONTROLS,
	  .found = FINDING_COUNT },
	{ .name = "VPID 0, VPIDs off",
	  .count = 3,
	  .writes = { SECONDARY(0), { VMCS_VPID, 0 } },
	  .error = VMERR_ENTRY_CONTROLS,
	  .found = FINDING_COUNT },
	{ .name = "CR3-target count",
	  .count = 1,
	  .writes = { { VMCS_CR3_TARGET_COUNT, 5 } },
	  .error = VMERR_ENTRY_CONTROLS,
	  .found = FINDING_ENTRY_CONTROLS },
	{ .name = "host selector",
	  .count = 1,
	  .writes = { { VMCS_HOST_ES_SELECTOR, 0x2b } },
	  .error = VMERR_ENTRY_HOST_STATE,
	  .found = FINDING_HOST_STATE },
	{ .name = "host selector, but the controls are refused",
	  .count = 1,
	  .writes = { { VMCS_HOST_ES_SELECTOR, 0x2b } },
	  .error = VMERR_ENTRY_CONTROLS,
	  .found = FINDING_COUNT },
	{ .name = "interrupt with IF 0",
	  .count = 2,
	  .writes = { { VMCS_GUEST_RFLAGS, 2 },
		      { VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_INTERRUPT } },
	  .found = FINDING_INJECT_BLOCKED },
	{ .name = "nothing injected with IF 0",
	  .count = 2,
	  .writes = { { VMCS_GUEST_RFLAGS, 2 },
		      { VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_INTERRUPT & ~BIT(31) } },
	  .found = FINDING_COUNT },
	{ .name = "NMI behind MOV SS",
	  .count = 2,
	  .writes = { { VMCS_GUEST_INTERRUPTIBILITY_STATE, BIT(1) },
		      { VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_NMI } },
	  .found = FINDING_INJECT_BLOCKED },
	{ .name = "software interrupt into HLT",
	  .count = 2,
	  .writes = { { VMCS_GUEST_ACTIVITY_STATE, 1 },
		      { VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_SOFTWARE } },
	  .found = FINDING_INJECT_BLOCKED },
	{ .name = "CR3 bit 63",
	  .count = 1,
	  .writes = { { VMCS_GUEST_CR3, BIT(63) | 0x2000 } },
	  .found = FINDING_GUEST_CR3_WIDTH },
	{ .name = "highest bit of CR3",
	  .count = 1,
	  .writes = { { VMCS_GUEST_CR3, BIT(39) | 0x2000 } },
	  .found = FINDING_COUNT },
	{ .name = "PDPTE",
	  .count = 6,
	  .writes = { SECONDARY(SECONDARY_EPT),
		      { VMCS_VM_ENTRY_CONTROLS, 0x11fb },
		      { VMCS_GUEST_CR0, 0x80000021 },
		      { VMCS_GUEST_CR4, 0x2020 },
		      { VMCS_GUEST_PDPTE1, 0x3003 } },
	  .qualification = 2,
	  .found = FINDING_PDPTE },
	{ .name = "PDPTE that is not present",
	  .count = 6,
	  .writes = { SECONDARY(SECONDARY_EPT),
		      { VMCS_VM_ENTRY_CONTROLS, 0x11fb },
		      { VMCS_GUEST_CR0, 0x80000021 },
		      { VMCS_GUEST_CR4, 0x2020 },
		      { VMCS_GUEST_PDPTE1, 0x3002 } },
	  .qualification = 2,
	  .found = FINDING_COUNT },
	{ .name = "RFLAGS",
	  .count = 1,
	  .writes = { { VMCS_GUEST_RFLAGS, 0 } },
	  .found = FINDING_GUEST_STATE },
};

static struct script play(const struct entry_case *row, bool gap)
{
	struct script script = script_start();

	script_vmcs(&script);
	for (unsigned i = 0; i < row->count; i++)
		script_vmwrite(&script, row->writes[i].field, row->writes[i].value);
	if (gap)
		script_gap(&script);
	if (row->error)
		script_launch_error(&script, row->error);
	else
		script_launch_failure(&script, EXIT_INVALID_GUEST_STATE, row->qualification);
	script_end(&script);
	return script;
}

static const enum finding_id entry_findings[] = {
	FINDING_VPID_ZERO,	 FINDING_REINJECT_NO_ILEN, FINDING_ENTRY_CONTROLS,
	FINDING_HOST_STATE,	 FINDING_INJECT_BLOCKED,   FINDING_PDPTE,
	FINDING_GUEST_CR3_WIDTH, FINDING_GUEST_STATE,	   FINDING_MODEL_PASSES_HW_FAILS,
};

static void a_failed_entry_names_the_rule_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entry_cases); i++) {
		const struct entry_case *const row = &entry_cases[i];
		struct script script = play(row, false);

		for (size_t f = 0; f < ARRAY_SIZE(entry_findings); f++)
			if (script_count(&script, entry_findings[f]) !=
			    (entry_findings[f] == row->found))
				fail_msg("%s: %u of %s", row->name,
					 script_count(&script, entry_findings[f]),
					 finding_rows[entry_findings[f]].rule);
		script_free(&script);
	}
}

static void nothing_is_said_of_fields_lost_in_a_gap(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entry_cases); i++) {
		struct script script = play(&entry_cases[i], true);

		for (size_t f = 0; f < ARRAY_SIZE(entry_findings); f++)
			if (script_count(&script, entry_findings[f]))
				fail_msg("%s: %s behind a gap", entry_cases[i].name,
					 finding_rows[entry_findings[f]].rule);
		script_free(&script);
	}
}

static void the_evidence_is_the_write_the_entry_and_the_exit(void **state)
{
	const struct entry_case row = {
		.count = 1,
		.writes = { { VMCS_GUEST_CR3, BIT(63) | 0x2000 } },
	};
	struct script script = play(&row, false);
	const struct finding *const finding = script_finding(&script, FINDING_GUEST_CR3_WIDTH);

	(void)state;
	assert_int_equal(finding->evidence_count, 3);
	assert_int_equal(finding->evidence[0].kind, EV_VMWRITE);
	assert_int_equal(finding->evidence[1].kind, EV_VMLAUNCH);
	assert_int_equal(finding->evidence[2].kind, EV_L2_EXIT);
	assert_non_null(strstr(finding->note, "bits 0x8000000000000000 of it are "
					      "0x8000000000000000; 0x0 would do"));
	script_free(&script);
}

/* IA32_VMX_MISC[30] says whether length 0 is a length. */
static void a_software_event_of_length_0_is_found_where_the_processor_refuses_it(void **state)
{
	const u64 misc[] = { 0x200401e0, 0x600401e0 };

	(void)state;
	for (unsigned allowed = 0; allowed < 2; allowed++) {
		struct script script = script_start();

		script_capability(&script, MSR_VMX_MISC, misc[allowed], misc[allowed]);
		script_vmcs(&script);
		script_vmwrite(&script, VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_SOFTWARE);
		script_vmwrite(&script, VMCS_VM_ENTRY_INSTRUCTION_LENGTH, 0);
		script_launch_error(&script, VMERR_ENTRY_CONTROLS);
		script_end(&script);
		assert_found(&script, REINJECT_NO_ILEN, !allowed);
		script_free(&script);
	}
}

/* What the capability MSRs do not allow is told by another rule. */
static void a_field_that_another_rule_tells_of_is_left_to_it(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmcs(&script);
	script_vmwrite(&script, VMCS_PRIMARY_PROC_BASED_CONTROLS,
		       0x04006172ull | PRIMARY_SECONDARY_CONTROLS);
	script_vmwrite(&script, VMCS_SECONDARY_PROC_BASED_CONTROLS,
		       SECONDARY_APIC_REGISTER_VIRTUALIZATION | BIT(25));
	script_launch_error(&script, VMERR_ENTRY_CONTROLS);
	script_end(&script);
	assert_true(script_count(&script, FINDING_CTL_MUST_BE_0));
	assert_found(&script, ENTRY_CONTROLS, 0);
	script_free(&script);
}

/* --- SUR.model-passes-hw-fails --------------------------------------------------------------- */

static void good_state_that_is_refused_names_registers_that_are_not_used(void **state)
{
	struct script script = script_ready();
	const struct finding *finding;

	(void)state;
	FIELD12(&script, GUEST_SS_ACCESS_RIGHTS, 0x10000);
	script_launch_failure(&script, EXIT_INVALID_GUEST_STATE, 0);
	script_end(&script);
	assert_found(&script, MODEL_PASSES_HW_FAILS, 1);
	finding = script_finding(&script, FINDING_MODEL_PASSES_HW_FAILS);
	assert_int_equal(finding->severity, SEVERITY_NOTE);
	assert_non_null(strstr(finding->note, "guest_ss_access_rights = 0x10000 is unusable; "
					      "usable, it would fail SS_TYPE"));
	script_free(&script);
}

static void good_state_without_unusable_registers_is_for_other_rules(void **state)
{
	static const int rights[] = {
		VMCS_IX_GUEST_ES_ACCESS_RIGHTS,
		VMCS_IX_GUEST_DS_ACCESS_RIGHTS,
		VMCS_IX_GUEST_FS_ACCESS_RIGHTS,
		VMCS_IX_GUEST_GS_ACCESS_RIGHTS,
	};
	struct script script = script_ready();

	(void)state;
	/* LDTR that would pass if it were usable. */
	FIELD12(&script, GUEST_LDTR_ACCESS_RIGHTS, 0x10082);
	for (size_t i = 0; i < ARRAY_SIZE(rights); i++)
		script_field(&script, rights[i], 0x10093);
	script_launch_failure(&script, EXIT_INVALID_GUEST_STATE, 0);
	script_end(&script);
	assert_found(&script, MODEL_PASSES_HW_FAILS, 0);
	script_free(&script);
}

static void a_state_lost_in_a_gap_may_have_been_bad(void **state)
{
	struct script script = script_ready();

	(void)state;
	FIELD12(&script, GUEST_SS_ACCESS_RIGHTS, 0x10000);
	script_gap(&script);
	script_launch_failure(&script, EXIT_INVALID_GUEST_STATE, 0);
	script_end(&script);
	assert_found(&script, MODEL_PASSES_HW_FAILS, 0);
	script_free(&script);
}

/* --- L1.msr-load-fault ----------------------------------------------------------------------- */

/* A list of two MSRs whose second one is @index; the entry fails with exit 34 at @number. */
static struct script play_list(u64 index, u64 number)
{
	struct script script = script_ready();
	const struct trace_item items[] = {
		{ VMCS_EXIT_QUALIFICATION, number },
		{ ITEM_MSR_LOAD, MSR_SYSENTER_CS },
		{ ITEM_MSR_LOAD + 1, 0 },
		{ ITEM_MSR_LOAD + 2, index },
		{ ITEM_MSR_LOAD + 3, 0x1234 },
	};
	const struct ev_l2_exit exit = {
		.reason = EXIT_MSR_LOADING | EXIT_REASON_ENTRY_FAILURE,
		.vmcs = SCRIPT_VMCS,
	};

	FIELD12(&script, VM_ENTRY_MSR_LOAD_ADDRESS, 0x8000);
	FIELD12(&script, VM_ENTRY_MSR_LOAD_COUNT, 2);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_items(&script, EV_L2_EXIT, &exit, sizeof(exit), items, ARRAY_SIZE(items));
	script_end(&script);
	return script;
}

static void the_entry_of_an_msr_list_that_cannot_be_loaded_is_named(void **state)
{
	struct script script = play_list(MSR_FS_BASE, 2);
	const struct finding *finding;

	(void)state;
	assert_found(&script, MSR_LOAD_FAULT, 1);
	finding = script_finding(&script, FINDING_MSR_LOAD_FAULT);
	assert_non_null(strstr(finding->title, "Entry 2 of the VM-entry MSR-load list"));
	assert_non_null(strstr(finding->note, "entry 2: MSR 0xc0000100 = 0x1234"));
	script_free(&script);
}

static void an_entry_that_can_be_loaded_is_not(void **state)
{
	struct script script = play_list(MSR_FS_BASE, 1);

	(void)state;
	assert_found(&script, MSR_LOAD_FAULT, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_entry_names_the_rule_and_nothing_else),
		cmocka_unit_test(nothing_is_said_of_fields_lost_in_a_gap),
		cmocka_unit_test(the_evidence_is_the_write_the_entry_and_the_exit),
		cmocka_unit_test(
			a_software_event_of_length_0_is_found_where_the_processor_refuses_it),
		cmocka_unit_test(a_field_that_another_rule_tells_of_is_left_to_it),
		cmocka_unit_test(good_state_that_is_refused_names_registers_that_are_not_used),
		cmocka_unit_test(good_state_without_unusable_registers_is_for_other_rules),
		cmocka_unit_test(a_state_lost_in_a_gap_may_have_been_bad),
		cmocka_unit_test(the_entry_of_an_msr_list_that_cannot_be_loaded_is_named),
		cmocka_unit_test(an_entry_that_can_be_loaded_is_not),
	};

	return cmocka_run_group_tests_name("replay/rule_entry_state", tests, NULL, NULL);
}
