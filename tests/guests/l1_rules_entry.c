#include "tests/guests/l1_rules.h"

#define TOGGLES 50

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

	l2_create(&l2, rules_l2_code, &options);
	guest_vmcs_write(field, (guest_vmcs_read(field) | set) & ~reset);
	rules_want_error(l2_enter(&l2), VMERR_ENTRY_CONTROLS, "VM entry");
	rules_clear(l2.region);
}

static u64 lowest_bit(u64 bits)
{
	return bits & -bits;
}

/* Controls that want other controls and fields besides, about which there are rules as well. */
static u64 demanding(enum vmx_word word)
{
	return word == VMX_WORD_PIN	    ? PIN_POSTED_INTERRUPTS
	       : word == VMX_WORD_SECONDARY ? SECONDARY_VIRTUAL_INTERRUPT_DELIVERY
					    : 0;
}

static void must_be_0(enum vmx_word word)
{
	const u64 allowed = vmx_caps_may_be_1(&guest_caps, word);

	enter_with(word, lowest_bit(~(allowed | demanding(word))), 0);
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

	rules_create(&l2);
	guest_vmcs_write(VMCS_SECONDARY_PROC_BASED_CONTROLS, 0xffffffff);
	rules_run_once(&l2);
	rules_clear(l2.region);
}

/* Bits that only the older capability MSRs want to be 1. */
static void default1_cleared(void)
{
	const u64 relaxed = ENTRY_LOAD_DEBUG_CONTROLS;
	struct l2 l2;

	rules_create(&l2);
	guest_vmcs_write(VMCS_VM_ENTRY_CONTROLS,
			 guest_vmcs_read(VMCS_VM_ENTRY_CONTROLS) & ~relaxed);
	rules_run_once(&l2);
	rules_clear(l2.region);
}

/* --- L1.dependent-field-unset ---------------------------------------------------------------- */

/* Regions are pages of zeros here, so what was never written reads as 0. */
static void msr_bitmap_unset(void)
{
	const struct l2_options options = { .primary = PRIMARY_MSR_BITMAPS };
	struct l2 l2 = { 0 };

	l2_create(&l2, rules_l2_code, &options);
	rules_run_once(&l2);
	rules_clear(l2.region);
}

static void tsc_offset_unset(void)
{
	const struct l2_options options = { .primary = PRIMARY_TSC_OFFSETTING };
	struct l2 l2 = { 0 };

	l2_create(&l2, rules_l2_code, &options);
	rules_run_once(&l2);
	rules_clear(l2.region);
}

static void ept_pointer_unset(void)
{
	const struct l2_options options = { .secondary = SECONDARY_EPT };
	struct l2 l2 = { 0 };

	l2_create(&l2, rules_l2_code, &options);
	rules_want_error(l2_enter(&l2), VMERR_ENTRY_CONTROLS, "VM entry");
	rules_clear(l2.region);
}

/* 0 is a value. */
static void io_bitmaps_at_0(void)
{
	const struct l2_options options = { .primary = PRIMARY_IO_BITMAPS };
	struct l2 l2 = { 0 };

	l2_create(&l2, rules_l2_code, &options);
	guest_vmcs_write(VMCS_IO_BITMAP_A, 0);
	guest_vmcs_write(VMCS_IO_BITMAP_B, 0);
	rules_run_once(&l2);
	rules_clear(l2.region);
}

/* Nobody asks for the field of a control that is off again at the entry. */
static void tpr_shadow_off_again(void)
{
	const struct l2_options options = { .primary = PRIMARY_TPR_SHADOW };
	struct l2 l2 = { 0 };

	l2_create(&l2, rules_l2_code, &options);
	guest_vmcs_write(VMCS_PRIMARY_PROC_BASED_CONTROLS,
			 guest_vmcs_read(VMCS_PRIMARY_PROC_BASED_CONTROLS) &
				 ~(u64)PRIMARY_TPR_SHADOW);
	rules_run_once(&l2);
	rules_clear(l2.region);
}

/* --- SUR.vmx-toggle -------------------------------------------------------------------------- */

static void vmx_toggle(void)
{
	struct l2 l2;

	/* One entry, lest it looks as if L1 gave up for want of a capability. */
	guest_vmx_on();
	rules_create(&l2);
	rules_run_once(&l2);
	rules_clear(l2.region);
	guest_vmx_off();
	for (unsigned i = 0; i < TOGGLES; i++) {
		write_cr4(read_cr4() | CR4_VMXE);
		guest_vmx_on();
		guest_vmx_off();
		write_cr4(read_cr4() & ~CR4_VMXE);
	}
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

	rules_create(&l2);
	for (;;)
		l2_run(&l2);
}

const struct rule_case l1_rules_entry_cases[] = {
	RULE_CASE(must_be_0_pin),
	RULE_CASE(must_be_0_primary),
	RULE_CASE(must_be_0_secondary),
	RULE_CASE(must_be_0_exit),
	RULE_CASE(must_be_0_entry),
	RULE_CASE(must_be_1_pin),
	RULE_CASE(must_be_1_primary),
	RULE_CASE(must_be_1_exit),
	RULE_CASE(must_be_1_entry),
	RULE_CASE(secondary_inactive),
	RULE_CASE(default1_cleared),
	RULE_CASE(msr_bitmap_unset),
	RULE_CASE(tsc_offset_unset),
	RULE_CASE(ept_pointer_unset),
	RULE_CASE(io_bitmaps_at_0),
	RULE_CASE(tpr_shadow_off_again),
	RULE_CASE(vmx_toggle, .alone = true, .outside = true),
	RULE_CASE(trace_end_halt, .alone = true),
	RULE_CASE(trace_end_no_exit, .alone = true),
	RULE_CASE(trace_end_livelock, .alone = true),
};
const size_t l1_rules_entry_count = ARRAY_SIZE(l1_rules_entry_cases);
