/*
 * hv/nested/vmcs_shadow.h - VMREAD and VMWRITE of L1 without VM exits: capture=thin
 *
 * SDM, "VMCS Types: Ordinary and Shadow": L1's VMREAD and VMWRITE act on a shadow VMCS of hv's,
 * which holds what the current VMCS12 has. VMREADs leave no trace then. VMWRITEs, of the fields in
 * shadow_writes.def and of VMCSs that are launched, are found when the next instruction needs the
 * VMCS12: an EV_VMCS12_WRITE each, if they changed something. All others exit and are recorded as
 * ever; so does VMREAD of the VM-instruction error, which answers a failure.
 */
#ifndef HV_NESTED_VMCS_SHADOW_H
#define HV_NESTED_VMCS_SHADOW_H

#include "hv/percpu.h"

/*
 * Prepare it where capture=thin asks for it. A processor without VMCS shadowing is told in the log,
 * and capture=lean it is.
 */
void vmcs_shadow_init(struct percpu *cpu);

static inline bool vmcs_shadow_is_on(const struct nested *nested)
{
	return unlikely(nested->shadow.vmcs.pa != 0);
}

/*
 * The instruction at hand needs the current VMCS12, or will change it: take over and tell what L1
 * wrote since. VMCS01 is current.
 */
void vmcs_shadow_take(struct percpu *cpu);

/* Another VMCS12, or none, is current now; or its fields are other ones. */
void vmcs_shadow_forget(struct nested *nested);

/* L1 is about to run, on VMCS01, which is current: give it the current VMCS12 as it is now. */
void vmcs_shadow_give(struct percpu *cpu);

#endif
