/*
 * replay/rule_l0_region.c - what VMCLEAR does to the header of a region; needs capture=+l0
 *
 * SDM, "Format of the VMCS Region": bytes 0-3 are software's.
 */
#include "replay/rule.h"

struct state {
	struct {
		struct model_place place; /* of the last VMCLEAR; nowhere: none to compare with */
		u64 pointer, dword0;
	} cpus[MODEL_MAX_CPUS];
};

static void report(const struct rule_run *run, const struct state *state)
{
	const struct ev_l0_region *const after = (const struct ev_l0_region *)run->event->col;
	const u64 before = state->cpus[run->event->cpu].dword0;
	struct finding *finding;

	finding = finding_add(run->findings, FINDING_L0_VMCLEAR_CLOBBERS_HEADER, 0);
	if (!finding)
		return;
	finding_title(finding, "VMCLEAR of 0x%llx changed bytes 0-3 from 0x%08llx to 0x%08llx",
		      (unsigned long long)after->pointer, (unsigned long long)before,
		      (unsigned long long)after->dword0);
	finding_evidence(finding, &state->cpus[run->event->cpu].place);
	finding_evidence(finding, &run->place);
	finding_explain(finding,
			"A VMPTRLD of the region now fails with error 11, unless L1 writes "
			"the revision identifier again.");
	finding_next(finding, "look at what L0 writes to the region at VMCLEAR");
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	const struct ev_vmclear *vmclear;
	const struct ev_l0_region *region;

	switch (run->event->kind) {
	case EV_VMCLEAR:
		vmclear = (const struct ev_vmclear *)run->event->col;
		state->cpus[run->event->cpu].place = run->place;
		state->cpus[run->event->cpu].pointer = vmclear->pointer;
		state->cpus[run->event->cpu].dword0 = vmclear->dword0;
		if (vmclear->outcome != OUTCOME_SUCCEED)
			state->cpus[run->event->cpu].place.kind = 0;
		return;
	case EV_L0_REGION:
		region = (const struct ev_l0_region *)run->event->col;
		if (model_place_is(&state->cpus[run->event->cpu].place) &&
		    region->pointer == state->cpus[run->event->cpu].pointer &&
		    region->dword0 != state->cpus[run->event->cpu].dword0)
			report(run, state);
		/* fall through */
	default:
		state->cpus[run->event->cpu].place.kind = 0;
		return;
	}
}

const struct rule rule_l0_region = {
	.kinds = RULE_KIND(VMCLEAR) | RULE_KIND(L0_REGION) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
