#include "tests/replay/script_l0.h"

#define EVENT	  0x80000060ull /* external interrupt 60h */
#define EVENT_GP  0x80000b0dull
#define EVENT_NMI 0x80000202ull
#define PRIMARY	  (0x04006172 | PRIMARY_SECONDARY_CONTROLS)
#define INFO	  VMCS_VM_ENTRY_INTERRUPTION_INFO

/* VMLAUNCH or VMRESUME with the event that VMCS12 has. */
static void enter(struct script *script, u64 info12, u64 info02, bool again)
{
	const struct ev_l2_entry entry = { .vmcs = SCRIPT_VMCS,
					   .injected = info12 & BIT(31) ? info12 : 0 };

	if (again)
		INSN(script, VMRESUME, vmresume, .launched = 1);
	else
		INSN(script, VMLAUNCH, vmlaunch, .launched = 0);
	if (info02 == info12)
		ENTER02(script, { ITEM02(VM_EXIT_CONTROLS), 0 });
	else
		ENTER02(script, { ITEM02(VM_ENTRY_INTERRUPTION_INFO), info02 });
	script_items(script, EV_L2_ENTRY, &entry, sizeof(entry), NULL, 0);
}

static struct script with_event(u64 info)
{
	struct script script = script_ready();

	FIELD12(&script, GUEST_RFLAGS, 0x202);
	script_vmwrite(&script, INFO, info);
	return script;
}

/* --- Injection -------------------------------------------------------------------------------- */

static void an_exit_takes_the_event_away(void **state)
{
	struct script script = with_event(EVENT);
	const struct finding *finding;

	(void)state;
	enter(&script, EVENT, EVENT, false);
	EXIT12(&script, EXIT_VMCALL, { INFO, EVENT & ~BIT(31) });
	enter(&script, EVENT & ~BIT(31), 0, true);
	EXIT12(&script, EXIT_VMCALL, { VMCS_GUEST_RIP, 2 });
	assert_found(&script, L0_INJECT_REPEAT, 0);
	script_free(&script);

	script = with_event(EVENT);
	enter(&script, EVENT, EVENT, false);
	EXIT12(&script, EXIT_VMCALL, { VMCS_GUEST_RIP, 2 });
	enter(&script, EVENT, EVENT, true);
	assert_found(&script, L0_INJECT_REPEAT, 1);
	finding = script_finding(&script, FINDING_L0_INJECT_REPEAT);
	assert_int_equal(finding->evidence[0].kind, EV_VMWRITE);
	assert_int_equal(finding->evidence[1].kind, EV_L2_EXIT);
	assert_int_equal(finding->evidence[2].kind, EV_L2_ENTRY);
	script_free(&script);
}

static void l1_may_inject_the_same_again(void **state)
{
	struct script script = with_event(EVENT);

	(void)state;
	enter(&script, EVENT, EVENT, false);
	EXIT12(&script, EXIT_VMCALL, { INFO, EVENT & ~BIT(31) });
	script_vmwrite(&script, INFO, EVENT);
	enter(&script, EVENT, EVENT, true);
	assert_found(&script, L0_INJECT_REPEAT, 0);
	script_free(&script);
}

static void an_entry_that_fails_leaves_the_event(void **state)
{
	struct script script = with_event(EVENT);

	(void)state;
	enter(&script, EVENT, EVENT, false);
	EXIT12(&script, EXIT_VMCALL, { INFO, EVENT & ~BIT(31) });
	script_vmwrite(&script, INFO, EVENT);
	INSN(&script, VMRESUME, vmresume, .launched = 1);
	EXIT12(&script, EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE,
	       { VMCS_EXIT_QUALIFICATION, 0 });
	enter(&script, EVENT, EVENT, true);
	assert_found(&script, L0_INJECT_REPEAT, 0);
	script_free(&script);
}

static void a_copy_of_l0_s_is_a_repeat_but_nmis_may_be_l0_s(void **state)
{
	struct script script = with_event(EVENT);

	(void)state;
	enter(&script, EVENT, EVENT, false);
	EXIT12(&script, EXIT_VMCALL, { INFO, EVENT & ~BIT(31) });
	enter(&script, EVENT & ~BIT(31), EVENT_NMI, true);
	assert_found(&script, L0_INJECT_REPEAT, 0);
	EXIT12(&script, EXIT_VMCALL, { VMCS_GUEST_RIP, 2 });
	enter(&script, EVENT & ~BIT(31), EVENT, true);
	assert_found(&script, L0_INJECT_REPEAT, 1);
	script_free(&script);
}

static void what_l1_injects_is_in_vmcs02(void **state)
{
	struct script script = with_event(EVENT);

	(void)state;
	enter(&script, EVENT, EVENT, false);
	assert_found(&script, L0_PENDING_EVENT_LOST, 0);
	script_free(&script);

	script = with_event(EVENT);
	enter(&script, EVENT, 0, false);
	assert_found(&script, L0_PENDING_EVENT_LOST, 1);
	script_free(&script);

	script = with_event(EVENT);
	enter(&script, EVENT, EVENT + 1, false);
	assert_found(&script, L0_PENDING_EVENT_LOST, 1);
	script_free(&script);
}

/* --- Windows ---------------------------------------------------------------------------------- */

static const struct window {
	const char *name;
	u64 pin, primary, rflags, blocking;
	u64 reason;
	int found;
} windows[] = {
	{ "interrupt window", 0, PRIMARY_INTERRUPT_WINDOW_EXITING, 0x202, 0, EXIT_INTERRUPT_WINDOW,
	  NOTHING },
	{ "CPUID first", 0, PRIMARY_INTERRUPT_WINDOW_EXITING, 0x202, 0, EXIT_CPUID,
	  FINDING_L0_EVENT_PRIORITY },
	{ "CPUID with IF clear", 0, PRIMARY_INTERRUPT_WINDOW_EXITING, 2, 0, EXIT_CPUID, NOTHING },
	{ "CPUID behind STI", 0, PRIMARY_INTERRUPT_WINDOW_EXITING, 0x202, 1, EXIT_CPUID, NOTHING },
	{ "CPUID, no window asked for", 0, 0, 0x202, 0, EXIT_CPUID, NOTHING },
	{ "an interrupt first", PIN_EXTERNAL_INTERRUPT_EXITING, PRIMARY_INTERRUPT_WINDOW_EXITING,
	  0x202, 0, EXIT_EXTERNAL_INTERRUPT, NOTHING },
	{ "CPUID before the NMI window", PIN_NMI_EXITING | PIN_VIRTUAL_NMIS,
	  PRIMARY_NMI_WINDOW_EXITING, 2, 0, EXIT_CPUID, FINDING_L0_EVENT_PRIORITY },
	{ "CPUID while NMIs are blocked", PIN_NMI_EXITING | PIN_VIRTUAL_NMIS,
	  PRIMARY_NMI_WINDOW_EXITING, 2, 8, EXIT_CPUID, NOTHING },
};

static void a_window_comes_before_the_first_instruction(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		struct script script = script_ready();

		FIELD12(&script, PIN_BASED_CONTROLS, 0x16 | windows[i].pin);
		FIELD12(&script, PRIMARY_PROC_BASED_CONTROLS, PRIMARY | windows[i].primary);
		FIELD12(&script, GUEST_RFLAGS, windows[i].rflags);
		FIELD12(&script, GUEST_INTERRUPTIBILITY_STATE, windows[i].blocking);
		enter(&script, 0, 0, false);
		EXIT12(&script, windows[i].reason, { VMCS_GUEST_RSP, 2 });
		assert_only_l0(&script, windows[i].name, windows[i].found);
		script_free(&script);
	}
}

/* --- Deliveries that exits cut short ---------------------------------------------------------- */

static void an_event_that_was_being_delivered_is_injected_again(void **state)
{
	struct script script = script_ready();
	const struct finding *finding;

	(void)state;
	script_run(&script);
	EXIT02(&script, (EXIT_EPT_VIOLATION, .qualification = 0x181, .vectoring_info = EVENT),
	       { ITEM02(GUEST_RSP), 8 });
	RESUME02(&script, { ITEM02(VM_ENTRY_INTERRUPTION_INFO), EVENT });
	assert_found(&script, L0_VECTORING_LOST, 0);
	EXIT02(&script, (EXIT_EPT_VIOLATION, .qualification = 0x181, .vectoring_info = EVENT),
	       { ITEM02(GUEST_RSP), 8 });
	RESUME02(&script, { ITEM02(GUEST_RSP), 8 });
	assert_found(&script, L0_VECTORING_LOST, 1);
	finding = script_finding(&script, FINDING_L0_VECTORING_LOST);
	assert_non_null(strstr(finding->title, "event 0x80000060 met an exit by ept_violation"));
	assert_int_equal(finding->evidence[0].kind, EV_L0_EXIT);
	script_free(&script);
}

static void l1_is_told_of_an_event_that_was_being_delivered(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_run(&script);
	EXIT02(&script, (EXIT_EPT_VIOLATION, .vectoring_info = EVENT), { ITEM02(GUEST_RSP), 0 });
	EXIT12(&script, EXIT_EPT_VIOLATION, { VMCS_IDT_VECTORING_INFO, EVENT });
	assert_found(&script, L0_VECTORING_LOST, 0);
	script_run(&script);
	EXIT02(&script, (EXIT_EPT_VIOLATION, .vectoring_info = EVENT), { ITEM02(GUEST_RSP), 0 });
	EXIT12(&script, EXIT_EPT_VIOLATION, { VMCS_IDT_VECTORING_INFO, 0 });
	assert_found(&script, L0_VECTORING_LOST, 1);
	script_free(&script);
}

static void a_load_of_pdptes_that_finds_no_page_is_no_fault(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_run(&script);
	/* With a linear address it is an access of L2, whatever L0 then does. */
	EXIT02(&script, (EXIT_EPT_VIOLATION, .qualification = 0x181), { ITEM02(GUEST_RSP), 0 });
	RESUME02(&script, { ITEM02(VM_ENTRY_INTERRUPTION_INFO), EVENT_GP });
	assert_found(&script, L0_PDPTE_LOAD_FAULT, 0);
	EXIT02(&script, (EXIT_EPT_VIOLATION, .qualification = 1), { ITEM02(GUEST_RSP), 0 });
	RESUME02(&script, { ITEM02(VM_ENTRY_INTERRUPTION_INFO), EVENT_GP });
	assert_found(&script, L0_PDPTE_LOAD_FAULT, 1);
	script_free(&script);
}

static void a_gap_takes_what_was_before_it(void **state)
{
	struct script script = with_event(EVENT);

	(void)state;
	enter(&script, EVENT, EVENT, false);
	EXIT02(&script, (EXIT_EPT_VIOLATION, .vectoring_info = EVENT), { ITEM02(GUEST_RSP), 0 });
	script_gap(&script);
	RESUME02(&script, { ITEM02(GUEST_RSP), 0 });
	EXIT12(&script, EXIT_CPUID, { VMCS_GUEST_RSP, 2 });
	enter(&script, EVENT, EVENT, true);
	assert_only_l0(&script, "behind a gap", NOTHING);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exit_takes_the_event_away),
		cmocka_unit_test(l1_may_inject_the_same_again),
		cmocka_unit_test(an_entry_that_fails_leaves_the_event),
		cmocka_unit_test(a_copy_of_l0_s_is_a_repeat_but_nmis_may_be_l0_s),
		cmocka_unit_test(what_l1_injects_is_in_vmcs02),
		cmocka_unit_test(a_window_comes_before_the_first_instruction),
		cmocka_unit_test(an_event_that_was_being_delivered_is_injected_again),
		cmocka_unit_test(l1_is_told_of_an_event_that_was_being_delivered),
		cmocka_unit_test(a_load_of_pdptes_that_finds_no_page_is_no_fault),
		cmocka_unit_test(a_gap_takes_what_was_before_it),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_event", tests, NULL, NULL);
}
