#include "hv/nested/outcome.h"

#include "hv/fault.h"
#include "hv/insn.h"

#define RFLAGS_CF     BIT(0)
#define RFLAGS_ZF     BIT(6)
#define RFLAGS_STATUS (RFLAGS_CF | BIT(2) | BIT(4) | RFLAGS_ZF | BIT(7) | BIT(11))

bool nested_insn_allowed(struct percpu *cpu)
{
	if (cpu->nested.mode == NESTED_OFF) {
		exit_inject_ud(cpu);
		return false;
	}
	if (nested_cpl(cpu) && !hv_fault(NO_CPL_CHECK)) {
		exit_inject_gp(cpu);
		return false;
	}
	return true;
}

static enum exit_action finish(struct percpu *cpu, enum trace_outcome outcome, u64 flags)
{
	struct ev_insn *insn = nested_insn(cpu);
	const u64 after = (insn->rflags & ~RFLAGS_STATUS) | flags;

	insn->outcome = outcome;
	insn->rflags_after = after;
	if (after != insn->rflags)
		vmwrite(VMCS_GUEST_RFLAGS, after);
	return EXIT_SKIP;
}

enum exit_action nested_vmsucceed(struct percpu *cpu)
{
	return finish(cpu, OUTCOME_SUCCEED, 0);
}

enum exit_action nested_vmfail_invalid(struct percpu *cpu)
{
	return finish(cpu, OUTCOME_FAIL_INVALID, RFLAGS_CF);
}

enum exit_action nested_vmfail(struct percpu *cpu, enum vmx_insn_error error)
{
	struct nested_vmcs *current = cpu->nested.current;

	if (!current || hv_fault(VMFAIL_INVALID_ONLY))
		return nested_vmfail_invalid(cpu);
	nested_field_set(current, VMCS_IX_VM_INSTRUCTION_ERROR, error);
	nested_insn(cpu)->error = error;
	return finish(cpu, OUTCOME_FAIL_VALID, RFLAGS_ZF);
}

void nested_report_bug(struct percpu *cpu, enum nested_bug code, u64 value)
{
	const struct pending_event saved = cpu->pending;
	struct ev_hv_bug *bug = (void *)exit_event(cpu, EV_HV_BUG, 0);

	bug->code = code;
	bug->value = value;
	exit_emit(cpu);
	cpu->pending = saved;
}
