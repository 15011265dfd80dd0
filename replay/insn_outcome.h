/*
 * replay/insn_outcome.h - what a VMX instruction of L1 may end with
 *
 * The situation is described as far as it is known: a struct word of all zero is unknown, and so is
 * TRI_MAYBE. Written from the SDM alone: "VMX Instruction Reference".
 *
 * Taken for granted: L1 is in VMX root operation or outside VMX operation, outside SMM and SMX, the
 * dual-monitor treatment of SMIs is not active, and A20M is not asserted.
 */
#ifndef REPLAY_INSN_OUTCOME_H
#define REPLAY_INSN_OUTCOME_H

#include "replay/check_table.h"
#include "replay/legal.h"
#include "trace/event.h"

struct insn_situation {
	u8 kind; /* enum trace_kind: EV_VMXON to EV_VMFUNC */
	const struct vmx_caps *caps;
	const struct cpu_facts *cpu;
	struct word mode;    /* bits of trace/mode.def before the instruction */
	struct word current; /* current-VMCS pointer, all ones: none */
	struct word vmxon;   /* VMXON pointer, all ones: none */

	enum tri register_operand; /* a register stands where only memory is allowed */
	enum tri operand_faults;   /* the memory operand cannot be read, or written */

	/*
	 * VMXON, VMCLEAR, VMPTRLD: the pointer, and bytes 0-3 of the region there. VMREAD, VMWRITE:
	 * the encoding as the instruction sees it, 32 bits outside 64-bit mode. INVEPT, INVVPID:
	 * the type, likewise, and the descriptor.
	 */
	struct word operand;
	struct word revision;
	struct word descriptor[2]; /* bits 63:0 and 127:64 */

	/* VMXON only */
	struct word cr0;
	struct word cr4;
	struct word feature_control;

	/* VMLAUNCH and VMRESUME only; @mode and @current are its state's */
	const struct check_input *entry;
};

/* For VMLAUNCH and VMRESUME the same as entry_outcome() of replay/entry_outcome.h. */
void insn_outcome(const struct insn_situation *situation, struct legal_set *set);

/*
 * The checks that VMX instructions begin with: #UD outside VMX operation and in modes without VMX
 * instructions, #GP(0) above CPL 0.
 */
void insn_prologue(struct legal_walk *walk, struct word mode);

#endif
