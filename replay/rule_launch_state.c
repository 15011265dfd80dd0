/*
 * replay/rule_launch_state.c - VMLAUNCH of a launched VMCS, VMRESUME of a clear one
 */
#include "replay/rule.h"
#include "vmx/tables.h"

static void event(const struct rule_run *run, void *state)
{
	const struct ev_insn *const insn = rule_insn(run);
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	const bool launch = run->event->kind == EV_VMLAUNCH;
	const unsigned error = launch ? VMERR_VMLAUNCH_NOT_CLEAR : VMERR_VMRESUME_NOT_LAUNCHED;
	struct finding *finding;
	bool known;

	(void)state;
	/* Where the model expects something else, the fault is not L1's. */
	if (insn->outcome != OUTCOME_FAIL_VALID || insn->error != error ||
	    run->verdict == VERDICT_DIVERGE)
		return;
	finding = finding_add(run->findings, FINDING_LAUNCH_STATE,
			      run->event->rip ^ (u64)error << 48);
	if (!finding)
		return;
	known = region && region->launch == (launch ? LAUNCH_LAUNCHED : LAUNCH_CLEAR) &&
		model_place_is(&region->launch_place);
	finding_title(finding, "%s of VMCS 0x%llx, which is %s%s%s",
		      launch ? "VMLAUNCH" : "VMRESUME", (unsigned long long)insn->vmcs,
		      launch ? "launched" : "clear", known ? " since " : "",
		      known ? rule_position(&region->launch_place) : "");
	if (known)
		finding_evidence(finding, &region->launch_place);
	finding_evidence(finding, &run->place);
	finding_explain(finding, "The entry failed with error %u and L2 did not run.", error);
	if (launch)
		finding_next(finding, "use VMRESUME, or VMCLEAR the VMCS first");
	else
		finding_next(finding, "use VMLAUNCH after a VMCLEAR%s%s",
			     known ? ", here the one at " : "",
			     known ? rule_position(&region->launch_place) : "");
	if (!known) {
		finding->confidence = CONFIDENCE_MEDIUM;
		finding_unknown(finding, "what put the VMCS into that state");
	}
}

const struct rule rule_launch_state = {
	.kinds = RULE_KIND(VMLAUNCH) | RULE_KIND(VMRESUME),
	.event = event,
};
