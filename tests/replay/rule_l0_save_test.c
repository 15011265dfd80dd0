#include "tests/replay/script_l0.h"

static struct script running(u64 exit_controls)
{
	struct script script = script_ready();

	FIELD12(&script, VM_EXIT_CONTROLS, 0x36dfb | EXIT_HOST_ADDRESS_SPACE_SIZE | exit_controls);
	script_run(&script);
	return script;
}

/* The processor saves @value into @field, and L1 gets @got, or what VMCS12 had. */
static const struct row {
	const char *name;
	u64 exit_controls;
	u32 field;
	u64 saved, got;
	bool told; /* the l2_exit has the field */
	int found;
} rows[] = {
	{ "RIP", 0, VMCS_GUEST_RIP, 0x1234, 0x1234, true, NOTHING },
	{ "RIP, another", 0, VMCS_GUEST_RIP, 0x1234, 0x1236, true, FINDING_L0_FIELD_NOT_COPIED },
	{ "RIP, none", 0, VMCS_GUEST_RIP, 0x1234, 0, false, FINDING_L0_FIELD_NOT_COPIED },
	{ "activity state", 0, VMCS_GUEST_ACTIVITY_STATE, 1, 1, true, NOTHING },
	{ "activity state, none", 0, VMCS_GUEST_ACTIVITY_STATE, 1, 0, true,
	  FINDING_L0_ACTIVITY_STATE },
	{ "pending debug exceptions, invented", 0, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0, BIT(14),
	  true, FINDING_L0_PENDING_DBG },
	{ "CS selector", 0, VMCS_GUEST_CS_SELECTOR, 0x33, 0x10, true, FINDING_L0_FIELD_NOT_COPIED },
	{ "base of a usable segment", 0, VMCS_GUEST_SS_BASE, 0x33, 0, true,
	  FINDING_L0_FIELD_NOT_COPIED },
	{ "base of an unusable segment", 0, VMCS_GUEST_ES_BASE, 0x33, 0, true, NOTHING },
	{ "bit 13 of TR, which is reserved", 0, VMCS_GUEST_TR_ACCESS_RIGHTS, 0x8b, 0x208b, true,
	  NOTHING },
	{ "type of TR", 0, VMCS_GUEST_TR_ACCESS_RIGHTS, 0x8b, 0x83, true,
	  FINDING_L0_FIELD_NOT_COPIED },
	{ "PAT that is not saved", 0, VMCS_GUEST_IA32_PAT, 6, 0, false, NOTHING },
	{ "PAT that is saved", EXIT_SAVE_PAT, VMCS_GUEST_IA32_PAT, 6, 0, false,
	  FINDING_L0_FIELD_NOT_COPIED },
	{ "hv's timer", 0, VMCS_VMX_PREEMPTION_TIMER_VALUE, 6, 0, false, NOTHING },
	{ "controls", 0, VMCS_PIN_BASED_CONTROLS, 0x7e, 0, false, NOTHING },
};

static void l1_gets_what_the_processor_saved(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct ev_l2_exit exit = { .reason = EXIT_VMCALL, .vmcs = SCRIPT_VMCS };
		const struct trace_item item = { rows[i].field, rows[i].got };
		struct script script = running(rows[i].exit_controls);

		EXIT02(&script, (EXIT_VMCALL),
		       { trace_item_id(ITEM_VMCS02, rows[i].field), rows[i].saved });
		script_items(&script, EV_L2_EXIT, &exit, sizeof(exit), &item, rows[i].told);
		assert_only_l0(&script, rows[i].name, rows[i].found);
		script_free(&script);
	}
}

static void failed_entries_save_nothing_and_gaps_hide_what_was_saved(void **state)
{
	struct script script = running(0);

	(void)state;
	EXIT02(&script, (EXIT_REASON_ENTRY_FAILURE | EXIT_INVALID_GUEST_STATE),
	       { ITEM02(GUEST_RSP), 0x1234 });
	EXIT12(&script, EXIT_REASON_ENTRY_FAILURE | EXIT_INVALID_GUEST_STATE,
	       { VMCS_EXIT_QUALIFICATION, 0 });
	assert_found(&script, L0_FIELD_NOT_COPIED, 0);
	script_run(&script);
	EXIT02(&script, (EXIT_VMCALL), { ITEM02(GUEST_RSP), 0x1234 });
	script_gap(&script);
	EXIT12(&script, EXIT_VMCALL, { VMCS_GUEST_RSP, 0x5678 });
	assert_found(&script, L0_FIELD_NOT_COPIED, 0);
	script_free(&script);
}

static void a_fault_that_l0_finds_saves_the_resume_flag(void **state)
{
	static const struct {
		const char *name;
		u32 reason;
		u64 got;
		int found;
	} rflags[] = {
		{ "another exit", EXIT_EXCEPTION_NMI, 0x10002, NOTHING },
		{ "the same exit", EXIT_IO, 0x10002, FINDING_L0_FIELD_NOT_COPIED },
		{ "another flag", EXIT_EXCEPTION_NMI, 0x3, FINDING_L0_FIELD_NOT_COPIED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rflags); i++) {
		struct script script = running(0);

		EXIT02(&script, (EXIT_IO), { ITEM02(GUEST_RFLAGS), 0x2 });
		EXIT12(&script, rflags[i].reason, { VMCS_GUEST_RFLAGS, rflags[i].got });
		if (rflags[i].found == NOTHING)
			assert_found(&script, L0_FIELD_NOT_COPIED, 0);
		else
			assert_found(&script, L0_FIELD_NOT_COPIED, 1);
		script_free(&script);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l1_gets_what_the_processor_saved),
		cmocka_unit_test(a_fault_that_l0_finds_saves_the_resume_flag),
		cmocka_unit_test(failed_entries_save_nothing_and_gaps_hide_what_was_saved),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_save", tests, NULL, NULL);
}
