/*
 * hv/snapshot.h - registers and memory on the tape: option capture=default
 *
 * Each event of L1 or L2 that has a RIP is preceded by the registers of that level. VM entries,
 * instructions that fail, and exits to L1 are preceded by memory too: the stack from RSP on, the
 * instruction bytes of L2, the paging structures that translate RIP and RSP (those of EPT12 among
 * them), and at entries what the VMCS names: bitmaps, lists, the virtual-APIC page.
 *
 * Functions here do nothing while cpu->snapshot is NULL, which is capture=lean.
 */
#ifndef HV_SNAPSHOT_H
#define HV_SNAPSHOT_H

#include "hv/percpu.h"

#define SNAPSHOT_STACK	512 /* bytes */

/*
 * Bytes that a block must have left at the end of an exit, so that what comes before the next
 * event and that event are in one block, behind key frames that show the state before both.
 */
#define SNAPSHOT_MARGIN 8192

/* Give @cpu what it needs; set-up only. */
void snapshot_init(struct percpu *cpu);

/* A block of the tape was opened. */
void snapshot_new_block(struct percpu *cpu);

/* An exit begins: keep the registers as the guest left them. Its VMCS is current. */
void snapshot_keep(struct percpu *cpu);

/* cpu->pending is about to be emitted: put what belongs to it before it, once. */
void snapshot_take_now(struct percpu *cpu);

static inline void snapshot_take(struct percpu *cpu)
{
	if (cpu->snapshot)
		snapshot_take_now(cpu);
}

#endif
