#include "tests/replay/script.h"

#define EVENT_NMI (BIT(31) | 2ull << 8 | 2)
#define EVENT_PF  (BIT(31) | 3ull << 8 | 14)
#define BLOCKED	  (SCRIPT_MODE | BIT(MODE_NMI))

/* L2 has exited for an event. */
static struct script start_event(u64 info)
{
	struct script script = script_start();
	struct ev_l2_entry entry = { 0 };
	struct ev_l2_exit exit = { .reason = EXIT_EXCEPTION_NMI };
	const struct trace_item item = { VMCS_VM_EXIT_INTERRUPTION_INFO, info };

	script_vmcs(&script);
	entry.vmcs = exit.vmcs = script.vmcs;
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_items(&script, EV_L2_ENTRY, &entry, sizeof(entry), NULL, 0);
	script_items(&script, EV_L2_EXIT, &exit, sizeof(exit), &item, 1);
	return script;
}

static void enter_l2(struct script *script, u64 mode)
{
	INSN(script, VMRESUME, vmresume, .mode = mode, .launched = 1);
	script_l2(script, EXIT_HLT);
}

static void an_entry_with_nmis_blocked_since_the_exit_is_a_note(void **state)
{
	struct script script = start_event(EVENT_NMI);
	const struct finding *finding;

	(void)state;
	enter_l2(&script, BLOCKED);
	script_end(&script);
	assert_found(&script, NMI_UNBLOCKED_MISSING, 1);
	finding = script_finding(&script, FINDING_NMI_UNBLOCKED_MISSING);
	assert_int_equal(finding->severity, SEVERITY_NOTE);
	assert_int_equal(finding->evidence[0].kind, EV_L2_EXIT);
	assert_int_equal(finding->evidence[1].kind, EV_VMRESUME);
	script_free(&script);
}

static void blocking_that_lasts_is_a_warning(void **state)
{
	struct script script = start_event(EVENT_NMI);

	(void)state;
	for (unsigned i = 0; i < 15; i++)
		enter_l2(&script, BLOCKED);
	assert_int_equal(script_finding(&script, FINDING_NMI_UNBLOCKED_MISSING)->severity,
			 SEVERITY_NOTE);
	enter_l2(&script, BLOCKED);
	script_end(&script);
	assert_int_equal(script_finding(&script, FINDING_NMI_UNBLOCKED_MISSING)->severity,
			 SEVERITY_WARNING);
	script_free(&script);
}

static void an_iret_before_the_entry_is_fine(void **state)
{
	struct script script = start_event(EVENT_NMI);

	(void)state;
	enter_l2(&script, SCRIPT_MODE);
	enter_l2(&script, BLOCKED);
	script_end(&script);
	assert_found(&script, NMI_UNBLOCKED_MISSING, 0);
	script_free(&script);
}

static void other_exceptions_block_nothing(void **state)
{
	struct script script = start_event(EVENT_PF);

	(void)state;
	enter_l2(&script, BLOCKED);
	script_end(&script);
	assert_found(&script, NMI_UNBLOCKED_MISSING, 0);
	script_free(&script);
}

static void an_iret_may_be_in_a_gap(void **state)
{
	struct script script = start_event(EVENT_NMI);

	(void)state;
	script_gap(&script);
	enter_l2(&script, BLOCKED);
	script_end(&script);
	assert_found(&script, NMI_UNBLOCKED_MISSING, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_with_nmis_blocked_since_the_exit_is_a_note),
		cmocka_unit_test(blocking_that_lasts_is_a_warning),
		cmocka_unit_test(an_iret_before_the_entry_is_fine),
		cmocka_unit_test(other_exceptions_block_nothing),
		cmocka_unit_test(an_iret_may_be_in_a_gap),
	};

	return cmocka_run_group_tests_name("replay/rule_nmi", tests, NULL, NULL);
}
