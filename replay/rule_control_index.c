/*
 * replay/rule_control_index.c - a control word made of bit numbers instead of masks
 *
 * 1 | 7 is 7, and not what whoever numbered EPT 1 and unrestricted guest 7 meant: bits 0, 1 and 2
 * turn on what nobody asked for. Told of a word that has only low bits, and several, besides those
 * that must be 1, when one of them cannot have been meant: it may not be 1, or the field that it
 * needs was never written.
 */
#include "replay/dependents.h"
#include "replay/rule.h"
#include "vmx/bits.h"
#include "vmx/value_text.h"

#define LOW_BITS MASK(4, 0)

static void report(const struct rule_run *run, const struct model_region *region,
		   enum vmx_word word, u64 bits, int unset)
{
	const struct vmx_control_word *const row = &vmx_control_words[word];
	const char *const field = vmcs_fields[row->field].name;
	const struct vmx_control *const meant = vmx_control_at(word, (unsigned)bits);
	struct finding *const finding =
		finding_add(run->findings, FINDING_CTL_LOOKS_LIKE_INDEX, word);
	char text[256];

	if (!finding)
		return;
	vmx_decode(text, sizeof(text), vmx_field_kind(row->field), bits, NULL);
	finding_title(finding,
		      "%s has 0x%llx besides the bits that must be 1, as if bit numbers had "
		      "been ORed",
		      field, (unsigned long long)bits);
	finding_evidence(finding, &region->writer[row->field]);
	finding_evidence(finding, &run->place);
	finding_note(finding, "%s = 0x%llx: as masks %s", field,
		     (unsigned long long)region->value[row->field], text);
	if (meant)
		finding_note(finding, "%llu is the number of the bit of %s",
			     (unsigned long long)bits, meant->name);
	if (unset >= 0)
		finding_note(finding, "%s, which they use, was never written",
			     vmcs_fields[unset].name);
	else
		finding_note(
			finding, "the processor does not allow bits 0x%llx of them",
			(unsigned long long)(bits & ~vmx_caps_may_be_1(&run->model->shown, word)));
	finding_explain(finding,
			"Controls are on that L1 did not ask for, and those that it wants are "
			"not.");
	finding_next(finding, "shift: control number N is 1 << N");
	finding->confidence = CONFIDENCE_MEDIUM;
}

static void judge_word(const struct rule_run *run, const struct model_region *region,
		       enum vmx_word word)
{
	const struct vmx_control_word *const row = &vmx_control_words[word];
	u64 value, bits, missing, excess = 0;
	int unset;

	if (!model_field(region, row->field, ~0ull, &value))
		return;
	bits = value & ~(u64)row->default1;
	if (likely(bits & ~LOW_BITS || __builtin_popcountll(bits) < 2))
		return;
	if (row->by_mask && model_control(region, row->by_word, row->by_mask) != MODEL_YES)
		return;
	unset = dependent_unset_by(region, word, bits);
	if (vmx_caps_control(&run->model->shown, word, value, &missing, &excess) != VMX_FORBIDDEN)
		excess = 0;
	if (unset >= 0 || excess & bits)
		report(run, region, word, bits, unset);
}

static void event(const struct rule_run *run, void *state)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);

	(void)state;
	if (!region)
		return;
	for (unsigned word = 0; word < VMX_WORD_COUNT; word++)
		judge_word(run, region, (enum vmx_word)word);
}

const struct rule rule_control_index = {
	.kinds = RULE_KIND(VMLAUNCH),
	.event = event,
};
