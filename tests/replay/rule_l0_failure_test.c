#include "tests/replay/script_l0.h"

#define FAILS (EXIT_REASON_ENTRY_FAILURE | EXIT_INVALID_GUEST_STATE)

static struct script failing(void)
{
	struct script script = script_ready();

	FIELD12(&script, GUEST_RFLAGS, 0);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	return script;
}

static void a_failed_entry_tells_reason_and_qualification(void **state)
{
	struct script script = failing();

	(void)state;
	EXIT12(&script, FAILS, { VMCS_EXIT_REASON, FAILS }, { VMCS_EXIT_QUALIFICATION, 0 },
	       { ITEM_MSR_HOST, 0x10 });
	assert_only_l0(&script, "reason, qualification, host MSRs", NOTHING);
	script_free(&script);
}

static void a_failed_entry_saves_nothing(void **state)
{
	static const struct {
		const char *name;
		struct trace_item item;
	} rows[] = {
		{ "guest RIP", { VMCS_GUEST_RIP, 2 } },
		{ "the instruction length", { VMCS_VM_EXIT_INSTRUCTION_LENGTH, 3 } },
		{ "the event", { VMCS_VM_ENTRY_INTERRUPTION_INFO, 0 } },
		{ "the launch state", { ITEM_LAUNCHED, 1 } },
		{ "the MSR-store list", { ITEM_MSR_STORE, 0x10 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = failing();

		EXIT12(&script, FAILS, { VMCS_EXIT_QUALIFICATION, 0 }, rows[i].item);
		assert_only_l0(&script, rows[i].name, FINDING_L0_ENTRY_FAIL_SIDE_EFFECT);
		script_free(&script);
	}
}

/* What an exit of L2 saves is another matter; and what the event itself tells, no gap hides. */
static void exits_of_l2_save_state(void **state)
{
	struct script script = script_ready();

	(void)state;
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_enter(&script);
	EXIT12(&script, EXIT_CPUID, { VMCS_GUEST_RIP, 2 }, { VMCS_VM_EXIT_INSTRUCTION_LENGTH, 3 });
	assert_only_l0(&script, "CPUID", NOTHING);
	script_gap(&script);
	EXIT12(&script, FAILS, { VMCS_GUEST_RIP, 2 });
	assert_only_l0(&script, "behind a gap", FINDING_L0_ENTRY_FAIL_SIDE_EFFECT);
	script_free(&script);
}

/* Bochs writes the instruction length as well; where it is the L0, that is no news. */
static void what_the_l0_is_known_for_is_a_note(void **state)
{
	const u64 basic =
		(good_caps[VMX_CAP_BASIC] & ~(MASK(44, 32) | MASK(30, 0))) | 0x1000ull << 32 | 0x2b;
	struct script script = script_ready();
	const struct findings *const findings = check_findings(script.check);
	unsigned known = 0, errors = 0;

	(void)state;
	script_capability(&script, MSR_VMX_BASIC, basic, basic);
	script_capability(&script, MSR_VMX_VMCS_ENUM, 0x34, 0x34);
	EXIT12(&script, FAILS, { VMCS_EXIT_QUALIFICATION, 0 },
	       { VMCS_VM_EXIT_INSTRUCTION_LENGTH, 3 });
	EXIT12(&script, FAILS, { VMCS_EXIT_QUALIFICATION, 0 }, { ITEM_LAUNCHED, 1 });
	for (unsigned i = 0; i < findings->count; i++) {
		const struct finding *const finding = findings->list[i];

		if (finding->id != FINDING_L0_ENTRY_FAIL_SIDE_EFFECT)
			continue;
		known += finding->severity == SEVERITY_NOTE &&
			 strstr(finding->note, "BOCHS_FAILURE_TOUCHES");
		errors += finding->severity == SEVERITY_ERROR;
	}
	assert_int_equal(known, 1);
	assert_int_equal(errors, 1);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_entry_tells_reason_and_qualification),
		cmocka_unit_test(a_failed_entry_saves_nothing),
		cmocka_unit_test(exits_of_l2_save_state),
		cmocka_unit_test(what_the_l0_is_known_for_is_a_note),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_failure", tests, NULL, NULL);
}
