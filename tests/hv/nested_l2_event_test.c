#include "tests/hv/nested_play.h"

#define INFO_VALID BIT(31)
#define NMI	   (INFO_VALID | 2 << 8 | 2)

static void set_info(u64 info, u64 code)
{
	stub_vmcs_set(VMCS_VM_EXIT_INTERRUPTION_INFO, info);
	stub_vmcs_set(VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE, code);
}

/* An NMI arrives while hv handles an exit. */
static void nmi_in_root_mode(void)
{
	cpu->nmi_pending = true;
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, 0x8000);
	stub_exit(cpu, EXIT_EPT_VIOLATION, 1);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
}

static void exceptions_go_to_l1_by_its_bitmap(void **state)
{
	static const struct {
		const char *name;
		u64 bitmap, mask, match, code;
	} rows[] = {
		{ "#PF wanted", BIT(14), 0, 0, 2 },
		{ "#PF not wanted, code does not match", 0, 1, 1, 2 },
		{ "#PF wanted, code matches", BIT(14), 2, 2, 6 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		set12(VMCS_EXCEPTION_BITMAP, rows[i].bitmap);
		set12(VMCS_PAGE_FAULT_ERROR_CODE_MASK, rows[i].mask);
		set12(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, rows[i].match);
		play_with(0, 0);
		assert_row(rows[i].name, vmread(VMCS_EXCEPTION_BITMAP), rows[i].bitmap);
		set_info(0x80000b0e, rows[i].code);
		stub_exit(cpu, EXIT_EXCEPTION_NMI, 0x1234);
		assert_true(l1_got(EXIT_EXCEPTION_NMI));
		assert_row(rows[i].name, get12(VMCS_VM_EXIT_INTERRUPTION_INFO), 0x80000b0e);
		assert_row(rows[i].name, get12(VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE), rows[i].code);
		assert_row(rows[i].name, get12(VMCS_EXIT_QUALIFICATION), 0x1234);
	}
}

static void nmis_that_l1_takes_exit_to_it_and_are_blocked_there(void **state)
{
	(void)state;
	play_with(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, 0);
	set_info(NMI, 0);
	stub_exit(cpu, EXIT_EXCEPTION_NMI, 0);
	assert_true(l1_got(EXIT_EXCEPTION_NMI));
	assert_u64(get12(VMCS_VM_EXIT_INTERRUPTION_INFO), NMI);
	assert_u64(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), BIT(3));
	assert_false(cpu->nmi_pending);
	/* In L1 alone: the processor's own blocking is over. */
	assert_int_equal(stub_cpu.nmi_unblocks, 1);
	/* Another exit leaves them unblocked, whatever L2's virtual blocking is. */
	play_with(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, 0);
	stub_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, BIT(3));
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_GUEST_INTERRUPTIBILITY_STATE), BIT(3));
	assert_u64(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), 0);
	/* Without virtual NMIs the blocking is the processor's, and stays. */
	play_with(PIN_NMI_EXITING, 0);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), BIT(3));
}

/* A second VMCS, which is current then. */
static void play_good_vmcs2(void)
{
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS2);
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS2);
	play_fill_vmcs();
}

static void nmis_that_l1_leaves_to_l2_are_injected(void **state)
{
	(void)state;
	play_with(0, 0);
	set_info(NMI, 0);
	stub_exit(cpu, EXIT_EXCEPTION_NMI, 0);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_true(stub_injects(2));
	assert_false(cpu->nmi_pending);

	/* While L2 blocks them they wait for the window. */
	stub_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, BIT(3));
	set_info(NMI, 0);
	stub_exit(cpu, EXIT_EXCEPTION_NMI, 0);
	assert_false(stub_injects(2));
	assert_true(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_NMI_WINDOW_EXITING);
	stub_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	stub_exit(cpu, EXIT_NMI_WINDOW, 0);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_true(stub_injects(2));
	assert_false(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_NMI_WINDOW_EXITING);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(last_event()->col[3], 3);
}

static void a_window_of_hvs_is_over_when_l1_runs(void **state)
{
	u64 vmcs02;

	(void)state;
	play_with(0, 0);
	stub_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, BIT(3));
	set_info(NMI, 0);
	stub_exit(cpu, EXIT_EXCEPTION_NMI, 0);
	assert_true(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_NMI_WINDOW_EXITING);
	vmcs02 = cpu->hw->pa;
	stub_exit(cpu, EXIT_HLT, 0);
	cpu->nmi_pending = false;

	/* Also where L1 uses another VMCS before it comes back to this one. */
	play_good_vmcs2();
	play_enter(EXIT_VMLAUNCH);
	assert_true(cpu->hw->pa != vmcs02);
	stub_exit(cpu, EXIT_HLT, 0);
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS);
	play_enter(EXIT_VMRESUME);
	assert_u64(cpu->hw->pa, vmcs02);
	assert_false(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_NMI_WINDOW_EXITING);
}

static void nmis_that_arrive_in_hv_reach_who_takes_them(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_PIN_BASED_CONTROLS, must_be_1(VMX_WORD_PIN));
	play_enter(EXIT_VMRESUME);
	nmi_in_root_mode();
	assert_true(stub_injects(2));
	assert_false(cpu->nmi_pending);
	stub_exit(cpu, EXIT_HLT, 0);

	set12(VMCS_PIN_BASED_CONTROLS,
	      must_be_1(VMX_WORD_PIN) | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER);
	set12(VMCS_VM_EXIT_CONTROLS, get12(VMCS_VM_EXIT_CONTROLS) | EXIT_SAVE_PREEMPTION_TIMER);
	set12(VMCS_VMX_PREEMPTION_TIMER_VALUE, 777);
	play_enter(EXIT_VMRESUME);
	nmi_in_root_mode();
	assert_false(stub_injects(2));
	assert_u64(vmread(VMCS_VMX_PREEMPTION_TIMER_VALUE), 0);
	stub_exit(cpu, EXIT_PREEMPTION_TIMER, 0);
	assert_true(l1_got(EXIT_EXCEPTION_NMI));
	assert_u64(get12(VMCS_VM_EXIT_INTERRUPTION_INFO), NMI);
	assert_u64(get12(VMCS_VMX_PREEMPTION_TIMER_VALUE), 777);
	assert_u64(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), BIT(3));
	assert_false(cpu->nmi_pending);

	/* The timer is L1's again. */
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_PREEMPTION_TIMER, 0);
	assert_true(l1_got(EXIT_PREEMPTION_TIMER));
}

static void nmis_that_l2_blocks_for_l1_wait_until_l1_runs(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_PIN_BASED_CONTROLS, must_be_1(VMX_WORD_PIN) | PIN_NMI_EXITING);
	set12(VMCS_GUEST_INTERRUPTIBILITY_STATE, BIT(3));
	play_enter(EXIT_VMRESUME);
	nmi_in_root_mode();
	assert_true(vmread(VMCS_VMX_PREEMPTION_TIMER_VALUE) != 0);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_true(l1_got(EXIT_HLT));
	assert_true(cpu->nmi_pending);
	/* Still blocked, as it was in L2: hv waits for the window. */
	assert_u64(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), BIT(3));
	assert_true(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_NMI_WINDOW_EXITING);
}

static void windows_that_l1_asked_for_are_its_own(void **state)
{
	(void)state;
	play_with(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS,
		  PRIMARY_NMI_WINDOW_EXITING | PRIMARY_INTERRUPT_WINDOW_EXITING);
	assert_true(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_NMI_WINDOW_EXITING);
	stub_exit(cpu, EXIT_NMI_WINDOW, 0);
	assert_true(l1_got(EXIT_NMI_WINDOW));
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_INTERRUPT_WINDOW, 0);
	assert_true(l1_got(EXIT_INTERRUPT_WINDOW));
}

static void external_interrupts_keep_their_vector(void **state)
{
	(void)state;
	set12(VMCS_VM_EXIT_CONTROLS, get12(VMCS_VM_EXIT_CONTROLS) | EXIT_ACKNOWLEDGE_INTERRUPT);
	play_with(PIN_EXTERNAL_INTERRUPT_EXITING, 0);
	assert_true(vmread(VMCS_VM_EXIT_CONTROLS) & EXIT_ACKNOWLEDGE_INTERRUPT);
	set_info(0x80000031, 0);
	stub_exit(cpu, EXIT_EXTERNAL_INTERRUPT, 0);
	assert_true(l1_got(EXIT_EXTERNAL_INTERRUPT));
	assert_u64(get12(VMCS_VM_EXIT_INTERRUPTION_INFO), 0x80000031);
}

static void error_codes_in_real_mode_are_not_injected_again(void **state)
{
	(void)state;
	stub_vmcs_set(VMCS_GUEST_CR0, 0x30);
	stub_vmcs_set(VMCS_IDT_VECTORING_INFO, INFO_VALID | 0xb0d);
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, 0x8000);
	stub_exit(cpu, EXIT_EPT_VIOLATION, 1);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), INFO_VALID | 0x30d);
}

static void events_that_hv_interrupted_are_injected_again(void **state)
{
	static const struct {
		const char *name;
		u64 info, code, blocking;
		u64 injected, blocking_after;
	} rows[] = {
		{ "#PF", 0x80000b0e, 6, 0, 0x80000b0e, 0 },
		{ "external interrupt", 0x80000030, 0, 0, 0x80000030, 0 },
		{ "NMI unblocks", 0x80000202, 0, 8, 0x80000202, 0 },
		{ "INT n", 0x80000480, 0, 0, 0x80000480, 0 },
		{ "undefined bit 12 is not passed on", 0x80001b0e, 6, 0, 0x80000b0e, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		stub_vmcs_set(VMCS_IDT_VECTORING_INFO, rows[i].info);
		stub_vmcs_set(VMCS_IDT_VECTORING_ERROR_CODE, rows[i].code);
		stub_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, rows[i].blocking);
		stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, 0x1000 * i);
		stub_exit(cpu, EXIT_EPT_VIOLATION, 1);
		assert_row(rows[i].name, cpu->nested.mode, NESTED_L2);
		assert_row(rows[i].name, vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO), rows[i].injected);
		assert_row(rows[i].name, vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE),
			   rows[i].blocking_after);
		if (rows[i].code)
			assert_row(rows[i].name, vmread(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE),
				   rows[i].code);
	}
	assert_u64(vmread(VMCS_VM_ENTRY_INSTRUCTION_LENGTH), 3);
	/* No event, but an IRET had unblocked NMIs: it will be executed again. */
	stub_vmcs_set(VMCS_IDT_VECTORING_INFO, 0);
	stub_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	stub_exit(cpu, EXIT_EPT_VIOLATION, 1 | BIT(12));
	assert_u64(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_good_vmcs, exceptions_go_to_l1_by_its_bitmap),
		IN(play_good_vmcs, nmis_that_l1_takes_exit_to_it_and_are_blocked_there),
		IN(play_good_vmcs, nmis_that_l1_leaves_to_l2_are_injected),
		IN(play_l2, a_window_of_hvs_is_over_when_l1_runs),
		IN(play_l2_with_ept, nmis_that_arrive_in_hv_reach_who_takes_them),
		IN(play_l2_with_ept, nmis_that_l2_blocks_for_l1_wait_until_l1_runs),
		IN(play_good_vmcs, windows_that_l1_asked_for_are_its_own),
		IN(play_good_vmcs, external_interrupts_keep_their_vector),
		IN(play_l2_with_ept, events_that_hv_interrupted_are_injected_again),
		IN(play_l2_with_ept, error_codes_in_real_mode_are_not_injected_again),
	};

	return cmocka_run_group_tests_name("hv/nested/l2_exit, events", tests, NULL, NULL);
}
