/*
 * replay/rule_outcome.c - a VMX instruction ended otherwise than the SDM lets it end
 *
 * Of entries replay/rule_entry.c knows more, and of mistakes that are often made
 * replay/l0_insn.h. A VMX instruction while L2 runs is none of L1's: L0 has executed for L1 what
 * it should have given to it as an exit.
 */
#include "replay/l0_insn.h"
#include "trace/text.h"
#include "vmx/vmcs12.h"

struct state {
	struct model_place failed_entry[MODEL_MAX_CPUS]; /* the last one, where it VMfailed */
};

/* The field that a VMREAD names, which exists. */
static int field_index(const struct rule_run *run)
{
	return vmcs_access_index(((const struct ev_vmread *)run->event->col)->field);
}

static void fill_title(struct finding *finding, const struct rule_run *run)
{
	const struct judgement *const judged = run->judged;
	const char *const insn = trace_text_title(judged->insn.kind);
	char observed[64], expected[64] = "another outcome";

	legal_text(&judged->observed, observed, sizeof(observed));
	for (unsigned i = 0; i < judged->expected.count; i++)
		if (judged->expected.of[i].sure) {
			legal_text(&judged->expected.of[i], expected, sizeof(expected));
			break;
		}
	switch ((enum judge_aspect)judged->aspect) {
	case JUDGED_OUTCOME:
		finding_title(finding, "%s ended with %s; expected %s", insn, observed, expected);
		break;
	case JUDGED_FLAGS:
		finding_title(finding, "%s ended with %s and left RFLAGS 0x%llx; expected 0x%llx",
			      insn, observed, (unsigned long long)rule_insn(run)->rflags_after,
			      (unsigned long long)judged->wanted);
		break;
	case JUDGED_VALUE:
		finding_title(
			finding, "VMREAD of %s returned 0x%llx; it holds 0x%llx",
			vmcs_fields[field_index(run)].name,
			(unsigned long long)((const struct ev_vmread *)run->event->col)->value,
			(unsigned long long)judged->wanted);
		break;
	}
}

static void not_reflected(const struct rule_run *run)
{
	struct finding *const finding =
		finding_add(run->findings, FINDING_L0_REFLECT_MISSING, run->event->kind);

	if (!finding)
		return;
	finding_title(finding, "%s of L2 was executed as if L1 had executed it",
		      trace_text_title(run->event->kind));
	finding_evidence(finding, &run->place);
	finding_note(finding, "no VM exit to L1 since the entry");
	finding_explain(finding, "VMX instructions of L2 always exit to L1 but for VMREAD and "
				 "VMWRITE with VMCS shadowing.");
	finding_next(finding, "vmxtape dump %s, around %s: whose RIP it is", run->tape,
		     rule_position(&run->place));
}

/* Whether the event is no more than what the last entry did. */
static bool follow(const struct rule_run *run, struct state *state)
{
	struct model_place *const failed = &state->failed_entry[run->event->cpu];
	const u8 kind = run->event->kind;

	if (kind == EV_L2_ENTRY || kind == EV_GAP)
		failed->kind = 0;
	else if (situation_is_entry(kind) && rule_insn(run)->outcome != OUTCOME_SUCCEED)
		*failed = run->place;
	return kind == EV_L2_ENTRY || kind == EV_GAP;
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	const struct judgement *const judged = run->judged;
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	struct finding *finding;
	enum finding_id id;

	if (follow(run, state))
		return;
	if (judged->of_l2) {
		not_reflected(run);
		return;
	}
	if ((judged->verdict != VERDICT_DIVERGE && judged->verdict != VERDICT_EXPLAINED) ||
	    judged->checks)
		return;
	id = l0_insn_rule(run, &state->failed_entry[run->event->cpu]);
	finding = finding_add(run->findings, id,
			      (u64)judged->aspect << 56 | (u64)judged->insn.kind << 48 |
				      (u64)judged->observed.kind << 40 |
				      (u64)judged->observed.number << 24);
	if (!finding)
		return;
	fill_title(finding, run);
	if (judged->aspect == JUDGED_VALUE && region)
		finding_evidence(finding, &region->writer[field_index(run)]);
	if (id == FINDING_L0_ENTRY_FAIL_SIDE_EFFECT)
		finding_evidence(finding, &state->failed_entry[run->event->cpu]);
	finding_evidence(finding, &run->place);
	finding_explain(finding, "L0 and the SDM do not agree on this instruction.");
	l0_insn_explain(finding, run);
	finding_next(finding, "vmxtape why %s %s", rule_position(&run->place), run->tape);
	rule_explain(finding, judged->erratum);
}

const struct rule rule_outcome = {
	.kinds = RULE_KIND(L2_ENTRY) | RULE_KIND(GAP),
	.failing = RULE_KIND(VMLAUNCH) | RULE_KIND(VMRESUME),
	.diverging = RULE_KINDS_VMX,
	.state_size = sizeof(struct state),
	.event = event,
};
