/*
 * tests/guests/l1_vmware_like.c - behaves as VMware Workstation does to the hypervisor below it
 *
 * 1. Reads the VMX capability MSRs one by one and gives up without a word when it misses "load" and
 *    "save" of IA32_PAT and IA32_EFER, or EPT with 2 MiB pages.
 * 2. On each tick of a timer, outside of any need: MOV to CR4, VMXON, VMPTRLD (the first one of a
 *    region that was never VMCLEARed), INVVPID, VMCLEAR, VMXOFF, MOV to CR4.
 * 3. Runs an L2 that exits by CPUID, port I/O and HLT, and leaves VMX operation on each tick. I/O
 *    bitmap addresses of all ones and an executive-VMCS pointer lie in its VMCS, unused.
 *
 * On the command line: ticks=N of step 2 (36), exits=N of step 3 (3000); give_up=1 reads all
 * capability MSRs and gives up for a reason of its own.
 */
#include "tests/guests/lib/guest_l2.h"
#include "tests/guests/lib/guest_paging.h"

#define TIMER_VECTOR   0x40
#define TIMER_COUNT    20000
#define EXITS_A_TICK   10
#define L2_VPID	       1
#define L2_PORT	       0x5658 /* where VMware's guests talk to it */
#define PORT_ANSWER    0x564d5868
#define UNUSED_ADDRESS ~0ull
#define EXECUTIVE_VMCS 0x12345000

#define EXIT_NEEDED    (EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER)
#define ENTRY_NEEDED   (ENTRY_LOAD_PAT | ENTRY_LOAD_EFER)

static struct l2 l2;

/* --- 1: is this processor good enough? ------------------------------------------------------- */

static bool may_be_1(u64 capability, u64 controls)
{
	return (capability >> 32 & controls) == controls;
}

static bool is_enough(u32 msr, u64 value)
{
	switch (msr) {
	case MSR_VMX_EXIT_CTLS:
	case MSR_VMX_TRUE_EXIT_CTLS:
		return may_be_1(value, EXIT_NEEDED);
	case MSR_VMX_ENTRY_CTLS:
	case MSR_VMX_TRUE_ENTRY_CTLS:
		return may_be_1(value, ENTRY_NEEDED);
	case MSR_VMX_EPT_VPID_CAP:
		return value & CAP_EPT_2M;
	default:
		return true;
	}
}

static bool is_usable(bool give_up)
{
	for (u32 msr = MSR_VMX_BASIC; msr <= MSR_VMX_TRUE_ENTRY_CTLS; msr++)
		if (!is_enough(msr, rdmsr(msr)) && !give_up)
			return false;
	return !give_up;
}

/* --- 2: in and out of VMX operation ---------------------------------------------------------- */

static void wait_for_tick(void)
{
	const u64 before = guest_interrupt_count(TIMER_VECTOR);

	guest_apic_timer(TIMER_VECTOR, TIMER_COUNT);
	while (guest_interrupt_count(TIMER_VECTOR) == before)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
}

static void enter_vmx(void)
{
	write_cr4(read_cr4() | CR4_VMXE);
	guest_vmx_on();
}

static void leave_vmx(void)
{
	guest_vmx_off();
	write_cr4(read_cr4() & ~CR4_VMXE);
}

static void must(enum vmx_outcome outcome, const char *what)
{
	if (outcome != VMX_SUCCEED)
		guest_fail("%s: %s, error %u", what, vmx_outcome_text(outcome), guest_vmcs_error());
}

static void probe(void)
{
	enter_vmx();
	must(vmptrld(physical(l2.region)), "VMPTRLD");
	must(invvpid(INVVPID_ALL, 0, 0), "INVVPID");
	must(vmclear(physical(l2.region)), "VMCLEAR");
	leave_vmx();
}

/* --- 3: a guest ------------------------------------------------------------------------------ */

static void l2_code(void)
{
	for (u32 i = 0;; i++) {
		u32 answer = i;

		cpuid(0x40000000, i);
		__asm__ volatile("inl %1, %0" : "+a"(answer) : "d"((u16)L2_PORT));
		__asm__ volatile("hlt");
		l2_vmcall(answer == PORT_ANSWER);
	}
}

static void write_unused_fields(void)
{
	guest_vmcs_write(VMCS_IO_BITMAP_A, UNUSED_ADDRESS);
	guest_vmcs_write(VMCS_IO_BITMAP_B, UNUSED_ADDRESS);
	guest_vmcs_write(VMCS_EXECUTIVE_VMCS_POINTER, EXECUTIVE_VMCS);
}

static void handle_exit(u32 reason)
{
	switch (reason) {
	case EXIT_CPUID:
		l2.regs.rax = l2.regs.rbx = l2.regs.rcx = l2.regs.rdx = 0;
		break;
	case EXIT_IO:
		l2.regs.rax = PORT_ANSWER;
		break;
	case EXIT_HLT:
		break;
	case EXIT_VMCALL:
		if (!l2.regs.rax)
			guest_fail("L2 read something else from its port");
		break;
	default:
		guest_fail("exit %x (%s), qualification %lx", reason, vmx_exit_name(reason),
			   guest_vmcs_read(VMCS_EXIT_QUALIFICATION));
	}
	l2_skip();
}

/* The VMCS goes to memory and comes back, so the next entry is a VMLAUNCH. */
static void toggle(void)
{
	must(vmclear(physical(l2.region)), "VMCLEAR");
	leave_vmx();
	wait_for_tick();
	enter_vmx();
	must(vmptrld(physical(l2.region)), "VMPTRLD");
	l2.launched = false;
}

static void run_guest(u64 exits)
{
	const struct l2_options options = {
		.primary = PRIMARY_HLT_EXITING | PRIMARY_UNCONDITIONAL_IO_EXITING,
		.exit = EXIT_NEEDED,
		.entry = ENTRY_NEEDED,
		.eptp = guest_ept_tables(),
		.vpid = L2_VPID,
	};

	enter_vmx();
	l2_create(&l2, l2_code, &options);
	write_unused_fields();
	for (u64 i = 1; i <= exits; i++) {
		handle_exit(l2_run(&l2));
		if (i % EXITS_A_TICK == 0)
			toggle();
	}
	must(vmclear(physical(l2.region)), "VMCLEAR");
	leave_vmx();
}

void guest_main(void)
{
	const u64 ticks = guest_option_number("ticks", 36);
	const u64 exits = guest_option_number("exits", 3000);

	guest_print("l1_vmware_like: starting\n");
	if (!is_usable(guest_option_number("give_up", 0)))
		return;
	guest_vmx_init();
	guest_apic_enable();
	l2_allocate(&l2);
	for (u64 i = 0; i < ticks; i++) {
		wait_for_tick();
		probe();
	}
	run_guest(exits);
	guest_print("l1_vmware_like: %lu ticks, %lu exits\n", ticks, exits);
}
