/*
 * replay/rule_l0_flush.c - translations that L0 keeps where they are to be dropped; needs
 * capture=+l0
 *
 * L0 runs L1 and L2 with VPIDs and EPTs of its own, so what the processor would drop by itself, or
 * by L1's INVEPT, L0 has to drop. SDM, "Operations that Invalidate Cached Mappings".
 */
#include "replay/l0_view.h"

#define INVEPT_ALL  2
#define EPT_ADDRESS MASK(51, 12)

struct cpu_state {
	bool knows_vpid;
	u64 last_vpid12, last_vpid02; /* of the last entry */
	struct model_place last_entry;
	struct model_place invept; /* since which L2 did not run; nowhere: none */
	u64 invept_type, invept_eptp;
};

struct state {
	struct cpu_state cpus[MODEL_MAX_CPUS];
};

static void kept(const struct rule_run *run, const struct model_place *since, const char *what,
		 const char *why)
{
	struct finding *const finding =
		finding_add(run->findings, FINDING_L0_NO_FLUSH_ON_TRANSITION,
			    (u64)run->event->kind << 8 | (u64)why[0]);

	if (!finding)
		return;
	finding_title(finding, "L0 kept the translations of %s over a VM %s %s", what,
		      run->event->kind == EV_L0_HOST ? "exit" : "entry", why);
	finding_evidence(finding, since);
	finding_evidence(finding, &run->place);
	finding_note(finding, "flushed = 0: no INVVPID for it since it ran");
	finding_explain(finding,
			"A page that was mapped elsewhere in the meantime is still reached "
			"where it was.");
	finding_next(finding, "execute INVVPID single-context for the VPID that L0 uses there");
}

static void on_entry(const struct rule_run *run, struct cpu_state *cpu,
		     const struct model_region *region)
{
	const struct ev_l0_entry *const entry = (const struct ev_l0_entry *)run->event->col;
	const enum model_truth has_vpid = model_control(region, VMX_WORD_SECONDARY, SECONDARY_VPID);
	u64 vpid12 = 0, vpid02;

	if (has_vpid == MODEL_UNKNOWN || !l0_vmcs02(run->event, region, VMCS_IX_VPID, &vpid02) ||
	    (has_vpid == MODEL_YES && !model_field(region, VMCS_IX_VPID, ~0ull, &vpid12))) {
		cpu->knows_vpid = false;
		return;
	}
	/* Without a VPID in VMCS02 the processor does it. */
	if (!entry->flushed && vpid02 && cpu->knows_vpid && vpid02 == cpu->last_vpid02) {
		if (!vpid12)
			kept(run, &cpu->last_entry, "L2", "without VPID");
		else if (vpid12 != cpu->last_vpid12)
			kept(run, &cpu->last_entry, "L2", "to another VPID of L1's");
	}
	cpu->knows_vpid = true;
	cpu->last_vpid12 = vpid12;
	cpu->last_vpid02 = vpid02;
	cpu->last_entry = run->place;
}

/* --- INVEPT ----------------------------------------------------------------------------------- */

static void on_invept(const struct rule_run *run, struct cpu_state *cpu)
{
	const struct ev_invept *const invept = (const struct ev_invept *)run->event->col;

	if (invept->outcome != OUTCOME_SUCCEED)
		return;
	cpu->invept = run->place;
	cpu->invept_type = invept->type;
	cpu->invept_eptp = invept->descriptor_low & EPT_ADDRESS;
}

static void is_it_empty(const struct rule_run *run, const struct cpu_state *cpu,
			const struct model_region *region)
{
	const struct ev_l0_entry *const entry = (const struct ev_l0_entry *)run->event->col;
	struct finding *finding;
	u64 eptp;

	if (!model_place_is(&cpu->invept) || !entry->ept02_tables ||
	    model_control(region, VMX_WORD_SECONDARY, SECONDARY_EPT) != MODEL_YES ||
	    !model_field(region, VMCS_IX_EPT_POINTER, ~0ull, &eptp) ||
	    (cpu->invept_type != INVEPT_ALL && (eptp & EPT_ADDRESS) != cpu->invept_eptp))
		return;
	finding = finding_add(run->findings, FINDING_L0_STALE_TRANSLATION, eptp);
	if (!finding)
		return;
	finding_title(finding, "L0 still has %llu tables of EPT02 behind INVEPT",
		      (unsigned long long)entry->ept02_tables);
	finding_evidence(finding, &cpu->invept);
	finding_evidence(finding, &run->place);
	finding_note(finding, "ept_pointer = 0x%llx, INVEPT type %llu of 0x%llx",
		     (unsigned long long)eptp, (unsigned long long)cpu->invept_type,
		     (unsigned long long)cpu->invept_eptp);
	finding_explain(finding, "L2 goes on with pages that L1 has taken away or exchanged.");
	finding_next(finding, "drop EPT02 of that EPT pointer at INVEPT");
	finding_unknown(finding, "whether L0 compared these tables with EPT12");
	finding->confidence = CONFIDENCE_MEDIUM;
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct cpu_state *const cpu = &state->cpus[run->event->cpu];
	const struct model_region *const region = model_current(run->model, run->event->cpu);

	switch (run->event->kind) {
	case EV_INVEPT:
		on_invept(run, cpu);
		return;
	case EV_L0_HOST:
		if (region && !((const struct ev_l0_host *)run->event->col)->flushed &&
		    model_control(region, VMX_WORD_SECONDARY, SECONDARY_VPID) == MODEL_NO)
			kept(run, &cpu->last_entry, "L1", "without VPID");
		return;
	case EV_L0_ENTRY:
		if (region && !l0_is_resumed(run->event)) {
			is_it_empty(run, cpu, region);
			on_entry(run, cpu, region);
		}
		cpu->invept.kind = 0;
		return;
	default:
		memset(cpu, 0, sizeof(*cpu));
		return;
	}
}

const struct rule rule_l0_flush = {
	.kinds = RULE_KIND(INVEPT) | RULE_KIND(L0_ENTRY) | RULE_KIND(L0_HOST) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
