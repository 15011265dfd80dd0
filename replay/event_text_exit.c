/*
 * What entries and exits say, between L1 and L2 as between hv and the processor.
 */
#include "replay/event_text_parts.h"
#include "replay/put.h"
#include "trace/text.h"
#include "vmx/qual.h"

#define DECODED 512

/* @value decoded, in at most DECODED bytes. */
static char *put_decoded(char *to, enum vmx_value_kind kind, u64 value,
			 const struct vmx_decode_context *context)
{
	const size_t length = vmx_decode(to, DECODED, kind, value, context);

	return to + MIN(length, (size_t)DECODED - 1);
}

static bool find_item(const struct trace_event *event, u32 id, u64 *value)
{
	for (u32 i = 0; i < event->item_count; i++)
		if (event->items[i].id == id) {
			*value = event->items[i].value;
			return true;
		}
	return false;
}

/* For other reasons the field holds what it held. */
static bool has_gpa(u64 reason)
{
	return reason == EXIT_EPT_VIOLATION || reason == EXIT_EPT_MISCONFIGURATION ||
	       reason == EXIT_SPP;
}

char *event_text_l2_entry(const struct event_line *line, char *to)
{
	const struct ev_l2_entry *const entry = (const struct ev_l2_entry *)line->event->col;

	if (!(entry->injected & VMX_EVENT_VALID))
		return to;
	to = put_text(to, "injects ");
	return put_decoded(to, VMX_VALUE_EVENT_ENTRY, entry->injected, NULL);
}

char *event_text_l2_exit(const struct event_line *line, char *to)
{
	const struct ev_l2_exit *const exit = (const struct ev_l2_exit *)line->event->col;
	const struct vmx_exit *const row = vmx_exit_by_reason((u32)exit->reason);
	struct vmx_decode_context context = { .exit_reason = (u32)exit->reason };
	u64 value;

	if (exit->reason & EXIT_REASON_ENTRY_FAILURE)
		to = put_text(to, "entry failed: ");
	to = row ? put_text(to, row->name)
		 : put_dec(put_text(to, "reason "), exit->reason & 0xffff);
	if (find_item(line->event, VMCS_VM_EXIT_INTERRUPTION_INFO, &value) &&
	    value & VMX_EVENT_VALID) {
		context.interruption_info = (u32)value;
		to = put_decoded(put_char(to, ' '), VMX_VALUE_EVENT_EXIT, value, NULL);
	}
	if (row && row->qualification != VMX_QUAL_NONE &&
	    find_item(line->event, VMCS_EXIT_QUALIFICATION, &value)) {
		to = put_decoded(put_char(to, ' '), VMX_VALUE_EXIT_QUALIFICATION, value, &context);
	}
	if (has_gpa(exit->reason) && find_item(line->event, VMCS_GUEST_PHYSICAL_ADDRESS, &value))
		to = put_hex(put_text(to, " gpa="), value);
	if (exit->hidden_exits)
		to = put_dec(put_text(to, " hidden="), exit->hidden_exits);
	return to;
}

/* As the processor says it, whatever becomes of it. */
char *event_text_l0_exit(const struct event_line *line, char *to)
{
	const struct ev_l0_exit *const exit = (const struct ev_l0_exit *)line->event->col;
	const struct vmx_exit *const row = vmx_exit_by_reason((u32)exit->reason);
	const struct vmx_decode_context context = {
		.exit_reason = (u32)exit->reason,
		.interruption_info = (u32)exit->event_info,
	};

	if (exit->reason & EXIT_REASON_ENTRY_FAILURE)
		to = put_text(to, "entry failed: ");
	to = row ? put_text(to, row->name)
		 : put_dec(put_text(to, "reason "), exit->reason & 0xffff);
	if (exit->event_info & VMX_EVENT_VALID)
		to = put_decoded(put_char(to, ' '), VMX_VALUE_EVENT_EXIT, exit->event_info, NULL);
	if (row && row->qualification != VMX_QUAL_NONE)
		to = put_decoded(put_char(to, ' '), VMX_VALUE_EXIT_QUALIFICATION,
				 exit->qualification, &context);
	if (has_gpa(exit->reason))
		to = put_hex(put_text(to, " gpa="), exit->gpa2);
	if (exit->vectoring_info & VMX_EVENT_VALID)
		to = put_decoded(put_text(to, " delivering "), VMX_VALUE_EVENT_EXIT,
				 exit->vectoring_info, NULL);
	return to;
}

char *event_text_l0_entry(const struct event_line *line, char *to)
{
	const struct ev_l0_entry *const entry = (const struct ev_l0_entry *)line->event->col;

	to = put_text(to, entry->resumed ? "L2 goes on" : "for L1");
	if (entry->flushed)
		to = put_text(to, ", translations dropped");
	return put_text(put_dec(put_text(to, ", "), line->event->item_count), " items");
}

char *event_text_vmcs12_write(const struct event_line *line, char *to)
{
	const struct ev_vmcs12_write *const write =
		(const struct ev_vmcs12_write *)line->event->col;

	to = put_char(event_text_field(to, write->field), ' ');
	to = put_hex(put_text(put_hex(to, write->old), " -> "), write->value);
	to = event_text_known(put_text(to, " ("), trace_text_origin(write->origin));
	return put_text(to, write->origin == ORIGIN_ERROR ? ")" : ", by then)");
}
