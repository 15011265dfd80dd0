/*
 * replay/rule_control.c - control bits that the capability MSRs do not allow
 *
 * Looks at entries that failed with error 7 and names each bit. An entry that was let through in
 * spite of such a bit is not L1's fault alone, and not for this rule.
 */
#include "replay/rule.h"
#include "vmx/tables.h"

struct suspect {
	const struct rule_run *run;
	const struct model_region *region;
	enum vmx_word word;
	enum vmx_cap ruling;
	u64 value;
};

static void report(const struct suspect *suspect, enum finding_id id, unsigned bit)
{
	const struct rule_run *const run = suspect->run;
	const struct vmx_control_word *const word = &vmx_control_words[suspect->word];
	const struct vmx_control *const control = vmx_control_at(suspect->word, bit);
	const struct model_place *const read = &run->model->cap_read[suspect->ruling];
	const char *const field = vmcs_fields[word->field].name;
	const char *const msr = vmx_msr_name(MSR_VMX_BASIC + suspect->ruling);
	const bool must_be_0 = id == FINDING_CTL_MUST_BE_0;
	struct finding *finding;

	finding = finding_add(run->findings, id, (u64)suspect->word << 8 | bit);
	if (!finding)
		return;
	finding_title(finding, "%s bit %u (%s) is %u and must be %u", field, bit,
		      control ? control->name : "reserved", must_be_0, !must_be_0);
	finding_evidence(finding, &suspect->region->writer[word->field]);
	finding_evidence(finding, read);
	finding_evidence(finding, &run->place);
	finding_note(finding, "%s = 0x%llx, %s = 0x%llx", field, (unsigned long long)suspect->value,
		     msr, (unsigned long long)run->model->shown.msr[suspect->ruling]);
	finding_explain(finding, "The VM entry failed with error 7.");
	if (model_place_is(read))
		finding_next(finding, "L1 read %s at %s and did not keep to it", msr,
			     rule_position(read));
	else
		finding_next(finding, "L1 never read %s: it says which controls may be %s", msr,
			     must_be_0 ? "1" : "0");
}

static void judge_word(const struct rule_run *run, const struct model_region *region,
		       enum vmx_word word)
{
	const struct vmx_control_word *const row = &vmx_control_words[word];
	struct suspect suspect = {
		.run = run,
		.region = region,
		.word = word,
		.ruling = vmx_caps_ruling(&run->model->shown, word),
	};
	u64 missing, excess;

	if (row->by_mask && model_control(region, row->by_word, row->by_mask) != MODEL_YES)
		return;
	model_field(region, row->field, 0, &suspect.value);
	if (vmx_caps_control(&run->model->shown, word, suspect.value, &missing, &excess) !=
	    VMX_FORBIDDEN)
		return;
	missing &= region->known[row->field];
	excess &= region->known[row->field];
	for (unsigned bit = 0; bit < 64; bit++) {
		if (excess >> bit & 1)
			report(&suspect, FINDING_CTL_MUST_BE_0, bit);
		if (missing >> bit & 1)
			report(&suspect, FINDING_CTL_MUST_BE_1, bit);
	}
}

static void event(const struct rule_run *run, void *state)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	const struct ev_insn *const insn = rule_insn(run);

	(void)state;
	if (!region || insn->outcome != OUTCOME_FAIL_VALID || insn->error != VMERR_ENTRY_CONTROLS)
		return;
	for (unsigned word = 0; word < VMX_WORD_COUNT; word++)
		judge_word(run, region, word);
}

const struct rule rule_control = {
	.kinds = RULE_KIND(VMLAUNCH) | RULE_KIND(VMRESUME),
	.event = event,
};
