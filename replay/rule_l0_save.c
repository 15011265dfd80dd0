/*
 * replay/rule_l0_save.c - does L1 get the state of L2 that the processor saved? Needs capture=+l0
 *
 * SDM, "Saving Guest State".
 */
#include "replay/l0_view.h"

#define AR_UNUSABLE BIT(16)
#define RFLAGS_RF   BIT(16)
#define SEGMENTS    8

struct state {
	struct {
		struct model_place place; /* of the l0_exit; nowhere: none */
		u64 reason;
		u32 count;
		struct trace_item items[TRACE_MAX_ITEMS];
	} cpus[MODEL_MAX_CPUS];
};

/* Guest state that exits do not save, or save in a way of their own. */
static bool is_saved(const struct model_region *region, int index)
{
	switch (index) {
	case VMCS_IX_GUEST_DR7:
	case VMCS_IX_GUEST_IA32_DEBUGCTL:
		return model_control(region, VMX_WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS) == MODEL_YES;
	case VMCS_IX_GUEST_IA32_PAT:
		return model_control(region, VMX_WORD_EXIT, EXIT_SAVE_PAT) == MODEL_YES;
	case VMCS_IX_GUEST_IA32_EFER:
		return model_control(region, VMX_WORD_EXIT, EXIT_SAVE_EFER) == MODEL_YES;
	case VMCS_IX_GUEST_CR0:
	case VMCS_IX_GUEST_CR3:
	case VMCS_IX_GUEST_CR4:
	case VMCS_IX_GUEST_RIP:
	case VMCS_IX_GUEST_RSP:
	case VMCS_IX_GUEST_RFLAGS:
	case VMCS_IX_GUEST_ACTIVITY_STATE:
	case VMCS_IX_GUEST_INTERRUPTIBILITY_STATE:
	case VMCS_IX_GUEST_PENDING_DEBUG_EXCEPTIONS:
	case VMCS_IX_GUEST_IA32_SYSENTER_CS:
	case VMCS_IX_GUEST_IA32_SYSENTER_ESP:
	case VMCS_IX_GUEST_IA32_SYSENTER_EIP:
	case VMCS_IX_GUEST_GDTR_BASE:
	case VMCS_IX_GUEST_GDTR_LIMIT:
	case VMCS_IX_GUEST_IDTR_BASE:
	case VMCS_IX_GUEST_IDTR_LIMIT:
		return true;
	default:
		return index >= VMCS_IX_GUEST_ES_SELECTOR && index <= VMCS_IX_GUEST_TR_SELECTOR;
	}
}

static enum finding_id id_of(int index)
{
	switch (index) {
	case VMCS_IX_GUEST_ACTIVITY_STATE:
		return FINDING_L0_ACTIVITY_STATE;
	case VMCS_IX_GUEST_PENDING_DEBUG_EXCEPTIONS:
		return FINDING_L0_PENDING_DBG;
	default:
		return FINDING_L0_FIELD_NOT_COPIED;
	}
}

static void report(const struct rule_run *run, const struct model_place *raw, int index, u64 saved,
		   u64 got)
{
	struct finding *const finding =
		finding_add(run->findings, id_of(index), 1ull << 32 | (u64)index);

	if (!finding)
		return;
	finding_title(finding, "The exit saved %s = 0x%llx, and L1 got 0x%llx",
		      vmcs_fields[index].name, (unsigned long long)saved, (unsigned long long)got);
	finding_evidence(finding, raw);
	finding_evidence(finding, &run->place);
	finding_note(finding, "encoding 0x%04x", vmcs_fields[index].encoding);
	finding_explain(finding, "L1 goes on with a state of its guest that is not the guest's.");
	finding_next(finding, "copy the field from VMCS02 at every exit that L1 gets");
}

static void compare(const struct rule_run *run, const struct state *state, int index)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	const struct trace_event raw = {
		.items = state->cpus[run->event->cpu].items,
		.item_count = state->cpus[run->event->cpu].count,
	};
	u64 saved, got;

	if (!l0_vmcs02(&raw, region, index, &saved) ||
	    !l0_vmcs12_after(run->event, region, index, &got))
		return;
	/* A fault that L0 found saves RF, which the processor knew nothing of. */
	if (index == VMCS_IX_GUEST_RFLAGS &&
	    state->cpus[run->event->cpu].reason !=
		    ((const struct ev_l2_exit *)run->event->col)->reason)
		saved |= got & RFLAGS_RF;
	if ((saved ^ got) & l0_kept_bits(index))
		report(run, &state->cpus[run->event->cpu].place, index, saved, got);
}

/* Base, limit and access rights; of an unusable segment not all is defined. */
static void compare_segments(const struct rule_run *run, const struct state *state)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	const struct trace_event raw = {
		.items = state->cpus[run->event->cpu].items,
		.item_count = state->cpus[run->event->cpu].count,
	};

	for (int segment = 0; segment < SEGMENTS; segment++) {
		const int rights = VMCS_IX_GUEST_ES_ACCESS_RIGHTS + segment;
		u64 value;

		if (!l0_vmcs02(&raw, region, rights, &value) || value & AR_UNUSABLE)
			continue;
		compare(run, state, rights);
		compare(run, state, VMCS_IX_GUEST_ES_BASE + segment);
		compare(run, state, VMCS_IX_GUEST_ES_LIMIT + segment);
	}
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	const struct trace_event *const event = run->event;
	const struct model_region *region;

	if (event->kind == EV_L0_EXIT) {
		state->cpus[event->cpu].place = run->place;
		state->cpus[event->cpu].reason = ((const struct ev_l0_exit *)event->col)->reason;
		state->cpus[event->cpu].count = MIN(event->item_count, (u32)TRACE_MAX_ITEMS);
		memcpy(state->cpus[event->cpu].items, event->items,
		       state->cpus[event->cpu].count * sizeof(event->items[0]));
		return;
	}
	region = model_current(run->model, event->cpu);
	if (event->kind == EV_L2_EXIT && region && model_place_is(&state->cpus[event->cpu].place) &&
	    !(((const struct ev_l2_exit *)event->col)->reason & EXIT_REASON_ENTRY_FAILURE)) {
		for (int index = 0; index < VMCS_FIELD_COUNT; index++)
			if (is_saved(region, index))
				compare(run, state, index);
		compare_segments(run, state);
	}
	state->cpus[event->cpu].place.kind = 0;
}

const struct rule rule_l0_save = {
	.kinds = RULE_KIND(L0_EXIT) | RULE_KIND(L2_EXIT) | RULE_KIND(L0_ENTRY) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
