/*
 * hv/kick.h - hv on one processor wants something of hv on the others
 *
 * By NMI, which gets through whatever a guest does, but in wait-for-SIPI. An NMI of L1's that
 * arrives while hv's is on its way is taken for hv's: processors keep one of several.
 */
#ifndef HV_KICK_H
#define HV_KICK_H

#include "hv/percpu.h"

enum kick {
	KICK_EPT01 = 1,	  /* drop translations by EPT01, which has changed */
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

/* An NMI arrived in root mode: hv's or L1's. */
void kick_take_nmi(struct percpu *cpu);

/* An NMI made the guest exit: whether it is hv's. */
bool kick_is_own_nmi(struct percpu *cpu);

/* cpu->kicked: do what is asked for. May not come back. */
void kick_answer(struct percpu *cpu);

#endif
