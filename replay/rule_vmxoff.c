/*
 * replay/rule_vmxoff.c - VMXOFF while a VMCS is active: its data may be lost
 */
#include "replay/rule.h"

static void event(const struct rule_run *run, void *state)
{
	const struct model_region *region, *first = NULL;
	struct finding *finding;
	unsigned count = 0;
	size_t at = 0;

	(void)state;
	if (rule_insn(run)->outcome != OUTCOME_SUCCEED)
		return;
	while ((region = model_next_region(run->model, &at)))
		if (region->active == MODEL_YES && region->active_cpu == run->event->cpu) {
			first = first ? first : region;
			count++;
		}
	if (!count)
		return;
	finding = finding_add(run->findings, FINDING_VMXOFF_ACTIVE_VMCS, run->event->rip);
	if (!finding)
		return;
	if (count == 1)
		finding_title(finding, "VMXOFF while VMCS 0x%llx was active",
			      (unsigned long long)first->pointer);
	else
		finding_title(finding, "VMXOFF while %u VMCSs were active, 0x%llx among them",
			      count, (unsigned long long)first->pointer);
	for (at = 0; (region = model_next_region(run->model, &at));)
		if (region->active == MODEL_YES && region->active_cpu == run->event->cpu &&
		    finding->evidence_count + 1 < FINDING_MAX_EVIDENCE)
			finding_evidence(finding, &region->active_place);
	finding_evidence(finding, &run->place);
	finding_explain(finding,
			"The processor may keep the data of an active VMCS to itself; what is in "
			"memory after VMXOFF may be old or corrupt.");
	finding_next(finding, "VMCLEAR every active VMCS before VMXOFF");
}

const struct rule rule_vmxoff = {
	.kinds = RULE_KIND(VMXOFF),
	.event = event,
};
