/*
 * hv/nested/vmcs02.h - from VMCS12 and VMCS01 to the VMCS that runs L2
 *
 * Guest state goes over as L1 wrote it, for the processor to judge. Controls are L1's with what hv
 * needs: NMI exiting, EPT, VPID, bitmaps of hv's (bitmaps02.h). Only fields that changed since the
 * last entry are written.
 */
#ifndef HV_NESTED_VMCS02_H
#define HV_NESTED_VMCS02_H

#include "hv/percpu.h"

/* The VPID of L2 in hardware, whatever VPID L1 gives it. */
#define VPID_L2 2

enum invvpid_type {
	INVVPID_ADDRESS,
	INVVPID_SINGLE_CONTEXT,
	INVVPID_ALL_CONTEXT,
	INVVPID_RETAINING_GLOBALS,
};

/* Sort the fields that exist into those that VMCS02 copies and those that go into its controls. */
void vmcs02_init(struct nested *nested);

/*
 * Bring the VMCS02 of @vmcs up to date and make it current. VMCS01 is current before. L1's controls
 * have passed entry_check.h.
 */
void vmcs02_prepare(struct percpu *cpu, struct nested_vmcs *vmcs);

/*
 * The PDPTEs of an L2 with PAE paging under an L1 without EPT, from L1's memory at @cr3. False: one
 * has a reserved bit set.
 */
bool vmcs02_read_pdptes(const struct nested *nested, u64 cr3, u64 pdpte[4]);
bool vmcs02_needs_pdptes(const struct nested_vmcs *vmcs);

/* VMFUNC of L2: from now on it uses the EPT12 of @eptp, which is legal. VMCS02 is current. */
void vmcs02_switch_eptp(struct nested *nested, struct nested_vmcs *vmcs, u64 eptp);

/* INVVPID of L1. */
void vmcs02_invvpid(struct nested *nested, enum invvpid_type type, u16 vpid, u64 linear);

#endif
