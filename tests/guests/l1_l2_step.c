#include "tests/guests/l1_l2.h"

/* SDM: "Monitor Trap Flag"; of Bochs 2.7's processors some announce it and none has it. */

#define VECTOR_SOFT	0x60
#define EVENT_SOFT	(BIT(31) | VECTOR_SOFT) /* external interrupt */
#define EVENT_MTF	(BIT(31) | 7u << 8)	/* pending MTF VM exit */
#define RFLAGS_FIXED	BIT(1)
#define RFLAGS_IF	BIT(9)
#define FEATURE_CONTROL 0x3a
#define RDMSR_LENGTH	2
#define STRING_COUNT	3

static bool has_mtf(void)
{
	return guest_control_allowed(VMX_WORD_PRIMARY, PRIMARY_MONITOR_TRAP_FLAG);
}

/*
 * Enters L2 until its l2_vmcall(2), steps over that, and makes the next entry one of single steps.
 */
static bool start_steps(struct l2 *l2)
{
	if (!l2_expect(l2, EXIT_VMCALL))
		return false;
	l2_skip();
	guest_vmcs_write(VMCS_PRIMARY_PROC_BASED_CONTROLS,
			 guest_vmcs_read(VMCS_PRIMARY_PROC_BASED_CONTROLS) |
				 PRIMARY_MONITOR_TRAP_FLAG);
	return true;
}

static void end_steps(struct l2 *l2)
{
	guest_vmcs_write(VMCS_PRIMARY_PROC_BASED_CONTROLS,
			 guest_vmcs_read(VMCS_PRIMARY_PROC_BASED_CONTROLS) &
				 ~(u64)PRIMARY_MONITOR_TRAP_FLAG);
	l2_expect_end(l2);
}

static bool expect_step_to(struct l2 *l2, u64 rip)
{
	return l2_expect(l2, EXIT_MONITOR_TRAP_FLAG) && l2_expect_field(VMCS_GUEST_RIP, rip) &&
	       l2_expect_field(VMCS_EXIT_QUALIFICATION, 0) &&
	       l2_check(!(guest_vmcs_read(VMCS_IDT_VECTORING_INFO) & BIT(31)), "an event is left");
}

static void code_step(void)
{
	__asm__ volatile("vmcall\n nop\n nop\n nop\n" : : "a"(2) : "memory");
	l2_vmcall(true);
}

static void check_step(struct l2 *l2)
{
	u64 rip;

	if (!start_steps(l2))
		return;
	rip = guest_vmcs_read(VMCS_GUEST_RIP);
	for (u64 i = 1; i <= 3; i++)
		if (!expect_step_to(l2, rip + i))
			return;
	end_steps(l2);
}

/* Injected, it comes before the first instruction, whatever the control says. */
static void check_step_pending(struct l2 *l2)
{
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	l2_skip();
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_MTF);
	if (expect_step_to(l2, guest_vmcs_read(VMCS_GUEST_RIP)))
		l2_expect_end(l2);
}

/* Behind the delivery of what the entry injects, and before its handler. */
static void code_step_event(void)
{
	const u64 before = guest_interrupt_count(VECTOR_SOFT);

	l2_vmcall(2);
	l2_vmcall(guest_interrupt_count(VECTOR_SOFT) == before + 1);
}

static void check_step_event(struct l2 *l2)
{
	u64 rip;

	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	if (!start_steps(l2))
		return;
	rip = guest_vmcs_read(VMCS_GUEST_RIP);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_SOFT);
	if (!l2_expect(l2, EXIT_MONITOR_TRAP_FLAG))
		return;
	l2_check(guest_vmcs_read(VMCS_GUEST_RIP) != rip, "not in the handler");
	l2_check(!(guest_vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF), "IF is set");
	end_steps(l2);
}

/* An MSR that a hypervisor below reads for L2. */
static void code_step_msr(void)
{
	u32 low, high;

	__asm__ volatile("vmcall\n rdmsr\n"
			 : "=a"(low), "=d"(high)
			 : "a"(2), "c"(FEATURE_CONTROL)
			 : "memory");
	l2_vmcall(low & 1);
}

static void check_step_msr(struct l2 *l2)
{
	guest_vmcs_write(VMCS_MSR_BITMAP, physical(guest_pages(1)));
	if (start_steps(l2) && expect_step_to(l2, guest_vmcs_read(VMCS_GUEST_RIP) + RDMSR_LENGTH))
		end_steps(l2);
}

/* A string instruction is one step for each iteration. */
static void code_step_string(void)
{
	static u8 to[STRING_COUNT];
	u64 count = STRING_COUNT, index = (uintptr_t)to;

	__asm__ volatile("vmcall\n rep stosb\n" : "+c"(count), "+D"(index) : "a"(2) : "memory");
	l2_vmcall(!count && to[STRING_COUNT - 1] == 2);
}

static void check_step_string(struct l2 *l2)
{
	u64 rip;

	if (!start_steps(l2))
		return;
	rip = guest_vmcs_read(VMCS_GUEST_RIP);
	for (u64 left = STRING_COUNT - 1; left > 0; left--)
		if (!expect_step_to(l2, rip) ||
		    !l2_check(l2->regs.rcx == left, "RCX is %lx", l2->regs.rcx))
			return;
	if (expect_step_to(l2, rip + 2))
		end_steps(l2);
}

const struct l2_case l1_l2_step_cases[] = {
	L2_CASE(step, .possible = has_mtf),
	L2_CASE_OF(step_pending, code_step, check_step_pending, .possible = has_mtf),
	L2_CASE(step_event, .possible = has_mtf),
	L2_CASE(step_msr, .possible = has_mtf, .options.primary = PRIMARY_MSR_BITMAPS),
	L2_CASE(step_string, .possible = has_mtf),
};
const size_t l1_l2_step_count = ARRAY_SIZE(l1_l2_step_cases);
