#include "hv/exit_l1.h"
#include "tests/hv/nested_play.h"

#define WAIT_SIPI    3
#define BLOCKING_SMI BIT(2)
#define VECTOR	     0x9a
#define SVR	     0xfee000f0ull
#define TPR	     0xfee00080ull

static void second_processor(void)
{
	/* INIT of the first one is a reset of the machine. */
	cpu->id = 1;
}

static int boot(void **state)
{
	play_boot(state);
	second_processor();
	return 0;
}

static int in_vmx(void **state)
{
	play_vmxon(state);
	second_processor();
	return 0;
}

static int with_vmcs(void **state)
{
	play_good_vmcs(state);
	second_processor();
	return 0;
}

static int in_l2(void **state)
{
	play_l2(state);
	second_processor();
	return 0;
}

static void init(void)
{
	stub_exit(cpu, EXIT_INIT, 0);
}

static void sipi(void)
{
	stub_exit(cpu, EXIT_SIPI, VECTOR);
}

static void init_leaves_what_the_manual_says(void **state)
{
	static const struct {
		const char *name;
		u32 field;
		u64 value;
	} rows[] = {
		{ "activity", VMCS_GUEST_ACTIVITY_STATE, WAIT_SIPI },
		{ "CR0", VMCS_GUEST_CR0, 0x30 }, /* NE is hv's */
		{ "CR0 as L1 sees it", VMCS_CR0_READ_SHADOW, 0x10 },
		{ "CR3", VMCS_GUEST_CR3, 0 },
		{ "CR4 as L1 sees it", VMCS_CR4_READ_SHADOW, 0 },
		{ "EFER", VMCS_GUEST_IA32_EFER, 0 },
		{ "RIP", VMCS_GUEST_RIP, 0xfff0 },
		{ "RFLAGS", VMCS_GUEST_RFLAGS, 2 },
		{ "CS", VMCS_GUEST_CS_SELECTOR, 0xf000 },
		{ "CS base", VMCS_GUEST_CS_BASE, 0xffff0000 },
		{ "CS limit", VMCS_GUEST_CS_LIMIT, 0xffff },
		{ "SS", VMCS_GUEST_SS_SELECTOR, 0 },
		{ "SS rights", VMCS_GUEST_SS_ACCESS_RIGHTS, 0x93 },
		{ "LDTR rights", VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82 },
		{ "TR rights", VMCS_GUEST_TR_ACCESS_RIGHTS, 0x8b },
		{ "IDTR limit", VMCS_GUEST_IDTR_LIMIT, 0xffff },
		{ "DR7", VMCS_GUEST_DR7, 0x400 },
		{ "blocking", VMCS_GUEST_INTERRUPTIBILITY_STATE, 0 },
	};

	(void)state;
	vmwrite(VMCS_GUEST_CR3, 0x5000);
	vmwrite(VMCS_GUEST_SS_SELECTOR, 0x18);
	cpu->regs[REG_RAX] = cpu->regs[REG_RDX] = 77;
	init();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(rows[i].name, vmread(rows[i].field), rows[i].value);
	assert_u64(cpu->regs[REG_RAX], 0);
	assert_u64(cpu->regs[REG_RDX], 0x50654);
	assert_u64(stub_cpu.dr6, 0xffff0ff0);
	assert_false(vmread(VMCS_VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
}

static void init_keeps_caching_of_cr0(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_CR0, vmread(VMCS_GUEST_CR0) | CR0_CD | CR0_NW);
	init();
	assert_u64(vmread(VMCS_CR0_READ_SHADOW), 0x10 | CR0_CD | CR0_NW);
}

static void init_switches_the_local_apic_off(void **state)
{
	(void)state;
	*(u32 *)stub_at(SVR) = 0x1ff;
	*(u32 *)stub_at(TPR) = 0x20;
	init();
	assert_int_equal(*(u32 *)stub_at(SVR), 0xff);
	assert_int_equal(*(u32 *)stub_at(TPR), 0);
}

static void sipi_starts_at_the_page_of_its_vector(void **state)
{
	(void)state;
	init();
	sipi();
	assert_u64(vmread(VMCS_GUEST_ACTIVITY_STATE), 0);
	assert_u64(vmread(VMCS_GUEST_CS_SELECTOR), VECTOR << 8);
	assert_u64(vmread(VMCS_GUEST_CS_BASE), VECTOR << 12);
	assert_u64(vmread(VMCS_GUEST_RIP), 0);
}

/* INIT itself has no time for the tape. */
static void both_are_told_in_their_order_at_the_sipi(void **state)
{
	const struct ev_init *told;
	unsigned before;

	(void)state;
	before = play_event_count;
	init();
	assert_int_equal(play_event_count, before);
	sipi();
	assert_int_equal(play_event_count, before + 2);
	assert_int_equal(play_events[before].kind, EV_INIT);
	assert_int_equal(last_event()->kind, EV_SIPI);
	told = (const struct ev_init *)play_events[before].col;
	assert_u64(((const struct ev_sipi *)last_event()->col)->vector, VECTOR);
	assert_u64(((const struct ev_sipi *)last_event()->col)->order, told->order + 1);
	assert_u64(play_events[before].rip, PLAY_CODE);
}

static void init_in_vmx_root_operation_waits_for_vmxoff(void **state)
{
	(void)state;
	init();
	assert_int_equal(last_event()->kind, EV_INIT);
	assert_u64(vmread(VMCS_GUEST_ACTIVITY_STATE), 0);
	assert_u64(vmread(VMCS_GUEST_RIP), PLAY_CODE + 3);
	play(EXIT_VMXOFF, 0, 0);
	assert_u64(vmread(VMCS_GUEST_ACTIVITY_STATE), WAIT_SIPI);
	assert_u64(vmread(VMCS_GUEST_RIP), 0xfff0);
}

static void init_in_vmx_root_operation_makes_the_next_l2_exit(void **state)
{
	(void)state;
	init();
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_u64(vmread(VMCS_VMX_PREEMPTION_TIMER_VALUE), 0);
	stub_exit(cpu, EXIT_PREEMPTION_TIMER, 0);
	assert_true(l1_got(EXIT_INIT));
	/* It was one. */
	play(EXIT_VMXOFF, 0, 0);
	assert_u64(vmread(VMCS_GUEST_ACTIVITY_STATE), 0);
}

static void signals_in_l2_are_l1_s(void **state)
{
	(void)state;
	init();
	assert_true(l1_got(EXIT_INIT));
	assert_int_equal(event_of(EV_INIT)->level, 2);
	play_enter(EXIT_VMRESUME);
	stub_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, BLOCKING_SMI);
	sipi();
	assert_true(l1_got(EXIT_SIPI));
	assert_u64(get12(VMCS_EXIT_QUALIFICATION), VECTOR);
	assert_u64(get12(VMCS_GUEST_INTERRUPTIBILITY_STATE), 0);
}

/* As Bochs has it; silicon may keep an INIT that came in wait-for-SIPI until then. */
static void init_behind_the_sipi_is_not_a_new_one(void **state)
{
	unsigned before;

	(void)state;
	init();
	sipi();
	before = play_event_count;
	init();
	assert_int_equal(play_event_count, before);
	assert_u64(vmread(VMCS_GUEST_ACTIVITY_STATE), 0);
	assert_u64(vmread(VMCS_GUEST_RIP), 0);
	assert_u64(vmread(VMCS_GUEST_CS_BASE), VECTOR << 12);
	/* One that never ends is taken off by a reset, which no test survives. */
	assert_true(stub_stops(init()));
	vmwrite(VMCS_GUEST_RIP, 0x40);
	init();
	assert_u64(vmread(VMCS_GUEST_ACTIVITY_STATE), WAIT_SIPI);
}

static void nmi_waits_until_the_processor_runs(void **state)
{
	(void)state;
	init();
	cpu->nmi_pending = true;
	stub_exit(cpu, EXIT_PREEMPTION_TIMER, 0);
	assert_false(stub_injects(2));
	sipi();
	assert_true(stub_injects(2));
}

static void init_drops_an_nmi_that_waits_and_its_window(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, BIT(3)); /* blocking by NMI */
	stub_vmcs_set(VMCS_VM_EXIT_INTERRUPTION_INFO, BIT(31) | 2u << 8 | 2);
	stub_exit(cpu, EXIT_EXCEPTION_NMI, 0);
	assert_true(cpu->nmi_pending);
	init();
	assert_false(cpu->nmi_pending);
	assert_u64(vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_NMI_WINDOW_EXITING, 0);
}

static void init_of_the_boot_processor_ends_the_tape(void **state)
{
	(void)state;
	cpu->id = 0;
	cpu->rec = NULL;
	assert_true(stub_stops(init()));
	assert_true(stub_said("INIT reached the boot processor"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(init_leaves_what_the_manual_says, boot),
		cmocka_unit_test_setup(init_keeps_caching_of_cr0, boot),
		cmocka_unit_test_setup(init_switches_the_local_apic_off, boot),
		cmocka_unit_test_setup(sipi_starts_at_the_page_of_its_vector, boot),
		cmocka_unit_test_setup(both_are_told_in_their_order_at_the_sipi, boot),
		cmocka_unit_test_setup(init_in_vmx_root_operation_waits_for_vmxoff, in_vmx),
		cmocka_unit_test_setup(init_in_vmx_root_operation_makes_the_next_l2_exit,
				       with_vmcs),
		cmocka_unit_test_setup(signals_in_l2_are_l1_s, in_l2),
		cmocka_unit_test_setup(init_behind_the_sipi_is_not_a_new_one, boot),
		cmocka_unit_test_setup(nmi_waits_until_the_processor_runs, boot),
		cmocka_unit_test_setup(init_drops_an_nmi_that_waits_and_its_window, boot),
		cmocka_unit_test_setup(init_of_the_boot_processor_ends_the_tape, boot),
	};

	return cmocka_run_group_tests_name("hv/exit_init", tests, NULL, NULL);
}
