/*
 * replay/rule.h - what a rule is
 *
 * A rule looks at the events it asked for, with the model in the state before each, and at the end
 * of the tape. It keeps what it must remember in a state of its own, and adds findings. It finds
 * nothing that rests on something unknown.
 *
 * Most events are VMREAD and VMWRITE as they should be: what a rule need not see of them it should
 * not ask for.
 */
#ifndef REPLAY_RULE_H
#define REPLAY_RULE_H

#include "replay/finding.h"
#include "replay/judge.h"

/* What a rule is given. */
struct rule_run {
	const struct model *model;
	const struct trace_event *event; /* NULL at the end */
	struct model_place place;	 /* of the event */
	enum verdict verdict;		 /* what was judged at the event */
	const struct judgement *judged;	 /* and why; NULL at the end */
	struct findings *findings;
	const char *tape; /* its name, for command lines */
};

/* Bit n of the sets of kinds: events of kind n. */
struct rule {
	u64 kinds;	   /* that it wants */
	u64 failing;	   /* of these, instructions that fail, and what follows one that did */
	u64 diverging;	   /* of these, events that do not agree with the SDM */
	size_t state_size; /* of @state, which is zero at first */
	void (*event)(const struct rule_run *run, void *state);
	void (*end)(const struct rule_run *run, void *state); /* NULL: nothing to say then */
};

#define RULE_KIND(NAME) BIT(EV_##NAME)

/* Every VMX instruction. */
#define RULE_KINDS_VMX	(MASK(EV_VMFUNC, EV_VMXON))

#define RULE(name)	extern const struct rule rule_##name;
#include "replay/rules.def"
#undef RULE

/* The columns of the event, for any instruction of L1. */
static inline const struct ev_insn *rule_insn(const struct rule_run *run)
{
	return (const struct ev_insn *)run->event->col;
}

static inline const struct model_cpu *rule_cpu(const struct rule_run *run)
{
	return &run->model->cpus[run->event->cpu];
}

/* Makes a finding of what an erratum explains the note that it is. */
static inline void rule_explain(struct finding *finding, const struct erratum *erratum)
{
	if (!erratum)
		return;
	finding->severity = SEVERITY_NOTE;
	finding_note(finding, "erratum %s of %s: %s", erratum->id,
		     errata_platform_title((enum errata_platform)erratum->platform), erratum->text);
	finding_next(finding, "vmxtape explain %s", erratum->id);
}

/* "@c0:123" for texts, in one of a few static buffers: at most four live at the same time. */
const char *rule_position(const struct model_place *place);

#endif
