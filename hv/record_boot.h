/*
 * hv/record_boot.h - what the pinned head of a tape tells: the machine, hv, and what hv shows to L1
 */
#ifndef HV_RECORD_BOOT_H
#define HV_RECORD_BOOT_H

#include "hv/percpu.h"

/* Measure what the boot records of all processors tell. Once, on processor 0. */
void record_boot_init(void);

/* Emit it, with cpu->rec; that of processor 0 tells more. */
void record_boot_tell(struct percpu *cpu);

#endif
