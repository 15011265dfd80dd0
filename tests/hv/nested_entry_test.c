#include "tests/hv/nested_play.h"

static void a_vmfail_moves_rip_and_an_entry_does_not(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_RIP, PLAY_CODE);
	play_enter(EXIT_VMRESUME);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_CODE + 3);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_L2_RIP);
	assert_u64(stub_vmcs_get_of(cpu->vmcs01.pa, VMCS_GUEST_RIP), PLAY_CODE + 3);
}

static void the_tape_tells_an_entry_when_it_is_known(void **state)
{
	const struct ev_vmlaunch *launch;
	const struct ev_l2_entry *entry;
	u64 value;

	(void)state;
	set12(VMCS_VM_ENTRY_INTERRUPTION_INFO, 0x80000030);
	play_event_count = 0;
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(play_event_count, 0);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_int_equal(play_event_count, 3);
	assert_int_equal(play_events[0].kind, EV_VMLAUNCH);
	assert_int_equal(play_events[0].level, 1);
	launch = (const struct ev_vmlaunch *)play_events[0].col;
	assert_u64(launch->outcome, OUTCOME_SUCCEED);
	assert_u64(launch->launched, 0);
	assert_int_equal(play_events[1].kind, EV_L2_ENTRY);
	assert_int_equal(play_events[1].level, 2);
	assert_u64(play_events[1].rip, PLAY_L2_RIP);
	entry = (const struct ev_l2_entry *)play_events[1].col;
	assert_u64(entry->injected, 0x80000030);
	assert_u64(entry->vmcs, PLAY_VMCS);
	assert_true(event_item(&play_events[1], ITEM_LAUNCHED, &value));
	assert_u64(value, 1);
	assert_int_equal(play_events[2].kind, EV_L2_EXIT);
	assert_int_equal(play_events[2].level, 2);

	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_int_equal(play_events[3].kind, EV_VMRESUME);
	assert_u64(((const struct ev_vmresume *)play_events[3].col)->launched, 1);
	assert_false(event_item(&play_events[4], ITEM_LAUNCHED, &value));
}

static void an_entry_is_told_once(void **state)
{
	(void)state;
	play_event_count = 0;
	for (u64 i = 0; i < 3; i++) {
		stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, i << 12);
		stub_exit(cpu, EXIT_EPT_VIOLATION, 1);
	}
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_int_equal(play_event_count, 2);
}

static void the_next_entry_tells_the_registers_that_the_exit_asked_for(void **state)
{
	u64 value;

	(void)state;
	stub_exit(cpu, EXIT_CPUID, 0);
	cpu->regs[REG_RAX] = 0x1234;
	cpu->regs[REG_RSI] = 0x5678;
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_true(event_item(event_of(EV_L2_ENTRY), ITEM_REG + REG_RAX, &value));
	assert_u64(value, 0x1234);
	assert_false(event_item(event_of(EV_L2_ENTRY), ITEM_REG + REG_RSI, &value));
}

static void a_refusal_by_the_processor_goes_to_l1_and_is_told(void **state)
{
	u64 flags;

	(void)state;
	vmwrite(VMCS_GUEST_RIP, PLAY_CODE);
	play_enter(EXIT_VMLAUNCH);
	stub_vmcs_set(VMCS_VM_INSTRUCTION_ERROR, VMERR_ENTRY_HOST_STATE);
	exit_entry_failed(cpu, 0x42);
	assert_int_equal(cpu->nested.mode, NESTED_ROOT);
	assert_ptr_equal(cpu->hw, &cpu->vmcs01);
	assert_int_equal(last_event()->kind, EV_VMLAUNCH);
	assert_u64(insn()->outcome, OUTCOME_FAIL_VALID);
	assert_u64(insn()->error, VMERR_ENTRY_CONTROLS);
	assert_non_null(event_of(EV_HV_BUG));
	assert_u64(event_of(EV_HV_BUG)->col[1], VMERR_ENTRY_HOST_STATE);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_CODE + 3);
	flags = vmread(VMCS_GUEST_RFLAGS) & PLAY_RFLAGS_BITS;
	assert_u64(flags, BIT(6));
	assert_false(cpu->nested.current->launched);
}

/* L2 has run already: VMRESUME of L1 is over, and must not be executed again. */
static void a_refusal_after_l2_ran_is_an_exit(void **state)
{
	static const struct {
		const char *name;
		u64 primary, error;
		u32 reason;
		bool bug;
	} rows[] = {
		{ "event that may not be", 0, VMERR_ENTRY_CONTROLS, EXIT_TRIPLE_FAULT, true },
		{ "virtual TPR that another processor wrote", PRIMARY_TPR_SHADOW,
		  VMERR_ENTRY_CONTROLS, EXIT_TPR_BELOW_THRESHOLD, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		play_good_ept_vmcs(state);
		set12(VMCS_VIRTUAL_APIC_ADDRESS, PLAY_PAGE);
		add12(VMCS_PRIMARY_PROC_BASED_CONTROLS, rows[i].primary);
		play_enter(EXIT_VMLAUNCH);
		stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, 0x8000);
		stub_exit(cpu, EXIT_EPT_VIOLATION, 1);
		assert_row(rows[i].name, cpu->nested.mode, NESTED_L2);
		stub_vmcs_set(VMCS_VM_INSTRUCTION_ERROR, rows[i].error);
		exit_entry_failed(cpu, 0x42);
		assert_row(rows[i].name, l1_got(rows[i].reason), true);
		assert_row(rows[i].name, !!event_of(EV_HV_BUG), rows[i].bug);
		assert_row(rows[i].name, vmread(VMCS_GUEST_RIP), PLAY_HOST_RIP);
	}
}

/* L1 must learn of the state that L2 got into, for VMCS02 has it already. */
static void an_entry_again_that_fails_is_an_exit_with_l2_s_state(void **state)
{
	(void)state;
	play_enter(EXIT_VMLAUNCH);
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, 0x8000);
	stub_vmcs_set(VMCS_IDT_VECTORING_INFO, 0x80000306);
	stub_exit(cpu, EXIT_EPT_VIOLATION, 1);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	stub_vmcs_set(VMCS_GUEST_CR0, 0x3c);
	stub_exit(cpu, EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE, 0);
	assert_true(l1_got(EXIT_TRIPLE_FAULT));
	assert_u64(get12(VMCS_GUEST_CR0), 0x3c);
	assert_u64(get12(VMCS_IDT_VECTORING_INFO), 0);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_HOST_RIP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_good_vmcs, a_vmfail_moves_rip_and_an_entry_does_not),
		IN(play_good_vmcs, the_tape_tells_an_entry_when_it_is_known),
		IN(play_l2_with_ept, an_entry_is_told_once),
		IN(play_l2, the_next_entry_tells_the_registers_that_the_exit_asked_for),
		IN(play_good_vmcs, a_refusal_by_the_processor_goes_to_l1_and_is_told),
		IN(play_good_vmcs, a_refusal_after_l2_ran_is_an_exit),
		IN(play_good_ept_vmcs, an_entry_again_that_fails_is_an_exit_with_l2_s_state),
	};

	return cmocka_run_group_tests_name("hv/nested: VM entries", tests, NULL, NULL);
}
