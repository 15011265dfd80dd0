/*
 * hv/ap_restart.h - a reset in the middle of things
 *
 * Bochs 2.7 keeps an INIT that made a guest exit: it exits again at each entry, until the processor
 * is reset. Processors of silicon never come here.
 */
#ifndef HV_AP_RESTART_H
#define HV_AP_RESTART_H

#include "hv/percpu.h"

/*
 * Leave VMX operation, so that the INIT takes effect, and have processor 0 start this one again.
 * VMCS01 is current; the guest goes on where it is.
 */
_Noreturn void ap_restart(struct percpu *cpu);

/* This processor has been started again. */
_Noreturn void ap_resume(struct percpu *cpu);

#endif
