/*
 * tests/guests/l1_insn.h - one VMX instruction and what must come of it
 */
#ifndef TESTS_GUESTS_L1_INSN_H
#define TESTS_GUESTS_L1_INSN_H

#include "tests/guests/lib/guest_vmx.h"

enum insn_op {
	OP_VMXON,
	OP_VMXOFF,
	OP_VMCLEAR,
	OP_VMPTRLD,
	OP_VMPTRST,
	OP_VMREAD,  /* to memory */
	OP_VMWRITE, /* from memory */
	OP_VMLAUNCH,
	OP_VMRESUME,
	OP_INVEPT,
	OP_INVVPID,
	OP_VMCALL,
	OP_VMLAUNCH_MOV_SS, /* right behind a MOV to SS */
	OP_COUNT
};

/* What must come of it: one of VMsucceed, VMfailInvalid, VMfailValid with an error, a fault. */
struct insn_result {
	enum { RESULT_SUCCEED, RESULT_INVALID, RESULT_VALID, RESULT_FAULT } kind;
	u32 number; /* error or vector */
};

#define SUCCEEDS       ((struct insn_result){ RESULT_SUCCEED, 0 })
#define FAILS_INVALID  ((struct insn_result){ RESULT_INVALID, 0 })
#define FAILS(error)   ((struct insn_result){ RESULT_VALID, error })
#define FAULTS(vector) ((struct insn_result){ RESULT_FAULT, vector })

#define VECTOR_UD      6
#define VECTOR_GP      13
#define VECTOR_PF      14

/*
 * Executes @op with its memory operand at @operand and its register operand @reg, with all
 * arithmetic flags set before, and checks that @expected comes of it: flags, error and faulting
 * address too.
 */
void insn_expect(enum insn_op op, void *operand, u64 reg, struct insn_result expected);

/* The same where the operand is the address @pointer. */
void insn_expect_pointer(enum insn_op op, u64 pointer, struct insn_result expected);

/* Runs @op in ring 3 and expects the fault @vector. */
void insn_expect_in_ring_3(enum insn_op op, u8 vector);

/* An address that is not mapped, once insn_unmap_page() was called. */
extern u8 insn_unmapped[];
void insn_unmap_page(void);

/* Regions with the revision identifier. The first is for VMXON. */
extern u64 insn_regions[4];

/* VMPTRST; all ones when there is no current VMCS. */
u64 insn_current(void);

/* The groups. Each begins and ends outside of VMX operation, with CR4.VMXE set. */
void insn_outside(void);
void insn_vmxon(void);
void insn_no_current(void);
void insn_pointers(void);
void insn_fields(void);
void insn_entries(void);
void insn_invalidate(void);
void insn_modes(void);
void insn_contents(void);

#endif
