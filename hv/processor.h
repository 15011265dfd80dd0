/*
 * hv/processor.h - what the processor below can do, and whether that is enough for hv
 */
#ifndef HV_PROCESSOR_H
#define HV_PROCESSOR_H

#include "base/base.h"
#include "base/status.h"
#include "vmx/caps.h"

/*
 * Whether this processor has all that hv needs: VT-x enabled by the firmware, EPT, VPID,
 * unrestricted guest, bitmaps, and the PAT, EFER and debug controls; reads its capabilities.
 * ST_UNSUPPORTED after a log line that names what is missing. First of all.
 */
enum status processor_check(void);

/*
 * The same on each of the others, one at a time: what it lacks, none of them is held to have.
 */
enum status processor_join(void);

/* The capabilities of the processors themselves, not those shown to L1. */
const struct vmx_caps *processor_caps(void);

/* @wanted without what the control word @word (enum vmx_word) can't have, with what must be 1. */
u32 processor_controls(unsigned word, u32 wanted);

/* The value of the VMX-preemption timer for @ticks of the TSC, or the largest. */
u32 processor_timer(u64 ticks);

#endif
