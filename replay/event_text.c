#include "replay/event_text.h"

#include "replay/event_text_parts.h"
#include "replay/names.h"
#include "replay/put.h"
#include "replay/symbols.h"
#include "vmx/tables.h"

#define RIP_COLUMN   12
#define RIP_WIDTH    17
#define SYMBOL_WIDTH 34
#define NAME_WIDTH   10
#define INDENT	     2 /* of L2 */

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
		return event_text_field(to, value);
	case TYPE_MSR:
		return event_text_msr(to, value);
	case TYPE_OUTCOME:
		return put_text(to, name_outcome(value));
	case TYPE_REASON:
		return put_text(to, vmx_exit_name((u32)value));
	default:
		return put_hex(to, value);
	}
}

/* Kinds without a form of their own, and those that this program does not know. */
static char *put_columns(const struct event_line *line, char *to)
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

static event_text_form *const forms[] = {
	[EV_VMXON] = event_text_region_insn,
	[EV_VMXOFF] = event_text_plain_insn,
	[EV_VMCLEAR] = event_text_region_insn,
	[EV_VMPTRLD] = event_text_region_insn,
	[EV_VMPTRST] = event_text_plain_insn,
	[EV_VMREAD] = event_text_vmread,
	[EV_VMWRITE] = event_text_vmwrite,
	[EV_VMLAUNCH] = event_text_entry_insn,
	[EV_VMRESUME] = event_text_entry_insn,
	[EV_INVEPT] = event_text_inv,
	[EV_INVVPID] = event_text_inv,
	[EV_VMCALL] = event_text_plain_insn,
	[EV_VMFUNC] = event_text_plain_insn,
	[EV_MSR_READ] = event_text_msr_insn,
	[EV_MSR_WRITE] = event_text_msr_insn,
	[EV_CR_WRITE] = event_text_cr_write,
	[EV_L2_ENTRY] = event_text_l2_entry,
	[EV_L2_EXIT] = event_text_l2_exit,
	[EV_VMCS12_WRITE] = event_text_vmcs12_write,
	[EV_L0_ENTRY] = event_text_l0_entry,
	[EV_L0_EXIT] = event_text_l0_exit,
	[EV_CONSOLE] = event_text_bytes_line,
	[EV_END] = event_text_end,
	[EV_GAP] = event_text_gap,
	[EV_CAPABILITY] = event_text_capability,
	[EV_VMX_STATE] = event_text_vmx_state,
	[EV_VMCS_IMAGE] = event_text_vmcs_image,
	[EV_MARK] = event_text_bytes_line,
	[EV_CPUID] = event_text_cpuid,
	[EV_MEMORY] = event_text_memory,
	[EV_OPTION] = event_text_option,
	[EV_REGS] = event_text_regs,
	[EV_RAM] = event_text_ram,
	[EV_PAGE] = event_text_page,
	[EV_HV_TIME] = event_text_hv_time,
	[EV_DEEP] = event_text_deep,
};

/* How many columns before the RIP of @level. */
static size_t indent(u8 level)
{
	return RIP_COLUMN + (level > 1 ? (size_t)(MIN(level, (u8)3) - 1) * INDENT : 0);
}

/* The RIP of the event: its name where it has one, padded so that what follows is in a column. */
static char *put_rip(const struct event_line *line, char *to)
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
static char *put_source(const struct event_line *line, char *to)
{
	const struct trace_event *const event = line->event;
	char source[SYMBOLS_MAX_NAME];

	if (!event->rip || !symbols_line(line->names->symbols, event->level, event->rip, source))
		return to;
	return put_char(put_text(put_text(to, "  ["), source), ']');
}

/* What stands behind the name of the kind. */
static char *put_what(const struct event_line *line, char *to)
{
	const u8 kind = line->event->kind;

	return kind < ARRAY_SIZE(forms) && forms[kind] ? forms[kind](line, to)
						       : put_columns(line, to);
}

static struct event_line line_of(const struct event_names *names, const struct trace_event *event,
				 const struct model *model)
{
	return (struct event_line){
		.names = names,
		.kind = trace_schema_kind(names->schema, event->kind),
		.event = event,
		.model = model,
	};
}

char *event_text_what(char *to, const struct event_names *names, const struct trace_event *event,
		      const struct model *model)
{
	const struct event_line line = line_of(names, event, model);

	return line.kind ? put_what(&line, to) : to;
}

char *event_text(char *to, const struct event_names *names, const struct trace_event *event,
		 const struct model *model)
{
	const struct event_line line = line_of(names, event, model);
	const char *const start = to;
	const char *name;

	to = event_text_position(to, event->cpu, event->seq);
	to = put_pad(to, start, indent(event->level), 1);
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
	to = put_char(event_text_field(to, item->id), ' ');
	to = put_hex(event_text_old(to, model, vmcs, item->id), item->value);
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
