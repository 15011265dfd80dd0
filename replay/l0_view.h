/*
 * replay/l0_view.h - what events with capture=+l0 say of VMCS02 and VMCS01
 */
#ifndef REPLAY_L0_VIEW_H
#define REPLAY_L0_VIEW_H

#include "replay/rule.h"
#include "vmx/tables.h"

static inline bool l0_item(const struct trace_event *event, u32 id, u64 *value)
{
	for (u32 i = 0; i < event->item_count; i++)
		if (event->items[i].id == id) {
			*value = event->items[i].value;
			return true;
		}
	return false;
}

/*
 * Field @index of VMCS02 in an l0_entry or l0_exit; @region is VMCS12 as it is then: what is not
 * told is equal there. False: unknown.
 */
static inline bool l0_vmcs02(const struct trace_event *event, const struct model_region *region,
			     int index, u64 *value)
{
	return l0_item(event, trace_item_id(ITEM_VMCS02, vmcs_fields[index].encoding), value) ||
	       model_field(region, index, ~0ull, value);
}

/* Field @index of VMCS01 in an l0_host; false: the processor does not have it. */
static inline bool l0_vmcs01(const struct trace_event *event, int index, u64 *value)
{
	return l0_item(event, trace_item_id(ITEM_VMCS01, vmcs_fields[index].encoding), value);
}

/* Field @index of VMCS12 behind an l2_exit; @region is VMCS12 before it. False: unknown. */
static inline bool l0_vmcs12_after(const struct trace_event *event,
				   const struct model_region *region, int index, u64 *value)
{
	return l0_item(event, vmcs_fields[index].encoding, value) ||
	       model_field(region, index, ~0ull, value);
}

/*
 * The bits of guest-state field @index that every processor keeps. SDM, "Format of Access Rights":
 * 31:17 and 11:8 are reserved, and 13 but for CS; some processors drop them.
 */
static inline u64 l0_kept_bits(int index)
{
	const u64 rights = MASK(16, 12) | MASK(7, 0);

	if (index < VMCS_IX_GUEST_ES_ACCESS_RIGHTS || index > VMCS_IX_GUEST_TR_ACCESS_RIGHTS)
		return ~0ull;
	return index == VMCS_IX_GUEST_CS_ACCESS_RIGHTS ? rights : rights & ~BIT(13);
}

/* An l0_exit that is kept until it is known what becomes of it. */
struct l0_raw {
	struct model_place place; /* nowhere: none */
	u64 rip;
	struct ev_l0_exit exit;
	u16 regs; /* bit n: @reg[n] is known */
	u64 reg[REG_COUNT];
};

static inline void l0_raw_keep(struct l0_raw *raw, const struct rule_run *run)
{
	raw->place = run->place;
	raw->rip = run->event->rip;
	memcpy(&raw->exit, run->event->col, sizeof(raw->exit));
	raw->regs = 0;
	for (unsigned reg = 0; reg < REG_COUNT; reg++)
		if (l0_item(run->event, ITEM_REG + reg, &raw->reg[reg]))
			raw->regs |= (u16)BIT(reg);
}

static inline bool l0_raw_is(const struct l0_raw *raw)
{
	return model_place_is(&raw->place);
}

/* Whether the event is L0 going on with L2 behind an exit that it handled alone. */
static inline bool l0_is_resumed(const struct trace_event *event)
{
	return event->kind == EV_L0_ENTRY && ((const struct ev_l0_entry *)event->col)->resumed;
}

#endif
