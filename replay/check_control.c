/*
 * replay/check_control.c - the checks before those of the VMCS's contents, and those on the
 * VM-execution controls. SDM: "Basic VM-Entry Checks", "Checks on VM-Execution Control Fields"
 */
#include "replay/check_predicate.h"
#include "trace/event.h"

/* --- Before the contents of the VMCS ---------------------------------------------------------- */

PREDICATE(ENTRY_VMCS_CURRENT)
{
	const struct word current = get_state(c, CHECK_STATE_CURRENT);

	need(c, tri_not(word_is(current, ~0ull)), L1(CURRENT), ~0ull, 0);
}

PREDICATE(ENTRY_VMCS_ORDINARY)
{
	const u64 shadow = BIT(31);

	need(c, tri_not(state_any(c, CHECK_STATE_REVISION, shadow)), L1(REVISION), shadow, 0);
}

PREDICATE(ENTRY_MOV_SS)
{
	const u64 blocking = BIT(MODE_MOV_SS);

	need(c, tri_not(state_any(c, CHECK_STATE_MODE, blocking)), L1(MODE), blocking, 0);
}

PREDICATE(ENTRY_LAUNCH_CLEAR)
{
	when(c, tri_not(state_any(c, CHECK_STATE_LAUNCH, CHECK_RESUME)), L1(LAUNCH), CHECK_RESUME,
	     0);
	need(c, tri_not(state_any(c, CHECK_STATE_LAUNCH, CHECK_LAUNCHED)), L1(LAUNCH),
	     CHECK_LAUNCHED, 0);
}

PREDICATE(ENTRY_RESUME_LAUNCHED)
{
	when(c, state_any(c, CHECK_STATE_LAUNCH, CHECK_RESUME), L1(LAUNCH), CHECK_RESUME,
	     CHECK_RESUME);
	need(c, state_any(c, CHECK_STATE_LAUNCH, CHECK_LAUNCHED), L1(LAUNCH), CHECK_LAUNCHED,
	     CHECK_LAUNCHED);
}

/* --- The words themselves --------------------------------------------------------------------- */

PREDICATE(PIN_ALLOWED)
{
	need_allowed(c, VMX_WORD_PIN);
}

PREDICATE(PRIMARY_ALLOWED)
{
	need_allowed(c, VMX_WORD_PRIMARY);
}

PREDICATE(SECONDARY_ALLOWED)
{
	when_on(c, CTL(PRIMARY, SECONDARY_CONTROLS));
	need_allowed(c, VMX_WORD_SECONDARY);
}

PREDICATE(TERTIARY_ALLOWED)
{
	when_on(c, CTL(PRIMARY, TERTIARY_CONTROLS));
	need_allowed(c, VMX_WORD_TERTIARY);
}

PREDICATE(CR3_TARGET_COUNT)
{
	const struct word misc = get_cap(c, VMX_CAP_MISC);

	need(c, word_at_most(get_field(c, F(CR3_TARGET_COUNT)), word_bits(misc, 24, 16)),
	     F(CR3_TARGET_COUNT), MASK(31, 0), CAP_GET(misc.value, CR3_TARGETS));
}

/* --- Bitmaps ---------------------------------------------------------------------------------- */

PREDICATE(IO_BITMAPS)
{
	when_on(c, CTL(PRIMARY, IO_BITMAPS));
	need_address(c, F(IO_BITMAP_A), PAGE_OFFSET);
	need_address(c, F(IO_BITMAP_B), PAGE_OFFSET);
}

PREDICATE(MSR_BITMAPS)
{
	when_on(c, CTL(PRIMARY, MSR_BITMAPS));
	need_address(c, F(MSR_BITMAP), PAGE_OFFSET);
}

/* --- Virtual APIC ----------------------------------------------------------------------------- */

PREDICATE(VIRTUAL_APIC_ADDRESS)
{
	when_on(c, CTL(PRIMARY, TPR_SHADOW));
	need_address(c, F(VIRTUAL_APIC_ADDRESS), PAGE_OFFSET);
}

PREDICATE(TPR_THRESHOLD_RESERVED)
{
	when_on(c, CTL(PRIMARY, TPR_SHADOW));
	when_off(c, CTL(SECONDARY, VIRTUAL_INTERRUPT_DELIVERY));
	need_zero(c, F(TPR_THRESHOLD), MASK(31, 4));
}

PREDICATE(TPR_THRESHOLD_VTPR)
{
	const u64 vtpr_offset = 0x80;
	struct word page, vtpr, threshold;

	when_on(c, CTL(PRIMARY, TPR_SHADOW));
	when_off(c, CTL(SECONDARY, VIRTUAL_INTERRUPT_DELIVERY));
	when_off(c, CTL(SECONDARY, VIRTUALIZE_APIC_ACCESSES));
	page = get_field(c, F(VIRTUAL_APIC_ADDRESS));
	vtpr = get_memory(c, word_or(page, vtpr_offset), 1);
	threshold = field_bits(c, F(TPR_THRESHOLD), 3, 0);
	need(c, word_at_most(threshold, word_bits(vtpr, 7, 4)), F(TPR_THRESHOLD), MASK(3, 0),
	     vtpr.value >> 4);
}

PREDICATE(APIC_NEEDS_TPR_SHADOW)
{
	when_off(c, CTL(PRIMARY, TPR_SHADOW));
	need_off(c, CTL(SECONDARY, VIRTUALIZE_X2APIC_MODE));
	need_off(c, CTL(SECONDARY, APIC_REGISTER_VIRTUALIZATION));
	need_off(c, CTL(SECONDARY, VIRTUAL_INTERRUPT_DELIVERY));
}

PREDICATE(IPI_NEEDS_TPR_SHADOW)
{
	when_off(c, CTL(PRIMARY, TPR_SHADOW));
	need_off(c, CTL(TERTIARY, IPI_VIRTUALIZATION));
}

PREDICATE(APIC_ACCESS_ADDRESS)
{
	when_on(c, CTL(SECONDARY, VIRTUALIZE_APIC_ACCESSES));
	need_address(c, F(APIC_ACCESS_ADDRESS), PAGE_OFFSET);
}

PREDICATE(X2APIC_OR_APIC_ACCESSES)
{
	when_on(c, CTL(SECONDARY, VIRTUALIZE_X2APIC_MODE));
	need_off(c, CTL(SECONDARY, VIRTUALIZE_APIC_ACCESSES));
}

PREDICATE(VID_EXTERNAL_INTERRUPTS)
{
	when_on(c, CTL(SECONDARY, VIRTUAL_INTERRUPT_DELIVERY));
	need_on(c, CTL(PIN, EXTERNAL_INTERRUPT_EXITING));
}

PREDICATE(POSTED_INTERRUPTS_NEED)
{
	when_on(c, CTL(PIN, POSTED_INTERRUPTS));
	need_on(c, CTL(SECONDARY, VIRTUAL_INTERRUPT_DELIVERY));
	need_on(c, CTL(EXIT, ACKNOWLEDGE_INTERRUPT));
}

PREDICATE(POSTED_INTERRUPT_VECTOR)
{
	when_on(c, CTL(PIN, POSTED_INTERRUPTS));
	need_zero(c, F(POSTED_INTERRUPT_NOTIFICATION_VECTOR), MASK(15, 8));
}

PREDICATE(POSTED_INTERRUPT_DESCRIPTOR)
{
	when_on(c, CTL(PIN, POSTED_INTERRUPTS));
	need_address(c, F(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS), MASK(5, 0));
}

PREDICATE(PID_POINTER_TABLE)
{
	when_on(c, CTL(TERTIARY, IPI_VIRTUALIZATION));
	need_address(c, F(PID_POINTER_TABLE_ADDRESS), MASK(2, 0));
}

PREDICATE(PID_POINTER_TABLE_END)
{
	struct word table, last, limit;

	when_on(c, CTL(TERTIARY, IPI_VIRTUALIZATION));
	table = get_field(c, F(PID_POINTER_TABLE_ADDRESS));
	last = get_field(c, F(LAST_PID_POINTER_INDEX));
	limit = vmx_address_bits(c);
	need(c, range_fits(table, word_min(last) * 8, word_max(last) * 8, limit),
	     F(LAST_PID_POINTER_INDEX), MASK(15, 0), 0);
}

PREDICATE(APIC_TIMER_NEEDS)
{
	when_on(c, CTL(TERTIARY, APIC_TIMER_VIRTUALIZATION));
	need_on(c, CTL(SECONDARY, VIRTUAL_INTERRUPT_DELIVERY));
	need_off(c, CTL(PRIMARY, RDTSC_EXITING));
}

PREDICATE(APIC_TIMER_VECTOR)
{
	when_on(c, CTL(TERTIARY, APIC_TIMER_VIRTUALIZATION));
	need_zero(c, F(VIRTUAL_TIMER_VECTOR), MASK(15, 8));
}

/* --- NMIs ------------------------------------------------------------------------------------- */

PREDICATE(VIRTUAL_NMIS)
{
	when_off(c, CTL(PIN, NMI_EXITING));
	need_off(c, CTL(PIN, VIRTUAL_NMIS));
}

PREDICATE(NMI_WINDOW)
{
	when_off(c, CTL(PIN, VIRTUAL_NMIS));
	need_off(c, CTL(PRIMARY, NMI_WINDOW_EXITING));
}

/* --- Translation ------------------------------------------------------------------------------ */

PREDICATE(VPID_ZERO)
{
	when_on(c, CTL(SECONDARY, VPID));
	need(c, tri_not(word_is(get_field(c, F(VPID)), 0)), F(VPID), MASK(15, 0), 1);
}

/* The bits of @mask if IA32_VMX_EPT_VPID_CAP reports @reported. */
static struct word if_ept_cap(struct checking *c, u64 reported, u64 mask)
{
	return word_if(word_any(get_cap(c, VMX_CAP_EPT_VPID_CAP), reported), mask);
}

PREDICATE(EPTP_MEMORY_TYPE)
{
	const u64 uncacheable = 0, write_back = 6;
	const struct word types = word_or_word(if_ept_cap(c, CAP_EPT_UC, BIT(uncacheable)),
					       if_ept_cap(c, CAP_EPT_WB, BIT(write_back)));

	when_on(c, CTL(SECONDARY, EPT));
	need(c, word_in(field_bits(c, F(EPT_POINTER), 2, 0), types), F(EPT_POINTER), MASK(2, 0),
	     write_back);
}

PREDICATE(EPTP_WALK_LENGTH)
{
	const struct word lengths_less_1 = word_or_word(if_ept_cap(c, CAP_EPT_WALK_4, BIT(3)),
							if_ept_cap(c, CAP_EPT_WALK_5, BIT(4)));

	when_on(c, CTL(SECONDARY, EPT));
	need(c, word_in(field_bits(c, F(EPT_POINTER), 5, 3), lengths_less_1), F(EPT_POINTER),
	     MASK(5, 3), 3 << 3);
}

PREDICATE(EPTP_AD)
{
	when_on(c, CTL(SECONDARY, EPT));
	need_within_cap(c, F(EPT_POINTER), word_or(if_ept_cap(c, CAP_EPT_AD, BIT(6)), ~BIT(6)),
			VMX_CAP_EPT_VPID_CAP, 21 - 6);
}

PREDICATE(EPTP_SHADOW_STACK)
{
	when_on(c, CTL(SECONDARY, EPT));
	need_within_cap(c, F(EPT_POINTER),
			word_or(if_ept_cap(c, CAP_EPT_SHADOW_STACK, BIT(7)), ~BIT(7)),
			VMX_CAP_EPT_VPID_CAP, 23 - 7);
}

PREDICATE(EPTP_RESERVED)
{
	when_on(c, CTL(SECONDARY, EPT));
	need_within(c, F(EPT_POINTER), word_and(vmx_address_bits(c), ~MASK(11, 8)));
}

PREDICATE(UNRESTRICTED_NEEDS_EPT)
{
	when_on(c, CTL(SECONDARY, UNRESTRICTED_GUEST));
	need_on(c, CTL(SECONDARY, EPT));
}

PREDICATE(MODE_BASED_NEEDS_EPT)
{
	when_on(c, CTL(SECONDARY, MODE_BASED_EXECUTE));
	need_on(c, CTL(SECONDARY, EPT));
}

PREDICATE(PML_NEEDS_EPT)
{
	when_on(c, CTL(SECONDARY, PML));
	need_on(c, CTL(SECONDARY, EPT));
}

PREDICATE(PML_ADDRESS)
{
	when_on(c, CTL(SECONDARY, PML));
	need_address(c, F(PML_ADDRESS), PAGE_OFFSET);
}

PREDICATE(SPP_NEEDS_EPT)
{
	when_on(c, CTL(SECONDARY, SUB_PAGE_WRITE));
	need_on(c, CTL(SECONDARY, EPT));
}

PREDICATE(SPP_ADDRESS)
{
	when_on(c, CTL(SECONDARY, SUB_PAGE_WRITE));
	need_address(c, F(SPP_TABLE_POINTER), PAGE_OFFSET);
}

PREDICATE(VE_ADDRESS)
{
	when_on(c, CTL(SECONDARY, EPT_VIOLATION_VE));
	need_address(c, F(VE_INFORMATION_ADDRESS), PAGE_OFFSET);
}

PREDICATE(HLAT_NEEDS_EPT)
{
	when_on(c, CTL(TERTIARY, HLAT));
	need_on(c, CTL(SECONDARY, EPT));
}

PREDICATE(HLAT_POINTER)
{
	when_on(c, CTL(TERTIARY, HLAT));
	need_within(c, F(HLAT_POINTER), word_and(vmx_address_bits(c), ~(MASK(11, 5) | MASK(2, 0))));
}

PREDICATE(PAGING_WRITE_NEEDS_EPT)
{
	when_on(c, CTL(TERTIARY, EPT_PAGING_WRITE));
	need_on(c, CTL(SECONDARY, EPT));
}

PREDICATE(PAGING_VERIFICATION_NEEDS_EPT)
{
	when_on(c, CTL(TERTIARY, GUEST_PAGING_VERIFICATION));
	need_on(c, CTL(SECONDARY, EPT));
}

PREDICATE(PASID_DIRECTORIES)
{
	when_on(c, CTL(SECONDARY, PASID_TRANSLATION));
	need_address(c, F(LOW_PASID_DIRECTORY_ADDRESS), PAGE_OFFSET);
	need_address(c, F(HIGH_PASID_DIRECTORY_ADDRESS), PAGE_OFFSET);
}

/* --- VM functions, VMCS shadowing ------------------------------------------------------------- */

PREDICATE(VM_FUNCTIONS_ALLOWED)
{
	when_on(c, CTL(SECONDARY, VM_FUNCTIONS));
	need_within_cap(c, F(VM_FUNCTION_CONTROLS), get_cap(c, VMX_CAP_VMFUNC), VMX_CAP_VMFUNC, 0);
}

PREDICATE(EPTP_SWITCHING_NEEDS_EPT)
{
	when_on(c, CTL(SECONDARY, VM_FUNCTIONS));
	when_bits(c, F(VM_FUNCTION_CONTROLS), CAP_EPTP_SWITCHING, CAP_EPTP_SWITCHING);
	need_on(c, CTL(SECONDARY, EPT));
}

PREDICATE(EPTP_LIST_ADDRESS)
{
	when_on(c, CTL(SECONDARY, VM_FUNCTIONS));
	when_bits(c, F(VM_FUNCTION_CONTROLS), CAP_EPTP_SWITCHING, CAP_EPTP_SWITCHING);
	need_address(c, F(EPTP_LIST_ADDRESS), PAGE_OFFSET);
}

PREDICATE(SHADOW_BITMAPS)
{
	when_on(c, CTL(SECONDARY, VMCS_SHADOWING));
	need_address(c, F(VMREAD_BITMAP_ADDRESS), PAGE_OFFSET);
	need_address(c, F(VMWRITE_BITMAP_ADDRESS), PAGE_OFFSET);
}

/* --- Tracing and time ------------------------------------------------------------------------- */

PREDICATE(PT_GPA_NEEDS_EPT)
{
	when_on(c, CTL(SECONDARY, PT_USES_GPA));
	need_on(c, CTL(SECONDARY, EPT));
}

PREDICATE(PT_GPA_NEEDS_RTIT)
{
	when_on(c, CTL(SECONDARY, PT_USES_GPA));
	need_on(c, CTL(ENTRY, LOAD_RTIT_CTL));
	need_on(c, CTL(EXIT, CLEAR_RTIT_CTL));
}

PREDICATE(PEBS_GPA_NEEDS_EPT)
{
	when_on(c, CTL(TERTIARY, PEBS_USES_GPA));
	need_on(c, CTL(SECONDARY, EPT));
}

PREDICATE(TSC_MULTIPLIER)
{
	when_on(c, CTL(SECONDARY, TSC_SCALING));
	need(c, tri_not(word_is(get_field(c, F(TSC_MULTIPLIER)), 0)), F(TSC_MULTIPLIER), ~0ull,
	     BIT(48));
}
