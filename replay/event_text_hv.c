/*
 * What is said beside the dialogue of L1 and L2: the machine, hv, the recording of it.
 */
#include "replay/event_text_parts.h"
#include "replay/put.h"
#include "trace/text.h"
#include "vmx/tables.h"

char *event_text_bytes_line(const struct event_line *line, char *to)
{
	to = put_text(to, "| ");
	return event_text_bytes(to, line->event->bytes, line->event->byte_count);
}

char *event_text_end(const struct event_line *line, char *to)
{
	to = event_text_known(to, trace_text_end(((const struct ev_end *)line->event->col)->why));
	if (line->event->byte_count)
		to = put_char(to, ' ');
	return event_text_bytes(to, line->event->bytes, line->event->byte_count);
}

char *event_text_gap(const struct event_line *line, char *to)
{
	const struct ev_gap *const gap = (const struct ev_gap *)line->event->col;

	to = put_text(to, "--- ");
	to = gap->events ? put_dec(to, gap->events) : put_text(to, "an unknown number of");
	to = put_text(to, " events are missing: ");
	return put_text(event_text_known(to, trace_text_gap(gap->why)), " ---");
}

char *event_text_option(const struct event_line *line, char *to)
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

char *event_text_memory(const struct event_line *line, char *to)
{
	const struct ev_memory *const memory = (const struct ev_memory *)line->event->col;

	to = put_hex(to, memory->base);
	to = put_hex(put_char(to, '-'), memory->base + memory->size - 1);
	return put_dec(put_text(to, " type "), memory->type);
}

/* EAX, EBX, ECX, EDX, and in brackets those of the processor where they differ. */
static char *put_cpuid_regs(char *to, u64 ab, u64 cd)
{
	const u32 regs[] = { (u32)ab, (u32)(ab >> 32), (u32)cd, (u32)(cd >> 32) };

	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		to = put_hex_digits(put_char(to, ' '), regs[i], 8);
	return to;
}

char *event_text_cpuid(const struct event_line *line, char *to)
{
	const struct ev_cpuid *const cpuid = (const struct ev_cpuid *)line->event->col;

	to = put_dec(put_char(put_hex(to, cpuid->leaf), '.'), cpuid->subleaf);
	to = put_cpuid_regs(to, cpuid->shown_ab, cpuid->shown_cd);
	if (cpuid->real_ab == cpuid->shown_ab && cpuid->real_cd == cpuid->shown_cd)
		return to;
	return put_char(put_cpuid_regs(put_text(to, " (real"), cpuid->real_ab, cpuid->real_cd),
			')');
}

char *event_text_capability(const struct event_line *line, char *to)
{
	const struct ev_capability *const cap = (const struct ev_capability *)line->event->col;

	to = event_text_msr(to, cap->msr);
	to = put_hex(put_text(to, " real="), cap->real);
	return cap->exists ? put_hex(put_text(to, " shown="), cap->shown) : put_text(to, " hidden");
}

static char *put_pointer(char *to, const char *name, u64 pointer)
{
	to = put_text(to, name);
	return pointer == MODEL_NO_POINTER ? put_text(to, "none") : put_hex(to, pointer);
}

char *event_text_vmx_state(const struct event_line *line, char *to)
{
	const struct ev_vmx_state *const vmx = (const struct ev_vmx_state *)line->event->col;

	if (!vmx->in_vmx)
		return put_text(to, "outside of VMX operation");
	to = put_pointer(to, "vmxon=", vmx->vmxon_pointer);
	to = put_pointer(to, " current=", vmx->vmcs);
	return put_dec(put_text(to, " level="), vmx->level);
}

char *event_text_vmcs_image(const struct event_line *line, char *to)
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

char *event_text_hv_time(const struct event_line *line, char *to)
{
	const struct ev_hv_time *const time = (const struct ev_hv_time *)line->event->col;
	const bool packing = !line->event->level;

	to = put_text(to, packing ? "packing" : vmx_exit_name((u32)time->reason));
	to = put_dec(put_char(to, ' '), time->exits);
	to = put_text(to, time->exits == 1 ? " time, " : " times, ");
	to = put_text(put_dec(to, time->ticks), " ticks, longest ");
	return put_dec(to, time->longest);
}

char *event_text_deep(const struct event_line *line, char *to)
{
	static const char *const what[] = {
		[DEEP_BEGINS] = "every store is told from here",
		[DEEP_ENDS] = "stores are no longer told",
		[DEEP_PAGES_USED] = "no more pages: stores are no longer told",
		[DEEP_TYPES_CHANGED] = "memory types changed: stores are no longer told",
	};
	const struct ev_deep *const deep = (const struct ev_deep *)line->event->col;

	to = event_text_known(to, deep->what < ARRAY_SIZE(what) ? what[deep->what] : NULL);
	to = put_dec(put_text(to, ", VM entry "), deep->entries);
	if (deep->what == DEEP_BEGINS)
		return to;
	to = put_text(put_dec(put_text(to, "; "), deep->pages), " pages, ");
	return put_text(put_dec(to, deep->stores), " faults");
}
