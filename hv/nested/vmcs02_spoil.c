#include "hv/nested/vmcs02_spoil.h"

#include "hv/fault.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/nested/bitmaps02.h"
#include "hv/nested/vmcs02.h"

/* Bytes of an MSR bitmap: reads and writes of MSRs 800H-8FFH; writes of C0000101H, IA32_GS_BASE. */
#define X2APIC_READS  0x100
#define X2APIC_WRITES 0x900
#define X2APIC_BYTES  0x20
#define GS_BASE_WRITE (0xc00 + 0x101 / 8)

static void clear_primary(u32 mask)
{
	vmwrite(VMCS_PRIMARY_PROC_BASED_CONTROLS,
		vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & ~(u64)mask);
}

static void spoil_controls(const struct nested_vmcs *vmcs)
{
	if (hv_fault(HLT_EXITING_DROPPED))
		clear_primary(PRIMARY_HLT_EXITING);
	if (hv_fault(TPR_SHADOW_DROPPED))
		clear_primary(PRIMARY_TPR_SHADOW);
	if (hv_fault(WINDOW_DROPPED))
		clear_primary(PRIMARY_INTERRUPT_WINDOW_EXITING);
	if (hv_fault(APIC_ACCESS_LOST) &&
	    nested_secondary(vmcs) & SECONDARY_VIRTUALIZE_APIC_ACCESSES)
		vmwrite(VMCS_APIC_ACCESS_ADDRESS, 0);
	if (hv_fault(PFEC_IGNORED)) {
		vmwrite(VMCS_PAGE_FAULT_ERROR_CODE_MASK, 0);
		vmwrite(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, 0);
	}
	if (hv_fault(CR0_SHADOW_LOST))
		vmwrite(VMCS_CR0_READ_SHADOW, F12(vmcs, GUEST_CR0));
	if (hv_fault(INJECTION_DROPPED))
		vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFO, 0);
	if (hv_fault(TIMER_IS_EARLY) && F12(vmcs, PIN_BASED_CONTROLS) & PIN_PREEMPTION_TIMER)
		vmwrite(VMCS_VMX_PREEMPTION_TIMER_VALUE,
			F12(vmcs, VMX_PREEMPTION_TIMER_VALUE) >> 6);
}

/* The page that L1's MSR bitmap is merged into. */
static void spoil_msr_bitmap(struct nested *nested, struct nested_vmcs *vmcs)
{
	u8 *const bitmap = (u8 *)nested->msr_bitmap;

	if (!hv_fault(MSR_BITMAP_LOST) && !hv_fault(X2APIC_BITS_LOST) &&
	    !hv_fault(GS_BASE_OF_VMCS01))
		return;
	vmcs->msrs02.beforehand = 1;
	bitmaps02_prepare(nested, vmcs);
	if (hv_fault(MSR_BITMAP_LOST))
		memset(bitmap, 0, PAGE_SIZE);
	if (hv_fault(X2APIC_BITS_LOST)) {
		memset(bitmap + X2APIC_READS, 0, X2APIC_BYTES);
		memset(bitmap + X2APIC_WRITES, 0, X2APIC_BYTES);
	}
	if (hv_fault(GS_BASE_OF_VMCS01))
		bitmap[GS_BASE_WRITE] |= BIT(1);
}

/* IA32_FS_BASE in a list fails the entry. */
static void spoil_msr_list(void)
{
	static const u64 list[2] __attribute__((aligned(16))) = { MSR_FS_BASE, 0 };

	vmwrite(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, virt_to_phys(list));
	vmwrite(VMCS_VM_ENTRY_MSR_LOAD_COUNT, hv_fault(MSR_LIST_OWN_ENTRY) ? 1 : 0);
}

void vmcs02_spoil(struct nested *nested, struct nested_vmcs *vmcs)
{
	spoil_controls(vmcs);
	spoil_msr_bitmap(nested, vmcs);
	spoil_msr_list();
	if (hv_fault(PDPTES_NOT_LOADED) && vmcs02_needs_pdptes(vmcs))
		for (u32 i = 0; i < 4; i++)
			vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, 0);
}
