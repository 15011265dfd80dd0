/*
 * What instructions say: VMX instructions, RDMSR and WRMSR, MOV to CR.
 */
#include "replay/event_text_parts.h"
#include "replay/names.h"
#include "replay/put.h"
#include "vmx/bits.h"
#include "vmx/tables.h"

#define VECTOR_PF 14

/* "  -> fail_valid:12 <the SDM's words>"; nothing after success. */
static char *put_outcome(char *to, const struct trace_event *event)
{
	const struct ev_insn *const insn = (const struct ev_insn *)event->col;
	const char *text;

	if (insn->outcome == OUTCOME_SUCCEED)
		return to;
	to = put_text(to, "  -> ");
	if (insn->outcome == OUTCOME_FAULT) {
		text = vmx_exception_name((unsigned)insn->error);
		to = text ? put_text(to, text) : put_dec(put_text(to, "fault:"), insn->error);
		if (insn->fault_code)
			to = put_char(put_hex(put_char(to, '('), insn->fault_code), ')');
		return insn->error == VECTOR_PF ? put_hex(put_text(to, " cr2="), insn->cr2) : to;
	}
	to = put_text(to, name_outcome(insn->outcome));
	if (insn->outcome != OUTCOME_FAIL_VALID)
		return to;
	to = put_dec(put_char(to, ':'), insn->error);
	text = vmx_insn_error_text((u32)insn->error);
	return text ? put_text(put_char(to, ' '), text) : to;
}

/* The name of what @value of field @encoding says, where one word says it all. */
static char *put_value_name(char *to, u64 encoding, u64 value)
{
	const char *text = NULL;

	if (encoding == VMCS_EXIT_REASON && !(value & EXIT_REASON_ENTRY_FAILURE))
		text = vmx_exit_name((u32)value);
	else if (encoding == VMCS_VM_INSTRUCTION_ERROR)
		text = vmx_insn_error_text((u32)value);
	return text ? put_text(put_char(to, ' '), text) : to;
}

char *event_text_region_insn(const struct event_line *line, char *to)
{
	const struct ev_vmptrld *const insn = (const struct ev_vmptrld *)line->event->col;

	return put_outcome(put_hex(to, insn->pointer), line->event);
}

char *event_text_vmread(const struct event_line *line, char *to)
{
	const struct ev_vmread *const read = (const struct ev_vmread *)line->event->col;

	to = event_text_field(to, read->field);
	if (read->outcome == OUTCOME_SUCCEED) {
		to = put_hex(put_bytes(to, " = ", 3), read->value);
		to = put_value_name(to, read->field, read->value);
	}
	return put_outcome(to, line->event);
}

char *event_text_vmwrite(const struct event_line *line, char *to)
{
	const struct ev_vmwrite *const write = (const struct ev_vmwrite *)line->event->col;

	to = put_char(event_text_field(to, write->field), ' ');
	to = event_text_old(to, line->model, write->vmcs, write->field);
	to = put_hex(to, write->value);
	return put_outcome(to, line->event);
}

char *event_text_entry_insn(const struct event_line *line, char *to)
{
	const struct ev_vmlaunch *const entry = (const struct ev_vmlaunch *)line->event->col;

	if (entry->vmcs != MODEL_NO_POINTER)
		to = put_hex(to, entry->vmcs);
	return put_outcome(to, line->event);
}

char *event_text_inv(const struct event_line *line, char *to)
{
	const struct ev_invept *const inv = (const struct ev_invept *)line->event->col;

	to = put_dec(put_text(to, "type "), inv->type);
	to = put_hex(put_char(to, ' '), inv->descriptor_low);
	if (inv->descriptor_high)
		to = put_hex(put_char(to, ' '), inv->descriptor_high);
	return put_outcome(to, line->event);
}

char *event_text_plain_insn(const struct event_line *line, char *to)
{
	return put_outcome(to, line->event);
}

char *event_text_msr_insn(const struct event_line *line, char *to)
{
	const struct ev_msr_read *const read = (const struct ev_msr_read *)line->event->col;

	to = event_text_msr(to, read->msr);
	if (read->outcome == OUTCOME_SUCCEED || line->event->kind == EV_MSR_WRITE)
		to = put_hex(put_bytes(to, " = ", 3), read->value);
	return put_outcome(to, line->event);
}

char *event_text_cr_write(const struct event_line *line, char *to)
{
	const struct ev_cr_write *const write = (const struct ev_cr_write *)line->event->col;

	to = put_dec(put_text(to, "cr"), write->cr);
	to = put_hex(put_char(to, ' '), write->old);
	to = put_hex(put_text(to, " -> "), write->value);
	return put_outcome(to, line->event);
}
