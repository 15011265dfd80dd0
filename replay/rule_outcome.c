/*
 * replay/rule_outcome.c - a VMX instruction ended otherwise than the SDM lets it end
 *
 * Of entries replay/rule_entry.c knows more.
 */
#include "replay/rule.h"
#include "trace/text.h"
#include "vmx/vmcs12.h"

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

static void event(const struct rule_run *run, void *state)
{
	const struct judgement *const judged = run->judged;
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	struct finding *finding;

	(void)state;
	if (judged->verdict != VERDICT_DIVERGE || judged->checks)
		return;
	finding = finding_add(run->findings, FINDING_INSN_OUTCOME,
			      (u64)judged->aspect << 56 | (u64)judged->insn.kind << 48 |
				      (u64)judged->observed.kind << 40 |
				      (u64)judged->observed.number << 24);
	if (!finding)
		return;
	fill_title(finding, run);
	if (judged->aspect == JUDGED_VALUE && region)
		finding_evidence(finding, &region->writer[field_index(run)]);
	finding_evidence(finding, &run->place);
	finding_explain(finding, "L0 and the SDM do not agree on this instruction.");
	finding_next(finding, "vmxtape why %s %s", rule_position(&run->place), run->tape);
}

const struct rule rule_outcome = {
	.kinds = RULE_KINDS_VMX,
	.event = event,
};
