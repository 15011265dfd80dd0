/*
 * replay/rule_invept.c - INVEPT again and again: right, and too slow to be used
 *
 * Each one makes the processor walk EPT anew; on top of a hypervisor it makes that one build its
 * own tables anew, by an exit for each page that L2 touches.
 */
#include "replay/rule.h"

#define WINDOW	   256 /* exits of L2 that are looked at together */
#define EXITS_EACH 8   /* an INVEPT for so many exits, or fewer, is a storm */

struct cpu {
	u64 invepts, hidden; /* in this window */
	u64 exits;
	struct model_place first, last; /* INVEPT of this window */
	/* Of all windows that were storms: */
	u64 storm_invepts, storm_hidden, storm_exits;
	struct model_place storm_first, storm_last;
};

struct state {
	struct cpu cpus[MODEL_MAX_CPUS];
};

static void end_window(struct cpu *cpu)
{
	if (cpu->invepts * EXITS_EACH >= cpu->exits) {
		cpu->storm_invepts += cpu->invepts;
		cpu->storm_hidden += cpu->hidden;
		cpu->storm_exits += cpu->exits;
		if (!model_place_is(&cpu->storm_first))
			cpu->storm_first = cpu->first;
		cpu->storm_last = cpu->last;
	}
	cpu->invepts = cpu->hidden = cpu->exits = 0;
	cpu->first.kind = 0;
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct cpu *const cpu = &state->cpus[run->event->cpu];

	if (run->event->kind == EV_L2_EXIT) {
		cpu->hidden += ((const struct ev_l2_exit *)run->event->col)->hidden_exits;
		if (unlikely(++cpu->exits == WINDOW))
			end_window(cpu);
		return;
	}
	if (rule_insn(run)->outcome != OUTCOME_SUCCEED)
		return;
	if (!cpu->invepts++)
		cpu->first = run->place;
	cpu->last = run->place;
}

static void end(const struct rule_run *run, void *memory)
{
	const struct state *const state = memory;

	for (unsigned i = 0; i < MODEL_MAX_CPUS; i++) {
		const struct cpu *const cpu = &state->cpus[i];
		struct finding *finding;

		if (!cpu->storm_invepts)
			continue;
		finding = finding_add(run->findings, FINDING_INVEPT_STORM, i);
		if (!finding)
			return;
		finding_title(finding, "CPU %u executed %llu INVEPTs in %llu exits of L2", i,
			      (unsigned long long)cpu->storm_invepts,
			      (unsigned long long)cpu->storm_exits);
		finding_evidence(finding, &cpu->storm_first);
		finding_evidence(finding, &cpu->storm_last);
		finding_note(
			finding,
			"L0 handled %llu exits of L2 alone meanwhile, %llu for each INVEPT: most "
			"of them fill EPT again",
			(unsigned long long)cpu->storm_hidden,
			(unsigned long long)(cpu->storm_hidden / cpu->storm_invepts));
		finding_explain(finding,
				"Each INVEPT throws away what the processor, or L0 for it, "
				"knows of EPT.");
		finding_next(finding,
			     "change EPT less often, or collect changes before one INVEPT; "
			     "see by RIP which code does it");
	}
}

const struct rule rule_invept = {
	.kinds = RULE_KIND(INVEPT) | RULE_KIND(L2_EXIT),
	.state_size = sizeof(struct state),
	.event = event,
	.end = end,
};
