#include "tests/guests/l1_l2.h"

#define VECTOR_NMI	2
#define EVENT_NMI	(BIT(31) | 2ull << 8 | VECTOR_NMI)
#define APIC_ICR	(*(volatile u32 *)0xfee00300ull)
#define APIC_ICR_HIGH	(*(volatile u32 *)0xfee00310ull)
#define ICR_NMI		0x4400
#define NMIS		3
#define BLOCKING_BY_NMI BIT(3)

static u64 taken; /* before the case */

static void send_nmi(void)
{
	APIC_ICR_HIGH = 0;
	APIC_ICR = ICR_NMI;
}

static void code_exits(void)
{
	for (unsigned i = 0; i < NMIS; i++)
		send_nmi();
	l2_vmcall(guest_interrupt_count(VECTOR_NMI) == taken);
}

/* As hypervisors do after such an exit: the IRET ends the blocking in L1. */
static void handle_nmi(void)
{
	__asm__ volatile("int $2" : : : "memory");
}

/* Each of them exits: none leaves the processor deaf to the next. */
static void check_exits(struct l2 *l2)
{
	taken = guest_interrupt_count(VECTOR_NMI);
	for (unsigned i = 0; i < NMIS; i++) {
		if (!l2_expect(l2, EXIT_EXCEPTION_NMI))
			return;
		l2_expect_field(VMCS_VM_EXIT_INTERRUPTION_INFO, EVENT_NMI);
		handle_nmi();
		taken++;
	}
	l2_expect_end(l2);
	l2_check(guest_interrupt_count(VECTOR_NMI) == taken, "L1 got an NMI that made L2 exit");
}

static void code_own(void)
{
	for (unsigned i = 0; i < NMIS; i++)
		send_nmi();
	l2_vmcall(guest_interrupt_count(VECTOR_NMI) == taken + NMIS);
}

static void check_own(struct l2 *l2)
{
	taken = guest_interrupt_count(VECTOR_NMI);
	l2_expect_end(l2);
}

/* L1's own, between those of L2. */
static void check_l1(struct l2 *l2)
{
	check_exits(l2);
	taken = guest_interrupt_count(VECTOR_NMI);
	for (unsigned i = 0; i < NMIS; i++)
		send_nmi();
	l2_check(guest_interrupt_count(VECTOR_NMI) == taken + NMIS, "L1 took %lu NMIs of %u",
		 guest_interrupt_count(VECTOR_NMI) - taken, NMIS);
}

/* Behind the last exit the IRET of an interrupt has ended all blocking. */
static void code_unblocked(void)
{
	l2_vmcall(2);
	l2_vmcall(2);
	__asm__ volatile("int $0x60");
	l2_vmcall(true);
}

/* Each entry says anew whether NMIs are blocked. In Bochs 2.7 the blocking stays. */
static void check_unblocked(struct l2 *l2)
{
	guest_vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_NMI);
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	l2_expect_field(VMCS_GUEST_INTERRUPTIBILITY_STATE, BLOCKING_BY_NMI);
	l2_skip();
	guest_vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	l2_skip();
	l2_expect_end(l2);
	l2_expect_field(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
}

/* --- NMIs that L1 injects --------------------------------------------------------------------- */

static void code_inject_nmi(void)
{
	const u64 before = guest_interrupt_count(VECTOR_NMI);

	l2_vmcall(2);
	l2_vmcall(guest_interrupt_count(VECTOR_NMI) == before + 1);
}

static void check_inject_nmi(struct l2 *l2)
{
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	l2_skip();
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_NMI);
	l2_expect_end(l2);
	/* The handler's IRET ended the blocking. */
	l2_expect_field(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
}

static void check_nmi_window(struct l2 *l2)
{
	const u64 rip = guest_vmcs_read(VMCS_GUEST_RIP);

	if (!l2_expect(l2, EXIT_NMI_WINDOW))
		return;
	l2_expect_field(VMCS_GUEST_RIP, rip);
	guest_vmcs_write(VMCS_PRIMARY_PROC_BASED_CONTROLS,
			 guest_vmcs_read(VMCS_PRIMARY_PROC_BASED_CONTROLS) &
				 ~(u64)PRIMARY_NMI_WINDOW_EXITING);
	check_inject_nmi(l2);
}

const struct l2_case l1_l2_nmi_cases[] = {
	L2_CASE(exits, .options.pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS),
	L2_CASE(own),
	L2_CASE_OF(l1, code_exits, check_l1, .options.pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS),
	L2_CASE(unblocked, .options.pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS),
	L2_CASE(inject_nmi),
	L2_CASE_OF(virtual_nmi, code_inject_nmi, check_inject_nmi,
		   .options.pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS),
	L2_CASE_OF(nmi_window, code_inject_nmi, check_nmi_window,
		   .options = { .pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS,
				.primary = PRIMARY_NMI_WINDOW_EXITING }),
};
const size_t l1_l2_nmi_count = ARRAY_SIZE(l1_l2_nmi_cases);
