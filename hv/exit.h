/*
 * hv/exit.h - from a VM exit to its handler, and back into the guest
 *
 * exit_dispatch() is the only code that moves the guest's RIP and that records events. Handlers
 * return what is to become of the instruction; they describe it in cpu->pending, which is emitted
 * for them.
 */
#ifndef HV_EXIT_H
#define HV_EXIT_H

#include "hv/percpu.h"

enum exit_action {
	EXIT_SKIP,   /* the instruction is done: go on behind it */
	EXIT_RESUME, /* go on at the guest's RIP as it is now */
};

/*
 * Called by vmexit.S with the guest's registers in @cpu. Returns when the guest is to go on: by
 * VMRESUME when true, by VMLAUNCH when false.
 */
bool exit_dispatch(struct percpu *cpu);

/*
 * An NMI arrived behind exit_dispatch(): do what it is for before the guest goes on. Returns like
 * that.
 */
bool exit_attend(struct percpu *cpu);

/*
 * VMRESUME or VMLAUNCH of the current VMCS did not succeed; @flags is RFLAGS after it. Returns like
 * exit_dispatch().
 */
bool exit_entry_failed(struct percpu *cpu, u64 flags);

/*
 * The instruction that exited faults instead, in the guest whose VMCS is current: the event goes
 * into the VM-entry interruption information and RIP stays. The handler returns EXIT_RESUME, which
 * is also what these return.
 */
enum exit_action exit_inject_ud(struct percpu *cpu);
enum exit_action exit_inject_gp(struct percpu *cpu);
enum exit_action exit_inject_ss(struct percpu *cpu);
enum exit_action exit_inject_pf(struct percpu *cpu, u64 address, u32 error_code);

/* Which guest exited last: 1 or 2. */
static inline u8 exit_level(const struct percpu *cpu)
{
	return cpu->nested.mode == NESTED_L2 ? 2 : 1;
}

/* Start an event of @kind at the guest's RIP, all columns 0. Returns its columns. */
u64 *exit_event(struct percpu *cpu, u8 kind, u8 level);

/* The same, but the columns hold anything: the caller fills all of them. */
u64 *exit_start_event(struct percpu *cpu, u8 kind, u8 level);

/* Emit cpu->pending now, for handlers that give more than one event. */
void exit_emit(struct percpu *cpu);

#endif
