/*
 * hv/nested/host_state.h - L1 after an exit of L2
 *
 * SDM, "Loading Host State". What the processor would load from VMCS12's host-state area becomes
 * the guest state of VMCS01.
 */
#ifndef HV_NESTED_HOST_STATE_H
#define HV_NESTED_HOST_STATE_H

#include "hv/percpu.h"

/* SDM, "VMX Aborts". */
enum vmx_abort {
	ABORT_NONE = 0,
	ABORT_SAVING_MSRS = 1,
	ABORT_HOST_PDPTES = 2,
	ABORT_LOADING_MSRS = 4,
};

/* State that an exit leaves as it was before, or changes only in part. */
struct state_before {
	u64 cr0;
	u64 efer, pat;	   /* where the exit does not load another */
	bool nmi_blocking; /* of L1 after the exit */
};

/* VMCS01 is current. ABORT_HOST_PDPTES when L1's PDPTEs are no good. */
enum vmx_abort host_state_load(struct percpu *cpu, const struct nested_vmcs *vmcs,
			       const struct state_before *before);

#endif
