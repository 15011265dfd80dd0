/*
 * What is said of registers and memory.
 */
#include "replay/event_text_parts.h"
#include "replay/memory_event.h"
#include "replay/put.h"
#include "vmx/regs.h"
#include "vmx/vmcs12.h"

char *event_text_regs(const struct event_line *line, char *to)
{
	const struct trace_event *const event = line->event;
	const struct ev_regs *const regs = (const struct ev_regs *)event->col;
	const u64 *const values = event->col + EV_COLUMN(regs, rax);

	if (!(regs->known & REGS_ALL))
		return put_text(to, "removed");
	for (unsigned i = 0; i < REG_COUNT; i++) {
		if (!(regs->known >> i & 1))
			continue;
		to = put_text(i ? put_char(to, ' ') : to, vmx_reg_name(i));
		to = put_hex(put_char(to, '='), values[i]);
	}
	if (regs->stack)
		to = put_dec(put_text(to, " stack="), regs->stack);
	for (u32 i = 0; i < event->item_count; i++) {
		const int index = event->items[i].id >= ITEM_STATE
					  ? vmcs_field_index(trace_item_field(event->items[i].id))
					  : -1;

		if (index < 0)
			continue;
		/* "guest_cr4" of a VMCS is CR4 here. */
		to = put_text(put_char(to, ' '), vmcs_fields[index].name + sizeof("guest_") - 1);
		to = put_hex(put_char(to, '='), event->items[i].value);
	}
	return to;
}

char *event_text_ram(const struct event_line *line, char *to)
{
	const struct trace_event *const event = line->event;
	struct memory_pieces pieces = memory_event_pieces(event);
	struct memory_piece piece;
	bool any = false;

	while (memory_event_next(&pieces, &piece)) {
		to = put_text(to, any ? ", " : "gpa1 ");
		to = put_dec(put_char(put_hex(to, piece.address), '+'), piece.size);
		any = true;
	}
	return any ? to : put_text(to, "removed");
}

char *event_text_page(const struct event_line *line, char *to)
{
	const struct trace_event *const event = line->event;
	const struct ev_page *const page = (const struct ev_page *)event->col;
	const int index = vmcs_access_index(page->field);

	to = put_hex(put_text(to, "gpa1 "), page->gpa);
	if (page->field && index >= 0)
		to = put_text(put_char(to, ' '), vmcs_fields[index].name);
	if (event->byte_count)
		return put_text(put_dec(put_char(to, ' '), event->byte_count), " bytes");
	if (!page->since)
		return put_text(to, " removed");
	return put_dec(put_text(to, " as in event "), page->since - 1);
}
