#include "tests/replay/script_l0.h"

#define FAILS	 EXIT_REASON_ENTRY_FAILURE
#define EVENT	 0x80000060
#define EVENT_UD 0x80000306
#define LENGTH                                     \
	{                                          \
		VMCS_VM_EXIT_INSTRUCTION_LENGTH, 3 \
	}
#define TABLE 0x7007

/* Exits whose judge has something to say, and the one rule that says it. */
static const struct row {
	const char *name;
	int field; /* of VMCS12, set to @value; -1: none */
	u64 value;
	u64 reason;
	struct trace_item items[6];
	int found;
} rows[] = {
	{ "the event stays valid",
	  VMCS_IX_VM_ENTRY_INTERRUPTION_INFO,
	  EVENT,
	  EXIT_CPUID,
	  { LENGTH },
	  FINDING_L0_INJECT_REPEAT },
	{ "a pending debug exception",
	  -1,
	  0,
	  EXIT_CPUID,
	  { LENGTH, { VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, BIT(14) } },
	  FINDING_L0_PENDING_DBG },
	{ "halted behind CPUID",
	  -1,
	  0,
	  EXIT_CPUID,
	  { LENGTH, { VMCS_GUEST_ACTIVITY_STATE, 1 } },
	  FINDING_L0_ACTIVITY_STATE },
	{ "an exception nobody asked for",
	  -1,
	  0,
	  EXIT_EXCEPTION_NMI,
	  { { VMCS_VM_EXIT_INTERRUPTION_INFO, EVENT_UD } },
	  FINDING_L0_EXCEPTION_FILTER },
	{ "a timer that is off",
	  -1,
	  0,
	  EXIT_PREEMPTION_TIMER,
	  { { VMCS_GUEST_RIP, 0x400002 } },
	  FINDING_L0_PREEMPTION_TIMER },
	{ "a failure that saves",
	  -1,
	  0,
	  FAILS | EXIT_INVALID_GUEST_STATE,
	  { { VMCS_EXIT_QUALIFICATION, 0 }, LENGTH },
	  FINDING_L0_ENTRY_FAIL_SIDE_EFFECT },
	{ "a violation by a misconfigured entry",
	  -1,
	  0,
	  EXIT_EPT_VIOLATION,
	  { { VMCS_EXIT_QUALIFICATION, 1 },
	    { ITEM_EPT12 + 4, TABLE },
	    { ITEM_EPT12 + 3, TABLE },
	    { ITEM_EPT12 + 2, TABLE },
	    { ITEM_EPT12 + 1, 0x8032 } },
	  FINDING_L0_EPT_MISCONFIG },
	{ "a host field changes",
	  -1,
	  0,
	  EXIT_CPUID,
	  { LENGTH, { VMCS_HOST_RIP, 5 } },
	  FINDING_EXIT_STATE },
};

static void one_mistake_is_one_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct ev_l2_exit exit = { .reason = rows[i].reason, .vmcs = SCRIPT_VMCS };
		struct script script = script_ready();
		u32 count = 0;

		FIELD12(&script, GUEST_RFLAGS, rows[i].reason & FAILS ? 0 : 0x202);
		if (rows[i].field >= 0)
			script_field(&script, rows[i].field, rows[i].value);
		INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
		if (!(rows[i].reason & FAILS)) {
			const struct ev_l2_entry entry = {
				.vmcs = SCRIPT_VMCS,
				.injected = rows[i].field == VMCS_IX_VM_ENTRY_INTERRUPTION_INFO
						    ? rows[i].value
						    : 0,
			};

			script_items(&script, EV_L2_ENTRY, &entry, sizeof(entry), NULL, 0);
		}
		while (count < ARRAY_SIZE(rows[i].items) && rows[i].items[count].id)
			count++;
		script_items(&script, EV_L2_EXIT, &exit, sizeof(exit), rows[i].items, count);
		assert_only_l0(&script, rows[i].name, rows[i].found);
		assert_row(rows[i].name, script_count(&script, FINDING_EXIT_STATE),
			   rows[i].found == FINDING_EXIT_STATE);
		script_free(&script);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_mistake_is_one_rule),
	};

	return cmocka_run_group_tests_name("replay/l0_exit", tests, NULL, NULL);
}
