#include "tests/replay/script.h"

/* An exit at @rip with @items, and the entry behind it at @next. */
static void round_trip(struct script *script, u64 reason, u64 rip, u64 next, u64 injected,
		       const struct trace_item *items, u32 count)
{
	const struct ev_l2_exit exit = { .reason = reason, .vmcs = script->vmcs };
	const struct ev_l2_entry entry = { .vmcs = script->vmcs, .injected = injected };

	script->rip = rip - 16;
	script_items(script, EV_L2_EXIT, &exit, sizeof(exit), items, count);
	script->rip = next - 16;
	script_items(script, EV_L2_ENTRY, &entry, sizeof(entry), NULL, 0);
}

static struct script start_l2(void)
{
	struct script script = script_start();

	script_vmcs(&script);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	return script;
}

static void the_same_exit_without_progress_is_found(void **state)
{
	const struct trace_item items[] = {
		{ ITEM_EPT12_GPA + 1, 0x5008 },
		{ ITEM_EPT12 + 1, 0x300f80000b82c6 },
	};
	struct script script = start_l2();
	const struct finding *finding;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		round_trip(&script, EXIT_EPT_MISCONFIGURATION, 0x7000, 0x7000, 0, items,
			   ARRAY_SIZE(items));
	script_end(&script);
	assert_found(&script, EXIT_LIVELOCK, 1);
	finding = script_finding(&script, FINDING_EXIT_LIVELOCK);
	assert_string_equal(finding->title, "L2 exits for ept_misconfiguration at RIP 0x7000 again "
					    "and again, and nothing changes in between");
	assert_non_null(strstr(finding->note, "EPT entry of level 1 at 0x5008"));
	assert_non_null(strstr(finding->note, "100 times in a row"));
	script_free(&script);
}

static void progress_of_any_kind_is_none(void **state)
{
	static const struct {
		const char *name;
		u64 step; /* of RIP at the entry */
		u64 injected;
		bool registers; /* change */
		unsigned times;
		u64 reason;
	} rows[] = {
		{ "RIP moves on", 3, 0, false, 100, EXIT_CPUID },
		{ "an event is injected", 0, BIT(31) | 0x20, false, 100, EXIT_CPUID },
		{ "registers change", 0, 0, true, 100, EXIT_CPUID },
		{ "63 times", 0, 0, false, 63, EXIT_CPUID },
		{ "interrupts", 0, 0, false, 1000, EXIT_EXTERNAL_INTERRUPT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = start_l2();

		for (unsigned j = 0; j < rows[i].times; j++) {
			const struct trace_item item = { ITEM_REG, rows[i].registers ? j : 0 };

			round_trip(&script, rows[i].reason, 0x7000, 0x7000 + rows[i].step,
				   rows[i].injected, &item, 1);
		}
		script_end(&script);
		if (script_count(&script, FINDING_EXIT_LIVELOCK))
			fail_msg("%s: found", rows[i].name);
		script_free(&script);
	}
}

static void interrupts_in_between_are_no_progress(void **state)
{
	struct script script = start_l2();

	(void)state;
	for (unsigned i = 0; i < 70; i++) {
		round_trip(&script, EXIT_HLT, 0x7000, 0x7000, 0, NULL, 0);
		round_trip(&script, EXIT_PREEMPTION_TIMER, 0x7000, 0x7000, 0, NULL, 0);
	}
	script_end(&script);
	assert_found(&script, EXIT_LIVELOCK, 1);
	script_free(&script);
}

static void a_gap_may_hide_progress(void **state)
{
	struct script script = start_l2();

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		if (i == 50) {
			script_gap(&script);
			script.vmcs = 0x2000;
		}
		round_trip(&script, EXIT_HLT, 0x7000, 0x7000, 0, NULL, 0);
	}
	script_end(&script);
	assert_found(&script, EXIT_LIVELOCK, 0);
	script_free(&script);
}

/* --- SUR.vmcall-owner ------------------------------------------------------------------------ */

static void a_vmcall_that_comes_back_for_ever_is_a_note(void **state)
{
	const struct trace_item item = { ITEM_REG, 5 };
	struct script script = start_l2();

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		round_trip(&script, EXIT_VMCALL, 0xac, 0xaf, 0, &item, 1);
	script_end(&script);
	assert_found(&script, VMCALL_OWNER, 1);
	assert_found(&script, EXIT_LIVELOCK, 0);
	assert_int_equal(script_finding(&script, FINDING_VMCALL_OWNER)->severity, SEVERITY_NOTE);
	script_free(&script);
}

static void vmcalls_with_other_registers_or_exits_between_are_work(void **state)
{
	struct script script = start_l2();

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		const struct trace_item item = { ITEM_REG, i };

		round_trip(&script, EXIT_VMCALL, 0xac, 0xaf, 0, &item, 1);
	}
	for (unsigned i = 0; i < 2000; i++) {
		const struct trace_item item = { ITEM_REG, 5 };

		round_trip(&script, EXIT_VMCALL, 0xac, 0xaf, 0, &item, 1);
		if (i % 500 == 0)
			round_trip(&script, EXIT_CPUID, 0xb0, 0xb2, 0, NULL, 0);
	}
	script_end(&script);
	assert_found(&script, VMCALL_OWNER, 0);
	script_free(&script);
}

static void a_vmcall_of_l1_itself_has_no_owner(void **state)
{
	struct script script = script_start();

	(void)state;
	INSN(&script, VMCALL, vmcall, .outcome = OUTCOME_FAULT, .error = 6);
	script_vmxon(&script, 0x1000);
	INSN(&script, VMCALL, vmcall, .outcome = OUTCOME_FAIL_INVALID);
	script_end(&script);
	assert_found(&script, VMCALL_OWNER, 2);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_exit_without_progress_is_found),
		cmocka_unit_test(progress_of_any_kind_is_none),
		cmocka_unit_test(interrupts_in_between_are_no_progress),
		cmocka_unit_test(a_gap_may_hide_progress),
		cmocka_unit_test(a_vmcall_that_comes_back_for_ever_is_a_note),
		cmocka_unit_test(vmcalls_with_other_registers_or_exits_between_are_work),
		cmocka_unit_test(a_vmcall_of_l1_itself_has_no_owner),
	};

	return cmocka_run_group_tests_name("replay/rule_livelock", tests, NULL, NULL);
}
