/*
 * replay/rule_fail_ignored.c - a VMX instruction failed, and the next one assumes that it did not
 *
 * After a VMfail, L1 reads the VM-instruction error, or cleans up by VMCLEAR or VMXOFF. Anything
 * else is suspect, but no more than that: L1 may have looked at the flags and know what it does.
 * Fields that do not exist are often tried on purpose, which is only worth a note.
 */
#include "replay/rule.h"
#include "trace/text.h"
#include "vmx/vmcs12.h"

struct state {
	struct failure {
		struct model_place place; /* nowhere: nothing failed */
		u64 outcome;
		u64 error;
	} cpus[MODEL_MAX_CPUS];
};

static bool is_answer(const struct rule_run *run)
{
	const struct ev_vmread *const read = (const struct ev_vmread *)run->event->col;

	switch (run->event->kind) {
	case EV_VMREAD:
		return read->field == VMCS_VM_INSTRUCTION_ERROR;
	case EV_VMCLEAR:
	case EV_VMXOFF:
	case EV_VMPTRST:
		return true;
	default:
		return false;
	}
}

static bool is_probe(const struct failure *failure)
{
	return (failure->place.kind == EV_VMREAD || failure->place.kind == EV_VMWRITE) &&
	       failure->outcome == OUTCOME_FAIL_VALID;
}

static void report(const struct rule_run *run, const struct failure *failure)
{
	const char *const failed = trace_text_title(failure->place.kind);
	const char *text = NULL;
	struct finding *finding;

	/* Many a hypervisor has one place for each VMX instruction: the error tells them apart. */
	finding = finding_add(run->findings, FINDING_FAIL_IGNORED,
			      failure->place.rip ^ (failure->outcome << 8 | failure->error) << 48);
	if (!finding)
		return;
	if (failure->outcome == OUTCOME_FAIL_VALID) {
		text = vmx_insn_error_text((u32)failure->error);
		finding_title(finding, "%s failed with error %llu, and %s followed", failed,
			      (unsigned long long)failure->error,
			      trace_text_title(run->event->kind));
		finding_note(finding, "error %llu: %s", (unsigned long long)failure->error,
			     text ? text : "not defined");
		finding_next(
			finding,
			"test RFLAGS.ZF behind the instruction, and VMREAD vm_instruction_error");
	} else {
		finding_title(finding,
			      "%s failed for lack of a current VMCS, or of a valid operand, and %s "
			      "followed",
			      failed, trace_text_title(run->event->kind));
		finding_next(finding, "test RFLAGS.CF behind the instruction");
	}
	finding_evidence(finding, &failure->place);
	finding_evidence(finding, &run->place);
	finding->confidence = CONFIDENCE_MEDIUM;
	finding_explain(finding,
			"What follows works on another VMCS, or on other values, than L1 thinks.");
	finding_unknown(finding, "whether L1 looked at the flags");
	if (is_probe(failure)) {
		finding->severity = SEVERITY_NOTE;
		finding_explain(finding,
				"Often a field is tried on purpose, to learn whether it exists.");
	}
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct failure *const failure = &state->cpus[run->event->cpu];
	const struct ev_insn *insn;

	if (run->event->kind == EV_GAP) {
		failure->place.kind = 0;
		return;
	}
	insn = rule_insn(run);
	if (model_place_is(&failure->place) && !is_answer(run) && insn->outcome != OUTCOME_FAULT)
		report(run, failure);
	failure->place.kind = 0;
	if (insn->outcome != OUTCOME_FAIL_INVALID && insn->outcome != OUTCOME_FAIL_VALID)
		return;
	failure->place = run->place;
	failure->outcome = insn->outcome;
	failure->error = insn->error;
}

const struct rule rule_fail_ignored = {
	.kinds = RULE_KIND(GAP),
	.failing = RULE_KINDS_VMX,
	.state_size = sizeof(struct state),
	.event = event,
};
