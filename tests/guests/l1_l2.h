/*
 * tests/guests/l1_l2.h - the cases of l1_l2, by what they are about
 */
#ifndef TESTS_GUESTS_L1_L2_H
#define TESTS_GUESTS_L1_L2_H

#include "tests/guests/lib/guest_case.h"

/* Instructions that exit, and what the exit says about them. */
extern const struct l2_case l1_l2_insn_cases[];
extern const size_t l1_l2_insn_count;

/* Port I/O, MSRs and control registers: bitmaps, masks, qualifications. */
extern const struct l2_case l1_l2_access_cases[];
extern const size_t l1_l2_access_count;

/* State that entries load and exits save, and entries that fail. */
extern const struct l2_case l1_l2_state_cases[];
extern const size_t l1_l2_state_count;

/* L2 in other modes than 64-bit mode at CPL 0. */
extern const struct l2_case l1_l2_mode_cases[];
extern const size_t l1_l2_mode_count;

/* Task switches of 32-bit code. */
extern const struct l2_case l1_l2_task_cases[];
extern const size_t l1_l2_task_count;

/* Exceptions, interrupts, injection. */
extern const struct l2_case l1_l2_event_cases[];
extern const size_t l1_l2_event_count;

/* In L2: a VMCALL with RSP at @top, which is where events are pushed to meanwhile. RAX is 2. */
static inline void l2_case_vmcall_on(const volatile void *top)
{
	u64 stack;

	__asm__ volatile("mov %%rsp, %0\n"
			 "mov %1, %%rsp\n"
			 "vmcall\n"
			 "mov %0, %%rsp\n"
			 : "=&r"(stack)
			 : "r"(top), "a"(2)
			 : "memory");
}

/* NMIs that come, more than one, and those that L1 injects. */
extern const struct l2_case l1_l2_nmi_cases[];
extern const size_t l1_l2_nmi_count;

/* INS and OUTS. */
extern const struct l2_case l1_l2_string_cases[];
extern const size_t l1_l2_string_count;

/* The monitor trap flag. */
extern const struct l2_case l1_l2_step_cases[];
extern const size_t l1_l2_step_count;

/* Page faults and EPT. */
extern const struct l2_case l1_l2_memory_cases[];
extern const size_t l1_l2_memory_count;

/* Accessed and dirty flags for EPT, and the page-modification log. */
extern const struct l2_case l1_l2_flags_cases[];
extern const size_t l1_l2_flags_count;

/* Virtual-interrupt delivery. */
extern const struct l2_case l1_l2_apic_cases[];
extern const size_t l1_l2_apic_count;

/* What changes rarely, of L2 and of L1. */
extern const struct l2_case l1_l2_kept_cases[];
extern const size_t l1_l2_kept_count;

/* VM functions and EPT-violation #VE. */
extern const struct l2_case l1_l2_function_cases[];
extern const size_t l1_l2_function_count;

#endif
