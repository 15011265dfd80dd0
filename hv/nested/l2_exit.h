/*
 * hv/nested/l2_exit.h - whose an exit of L2 is: shared by the parts of l2_exit.c
 */
#ifndef HV_NESTED_L2_EXIT_H
#define HV_NESTED_L2_EXIT_H

#include "base/base.h"

struct nested_exit;
struct nested_vmcs;
struct percpu;

/* Who handles an exit. */
enum owner {
	OWNER_L1,
	OWNER_HV,	  /* handled; L2 goes on */
	OWNER_HV_INSN,	  /* an instruction, executed; L2 goes on behind it */
	OWNER_INJECTED,	  /* the same, and hv injected a fault */
	OWNER_L1_HANDLER, /* hv's, like the same exit of L1 */
};

/* SDM, "Exception Bitmap". @code matters to page faults only. */
bool l2_exception_is_wanted(const struct nested_vmcs *vmcs, unsigned vector, u64 code);

/*
 * EPT violations and misconfigurations (l2_ept_exit.c): what EPT02 lacks is filled in, and what
 * EPT12 does not allow is L1's, or an exception of L2. Describes in @exit what L1 gets.
 */
enum owner l2_ept_exit(struct percpu *cpu, struct nested_exit *exit);

#endif
