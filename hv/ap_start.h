/*
 * hv/ap_start.h - the processors besides the one that booted
 *
 * SDM, "Multiple-Processor Management: MP Initialization Protocol". They begin in a page below 640
 * KiB that L1 does not get.
 */
#ifndef HV_AP_START_H
#define HV_AP_START_H

#include "base/status.h"
#include "hv/percpu.h"

/* How many processors the machine has, by the firmware's tables; this one is among them. */
unsigned ap_processors(void);

/*
 * Start them all, and have each join in (processor_join()). They wait in hv then. ST_UNSUPPORTED
 * after a log line: L1 would find a processor that hv does not have.
 */
enum status ap_start_all(void);

/*
 * One after the other they call @run, which does not come back, and ap_is_ready() in it. How their
 * TSCs relate to this processor's is in struct percpu before.
 */
void ap_run_all(void (*run)(struct percpu *cpu));

/* By a processor that runs: it needs nothing more of the others. */
void ap_is_ready(void);

/* Start those again that have reset themselves, hv/ap_restart.h. Waits for them. */
void ap_start_again(void);

#endif
