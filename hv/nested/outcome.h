/*
 * hv/nested/outcome.h - how a VMX instruction of L1 begins and ends
 *
 * SDM, "Conventions": VMsucceed, VMfailInvalid, VMfailValid. VMCS01 is current and the event of the
 * instruction is in cpu->pending.
 */
#ifndef HV_NESTED_OUTCOME_H
#define HV_NESTED_OUTCOME_H

#include "hv/exit_insn.h"

/* The columns that all instructions have. */
static inline struct ev_insn *nested_insn(struct percpu *cpu)
{
	return (struct ev_insn *)cpu->pending.columns;
}

/* Whether an instruction that has begun may go on: see nested_insn_begin(). */
bool nested_insn_allowed(struct percpu *cpu);

/* One bit of the column `mode`: MODE_VMXE ... */
static inline bool nested_mode_bit(struct percpu *cpu, enum trace_mode_bit bit)
{
	return nested_insn(cpu)->mode >> bit & 1;
}

/* In pieces that the compiler stores one by one: REP STOS takes longer to begin. */
static ALWAYS_INLINE void nested_clear_columns(u64 *column, size_t count)
{
	for (; count >= 4; count -= 4, column += 4)
		memset(column, 0, 4 * sizeof(*column));
	if (count & 2)
		memset(column, 0, 2 * sizeof(*column));
	if (count & 1)
		column[count & 2] = 0;
}

/*
 * Start the event of @kind, which has @size bytes of columns, and make the checks that all VMX
 * instructions but VMXON, VMCALL and VMFUNC share: in VMX operation, CPL 0. False: the fault is
 * injected, and EXIT_RESUME is what the handler returns.
 */
static ALWAYS_INLINE bool nested_insn_begin(struct percpu *cpu, u8 kind, size_t size)
{
	const u64 must = MASK(MODE_CPL + 1, MODE_CPL) | BIT(MODE_VMX_ROOT);
	const bool has_info = kind != EV_VMXOFF && kind != EV_VMLAUNCH && kind != EV_VMRESUME;
	const u64 mode = exit_insn_event(cpu, kind, has_info);

	nested_clear_columns((u64 *)(nested_insn(cpu) + 1),
			     (size - sizeof(struct ev_insn)) / sizeof(u64));
	return likely((mode & must) == BIT(MODE_VMX_ROOT)) || nested_insn_allowed(cpu);
}

static inline unsigned nested_cpl(struct percpu *cpu)
{
	return (unsigned)BITS(nested_insn(cpu)->mode, MODE_CPL + 1, MODE_CPL);
}

/* Not for VMCALL: the others are undefined in compatibility mode. */
static inline bool nested_is_64bit(struct percpu *cpu)
{
	const u64 both = BIT(MODE_LMA) | BIT(MODE_CS_L);

	return likely(cpu->nested.long_mode) || (nested_insn(cpu)->mode & both) == both;
}

/* All return EXIT_SKIP. nested_vmfail() is VMfailValid where there is a current VMCS. */
enum exit_action nested_vmsucceed(struct percpu *cpu);
enum exit_action nested_vmfail_invalid(struct percpu *cpu);
enum exit_action nested_vmfail(struct percpu *cpu, enum vmx_insn_error error);

/* Tell the tape that hv met something it held impossible: @code is enum nested_bug. */
enum nested_bug {
	BUG_ENTRY_REFUSED = 1, /* value: VM-instruction error */
	BUG_EPT_MISCONFIGURED, /* value: gpa2 */
};
void nested_report_bug(struct percpu *cpu, enum nested_bug code, u64 value);

#endif
