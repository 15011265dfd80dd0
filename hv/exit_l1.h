/*
 * hv/exit_l1.h - what hv does when L1 itself exits, VMX instructions aside
 */
#ifndef HV_EXIT_L1_H
#define HV_EXIT_L1_H

#include "hv/exit.h"

enum exit_action l1_handle_nmi(struct percpu *cpu);
enum exit_action l1_handle_nmi_window(struct percpu *cpu);
enum exit_action l1_handle_triple_fault(struct percpu *cpu);
enum exit_action l1_handle_init(struct percpu *cpu); /* exit_init.c */
enum exit_action l1_handle_sipi(struct percpu *cpu);
enum exit_action l1_handle_invd(struct percpu *cpu);
enum exit_action l1_handle_tables(struct percpu *cpu);
enum exit_action l1_handle_dr(struct percpu *cpu);
enum exit_action l1_handle_ept_violation(struct percpu *cpu);
enum exit_action l1_handle_preemption_timer(struct percpu *cpu);
enum exit_action l1_handle_xsetbv(struct percpu *cpu);
enum exit_action l1_handle_cpuid(struct percpu *cpu); /* exit_cpuid.c */
enum exit_action l1_handle_cr(struct percpu *cpu);    /* exit_cr.c */
enum exit_action l1_handle_io(struct percpu *cpu);    /* exit_io.c */
enum exit_action l1_handle_rdmsr(struct percpu *cpu); /* exit_msr.c */
enum exit_action l1_handle_wrmsr(struct percpu *cpu);

/* VMCS01 is current: L1 on @cpu is as INIT leaves it, and waits for a SIPI. */
void l1_wait_for_sipi(struct percpu *cpu);

/* cpu->init_pending, and L1 runs: INIT takes effect unless L1 is in VMX operation. */
void l1_take_pending_init(struct percpu *cpu);

/*
 * Bochs saves at a SIPI, and at each exit from then on, that SMIs are blocked, which no entry may
 * say outside of SMM. Take that back, and let each exit do so where it is needed.
 */
void exit_unblock_smi(struct percpu *cpu);

/* Record the INIT or SIPI that the exit tells of, as it arrives. */
void exit_record_signal(struct percpu *cpu);

/* Record the INIT that parked L1, which had no time for it. */
void l1_tell_init(struct percpu *cpu);

/* An exit that nothing in L1 should cause: say so, end the tape and stop. */
_Noreturn void l1_stop_unexpected(struct percpu *cpu);

/* Which MSRs and ports exit; before vmcs01_init(). */
void l1_intercept_msrs(void);
void l1_intercept_ports(void);

/*
 * Whether WRMSR of L1's may be tried; it is for all that a processor does not refuse, but for what
 * would give L1 hv's memory.
 */
bool l1_may_write_msr(u32 index, u64 value);

/*
 * An MTRR was written on @cpu: the first processor's say what EPT01 has. That takes tens of
 * thousands of instructions, so it is done once, before the guest goes on.
 */
void l1_memory_types_changed(struct percpu *cpu);
void l1_take_memory_types(struct percpu *cpu);

/* Work out which CPUID bits L1 sees; after processor_check(). */
void l1_cpuid_init(void);

/* CPUID as L1 sees it. @cr4 is L1's, or 0 before it runs. */
struct cpuid_result l1_cpuid(u32 leaf, u32 subleaf, u64 cr4);

#endif
