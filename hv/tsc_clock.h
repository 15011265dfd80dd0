/*
 * hv/tsc_clock.h - how fast this processor's TSC counts
 */
#ifndef HV_TSC_CLOCK_H
#define HV_TSC_CLOCK_H

#include "base/base.h"

/*
 * Take away what firmware has added to this processor's TSC. Linux does so when it starts one, and
 * then what was measured before would no longer hold. SDM, "IA32_TSC_ADJUST Register Support".
 */
void tsc_clock_begin(void);

/*
 * TSC ticks per second, 0 when neither the timer of the machine nor CPUID tells. Takes some 20 ms
 * of counter 2 of the 8254, which L1 has not begun to use.
 */
u64 tsc_clock_measure(void);

/* Wait for at least @microseconds, by the same counter; by the TSC on a machine that lacks it. */
void tsc_clock_wait(u32 microseconds);

#endif
