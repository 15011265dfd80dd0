/*
 * replay/rule_pdpte.c - a triple fault with the first instruction of an L2 that uses PAE paging
 *
 * With EPT the four PDPTEs come from the VMCS. Who writes CR0, CR3 and CR4 and forgets them gives
 * L2 a page table that has nothing at all.
 */
#include "replay/rule.h"
#include "vmx/tables.h"

#define CR0_PG	     BIT(31)
#define CR4_PAE	     BIT(5)
#define PDPTE_ABSENT 0x10000 /* keys beyond those of checks, which find L1.pdpte as well */

struct state {
	struct model_place entries[MODEL_MAX_CPUS]; /* last VMLAUNCH or VMRESUME */
};

static bool uses_pdpte_fields(const struct model_region *region)
{
	u64 cr0, cr4;

	return model_control(region, VMX_WORD_SECONDARY, SECONDARY_EPT) == MODEL_YES &&
	       model_control(region, VMX_WORD_ENTRY, ENTRY_IA32E_MODE_GUEST) == MODEL_NO &&
	       model_field(region, VMCS_IX_GUEST_CR0, CR0_PG, &cr0) && cr0 & CR0_PG &&
	       model_field(region, VMCS_IX_GUEST_CR4, CR4_PAE, &cr4) && cr4 & CR4_PAE;
}

static void on_triple_fault(const struct rule_run *run, const struct model_place *entry,
			    const struct model_region *region)
{
	struct finding *finding;
	u64 rip, base, pdpte;
	unsigned index;

	if (!uses_pdpte_fields(region) || !model_field(region, VMCS_IX_GUEST_RIP, ~0ull, &rip) ||
	    rip != run->event->rip || !model_field(region, VMCS_IX_GUEST_CS_BASE, ~0ull, &base))
		return;
	index = (unsigned)BITS(rip + base, 31, 30);
	if (!model_field(region, VMCS_IX_GUEST_PDPTE0 + index, BIT(0), &pdpte) || pdpte & 1)
		return;
	finding = finding_add(run->findings, FINDING_PDPTE, PDPTE_ABSENT + index);
	if (!finding)
		return;
	finding_title(finding,
		      "L2 ended in a triple fault at its first instruction: guest_pdpte%u "
		      "is not present",
		      index);
	finding_evidence(finding, &region->writer[VMCS_IX_GUEST_PDPTE0 + index]);
	finding_evidence(finding, &region->writer[VMCS_IX_GUEST_CR3]);
	finding_evidence(finding, entry);
	finding_evidence(finding, &run->place);
	for (unsigned i = 0; i < 4; i++)
		finding_note(finding, "guest_pdpte%u = 0x%llx%s", i,
			     (unsigned long long)region->value[VMCS_IX_GUEST_PDPTE0 + i],
			     region->known[VMCS_IX_GUEST_PDPTE0 + i] ? "" : " (unknown)");
	finding_note(finding, "guest_cr3 = 0x%llx, RIP = 0x%llx: PDPTE %u maps it",
		     (unsigned long long)region->value[VMCS_IX_GUEST_CR3], (unsigned long long)rip,
		     index);
	finding_explain(finding,
			"With EPT, a VM entry takes the four PDPTEs from the VMCS, not from "
			"the table in memory.");
	finding_next(finding,
		     "load guest_pdpte0 to guest_pdpte3 from the table that guest_cr3 points "
		     "to, whenever L1 changes it");
	finding_unknown(finding, "what the table in memory holds");
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct model_place *const entry = &state->entries[run->event->cpu];
	const struct model_region *region;

	if (run->event->kind != EV_L2_EXIT) {
		*entry = run->place;
		return;
	}
	if (likely(((const struct ev_l2_exit *)run->event->col)->reason != EXIT_TRIPLE_FAULT))
		return;
	region = model_current(run->model, run->event->cpu);
	if (region)
		on_triple_fault(run, entry, region);
}

const struct rule rule_pdpte = {
	.kinds = RULE_KIND(VMLAUNCH) | RULE_KIND(VMRESUME) | RULE_KIND(L2_EXIT),
	.state_size = sizeof(struct state),
	.event = event,
};
