#include "tests/guests/l1_rules.h"

/* --- L1.vmptrld-no-vmclear ------------------------------------------------------------------- */

static void vmptrld_no_vmclear(void)
{
	const void *region = guest_region();

	rules_want(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	rules_clear(region);
}

/* Works where the launch state is what memory held. */
static void vmptrld_no_vmclear_run(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	l2_allocate(&l2);
	rules_want(vmptrld(physical(l2.region)), VMX_SUCCEED, "VMPTRLD");
	l2_fill(&l2, rules_l2_code, &options);
	rules_run_once(&l2);
	rules_clear(l2.region);
}

static void vmptrld_cleared(void)
{
	const void *region = guest_region();

	rules_clear(region);
	rules_want(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	rules_clear(region);
}

/* One VMCLEAR is enough for any number of VMPTRLDs. */
static void vmptrld_switching(void)
{
	const void *a = guest_region(), *b = guest_region();

	rules_clear(a);
	rules_clear(b);
	for (unsigned i = 0; i < 3; i++) {
		rules_want(vmptrld(physical(a)), VMX_SUCCEED, "VMPTRLD");
		rules_want(vmptrld(physical(b)), VMX_SUCCEED, "VMPTRLD");
	}
	rules_clear(a);
	rules_clear(b);
}

/* A VMPTRLD that fails makes nothing current. */
static void vmptrld_failing(void)
{
	u32 *region = guest_pages(1); /* no revision identifier */

	rules_want(vmptrld(physical(region)), VMX_FAIL_INVALID, "VMPTRLD");
	rules_clear(region);
}

/* --- L1.vmxoff-active-vmcs ------------------------------------------------------------------- */

static void vmxoff_active(void)
{
	const void *region = guest_region();

	rules_work();
	rules_clear(region);
	rules_want(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	rules_want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	guest_vmx_on();
	rules_clear(region);
}

/* A region stays active when another becomes current. */
static void vmxoff_active_not_current(void)
{
	const void *a = guest_region(), *b = guest_region();

	rules_work();
	rules_clear(a);
	rules_clear(b);
	rules_want(vmptrld(physical(a)), VMX_SUCCEED, "VMPTRLD");
	rules_want(vmptrld(physical(b)), VMX_SUCCEED, "VMPTRLD");
	rules_clear(b);
	rules_want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	guest_vmx_on();
	rules_clear(a);
}

/* What was active at VMXOFF is as good as never cleared. */
static void vmxoff_and_vmptrld(void)
{
	const void *region = guest_region();

	rules_work();
	rules_clear(region);
	rules_want(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	rules_want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	guest_vmx_on();
	rules_want(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	rules_clear(region);
}

static void vmxoff_cleared(void)
{
	const void *a = guest_region(), *b = guest_region();

	rules_work();
	rules_clear(a);
	rules_clear(b);
	rules_want(vmptrld(physical(a)), VMX_SUCCEED, "VMPTRLD");
	rules_want(vmptrld(physical(b)), VMX_SUCCEED, "VMPTRLD");
	rules_clear(a);
	rules_clear(b);
	rules_want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	guest_vmx_on();
}

/* --- L1.launch-state ------------------------------------------------------------------------- */

static void launch_twice(void)
{
	struct l2 l2;

	rules_create(&l2);
	rules_run_once(&l2);
	l2.launched = false; /* makes l2_enter() use VMLAUNCH */
	rules_want_error(l2_enter(&l2), VMERR_VMLAUNCH_NOT_CLEAR, "VMLAUNCH");
	rules_clear(l2.region);
}

static void resume_clear(void)
{
	struct l2 l2;

	rules_create(&l2);
	l2.launched = true; /* makes l2_enter() use VMRESUME */
	rules_want_error(l2_enter(&l2), VMERR_VMRESUME_NOT_LAUNCHED, "VMRESUME");
	rules_clear(l2.region);
}

/* VMCLEAR makes it clear again, whatever the region is called. */
static void launch_resume_launch(void)
{
	struct l2 l2;

	rules_create(&l2);
	rules_run_once(&l2);
	rules_run_once(&l2);
	guest_vmcs_load(l2.region);
	l2.launched = false;
	rules_run_once(&l2);
	rules_clear(l2.region);
}

/* An entry that fails while it loads state leaves the launch state clear. */
static void launch_after_bad_state(void)
{
	struct l2 l2;
	u64 rflags;

	rules_create(&l2);
	rflags = guest_vmcs_read(VMCS_GUEST_RFLAGS);
	guest_vmcs_write(VMCS_GUEST_RFLAGS, 0);
	guest_check(l2_run(&l2) == (EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE),
		    "exit %lx", guest_vmcs_read(VMCS_EXIT_REASON));
	guest_vmcs_write(VMCS_GUEST_RFLAGS, rflags);
	rules_run_once(&l2);
	rules_clear(l2.region);
}

/* --- L1.fail-ignored ------------------------------------------------------------------------- */

static void fail_valid_ignored(void)
{
	const void *region = guest_region();

	guest_vmcs_load(region);
	rules_want(vmptrld(physical(region) + 8), VMX_FAIL_VALID, "VMPTRLD");
	rules_want(vmwrite(VMCS_GUEST_RIP, 0x1000), VMX_SUCCEED, "VMWRITE");
	rules_clear(region);
}

static void fail_invalid_ignored(void)
{
	const void *region = guest_region();

	rules_clear(region);
	rules_want(vmwrite(VMCS_GUEST_RIP, 0x1000), VMX_FAIL_INVALID, "VMWRITE");
	rules_want(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	rules_clear(region);
}

/* Looks for a field that no processor has. */
static void fail_probe(void)
{
	const void *region = guest_region();
	u64 value = 0;

	guest_vmcs_load(region);
	rules_want(vmread(0x7ffe, &value), VMX_FAIL_VALID, "VMREAD");
	rules_want(vmread(VMCS_GUEST_RIP, &value), VMX_SUCCEED, "VMREAD");
	rules_clear(region);
}

static void fail_error_read(void)
{
	const void *region = guest_region();

	guest_vmcs_load(region);
	rules_want_error(vmptrld(physical(region) + 8), VMERR_VMPTRLD_ADDRESS, "VMPTRLD");
	rules_want(vmwrite(VMCS_GUEST_RIP, 0x1000), VMX_SUCCEED, "VMWRITE");
	rules_clear(region);
}

static void fail_cleaned_up(void)
{
	const void *region = guest_region();

	guest_vmcs_load(region);
	rules_want(vmwrite(0x7ffe, 0), VMX_FAIL_VALID, "VMWRITE");
	rules_clear(region);
}

/* --- SUR.vmxon-in-root ----------------------------------------------------------------------- */

static void vmxon_in_root(void)
{
	rules_want(vmxon(physical(guest_region())), VMX_FAIL_INVALID, "VMXON");
	rules_clear(guest_region());
}

static void vmxon_in_root_current(void)
{
	const void *region = guest_region();

	guest_vmcs_load(region);
	rules_want_error(vmxon(physical(guest_region())), VMERR_VMXON_IN_ROOT, "VMXON");
	rules_clear(region);
}

static void vmxon_after_vmxoff(void)
{
	rules_work();
	rules_want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	guest_vmx_on();
}

static void do_vmxon(void *region)
{
	vmxon(physical(region));
}

/* A VMXON that faults is no VMXON. */
static void vmxon_fault(void)
{
	struct guest_fault fault;

	rules_work();
	rules_want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	write_cr4(read_cr4() & ~CR4_VMXE);
	guest_check(!guest_try(do_vmxon, guest_region(), &fault), "VMXON did not fault");
	write_cr4(read_cr4() | CR4_VMXE);
	guest_vmx_on();
}

const struct rule_case l1_rules_life_cases[] = {
	RULE_CASE(vmptrld_no_vmclear),
	RULE_CASE(vmptrld_no_vmclear_run),
	RULE_CASE(vmptrld_cleared),
	RULE_CASE(vmptrld_switching),
	RULE_CASE(vmptrld_failing),
	RULE_CASE(vmxoff_active),
	RULE_CASE(vmxoff_active_not_current),
	RULE_CASE(vmxoff_and_vmptrld),
	RULE_CASE(vmxoff_cleared),
	RULE_CASE(launch_twice),
	RULE_CASE(resume_clear),
	RULE_CASE(launch_resume_launch),
	RULE_CASE(launch_after_bad_state),
	RULE_CASE(fail_valid_ignored),
	RULE_CASE(fail_invalid_ignored),
	RULE_CASE(fail_probe),
	RULE_CASE(fail_error_read),
	RULE_CASE(fail_cleaned_up),
	RULE_CASE(vmxon_in_root),
	RULE_CASE(vmxon_in_root_current),
	RULE_CASE(vmxon_after_vmxoff),
	RULE_CASE(vmxon_fault),
};
const size_t l1_rules_life_count = ARRAY_SIZE(l1_rules_life_cases);
