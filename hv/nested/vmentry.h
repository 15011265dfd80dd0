/*
 * hv/nested/vmentry.h - VMLAUNCH, VMRESUME
 *
 * An entry that hv has nothing against is tried; whether it succeeded is known at the exit after
 * it, and only then are its events emitted.
 */
#ifndef HV_NESTED_VMENTRY_H
#define HV_NESTED_VMENTRY_H

#include "hv/exit.h"
#include "hv/percpu.h"

/*
 * The first exit after an entry was tried: emit the instruction, and, where L2 ran, the launch
 * state and the entry. Does nothing when no entry waits.
 */
void nested_entry_settle(struct percpu *cpu, bool entered);

/*
 * The exit after an entry says that it failed, with exit reason @reason and @qualification: emit
 * the instruction, and leave MSRs as such a failure does. Returns the qualification that L1 gets.
 */
u64 nested_entry_failed(struct percpu *cpu, u32 reason, u64 qualification);

/* The same for an entry of hv's own after L2 ran, in a state that no entry allows: L2 exits. */
enum exit_action nested_entry_failed_again(struct percpu *cpu);

#endif
