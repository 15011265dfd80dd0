/*
 * replay/rule_vmxon.c - VMXON that could not work: in VMX operation, where a second hypervisor
 * wants the same processor; with a CR0 or CR4 that VMX operation does not take; or where firmware
 * did not allow it
 */
#include "replay/rule.h"
#include "vmx/value_text.h"

#define VECTOR_UD	       6
#define VECTOR_GP	       13
#define CR4_VMXE	       BIT(13)
#define FEATURE_CONTROL_LOCKED BIT(0)
#define FEATURE_CONTROL_VMXON  BIT(2)
#define CPL		       MASK(MODE_CPL + 1, MODE_CPL)

struct state {
	struct {
		struct model_place cr0, cr4, feature_control; /* last write on this CPU */
	} cpus[MODEL_MAX_CPUS];
};

static void in_root(const struct rule_run *run)
{
	const struct model_cpu *const cpu = rule_cpu(run);
	struct finding *const finding =
		finding_add(run->findings, FINDING_VMXON_IN_ROOT, run->event->rip);

	if (!finding)
		return;
	finding_title(finding, "CPU %u executed VMXON while in VMX operation", run->event->cpu);
	finding_evidence(finding, &cpu->vmxon_place);
	finding_evidence(finding, &run->place);
	if (model_place_is(&cpu->vmxon_place) && cpu->vmxon_place.rip != run->event->rip)
		finding_note(finding, "the two VMXON instructions stand 0x%llx bytes apart",
			     (unsigned long long)(MAX(cpu->vmxon_place.rip, run->event->rip) -
						  MIN(cpu->vmxon_place.rip, run->event->rip)));
	else if (!model_place_is(&cpu->vmxon_place))
		finding_unknown(finding, "where VMX operation was entered: before the tape began");
	finding_explain(
		finding,
		"It must fail: with error 15 when there is a current VMCS, as VMfailInvalid "
		"otherwise. Whoever executed it has no VMX.");
	finding_next(finding,
		     "see by RIP whether two modules want the processor; only one can have it");
}

/* --- CR0 and CR4 ------------------------------------------------------------------------------ */

/* What VMX operation wants of a register and it has not. */
struct demand {
	const char *name;
	enum vmx_value_kind kind;
	enum vmx_cap fixed0; /* the MSR behind it is FIXED1 */
	u64 value;
	u64 missing, excess;
};

static void bad_register(const struct rule_run *run, const struct demand *demand,
			 const struct model_place *write)
{
	const unsigned long long fixed0 = run->model->shown.msr[demand->fixed0];
	const unsigned long long fixed1 = run->model->shown.msr[demand->fixed0 + 1];
	const u64 wrong = demand->missing ? demand->missing : demand->excess;
	struct finding *const finding =
		finding_add(run->findings, FINDING_VMXON_BAD_CR, wrong ^ (u64)demand->kind << 56);
	char bits[128];

	if (!finding)
		return;
	vmx_decode(bits, sizeof(bits), demand->kind, wrong, NULL);
	finding_title(finding, "VMXON with %s = 0x%llx: %s must be %u", demand->name,
		      (unsigned long long)demand->value, bits, demand->missing != 0);
	finding_evidence(finding, write);
	finding_evidence(finding, &run->place);
	finding_note(finding, "%s = 0x%llx, %s = 0x%llx: wrong is 0x%llx",
		     vmx_msr_name(MSR_VMX_BASIC + demand->fixed0), fixed0,
		     vmx_msr_name(MSR_VMX_BASIC + demand->fixed0 + 1), fixed1,
		     (unsigned long long)(demand->missing | demand->excess));
	finding_explain(finding, "The VMXON raised %s and VMX operation was not entered.",
			rule_insn(run)->error == VECTOR_UD ? "#UD" : "#GP(0)");
	finding_next(finding, "%s %s of %s before VMXON", demand->missing ? "set" : "clear", bits,
		     demand->name);
}

static void judge_register(const struct rule_run *run, struct demand demand,
			   const struct model_place *write)
{
	const struct vmx_caps *const caps = &run->model->shown;

	if (!(caps->known >> demand.fixed0 & 1) || !(caps->known >> (demand.fixed0 + 1) & 1))
		return;
	demand.missing = caps->msr[demand.fixed0] & ~demand.value;
	demand.excess = demand.value & ~caps->msr[demand.fixed0 + 1];
	if (demand.missing | demand.excess)
		bad_register(run, &demand, write);
}

/* --- IA32_FEATURE_CONTROL --------------------------------------------------------------------- */

static void not_allowed(const struct rule_run *run, u64 value, const struct model_place *write)
{
	const bool locked = value & FEATURE_CONTROL_LOCKED;
	struct finding *const finding =
		finding_add(run->findings, FINDING_VMXON_FEATURE_CONTROL, locked);

	if (!finding)
		return;
	finding_title(finding, "VMXON with IA32_FEATURE_CONTROL = 0x%llx: %s",
		      (unsigned long long)value,
		      locked ? "VMXON outside SMX is disabled, and the MSR is locked"
			     : "the lock bit is 0");
	finding_evidence(finding, write);
	finding_evidence(finding, &run->place);
	finding_explain(finding, "The VMXON raised #GP(0) and VMX operation was not entered.");
	finding_next(finding, locked ? "enable VT-x in the firmware: the MSR cannot be written "
				       "before the next reset"
				     : "write 5 to IA32_FEATURE_CONTROL before VMXON");
}

static void faulted(const struct rule_run *run, const struct state *state)
{
	const struct ev_vmxon *const vmxon = (const struct ev_vmxon *)run->event->col;
	const u64 wanted = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMXON;
	struct demand cr0 = { "CR0", VMX_VALUE_CR0, VMX_CAP_CR0_FIXED0, vmxon->cr0, 0, 0 };
	struct demand cr4 = { "CR4", VMX_VALUE_CR4, VMX_CAP_CR4_FIXED0, vmxon->cr4, 0, 0 };
	const struct model_place *const write4 = &state->cpus[run->event->cpu].cr4;

	if (vmxon->error == VECTOR_UD && !(vmxon->cr4 & CR4_VMXE)) {
		judge_register(run, cr4, write4);
		return;
	}
	if (vmxon->error != VECTOR_GP || vmxon->mode & CPL || rule_cpu(run)->in_vmx != MODEL_NO)
		return;
	judge_register(run, cr0, &state->cpus[run->event->cpu].cr0);
	judge_register(run, cr4, write4);
	if ((vmxon->feature_control & wanted) != wanted)
		not_allowed(run, vmxon->feature_control,
			    &state->cpus[run->event->cpu].feature_control);
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	const u64 *const col = run->event->col;

	if (run->event->kind == EV_CR_WRITE) {
		if (((const struct ev_cr_write *)col)->cr == 0)
			state->cpus[run->event->cpu].cr0 = run->place;
		else
			state->cpus[run->event->cpu].cr4 = run->place;
	} else if (run->event->kind == EV_MSR_WRITE) {
		if (((const struct ev_msr_write *)col)->msr == MSR_FEATURE_CONTROL)
			state->cpus[run->event->cpu].feature_control = run->place;
	} else if (rule_insn(run)->outcome == OUTCOME_FAULT) {
		faulted(run, state);
	} else if (rule_insn(run)->outcome != OUTCOME_SUCCEED &&
		   rule_cpu(run)->in_vmx == MODEL_YES) {
		in_root(run);
	}
}

const struct rule rule_vmxon = {
	.kinds = RULE_KIND(VMXON) | RULE_KIND(CR_WRITE) | RULE_KIND(MSR_WRITE),
	.state_size = sizeof(struct state),
	.event = event,
};
