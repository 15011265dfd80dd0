#include "tests/guests/l1_l2.h"

#define VECTOR_NMI    2
#define EVENT_NMI     (BIT(31) | 2ull << 8 | VECTOR_NMI)
#define APIC_ICR      (*(volatile u32 *)0xfee00300ull)
#define APIC_ICR_HIGH (*(volatile u32 *)0xfee00310ull)
#define ICR_NMI	      0x4400
#define NMIS	      3

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

const struct l2_case l1_l2_nmi_cases[] = {
	L2_CASE(exits, .options.pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS),
	L2_CASE(own),
	L2_CASE_OF(l1, code_exits, check_l1, .options.pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS),
};
const size_t l1_l2_nmi_count = ARRAY_SIZE(l1_l2_nmi_cases);
