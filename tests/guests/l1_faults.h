/*
 * tests/guests/l1_faults.h - the cases of l1_faults, and what they share
 */
#ifndef TESTS_GUESTS_L1_FAULTS_H
#define TESTS_GUESTS_L1_FAULTS_H

#include "tests/guests/lib/guest_l2.h"

struct fault_case {
	const char *name; /* of a row of hv/nested/faults.def */
	void (*run)(void);
};

#define FAULT_CASE(name)           \
	{                          \
#name, case_##name \
	}

/* VMX instructions and capabilities. */
extern const struct fault_case l1_faults_insn_cases[];
extern const size_t l1_faults_insn_count;

/* VM entries: their checks, and what L2 then runs with. */
extern const struct fault_case l1_faults_entry_cases[];
extern const size_t l1_faults_entry_count;

/* Exits: whose they are, what they save and load. */
extern const struct fault_case l1_faults_exit_cases[];
extern const size_t l1_faults_exit_count;

/* Paging and EPT. */
extern const struct fault_case l1_faults_memory_cases[];
extern const size_t l1_faults_memory_count;

/* From here on hv makes no mistake, until the next case. */
void faults_off(void);

/* An L2 in a new region, made current. Ends with faults_drop(). */
void faults_create(struct l2 *l2, void (*code)(void), const struct l2_options *options);
void faults_drop(struct l2 *l2);

/* An L2 that executes VMCALL and nothing else. */
void faults_vmcall_code(void);

/*
 * Enters L2 until it executes VMCALL with RAX not 0, until an entry fails, or @entries times; goes
 * on behind instructions that exit. True when it was the VMCALL.
 */
bool faults_run(struct l2 *l2, unsigned entries);

/* The same with a new L2 that executes VMCALL, once. */
void faults_run_once(const struct l2_options *options);

/* A page with bit @bit set, for bitmaps. */
u64 faults_bitmap(unsigned bit);

/* An event for the VM-entry interruption information. */
#define FAULTS_EVENT(vector, type) (0x80000000u | (type) << 8 | (vector))
#define FAULTS_VECTOR		   0x60
#define RFLAGS_FIXED		   BIT(1)
#define RFLAGS_IF		   BIT(9)

#endif
