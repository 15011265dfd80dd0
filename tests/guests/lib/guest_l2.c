#include "tests/guests/lib/guest_l2.h"

#define STACK_PAGES	4
#define NO_LINK		~0ull
#define DR7_RESET	0x400
#define RFLAGS_ONE	BIT(1)

/* Access rights as in "Segment Registers": type, S, DPL, P, L, D, G, unusable. */
#define RIGHTS_CODE64	0xa09b
#define RIGHTS_DATA	0xc093
#define RIGHTS_TSS	0x008b
#define RIGHTS_UNUSABLE 0x10000
#define FLAT_LIMIT	0xffffffff

struct __attribute__((packed)) table_pointer {
	u16 limit;
	u64 base;
};

int guest_switch(struct l2_regs *regs, unsigned how);
void guest_switch_exit(void);

static void write_controls(const struct l2_options *options)
{
	u64 primary = options->primary, secondary = options->secondary;

	if (options->eptp)
		secondary |= SECONDARY_EPT;
	if (options->vpid)
		secondary |= SECONDARY_VPID;
	if (secondary)
		primary |= PRIMARY_SECONDARY_CONTROLS;
	guest_vmcs_write(VMCS_PIN_BASED_CONTROLS, guest_control(VMX_WORD_PIN, options->pin));
	guest_vmcs_write(VMCS_PRIMARY_PROC_BASED_CONTROLS,
			 guest_control(VMX_WORD_PRIMARY, primary));
	if (secondary)
		guest_vmcs_write(VMCS_SECONDARY_PROC_BASED_CONTROLS,
				 guest_control(VMX_WORD_SECONDARY, secondary));
	guest_vmcs_write(
		VMCS_VM_EXIT_CONTROLS,
		guest_control(VMX_WORD_EXIT, options->exit | EXIT_HOST_ADDRESS_SPACE_SIZE));
	guest_vmcs_write(VMCS_VM_ENTRY_CONTROLS,
			 guest_control(VMX_WORD_ENTRY, options->entry | ENTRY_IA32E_MODE_GUEST));
	if (options->eptp)
		guest_vmcs_write(VMCS_EPT_POINTER, options->eptp);
	if (options->vpid)
		guest_vmcs_write(VMCS_VPID, options->vpid);
	guest_vmcs_write(VMCS_EXCEPTION_BITMAP, 0);
	guest_vmcs_write(VMCS_PAGE_FAULT_ERROR_CODE_MASK, 0);
	guest_vmcs_write(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, 0);
	guest_vmcs_write(VMCS_CR3_TARGET_COUNT, 0);
	guest_vmcs_write(VMCS_VM_EXIT_MSR_STORE_COUNT, 0);
	guest_vmcs_write(VMCS_VM_EXIT_MSR_LOAD_COUNT, 0);
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 0);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, 0);
	guest_vmcs_write(VMCS_CR0_GUEST_HOST_MASK, 0);
	guest_vmcs_write(VMCS_CR4_GUEST_HOST_MASK, 0);
}

static void write_host_state(const struct l2_options *options)
{
	static const u32 selectors[] = { VMCS_HOST_DS_SELECTOR, VMCS_HOST_ES_SELECTOR,
					 VMCS_HOST_SS_SELECTOR };
	struct table_pointer gdt, idt;

	__asm__ volatile("sgdt %0" : "=m"(gdt));
	__asm__ volatile("sidt %0" : "=m"(idt));
	guest_vmcs_write(VMCS_HOST_CR0, read_cr0());
	guest_vmcs_write(VMCS_HOST_CR3, read_cr3());
	guest_vmcs_write(VMCS_HOST_CR4, read_cr4());
	guest_vmcs_write(VMCS_HOST_CS_SELECTOR, GUEST_CS);
	for (unsigned i = 0; i < ARRAY_SIZE(selectors); i++)
		guest_vmcs_write(selectors[i], GUEST_DS);
	guest_vmcs_write(VMCS_HOST_FS_SELECTOR, 0);
	guest_vmcs_write(VMCS_HOST_GS_SELECTOR, 0);
	guest_vmcs_write(VMCS_HOST_TR_SELECTOR, GUEST_TR);
	guest_vmcs_write(VMCS_HOST_FS_BASE, 0);
	guest_vmcs_write(VMCS_HOST_GS_BASE, 0);
	guest_vmcs_write(VMCS_HOST_TR_BASE, physical(guest_tss));
	guest_vmcs_write(VMCS_HOST_GDTR_BASE, gdt.base);
	guest_vmcs_write(VMCS_HOST_IDTR_BASE, idt.base);
	guest_vmcs_write(VMCS_HOST_IA32_SYSENTER_CS, 0);
	guest_vmcs_write(VMCS_HOST_IA32_SYSENTER_ESP, 0);
	guest_vmcs_write(VMCS_HOST_IA32_SYSENTER_EIP, 0);
	if (options->exit & EXIT_LOAD_PAT)
		guest_vmcs_write(VMCS_HOST_IA32_PAT, rdmsr(MSR_PAT));
	if (options->exit & EXIT_LOAD_EFER)
		guest_vmcs_write(VMCS_HOST_IA32_EFER, rdmsr(MSR_EFER));
	guest_vmcs_write(VMCS_HOST_RIP, (uintptr_t)guest_switch_exit);
}

static void write_segment(u32 selector_field, u16 selector, u64 base, u32 limit, u32 rights)
{
	/* The four fields of a segment lie equally far apart for all segments. */
	const u32 offset = selector_field - VMCS_GUEST_ES_SELECTOR;

	guest_vmcs_write(selector_field, selector);
	guest_vmcs_write(VMCS_GUEST_ES_BASE + offset, base);
	guest_vmcs_write(VMCS_GUEST_ES_LIMIT + offset, limit);
	guest_vmcs_write(VMCS_GUEST_ES_ACCESS_RIGHTS + offset, rights);
}

static void write_guest_segments(void)
{
	struct table_pointer gdt, idt;

	__asm__ volatile("sgdt %0" : "=m"(gdt));
	__asm__ volatile("sidt %0" : "=m"(idt));
	write_segment(VMCS_GUEST_CS_SELECTOR, GUEST_CS, 0, FLAT_LIMIT, RIGHTS_CODE64);
	write_segment(VMCS_GUEST_SS_SELECTOR, GUEST_DS, 0, FLAT_LIMIT, RIGHTS_DATA);
	write_segment(VMCS_GUEST_DS_SELECTOR, GUEST_DS, 0, FLAT_LIMIT, RIGHTS_DATA);
	write_segment(VMCS_GUEST_ES_SELECTOR, GUEST_DS, 0, FLAT_LIMIT, RIGHTS_DATA);
	write_segment(VMCS_GUEST_FS_SELECTOR, 0, 0, 0, RIGHTS_UNUSABLE);
	write_segment(VMCS_GUEST_GS_SELECTOR, 0, 0, 0, RIGHTS_UNUSABLE);
	write_segment(VMCS_GUEST_LDTR_SELECTOR, 0, 0, 0, RIGHTS_UNUSABLE);
	write_segment(VMCS_GUEST_TR_SELECTOR, GUEST_TR, physical(guest_tss), GUEST_TSS_SIZE - 1,
		      RIGHTS_TSS);
	guest_vmcs_write(VMCS_GUEST_GDTR_BASE, gdt.base);
	guest_vmcs_write(VMCS_GUEST_GDTR_LIMIT, gdt.limit);
	guest_vmcs_write(VMCS_GUEST_IDTR_BASE, idt.base);
	guest_vmcs_write(VMCS_GUEST_IDTR_LIMIT, idt.limit);
}

static void write_guest_state(const struct l2_options *options, void (*code)(void), u64 stack)
{
	write_guest_segments();
	guest_vmcs_write(VMCS_GUEST_CR0, read_cr0());
	guest_vmcs_write(VMCS_GUEST_CR3, options->cr3 ? options->cr3 : read_cr3());
	guest_vmcs_write(VMCS_GUEST_CR4, read_cr4());
	guest_vmcs_write(VMCS_GUEST_DR7, DR7_RESET);
	guest_vmcs_write(VMCS_GUEST_RIP, (uintptr_t)code);
	/* As after a CALL. */
	guest_vmcs_write(VMCS_GUEST_RSP, stack - sizeof(u64));
	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_ONE);
	guest_vmcs_write(VMCS_GUEST_IA32_SYSENTER_CS, 0);
	guest_vmcs_write(VMCS_GUEST_IA32_SYSENTER_ESP, 0);
	guest_vmcs_write(VMCS_GUEST_IA32_SYSENTER_EIP, 0);
	guest_vmcs_write(VMCS_GUEST_IA32_DEBUGCTL, 0);
	if (options->entry & ENTRY_LOAD_PAT)
		guest_vmcs_write(VMCS_GUEST_IA32_PAT, rdmsr(MSR_PAT));
	if (options->entry & ENTRY_LOAD_EFER)
		guest_vmcs_write(VMCS_GUEST_IA32_EFER, rdmsr(MSR_EFER));
	guest_vmcs_write(VMCS_GUEST_ACTIVITY_STATE, 0);
	guest_vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	guest_vmcs_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	guest_vmcs_write(VMCS_VMCS_LINK_POINTER, NO_LINK);
}

void l2_fill(struct l2 *l2, void (*code)(void), const struct l2_options *options)
{
	write_controls(options);
	write_host_state(options);
	write_guest_state(options, code, physical(l2->region) + (1 + STACK_PAGES) * PAGE_SIZE);
	l2->regs = (struct l2_regs){ 0 };
	l2->launched = false;
}

void l2_allocate(struct l2 *l2)
{
	*l2 = (struct l2){ .region = guest_region() };
	guest_pages(STACK_PAGES);
}

void l2_create(struct l2 *l2, void (*code)(void), const struct l2_options *options)
{
	if (!l2->region)
		l2_allocate(l2);
	guest_vmcs_load(l2->region);
	l2_fill(l2, code, options);
}

enum vmx_outcome l2_enter(struct l2 *l2)
{
	const unsigned how = (l2->launched ? 1 : 0) | (l2->behind_mov_ss ? 2 : 0);
	const int result = guest_switch(&l2->regs, how);

	if (result)
		return result == 1 ? VMX_FAIL_INVALID : VMX_FAIL_VALID;
	if (!(guest_vmcs_read(VMCS_EXIT_REASON) & EXIT_REASON_ENTRY_FAILURE))
		l2->launched = true;
	return VMX_SUCCEED;
}

bool l2_resume(struct l2 *l2)
{
	return !guest_switch(&l2->regs, 1);
}

u32 l2_run(struct l2 *l2)
{
	const enum vmx_outcome outcome = l2_enter(l2);

	if (outcome != VMX_SUCCEED)
		guest_fail("VM entry: %s, error %u", vmx_outcome_text(outcome), guest_vmcs_error());
	return (u32)guest_vmcs_read(VMCS_EXIT_REASON);
}

void l2_skip(void)
{
	guest_vmcs_write(VMCS_GUEST_RIP, guest_vmcs_read(VMCS_GUEST_RIP) +
						 guest_vmcs_read(VMCS_VM_EXIT_INSTRUCTION_LENGTH));
}

void l2_vmcall(u64 value)
{
	__asm__ volatile("vmcall" : : "a"(value) : "memory", "cc");
}
