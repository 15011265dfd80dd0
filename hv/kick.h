/*
 * hv/kick.h - hv on one processor wants something of hv on the others
 *
 * By NMI, which gets through whatever a guest does, but in wait-for-SIPI. An NMI of L1's that
 * arrives while hv's is on its way is taken for hv's: processors keep one of several. So what L1
 * goes on after waits for an exit, where there is a VMX-preemption timer to make some.
 */
#ifndef HV_KICK_H
#define HV_KICK_H

#include "hv/percpu.h"

enum kick {
	KICK_EPT01 = 1,	  /* drop translations by EPT01, where there is no timer */
	KICK_END = 2,	  /* the tape ends */
	KICK_RESTART = 4, /* start those that reset themselves */
};

/*
 * Let all other processors that run do @kick before they run their guest on, soon. For KICK_END
 * those that are parked as well.
 */
void kick_others(enum kick kick);

/* The same for one. */
void kick_one(struct percpu *cpu, enum kick kick);

/* EPT01 has changed: let all others drop translations by it before they run L1 on, or soon. */
void kick_flush_others(void);

/*
 * L1 wrote an MTRR on @cpu, not the first processor, which decides about EPT01. SDM, "MTRR
 * Considerations in MP Systems": that one is about to be written to. Until then @cpu has frequent
 * exits. Its VMCS01 is current, or nothing is done.
 */
void kick_expect_flush(struct percpu *cpu);

/* The VMX-preemption timer of VMCS01, which is current, expired. */
void kick_look(struct percpu *cpu);

/* An NMI arrived in root mode: hv's or L1's. */
void kick_take_nmi(struct percpu *cpu);

/* An NMI made the guest exit: whether it is hv's. */
bool kick_is_own_nmi(struct percpu *cpu);

/* cpu->kicked: do what is asked for. May not come back. */
void kick_answer(struct percpu *cpu);

#endif
