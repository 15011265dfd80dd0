#include "tests/guests/l1_rules.h"

#include "tests/guests/lib/guest_paging.h"

#define TOGGLES	   50
#define WORK_EXITS 400 /* more than 16 for each time that a case leaves VMX operation */

/* --- tools ----------------------------------------------------------------------------------- */

static void want(enum vmx_outcome outcome, enum vmx_outcome expected, const char *what)
{
	guest_check(outcome == expected, "%s: %s instead of %s", what, vmx_outcome_text(outcome),
		    vmx_outcome_text(expected));
}

static void want_error(enum vmx_outcome outcome, u32 error, const char *what)
{
	want(outcome, VMX_FAIL_VALID, what);
	guest_check(guest_vmcs_error() == error, "%s: error %u instead of %u", what,
		    guest_vmcs_error(), error);
}

static void clear(const void *region)
{
	want(vmclear(physical(region)), VMX_SUCCEED, "VMCLEAR");
}

/* Never returns to its caller in L2, so that it can be entered any number of times. */
static void l2_code(void)
{
	for (;;)
		l2_vmcall(0);
}

static void run_once(struct l2 *l2)
{
	guest_check(l2_run(l2) == EXIT_VMCALL, "exit %lx", guest_vmcs_read(VMCS_EXIT_REASON));
	l2_skip();
}

static void create(struct l2 *l2)
{
	const struct l2_options options = { 0 };

	*l2 = (struct l2){ 0 };
	l2_create(l2, l2_code, &options);
}

/* --- L1.vmptrld-no-vmclear ------------------------------------------------------------------- */

static void vmptrld_no_vmclear(void)
{
	const void *region = guest_region();

	want(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	clear(region);
}

/* Works where the launch state is what memory held. */
static void vmptrld_no_vmclear_run(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2;

	l2_allocate(&l2);
	want(vmptrld(physical(l2.region)), VMX_SUCCEED, "VMPTRLD");
	l2_fill(&l2, l2_code, &options);
	run_once(&l2);
	clear(l2.region);
}

static void vmptrld_cleared(void)
{
	const void *region = guest_region();

	clear(region);
	want(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	clear(region);
}

/* One VMCLEAR is enough for any number of VMPTRLDs. */
static void vmptrld_switching(void)
{
	const void *a = guest_region(), *b = guest_region();

	clear(a);
	clear(b);
	for (unsigned i = 0; i < 3; i++) {
		want(vmptrld(physical(a)), VMX_SUCCEED, "VMPTRLD");
		want(vmptrld(physical(b)), VMX_SUCCEED, "VMPTRLD");
	}
	clear(a);
	clear(b);
}

/* A VMPTRLD that fails makes nothing current. */
static void vmptrld_failing(void)
{
	u32 *region = guest_pages(1); /* no revision identifier */

	want(vmptrld(physical(region)), VMX_FAIL_INVALID, "VMPTRLD");
	clear(region);
}

/* --- L1.vmxoff-active-vmcs ------------------------------------------------------------------- */

static void vmxoff_active(void)
{
	const void *region = guest_region();

	clear(region);
	want(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	guest_vmx_on();
	clear(region);
}

/* A region stays active when another becomes current. */
static void vmxoff_active_not_current(void)
{
	const void *a = guest_region(), *b = guest_region();

	clear(a);
	clear(b);
	want(vmptrld(physical(a)), VMX_SUCCEED, "VMPTRLD");
	want(vmptrld(physical(b)), VMX_SUCCEED, "VMPTRLD");
	clear(b);
	want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	guest_vmx_on();
	clear(a);
}

/* What was active at VMXOFF is as good as never cleared. */
static void vmxoff_and_vmptrld(void)
{
	const void *region = guest_region();

	clear(region);
	want(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	guest_vmx_on();
	want(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	clear(region);
}

static void vmxoff_cleared(void)
{
	const void *a = guest_region(), *b = guest_region();

	clear(a);
	clear(b);
	want(vmptrld(physical(a)), VMX_SUCCEED, "VMPTRLD");
	want(vmptrld(physical(b)), VMX_SUCCEED, "VMPTRLD");
	clear(a);
	clear(b);
	want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	guest_vmx_on();
}

/* --- L1.launch-state ------------------------------------------------------------------------- */

static void launch_twice(void)
{
	struct l2 l2;

	create(&l2);
	run_once(&l2);
	l2.launched = false; /* makes l2_enter() use VMLAUNCH */
	want_error(l2_enter(&l2), VMERR_VMLAUNCH_NOT_CLEAR, "VMLAUNCH");
	clear(l2.region);
}

static void resume_clear(void)
{
	struct l2 l2;

	create(&l2);
	l2.launched = true; /* makes l2_enter() use VMRESUME */
	want_error(l2_enter(&l2), VMERR_VMRESUME_NOT_LAUNCHED, "VMRESUME");
	clear(l2.region);
}

/* VMCLEAR makes it clear again, whatever the region is called. */
static void launch_resume_launch(void)
{
	struct l2 l2;

	create(&l2);
	run_once(&l2);
	run_once(&l2);
	guest_vmcs_load(l2.region);
	l2.launched = false;
	run_once(&l2);
	clear(l2.region);
}

/* An entry that fails while it loads state leaves the launch state clear. */
static void launch_after_bad_state(void)
{
	struct l2 l2;
	u64 rflags;

	create(&l2);
	rflags = guest_vmcs_read(VMCS_GUEST_RFLAGS);
	guest_vmcs_write(VMCS_GUEST_RFLAGS, 0);
	guest_check(l2_run(&l2) == (EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE),
		    "exit %lx", guest_vmcs_read(VMCS_EXIT_REASON));
	guest_vmcs_write(VMCS_GUEST_RFLAGS, rflags);
	run_once(&l2);
	clear(l2.region);
}

/* --- L1.fail-ignored ------------------------------------------------------------------------- */

static void fail_valid_ignored(void)
{
	const void *region = guest_region();

	guest_vmcs_load(region);
	want(vmptrld(physical(region) + 8), VMX_FAIL_VALID, "VMPTRLD");
	want(vmwrite(VMCS_GUEST_RIP, 0x1000), VMX_SUCCEED, "VMWRITE");
	clear(region);
}

static void fail_invalid_ignored(void)
{
	const void *region = guest_region();

	clear(region);
	want(vmwrite(VMCS_GUEST_RIP, 0x1000), VMX_FAIL_INVALID, "VMWRITE");
	want(vmptrld(physical(region)), VMX_SUCCEED, "VMPTRLD");
	clear(region);
}

/* Looks for a field that no processor has. */
static void fail_probe(void)
{
	const void *region = guest_region();
	u64 value = 0;

	guest_vmcs_load(region);
	want(vmread(0x7ffe, &value), VMX_FAIL_VALID, "VMREAD");
	want(vmread(VMCS_GUEST_RIP, &value), VMX_SUCCEED, "VMREAD");
	clear(region);
}

static void fail_error_read(void)
{
	const void *region = guest_region();

	guest_vmcs_load(region);
	want_error(vmptrld(physical(region) + 8), VMERR_VMPTRLD_ADDRESS, "VMPTRLD");
	want(vmwrite(VMCS_GUEST_RIP, 0x1000), VMX_SUCCEED, "VMWRITE");
	clear(region);
}

static void fail_cleaned_up(void)
{
	const void *region = guest_region();

	guest_vmcs_load(region);
	want(vmwrite(0x7ffe, 0), VMX_FAIL_VALID, "VMWRITE");
	clear(region);
}

/* --- SUR.vmxon-in-root ----------------------------------------------------------------------- */

static void vmxon_in_root(void)
{
	want(vmxon(physical(guest_region())), VMX_FAIL_INVALID, "VMXON");
	clear(guest_region());
}

static void vmxon_in_root_current(void)
{
	const void *region = guest_region();

	guest_vmcs_load(region);
	want_error(vmxon(physical(guest_region())), VMERR_VMXON_IN_ROOT, "VMXON");
	clear(region);
}

static void vmxon_after_vmxoff(void)
{
	want(vmxoff(), VMX_SUCCEED, "VMXOFF");
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

	want(vmxoff(), VMX_SUCCEED, "VMXOFF");
	write_cr4(read_cr4() & ~CR4_VMXE);
	guest_check(!guest_try(do_vmxon, guest_region(), &fault), "VMXON did not fault");
	write_cr4(read_cr4() | CR4_VMXE);
	guest_vmx_on();
}

/* --- L1.ctl-must-be-0, L1.ctl-must-be-1 ------------------------------------------------------ */

static u32 control_field(enum vmx_word word)
{
	return vmcs_fields[vmx_control_words[word].field].encoding;
}

/* Enters with @word as the sum of what is there and @set, without @reset: error 7. */
static void enter_with(enum vmx_word word, u64 set, u64 reset)
{
	const u32 field = control_field(word);
	const u64 secondary = word == VMX_WORD_SECONDARY ? SECONDARY_WBINVD_EXITING : 0;
	const struct l2_options options = { .secondary = secondary };
	struct l2 l2 = { 0 };

	l2_create(&l2, l2_code, &options);
	guest_vmcs_write(field, (guest_vmcs_read(field) | set) & ~reset);
	want_error(l2_enter(&l2), VMERR_ENTRY_CONTROLS, "VM entry");
	clear(l2.region);
}

static u64 lowest_bit(u64 bits)
{
	return bits & -bits;
}

static void must_be_0(enum vmx_word word)
{
	enter_with(word, lowest_bit(~vmx_caps_may_be_1(&guest_caps, word)), 0);
}

static void must_be_1(enum vmx_word word)
{
	enter_with(word, 0, lowest_bit(vmx_caps_must_be_1(&guest_caps, word)));
}

#define CONTROL_CASES(name, WORD)           \
	static void must_be_0_##name(void)  \
	{                                   \
		must_be_0(VMX_WORD_##WORD); \
	}                                   \
	static void must_be_1_##name(void)  \
	{                                   \
		must_be_1(VMX_WORD_##WORD); \
	}

CONTROL_CASES(pin, PIN)
CONTROL_CASES(primary, PRIMARY)
CONTROL_CASES(exit, EXIT)
CONTROL_CASES(entry, ENTRY)

/* The secondary controls have no bit that must be 1. */
static void must_be_0_secondary(void)
{
	must_be_0(VMX_WORD_SECONDARY);
}

/* A word that is not active may hold anything. */
static void secondary_inactive(void)
{
	struct l2 l2;

	create(&l2);
	guest_vmcs_write(VMCS_SECONDARY_PROC_BASED_CONTROLS, 0xffffffff);
	run_once(&l2);
	clear(l2.region);
}

/* Bits that only the older capability MSRs want to be 1. */
static void default1_cleared(void)
{
	const u64 relaxed = ENTRY_LOAD_DEBUG_CONTROLS;
	struct l2 l2;

	create(&l2);
	guest_vmcs_write(VMCS_VM_ENTRY_CONTROLS,
			 guest_vmcs_read(VMCS_VM_ENTRY_CONTROLS) & ~relaxed);
	run_once(&l2);
	clear(l2.region);
}

/* --- L1.dependent-field-unset ---------------------------------------------------------------- */

/* Regions are pages of zeros here, so what was never written reads as 0. */
static void msr_bitmap_unset(void)
{
	const struct l2_options options = { .primary = PRIMARY_MSR_BITMAPS };
	struct l2 l2 = { 0 };

	l2_create(&l2, l2_code, &options);
	run_once(&l2);
	clear(l2.region);
}

static void tsc_offset_unset(void)
{
	const struct l2_options options = { .primary = PRIMARY_TSC_OFFSETTING };
	struct l2 l2 = { 0 };

	l2_create(&l2, l2_code, &options);
	run_once(&l2);
	clear(l2.region);
}

static void ept_pointer_unset(void)
{
	const struct l2_options options = { .secondary = SECONDARY_EPT };
	struct l2 l2 = { 0 };

	l2_create(&l2, l2_code, &options);
	want_error(l2_enter(&l2), VMERR_ENTRY_CONTROLS, "VM entry");
	clear(l2.region);
}

/* 0 is a value. */
static void io_bitmaps_at_0(void)
{
	const struct l2_options options = { .primary = PRIMARY_IO_BITMAPS };
	struct l2 l2 = { 0 };

	l2_create(&l2, l2_code, &options);
	guest_vmcs_write(VMCS_IO_BITMAP_A, 0);
	guest_vmcs_write(VMCS_IO_BITMAP_B, 0);
	run_once(&l2);
	clear(l2.region);
}

/* Nobody asks for the field of a control that is off again at the entry. */
static void tpr_shadow_off_again(void)
{
	const struct l2_options options = { .primary = PRIMARY_TPR_SHADOW };
	struct l2 l2 = { 0 };

	l2_create(&l2, l2_code, &options);
	guest_vmcs_write(VMCS_PRIMARY_PROC_BASED_CONTROLS,
			 guest_vmcs_read(VMCS_PRIMARY_PROC_BASED_CONTROLS) &
				 ~(u64)PRIMARY_TPR_SHADOW);
	run_once(&l2);
	clear(l2.region);
}

/* --- SUR.vmx-toggle -------------------------------------------------------------------------- */

static void vmx_toggle(void)
{
	for (unsigned i = 0; i < TOGGLES; i++) {
		write_cr4(read_cr4() | CR4_VMXE);
		guest_vmx_on();
		guest_vmx_off();
		write_cr4(read_cr4() & ~CR4_VMXE);
	}
}

/* With as much work as this, the sessions of the cases above are no toggling. */
static void vmx_work(void)
{
	struct l2 l2;

	create(&l2);
	for (unsigned i = 0; i < WORK_EXITS; i++)
		run_once(&l2);
	clear(l2.region);
}

/* --- SUR.trace-end --------------------------------------------------------------------------- */

/* None of these comes back: whoever records has to end it. */

static void trace_end_halt(void)
{
	guest_vmx_off();
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void l2_spin(void)
{
	for (;;)
		__asm__ volatile("pause");
}

static void trace_end_no_exit(void)
{
	const struct l2_options options = { 0 };
	struct l2 l2 = { 0 };

	l2_create(&l2, l2_spin, &options);
	l2_run(&l2);
}

/* L1 does not move RIP past the instruction that exits. */
static void trace_end_livelock(void)
{
	struct l2 l2;

	create(&l2);
	for (;;)
		l2_run(&l2);
}

#define CASE(name_, ...)                                  \
	{                                                 \
		.name = #name_, .run = name_, __VA_ARGS__ \
	}

const struct rule_case l1_rules_cases[] = {
	CASE(vmptrld_no_vmclear),
	CASE(vmptrld_no_vmclear_run),
	CASE(vmptrld_cleared),
	CASE(vmptrld_switching),
	CASE(vmptrld_failing),
	CASE(vmxoff_active),
	CASE(vmxoff_active_not_current),
	CASE(vmxoff_and_vmptrld),
	CASE(vmxoff_cleared),
	CASE(launch_twice),
	CASE(resume_clear),
	CASE(launch_resume_launch),
	CASE(launch_after_bad_state),
	CASE(fail_valid_ignored),
	CASE(fail_invalid_ignored),
	CASE(fail_probe),
	CASE(fail_error_read),
	CASE(fail_cleaned_up),
	CASE(vmxon_in_root),
	CASE(vmxon_in_root_current),
	CASE(vmxon_after_vmxoff),
	CASE(vmxon_fault),
	CASE(must_be_0_pin),
	CASE(must_be_0_primary),
	CASE(must_be_0_secondary),
	CASE(must_be_0_exit),
	CASE(must_be_0_entry),
	CASE(must_be_1_pin),
	CASE(must_be_1_primary),
	CASE(must_be_1_exit),
	CASE(must_be_1_entry),
	CASE(secondary_inactive),
	CASE(default1_cleared),
	CASE(msr_bitmap_unset),
	CASE(tsc_offset_unset),
	CASE(ept_pointer_unset),
	CASE(io_bitmaps_at_0),
	CASE(tpr_shadow_off_again),
	CASE(vmx_work),
	CASE(vmx_toggle, .alone = true, .outside = true),
	CASE(trace_end_halt, .alone = true),
	CASE(trace_end_no_exit, .alone = true),
	CASE(trace_end_livelock, .alone = true),
};
const size_t l1_rules_count = ARRAY_SIZE(l1_rules_cases);
