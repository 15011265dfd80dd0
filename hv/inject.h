/*
 * hv/inject.h - events that hv gives to the guest whose VMCS is current
 */
#ifndef HV_INJECT_H
#define HV_INJECT_H

#include "hv/exit.h"

/* Inject cpu->nmi_pending into L1 now, or ask for an NMI-window exit. Nothing while L2 runs. */
void inject_nmi_when_possible(struct percpu *cpu);

/* Leave a pending single-step debug exception (BS) for the next entry. */
void inject_pending_step(void);

#endif
