#include "hv/nested/entry_check.h"

#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/nested/msrlist.h"
#include "hv/nested/state.h"
#include "hv/vmcs01.h"
#include "vmx/qual.h"

/* VM-entry interruption information; SDM, "VM-Entry Controls for Event Injection". */
#define INFO_RESERVED	MASK(30, 12)
#define MAX_INSN_LENGTH 15
#define MSR_ENTRY_SIZE	16
#define VTPR_OFFSET	0x80
#define SELECTOR_RPL_TI 7
#define EPTP_RESERVED	MASK(11, 7)
#define EFER_DEFINED	(BIT(0) | EFER_LME | EFER_LMA | BIT(11))

static bool word_allowed(const struct vmx_caps *shown, enum vmx_word word, u64 value)
{
	u64 missing, excess;

	return vmx_caps_control(shown, word, value, &missing, &excess) == VMX_ALLOWED;
}

static bool aligned(const struct nested *nested, u64 address)
{
	return nested_address_ok(nested, address, 4096);
}

static bool words_allowed(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	const struct vmx_caps *shown = &nested->shown;
	const u64 primary = F12(vmcs, PRIMARY_PROC_BASED_CONTROLS);

	return word_allowed(shown, VMX_WORD_PIN, F12(vmcs, PIN_BASED_CONTROLS)) &&
	       word_allowed(shown, VMX_WORD_PRIMARY, primary) &&
	       word_allowed(shown, VMX_WORD_SECONDARY, nested_secondary(vmcs)) &&
	       word_allowed(shown, VMX_WORD_EXIT, F12(vmcs, VM_EXIT_CONTROLS)) &&
	       word_allowed(shown, VMX_WORD_ENTRY, F12(vmcs, VM_ENTRY_CONTROLS)) &&
	       F12(vmcs, CR3_TARGET_COUNT) <= CAP_GET(shown->msr[VMX_CAP_MISC], CR3_TARGETS);
}

static bool functions_ok(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	const u64 functions = F12(vmcs, VM_FUNCTION_CONTROLS);

	if (!(nested_secondary(vmcs) & SECONDARY_VM_FUNCTIONS))
		return true;
	if (functions & ~nested->shown.msr[VMX_CAP_VMFUNC])
		return false;
	return !(functions & CAP_EPTP_SWITCHING) ||
	       (nested_uses_ept(vmcs) && aligned(nested, F12(vmcs, EPTP_LIST_ADDRESS)));
}

/* Addresses of controls that are on; those of controls that are off may be anything. */
static bool addresses_ok(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	const u64 primary = F12(vmcs, PRIMARY_PROC_BASED_CONTROLS);
	const u32 secondary = nested_secondary(vmcs);

	if ((primary & PRIMARY_IO_BITMAPS || hv_fault(CHECKS_UNUSED_ADDRESS)) &&
	    !(aligned(nested, F12(vmcs, IO_BITMAP_A)) && aligned(nested, F12(vmcs, IO_BITMAP_B))))
		return false;
	if (primary & PRIMARY_MSR_BITMAPS && !aligned(nested, F12(vmcs, MSR_BITMAP)))
		return false;
	if (primary & PRIMARY_TPR_SHADOW && !aligned(nested, F12(vmcs, VIRTUAL_APIC_ADDRESS)))
		return false;
	if (secondary & SECONDARY_VIRTUALIZE_APIC_ACCESSES &&
	    !aligned(nested, F12(vmcs, APIC_ACCESS_ADDRESS)))
		return false;
	if (secondary & SECONDARY_PML && !aligned(nested, F12(vmcs, PML_ADDRESS)))
		return false;
	if (secondary & SECONDARY_EPT_VIOLATION_VE &&
	    !aligned(nested, F12(vmcs, VE_INFORMATION_ADDRESS)))
		return false;
	if (!functions_ok(nested, vmcs))
		return false;
	return !(secondary & SECONDARY_EPT) || entry_check_eptp(nested, F12(vmcs, EPT_POINTER));
}

/* Controls that want or exclude each other. */
static bool combinations_ok(const struct nested_vmcs *vmcs)
{
	const u64 pin = F12(vmcs, PIN_BASED_CONTROLS);
	const u64 primary = F12(vmcs, PRIMARY_PROC_BASED_CONTROLS);
	const u64 exit = F12(vmcs, VM_EXIT_CONTROLS);
	const u32 secondary = nested_secondary(vmcs);
	const bool delivers = secondary & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY;

	if (primary & PRIMARY_TPR_SHADOW) {
		if (!delivers && F12(vmcs, TPR_THRESHOLD) & MASK(31, 4))
			return false;
	} else if (delivers || secondary & (SECONDARY_VIRTUALIZE_X2APIC_MODE |
					    SECONDARY_APIC_REGISTER_VIRTUALIZATION)) {
		return false;
	}
	if (delivers && !(pin & PIN_EXTERNAL_INTERRUPT_EXITING))
		return false;
	if (pin & PIN_VIRTUAL_NMIS ? !(pin & PIN_NMI_EXITING)
				   : primary & PRIMARY_NMI_WINDOW_EXITING)
		return false;
	if (secondary & SECONDARY_VIRTUALIZE_X2APIC_MODE &&
	    secondary & SECONDARY_VIRTUALIZE_APIC_ACCESSES)
		return false;
	if (secondary & SECONDARY_VPID && !F12(vmcs, VPID))
		return false;
	if (secondary & (SECONDARY_UNRESTRICTED_GUEST | SECONDARY_PML) &&
	    !(secondary & SECONDARY_EPT))
		return false;
	if (secondary & SECONDARY_TSC_SCALING && !F12(vmcs, TSC_MULTIPLIER))
		return false;
	if (hv_fault(CHECKS_WRONG_WORD))
		return pin & PIN_PREEMPTION_TIMER || !(primary & EXIT_SAVE_PREEMPTION_TIMER);
	return pin & PIN_PREEMPTION_TIMER || !(exit & EXIT_SAVE_PREEMPTION_TIMER);
}

/* The area of an MSR list, computed without wrapping around. */
static bool msr_list_ok(const struct nested *nested, u64 count, u64 address)
{
	const u64 size = count * MSR_ENTRY_SIZE;

	return !count || (nested_address_ok(nested, address, MSR_ENTRY_SIZE) &&
			  nested_address_ok(nested, address + size - 1, 1));
}

static bool msr_lists_ok(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	return msr_list_ok(nested, F12(vmcs, VM_EXIT_MSR_STORE_COUNT),
			   F12(vmcs, VM_EXIT_MSR_STORE_ADDRESS)) &&
	       msr_list_ok(nested, F12(vmcs, VM_EXIT_MSR_LOAD_COUNT),
			   F12(vmcs, VM_EXIT_MSR_LOAD_ADDRESS)) &&
	       msr_list_ok(nested, F12(vmcs, VM_ENTRY_MSR_LOAD_COUNT),
			   F12(vmcs, VM_ENTRY_MSR_LOAD_ADDRESS));
}

bool entry_check_controls(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	const u64 smm = ENTRY_TO_SMM | ENTRY_DEACTIVATE_DUAL_MONITOR;

	return words_allowed(nested, vmcs) && !(F12(vmcs, VM_ENTRY_CONTROLS) & smm) &&
	       addresses_ok(nested, vmcs) && combinations_ok(vmcs) && msr_lists_ok(nested, vmcs);
}

/* Exceptions that have an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC. */
static bool has_error_code(u64 vector)
{
	return (BIT(8) | MASK(14, 10) | BIT(17)) >> vector & 1;
}

static bool error_code_ok(const struct nested *nested, const struct nested_vmcs *vmcs, u64 info)
{
	const bool protected = F12(vmcs, GUEST_CR0) & CR0_PE;
	const bool real_mode = nested_secondary(vmcs) & SECONDARY_UNRESTRICTED_GUEST && !protected;
	const bool has_code = info & VMX_EVENT_ERROR_CODE;

	if (vmx_event_type(info) != VMX_EVENT_HARDWARE_EXCEPTION || real_mode)
		return !has_code;
	if (!(nested->shown.msr[VMX_CAP_BASIC] & CAP_ANY_ERROR_CODE) &&
	    has_code != has_error_code(info & VMX_EVENT_VECTOR))
		return false;
	return !has_code || !(F12(vmcs, VM_ENTRY_EXCEPTION_ERROR_CODE) & MASK(31, 16));
}

bool entry_check_event(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	const u64 info = F12(vmcs, VM_ENTRY_INTERRUPTION_INFO);
	const u64 length = F12(vmcs, VM_ENTRY_INSTRUCTION_LENGTH);

	if (!(info & VMX_EVENT_VALID))
		return true;
	if (info & INFO_RESERVED || !error_code_ok(nested, vmcs, info))
		return false;
	switch (vmx_event_type(info)) {
	case VMX_EVENT_EXTERNAL_INTERRUPT:
		return true;
	case VMX_EVENT_NMI:
		return (info & VMX_EVENT_VECTOR) == 2;
	case VMX_EVENT_HARDWARE_EXCEPTION:
		return (info & VMX_EVENT_VECTOR) < 32;
	case VMX_EVENT_SOFTWARE_INTERRUPT:
	case VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION:
	case VMX_EVENT_SOFTWARE_EXCEPTION:
		return length <= MAX_INSN_LENGTH &&
		       (length || nested->shown.msr[VMX_CAP_MISC] & CAP_ZERO_LENGTH_INJECTION);
	case VMX_EVENT_OTHER:
		return vmx_caps_may_be_1(&nested->shown, VMX_WORD_PRIMARY) &
			       PRIMARY_MONITOR_TRAP_FLAG &&
		       !(info & VMX_EVENT_VECTOR);
	default:
		return false;
	}
}

bool entry_check_tpr_threshold(const struct nested_vmcs *vmcs)
{
	u8 vtpr;

	if (!(F12(vmcs, PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_TPR_SHADOW) ||
	    nested_secondary(vmcs) &
		    (SECONDARY_VIRTUALIZE_APIC_ACCESSES | SECONDARY_VIRTUAL_INTERRUPT_DELIVERY))
		return true;
	guest_read_gpa(F12(vmcs, VIRTUAL_APIC_ADDRESS) + VTPR_OFFSET, &vtpr, sizeof(vtpr));
	return F12(vmcs, TPR_THRESHOLD) <= (u64)(vtpr >> 4);
}

bool entry_check_eptp(const struct nested *nested, u64 eptp)
{
	const u64 caps = nested->shown.msr[VMX_CAP_EPT_VPID_CAP];
	const u64 type = BITS(eptp, 2, 0);

	if (!(type == 0 && caps & CAP_EPT_UC) && !(type == 6 && caps & CAP_EPT_WB))
		return false;
	if (BITS(eptp, 5, 3) != 3)
		return false;
	if (eptp & BIT(6) && !(caps & CAP_EPT_AD))
		return false;
	return !(eptp & EPTP_RESERVED) && !(eptp >> nested->shown.maxphyaddr);
}

bool entry_check_pat(u64 pat)
{
	for (unsigned i = 0; i < 8; i++, pat >>= 8) {
		const unsigned type = pat & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool host_control_registers_ok(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	const u64 *msr = nested->shown.msr;
	const u64 cr0 = F12(vmcs, HOST_CR0), cr4 = F12(vmcs, HOST_CR4);

	return !(msr[VMX_CAP_CR0_FIXED0] & ~cr0) && !(cr0 & ~msr[VMX_CAP_CR0_FIXED1]) &&
	       !(msr[VMX_CAP_CR4_FIXED0] & ~cr4) && !(cr4 & ~msr[VMX_CAP_CR4_FIXED1]) &&
	       !(F12(vmcs, HOST_CR3) >> nested->shown.maxphyaddr) &&
	       nested_is_canonical(nested, F12(vmcs, HOST_IA32_SYSENTER_ESP)) &&
	       nested_is_canonical(nested, F12(vmcs, HOST_IA32_SYSENTER_EIP));
}

static bool host_msrs_ok(const struct nested_vmcs *vmcs)
{
	const u64 exit = F12(vmcs, VM_EXIT_CONTROLS);
	const u64 efer = F12(vmcs, HOST_IA32_EFER);
	const u64 long_mode = exit & EXIT_HOST_ADDRESS_SPACE_SIZE ? (u64)(EFER_LME | EFER_LMA) : 0;

	if (exit & EXIT_LOAD_PAT && !entry_check_pat(F12(vmcs, HOST_IA32_PAT)))
		return false;
	return !(exit & EXIT_LOAD_EFER) ||
	       (!(efer & ~(u64)EFER_DEFINED) && (efer & (EFER_LME | EFER_LMA)) == long_mode);
}

static bool host_segments_ok(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	const u64 selectors = F12(vmcs, HOST_ES_SELECTOR) | F12(vmcs, HOST_CS_SELECTOR) |
			      F12(vmcs, HOST_SS_SELECTOR) | F12(vmcs, HOST_DS_SELECTOR) |
			      F12(vmcs, HOST_FS_SELECTOR) | F12(vmcs, HOST_GS_SELECTOR) |
			      F12(vmcs, HOST_TR_SELECTOR);

	if (selectors & SELECTOR_RPL_TI && !hv_fault(HOST_RPL_UNCHECKED))
		return false;
	if (!F12(vmcs, HOST_CS_SELECTOR) || !F12(vmcs, HOST_TR_SELECTOR))
		return false;
	if (!(F12(vmcs, VM_EXIT_CONTROLS) & EXIT_HOST_ADDRESS_SPACE_SIZE) &&
	    !F12(vmcs, HOST_SS_SELECTOR))
		return false;
	return nested_is_canonical(nested, F12(vmcs, HOST_FS_BASE)) &&
	       nested_is_canonical(nested, F12(vmcs, HOST_GS_BASE)) &&
	       nested_is_canonical(nested, F12(vmcs, HOST_TR_BASE)) &&
	       nested_is_canonical(nested, F12(vmcs, HOST_GDTR_BASE)) &&
	       nested_is_canonical(nested, F12(vmcs, HOST_IDTR_BASE));
}

bool entry_check_address_space(const struct nested *nested, const struct nested_vmcs *vmcs,
			       bool lma)
{
	const bool host64 = F12(vmcs, VM_EXIT_CONTROLS) & EXIT_HOST_ADDRESS_SPACE_SIZE;
	const u64 cr4 = F12(vmcs, HOST_CR4), rip = F12(vmcs, HOST_RIP);

	if (host64 != lma)
		return false;
	if (host64)
		return cr4 & CR4_PAE && nested_is_canonical(nested, rip);
	return !(F12(vmcs, VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST) && !(cr4 & CR4_PCIDE) &&
	       !(rip >> 32);
}

bool entry_check_host_state(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	return host_control_registers_ok(nested, vmcs) && host_msrs_ok(vmcs) &&
	       host_segments_ok(nested, vmcs);
}

static bool guest_efer_ok(const struct nested_vmcs *vmcs)
{
	const u64 efer = F12(vmcs, GUEST_IA32_EFER);
	const bool ia32e = F12(vmcs, VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST;

	return !(efer & ~(u64)EFER_DEFINED) && !(efer & EFER_LMA) == !ia32e &&
	       (!(F12(vmcs, GUEST_CR0) & CR0_PG) || !(efer & EFER_LME) == !ia32e);
}

bool entry_check_before_list(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	const u64 entry = F12(vmcs, VM_ENTRY_CONTROLS);

	if (entry & ENTRY_LOAD_PAT && !entry_check_pat(F12(vmcs, GUEST_IA32_PAT)))
		return false;
	if (entry & ENTRY_LOAD_EFER && !guest_efer_ok(vmcs))
		return false;
	if (entry & ENTRY_LOAD_DEBUG_CONTROLS &&
	    !msr_debugctl_is_legal(F12(vmcs, GUEST_IA32_DEBUGCTL)))
		return false;
	return nested_is_canonical(nested, F12(vmcs, GUEST_IA32_SYSENTER_ESP)) &&
	       nested_is_canonical(nested, F12(vmcs, GUEST_IA32_SYSENTER_EIP));
}

bool entry_check_link_pointer(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	const u64 pointer = F12(vmcs, VMCS_LINK_POINTER);

	/* Without VMCS shadowing the region must have the revision, and bit 31 clear. */
	return pointer == NESTED_NONE ||
	       (aligned(nested, pointer) && pointer != vmcs->pointer &&
		nested_region_revision(pointer) ==
			CAP_GET(nested->shown.msr[VMX_CAP_BASIC], REVISION));
}
