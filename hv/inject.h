/*
 * hv/inject.h - events that hv gives to the guest whose VMCS is current
 */
#ifndef HV_INJECT_H
#define HV_INJECT_H

#include "hv/exit.h"

/* Give cpu->nmi_pending to the guest now, or have it exit as soon as it can take it. */
void inject_nmi_when_possible(struct percpu *cpu);

/* No NMI-window exits of L1 any more, until an NMI waits for one. */
void inject_close_nmi_window(void);

/*
 * RFLAGS.TF: leave a pending single-step debug exception (BS) for the next entry, unless L1 steps
 * from branch to branch.
 */
void inject_pending_step(void);

/*
 * The exit at hand stays hv's own, and the guest goes on: an event that was being delivered is
 * injected again. SDM, "Information for VM Exits That Occur During Event Delivery".
 */
void inject_again(const struct percpu *cpu);

#endif
