/*
 * replay/rule_vpid.c - two VMCSs with one VPID and different page tables, and no INVVPID between
 *
 * What the processor caches of linear addresses is tagged by VPID, PCID and EPT root. VM entry does
 * not flush it when VPIDs are on: the second VMCS may see translations of the first.
 */
#include "replay/rule.h"

#define SLOTS	  256
#define FRAME	  MASK(51, 12)
#define CR4_PCIDE BIT(17)
#define NO_EPT	  (~0ull)

struct use {
	u16 cpu;
	u64 vpid;
	u64 root; /* bits 51:12 of the EPTP, NO_EPT */
	u64 cr3;
	u64 pcid;
	u64 vmcs;
	struct model_place place; /* of the entry; nowhere: the slot is empty */
};

/* By CPU and VPID; of two that fall together the older one is forgotten. */
struct state {
	struct use uses[SLOTS];
};

static struct use *slot_of(struct state *state, u16 cpu, u64 vpid)
{
	return &state->uses[(vpid + 61ull * cpu) % SLOTS];
}

static bool describe(const struct model_region *region, struct use *use)
{
	u64 cr3, cr4, eptp;
	enum model_truth ept;

	if (model_control(region, VMX_WORD_SECONDARY, SECONDARY_VPID) != MODEL_YES)
		return false;
	ept = model_control(region, VMX_WORD_SECONDARY, SECONDARY_EPT);
	if (ept == MODEL_UNKNOWN || !model_field(region, VMCS_IX_VPID, ~0ull, &use->vpid) ||
	    !model_field(region, VMCS_IX_GUEST_CR3, ~0ull, &cr3) ||
	    !model_field(region, VMCS_IX_GUEST_CR4, CR4_PCIDE, &cr4) ||
	    !model_field(region, VMCS_IX_EPT_POINTER, ept == MODEL_YES ? FRAME : 0, &eptp))
		return false;
	use->root = ept == MODEL_YES ? eptp & FRAME : NO_EPT;
	use->cr3 = cr3 & FRAME;
	use->pcid = cr4 & CR4_PCIDE ? cr3 & ~FRAME & MASK(11, 0) : 0;
	use->vmcs = region->pointer;
	return true;
}

static void report(const struct rule_run *run, const struct use *old, const struct use *new)
{
	struct finding *const finding =
		finding_add(run->findings, FINDING_VPID_REUSE_NO_INVVPID, new->vpid);

	if (!finding)
		return;
	finding_title(finding,
		      "VMCS 0x%llx runs with VPID %llu, which VMCS 0x%llx used with other "
		      "page tables",
		      (unsigned long long)new->vmcs, (unsigned long long)new->vpid,
		      (unsigned long long)old->vmcs);
	finding_evidence(finding, &old->place);
	finding_evidence(finding, &run->place);
	finding_note(finding, "guest_cr3 was 0x%llx and is 0x%llx", (unsigned long long)old->cr3,
		     (unsigned long long)new->cr3);
	if (new->root == NO_EPT)
		finding_note(finding, "both with PCID 0x%llx and without EPT",
			     (unsigned long long)new->pcid);
	else
		finding_note(finding, "both with PCID 0x%llx and EPT at 0x%llx",
			     (unsigned long long)new->pcid, (unsigned long long)new->root);
	finding_note(finding, "no INVVPID of this VPID between %s and %s",
		     rule_position(&old->place), rule_position(&run->place));
	finding_explain(finding,
			"Translations of the one guest may be used for linear addresses of "
			"the other.");
	finding_next(finding,
		     "give each virtual processor a VPID of its own, or INVVPID type 1 with "
		     "VPID %llu before %s",
		     (unsigned long long)new->vpid, rule_position(&run->place));
	finding_unknown(finding, "whether a cached translation was used");
	finding->confidence = CONFIDENCE_MEDIUM;
}

/* The page tables that the other VMCS would go on with. */
static bool still_uses(const struct rule_run *run, const struct use *old)
{
	const struct model_region *const region = model_region(run->model, old->vmcs);
	u64 cr3;

	return region && model_field(region, VMCS_IX_GUEST_CR3, ~0ull, &cr3) &&
	       (cr3 & FRAME) == old->cr3;
}

static void on_entry(const struct rule_run *run, struct state *state)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	struct use now, *old;

	if (!region || !describe(region, &now))
		return;
	now.cpu = run->event->cpu;
	now.place = run->place;
	old = slot_of(state, now.cpu, now.vpid);
	if (model_place_is(&old->place) && old->cpu == now.cpu && old->vpid == now.vpid &&
	    old->root == now.root && old->pcid == now.pcid && old->vmcs != now.vmcs &&
	    old->cr3 != now.cr3 && still_uses(run, old))
		report(run, old, &now);
	*old = now;
}

/* What an event takes away from what may be cached. */
static bool drops(const struct trace_event *event, const struct use *use)
{
	const struct ev_invvpid *const inv = (const struct ev_invvpid *)event->col;
	enum { ADDRESS, SINGLE, ALL };

	if (use->cpu != event->cpu)
		return false;
	if (event->kind == EV_GAP)
		return true;
	if (inv->outcome != OUTCOME_SUCCEED)
		return false;
	switch (event->kind) {
	case EV_INVVPID:
		return inv->type != ADDRESS &&
		       (inv->type == ALL || use->vpid == (inv->descriptor_low & 0xffff));
	case EV_INVEPT:
		/* Translations through EPT, whatever their VPID. */
		return use->root != NO_EPT &&
		       (inv->type != SINGLE || use->root == (inv->descriptor_low & FRAME));
	default:
		return true;
	}
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;

	if (run->event->kind == EV_L2_ENTRY) {
		on_entry(run, state);
		return;
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (model_place_is(&state->uses[i].place) && drops(run->event, &state->uses[i]))
			state->uses[i].place.kind = 0;
}

const struct rule rule_vpid = {
	.kinds = RULE_KIND(L2_ENTRY) | RULE_KIND(INVVPID) | RULE_KIND(INVEPT) | RULE_KIND(VMXOFF) |
		 RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
