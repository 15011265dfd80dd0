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

/*
 * An exit of L1 by LGDT or its like, by WRMSR of an MSR that vmcs01_is_watched() names, by a write
 * to CR0 or CR4 or by MOV DR: hv asked for it, to know that L1 still has the @part that the last
 * exit of L2 loaded. VMCS01 is current. L1 executes the instruction again, and others for some
 * exits of L2 to come. False: it was not hv that asked.
 */
bool host_state_open(struct percpu *cpu, enum kept_part part);

/* Whether VMCS01 has @part as the last exit of L2 loaded it, from whatever VMCS12. */
static inline bool host_state_is_kept(const struct nested *nested, enum kept_part part)
{
	return nested->kept01[part].of;
}

/* VMCS01 has other ones, or is to have: the next exit of L2 loads them. */
static inline void host_state_forget(struct nested *nested)
{
	for (unsigned i = 0; i < KEPT_COUNT; i++)
		nested->kept01[i].of = NULL;
}

#endif
