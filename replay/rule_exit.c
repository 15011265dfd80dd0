/*
 * replay/rule_exit.c - an entry or exit of L2 left in the VMCS what the SDM does not allow
 */
#include "replay/l0_exit.h"
#include "vmx/tables.h"

static void note_field(struct finding *finding, const struct rule_run *run,
		       const struct exit_check_result *result)
{
	const struct exit_situation *const at = &run->judged->exit;

	if (result->field < 0)
		return;
	if (result->mask)
		finding_note(finding, "%s = 0x%llx: bits 0x%llx should be 0x%llx",
			     vmcs_fields[result->field].name, (unsigned long long)result->value,
			     (unsigned long long)result->mask, (unsigned long long)result->want);
	else
		finding_note(finding, "%s = 0x%llx", vmcs_fields[result->field].name,
			     (unsigned long long)result->value);
	if (at->known[result->field])
		finding_note(finding, "it was 0x%llx before",
			     (unsigned long long)at->value[result->field]);
}

static void fill_title(struct finding *finding, const struct rule_run *run,
		       const struct exit_check_row *row)
{
	switch ((enum exit_check_when)row->when) {
	case EXIT_CHECK_AT_ENTRY:
		finding_title(finding, "a VM entry does not keep to %s", row->id);
		break;
	case EXIT_CHECK_AT_FAILURE:
		finding_title(finding, "a failed VM entry does not keep to %s", row->id);
		break;
	default:
		finding_title(finding, "an exit for %s does not keep to %s",
			      vmx_exit_name((u32)run->judged->exit.reason), row->id);
		break;
	}
}

static void event(const struct rule_run *run, void *state)
{
	const struct judgement *const judged = run->judged;
	const enum exit_check_id id = (enum exit_check_id)judged->exit_check;
	struct exit_check_result result;
	struct finding *finding;
	enum finding_id rule;

	(void)state;
	if (judged->exit_verdict != VERDICT_DIVERGE && judged->exit_verdict != VERDICT_EXPLAINED)
		return;
	rule = l0_exit_rule(run);
	if (rule == FINDING_COUNT)
		return;
	finding = finding_add(run->findings, rule,
			      (u64)id << 32 | (judged->exit.reason & EXIT_REASON_BASIC));
	if (!finding)
		return;
	fill_title(finding, run, &exit_check_rows[id]);
	exit_check_run(&judged->exit, id, &result, NULL);
	finding_note(finding, "must hold: %s", exit_check_rows[id].text);
	note_field(finding, run, &result);
	finding_evidence(finding, &run->place);
	finding_explain(finding, "SDM, \"%s\".", exit_check_rows[id].section);
	finding_next(finding, "vmxtape vmcs %s --diff %s %s", rule_position(&run->place),
		     rule_position(&run->place), run->tape);
	rule_explain(finding, judged->exit_erratum);
}

const struct rule rule_exit = {
	.diverging = RULE_KIND(L2_ENTRY) | RULE_KIND(L2_EXIT),
	.event = event,
};
