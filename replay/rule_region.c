/*
 * replay/rule_region.c - VMCS regions treated as if they were plain memory, or on two processors
 *
 * While a VMCS is active, the processor may have it anywhere: in its memory, or in itself. Only
 * that processor may touch it, and only by VMX instructions.
 */
#include "replay/rule.h"
#include "vmx/tables.h"

static void active_twice(const struct rule_run *run)
{
	const struct ev_vmptrld *const vmptrld = (const struct ev_vmptrld *)run->event->col;
	const struct model_region *const region = model_region(run->model, vmptrld->pointer);
	struct finding *finding;

	if (vmptrld->outcome != OUTCOME_SUCCEED || !region || region->active != MODEL_YES ||
	    region->active_cpu == run->event->cpu)
		return;
	finding = finding_add(run->findings, FINDING_VMCS_ACTIVE_TWICE, run->event->rip);
	if (!finding)
		return;
	finding_title(finding, "CPU %u made VMCS 0x%llx current while it was active on CPU %u",
		      run->event->cpu, (unsigned long long)vmptrld->pointer, region->active_cpu);
	finding_evidence(finding, &region->active_place);
	finding_evidence(finding, &run->place);
	finding_note(finding, "no VMCLEAR 0x%llx between the two",
		     (unsigned long long)vmptrld->pointer);
	finding_explain(finding,
			"CPU %u may hold newer values of its fields than memory does, and "
			"may write them over those of CPU %u later.",
			region->active_cpu, run->event->cpu);
	finding_next(finding, "VMCLEAR the region on CPU %u before VMPTRLD on CPU %u",
		     region->active_cpu, run->event->cpu);
}

static void plain_access(const struct rule_run *run)
{
	const struct ev_vmcs12_write *const write = (const struct ev_vmcs12_write *)run->event->col;
	const struct model_region *const region = model_region(run->model, write->vmcs);
	const int index = vmcs_field_index(write->field);
	const char *const name = index < 0 ? "a field without a name" : vmcs_fields[index].name;
	struct finding *finding;

	if (write->origin != ORIGIN_MEMORY || !region || region->active != MODEL_YES)
		return;
	finding = finding_add(run->findings, FINDING_VMCS_PLAIN_ACCESS, write->vmcs);
	if (!finding)
		return;
	finding_title(finding, "Memory of VMCS 0x%llx was written while it was active",
		      (unsigned long long)write->vmcs);
	finding_evidence(finding, &region->active_place);
	finding_evidence(finding, &run->place);
	finding_note(finding, "where %s (0x%04llx) was, 0x%llx has become 0x%llx", name,
		     (unsigned long long)write->field, (unsigned long long)write->old,
		     (unsigned long long)write->value);
	finding_explain(finding,
			"The format of a VMCS is the processor's own: a store to it changes "
			"nothing, or any field, or is undone by the processor.");
	finding_next(finding,
		     "use VMREAD and VMWRITE; look for a stray pointer into the page at 0x%llx",
		     (unsigned long long)write->vmcs);
	finding_unknown(finding, "which instruction stored it: between TSC 0x%llx and 0x%llx",
			(unsigned long long)write->since_tsc, (unsigned long long)run->event->tsc);
}

static void event(const struct rule_run *run, void *state)
{
	(void)state;
	if (run->event->kind == EV_VMPTRLD)
		active_twice(run);
	else
		plain_access(run);
}

const struct rule rule_region = {
	.kinds = RULE_KIND(VMPTRLD) | RULE_KIND(VMCS12_WRITE),
	.event = event,
};
