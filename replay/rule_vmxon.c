/*
 * replay/rule_vmxon.c - VMXON in VMX operation: a second hypervisor on the same processor
 */
#include "replay/rule.h"

static void event(const struct rule_run *run, void *state)
{
	const struct model_cpu *const cpu = rule_cpu(run);
	const struct ev_insn *const insn = rule_insn(run);
	struct finding *finding;

	(void)state;
	if (cpu->in_vmx != MODEL_YES || insn->outcome == OUTCOME_SUCCEED ||
	    insn->outcome == OUTCOME_FAULT)
		return;
	finding = finding_add(run->findings, FINDING_VMXON_IN_ROOT, run->event->rip);
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

const struct rule rule_vmxon = {
	.kinds = RULE_KIND(VMXON),
	.event = event,
};
