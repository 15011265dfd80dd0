/*
 * hv/nested/operand.h - operands of VMX instructions: registers, and memory through L1's segments
 * and paging
 *
 * SDM, "Exit Qualification" and "VM-Exit Instruction-Information Field as Used for ...". The event
 * of the instruction is in cpu->pending; its info and mode columns are what is decoded.
 */
#ifndef HV_NESTED_OPERAND_H
#define HV_NESTED_OPERAND_H

#include "hv/exit.h"
#include "hv/guestmem.h"
#include "hv/nested/outcome.h"

/* Where an operand in memory is. */
struct operand {
	u64 linear;
	u64 gpa;   /* gpa1 of its first byte */
	void *ram; /* where hv sees all of it, where that was found on the way; else NULL */
};

/* Whether the operand that may be a register or memory is in memory. */
static inline bool operand_in_memory(struct percpu *cpu)
{
	return !BITS(nested_insn(cpu)->info, 10, 10);
}

/* The register that it is else, of vmx/regs.h. */
static inline unsigned operand_register(struct percpu *cpu)
{
	return (unsigned)BITS(nested_insn(cpu)->info, 6, 3);
}

/*
 * Find the operand in memory, of @size bytes, with the checks of its segment and of L1's paging.
 * False: the fault of @access is injected.
 */
bool operand_locate(struct percpu *cpu, size_t size, enum guest_access access,
		    struct operand *operand);

/* The register that the instruction encodes besides, as wide as the mode makes it. */
u64 operand_second_register(struct percpu *cpu);

/*
 * Copy to and from a located operand in memory, @size as it was located. False: a fault is injected
 * (of a page that the operand crosses into).
 */
bool operand_read(struct percpu *cpu, const struct operand *operand, void *to, size_t size);
bool operand_write(struct percpu *cpu, const struct operand *operand, const void *from,
		   size_t size);

/*
 * The 64-bit pointer that VMXON, VMCLEAR and VMPTRLD take from memory, and where it was. False: a
 * fault is injected.
 */
bool operand_pointer(struct percpu *cpu, struct operand *operand, u64 *pointer);

#endif
