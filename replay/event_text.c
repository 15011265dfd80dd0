#include "replay/event_text.h"

#include "replay/event_text_memory.h"
#include "replay/names.h"
#include "replay/put.h"
#include "replay/symbols.h"
#include "trace/text.h"
#include "vmx/qual.h"

#define RIP_COLUMN   12
#define RIP_WIDTH    17
#define SYMBOL_WIDTH 34
#define NAME_WIDTH   10
#define INDENT	     2 /* of L2 */

#define DECODED	     512

#define VECTOR_PF    14

/* A line while it is written. */
struct line {
	char *start;
	const struct event_names *names;
	const struct trace_kind_info *kind;
	const struct trace_event *event;
	const struct model *model;
};

char *event_text_position(char *to, u16 cpu, u64 seq)
{
	to = put_bytes(to, "@c", 2);
	to = put_dec(to, cpu);
	to = put_char(to, ':');
	return put_dec(to, seq);
}

char *event_text_bytes(char *to, const u8 *bytes, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		if (bytes[i] >= ' ' && bytes[i] < 0x7f && bytes[i] != '\\') {
			*to++ = (char)bytes[i];
			continue;
		}
		to = put_bytes(to, "\\x", 2);
		to = put_hex_digits(to, bytes[i], 2);
	}
	return to;
}

/* --- pieces ----------------------------------------------------------------------------------- */

static char *put_field_name(char *to, u64 encoding)
{
	const int index = vmcs_access_index(encoding);

	if (index < 0) {
		to = put_text(to, "field ");
		return put_hex(to, encoding);
	}
	to = put_text(to, vmcs_fields[index].name);
	return vmcs_encoding_is_high(encoding) ? put_text(to, "_high") : to;
}

static char *put_msr_name(char *to, u64 msr)
{
	const char *const name = msr <= ~0u ? vmx_msr_name((u32)msr) : NULL;

	return name ? put_text(to, name) : put_hex(put_text(to, "msr "), msr);
}

/* @text, or that a newer vmxtape knows it. */
static char *put_known(char *to, const char *text)
{
	return put_text(to, text ? text : "unknown");
}

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

/* The value that field @encoding of region @vmcs has before the event, as "0x12 -> " or "? -> ". */
static char *put_old(char *to, const struct model *model, u64 vmcs, u64 encoding)
{
	const struct model_region *const region = model ? model_region(model, vmcs) : NULL;
	const int index = vmcs_access_index(encoding);
	u64 value;

	if (!model || index < 0)
		return to;
	if (region && model_field(region, index, ~0ull, &value))
		to = put_hex(to, vmcs_encoding_is_high(encoding) ? value >> 32 : value);
	else
		to = put_char(to, '?');
	return put_bytes(to, " -> ", 4);
}

/* @value decoded, in at most DECODED bytes. */
static char *put_decoded(char *to, enum vmx_value_kind kind, u64 value,
			 const struct vmx_decode_context *context)
{
	const size_t length = vmx_decode(to, DECODED, kind, value, context);

	return to + MIN(length, (size_t)DECODED - 1);
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

static bool find_item(const struct trace_event *event, u32 id, u64 *value)
{
	for (u32 i = 0; i < event->item_count; i++)
		if (event->items[i].id == id) {
			*value = event->items[i].value;
			return true;
		}
	return false;
}

/* --- kinds ------------------------------------------------------------------------------------ */

static char *put_region_insn(const struct line *line, char *to)
{
	const struct ev_vmptrld *const insn = (const struct ev_vmptrld *)line->event->col;

	return put_outcome(put_hex(to, insn->pointer), line->event);
}

static char *put_vmread(const struct line *line, char *to)
{
	const struct ev_vmread *const read = (const struct ev_vmread *)line->event->col;

	to = put_field_name(to, read->field);
	if (read->outcome == OUTCOME_SUCCEED) {
		to = put_hex(put_bytes(to, " = ", 3), read->value);
		to = put_value_name(to, read->field, read->value);
	}
	return put_outcome(to, line->event);
}

static char *put_vmwrite(const struct line *line, char *to)
{
	const struct ev_vmwrite *const write = (const struct ev_vmwrite *)line->event->col;

	to = put_char(put_field_name(to, write->field), ' ');
	to = put_old(to, line->model, write->vmcs, write->field);
	to = put_hex(to, write->value);
	return put_outcome(to, line->event);
}

static char *put_entry_insn(const struct line *line, char *to)
{
	const struct ev_vmlaunch *const entry = (const struct ev_vmlaunch *)line->event->col;

	if (entry->vmcs != MODEL_NO_POINTER)
		to = put_hex(to, entry->vmcs);
	return put_outcome(to, line->event);
}

static char *put_inv(const struct line *line, char *to)
{
	const struct ev_invept *const inv = (const struct ev_invept *)line->event->col;

	to = put_dec(put_text(to, "type "), inv->type);
	to = put_hex(put_char(to, ' '), inv->descriptor_low);
	if (inv->descriptor_high)
		to = put_hex(put_char(to, ' '), inv->descriptor_high);
	return put_outcome(to, line->event);
}

static char *put_plain_insn(const struct line *line, char *to)
{
	return put_outcome(to, line->event);
}

static char *put_msr_insn(const struct line *line, char *to)
{
	const struct ev_msr_read *const read = (const struct ev_msr_read *)line->event->col;

	to = put_msr_name(to, read->msr);
	if (read->outcome == OUTCOME_SUCCEED || line->event->kind == EV_MSR_WRITE)
		to = put_hex(put_bytes(to, " = ", 3), read->value);
	return put_outcome(to, line->event);
}

static char *put_cr_write(const struct line *line, char *to)
{
	const struct ev_cr_write *const write = (const struct ev_cr_write *)line->event->col;

	to = put_dec(put_text(to, "cr"), write->cr);
	to = put_hex(put_char(to, ' '), write->old);
	to = put_hex(put_text(to, " -> "), write->value);
	return put_outcome(to, line->event);
}

static char *put_l2_entry(const struct line *line, char *to)
{
	const struct ev_l2_entry *const entry = (const struct ev_l2_entry *)line->event->col;

	if (!(entry->injected & VMX_EVENT_VALID))
		return to;
	to = put_text(to, "injects ");
	return put_decoded(to, VMX_VALUE_EVENT_ENTRY, entry->injected, NULL);
}

/* For other reasons the field holds what it held. */
static bool has_gpa(u64 reason)
{
	return reason == EXIT_EPT_VIOLATION || reason == EXIT_EPT_MISCONFIGURATION ||
	       reason == EXIT_SPP;
}

static char *put_l2_exit(const struct line *line, char *to)
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
static char *put_l0_exit(const struct line *line, char *to)
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

static char *put_l0_entry(const struct line *line, char *to)
{
	const struct ev_l0_entry *const entry = (const struct ev_l0_entry *)line->event->col;

	to = put_text(to, entry->resumed ? "L2 goes on" : "for L1");
	if (entry->flushed)
		to = put_text(to, ", translations dropped");
	return put_text(put_dec(put_text(to, ", "), line->event->item_count), " items");
}

static char *put_vmcs12_write(const struct line *line, char *to)
{
	const struct ev_vmcs12_write *const write =
		(const struct ev_vmcs12_write *)line->event->col;

	to = put_char(put_field_name(to, write->field), ' ');
	to = put_hex(put_text(put_hex(to, write->old), " -> "), write->value);
	to = put_known(put_text(to, " ("), trace_text_origin(write->origin));
	return put_text(to, write->origin == ORIGIN_ERROR ? ")" : ", by then)");
}

static char *put_bytes_line(const struct line *line, char *to)
{
	to = put_text(to, "| ");
	return event_text_bytes(to, line->event->bytes, line->event->byte_count);
}

static char *put_end(const struct line *line, char *to)
{
	to = put_known(to, trace_text_end(((const struct ev_end *)line->event->col)->why));
	if (line->event->byte_count)
		to = put_char(to, ' ');
	return event_text_bytes(to, line->event->bytes, line->event->byte_count);
}

static char *put_hv_time(const struct line *line, char *to)
{
	const struct ev_hv_time *const time = (const struct ev_hv_time *)line->event->col;
	const bool packing = !line->event->level;

	to = put_text(to, packing ? "packing" : vmx_exit_name((u32)time->reason));
	to = put_dec(put_char(to, ' '), time->exits);
	to = put_text(to, time->exits == 1 ? " time, " : " times, ");
	to = put_text(put_dec(to, time->ticks), " ticks, longest ");
	return put_dec(to, time->longest);
}

static char *put_deep(const struct line *line, char *to)
{
	static const char *const what[] = {
		[DEEP_BEGINS] = "every store is told from here",
		[DEEP_ENDS] = "stores are no longer told",
		[DEEP_PAGES_USED] = "no more pages: stores are no longer told",
		[DEEP_TYPES_CHANGED] = "memory types changed: stores are no longer told",
	};
	const struct ev_deep *const deep = (const struct ev_deep *)line->event->col;

	to = put_known(to, deep->what < ARRAY_SIZE(what) ? what[deep->what] : NULL);
	to = put_dec(put_text(to, ", VM entry "), deep->entries);
	if (deep->what == DEEP_BEGINS)
		return to;
	to = put_text(put_dec(put_text(to, "; "), deep->pages), " pages, ");
	return put_text(put_dec(to, deep->stores), " faults");
}

static char *put_gap(const struct line *line, char *to)
{
	const struct ev_gap *const gap = (const struct ev_gap *)line->event->col;

	to = put_text(to, "--- ");
	to = gap->events ? put_dec(to, gap->events) : put_text(to, "an unknown number of");
	to = put_text(to, " events are missing: ");
	return put_text(put_known(to, trace_text_gap(gap->why)), " ---");
}

static char *put_capability(const struct line *line, char *to)
{
	const struct ev_capability *const cap = (const struct ev_capability *)line->event->col;

	to = put_msr_name(to, cap->msr);
	to = put_hex(put_text(to, " real="), cap->real);
	return cap->exists ? put_hex(put_text(to, " shown="), cap->shown) : put_text(to, " hidden");
}

static char *put_pointer(char *to, const char *name, u64 pointer)
{
	to = put_text(to, name);
	return pointer == MODEL_NO_POINTER ? put_text(to, "none") : put_hex(to, pointer);
}

static char *put_vmx_state(const struct line *line, char *to)
{
	const struct ev_vmx_state *const vmx = (const struct ev_vmx_state *)line->event->col;

	if (!vmx->in_vmx)
		return put_text(to, "outside of VMX operation");
	to = put_pointer(to, "vmxon=", vmx->vmxon_pointer);
	to = put_pointer(to, " current=", vmx->vmcs);
	return put_dec(put_text(to, " level="), vmx->level);
}

static char *put_vmcs_image(const struct line *line, char *to)
{
	const struct ev_vmcs_image *const image = (const struct ev_vmcs_image *)line->event->col;

	to = put_hex(to, image->vmcs);
	to = put_text(to, image->launched ? " launched" : " clear");
	if (image->current)
		to = put_text(to, " current");
	if (image->since_block)
		return put_dec(put_text(to, " as in block "), image->since_block - 1);
	return put_text(put_dec(put_char(to, ' '), line->event->item_count), " fields");
}

/* EAX, EBX, ECX, EDX, and in brackets those of the processor where they differ. */
static char *put_cpuid_regs(char *to, u64 ab, u64 cd)
{
	const u32 regs[] = { (u32)ab, (u32)(ab >> 32), (u32)cd, (u32)(cd >> 32) };

	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		to = put_hex_digits(put_char(to, ' '), regs[i], 8);
	return to;
}

static char *put_cpuid(const struct line *line, char *to)
{
	const struct ev_cpuid *const cpuid = (const struct ev_cpuid *)line->event->col;

	to = put_dec(put_char(put_hex(to, cpuid->leaf), '.'), cpuid->subleaf);
	to = put_cpuid_regs(to, cpuid->shown_ab, cpuid->shown_cd);
	if (cpuid->real_ab == cpuid->shown_ab && cpuid->real_cd == cpuid->shown_cd)
		return to;
	return put_char(put_cpuid_regs(put_text(to, " (real"), cpuid->real_ab, cpuid->real_cd),
			')');
}

static char *put_memory(const struct line *line, char *to)
{
	const struct ev_memory *const memory = (const struct ev_memory *)line->event->col;

	to = put_hex(to, memory->base);
	to = put_hex(put_char(to, '-'), memory->base + memory->size - 1);
	return put_dec(put_text(to, " type "), memory->type);
}

static char *put_option(const struct line *line, char *to)
{
	static const char *const names[] = {
		[TEXT_HV_OPTIONS] = "hv: ",
		[TEXT_L1_COMMAND_LINE] = "command line: ",
		[TEXT_L1_NAME] = "L1: ",
	};
	const u64 what = ((const struct ev_option *)line->event->col)->what;

	to = put_text(to, what < ARRAY_SIZE(names) ? names[what] : "| ");
	return event_text_bytes(to, line->event->bytes, line->event->byte_count);
}

/* A column of any kind, by its type. */
static char *put_column(char *to, const struct trace_column *column, u64 value)
{
	to = put_char(put_text(put_char(to, ' '), column->name), '=');
	switch (column->type) {
	case TYPE_NUM:
	case TYPE_TICKS:
	case TYPE_BOOL:
		return put_dec(to, value);
	case TYPE_FIELD:
		return put_field_name(to, value);
	case TYPE_MSR:
		return put_msr_name(to, value);
	case TYPE_OUTCOME:
		return put_text(to, name_outcome(value));
	case TYPE_REASON:
		return put_text(to, vmx_exit_name((u32)value));
	default:
		return put_hex(to, value);
	}
}

/* Kinds without a form of their own, and those that this program does not know. */
static char *put_columns(const struct line *line, char *to)
{
	char *const start = to;

	for (u8 i = 0; i < line->kind->column_count; i++)
		to = put_column(to, &line->kind->columns[i], line->event->col[i]);
	if (line->event->byte_count)
		to = put_text(to, " | ");
	to = event_text_bytes(to, line->event->bytes, line->event->byte_count);
	if (to > start && *start == ' ') {
		memmove(start, start + 1, (size_t)(to - start - 1));
		to--;
	}
	return to;
}

static char *put_regs(const struct line *line, char *to)
{
	return event_text_regs(to, line->event);
}

static char *put_ram(const struct line *line, char *to)
{
	return event_text_ram(to, line->event);
}

static char *put_page(const struct line *line, char *to)
{
	return event_text_page(to, line->event);
}

static char *(*const forms[])(const struct line *line, char *to) = {
	[EV_VMXON] = put_region_insn,
	[EV_VMXOFF] = put_plain_insn,
	[EV_VMCLEAR] = put_region_insn,
	[EV_VMPTRLD] = put_region_insn,
	[EV_VMPTRST] = put_plain_insn,
	[EV_VMREAD] = put_vmread,
	[EV_VMWRITE] = put_vmwrite,
	[EV_VMLAUNCH] = put_entry_insn,
	[EV_VMRESUME] = put_entry_insn,
	[EV_INVEPT] = put_inv,
	[EV_INVVPID] = put_inv,
	[EV_VMCALL] = put_plain_insn,
	[EV_VMFUNC] = put_plain_insn,
	[EV_MSR_READ] = put_msr_insn,
	[EV_MSR_WRITE] = put_msr_insn,
	[EV_CR_WRITE] = put_cr_write,
	[EV_L2_ENTRY] = put_l2_entry,
	[EV_L2_EXIT] = put_l2_exit,
	[EV_VMCS12_WRITE] = put_vmcs12_write,
	[EV_L0_ENTRY] = put_l0_entry,
	[EV_L0_EXIT] = put_l0_exit,
	[EV_CONSOLE] = put_bytes_line,
	[EV_END] = put_end,
	[EV_GAP] = put_gap,
	[EV_CAPABILITY] = put_capability,
	[EV_VMX_STATE] = put_vmx_state,
	[EV_VMCS_IMAGE] = put_vmcs_image,
	[EV_MARK] = put_bytes_line,
	[EV_CPUID] = put_cpuid,
	[EV_MEMORY] = put_memory,
	[EV_OPTION] = put_option,
	[EV_REGS] = put_regs,
	[EV_RAM] = put_ram,
	[EV_PAGE] = put_page,
	[EV_HV_TIME] = put_hv_time,
	[EV_DEEP] = put_deep,
};

/* How many columns before the RIP of @level. */
static size_t indent(u8 level)
{
	return RIP_COLUMN + (level > 1 ? (size_t)(MIN(level, (u8)3) - 1) * INDENT : 0);
}

/* The RIP of the event: its name where it has one, padded so that what follows is in a column. */
static char *put_rip(const struct line *line, char *to)
{
	const size_t width = line->names->symbols ? SYMBOL_WIDTH : RIP_WIDTH;
	char *const start = to;
	size_t length = 0;

	if (line->event->rip)
		length = symbols_text(line->names->symbols, line->event->level, line->event->rip,
				      to);
	to += length;
	if (line->event->rip && !length)
		to = put_hex_digits(to, line->event->rip, 16);
	return put_pad(to, start, width, 1);
}

/* The source line of the event at the end of its line. */
static char *put_source(const struct line *line, char *to)
{
	const struct trace_event *const event = line->event;
	char source[SYMBOLS_MAX_NAME];

	if (!event->rip || !symbols_line(line->names->symbols, event->level, event->rip, source))
		return to;
	return put_char(put_text(put_text(to, "  ["), source), ']');
}

/* What stands behind the name of the kind. */
static char *put_what(const struct line *line, char *to)
{
	const u8 kind = line->event->kind;

	return kind < ARRAY_SIZE(forms) && forms[kind] ? forms[kind](line, to)
						       : put_columns(line, to);
}

char *event_text_what(char *to, const struct event_names *names, const struct trace_event *event,
		      const struct model *model)
{
	const struct line line = {
		.start = to,
		.names = names,
		.kind = trace_schema_kind(names->schema, event->kind),
		.event = event,
		.model = model,
	};

	return line.kind ? put_what(&line, to) : to;
}

char *event_text(char *to, const struct event_names *names, const struct trace_event *event,
		 const struct model *model)
{
	struct line line = {
		.start = to,
		.names = names,
		.kind = trace_schema_kind(names->schema, event->kind),
		.event = event,
		.model = model,
	};
	const char *name;

	to = event_text_position(to, event->cpu, event->seq);
	to = put_pad(to, line.start, indent(event->level), 1);
	to = put_rip(&line, to);
	if (!line.kind) {
		to = put_dec(put_text(to, "kind "), event->kind);
		return put_char(to, '\n');
	}
	name = to;
	to = put_text(to, line.kind->name);
	to = put_pad(to, name, NAME_WIDTH, 1);
	to = put_what(&line, to);
	while (to[-1] == ' ')
		to--;
	return put_char(put_source(&line, to), '\n');
}

/* The line for a field that @event wrote. */
static char *put_write(char *to, const struct trace_event *event, const char *origin, u64 vmcs,
		       const struct trace_item *item, const struct model *model)
{
	char *const start = to;

	to = event_text_position(to, event->cpu, event->seq);
	to = put_pad(to, start, indent(1) + RIP_WIDTH, 1);
	to = put_text(to, "  vmcs12_write ");
	to = put_char(put_field_name(to, item->id), ' ');
	to = put_hex(put_old(to, model, vmcs, item->id), item->value);
	return put_text(put_text(put_text(to, " ("), origin), ")\n");
}

char *event_text_item(char *to, const struct trace_event *event, u32 index,
		      const struct model *model)
{
	const struct trace_item *const item = &event->items[index];

	if (item->id >= ITEM_REG)
		return to;
	if (event->kind == EV_L2_EXIT)
		return put_write(to, event, "exit", ((const struct ev_l2_exit *)event->col)->vmcs,
				 item, model);
	return put_write(to, event, "entry", ((const struct ev_l2_entry *)event->col)->vmcs, item,
			 model);
}

char *event_text_error(char *to, const struct trace_event *event, const struct model *model)
{
	const struct ev_insn *const insn = (const struct ev_insn *)event->col;
	const struct trace_item item = { VMCS_VM_INSTRUCTION_ERROR, insn->error };

	return put_write(to, event, "error", insn->vmcs, &item, model);
}
