/*
 * hv/nested/nested.h - what the rest of hv asks of nested VMX
 */
#ifndef HV_NESTED_NESTED_H
#define HV_NESTED_NESTED_H

#include "hv/exit.h"
#include "hv/percpu.h"

/* Work out the capabilities shown to L1 from the real ones; @masked is the value of option caps=.
 */
enum status nested_caps_init(struct percpu *cpu, const char *masked);

/* The value of VMX capability MSR @index that L1 reads; false: #GP. */
bool nested_caps_msr(const struct percpu *cpu, u32 index, u64 *value);

/* Allocate what a processor needs; L1 is not in VMX operation. */
void nested_init(struct percpu *cpu);

/* Handlers of VMX instructions that L1 executed, for the table in exit.c. */
enum exit_action nested_handle_vmxon(struct percpu *cpu);
enum exit_action nested_handle_vmxoff(struct percpu *cpu);
enum exit_action nested_handle_vmclear(struct percpu *cpu);
enum exit_action nested_handle_vmptrld(struct percpu *cpu);
enum exit_action nested_handle_vmptrst(struct percpu *cpu);
enum exit_action nested_handle_vmread(struct percpu *cpu);
enum exit_action nested_handle_vmwrite(struct percpu *cpu);
enum exit_action nested_handle_vmlaunch(struct percpu *cpu);
enum exit_action nested_handle_vmresume(struct percpu *cpu);
enum exit_action nested_handle_invept(struct percpu *cpu);
enum exit_action nested_handle_invvpid(struct percpu *cpu);
enum exit_action nested_handle_vmcall(struct percpu *cpu);
enum exit_action nested_handle_vmfunc(struct percpu *cpu);

/*
 * An exit while L2 runs: handle it for L2, reflect it to L1 (VMCS01 is current afterwards), or
 * hand it back with *for_l1_handler true, to be handled as if L1 had caused it (an MSR or port that
 * L1 leaves to L2 and hv keeps).
 */
enum exit_action nested_handle_l2_exit(struct percpu *cpu, bool *for_l1_handler);

/*
 * hv executed an instruction of L2, or one iteration of it: what follows, as after those that the
 * processor executes, is the exit of the monitor trap flag.
 */
void nested_end_insn(struct percpu *cpu);

/* What hv does for L2 ran into EPT12, as @fault says: an exit to L1. VMCS01 is current afterwards.
 */
enum exit_action nested_exit_by_ept12(struct percpu *cpu, const struct guest_fault *fault);

/* A fault that hv found for L2: true when it is an exit to L1 instead, by its exception bitmap. */
bool nested_takes_exception(struct percpu *cpu, u8 vector, bool has_code, u32 code, u64 address);

/*
 * cpu->nmi_pending, and L2 is about to run: give it to L2, or make L2 exit for it, as L1 asked.
 */
void nested_deliver_nmi(struct percpu *cpu);

/* cpu->init_pending, and L2 is about to run: make it exit. */
void nested_deliver_init(struct percpu *cpu);

/* The processor refused to enter VMCS02 (VMfail, @flags is RFLAGS after it). */
void nested_entry_refused(struct percpu *cpu, u64 flags);

#endif
