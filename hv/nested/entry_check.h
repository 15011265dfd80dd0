/*
 * hv/nested/entry_check.h - what hv itself judges of a VM entry of L1's
 *
 * Controls and the host-state area, since the processor sees hv's own in VMCS02, and of the guest
 * state what VMCS02 holds something else for. The rest is left to the processor. SDM, "Checks on
 * VMX Controls and Host-State Area".
 */
#ifndef HV_NESTED_ENTRY_CHECK_H
#define HV_NESTED_ENTRY_CHECK_H

#include "hv/percpu.h"

/* Controls that do not depend on anything outside the control fields. */
bool entry_check_controls(const struct nested *nested, const struct nested_vmcs *vmcs);

/* Controls that depend on guest state, and on the virtual-APIC page: at each entry. */
bool entry_check_event(const struct nested *nested, const struct nested_vmcs *vmcs);
bool entry_check_tpr_threshold(const struct nested_vmcs *vmcs);

/* The host-state area, which depends on the VM-exit controls. */
bool entry_check_host_state(const struct nested *nested, const struct nested_vmcs *vmcs);

/* "Checks Related to Address-Space Size", at each entry; @lma is IA32_EFER.LMA of L1. */
bool entry_check_address_space(const struct nested *nested, const struct nested_vmcs *vmcs,
			       bool lma);

/* The VMCS link pointer, for which VMCS02 holds all ones. */
bool entry_check_link_pointer(const struct nested *nested, const struct nested_vmcs *vmcs);

/*
 * Guest state that MSRs of the VM-entry MSR-load list take the place of in VMCS02, where the
 * processor does not see it any more. EFER, PAT and IA32_DEBUGCTL count if they are loaded.
 */
bool entry_check_before_list(const struct nested *nested, const struct nested_vmcs *vmcs);

/* An EPT pointer that a VM entry would accept. */
bool entry_check_eptp(const struct nested *nested, u64 eptp);

/* Sixty-four bits of IA32_PAT, each byte a memory type. */
bool entry_check_pat(u64 pat);

#endif
