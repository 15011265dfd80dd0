#include "tests/replay/script.h"

static void start_l2(struct script *script, u64 pin)
{
	const struct ev_l2_entry entry = { .vmcs = 0x2000 };

	script_vmxon(script, 0x1000);
	script_vmclear(script, 0x2000);
	script_vmptrld(script, 0x2000);
	script_vmwrite(script, VMCS_PIN_BASED_CONTROLS, pin);
	INSN(script, VMLAUNCH, vmlaunch, .outcome = OUTCOME_SUCCEED);
	script_items(script, EV_L2_ENTRY, &entry, sizeof(entry), NULL, 0);
}

static void a_machine_switched_off_is_no_finding(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmxon(&script, 0x1000);
	script_end(&script);
	assert_found(&script, TRACE_END, 0);
	script_free(&script);
}

static void a_tape_that_stops_in_l2_lists_what_could_end_it(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	start_l2(&script, 0x16 | PIN_NMI_EXITING);
	check_end(script.check);
	assert_found(&script, TRACE_END, 1);
	finding = script_finding(&script, FINDING_TRACE_END);
	assert_string_equal(finding->title, "The tape stops while L2 was running");
	assert_non_null(strstr(finding->note, "external interrupts: no"));
	assert_non_null(strstr(finding->note, "NMIs: yes"));
	assert_int_equal(finding->evidence[0].kind, EV_L2_ENTRY);
	script_free(&script);
}

static void l2_without_any_way_out_is_said_to_have_none(void **state)
{
	struct script script = script_start();

	(void)state;
	start_l2(&script, 0x16);
	check_end(script.check);
	assert_non_null(strstr(script_finding(&script, FINDING_TRACE_END)->explanation,
			       "No event from outside"));
	script_free(&script);
}

static void the_same_exit_a_thousand_times_is_a_livelock(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	start_l2(&script, 0x16);
	for (unsigned i = 0; i < 1500; i++) {
		script.rip = 0x5000;
		script_l2(&script, EXIT_EPT_VIOLATION);
	}
	check_end(script.check);
	finding = script_finding(&script, FINDING_TRACE_END);
	assert_non_null(finding);
	assert_int_equal(finding->severity, SEVERITY_WARNING);
	assert_non_null(strstr(finding->note, "the last 1500 exits of L2 are all ept_violation"));
	assert_string_equal(finding->title, "The tape stops while L1 was in a loop of exits");
	script_free(&script);
}

static void a_triple_fault_is_a_warning_and_a_panic_an_error(void **state)
{
	struct script script = script_start();
	const struct ev_panic panic = { .code = 1 };

	(void)state;
	script_vmxon(&script, 0x1000);
	OTHER(&script, END, end, .why = END_TRIPLE_FAULT);
	check_end(script.check);
	assert_int_equal(script_finding(&script, FINDING_TRACE_END)->severity, SEVERITY_WARNING);
	script_free(&script);

	script = script_start();
	script_vmxon(&script, 0x1000);
	script_send(&script, EV_PANIC, 0, &panic, sizeof(panic), NULL, 0, "no memory");
	check_end(script.check);
	assert_found(&script, TRACE_END, 0);
	assert_int_equal(script_finding(&script, FINDING_L0_ASSERT)->severity, SEVERITY_ERROR);
	assert_non_null(strstr(script_finding(&script, FINDING_L0_ASSERT)->title, "no memory"));
	script_free(&script);
}

static void a_bug_that_hv_saw_and_survived_is_told_once_for_each_place(void **state)
{
	const struct ev_hv_bug bugs[] = { { 1, 0x10 }, { 1, 0x20 }, { 2, 0x30 } };
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	script_vmxon(&script, 0x1000);
	for (size_t i = 0; i < ARRAY_SIZE(bugs); i++)
		script_send(&script, EV_HV_BUG, 0, &bugs[i], sizeof(bugs[i]), NULL, 0, "odd");
	script_end(&script);
	assert_found(&script, TRACE_END, 0);
	assert_found(&script, L0_ASSERT, 2);
	finding = script_finding(&script, FINDING_L0_ASSERT);
	assert_int_equal(finding->count, 2);
	assert_int_equal(finding->evidence[0].kind, EV_VMXON);
	assert_string_equal(finding->title,
			    "The hypervisor below L1 met what it held impossible: odd");
	script_free(&script);
}

static void behind_a_gap_it_is_open_who_was_running(void **state)
{
	struct script script = script_start();

	(void)state;
	start_l2(&script, 0x16);
	script_gap(&script);
	check_end(script.check);
	assert_null(script_finding(&script, FINDING_TRACE_END)->note);
	script_free(&script);
}

static void at_the_end_of_a_cut_tape_what_was_last_known_counts(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	start_l2(&script, 0x16 | PIN_EXTERNAL_INTERRUPT_EXITING);
	OTHER(&script, GAP, gap, .why = GAP_CUT);
	check_end(script.check);
	finding = script_finding(&script, FINDING_TRACE_END);
	assert_string_equal(finding->title, "The tape stops while L2 was running");
	assert_non_null(strstr(finding->note, "external interrupts: yes"));
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_switched_off_is_no_finding),
		cmocka_unit_test(a_tape_that_stops_in_l2_lists_what_could_end_it),
		cmocka_unit_test(l2_without_any_way_out_is_said_to_have_none),
		cmocka_unit_test(the_same_exit_a_thousand_times_is_a_livelock),
		cmocka_unit_test(a_triple_fault_is_a_warning_and_a_panic_an_error),
		cmocka_unit_test(a_bug_that_hv_saw_and_survived_is_told_once_for_each_place),
		cmocka_unit_test(behind_a_gap_it_is_open_who_was_running),
		cmocka_unit_test(at_the_end_of_a_cut_tape_what_was_last_known_counts),
	};

	return cmocka_run_group_tests_name("replay/rule_trace_end", tests, NULL, NULL);
}
