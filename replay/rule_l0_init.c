/*
 * replay/rule_l0_init.c - an INIT that took effect in VMX root operation
 *
 * SDM, "Restrictions on VMX Operation": INIT is blocked there. When L1 sent it is not on the tape,
 * and what reaches L0 may still wait; but a SIPI is taken in wait-for-SIPI alone, where a processor
 * is put by an INIT that was not blocked.
 */
#include "replay/rule.h"

struct state {
	struct model_place init[MODEL_MAX_CPUS]; /* the last one; nowhere: none, or unknown */
};

static void on_sipi(const struct rule_run *run, const struct state *state)
{
	const struct model_cpu *const cpu = rule_cpu(run);
	struct finding *finding;

	if (run->event->level != 1 || cpu->in_vmx != MODEL_YES)
		return;
	finding = finding_add(run->findings, FINDING_L0_INIT_IN_ROOT, run->event->cpu);
	if (!finding)
		return;
	finding_title(finding, "CPU %u took a SIPI while it was in VMX root operation",
		      run->event->cpu);
	finding_evidence(finding, &cpu->vmxon_place);
	finding_evidence(finding, &state->init[run->event->cpu]);
	finding_evidence(finding, &run->place);
	finding_note(finding, "no VMXOFF of this CPU since it entered VMX operation, vector 0x%llx",
		     (unsigned long long)((const struct ev_sipi *)run->event->col)->vector);
	finding_explain(finding,
			"L1's processor lost what it was doing, and L1 believes that it is still "
			"in VMX operation.");
	finding_next(finding, "keep the INIT pending until VMXOFF, or make it the next exit of L2");
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct model_place *const init = &state->init[run->event->cpu];

	if (run->event->kind == EV_INIT)
		*init = run->place;
	else if (run->event->kind == EV_GAP)
		init->kind = 0;
	else
		on_sipi(run, state);
}

const struct rule rule_l0_init = {
	.kinds = RULE_KIND(INIT) | RULE_KIND(SIPI) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
