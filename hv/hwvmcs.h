/*
 * hv/hwvmcs.h - the VMCSs that the processor really runs: VMCS01 and the VMCS02s
 */
#ifndef HV_HWVMCS_H
#define HV_HWVMCS_H

#include "base/base.h"

struct percpu;

/* IA32_PAT at reset, which hv keeps: its own mappings are all write-back. */
#define HOST_PAT 0x0007040600070406ull

struct hwvmcs {
	u64 pa;
	bool launched; /* VMRESUME enters it, not VMLAUNCH; set by exit_dispatch() */
};

/*
 * A cleared VMCS in a page of the pool, with the revision of this processor. False: no page is
 * left.
 */
bool hwvmcs_try_init(struct hwvmcs *vmcs);

/* The same where there must be one: panics when there is none. */
void hwvmcs_init(struct hwvmcs *vmcs);

/* Make @vmcs current on this processor, if it is not already. */
void hwvmcs_switch(struct percpu *cpu, struct hwvmcs *vmcs);

/* Host-state area and the controls that every VMCS of hv's has in common, of the current VMCS. */
void hwvmcs_write_host_state(struct percpu *cpu);

#endif
