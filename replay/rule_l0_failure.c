/*
 * replay/rule_l0_failure.c - a VM entry that fails with an exit, and what it leaves in VMCS12
 *
 * SDM, "VM-Entry Failures During or After Loading Guest State": of the VMCS, the exit reason and
 * the exit qualification.
 */
#include "replay/l0_view.h"

static bool may_change(u32 id)
{
	return id == VMCS_EXIT_REASON || id == VMCS_EXIT_QUALIFICATION;
}

/* The platform may be known to; the MSR-store list is no part of the VMCS. */
static const struct erratum *erratum_of(const struct rule_run *run, const struct trace_item *item)
{
	const struct errata_platforms platforms =
		errata_platforms_of(&run->model->real, &run->model->shown);

	if (item->id == ITEM_LAUNCHED)
		return errata_explain_exit(platforms, EXIT_CHECK_FAILURE_KEEPS_LAUNCH_STATE);
	return item->id < ITEM_REG ? errata_explain_exit(platforms, EXIT_CHECK_FAILURE_KEEPS_VMCS)
				   : NULL;
}

static void report(const struct rule_run *run, const struct trace_item *item)
{
	const u64 reason = ((const struct ev_l2_exit *)run->event->col)->reason;
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	const int index = item->id < ITEM_REG ? vmcs_field_index(item->id) : -1;
	struct finding *const finding =
		finding_add(run->findings, FINDING_L0_ENTRY_FAIL_SIDE_EFFECT, item->id);
	u64 before;

	if (!finding)
		return;
	finding_title(finding, "A VM entry failed with exit reason 0x%llx and changed %s",
		      (unsigned long long)reason,
		      index >= 0		  ? vmcs_fields[index].name
		      : item->id == ITEM_LAUNCHED ? "the launch state"
						  : "the MSR-store list");
	finding_evidence(finding, &run->place);
	if (index >= 0 && region && model_field(region, index, ~0ull, &before))
		finding_note(finding, "%s was 0x%llx and is 0x%llx", vmcs_fields[index].name,
			     (unsigned long long)before, (unsigned long long)item->value);
	finding_explain(finding, "L1 that corrects its mistake enters with what L0 left.");
	finding_next(finding, "save nothing at such an exit but its reason and qualification");
	rule_explain(finding, erratum_of(run, item));
}

static void event(const struct rule_run *run, void *state)
{
	const struct trace_event *const event = run->event;

	(void)state;
	if (likely(!(((const struct ev_l2_exit *)event->col)->reason & EXIT_REASON_ENTRY_FAILURE)))
		return;
	for (u32 i = 0; i < event->item_count; i++) {
		const u32 id = event->items[i].id;

		if ((id < ITEM_REG && !may_change(id)) || id == ITEM_LAUNCHED ||
		    (id >= ITEM_MSR_STORE && id < ITEM_MSR_HOST))
			report(run, &event->items[i]);
	}
}

const struct rule rule_l0_failure = {
	.kinds = RULE_KIND(L2_EXIT),
	.event = event,
};
