/*
 * hv/nested/l0_record.h - what hv does for L2 below L1's sight, on the tape: capture=...+l0
 *
 * For those who look for mistakes of hv itself. l0_entry tells what VMCS02 is entered with, l0_exit
 * what the processor says when it exits, l0_host the state that L1 is given after an exit,
 * l0_region what VMCLEAR left in memory. Rules
 * read them; hv judges nothing here. Costs nothing but a test of one pointer while it is off.
 */
#ifndef HV_NESTED_L0_RECORD_H
#define HV_NESTED_L0_RECORD_H

#include "hv/percpu.h"

struct ept12_walk;

/* Allocate what capture=+l0 needs, where it is asked for. */
void l0_record_init(struct nested *nested);

static inline bool l0_record_is_on(const struct nested *nested)
{
	return unlikely(nested->l0.items != NULL);
}

/* The entry that waited is settled: tell what VMCS02 held. */
void l0_record_entry(struct percpu *cpu);

/* VMCS02 exited and is current; VMCS12 is as it was at the entry. */
void l0_record_exit(struct percpu *cpu);

/* hv mapped @gpa2 as @walk found it. */
void l0_record_map(struct percpu *cpu, u64 gpa2, const struct ept12_walk *walk);

/* VMCLEAR has written the region at @pointer. */
void l0_record_region(struct nested *nested, u64 pointer);

/*
 * The exit is dealt with, and the processor is about to enter what is current now: keep what VMCS02
 * holds, or tell it where L2 only goes on, or what VMCS01 holds where L1 got the exit.
 */
void l0_record_turn(struct percpu *cpu);

#endif
