/*
 * replay/legal.h - the ways in which the SDM lets an instruction end
 *
 * A set has more than one member where the SDM leaves the order of checks open, where a processor
 * may refuse but need not, and where something is unknown. A member that is sure is legal whatever
 * the unknown is.
 */
#ifndef REPLAY_LEGAL_H
#define REPLAY_LEGAL_H

#include "base/base.h"
#include "replay/tri.h"

enum legal_kind {
	LEGAL_SUCCEED,	     /* of an entry: L2 runs */
	LEGAL_FAIL_INVALID,  /* VMfailInvalid */
	LEGAL_FAIL_VALID,    /* VMfailValid, @number the VM-instruction error */
	LEGAL_FAULT,	     /* vector @number */
	LEGAL_OPERAND_FAULT, /* a fault of accessing the memory operand: #SS, #GP, #PF or #AC */
	LEGAL_ENTRY_FAILURE, /* VM exit with bit 31 of its reason, @number the basic reason */
};

#define LEGAL_NO_CHECK 0xffff

struct legal {
	u8 kind; /* enum legal_kind */
	bool sure;
	u16 number;
	u16 check; /* enum check_id that leads to it, or LEGAL_NO_CHECK */
	u64 low;   /* of entry failures: the least and the greatest exit qualification */
	u64 high;
};

#define LEGAL_MAX 24

struct legal_set {
	u8 count;
	bool more;	    /* there are members that had no room: no outcome diverges */
	bool machine_check; /* a machine check during the entry may come instead (exit 41) */
	struct legal of[LEGAL_MAX];
};

/* Adds @legal; of two that are the same one that is sure stays. */
void legal_add(struct legal_set *set, struct legal legal);

enum legal_verdict { LEGAL_AGREE, LEGAL_DIVERGE, LEGAL_UNKNOWN };

/*
 * Judges what was observed: @observed's kind and number, and the qualification in @low. A fault of
 * the operand is observed as LEGAL_FAULT.
 *
 * @member  the member that it is, NULL when it is none; may be NULL
 */
enum legal_verdict legal_judge(const struct legal_set *set, const struct legal *observed,
			       const struct legal **member);

/*
 * RFLAGS behind an instruction that ended like @kind, when they were @before. Entries: if it
 * failed. SDM: "Conventions" of the VMX instruction reference.
 */
static inline u64 legal_rflags(enum legal_kind kind, u64 before)
{
	const u64 cf = BIT(0), zf = BIT(6);
	const u64 arithmetic = cf | BIT(2) | BIT(4) | zf | BIT(7) | BIT(11);

	switch (kind) {
	case LEGAL_SUCCEED:
		return before & ~arithmetic;
	case LEGAL_FAIL_INVALID:
		return (before & ~arithmetic) | cf;
	case LEGAL_FAIL_VALID:
		return (before & ~arithmetic) | zf;
	default:
		return before;
	}
}

/* "VMfailValid(7)", "#GP", "exit 33, qualification 4" into @text of @size bytes; returns @text. */
char *legal_text(const struct legal *legal, char *text, size_t size);

/* --- Making sets ------------------------------------------------------------------------------ */

/* Checks in a fixed order: how sure it is that none before ended the instruction. */
struct legal_walk {
	struct legal_set *set;
	enum tri reached;
};

/* The instruction ends here, as @legal says, if @condition. */
void legal_ends_if(struct legal_walk *walk, enum tri condition, struct legal legal);
/* It may end here if @condition, and may also go on. */
void legal_may_end_if(struct legal_walk *walk, enum tri condition, struct legal legal);

struct legal legal_succeed(void);
struct legal legal_fault(unsigned int vector);
struct legal legal_failure(unsigned int reason, u64 low, u64 high);
/* VMfail(@error): VMfailValid if there is a current VMCS, VMfailInvalid if not. */
void legal_vmfail_if(struct legal_walk *walk, enum tri condition, struct word current,
		     unsigned int error);

#endif
