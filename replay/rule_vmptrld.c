/*
 * replay/rule_vmptrld.c - VMPTRLD of a region that was never VMCLEARed
 *
 * It works on most processors, since the launch state is whatever memory held; until it does not. A
 * note, and a warning once L1 enters L2 with such a region.
 */
#include "replay/rule.h"

#define MAX_REGIONS 64

struct state {
	struct {
		u64 pointer;
		u64 key;
		bool entered;
	} regions[MAX_REGIONS];
	unsigned count;
};

static enum model_truth was_cleared(const struct model *model, const struct model_region *region)
{
	if (region)
		return region->cleared;
	return model->from_start && !model->forgot ? MODEL_NO : MODEL_UNKNOWN;
}

static void remember(struct state *state, u64 pointer, u64 key)
{
	for (unsigned i = 0; i < state->count; i++)
		if (state->regions[i].pointer == pointer)
			return;
	if (state->count == MAX_REGIONS)
		return;
	state->regions[state->count].pointer = pointer;
	state->regions[state->count++].key = key;
}

static void on_vmptrld(const struct rule_run *run, struct state *state)
{
	const struct ev_vmptrld *const vmptrld = (const struct ev_vmptrld *)run->event->col;
	const struct model_region *const region = model_region(run->model, vmptrld->pointer);
	struct finding *finding;
	bool was_lost;
	u64 key;

	if (vmptrld->outcome != OUTCOME_SUCCEED || was_cleared(run->model, region) != MODEL_NO)
		return;
	was_lost = region && model_place_is(&region->clear_place);
	key = run->event->rip ^ (u64)was_lost << 63;
	remember(state, vmptrld->pointer, key);
	finding = finding_add(run->findings, FINDING_VMPTRLD_NO_VMCLEAR, key);
	if (!finding)
		return;
	finding_title(finding, "VMCS 0x%llx was made current without VMCLEAR",
		      (unsigned long long)vmptrld->pointer);
	finding_evidence(finding, &rule_cpu(run)->vmxon_place);
	if (was_lost) {
		finding_evidence(finding, &region->clear_place);
		finding_evidence(finding, &rule_cpu(run)->vmxoff_place);
		finding_note(finding, "the VMXOFF found it active, so that VMCLEAR counts no more");
	} else {
		finding_note(finding, "no VMCLEAR 0x%llx from the start of the tape to %s",
			     (unsigned long long)vmptrld->pointer, rule_position(&run->place));
	}
	finding_evidence(finding, &run->place);
	finding_note(finding, "dword0 = 0x%08llx (%s)", (unsigned long long)vmptrld->dword0,
		     run->verdict == VERDICT_AGREE ? "revision ok" : "revision not checked");
	finding_explain(finding,
			"The launch state and every field are undefined: a VM entry may fail with "
			"error 4 or 5, or run with fields nobody wrote.");
	finding_next(finding, "VMCLEAR the region before its first VMPTRLD, at %s",
		     rule_position(&run->place));
	finding_unknown(finding, "what the region held before");
}

/* SDM, "Initializing a VMCS": now the undefined state matters. */
static void on_entry(const struct rule_run *run, struct state *state)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	struct finding *finding;

	if (!region || region->cleared != MODEL_NO)
		return;
	for (unsigned i = 0; i < state->count; i++) {
		if (state->regions[i].pointer != region->pointer || state->regions[i].entered)
			continue;
		state->regions[i].entered = true;
		finding = finding_find(run->findings, FINDING_VMPTRLD_NO_VMCLEAR,
				       state->regions[i].key);
		if (!finding || finding->severity >= SEVERITY_WARNING)
			return;
		finding->severity = SEVERITY_WARNING;
		finding_evidence(finding, &run->place);
	}
}

static void event(const struct rule_run *run, void *state)
{
	if (run->event->kind == EV_VMPTRLD)
		on_vmptrld(run, state);
	else
		on_entry(run, state);
}

const struct rule rule_vmptrld = {
	.kinds = RULE_KIND(VMPTRLD) | RULE_KIND(VMLAUNCH) | RULE_KIND(VMRESUME),
	.state_size = sizeof(struct state),
	.event = event,
};
