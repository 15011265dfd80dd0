#include "replay/event_writes.h"

static unsigned add(struct event_write *to, int index, u64 value)
{
	const u64 mask = vmcs_width_mask(vmcs_fields[index].width);

	*to = (struct event_write){ index, mask, value & mask };
	return 1;
}

static unsigned add_items(struct event_write *to, const struct trace_event *event)
{
	unsigned count = 0;

	for (u32 i = 0; i < event->item_count; i++) {
		const u32 id = event->items[i].id;
		const int index = id < ITEM_REG ? vmcs_field_index(id) : -1;

		if (index >= 0)
			count += add(&to[count], index, event->items[i].value);
	}
	return count;
}

static unsigned add_vmwrite(struct event_write *to, const struct ev_vmwrite *insn)
{
	const bool wide = (insn->mode >> MODE_LMA & 1) && (insn->mode >> MODE_CS_L & 1);
	const int index = vmcs_access_index(insn->field);

	if (insn->outcome != OUTCOME_SUCCEED || index < 0)
		return 0;
	add(to, index, vmcs_write_result(index, 0, insn->field, wide, insn->value));
	if (vmcs_encoding_is_high(insn->field)) {
		to->mask = MASK(63, 32);
		to->value &= to->mask;
	}
	return 1;
}

unsigned event_writes(const struct trace_event *event, u64 *vmcs, struct event_write *writes)
{
	if (trace_event_fails_valid(event)) {
		*vmcs = ((const struct ev_insn *)event->col)->vmcs;
		return add(writes, VMCS_IX_VM_INSTRUCTION_ERROR,
			   ((const struct ev_insn *)event->col)->error);
	}
	switch (event->kind) {
	case EV_VMWRITE:
		*vmcs = ((const struct ev_vmwrite *)event->col)->vmcs;
		return add_vmwrite(writes, (const struct ev_vmwrite *)event->col);
	case EV_L2_ENTRY:
		*vmcs = ((const struct ev_l2_entry *)event->col)->vmcs;
		return add_items(writes, event);
	case EV_L2_EXIT:
		*vmcs = ((const struct ev_l2_exit *)event->col)->vmcs;
		add(writes, VMCS_IX_EXIT_REASON, ((const struct ev_l2_exit *)event->col)->reason);
		return 1 + add_items(writes + 1, event);
	case EV_VMCS_IMAGE:
		*vmcs = ((const struct ev_vmcs_image *)event->col)->vmcs;
		return add_items(writes, event);
	case EV_VMCS12_WRITE: {
		const struct ev_vmcs12_write *const write =
			(const struct ev_vmcs12_write *)event->col;
		const int index = vmcs_field_index(write->field);

		*vmcs = write->vmcs;
		return index < 0 ? 0 : add(writes, index, write->value);
	}
	default:
		return 0;
	}
}
