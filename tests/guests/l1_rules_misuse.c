#include "tests/guests/l1_rules.h"

#define CR0_NE	     BIT(5)
#define CR0_AM	     BIT(18)
#define LIST_MAX     (512 * (CAP_GET(guest_caps.msr[VMX_CAP_MISC], MSR_LIST_SIZE) + 1))
#define SYSENTER_CS  0x174
#define VMCS_MIDDLE  512 /* offset of fields in a region */
#define VMCS_SOME    512 /* bytes of them */
#define RULES_REASON (~(u32)EXIT_REASON_ENTRY_FAILURE)

/* --- L1.vmxon-bad-cr ------------------------------------------------------------------------- */

static void do_vmxon(void *region)
{
	vmxon(physical(region));
}

static void vmxon_bad_cr0(void)
{
	struct guest_fault fault;

	rules_work();
	rules_want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	write_cr0(read_cr0() & ~CR0_NE);
	guest_check(!guest_try(do_vmxon, guest_region(), &fault), "VMXON did not fault");
	guest_check(fault.vector == 13, "vector %u", fault.vector);
	write_cr0(read_cr0() | CR0_NE);
	guest_vmx_on();
}

/* A bit that VMX operation leaves to software. */
static void vmxon_other_cr0(void)
{
	rules_work();
	rules_want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	write_cr0(read_cr0() ^ CR0_AM);
	guest_vmx_on();
	write_cr0(read_cr0() ^ CR0_AM);
}

/* --- L1.vmcs-plain-access -------------------------------------------------------------------- */

static void vmcs_stored_active(void)
{
	u8 *const region = guest_region();

	guest_vmcs_load(region);
	memset(region + VMCS_MIDDLE, 0x5a, VMCS_SOME);
	rules_clear(region);
}

/* What is not active is memory. */
static void vmcs_stored_inactive(void)
{
	u8 *const region = guest_region();

	guest_vmcs_load(region);
	rules_clear(region);
	memset(region + VMCS_MIDDLE, 0x5a, VMCS_SOME);
	guest_vmcs_load(region);
	rules_clear(region);
}

/* --- L1.msr-list-over-max -------------------------------------------------------------------- */

/* Enters with a VM-entry list of @count entries; returns the exit reason. */
static u32 enter_with_list(u64 count)
{
	struct msr_entry {
		u32 index, reserved;
		u64 value;
	} *const list = guest_pages((count * sizeof(*list) + PAGE_SIZE - 1) / PAGE_SIZE);
	struct l2 l2;
	u32 reason;

	for (u64 i = 0; i < count; i++)
		list[i].index = SYSENTER_CS;
	rules_create(&l2);
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, physical(list));
	guest_vmcs_write(VMCS_VM_ENTRY_MSR_LOAD_COUNT, count);
	reason = l2_run(&l2);
	rules_clear(l2.region);
	return reason;
}

/* Undefined: some processors load it all, some fail the entry. */
static void msr_list_over_max(void)
{
	const u32 reason = enter_with_list(LIST_MAX + 1) & RULES_REASON;

	guest_check(reason == EXIT_VMCALL || reason == EXIT_MSR_LOADING, "exit %x", reason);
}

static void msr_list_at_max(void)
{
	const u32 reason = enter_with_list(LIST_MAX);

	guest_check(reason == EXIT_VMCALL, "exit %x", reason);
}

const struct rule_case l1_rules_misuse_cases[] = {
	RULE_CASE(vmxon_bad_cr0),      RULE_CASE(vmxon_other_cr0),
	RULE_CASE(vmcs_stored_active), RULE_CASE(vmcs_stored_inactive),
	RULE_CASE(msr_list_over_max),  RULE_CASE(msr_list_at_max),
};
const size_t l1_rules_misuse_count = ARRAY_SIZE(l1_rules_misuse_cases);
