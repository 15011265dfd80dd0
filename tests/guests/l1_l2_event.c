#include "tests/guests/l1_l2.h"

#include "tests/guests/lib/guest_paging.h"

#define VECTOR_DE	    0
#define VECTOR_BP	    3
#define VECTOR_UD	    6
#define VECTOR_GP	    13

#define VECTOR_TIMER	    0x40
#define VECTOR_SOFT	    0x60

/* SDM: "VM-Entry Interruption-Information Field" and "VM-Exit Interruption-Information Field". */
#define EVENT(vector, type) (0x80000000u | (type) << 8 | (vector))
#define EVENT_ERROR_CODE    0x800u
#define TYPE_EXTERNAL	    0u
#define TYPE_EXCEPTION	    3u
#define TYPE_SOFT_INTERRUPT 4u
#define TYPE_SOFT_EXCEPTION 6u

/* SDM: "Guest Non-Register State". */
#define BLOCKING_BY_STI	    BIT(0)
#define ACTIVITY_HLT	    1
#define RFLAGS_FIXED	    BIT(1)
#define RFLAGS_IF	    BIT(9)

#define OPCODE_HLT	    0xf4

#define APIC_EOI	    (*(volatile u32 *)0xfee000b0ull)

static volatile u64 progress; /* of L2, for L1 */

/* --- exceptions ------------------------------------------------------------------------------ */

static void code_exception(void)
{
	__asm__ volatile("ud2");
	__asm__ volatile("int3");
	l2_vmcall(true);
}

static void check_exception(struct l2 *l2)
{
	guest_vmcs_write(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_UD) | BIT(VECTOR_BP));
	if (!l2_expect(l2, EXIT_EXCEPTION_NMI))
		return;
	l2_expect_field(VMCS_VM_EXIT_INTERRUPTION_INFO, EVENT(VECTOR_UD, TYPE_EXCEPTION));
	guest_vmcs_write(VMCS_GUEST_RIP, guest_vmcs_read(VMCS_GUEST_RIP) + 2);
	if (!l2_expect(l2, EXIT_EXCEPTION_NMI))
		return;
	l2_expect_field(VMCS_VM_EXIT_INTERRUPTION_INFO, EVENT(VECTOR_BP, TYPE_SOFT_EXCEPTION));
	l2_expect_field(VMCS_VM_EXIT_INSTRUCTION_LENGTH, 1);
	l2_skip();
	l2_expect_end(l2);
}

static void do_divide(void *unused)
{
	(void)unused;
	__asm__ volatile("div %0" : : "r"(0u) : "eax", "edx", "cc");
}

/* What the bitmap does not name stays in L2. */
static void code_own_exception(void)
{
	struct guest_fault fault = { .vector = 0xff };
	const bool ran = guest_try(do_divide, NULL, &fault);

	l2_vmcall(!ran && fault.vector == VECTOR_DE);
}

static void check_own_exception(struct l2 *l2)
{
	guest_vmcs_write(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_UD));
	l2_expect_end(l2);
}

static void code_triple_fault(void)
{
	__asm__ volatile("ud2");
	l2_vmcall(false);
}

static void check_triple_fault(struct l2 *l2)
{
	guest_vmcs_write(VMCS_GUEST_IDTR_LIMIT, 0);
	l2_expect(l2, EXIT_TRIPLE_FAULT);
}

/* --- injection ------------------------------------------------------------------------------- */

static void inject(u32 event)
{
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, event);
}

static void do_vmcall(void *unused)
{
	(void)unused;
	l2_vmcall(2);
	progress = 1;
}

static void code_inject_exception(void)
{
	struct guest_fault fault = { .vector = 0xff };
	bool ran;

	progress = 0;
	ran = guest_try(do_vmcall, NULL, &fault);
	l2_vmcall(!ran && !progress && fault.vector == VECTOR_GP && fault.error == 0x1234);
}

static void check_inject_exception(struct l2 *l2)
{
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	inject(EVENT(VECTOR_GP, TYPE_EXCEPTION) | EVENT_ERROR_CODE);
	guest_vmcs_write(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE, 0x1234);
	l2_expect_end(l2);
	l2_check(!(guest_vmcs_read(VMCS_VM_ENTRY_INTERRUPTION_INFO) & BIT(31)),
		 "the event is still valid");
}

static void code_inject_interrupt(void)
{
	const u64 before = guest_interrupt_count(VECTOR_SOFT);

	l2_vmcall(2);
	l2_vmcall(guest_interrupt_count(VECTOR_SOFT) == before + 1);
}

static void check_inject_interrupt(struct l2 *l2)
{
	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	l2_skip();
	inject(EVENT(VECTOR_SOFT, TYPE_EXTERNAL));
	l2_expect_end(l2);
}

/* A software interrupt returns behind the instruction whose length is given. */
static void code_inject_soft(void)
{
	const u64 before = guest_interrupt_count(VECTOR_SOFT);

	__asm__ volatile("vmcall\n ud2" : : "a"(2));
	l2_vmcall(guest_interrupt_count(VECTOR_SOFT) == before + 1);
}

static void check_inject_soft(struct l2 *l2)
{
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	l2_skip();
	inject(EVENT(VECTOR_SOFT, TYPE_SOFT_INTERRUPT));
	guest_vmcs_write(VMCS_VM_ENTRY_INSTRUCTION_LENGTH, 2); /* the UD2 */
	l2_expect_end(l2);
}

/* An injected event wakes a processor from HLT. */
static void code_wake(void)
{
	const u64 before = guest_interrupt_count(VECTOR_SOFT);

	__asm__ volatile("sti; hlt");
	l2_vmcall(guest_interrupt_count(VECTOR_SOFT) == before + 1);
}

static void check_wake(struct l2 *l2)
{
	if (!l2_expect(l2, EXIT_HLT))
		return;
	l2_skip();
	guest_vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	guest_vmcs_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	inject(EVENT(VECTOR_SOFT, TYPE_EXTERNAL));
	l2_expect_end(l2);
}

static bool has_activity_hlt(void)
{
	return guest_caps.msr[VMX_CAP_MISC] & CAP_ACTIVITY_HLT;
}

/* --- windows and timers ---------------------------------------------------------------------- */

static void code_interrupt_window(void)
{
	progress = 1;
	__asm__ volatile("nop; sti; nop" : : : "memory");
	progress = 2;
	l2_vmcall(true);
}

static void check_interrupt_window(struct l2 *l2)
{
	if (!l2_expect(l2, EXIT_INTERRUPT_WINDOW))
		return;
	l2_check(progress == 1, "after step %lu", progress);
	l2_check(guest_vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF, "IF is clear");
	l2_expect_field(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	guest_vmcs_write(VMCS_PRIMARY_PROC_BASED_CONTROLS,
			 guest_vmcs_read(VMCS_PRIMARY_PROC_BASED_CONTROLS) &
				 ~(u64)PRIMARY_INTERRUPT_WINDOW_EXITING);
	l2_expect_end(l2);
}

/* It may exit at its first instruction: on a slow processor the time is over by then. */
static void code_spin(void)
{
	__asm__ volatile("sti" : : : "memory");
	while (!progress)
		;
	l2_vmcall(true);
}

static void check_external_interrupt(struct l2 *l2)
{
	const u64 before = guest_interrupt_count(VECTOR_TIMER);

	progress = 0;
	guest_apic_timer(VECTOR_TIMER, 2000);
	if (!l2_expect(l2, EXIT_EXTERNAL_INTERRUPT))
		return;
	l2_check(!(guest_vmcs_read(VMCS_VM_EXIT_INTERRUPTION_INFO) & BIT(31)),
		 "interruption information is valid without acknowledgement");
	l2_check(guest_interrupt_count(VECTOR_TIMER) == before, "taken before L1 allowed it");
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
	l2_check(guest_interrupt_count(VECTOR_TIMER) == before + 1, "the interrupt got lost");
	progress = 1;
	l2_expect_end(l2);
}

static void check_acknowledged(struct l2 *l2)
{
	const u64 before = guest_interrupt_count(VECTOR_TIMER);

	progress = 0;
	guest_apic_timer(VECTOR_TIMER, 2000);
	if (!l2_expect(l2, EXIT_EXTERNAL_INTERRUPT))
		return;
	l2_expect_field(VMCS_VM_EXIT_INTERRUPTION_INFO, EVENT(VECTOR_TIMER, TYPE_EXTERNAL));
	APIC_EOI = 0;
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
	l2_check(guest_interrupt_count(VECTOR_TIMER) == before, "the interrupt came twice");
	progress = 1;
	l2_expect_end(l2);
}

/* Without external-interrupt exiting, L2 takes the interrupt through its own IDT. */
static void code_own_interrupt(void)
{
	const u64 before = guest_interrupt_count(VECTOR_TIMER);

	__asm__ volatile("sti" : : : "memory");
	while (guest_interrupt_count(VECTOR_TIMER) == before)
		__asm__ volatile("" : : : "memory");
	l2_vmcall(true);
}

static void check_own_interrupt(struct l2 *l2)
{
	guest_apic_timer(VECTOR_TIMER, 2000);
	l2_expect_end(l2);
}

static void code_halted(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
	l2_vmcall(true);
}

static bool is_behind_hlt(u64 rip)
{
	return *(const u8 *)(uintptr_t)(rip - 1) == OPCODE_HLT;
}

static void check_halted(struct l2 *l2)
{
	u64 activity;

	/* Until the time is long enough for L2 to come to its HLT. */
	for (u32 ticks = 20000; ticks < BIT(30); ticks *= 2) {
		guest_apic_timer(VECTOR_TIMER, ticks);
		if (!l2_expect(l2, EXIT_EXTERNAL_INTERRUPT))
			return;
		if (is_behind_hlt(guest_vmcs_read(VMCS_GUEST_RIP)))
			break;
		APIC_EOI = 0;
	}
	/*
	 * SDM, "Saving Non-Register State": the state before the event. Bochs 2.7 saves "active".
	 */
	activity = guest_vmcs_read(VMCS_GUEST_ACTIVITY_STATE);
	l2_check(activity == ACTIVITY_HLT || activity == 0, "activity state %lu", activity);
	APIC_EOI = 0;
	guest_vmcs_write(VMCS_GUEST_ACTIVITY_STATE, 0);
	l2_expect_end(l2);
}

static void check_preemption_timer(struct l2 *l2)
{
	progress = 0;
	guest_vmcs_write(VMCS_VMX_PREEMPTION_TIMER_VALUE, 5000);
	if (!l2_expect(l2, EXIT_PREEMPTION_TIMER))
		return;
	l2_expect_field(VMCS_VMX_PREEMPTION_TIMER_VALUE, 0);
	progress = 1;
	guest_vmcs_write(VMCS_VMX_PREEMPTION_TIMER_VALUE, 0xffffffff);
	l2_expect_end(l2);
	l2_check(guest_vmcs_read(VMCS_VMX_PREEMPTION_TIMER_VALUE) > 0xf0000000, "the timer is %lx",
		 guest_vmcs_read(VMCS_VMX_PREEMPTION_TIMER_VALUE));
}

/* With 0 the exit comes before the first instruction. */
static void check_preemption_zero(struct l2 *l2)
{
	const u64 rip = guest_vmcs_read(VMCS_GUEST_RIP);

	guest_vmcs_write(VMCS_VMX_PREEMPTION_TIMER_VALUE, 0);
	if (!l2_expect(l2, EXIT_PREEMPTION_TIMER))
		return;
	l2_expect_field(VMCS_GUEST_RIP, rip);
}

/* The event is delivered first, and nothing on its way stops the timer. */
static void check_preemption_injection(struct l2 *l2)
{
	const u64 before = guest_interrupt_count(VECTOR_SOFT);

	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	guest_vmcs_write(VMCS_VMX_PREEMPTION_TIMER_VALUE, 0);
	inject(EVENT(VECTOR_SOFT, TYPE_EXTERNAL));
	if (!l2_expect(l2, EXIT_PREEMPTION_TIMER))
		return;
	l2_expect_field(VMCS_GUEST_RIP, physical(guest_trap_entries + 16 * VECTOR_SOFT));
	l2_check(guest_interrupt_count(VECTOR_SOFT) == before, "the handler ran");
}

const struct l2_case l1_l2_event_cases[] = {
	L2_CASE(exception),
	L2_CASE(own_exception),
	L2_CASE(triple_fault),
	L2_CASE(inject_exception),
	L2_CASE(inject_interrupt),
	L2_CASE(inject_soft),
	L2_CASE(wake, .options.primary = PRIMARY_HLT_EXITING, .possible = has_activity_hlt),
	L2_CASE(interrupt_window, .options.primary = PRIMARY_INTERRUPT_WINDOW_EXITING),
	L2_CASE_OF(external_interrupt, code_spin, check_external_interrupt,
		   .options.pin = PIN_EXTERNAL_INTERRUPT_EXITING),
	L2_CASE_OF(acknowledged, code_spin, check_acknowledged,
		   .options = { .pin = PIN_EXTERNAL_INTERRUPT_EXITING,
				.exit = EXIT_ACKNOWLEDGE_INTERRUPT }),
	L2_CASE(own_interrupt),
	L2_CASE(halted, .options = { .pin = PIN_EXTERNAL_INTERRUPT_EXITING,
				     .exit = EXIT_ACKNOWLEDGE_INTERRUPT }),
	L2_CASE_OF(preemption_timer, code_spin, check_preemption_timer,
		   .options = { .pin = PIN_PREEMPTION_TIMER, .exit = EXIT_SAVE_PREEMPTION_TIMER }),
	L2_CASE_OF(preemption_zero, code_spin, check_preemption_zero,
		   .options.pin = PIN_PREEMPTION_TIMER),
	L2_CASE_OF(preemption_injection, code_spin, check_preemption_injection,
		   .options.pin = PIN_PREEMPTION_TIMER),
};
const size_t l1_l2_event_count = ARRAY_SIZE(l1_l2_event_cases);
