#include "tests/guests/l1_l2.h"

/* SDM: "APIC Virtualization and Virtual Interrupts". */

#define VECTOR		 0x60
#define STATUS(rvi, svi) ((u64)(svi) << 8 | (rvi))
#define APIC_BASE	 0xfee00000ull
#define MSR_X2APIC_EOI	 0x80b
#define MSR_X2APIC_SELF	 0x83f

/* Offsets in the virtual-APIC page; the bit of a vector is in one of eight registers. */
#define VTPR		 0x80
#define VISR		 0x100
#define VIRR		 0x200
#define REGISTER(vector) ((vector) / 32 * 0x10)

static volatile u8 *apic; /* the virtual-APIC page */

static volatile u32 *apic_register(u32 offset)
{
	return (volatile u32 *)(apic + offset);
}

/* Whether @vector is in VISR or VIRR. */
static bool is_set(u32 offset)
{
	return *apic_register(offset + REGISTER(VECTOR)) & 1u << VECTOR % 32;
}

static void use_apic(void)
{
	apic = guest_pages(1);
	guest_vmcs_write(VMCS_VIRTUAL_APIC_ADDRESS, (uintptr_t)apic);
	guest_vmcs_write(VMCS_APIC_ACCESS_ADDRESS, APIC_BASE);
	guest_vmcs_write(VMCS_MSR_BITMAP, physical(guest_pages(1)));
}

/* VECTOR is requested, as a hypervisor does it. */
static void request(void)
{
	*apic_register(VIRR + REGISTER(VECTOR)) = 1u << VECTOR % 32;
	guest_vmcs_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(VECTOR, 0));
}

static void expect_quiet(void)
{
	l2_expect_field(VMCS_GUEST_INTERRUPT_STATUS, 0);
	l2_check(!is_set(VIRR) && !is_set(VISR), "the vector is requested or in service");
}

/* The handler of guest_trap.c ends with a write to EOI, which the processor virtualises. */
static void code_vid(void)
{
	const u64 before = guest_interrupt_count(VECTOR);

	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
	l2_vmcall(guest_interrupt_count(VECTOR) == before + 1);
}

static void check_vid(struct l2 *l2)
{
	use_apic();
	request();
	l2_expect_end(l2);
	expect_quiet();
}

static void check_vid_eoi(struct l2 *l2)
{
	use_apic();
	request();
	guest_vmcs_write(VMCS_EOI_EXIT_BITMAP_1, 1ull << (VECTOR - 64));
	if (!l2_expect(l2, EXIT_VIRTUALIZED_EOI))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, VECTOR);
	/* The write is done, and the vector no longer in service. */
	expect_quiet();
	l2_expect_end(l2);
}

/* RFLAGS.IF keeps it back, and it stays requested. */
static void code_vid_masked(void)
{
	const u64 before = guest_interrupt_count(VECTOR);

	__asm__ volatile("nop" : : : "memory");
	l2_vmcall(guest_interrupt_count(VECTOR) == before);
}

static void check_vid_masked(struct l2 *l2)
{
	use_apic();
	request();
	l2_expect_end(l2);
	l2_expect_field(VMCS_GUEST_INTERRUPT_STATUS, STATUS(VECTOR, 0));
	l2_check(is_set(VIRR) && !is_set(VISR), "the vector is not only requested");
}

/* So does the priority, until L2 lowers it. */
static void code_vid_priority(void)
{
	const u64 before = guest_interrupt_count(VECTOR);
	u64 masked;

	__asm__ volatile("sti; nop; nop" : : : "memory");
	masked = guest_interrupt_count(VECTOR);
	__asm__ volatile("mov %0, %%cr8; nop; nop; cli" : : "r"(0ull) : "memory");
	l2_vmcall(masked == before && guest_interrupt_count(VECTOR) == before + 1);
}

static void check_vid_priority(struct l2 *l2)
{
	use_apic();
	*apic_register(VTPR) = VECTOR & 0xf0;
	request();
	l2_expect_end(l2);
	expect_quiet();
}

static void write_msr(u32 index, u64 value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(index), "a"((u32)value), "d"((u32)(value >> 32))
			 : "memory");
}

/* An interrupt of L2 to itself never leaves it. */
static void code_vid_self(void)
{
	const u64 before = guest_interrupt_count(VECTOR);

	__asm__ volatile("sti" : : : "memory");
	write_msr(MSR_X2APIC_SELF, VECTOR);
	__asm__ volatile("nop; nop; cli" : : : "memory");
	l2_vmcall(guest_interrupt_count(VECTOR) == before + 1 ? 2 : 0);
	write_msr(MSR_X2APIC_EOI, 0);
	l2_vmcall(guest_interrupt_count(VECTOR) == before + 1);
}

static void check_vid_self(struct l2 *l2)
{
	use_apic();
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	l2_check(l2->regs.rax == 2, "the interrupt did not come");
	/* Nobody has told the virtual APIC that it is over. */
	l2_expect_field(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0, VECTOR));
	l2_check(is_set(VISR), "the vector is not in service");
	l2_skip();
	l2_expect_end(l2);
	expect_quiet();
}

/* SDM, "Checks on VM-Execution Control Fields". */
static void check_vid_entry(struct l2 *l2)
{
	enum vmx_outcome outcome;

	use_apic();
	guest_vmcs_write(VMCS_PIN_BASED_CONTROLS, guest_vmcs_read(VMCS_PIN_BASED_CONTROLS) &
							  ~(u64)PIN_EXTERNAL_INTERRUPT_EXITING);
	outcome = l2_enter(l2);
	l2_check(outcome == VMX_FAIL_VALID && guest_vmcs_error() == VMERR_ENTRY_CONTROLS, "%s, %u",
		 vmx_outcome_text(outcome), guest_vmcs_error());
	guest_vmcs_write(VMCS_PIN_BASED_CONTROLS,
			 guest_vmcs_read(VMCS_PIN_BASED_CONTROLS) | PIN_EXTERNAL_INTERRUPT_EXITING);
	/* The TPR threshold has no meaning. */
	guest_vmcs_write(VMCS_TPR_THRESHOLD, 0xfff);
	l2_expect_end(l2);
}

#define WITH_VID(more)                                                    \
	.options = { .pin = PIN_EXTERNAL_INTERRUPT_EXITING,               \
		     .primary = PRIMARY_TPR_SHADOW | PRIMARY_MSR_BITMAPS, \
		     .secondary = SECONDARY_VIRTUAL_INTERRUPT_DELIVERY |  \
				  SECONDARY_APIC_REGISTER_VIRTUALIZATION | (more) }
#define WITH_MEMORY WITH_VID(SECONDARY_VIRTUALIZE_APIC_ACCESSES)
#define WITH_X2APIC WITH_VID(SECONDARY_VIRTUALIZE_X2APIC_MODE)

const struct l2_case l1_l2_apic_cases[] = {
	L2_CASE(vid, WITH_MEMORY),
	L2_CASE_OF(vid_eoi, code_vid, check_vid_eoi, WITH_MEMORY),
	L2_CASE(vid_masked, WITH_MEMORY),
	L2_CASE(vid_priority, WITH_MEMORY),
	L2_CASE(vid_self, WITH_X2APIC),
	L2_CASE_OF(vid_entry, code_vid_masked, check_vid_entry, WITH_MEMORY),
};
const size_t l1_l2_apic_count = ARRAY_SIZE(l1_l2_apic_cases);
