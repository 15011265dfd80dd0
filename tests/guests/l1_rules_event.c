#include "tests/guests/l1_rules.h"
#include "tests/guests/lib/guest_paging.h"

#define RFLAGS_ONE	BIT(1)
#define RFLAGS_IF	BIT(9)
#define VECTOR_NMI	2
#define VECTOR		0x41
#define EVENT_INTERRUPT (BIT(31) | VECTOR)
#define EVENT_NMI	(BIT(31) | 2ull << 8 | VECTOR_NMI)
#define APIC_ICR	0xfee00300
#define APIC_ICR_HIGH	0xfee00310 /* destination: this processor is 0 */
#define ICR_NMI		0x4400
#define EPT_ACCESS	(EPT_READ | EPT_WRITE | EPT_EXECUTE)

static void no_interrupt(struct guest_trap_frame *frame)
{
	(void)frame;
}

/* --- L1.reads-invalid-info ------------------------------------------------------------------- */

static void read_undefined_address(void)
{
	const struct l2_options options = { .eptp = guest_ept_tables() | EPTP_WB | EPTP_LEVEL_4 };
	struct l2 l2 = { 0 };

	l2_create(&l2, rules_l2_code, &options);
	rules_run_once(&l2);
	guest_vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
	rules_clear(l2.region);
}

/* Fields with a valid bit, and the length of an instruction that caused the exit. */
static void read_defined_info(void)
{
	struct l2 l2;

	rules_create(&l2);
	rules_run_once(&l2);
	guest_vmcs_read(VMCS_EXIT_QUALIFICATION);
	guest_vmcs_read(VMCS_VM_EXIT_INTERRUPTION_INFO);
	guest_vmcs_read(VMCS_IDT_VECTORING_INFO);
	guest_vmcs_read(VMCS_VM_EXIT_INSTRUCTION_LENGTH);
	rules_clear(l2.region);
}

/* --- L1.vectoring-lost ----------------------------------------------------------------------- */

/*
 * An L2 with an interrupt on its way, which exits since EPT does not map its IDT; that is mapped
 * now.
 */
static void create_vectoring(struct l2 *l2)
{
	struct l2_options options = { .eptp = guest_ept_tables() | EPTP_WB | EPTP_LEVEL_4 };
	void *const idt = guest_pages(1);
	u64 *const entry = guest_table_entry(options.eptp, physical(idt));
	u32 reason;

	guest_set_interrupt(VECTOR, no_interrupt);
	/* No other interrupt is to come. */
	guest_apic_enable();
	*l2 = (struct l2){ 0 };
	l2_create(l2, rules_l2_code, &options);
	memcpy(idt, (const void *)(uintptr_t)guest_vmcs_read(VMCS_GUEST_IDTR_BASE), PAGE_SIZE);
	guest_vmcs_write(VMCS_GUEST_IDTR_BASE, physical(idt));
	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_ONE | RFLAGS_IF);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_INTERRUPT);
	*entry &= ~EPT_ACCESS;
	reason = l2_run(l2);
	guest_check(reason == EXIT_EPT_VIOLATION, "exit %x", reason);
	guest_check(guest_vmcs_read(VMCS_IDT_VECTORING_INFO) == EVENT_INTERRUPT, "vectoring %lx",
		    guest_vmcs_read(VMCS_IDT_VECTORING_INFO));
	*entry |= EPT_ACCESS;
}

static void vectoring_dropped(void)
{
	struct l2 l2;

	create_vectoring(&l2);
	rules_run_once(&l2);
	rules_clear(l2.region);
}

static void vectoring_injected(void)
{
	struct l2 l2;

	create_vectoring(&l2);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, guest_vmcs_read(VMCS_IDT_VECTORING_INFO));
	rules_run_once(&l2);
	rules_clear(l2.region);
}

/* L1 keeps it until L2 can take it. */
static void vectoring_window(void)
{
	struct l2 l2;
	u32 reason;

	create_vectoring(&l2);
	guest_vmcs_write(VMCS_PRIMARY_PROC_BASED_CONTROLS,
			 guest_vmcs_read(VMCS_PRIMARY_PROC_BASED_CONTROLS) |
				 PRIMARY_INTERRUPT_WINDOW_EXITING);
	reason = l2_run(&l2);
	guest_check(reason == EXIT_INTERRUPT_WINDOW, "exit %x", reason);
	rules_clear(l2.region);
}

/* --- L1.nmi-unblocked-missing ---------------------------------------------------------------- */

static void l2_nmi(void)
{
	*(volatile u32 *)(uintptr_t)APIC_ICR_HIGH = 0;
	*(volatile u32 *)(uintptr_t)APIC_ICR = ICR_NMI;
	rules_l2_code();
}

/* An L2 that has exited for an NMI. */
static void create_nmi(struct l2 *l2)
{
	const struct l2_options options = { .pin = PIN_NMI_EXITING };
	u32 reason;

	guest_set_interrupt(VECTOR_NMI, no_interrupt);
	guest_apic_enable();
	*l2 = (struct l2){ 0 };
	l2_create(l2, l2_nmi, &options);
	reason = l2_run(l2);
	guest_check(reason == EXIT_EXCEPTION_NMI, "exit %x", reason);
	guest_check(guest_vmcs_read(VMCS_VM_EXIT_INTERRUPTION_INFO) == EVENT_NMI, "event %lx",
		    guest_vmcs_read(VMCS_VM_EXIT_INTERRUPTION_INFO));
}

/* The handler's IRET ends the blocking. */
static void call_nmi_handler(void)
{
	__asm__ volatile("int $2" : : : "memory");
}

static void nmi_left_blocked(void)
{
	struct l2 l2;

	create_nmi(&l2);
	rules_run_once(&l2);
	rules_clear(l2.region);
	call_nmi_handler();
}

static void nmi_handled(void)
{
	struct l2 l2;

	create_nmi(&l2);
	call_nmi_handler();
	rules_run_once(&l2);
	rules_clear(l2.region);
}

/* Without virtual NMIs Bochs takes no NMI in L2 after the first that exited, bare as well. */
const struct rule_case l1_rules_event_cases[] = {
	RULE_CASE(read_undefined_address),
	RULE_CASE(read_defined_info),
	RULE_CASE(vectoring_dropped),
	RULE_CASE(vectoring_injected),
	RULE_CASE(vectoring_window),
	RULE_CASE(nmi_handled),
	RULE_CASE(nmi_left_blocked, .alone = true),
};
const size_t l1_rules_event_count = ARRAY_SIZE(l1_rules_event_cases);
