/*
 * hv/nested/vmcs02_spoil.h - the mistakes of hv/nested/faults.def that are wrong fields of VMCS02
 */
#ifndef HV_NESTED_VMCS02_SPOIL_H
#define HV_NESTED_VMCS02_SPOIL_H

#include "hv/percpu.h"

/* VMCS02 is ready to be entered, and current: make it wrong, as far as that is asked for. */
#ifdef HV_FAULTS
void vmcs02_spoil(struct nested *nested, struct nested_vmcs *vmcs);
#else
static inline void vmcs02_spoil(struct nested *nested, struct nested_vmcs *vmcs)
{
	(void)nested, (void)vmcs;
}
#endif

#endif
