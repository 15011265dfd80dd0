/*
 * replay/rule_nmi.c - L1 goes on after an NMI exit and leaves NMIs blocked
 *
 * An exit for an NMI blocks NMIs in VMX root operation until IRET. A note at first: VM entry may
 * end the blocking as well. A warning when it lasts from entry to entry.
 */
#include "replay/rule.h"
#include "vmx/qual.h"

#define LASTS 16 /* entries in a row */

struct state {
	struct cpu {
		struct model_place exit; /* for the last NMI, since when NMIs are blocked */
		u64 entries;
	} cpus[MODEL_MAX_CPUS];
};

static bool is_nmi(const struct rule_run *run)
{
	const struct ev_l2_exit *const exit = (const struct ev_l2_exit *)run->event->col;
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	u64 info = 0;
	bool known;

	if (likely(exit->reason != EXIT_EXCEPTION_NMI) || !region)
		return false;
	known = model_field(region, VMCS_IX_VM_EXIT_INTERRUPTION_INFO, MASK(31, 0), &info);
	for (u32 i = 0; i < run->event->item_count; i++)
		if (run->event->items[i].id == VMCS_VM_EXIT_INTERRUPTION_INFO) {
			info = run->event->items[i].value;
			known = true;
		}
	return known && info & VMX_EVENT_VALID && vmx_event_type(info) == VMX_EVENT_NMI;
}

static void on_entry(const struct rule_run *run, struct cpu *cpu)
{
	struct finding *finding;

	if (!(rule_insn(run)->mode >> MODE_NMI & 1)) {
		cpu->exit.kind = 0;
		return;
	}
	cpu->entries++;
	finding = finding_add(run->findings, FINDING_NMI_UNBLOCKED_MISSING, run->event->cpu);
	if (finding) {
		finding_title(finding,
			      "L1 entered L2 with NMIs still blocked since the NMI exit at %s",
			      rule_position(&cpu->exit));
		finding_evidence(finding, &cpu->exit);
		finding_evidence(finding, &run->place);
		finding_note(finding,
			     "blocking by NMI is 1 in L1 at the entry: no IRET since the exit");
		finding_explain(finding,
				"NMIs that are meant for L1 wait until an IRET, or until a VM "
				"entry that unblocks them.");
		finding_next(finding, "call the NMI handler by INT 2, or execute an IRET, after an "
				      "NMI exit");
	}
	if (cpu->entries != LASTS)
		return;
	finding = finding_find(run->findings, FINDING_NMI_UNBLOCKED_MISSING, run->event->cpu);
	if (!finding || finding->severity >= SEVERITY_WARNING)
		return;
	finding->severity = SEVERITY_WARNING;
	finding_evidence(finding, &run->place);
	finding_note(finding, "and still at %s, %d entries later", rule_position(&run->place),
		     LASTS);
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct cpu *const cpu = &state->cpus[run->event->cpu];

	switch (run->event->kind) {
	case EV_L2_EXIT:
		if (unlikely(is_nmi(run)))
			*cpu = (struct cpu){ .exit = run->place };
		break;
	case EV_GAP:
		cpu->exit.kind = 0;
		break;
	default:
		if (unlikely(model_place_is(&cpu->exit)))
			on_entry(run, cpu);
		break;
	}
}

const struct rule rule_nmi = {
	.kinds = RULE_KIND(VMLAUNCH) | RULE_KIND(VMRESUME) | RULE_KIND(L2_EXIT) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
