/*
 * replay/rule_dependent.c - a control is on, and nobody ever wrote the field that it uses
 *
 * VMCLEAR does not give fields a value: what was never written is undefined. Only regions whose
 * whole life is on the tape are judged, whenever their control words are not those judged last.
 * Where L1 writes to a launched VMCS without a VM exit, a VMWRITE of what the field had before
 * leaves no trace.
 */
#include "replay/dependents.h"
#include "replay/rule.h"

#define MAX_SEEN 64

struct seen {
	u64 pointer;
	u64 words[VMX_WORD_COUNT];
};

struct state {
	struct seen seen[MAX_SEEN];
	unsigned next; /* that is replaced when all are used */
};

/* Whether the words of @region were judged before; they are from now on. */
static bool judged(struct state *state, const struct model_region *region)
{
	struct seen now = { .pointer = region->pointer };

	for (unsigned word = 0; word < VMX_WORD_COUNT; word++)
		now.words[word] = region->value[vmx_control_words[word].field];
	for (unsigned i = 0; i < MAX_SEEN; i++)
		if (state->seen[i].pointer == now.pointer) {
			if (!memcmp(&state->seen[i], &now, sizeof(now)))
				return true;
			state->seen[i] = now;
			return false;
		}
	state->seen[state->next++ % MAX_SEEN] = now;
	return false;
}

static const struct vmx_control *control_of(const struct dependent *dependent)
{
	return vmx_control_at((enum vmx_word)dependent->word,
			      (unsigned)__builtin_ctzll(dependent->mask));
}

static void report(const struct rule_run *run, const struct model_region *region,
		   const struct dependent *dependent, bool failed)
{
	const struct vmx_control_word *const word = &vmx_control_words[dependent->word];
	const struct vmcs_field *const field = &vmcs_fields[dependent->field];
	struct finding *finding;

	finding = finding_add(run->findings, FINDING_DEPENDENT_FIELD_UNSET,
			      (u64)dependent->word << 32 | dependent->field);
	if (!finding)
		return;
	finding_title(finding, "%s is on and %s was never written", control_of(dependent)->name,
		      field->name);
	finding_evidence(finding, &region->writer[word->field]);
	finding_evidence(finding, &run->place);
	finding_note(finding,
		     "no VMWRITE of %s (0x%04x) in VMCS 0x%llx from the start of the tape to %s",
		     field->name, field->encoding, (unsigned long long)region->pointer,
		     rule_position(&run->place));
	finding_explain(finding, "The processor uses whatever the region held.");
	finding_next(finding, "VMWRITE %s, or turn the control off", field->name);
	if (!failed)
		return;
	finding->severity = SEVERITY_ERROR;
	finding_explain(finding,
			"The VM entry failed with error 7; the processor uses whatever the region "
			"held.");
}

static void event(const struct rule_run *run, void *memory)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	const struct ev_insn *const insn = rule_insn(run);
	const bool failed =
		insn->outcome == OUTCOME_FAIL_VALID && insn->error == VMERR_ENTRY_CONTROLS;

	if (!region || !region->whole || (insn->outcome != OUTCOME_SUCCEED && !failed) ||
	    judged(memory, region))
		return;
	if (run->model->capture == CAPTURE_THIN && run->event->kind == EV_VMRESUME)
		return;
	for (size_t i = 0; i < dependent_count; i++)
		if (!model_place_is(&region->writer[dependents[i].field]) &&
		    model_control(region, (enum vmx_word)dependents[i].word, dependents[i].mask) ==
			    MODEL_YES &&
		    vmx_caps_field_exists(&run->model->shown, dependents[i].field))
			report(run, region, &dependents[i], failed);
}

const struct rule rule_dependent = {
	.kinds = RULE_KIND(VMLAUNCH) | RULE_KIND(VMRESUME),
	.state_size = sizeof(struct state),
	.event = event,
};
