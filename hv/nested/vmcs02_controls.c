#include "hv/nested/vmcs02_controls.h"

#include "hv/ept.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/nested/bitmaps02.h"
#include "hv/processor.h"

#define TABLES_OPEN 64

static u32 pin_controls(const struct nested_vmcs *vmcs)
{
	u32 pin = (u32)F12(vmcs, PIN_BASED_CONTROLS);

	/*
	 * NMIs always come to hv. Where L1 leaves them to L2, hv injects them, and virtual NMIs
	 * keep track of blocking in the place of the processor's own.
	 */
	if (!(pin & PIN_NMI_EXITING))
		pin |= PIN_NMI_EXITING | PIN_VIRTUAL_NMIS;
	/* A timer that L1 has no use for is hv's heartbeat. */
	return processor_controls(VMX_WORD_PIN, pin | PIN_PREEMPTION_TIMER);
}

static u32 primary_controls(const struct nested_vmcs *vmcs)
{
	u32 primary = (u32)F12(vmcs, PRIMARY_PROC_BASED_CONTROLS) | PRIMARY_SECONDARY_CONTROLS;

	/* I/O bitmaps make the processor ignore unconditional I/O exiting. */
	if (primary & PRIMARY_IO_BITMAPS || !(primary & PRIMARY_UNCONDITIONAL_IO_EXITING))
		primary |= PRIMARY_IO_BITMAPS;
	if (vmcs->registers_closed)
		primary |= PRIMARY_MOV_DR_EXITING;
	return primary;
}

/* What hv does itself, at the violations by which EPT02 is filled. */
#define EMULATED_SECONDARY (SECONDARY_PML | SECONDARY_EPT_VIOLATION_VE)

static u32 secondary_controls(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	return (nested_secondary(vmcs) & ~EMULATED_SECONDARY) | SECONDARY_EPT | SECONDARY_VPID |
	       (vmcs02_keeps_tables(nested, vmcs) ? SECONDARY_DESCRIPTOR_TABLE_EXITING : 0);
}

void vmcs02_open_tables(struct nested *nested)
{
	nested->current->tables_open = TABLES_OPEN;
	vmwrite(VMCS_SECONDARY_PROC_BASED_CONTROLS, secondary_controls(nested, nested->current));
}

void vmcs02_count_open_tables(struct nested *nested, struct nested_vmcs *vmcs)
{
	if (likely(!vmcs->tables_open) || --vmcs->tables_open)
		return;
	vmwrite(VMCS_SECONDARY_PROC_BASED_CONTROLS, secondary_controls(nested, vmcs));
}

static u32 exit_controls(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	u32 exit = nested->exit01;

	/* What hv does not look at itself it leaves to the processor. */
	exit |= (u32)F12(vmcs, VM_EXIT_CONTROLS) & EXIT_ACKNOWLEDGE_INTERRUPT;
	/* The rest of the time goes on counting after exits that L1 does not see. */
	if (F12(vmcs, PIN_BASED_CONTROLS) & PIN_PREEMPTION_TIMER)
		exit |= EXIT_SAVE_PREEMPTION_TIMER;
	return exit;
}

/* A page of VMX's that the processor uses by itself: never one of hv's. */
static u64 l1_page(const struct nested *nested, u64 address)
{
	struct ept_page page;

	return ept01_lookup(address, &page) ? address : virt_to_phys(nested->dummy);
}

static bool is_dirty(const struct nested_vmcs *vmcs, int ix)
{
	return vmcs_set_has(&vmcs->dirty, ix);
}

/* Pages of VMX's, where they are in use; @words: a control word that says so is another one. */
static void write_pages(const struct nested *nested, const struct nested_vmcs *vmcs, bool words)
{
	if (F12(vmcs, PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_TPR_SHADOW &&
	    (words || is_dirty(vmcs, VMCS_IX_VIRTUAL_APIC_ADDRESS)))
		vmwrite(VMCS_VIRTUAL_APIC_ADDRESS,
			l1_page(nested, F12(vmcs, VIRTUAL_APIC_ADDRESS)));
	if (nested_secondary(vmcs) & SECONDARY_VIRTUALIZE_APIC_ACCESSES &&
	    (words || is_dirty(vmcs, VMCS_IX_APIC_ACCESS_ADDRESS)))
		vmwrite(VMCS_APIC_ACCESS_ADDRESS, l1_page(nested, F12(vmcs, APIC_ACCESS_ADDRESS)));
}

/* Each word of VMCS02 whose parts in VMCS12 changed. */
void vmcs02_write_controls(struct nested *nested, struct nested_vmcs *vmcs)
{
	const bool pin = is_dirty(vmcs, VMCS_IX_PIN_BASED_CONTROLS);
	const bool primary = is_dirty(vmcs, VMCS_IX_PRIMARY_PROC_BASED_CONTROLS);
	/* It counts as 0 until the primary controls activate it. */
	const bool secondary = primary || is_dirty(vmcs, VMCS_IX_SECONDARY_PROC_BASED_CONTROLS);

	if (pin)
		vmwrite(VMCS_PIN_BASED_CONTROLS, pin_controls(vmcs));
	if (primary)
		vmwrite(VMCS_PRIMARY_PROC_BASED_CONTROLS, primary_controls(vmcs));
	if (secondary)
		vmwrite(VMCS_SECONDARY_PROC_BASED_CONTROLS, secondary_controls(nested, vmcs));
	if (pin || is_dirty(vmcs, VMCS_IX_VM_EXIT_CONTROLS))
		vmwrite(VMCS_VM_EXIT_CONTROLS, exit_controls(nested, vmcs));
	if (is_dirty(vmcs, VMCS_IX_VM_ENTRY_CONTROLS))
		vmwrite(VMCS_VM_ENTRY_CONTROLS, F12(vmcs, VM_ENTRY_CONTROLS) |
							ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_PAT |
							ENTRY_LOAD_EFER);
	if (is_dirty(vmcs, VMCS_IX_EXCEPTION_BITMAP))
		vmwrite(VMCS_EXCEPTION_BITMAP, F12(vmcs, EXCEPTION_BITMAP) | nested->exceptions01);
	write_pages(nested, vmcs, secondary);
	if (primary)
		bitmaps02_write_ports(nested, vmcs);
}
