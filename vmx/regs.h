/*
 * vmx/regs.h - the general registers, numbered as instructions encode them
 *
 * This numbering is used everywhere: in exit qualifications, instruction information, masks of
 * exits.def and on tapes.
 */
#ifndef VMX_REGS_H
#define VMX_REGS_H

#include "base/base.h"

#define VMX_REGS(REG) \
	REG(RAX, rax) \
	REG(RCX, rcx) \
	REG(RDX, rdx) \
	REG(RBX, rbx) \
	REG(RSP, rsp) \
	REG(RBP, rbp) \
	REG(RSI, rsi) \
	REG(RDI, rdi) \
	REG(R8, r8)   \
	REG(R9, r9)   \
	REG(R10, r10) \
	REG(R11, r11) \
	REG(R12, r12) \
	REG(R13, r13) \
	REG(R14, r14) \
	REG(R15, r15)

enum vmx_reg {
#define REG(NAME, name) REG_##NAME,
	VMX_REGS(REG)
#undef REG
		REG_COUNT
};

#define REGS_NONE 0u
#define REGS_ALL  0xffffu

/* "rax" to "r15"; "?" for a number that is none. Static storage. */
const char *vmx_reg_name(unsigned int reg);

#endif
