/*
 * hv/traps.h - exceptions and NMIs that arrive while hv itself runs
 *
 * Host interrupts are never enabled, so there is nothing else. Every vector has an IST stack, since
 * libzstd.a uses the red zone below RSP.
 */
#ifndef HV_TRAPS_H
#define HV_TRAPS_H

#include "base/base.h"

struct percpu;

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS  0x18

/* Make this processor's GDT, TSS and IDT, and load them; @cpu stays in place from then on. */
void traps_init(struct percpu *cpu);

/* Load them and GS base, again. */
void traps_load(struct percpu *cpu);

/* Linear addresses for the host-state area. */
u64 traps_gdt_base(const struct percpu *cpu);
u64 traps_tss_base(const struct percpu *cpu);
u64 traps_idt_base(void);

#endif
