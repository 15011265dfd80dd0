#include "tests/guests/l1_rules.h"
#include "tests/guests/lib/guest_paging.h"

#define CR4_PAE		 BIT(5)
#define RFLAGS_ONE	 BIT(1)
#define RFLAGS_IF	 BIT(9)
#define RIGHTS_CODE32	 0xc09b
#define BLOCKING_MOV_SS	 BIT(1)
#define SELECTOR_RPL_3	 0x2b
#define PDPTE_RESERVED	 BIT(1)
#define CR3_NO_FLUSH	 BIT(63)
#define MANY_CR3_TARGETS 5
#define VECTOR		 0x40
#define VMCALL_LENGTH	 3
#define EVENT_INTERRUPT	 (BIT(31) | VECTOR)
#define EVENT_NMI	 (BIT(31) | 2ull << 8 | 2)
#define EVENT_SOFTWARE	 (BIT(31) | 4ull << 8 | VECTOR)
#define MSR_FAILED	 (EXIT_MSR_LOADING | (u32)EXIT_REASON_ENTRY_FAILURE)
#define BAD_STATE	 (EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE)

/* An entry that fails for the guest state, with @qualification. */
static void want_bad_state(struct l2 *l2, u64 qualification)
{
	const u32 reason = l2_run(l2);

	guest_check(reason == BAD_STATE, "exit %x", reason);
	guest_check(guest_vmcs_read(VMCS_EXIT_QUALIFICATION) == qualification, "qualification %lx",
		    guest_vmcs_read(VMCS_EXIT_QUALIFICATION));
	rules_clear(l2->region);
}

static void want_run(struct l2 *l2)
{
	rules_run_once(l2);
	rules_clear(l2->region);
}

/* --- L1.host-state, L1.entry-controls, L1.vpid-zero ------------------------------------------ */

static void host_selector_rpl(void)
{
	struct l2 l2;

	rules_create(&l2);
	guest_vmcs_write(VMCS_HOST_ES_SELECTOR, SELECTOR_RPL_3);
	rules_want_error(l2_enter(&l2), VMERR_ENTRY_HOST_STATE, "VM entry");
	rules_clear(l2.region);
}

static void host_selector_null(void)
{
	struct l2 l2;

	rules_create(&l2);
	guest_vmcs_write(VMCS_HOST_ES_SELECTOR, 0);
	want_run(&l2);
}

static void cr3_targets_many(void)
{
	struct l2 l2;

	rules_create(&l2);
	guest_vmcs_write(VMCS_CR3_TARGET_COUNT, MANY_CR3_TARGETS);
	rules_want_error(l2_enter(&l2), VMERR_ENTRY_CONTROLS, "VM entry");
	rules_clear(l2.region);
}

static void cr3_targets_all(void)
{
	struct l2 l2;

	rules_create(&l2);
	guest_vmcs_write(VMCS_CR3_TARGET_COUNT, CAP_GET(guest_caps.msr[VMX_CAP_MISC], CR3_TARGETS));
	want_run(&l2);
}

static void vpid_zero(void)
{
	const struct l2_options options = { .vpid = 1 };
	struct l2 l2 = { 0 };

	l2_create(&l2, rules_l2_code, &options);
	guest_vmcs_write(VMCS_VPID, 0);
	rules_want_error(l2_enter(&l2), VMERR_ENTRY_CONTROLS, "VM entry");
	rules_clear(l2.region);
}

/* Nobody looks at the VPID while VPIDs are off. */
static void vpid_zero_off(void)
{
	struct l2 l2;

	rules_create(&l2);
	guest_vmcs_write(VMCS_VPID, 0);
	want_run(&l2);
}

/* --- L1.reinject-no-ilen, L1.inject-blocked -------------------------------------------------- */

static void no_interrupt(struct guest_trap_frame *frame)
{
	(void)frame;
}

/* Begins with the VMCALL that an injected interrupt may seem to come from. */
__asm__("	.pushsection .text\n"
	"l2_two_calls:\n"
	"	vmcall\n"
	"	vmcall\n"
	"	.popsection\n");
void l2_two_calls(void);

/* L2 gets, in front of a VMCALL, a software interrupt whose instruction has @length bytes. */
static void inject_software(u64 length)
{
	struct l2 l2;

	guest_set_interrupt(VECTOR, no_interrupt);
	rules_create(&l2);
	guest_vmcs_write(VMCS_GUEST_RIP, (uintptr_t)l2_two_calls);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_SOFTWARE);
	guest_vmcs_write(VMCS_VM_ENTRY_INSTRUCTION_LENGTH, length);
	if (!length && !(guest_caps.msr[VMX_CAP_MISC] & CAP_ZERO_LENGTH_INJECTION))
		rules_want_error(l2_enter(&l2), VMERR_ENTRY_CONTROLS, "VM entry");
	else
		rules_run_once(&l2);
	rules_clear(l2.region);
}

static void inject_no_length(void)
{
	inject_software(0);
}

/* RIP points at VMCALL, behind which the interrupt comes back. */
static void inject_with_length(void)
{
	inject_software(VMCALL_LENGTH);
}

static void inject_if_0(void)
{
	struct l2 l2;

	rules_create(&l2);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_INTERRUPT);
	want_bad_state(&l2, 0);
}

static void inject_if_1(void)
{
	struct l2 l2;

	/* No other interrupt is to come. */
	guest_apic_enable();
	guest_set_interrupt(VECTOR, no_interrupt);
	rules_create(&l2);
	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_ONE | RFLAGS_IF);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_INTERRUPT);
	want_run(&l2);
}

static void inject_nmi_mov_ss(void)
{
	struct l2 l2;

	rules_create(&l2);
	guest_vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, BLOCKING_MOV_SS);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_NMI);
	want_bad_state(&l2, 0);
}

/* The same bits without the valid bit inject nothing. */
static void inject_not_valid(void)
{
	struct l2 l2;

	rules_create(&l2);
	guest_vmcs_write(VMCS_VM_ENTRY_INTERRUPTION_INFO, EVENT_INTERRUPT & ~BIT(31));
	want_run(&l2);
}

/* --- L1.guest-cr3-width, L1.pdpte ------------------------------------------------------------ */

static void cr3_no_flush(void)
{
	struct l2 l2;

	rules_create(&l2);
	guest_vmcs_write(VMCS_GUEST_CR3, guest_vmcs_read(VMCS_GUEST_CR3) | CR3_NO_FLUSH);
	want_bad_state(&l2, 0);
}

/* Low bits, which are flags or a PCID, are no part of the address. */
static void cr3_low_bits(void)
{
	struct l2 l2;

	rules_create(&l2);
	guest_vmcs_write(VMCS_GUEST_CR3, guest_vmcs_read(VMCS_GUEST_CR3) | BIT(3));
	want_run(&l2);
}

/* An L2 in 32-bit mode with PAE paging and EPT, with @pdptes in the VMCS. */
static void create_pae(struct l2 *l2, const u64 *pdptes)
{
	const struct l2_options options = { .eptp = guest_ept_tables() | EPTP_WB | EPTP_LEVEL_4 };

	*l2 = (struct l2){ 0 };
	l2_create(l2, rules_l2_code, &options);
	guest_vmcs_write(VMCS_GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE32);
	guest_vmcs_write(VMCS_GUEST_CR3, physical(pdptes));
	guest_vmcs_write(VMCS_VM_ENTRY_CONTROLS,
			 guest_vmcs_read(VMCS_VM_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E_MODE_GUEST);
	for (unsigned i = 0; i < 4; i++)
		guest_vmcs_write(VMCS_GUEST_PDPTE0 + 2 * i, pdptes[i]);
}

/* The directories of L1's own page tables, for 4 GiB. */
static u64 *make_pdptes(void)
{
	u64 *const pdptes = guest_pages(1);
	const u64 *const pml4 = (const u64 *)(uintptr_t)guest_page_tables();
	const u64 *const pdpt = (const u64 *)(uintptr_t)(pml4[0] & MASK(51, 12));

	for (unsigned i = 0; i < 4; i++)
		pdptes[i] = (pdpt[i] & MASK(51, 12)) | PTE_PRESENT;
	return pdptes;
}

static void pdpte_reserved(void)
{
	u64 *const pdptes = make_pdptes();
	struct l2 l2;

	pdptes[3] |= PDPTE_RESERVED;
	create_pae(&l2, pdptes);
	want_bad_state(&l2, 2);
}

static void pdpte_absent(void)
{
	u64 *const none = guest_pages(1);
	struct l2 l2;
	u32 reason;

	create_pae(&l2, none);
	reason = l2_run(&l2);
	guest_check(reason == EXIT_TRIPLE_FAULT, "exit %x", reason);
	rules_clear(l2.region);
}

/* One that is not present may hold anything, and L2 may never need it. */
static void pdpte_unused(void)
{
	u64 *const pdptes = make_pdptes();
	struct l2 l2;

	pdptes[3] = PDPTE_RESERVED;
	create_pae(&l2, pdptes);
	want_run(&l2);
}

/* --- L1.msr-load-fault ----------------------------------------------------------------------- */

/* Enters with a list of two MSRs, whose second is @index. */
static u32 enter_with_msr(u32 index, u64 value)
{
	struct {
		u32 index, reserved;
		u64 value;
	} *const list = guest_pages(1);
	struct l2 l2;
	u32 reason;

	list[0].index = MSR_SYSENTER_CS;
	list[1].index = index;
	list[1].value = value;
	rules_create(&l2);
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, physical(list));
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 2);
	reason = l2_run(&l2);
	if (reason == MSR_FAILED)
		guest_check(guest_vmcs_read(VMCS_EXIT_QUALIFICATION) == 2, "qualification %lx",
			    guest_vmcs_read(VMCS_EXIT_QUALIFICATION));
	rules_clear(l2.region);
	return reason;
}

static void msr_load_fs_base(void)
{
	const u32 reason = enter_with_msr(MSR_FS_BASE, 0);

	guest_check(reason == MSR_FAILED, "exit %x", reason);
}

static void msr_load_kernel_gs_base(void)
{
	const u32 reason = enter_with_msr(MSR_KERNEL_GS_BASE, 0);

	guest_check(reason == EXIT_VMCALL, "exit %x", reason);
}

const struct rule_case l1_rules_state_cases[] = {
	RULE_CASE(host_selector_rpl),
	RULE_CASE(host_selector_null),
	RULE_CASE(cr3_targets_many),
	RULE_CASE(cr3_targets_all),
	RULE_CASE(vpid_zero),
	RULE_CASE(vpid_zero_off),
	RULE_CASE(inject_with_length),
	RULE_CASE(inject_if_0),
	RULE_CASE(inject_if_1),
	RULE_CASE(inject_nmi_mov_ss),
	RULE_CASE(inject_not_valid),
	RULE_CASE(cr3_no_flush),
	RULE_CASE(cr3_low_bits),
	RULE_CASE(pdpte_reserved),
	RULE_CASE(pdpte_absent),
	RULE_CASE(pdpte_unused),
	RULE_CASE(msr_load_fs_base),
	RULE_CASE(msr_load_kernel_gs_base),
	RULE_CASE(inject_no_length, .alone = true),
};
const size_t l1_rules_state_count = ARRAY_SIZE(l1_rules_state_cases);
