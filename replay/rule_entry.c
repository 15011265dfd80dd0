/*
 * replay/rule_entry.c - a VMLAUNCH or VMRESUME ended otherwise than the checks of VM entry say
 *
 * Too lax: L2 runs though a check fails. Too strict: the entry failed and no check does. Wrong
 * priority: one check fails and the outcome is that of another.
 */
#include <stdio.h>

#include "replay/l0_insn.h"
#include "trace/text.h"
#include "vmx/tables.h"

#define MAX_ROWS 4 /* failing checks that are named */

/* The outcomes that are sure, as "VMfailValid(7) or exit 33, qualification 0". */
static const char *expected_text(const struct legal_set *set, char *text, size_t size)
{
	size_t at = 0;

	for (unsigned i = 0; i < set->count && at < size; i++) {
		char one[64];

		if (set->of[i].sure)
			at += (size_t)snprintf(text + at, size - at, "%s%s", at ? " or " : "",
					       legal_text(&set->of[i], one, sizeof(one)));
	}
	return at ? text : "another outcome";
}

/* The check that leads to what should have been, LEGAL_NO_CHECK when none fails. */
static u16 broken_check(const struct legal_set *set)
{
	for (unsigned i = 0; i < set->count; i++)
		if (set->of[i].sure && set->of[i].kind != LEGAL_SUCCEED)
			return set->of[i].check;
	return LEGAL_NO_CHECK;
}

static void note_item(struct finding *finding, const struct rule_run *run,
		      const struct check_item *item)
{
	const struct check_input *const entry = &run->judged->situation.entry;
	const struct model_region *const region =
		model_region(run->model, run->judged->situation.insn.current.value);

	if (item->role != CHECK_BAD || item->what >= VMCS_FIELD_COUNT)
		return;
	finding_note(finding, "%s = 0x%llx: bits 0x%llx should be 0x%llx",
		     vmcs_fields[item->what].name, (unsigned long long)entry->value[item->what],
		     (unsigned long long)item->mask, (unsigned long long)item->want);
	if (region)
		finding_evidence(finding, &region->writer[item->what]);
}

static void note_checks(struct finding *finding, const struct rule_run *run)
{
	unsigned named = 0;

	for (unsigned id = 0; id < CHECK_COUNT && named < MAX_ROWS; id++) {
		struct check_result result;

		if (run->judged->checks[id] != CHECK_FAIL ||
		    check_stage((enum check_id)id) >= CHECK_STAGE_MSR_STORE)
			continue;
		named++;
		check_run(&run->judged->situation.entry, (enum check_id)id, &result);
		finding_note(finding, "%s fails: %s", check_rows[id].id, check_rows[id].text);
		for (unsigned i = 0; i < result.count; i++)
			note_item(finding, run, &result.item[i]);
	}
}

static void fill_title(struct finding *finding, const struct judgement *judged, u16 check)
{
	const char *const insn = trace_text_title(judged->insn.kind);
	char observed[64], room[256];
	const char *const expected = expected_text(&judged->expected, room, sizeof(room));

	legal_text(&judged->observed, observed, sizeof(observed));
	switch (finding->id) {
	case FINDING_ENTRY_TOO_LAX:
	case FINDING_L0_MSR_LIST:
		finding_title(finding, "%s succeeded though check %s fails; expected %s", insn,
			      check == LEGAL_NO_CHECK ? "of the instruction" : check_rows[check].id,
			      expected);
		break;
	case FINDING_ENTRY_TOO_STRICT:
	case FINDING_L0_MSR_LOAD_FAULT:
	case FINDING_L0_CHECKS_DISABLED_FEATURE:
		finding_title(finding, "%s ended with %s and no check fails; expected %s", insn,
			      observed, expected);
		break;
	default:
		finding_title(finding, "%s ended with %s though check %s fails; expected %s", insn,
			      observed, check_rows[check].id, expected);
		break;
	}
}

static void event(const struct rule_run *run, void *state)
{
	const struct judgement *const judged = run->judged;
	const u16 check = broken_check(&judged->expected);
	struct finding *finding;

	(void)state;
	if ((judged->verdict != VERDICT_DIVERGE && judged->verdict != VERDICT_EXPLAINED) ||
	    !judged->checks)
		return;
	finding = finding_add(run->findings, l0_entry_rule(run, check),
			      (u64)check << 32 | (u64)judged->observed.kind << 16 |
				      judged->observed.number);
	if (!finding)
		return;
	fill_title(finding, judged, check);
	note_checks(finding, run);
	finding_evidence(finding, &judged->insn);
	finding_evidence(finding, &run->place);
	finding_explain(finding,
			"L0 and the SDM do not agree on this entry; all %u checks were "
			"judged on what the tape tells.",
			CHECK_COUNT);
	l0_insn_explain(finding, run);
	finding_next(finding, "vmxtape why %s %s", rule_position(&judged->insn), run->tape);
	rule_explain(finding, judged->erratum);
}

const struct rule rule_entry = {
	.diverging = RULE_KIND(VMLAUNCH) | RULE_KIND(VMRESUME) | RULE_KIND(L2_ENTRY) |
		     RULE_KIND(L2_EXIT),
	.event = event,
};
