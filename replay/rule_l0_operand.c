/*
 * replay/rule_l0_operand.c - page faults of memory operands as L0 tells them to L1
 *
 * The processor exits before it accesses the operand, so it is L0 that walks L1's page tables and
 * makes up the error code.
 */
#include "replay/rule.h"
#include "trace/text.h"

#define VECTOR_PF     14
#define CODE_WRITE    BIT(1)
#define CODE_USER     BIT(2)
#define CODE_FETCH    BIT(4)
#define RFLAGS_STATUS (BIT(0) | BIT(2) | BIT(4) | BIT(6) | BIT(7) | BIT(11))

/* SDM: the "Operation" of each instruction. */
static bool writes_operand(u8 kind)
{
	return kind == EV_VMREAD || kind == EV_VMPTRST;
}

static const char *wrong(const struct trace_event *event, const struct ev_insn *insn)
{
	if (!(insn->fault_code & CODE_WRITE) != !writes_operand(event->kind))
		return writes_operand(event->kind) ? "bit 1 must be 1: the operand is written"
						   : "bit 1 must be 0: the operand is read";
	if (insn->fault_code & CODE_USER)
		return "bit 2 must be 0: the instruction runs at CPL 0";
	if (insn->fault_code & CODE_FETCH)
		return "bit 4 must be 0: it is no fetch";
	if ((insn->rflags ^ insn->rflags_after) & RFLAGS_STATUS)
		return "RFLAGS must stay as they were";
	return NULL;
}

static void event(const struct rule_run *run, void *state)
{
	const struct ev_insn *const insn = rule_insn(run);
	struct finding *finding;
	const char *text;

	(void)state;
	if (insn->outcome != OUTCOME_FAULT || insn->error != VECTOR_PF)
		return;
	text = wrong(run->event, insn);
	if (!text)
		return;
	finding = finding_add(run->findings, FINDING_L0_OPERAND_FAULT,
			      (u64)run->event->kind << 32 | insn->fault_code);
	if (!finding)
		return;
	finding_title(finding, "The page fault of %s has error code 0x%llx: %s",
		      trace_text_title(run->event->kind), (unsigned long long)insn->fault_code,
		      text);
	finding_evidence(finding, &run->place);
	finding_note(finding, "CR2 = 0x%llx, RFLAGS 0x%llx before and 0x%llx after",
		     (unsigned long long)insn->cr2, (unsigned long long)insn->rflags,
		     (unsigned long long)insn->rflags_after);
	finding_explain(finding, "L1 handles the fault by its error code: it maps the page for the "
				 "wrong access and faults for ever, or kills who did it.");
	finding_next(finding, "vmxtape why %s %s", rule_position(&run->place), run->tape);
}

const struct rule rule_l0_operand = {
	.failing = RULE_KIND(VMXON) | RULE_KIND(VMCLEAR) | RULE_KIND(VMPTRLD) | RULE_KIND(VMPTRST) |
		   RULE_KIND(VMREAD) | RULE_KIND(VMWRITE) | RULE_KIND(INVEPT) | RULE_KIND(INVVPID),
	.event = event,
};
