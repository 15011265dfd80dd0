/*
 * replay/rule_l0_pdpte.c - the PDPTEs of an L2 with PAE paging and without EPT; needs capture=+l0
 *
 * A VM entry takes them from memory at CR3; the processor takes them from VMCS02, since L0 runs L2
 * with EPT. What memory held is on the tape with the entry.
 */
#include "replay/l0_view.h"

#define PDPTES	   4
#define PRESENT	   BIT(0)
#define MEANINGFUL (~MASK(11, 9)) /* the processor ignores bits 11:9 */

struct state {
	struct {
		struct model_place place; /* of the l0_entry; nowhere: none to compare with */
		u8 known;
		u64 pdpte[PDPTES];
	} cpus[MODEL_MAX_CPUS];
};

static void keep(const struct rule_run *run, struct state *state)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);

	state->cpus[run->event->cpu].place.kind = 0;
	if (!region || l0_is_resumed(run->event) ||
	    model_control(region, VMX_WORD_SECONDARY, SECONDARY_EPT) != MODEL_NO)
		return;
	state->cpus[run->event->cpu].place = run->place;
	state->cpus[run->event->cpu].known = 0;
	for (int i = 0; i < PDPTES; i++)
		if (l0_vmcs02(run->event, region, VMCS_IX_GUEST_PDPTE0 + i,
			      &state->cpus[run->event->cpu].pdpte[i]))
			state->cpus[run->event->cpu].known |= (u8)BIT(i);
}

static void compare(const struct rule_run *run, const struct state *state, unsigned i)
{
	const u64 used = state->cpus[run->event->cpu].pdpte[i];
	struct finding *finding;
	u64 memory;

	if (!(state->cpus[run->event->cpu].known >> i & 1) ||
	    !l0_item(run->event, ITEM_PDPTE + i, &memory) ||
	    !((used ^ memory) & (memory & PRESENT ? MEANINGFUL : PRESENT)))
		return;
	finding = finding_add(run->findings, FINDING_L0_PDPTE, 0);
	if (!finding)
		return;
	finding_title(finding, "PDPTE%u is 0x%llx in memory, and L2 runs with 0x%llx", i,
		      (unsigned long long)memory, (unsigned long long)used);
	finding_evidence(finding, &state->cpus[run->event->cpu].place);
	finding_evidence(finding, &run->place);
	finding_explain(finding, "L2 faults at its first access, mostly with a triple fault.");
	finding_next(finding, "copy 32 bytes at CR3[31:5] of L2 to the four fields of VMCS02");
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;

	if (run->event->kind == EV_L0_ENTRY) {
		keep(run, state);
		return;
	}
	if (run->event->kind == EV_L2_ENTRY && model_place_is(&state->cpus[run->event->cpu].place))
		for (unsigned i = 0; i < PDPTES; i++)
			compare(run, state, i);
	state->cpus[run->event->cpu].place.kind = 0;
}

const struct rule rule_l0_pdpte = {
	.kinds = RULE_KIND(L0_ENTRY) | RULE_KIND(L2_ENTRY) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
