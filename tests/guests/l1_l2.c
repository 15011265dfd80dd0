/*
 * tests/guests/l1_l2.c - a real L2: does what exits, exit, and come back as it should?
 *
 * Every case runs without and with EPT and VPID. On the command line: only=NAME runs the cases of
 * that table alone (insn, access, state, mode, task, event, nmi, string, step, memory, flags, apic,
 * function).
 */
#include "tests/guests/l1_l2.h"

static const struct l2_mode modes[] = {
	{ .name = "plain" },
	{ .name = "vpid", .vpid = true },
	{ .name = "ept", .ept = true },
	{ .name = "ept vpid", .ept = true, .vpid = true },
};

static void run_tables(const struct l2_mode *mode)
{
	const struct {
		const char *name;
		const struct l2_case *cases;
		size_t count;
	} tables[] = {
		{ "insn", l1_l2_insn_cases, l1_l2_insn_count },
		{ "access", l1_l2_access_cases, l1_l2_access_count },
		{ "state", l1_l2_state_cases, l1_l2_state_count },
		{ "mode", l1_l2_mode_cases, l1_l2_mode_count },
		{ "task", l1_l2_task_cases, l1_l2_task_count },
		{ "event", l1_l2_event_cases, l1_l2_event_count },
		{ "nmi", l1_l2_nmi_cases, l1_l2_nmi_count },
		{ "string", l1_l2_string_cases, l1_l2_string_count },
		{ "step", l1_l2_step_cases, l1_l2_step_count },
		{ "memory", l1_l2_memory_cases, l1_l2_memory_count },
		{ "flags", l1_l2_flags_cases, l1_l2_flags_count },
		{ "apic", l1_l2_apic_cases, l1_l2_apic_count },
		{ "kept", l1_l2_kept_cases, l1_l2_kept_count },
		{ "function", l1_l2_function_cases, l1_l2_function_count },
	};
	char only[16];
	const bool all = !guest_option("only", only, sizeof(only));

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		if (all || !strcmp(only, tables[i].name))
			l2_cases_run(tables[i].cases, tables[i].count, mode);
}

void guest_main(void)
{
	guest_vmx_init();
	guest_apic_enable();
	guest_vmx_on();
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if ((modes[i].ept && !guest_control_allowed(VMX_WORD_SECONDARY, SECONDARY_EPT)) ||
		    (modes[i].vpid && !guest_control_allowed(VMX_WORD_SECONDARY, SECONDARY_VPID))) {
			guest_print("skipped: all of %s\n", modes[i].name);
			continue;
		}
		run_tables(&modes[i]);
		guest_print("l1_l2: %s done\n", modes[i].name);
	}
	guest_vmx_off();
	guest_check_end();
}
