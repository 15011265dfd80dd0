/*
 * replay/rule_entry_state.c - entries that failed for what L1 put into the VMCS
 *
 * After error 7, error 8 and exit reasons 33 and 34 each check of that stage that fails is told,
 * with its fields and who wrote them. Where none fails and all could be made, the processor may be
 * stricter than the SDM.
 */
#include "replay/dependents.h"
#include "replay/rule.h"
#include "vmx/bits.h"
#include "vmx/value_text.h"
#include "vmx/vmcs12.h"

#define AR_UNUSABLE  BIT(16)
#define FINDING_NONE FINDING_COUNT
#define MAX_TEXT     256

struct failed {
	const struct rule_run *run;
	const struct judgement *judged;
	const struct check_input *input;
	const struct model_region *region;
	enum check_stage stage;
	const char *effect;
	struct vmcs_set told; /* fields that another rule finds to be wrong */
};

static const struct entry_rule {
	u16 check;   /* enum check_id */
	u16 finding; /* enum finding_id */
	const char *next;
} entry_rules[] = {
#define ENTRY_RULE(CHECK, FINDING, next) { CHECK_##CHECK, FINDING_##FINDING, next },
#include "replay/entry_rules.def"
#undef ENTRY_RULE
};

static const struct entry_rule *rule_of(enum check_id id)
{
	for (size_t i = 0; i < ARRAY_SIZE(entry_rules); i++)
		if (entry_rules[i].check == id)
			return &entry_rules[i];
	return NULL;
}

static enum finding_id finding_of(enum check_id id)
{
	const struct entry_rule *const rule = rule_of(id);

	if (rule)
		return (enum finding_id)rule->finding;
	switch (check_stage(id)) {
	case CHECK_STAGE_CONTROL:
		return FINDING_ENTRY_CONTROLS;
	case CHECK_STAGE_HOST:
		return FINDING_HOST_STATE;
	case CHECK_STAGE_MSR_LOAD:
		return FINDING_MSR_LOAD_FAULT;
	default:
		return FINDING_GUEST_STATE;
	}
}

/* --- One check that fails --------------------------------------------------------------------- */

static enum check_verdict run_check(const struct failed *failed, enum check_id id,
				    struct check_result *result)
{
	if (failed->stage == CHECK_STAGE_MSR_LOAD)
		return check_run_entry(failed->input, id, (u32)failed->judged->observed.low,
				       result);
	return check_run(failed->input, id, result);
}

static void note_item(const struct failed *failed, struct finding *finding,
		      const struct check_item *item)
{
	const u64 value = item->what < VMCS_FIELD_COUNT ? failed->input->value[item->what] : 0;
	char text[MAX_TEXT];

	if (item->cap != CHECK_NO_CAP)
		finding_evidence(finding, &failed->run->model->cap_read[item->cap]);
	if (item->what >= VMCS_FIELD_COUNT || item->role == CHECK_MISSING)
		return;
	finding_evidence(finding, &failed->region->writer[item->what]);
	vmx_decode(text, sizeof(text), vmx_field_kind(item->what), value, NULL);
	finding_note(finding, "%s = 0x%llx (%s)%s", vmcs_fields[item->what].name,
		     (unsigned long long)value, text,
		     item->role == CHECK_BECAUSE ? ", so that the rule applies" : "");
	if (item->role == CHECK_BAD)
		finding_note(finding, "bits 0x%llx of it are 0x%llx; 0x%llx would do",
			     (unsigned long long)item->mask,
			     (unsigned long long)(value & item->mask),
			     (unsigned long long)(item->want & item->mask));
}

/* The field that breaks the rule, VMCS_FIELD_COUNT when it is none. */
static unsigned culprit(const struct check_result *result)
{
	for (unsigned i = 0; i < result->count; i++)
		if (result->item[i].role == CHECK_BAD && result->item[i].what < VMCS_FIELD_COUNT)
			return result->item[i].what;
	return VMCS_FIELD_COUNT;
}

/* Whether @item says of a field why the rule applies that is wrong itself. */
static bool is_said(const struct check_result *result, const struct check_item *item)
{
	for (unsigned i = 0; i < result->count; i++)
		if (result->item[i].role == CHECK_BAD && result->item[i].what == item->what)
			return item->role == CHECK_BECAUSE;
	return false;
}

/* The list entry that failed, as far as the event has it. */
static void note_list_entry(const struct failed *failed, struct finding *finding)
{
	const struct trace_event *const event = failed->run->event;
	const u64 number = failed->judged->observed.low;
	const u64 id = ITEM_MSR_LOAD + 2 * (number - 1);

	for (u32 i = 0; i + 1 < event->item_count && id < ITEM_MSR_STORE; i++)
		if (event->items[i].id == id && event->items[i + 1].id == id + 1)
			finding_note(finding, "entry %llu: MSR 0x%llx = 0x%llx",
				     (unsigned long long)number,
				     (unsigned long long)event->items[i].value,
				     (unsigned long long)event->items[i + 1].value);
}

static void fill_title(const struct failed *failed, struct finding *finding, enum check_id id,
		       unsigned field)
{
	if (failed->stage == CHECK_STAGE_MSR_LOAD)
		finding_title(finding, "Entry %llu of the VM-entry MSR-load list breaks a rule: %s",
			      (unsigned long long)failed->judged->observed.low,
			      check_rows[id].text);
	else
		finding_title(finding, "%s breaks a rule of VM entry: %s",
			      field < VMCS_FIELD_COUNT ? vmcs_fields[field].name
						       : "The state of L1",
			      check_rows[id].text);
}

static void report_check(const struct failed *failed, enum check_id id)
{
	const struct rule_run *const run = failed->run;
	const struct entry_rule *const rule = rule_of(id);
	struct check_result result;
	struct finding *finding;
	unsigned field;

	run_check(failed, id, &result);
	field = culprit(&result);
	if (field < VMCS_FIELD_COUNT &&
	    (vmcs_set_has(&failed->told, (int)field) || dependent_unset(failed->region, field)))
		return;
	finding = finding_add(run->findings, finding_of(id), id);
	if (!finding)
		return;
	fill_title(failed, finding, id, field);
	for (unsigned i = 0; i < result.count; i++)
		if (!is_said(&result, &result.item[i]))
			note_item(failed, finding, &result.item[i]);
	if (failed->stage == CHECK_STAGE_MSR_LOAD)
		note_list_entry(failed, finding);
	finding_evidence(finding, &failed->judged->insn);
	finding_evidence(finding, &run->place);
	finding_note(finding, "check %s of \"%s\"", check_rows[id].id, check_section(id));
	finding_explain(finding, "%s", failed->effect);
	if (rule)
		finding_next(finding, "%s", rule->next);
	else
		finding_next(finding, "vmxtape why %s %s", rule_position(&failed->judged->insn),
			     run->tape);
	if (check_rows[id].level != CHECK_MUST)
		finding->confidence = CONFIDENCE_MEDIUM;
}

/* --- No check fails --------------------------------------------------------------------------- */

static const u8 segments[] = {
	VMCS_IX_GUEST_ES_ACCESS_RIGHTS,	  VMCS_IX_GUEST_CS_ACCESS_RIGHTS,
	VMCS_IX_GUEST_SS_ACCESS_RIGHTS,	  VMCS_IX_GUEST_DS_ACCESS_RIGHTS,
	VMCS_IX_GUEST_FS_ACCESS_RIGHTS,	  VMCS_IX_GUEST_GS_ACCESS_RIGHTS,
	VMCS_IX_GUEST_LDTR_ACCESS_RIGHTS,
};

/* The first check of guest state that fails if @segment is usable; CHECK_COUNT when none does. */
static unsigned fails_if_usable(const struct failed *failed, unsigned segment)
{
	struct check_input input = *failed->input;
	u64 value[VMCS_FIELD_COUNT];

	memcpy(value, input.value, sizeof(value));
	value[segment] &= ~AR_UNUSABLE;
	input.value = value;
	for (unsigned id = 0; id < CHECK_COUNT; id++)
		if (check_stage((enum check_id)id) == CHECK_STAGE_GUEST &&
		    check_run(&input, (enum check_id)id, NULL) == CHECK_FAIL)
			return id;
	return CHECK_COUNT;
}

/* Processors are known that check an unusable register as if it were usable. */
static void report_strict(const struct failed *failed)
{
	const struct rule_run *const run = failed->run;
	struct finding *finding = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		const u64 rights = failed->input->value[segments[i]];
		unsigned id;

		if (!(rights & failed->input->known[segments[i]] & AR_UNUSABLE))
			continue;
		id = fails_if_usable(failed, segments[i]);
		if (id == CHECK_COUNT)
			continue;
		if (!finding)
			finding = finding_add(run->findings, FINDING_MODEL_PASSES_HW_FAILS,
					      failed->judged->insn.rip);
		if (!finding)
			return;
		finding_evidence(finding, &failed->region->writer[segments[i]]);
		finding_note(finding, "%s = 0x%llx is unusable; usable, it would fail %s",
			     vmcs_fields[segments[i]].name, (unsigned long long)rights,
			     check_rows[id].id);
	}
	if (!finding)
		return;
	finding_title(finding,
		      "The processor refused guest state that the SDM allows; it may check "
		      "registers that are not usable");
	finding_evidence(finding, &failed->judged->insn);
	finding_evidence(finding, &run->place);
	finding_explain(finding, "%s", failed->effect);
	finding->confidence = CONFIDENCE_MEDIUM;
	finding_next(finding, "give these registers access rights that would pass if they were "
			      "usable");
	finding_unknown(finding, "what the processor checks beyond the SDM");
}

/* --- Entries that failed ---------------------------------------------------------------------- */

/* Leaves fields to the rules that tell of them. */
static void find_told(struct failed *failed)
{
	for (size_t i = 0; i < ARRAY_SIZE(entry_rules); i++) {
		struct check_result result;

		if (entry_rules[i].finding != FINDING_NONE ||
		    failed->judged->checks[entry_rules[i].check] != CHECK_FAIL)
			continue;
		check_run(failed->input, (enum check_id)entry_rules[i].check, &result);
		if (culprit(&result) < VMCS_FIELD_COUNT)
			vmcs_set_add(&failed->told, (int)culprit(&result));
	}
}

/* How many rows of @level fail. */
static unsigned report_level(const struct failed *failed, enum check_level level)
{
	unsigned count = 0;

	for (unsigned n = 0; n < CHECK_COUNT; n++) {
		const enum check_id id = (enum check_id)n;

		if (check_stage(id) != failed->stage || check_rows[id].level != level ||
		    failed->judged->checks[id] != CHECK_FAIL || !check_confirmed(id) ||
		    run_check(failed, id, NULL) != CHECK_FAIL)
			continue;
		count++;
		if (finding_of(id) != FINDING_NONE)
			report_check(failed, id);
	}
	return count;
}

static bool any_unknown(const struct failed *failed)
{
	for (unsigned id = 0; id < CHECK_COUNT; id++)
		if (check_stage((enum check_id)id) == failed->stage &&
		    failed->judged->checks[id] == CHECK_UNKNOWN)
			return true;
	return false;
}

/* The stage that the entry failed in, and what people call that. */
static bool find_stage(struct failed *failed)
{
	const struct legal *const end = &failed->judged->observed;

	if (end->kind == LEGAL_FAIL_VALID && end->number == VMERR_ENTRY_CONTROLS) {
		failed->stage = CHECK_STAGE_CONTROL;
		failed->effect = "The VM entry failed with error 7.";
	} else if (end->kind == LEGAL_FAIL_VALID && end->number == VMERR_ENTRY_HOST_STATE) {
		failed->stage = CHECK_STAGE_HOST;
		failed->effect = "The VM entry failed with error 8.";
	} else if (end->kind == LEGAL_ENTRY_FAILURE && end->number == EXIT_INVALID_GUEST_STATE) {
		failed->stage = CHECK_STAGE_GUEST;
		failed->effect = "The VM entry failed with exit reason 0x80000021.";
	} else if (end->kind == LEGAL_ENTRY_FAILURE && end->number == EXIT_MSR_LOADING) {
		failed->stage = CHECK_STAGE_MSR_LOAD;
		failed->effect = "The VM entry failed with exit reason 0x80000022.";
	} else {
		return false;
	}
	return true;
}

static void event(const struct rule_run *run, void *state)
{
	struct failed failed = { .run = run, .judged = run->judged };

	(void)state;
	if (!run->judged->checks || run->judged->observed.kind == LEGAL_SUCCEED ||
	    !find_stage(&failed))
		return;
	failed.input = &run->judged->situation.entry;
	failed.region = model_current(run->model, run->event->cpu);
	if (!failed.region)
		return;
	find_told(&failed);
	/* A row that a processor may pass over is told only where no other can be the reason. */
	if (!report_level(&failed, CHECK_MUST) && !report_level(&failed, CHECK_MAY) &&
	    failed.stage == CHECK_STAGE_GUEST && !any_unknown(&failed))
		report_strict(&failed);
}

const struct rule rule_entry_state = {
	.kinds = RULE_KIND(VMLAUNCH) | RULE_KIND(VMRESUME) | RULE_KIND(L2_EXIT),
	.event = event,
};
