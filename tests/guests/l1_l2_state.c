#include "tests/guests/l1_l2.h"

#define EFER_NXE BIT(11)
#define DR7_GE	 BIT(9)

static u8 msr_bitmap[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE))); /* nothing exits */

/* --- PAT and EFER ---------------------------------------------------------------------------- */

#define PAT_OF_L2  0x0606060606060606ull
#define PAT_BY_L2  0x0606060606060604ull
#define PAT_LOAD   ENTRY_LOAD_PAT
#define PAT_SWITCH (EXIT_SAVE_PAT | EXIT_LOAD_PAT)

static void code_pat(void)
{
	const u64 pat = rdmsr(MSR_PAT);

	wrmsr(MSR_PAT, PAT_BY_L2);
	l2_vmcall(pat == PAT_OF_L2);
}

static void check_pat(struct l2 *l2)
{
	const u64 pat = rdmsr(MSR_PAT);

	guest_vmcs_write(VMCS_MSR_BITMAP, physical(msr_bitmap));
	guest_vmcs_write(VMCS_GUEST_IA32_PAT, PAT_OF_L2);
	l2_expect_end(l2);
	l2_expect_field(VMCS_GUEST_IA32_PAT, PAT_BY_L2);
	l2_check(rdmsr(MSR_PAT) == pat, "L1's PAT became %lx", rdmsr(MSR_PAT));
}

/* Without "save PAT" the field keeps what L1 wrote. */
static void check_pat_not_saved(struct l2 *l2)
{
	guest_vmcs_write(VMCS_MSR_BITMAP, physical(msr_bitmap));
	guest_vmcs_write(VMCS_GUEST_IA32_PAT, PAT_OF_L2);
	l2_expect_end(l2);
	l2_expect_field(VMCS_GUEST_IA32_PAT, PAT_OF_L2);
}

static void code_efer(void)
{
	const u64 efer = rdmsr(MSR_EFER);

	wrmsr(MSR_EFER, efer & ~EFER_NXE);
	l2_vmcall(efer & EFER_NXE);
}

static void check_efer(struct l2 *l2)
{
	const u64 efer = rdmsr(MSR_EFER);

	guest_vmcs_write(VMCS_MSR_BITMAP, physical(msr_bitmap));
	guest_vmcs_write(VMCS_GUEST_IA32_EFER, efer | EFER_NXE);
	if (!l2_expect(l2, EXIT_VMCALL))
		return;
	l2_check(l2->regs.rax != 0, "L2 did not see EFER.NXE");
	l2_expect_field(VMCS_GUEST_IA32_EFER, efer & ~EFER_NXE);
	l2_check(rdmsr(MSR_EFER) == efer, "L1's EFER became %lx", rdmsr(MSR_EFER));
}

/* --- MSR lists ------------------------------------------------------------------------------- */

struct msr_entry {
	u32 index, reserved;
	u64 value;
};

static void code_msr_lists(void)
{
	const u64 value = rdmsr(MSR_LSTAR);

	wrmsr(MSR_LSTAR, 0x2222);
	l2_vmcall(value == 0x1111);
}

static void check_msr_lists(struct l2 *l2)
{
	struct msr_entry *entries = guest_pages(1);
	struct msr_entry *entry_load = entries, *exit_store = entries + 1, *exit_load = entries + 2;

	*entry_load = (struct msr_entry){ .index = MSR_LSTAR, .value = 0x1111 };
	*exit_store = (struct msr_entry){ .index = MSR_LSTAR };
	*exit_load = (struct msr_entry){ .index = MSR_LSTAR, .value = 0x3333 };
	guest_vmcs_write(VMCS_MSR_BITMAP, physical(msr_bitmap));
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, physical(entry_load));
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 1);
	guest_vmcs_write(VMCS_VM_EXIT_MSR_STORE_ADDRESS, physical(exit_store));
	guest_vmcs_write(VMCS_VM_EXIT_MSR_STORE_COUNT, 1);
	guest_vmcs_write(VMCS_VM_EXIT_MSR_LOAD_ADDRESS, physical(exit_load));
	guest_vmcs_write(VMCS_VM_EXIT_MSR_LOAD_COUNT, 1);
	l2_expect_end(l2);
	l2_check(exit_store->value == 0x2222, "stored %lx", exit_store->value);
	l2_check(rdmsr(MSR_LSTAR) == 0x3333, "L1's LSTAR is %lx", rdmsr(MSR_LSTAR));
}

static void code_nothing(void)
{
	l2_vmcall(true);
}

/* FS base may not be loaded by a list; the entry before it is in effect nevertheless. */
static void check_msr_load_fails(struct l2 *l2)
{
	struct msr_entry *list = guest_pages(1);

	list[0] = (struct msr_entry){ .index = MSR_LSTAR, .value = 0x4444 };
	list[1] = (struct msr_entry){ .index = MSR_FS_BASE, .value = 0 };
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, physical(list));
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 2);
	if (!l2_expect(l2, EXIT_MSR_LOADING | (u32)EXIT_REASON_ENTRY_FAILURE))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, 2);
	l2_check(rdmsr(MSR_LSTAR) == 0x4444, "LSTAR is %lx", rdmsr(MSR_LSTAR));
	/* The launch state is still clear. */
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 1);
	l2_expect_end(l2);
}

/* --- entries that fail ----------------------------------------------------------------------- */

static void expect_bad_state(struct l2 *l2, u32 field, u64 bad, u64 qualification)
{
	const u64 good = guest_vmcs_read(field);

	guest_vmcs_write(field, bad);
	if (!l2_expect(l2, EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, qualification);
	guest_vmcs_write(field, good);
}

static void check_bad_guest_state(struct l2 *l2)
{
	expect_bad_state(l2, VMCS_GUEST_RFLAGS, 0, 0);
	expect_bad_state(l2, VMCS_GUEST_CS_ACCESS_RIGHTS, 0x10000, 0);
	expect_bad_state(l2, VMCS_GUEST_CR0, guest_vmcs_read(VMCS_GUEST_CR0) & ~BIT(5), 0);
	expect_bad_state(l2, VMCS_GUEST_TR_SELECTOR, GUEST_TR | 4, 0);
	expect_bad_state(l2, VMCS_GUEST_ACTIVITY_STATE, 4, 0);
	expect_bad_state(l2, VMCS_VMCS_LINK_POINTER, 0x1001, 4);
	l2_expect_end(l2);
}

/* Guest state is checked first: of a list that is bad, too, nothing is in effect. */
static void check_bad_guest_state_and_msr(struct l2 *l2)
{
	struct msr_entry *list = guest_pages(1);

	wrmsr(MSR_LSTAR, 0x5555);
	list[0] = (struct msr_entry){ .index = MSR_LSTAR, .value = 0x6666 };
	list[1] = (struct msr_entry){ .index = MSR_GS_BASE, .value = 0 };
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, physical(list));
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 2);
	expect_bad_state(l2, VMCS_GUEST_RFLAGS, 0, 0);
	l2_check(rdmsr(MSR_LSTAR) == 0x5555, "LSTAR is %lx", rdmsr(MSR_LSTAR));
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 0);
	l2_expect_end(l2);
}

static void expect_vmfail(struct l2 *l2, u32 field, u64 bad, u32 error)
{
	const u64 good = guest_vmcs_read(field);
	enum vmx_outcome outcome;

	guest_vmcs_write(field, bad);
	outcome = l2_enter(l2);
	l2_check(outcome == VMX_FAIL_VALID && guest_vmcs_error() == error,
		 "field %x = %lx: %s, error %u instead of %u", field, bad,
		 vmx_outcome_text(outcome), guest_vmcs_error(), error);
	guest_vmcs_write(field, good);
}

static void check_bad_controls(struct l2 *l2)
{
	expect_vmfail(l2, VMCS_CR3_TARGET_COUNT, 5, VMERR_ENTRY_CONTROLS);
	expect_vmfail(l2, VMCS_PIN_BASED_CONTROLS, 0, VMERR_ENTRY_CONTROLS);
	expect_vmfail(l2, VMCS_VM_ENTRY_INTERRUPTION_INFO, 0x80000100, VMERR_ENTRY_CONTROLS);
	expect_vmfail(l2, VMCS_HOST_CS_SELECTOR, 0, VMERR_ENTRY_HOST_STATE);
	expect_vmfail(l2, VMCS_HOST_TR_SELECTOR, GUEST_TR | 3, VMERR_ENTRY_HOST_STATE);
	expect_vmfail(l2, VMCS_HOST_RIP, BIT(47), VMERR_ENTRY_HOST_STATE);
	expect_vmfail(l2, VMCS_HOST_CR4, guest_vmcs_read(VMCS_HOST_CR4) & ~CR4_VMXE,
		      VMERR_ENTRY_HOST_STATE);
	l2_expect_end(l2);
}

/* --- segments and debug registers ------------------------------------------------------------ */

static void code_segments(void)
{
	__asm__ volatile("mov %0, %%ds\n mov %0, %%es" : : "r"(0));
	wrmsr(MSR_FS_BASE, 0x123456789000);
	wrmsr(MSR_GS_BASE, 0x23456789a000);
	l2_vmcall(true);
}

static void check_segments(struct l2 *l2)
{
	u16 ds;

	guest_vmcs_write(VMCS_MSR_BITMAP, physical(msr_bitmap));
	l2_expect_end(l2);
	l2_expect_field(VMCS_GUEST_DS_SELECTOR, 0);
	l2_check(guest_vmcs_read(VMCS_GUEST_ES_ACCESS_RIGHTS) & BIT(16), "ES is usable");
	l2_expect_field(VMCS_GUEST_FS_BASE, 0x123456789000);
	l2_expect_field(VMCS_GUEST_GS_BASE, 0x23456789a000);
	__asm__ volatile("mov %%ds, %0" : "=r"(ds));
	l2_check(ds == GUEST_DS, "L1's DS is %x", ds);
	l2_check(rdmsr(MSR_FS_BASE) == 0, "L1's FS base is %lx", rdmsr(MSR_FS_BASE));
}

static void code_debug_registers(void)
{
	u64 dr7;

	__asm__ volatile("mov %%dr7, %0" : "=r"(dr7));
	__asm__ volatile("mov %0, %%dr7" : : "r"(0x402ull));
	l2_vmcall((dr7 & DR7_GE) != 0);
}

static void check_debug_registers(struct l2 *l2)
{
	u64 dr7;

	guest_vmcs_write(VMCS_GUEST_DR7, 0x400 | DR7_GE);
	l2_expect_end(l2);
	l2_expect_field(VMCS_GUEST_DR7, 0x402);
	__asm__ volatile("mov %%dr7, %0" : "=r"(dr7));
	l2_check(dr7 == 0x400, "L1's DR7 is %lx", dr7);
}

/* --- the virtual APIC ------------------------------------------------------------------------ */

#define VTPR		  0x80
#define APIC_PAGE	  0xfee00000ull
#define APIC_ID_REGISTER  0x20
#define APIC_VERSION	  0x30
#define APIC_ICR_LOW	  0x300
#define APIC_LINEAR_WRITE BIT(12)

static void code_tpr(void)
{
	u64 tpr;

	__asm__ volatile("mov %0, %%cr8" : : "r"(5ull));
	__asm__ volatile("mov %%cr8, %0" : "=r"(tpr));
	__asm__ volatile("mov %0, %%cr8" : : "r"(1ull));
	l2_vmcall(tpr == 5);
}

static void check_tpr(struct l2 *l2)
{
	u8 *page = guest_pages(1);

	page[VTPR] = 0x30;
	guest_vmcs_write(VMCS_VIRTUAL_APIC_ADDRESS, physical(page));
	guest_vmcs_write(VMCS_TPR_THRESHOLD, 2);
	/* 5 is above the threshold; 1 is below and exits behind the MOV. */
	if (!l2_expect(l2, EXIT_TPR_BELOW_THRESHOLD))
		return;
	l2_check(page[VTPR] == 0x10, "VTPR is %x", page[VTPR]);
	guest_vmcs_write(VMCS_TPR_THRESHOLD, 0);
	l2_expect_end(l2);
}

static void code_apic_access(void)
{
	const u32 id = *(volatile u32 *)(APIC_PAGE + APIC_ID_REGISTER);

	l2_vmcall(id == 0x77);
}

/* SDM: "Exit Qualification for APIC-Access VM Exits"; a linear read is type 0. */
static void check_apic_access(struct l2 *l2)
{
	guest_vmcs_write(VMCS_APIC_ACCESS_ADDRESS, APIC_PAGE);
	if (!l2_expect(l2, EXIT_APIC_ACCESS))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, APIC_ID_REGISTER);
}

static volatile u32 *apic_register(u32 offset)
{
	return (volatile u32 *)(APIC_PAGE + offset);
}

static void code_apic_registers(void)
{
	const u32 id = *apic_register(APIC_ID_REGISTER);

	*apic_register(APIC_ICR_LOW) = 0x44;
	*apic_register(APIC_VERSION) = 1;
	l2_vmcall(id == 0x77000000);
}

/* SDM: "Virtualizing APIC Accesses": reads come from the page, some writes exit behind it. */
static void check_apic_registers(struct l2 *l2)
{
	u32 *page = guest_pages(1);
	u64 rip;

	page[APIC_ID_REGISTER / sizeof(*page)] = 0x77000000;
	guest_vmcs_write(VMCS_APIC_ACCESS_ADDRESS, APIC_PAGE);
	guest_vmcs_write(VMCS_VIRTUAL_APIC_ADDRESS, physical(page));
	if (!l2_expect(l2, EXIT_APIC_WRITE))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, APIC_ICR_LOW);
	l2_check(page[APIC_ICR_LOW / sizeof(*page)] == 0x44, "ICR is %x",
		 page[APIC_ICR_LOW / sizeof(*page)]);
	rip = guest_vmcs_read(VMCS_GUEST_RIP);
	if (!l2_expect(l2, EXIT_APIC_ACCESS))
		return;
	l2_check(guest_vmcs_read(VMCS_GUEST_RIP) >= rip, "the write was made again");
	l2_expect_field(VMCS_EXIT_QUALIFICATION, APIC_VERSION | APIC_LINEAR_WRITE);
	l2_skip();
	l2_expect_end(l2);
}

const struct l2_case l1_l2_state_cases[] = {
	L2_CASE(pat, .options = { .primary = PRIMARY_MSR_BITMAPS,
				  .entry = PAT_LOAD,
				  .exit = PAT_SWITCH }),
	L2_CASE_OF(pat_not_saved, code_pat, check_pat_not_saved,
		   .options = { .primary = PRIMARY_MSR_BITMAPS,
				.entry = PAT_LOAD,
				.exit = EXIT_LOAD_PAT }),
	L2_CASE(efer, .options = { .primary = PRIMARY_MSR_BITMAPS,
				   .entry = ENTRY_LOAD_EFER,
				   .exit = EXIT_SAVE_EFER | EXIT_LOAD_EFER }),
	L2_CASE(msr_lists, .options.primary = PRIMARY_MSR_BITMAPS),
	L2_CASE_OF(msr_load_fails, code_nothing, check_msr_load_fails),
	L2_CASE_OF(bad_guest_state, code_nothing, check_bad_guest_state),
	L2_CASE_OF(bad_guest_state_and_msr, code_nothing, check_bad_guest_state_and_msr),
	L2_CASE_OF(bad_controls, code_nothing, check_bad_controls),
	L2_CASE(segments, .options.primary = PRIMARY_MSR_BITMAPS),
	L2_CASE(debug_registers, .options = { .entry = ENTRY_LOAD_DEBUG_CONTROLS,
					      .exit = EXIT_SAVE_DEBUG_CONTROLS }),
	L2_CASE(tpr, .options.primary = PRIMARY_TPR_SHADOW),
	L2_CASE(apic_registers, .options = { .primary = PRIMARY_TPR_SHADOW,
					     .secondary = SECONDARY_VIRTUALIZE_APIC_ACCESSES |
							  SECONDARY_APIC_REGISTER_VIRTUALIZATION }),
	L2_CASE(apic_access, .options.secondary = SECONDARY_VIRTUALIZE_APIC_ACCESSES),
};
const size_t l1_l2_state_count = ARRAY_SIZE(l1_l2_state_cases);
