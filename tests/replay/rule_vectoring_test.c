#include "tests/replay/script.h"

#define EVENT_INTERRUPT (BIT(31) | 0x20)
#define EVENT_NMI	(BIT(31) | 2ull << 8 | 2)
#define EVENT_PF	(BIT(31) | BIT(11) | 3ull << 8 | 14)

/* L2 has exited for @reason while @event was on its way. */
static struct script start_vectoring(u64 reason, u64 event)
{
	struct script script = script_start();
	struct ev_l2_entry entry = { 0 };
	struct ev_l2_exit exit = { .reason = reason };
	const struct trace_item items[] = {
		{ VMCS_VM_ENTRY_INTERRUPTION_INFO, event & ~BIT(31) },
		{ VMCS_IDT_VECTORING_INFO, event },
	};

	script_vmcs(&script);
	entry.vmcs = exit.vmcs = script.vmcs;
	script_vmwrite(&script, VMCS_PRIMARY_PROC_BASED_CONTROLS, 0x04006172);
	script_vmwrite(&script, VMCS_GUEST_RIP, 0x1000);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_items(&script, EV_L2_ENTRY, &entry, sizeof(entry), NULL, 0);
	script_items(&script, EV_L2_EXIT, &exit, sizeof(exit), items, ARRAY_SIZE(items));
	return script;
}

static void resume(struct script *script)
{
	INSN(script, VMRESUME, vmresume, .launched = 1);
	script_end(script);
}

static void interrupts_and_nmis_that_are_dropped_are_found(void **state)
{
	const u64 events[] = { EVENT_INTERRUPT, EVENT_NMI };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct script script = start_vectoring(EXIT_EPT_VIOLATION, events[i]);
		const struct finding *finding;

		resume(&script);
		assert_found(&script, VECTORING_LOST, 1);
		finding = script_finding(&script, FINDING_VECTORING_LOST);
		assert_int_equal(finding->evidence[0].kind, EV_L2_EXIT);
		assert_int_equal(finding->evidence[finding->evidence_count - 1].kind, EV_VMRESUME);
		script_free(&script);
	}
}

static void an_event_that_l1_takes_care_of_is_not(void **state)
{
	static const struct {
		const char *name;
		u64 reason, event, field, value;
	} rows[] = {
		{ "injected", EXIT_EPT_VIOLATION, EVENT_INTERRUPT, VMCS_VM_ENTRY_INTERRUPTION_INFO,
		  EVENT_INTERRUPT },
		{ "another first", EXIT_EPT_VIOLATION, EVENT_INTERRUPT,
		  VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_NMI },
		{ "window", EXIT_EPT_VIOLATION, EVENT_INTERRUPT, VMCS_PRIMARY_PROC_BASED_CONTROLS,
		  0x04006172 | PRIMARY_INTERRUPT_WINDOW_EXITING },
		{ "NMI window", EXIT_EPT_VIOLATION, EVENT_NMI, VMCS_PRIMARY_PROC_BASED_CONTROLS,
		  0x04006172 | PRIMARY_NMI_WINDOW_EXITING },
		{ "delivered by L1", EXIT_EPT_VIOLATION, EVENT_INTERRUPT, VMCS_GUEST_RIP, 0x8000 },
		{ "task switch", EXIT_TASK_SWITCH, EVENT_INTERRUPT, VMCS_GUEST_CR3, 0x1000 },
		{ "an exception comes again", EXIT_EPT_VIOLATION, EVENT_PF, VMCS_GUEST_CR3, 0 },
		{ "nothing", EXIT_EPT_VIOLATION, 0, VMCS_GUEST_CR3, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = start_vectoring(rows[i].reason, rows[i].event);

		script_vmwrite(&script, rows[i].field, rows[i].value);
		resume(&script);
		if (script_count(&script, FINDING_VECTORING_LOST))
			fail_msg("%s: found", rows[i].name);
		script_free(&script);
	}
}

/* The window of NMIs is none for interrupts. */
static void the_wrong_window_does_not_help(void **state)
{
	struct script script = start_vectoring(EXIT_EPT_VIOLATION, EVENT_INTERRUPT);

	(void)state;
	script_vmwrite(&script, VMCS_PRIMARY_PROC_BASED_CONTROLS,
		       0x04006172 | PRIMARY_NMI_WINDOW_EXITING);
	resume(&script);
	assert_found(&script, VECTORING_LOST, 1);
	script_free(&script);
}

static void an_entry_that_fails_loses_nothing(void **state)
{
	struct script script = start_vectoring(EXIT_EPT_VIOLATION, EVENT_INTERRUPT);

	(void)state;
	INSN(&script, VMRESUME, vmresume, .launched = 1, .outcome = OUTCOME_FAIL_VALID, .error = 7);
	script_end(&script);
	assert_found(&script, VECTORING_LOST, 0);
	script_free(&script);
}

static void what_happened_in_a_gap_is_unknown(void **state)
{
	struct script script = start_vectoring(EXIT_EPT_VIOLATION, EVENT_INTERRUPT);

	(void)state;
	script_gap(&script);
	resume(&script);
	assert_found(&script, VECTORING_LOST, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupts_and_nmis_that_are_dropped_are_found),
		cmocka_unit_test(an_event_that_l1_takes_care_of_is_not),
		cmocka_unit_test(the_wrong_window_does_not_help),
		cmocka_unit_test(an_entry_that_fails_loses_nothing),
		cmocka_unit_test(what_happened_in_a_gap_is_unknown),
	};

	return cmocka_run_group_tests_name("replay/rule_vectoring", tests, NULL, NULL);
}
