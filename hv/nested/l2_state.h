/*
 * hv/nested/l2_state.h - what an exit of L2 to L1 saves: from VMCS02 into VMCS12
 *
 * SDM, "Saving Guest State". Each field that changed is an item of the l2_exit to come; VMCS02 is
 * current. What L2 has no way to change without an exit is not read.
 */
#ifndef HV_NESTED_L2_STATE_H
#define HV_NESTED_L2_STATE_H

#include "hv/insn.h"
#include "hv/percpu.h"

/* Field @ix of the current VMCS12 gets another value, which VMCS02 has: it does not become dirty.
 */
void l2_state_changed(struct nested *nested, unsigned ix, u64 value);

/* The same for one that may be the old one. */
static inline void l2_state_set(struct nested *nested, unsigned ix, u64 value)
{
	if (unlikely(nested->current->field[ix] != value))
		l2_state_changed(nested, ix, value);
}

/* Field @ix as it is in VMCS02. */
static inline void l2_state_copy(struct nested *nested, unsigned ix)
{
	l2_state_set(nested, ix, vmread(vmcs_fields[ix].encoding));
}

#define L2_STATE_REASON(NAME) BIT(EXIT_##NAME)

/* Exits by instructions, before they do anything. @reason may be any. */
static inline bool l2_state_is_of_insn(u32 reason)
{
	const u64 insns =
		MASK(EXIT_WRMSR, EXIT_CPUID) | L2_STATE_REASON(MWAIT) | L2_STATE_REASON(MONITOR) |
		L2_STATE_REASON(PAUSE) | L2_STATE_REASON(GDTR_IDTR) | L2_STATE_REASON(LDTR_TR) |
		L2_STATE_REASON(INVEPT) | L2_STATE_REASON(RDTSCP) | L2_STATE_REASON(INVVPID) |
		L2_STATE_REASON(WBINVD) | L2_STATE_REASON(XSETBV) | L2_STATE_REASON(RDRAND) |
		L2_STATE_REASON(INVPCID) | L2_STATE_REASON(VMFUNC) | L2_STATE_REASON(RDSEED) |
		L2_STATE_REASON(XSAVES);

	return reason < 64 && insns >> reason & 1;
}
#undef L2_STATE_REASON

/* Save what L1 asks for. @made: hv makes the exit, and the processor made none, or another. */
void l2_state_save(struct percpu *cpu, bool made);

/*
 * Note fields that the exit saved or told unchanged too: for the first exit since the VMCS12 became
 * active, of which the tape may know nothing.
 */
void l2_state_tell_unchanged(struct nested *nested);

/* MSRs of L2 at the exit. */
u64 l2_state_efer(const struct nested_vmcs *vmcs);
u64 l2_state_pat(const struct nested_vmcs *vmcs);

#endif
