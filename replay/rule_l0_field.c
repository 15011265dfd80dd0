/*
 * replay/rule_l0_field.c - do fields of VMCS02 have the values of VMCS12? Needs capture=+l0
 *
 * Guest state, and what controls that are on use, must be as L1 wrote it, but for pages that L0 has
 * merged or translated.
 */
#include "replay/l0_view.h"

#define PAGE_BITS    MASK(11, 0)
#define AR_UNUSABLE  BIT(16)
#define MEMORY_RAM   1 /* in the memory map */
#define MAX_RESERVED 32

struct state {
	bool map_known;
	unsigned reserved_count; /* MAX_RESERVED: there may be more */
	struct {
		u64 base, size;
	} reserved[MAX_RESERVED]; /* what is no RAM in the memory map of L1 */
};

enum how {
	SAME,	  /* as in VMCS12 */
	L1_PAGE,  /* the same; where L0 itself may be, any page */
	OWN_PAGE, /* L0's own, or L1's translated: a page */
	NOT_0,	  /* L0's own */
	ALL_BITS, /* those of VMCS12, and others */
	FREE,	  /* not judged here */
};

/* Control fields, and guest state that is not simply loaded. */
static const struct copied {
	u8 field;
	u8 how;
	u8 word; /* that has the control that uses the field, while @mask is not 0 */
	u64 mask;
} copied[] = {
	{ VMCS_IX_TSC_OFFSET, SAME, VMX_WORD_PRIMARY, PRIMARY_TSC_OFFSETTING },
	{ VMCS_IX_TSC_MULTIPLIER, SAME, VMX_WORD_SECONDARY, SECONDARY_TSC_SCALING },
	{ VMCS_IX_VIRTUAL_APIC_ADDRESS, L1_PAGE, VMX_WORD_PRIMARY, PRIMARY_TPR_SHADOW },
	{ VMCS_IX_TPR_THRESHOLD, SAME, VMX_WORD_PRIMARY, PRIMARY_TPR_SHADOW },
	{ VMCS_IX_APIC_ACCESS_ADDRESS, L1_PAGE, VMX_WORD_SECONDARY,
	  SECONDARY_VIRTUALIZE_APIC_ACCESSES },
	{ VMCS_IX_EOI_EXIT_BITMAP_0, SAME, VMX_WORD_SECONDARY,
	  SECONDARY_VIRTUAL_INTERRUPT_DELIVERY },
	{ VMCS_IX_EOI_EXIT_BITMAP_1, SAME, VMX_WORD_SECONDARY,
	  SECONDARY_VIRTUAL_INTERRUPT_DELIVERY },
	{ VMCS_IX_EOI_EXIT_BITMAP_2, SAME, VMX_WORD_SECONDARY,
	  SECONDARY_VIRTUAL_INTERRUPT_DELIVERY },
	{ VMCS_IX_EOI_EXIT_BITMAP_3, SAME, VMX_WORD_SECONDARY,
	  SECONDARY_VIRTUAL_INTERRUPT_DELIVERY },
	{ VMCS_IX_PLE_GAP, SAME, VMX_WORD_SECONDARY, SECONDARY_PAUSE_LOOP_EXITING },
	{ VMCS_IX_PLE_WINDOW, SAME, VMX_WORD_SECONDARY, SECONDARY_PAUSE_LOOP_EXITING },
	{ VMCS_IX_XSS_EXITING_BITMAP, SAME, VMX_WORD_SECONDARY, SECONDARY_XSAVES },
	{ VMCS_IX_IO_BITMAP_A, OWN_PAGE, VMX_WORD_PRIMARY, PRIMARY_IO_BITMAPS },
	{ VMCS_IX_IO_BITMAP_B, OWN_PAGE, VMX_WORD_PRIMARY, PRIMARY_IO_BITMAPS },
	{ VMCS_IX_MSR_BITMAP, OWN_PAGE, VMX_WORD_PRIMARY, PRIMARY_MSR_BITMAPS },
	{ VMCS_IX_EPT_POINTER, NOT_0, VMX_WORD_SECONDARY, SECONDARY_EPT },
	{ VMCS_IX_VPID, NOT_0, VMX_WORD_SECONDARY, SECONDARY_VPID },
	{ VMCS_IX_EXCEPTION_BITMAP, ALL_BITS, 0, 0 },
	{ VMCS_IX_GUEST_DR7, SAME, VMX_WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS },
	{ VMCS_IX_GUEST_IA32_DEBUGCTL, SAME, VMX_WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS },
	{ VMCS_IX_GUEST_IA32_PAT, SAME, VMX_WORD_ENTRY, ENTRY_LOAD_PAT },
	{ VMCS_IX_GUEST_IA32_EFER, SAME, VMX_WORD_ENTRY, ENTRY_LOAD_EFER },
	{ VMCS_IX_GUEST_IA32_PERF_GLOBAL_CTRL, SAME, VMX_WORD_ENTRY, ENTRY_LOAD_PERF_GLOBAL_CTRL },
	{ VMCS_IX_GUEST_PDPTE0, SAME, VMX_WORD_SECONDARY, SECONDARY_EPT },
	{ VMCS_IX_GUEST_PDPTE1, SAME, VMX_WORD_SECONDARY, SECONDARY_EPT },
	{ VMCS_IX_GUEST_PDPTE2, SAME, VMX_WORD_SECONDARY, SECONDARY_EPT },
	{ VMCS_IX_GUEST_PDPTE3, SAME, VMX_WORD_SECONDARY, SECONDARY_EPT },
	{ VMCS_IX_VMCS_LINK_POINTER, FREE, 0, 0 },
	{ VMCS_IX_VMX_PREEMPTION_TIMER_VALUE, FREE, 0, 0 },
	{ VMCS_IX_GUEST_SMBASE, FREE, 0, 0 },
	{ VMCS_IX_GUEST_INTERRUPT_STATUS, SAME, VMX_WORD_SECONDARY,
	  SECONDARY_VIRTUAL_INTERRUPT_DELIVERY },
	{ VMCS_IX_PML_INDEX, FREE, 0, 0 },
	/* What L2 sees of them is judged. */
	{ VMCS_IX_GUEST_CR0, FREE, 0, 0 },
	{ VMCS_IX_GUEST_CR4, FREE, 0, 0 },
};

static const struct copied *row_of(int index)
{
	for (size_t i = 0; i < ARRAY_SIZE(copied); i++)
		if (copied[i].field == index)
			return &copied[i];
	return NULL;
}

/* MSRs that an MSR list may have loaded after the field. */
static bool may_be_listed(int index)
{
	switch (index) {
	case VMCS_IX_GUEST_IA32_SYSENTER_CS:
	case VMCS_IX_GUEST_IA32_SYSENTER_ESP:
	case VMCS_IX_GUEST_IA32_SYSENTER_EIP:
	case VMCS_IX_GUEST_IA32_DEBUGCTL:
	case VMCS_IX_GUEST_IA32_PAT:
	case VMCS_IX_GUEST_IA32_EFER:
	case VMCS_IX_GUEST_IA32_PERF_GLOBAL_CTRL:
		return true;
	default:
		return false;
	}
}

/* SDM, "Guest Register State": of an unusable segment only the bases of CS, FS and GS count. */
static bool is_of_unusable(const struct model_region *region, int index)
{
	const bool limit = index >= VMCS_IX_GUEST_ES_LIMIT && index <= VMCS_IX_GUEST_LDTR_LIMIT;
	const int first = limit ? VMCS_IX_GUEST_ES_LIMIT : VMCS_IX_GUEST_ES_BASE;
	u64 rights;

	switch (index) {
	case VMCS_IX_GUEST_ES_BASE:
	case VMCS_IX_GUEST_SS_BASE:
	case VMCS_IX_GUEST_DS_BASE:
	case VMCS_IX_GUEST_LDTR_BASE:
		break;
	default:
		if (!limit)
			return false;
	}
	return !model_field(region, VMCS_IX_GUEST_ES_ACCESS_RIGHTS + index - first, ~0ull,
			    &rights) ||
	       rights & AR_UNUSABLE;
}

static bool has_list(const struct model_region *region)
{
	u64 count;

	return !model_field(region, VMCS_IX_VM_ENTRY_MSR_LOAD_COUNT, ~0ull, &count) || count;
}

/*
 * SDM, "VM-Execution Control Fields": a processor uses whatever is at the address. L0 itself may be
 * there, in a range that L1 was told to leave alone: L1 gets any page in its place.
 */
static bool may_be_of_l0(const struct state *state, u64 address)
{
	for (unsigned i = 0; i < state->reserved_count; i++)
		if (address - state->reserved[i].base < state->reserved[i].size)
			return true;
	return !state->map_known || state->reserved_count == MAX_RESERVED;
}

static bool is_page(u64 address)
{
	return address && !(address & PAGE_BITS);
}

static bool fits(const struct state *state, enum how how, u64 is, u64 wanted)
{
	switch (how) {
	case SAME:
		return is == wanted;
	case L1_PAGE:
		return is == wanted || (is_page(is) && may_be_of_l0(state, wanted));
	case OWN_PAGE:
		return is_page(is);
	case NOT_0:
		return is;
	case ALL_BITS:
		return !(wanted & ~is);
	default:
		return true;
	}
}

static void report_field(const struct rule_run *run, const struct model_region *region, int index,
			 u64 is)
{
	struct finding *const finding =
		finding_add(run->findings, FINDING_L0_FIELD_NOT_COPIED, (u64)index);

	if (!finding)
		return;
	finding_title(finding, "%s is 0x%llx in VMCS12, and L2 runs with 0x%llx",
		      vmcs_fields[index].name, (unsigned long long)region->value[index],
		      (unsigned long long)is);
	finding_evidence(finding, &region->writer[index]);
	finding_evidence(finding, &run->place);
	finding_note(finding, "encoding 0x%04x", vmcs_fields[index].encoding);
	finding_explain(finding, "L1 believes that its value is in force.");
	finding_next(finding, "look at where L0 copies %s to VMCS02", vmcs_fields[index].name);
}

static void judge_field(const struct rule_run *run, const struct state *state,
			const struct model_region *region, int index, u64 is)
{
	const struct copied *const row = row_of(index);
	u64 wanted, word;

	if (!row && vmcs_fields[index].kind != VMCS_KIND_GUEST)
		return;
	if (row && row->how == FREE)
		return;
	if (row && row->mask &&
	    (model_control(region, row->word, row->mask) != MODEL_YES ||
	     !l0_vmcs02(run->event, region, vmx_control_words[row->word].field, &word) ||
	     !(word & row->mask)))
		return;
	if ((may_be_listed(index) && has_list(region)) || is_of_unusable(region, index) ||
	    !model_field(region, index, ~0ull, &wanted) ||
	    fits(state, row ? row->how : SAME, is & l0_kept_bits(index),
		 wanted & l0_kept_bits(index)))
		return;
	report_field(run, region, index, is);
}

static void note_memory(struct state *state, const struct ev_memory *memory)
{
	state->map_known = true;
	if (memory->type == MEMORY_RAM || state->reserved_count == MAX_RESERVED)
		return;
	state->reserved[state->reserved_count].base = memory->base;
	state->reserved[state->reserved_count++].size = memory->size;
}

static void event(const struct rule_run *run, void *state)
{
	const struct trace_event *const event = run->event;
	const struct model_region *const region = model_current(run->model, event->cpu);

	if (event->kind == EV_MEMORY) {
		note_memory(state, (const struct ev_memory *)event->col);
		return;
	}
	/* Behind an exit L2 has changed state that VMCS12 does not have yet. */
	if (!region || l0_is_resumed(event))
		return;
	for (u32 i = 0; i < event->item_count; i++) {
		const struct trace_item *const item = &event->items[i];
		int index;

		if (item->id < ITEM_VMCS02 || item->id >= ITEM_VMCS01)
			continue;
		index = vmcs_field_index(trace_item_field(item->id));
		if (index >= 0)
			judge_field(run, state, region, index, item->value);
	}
}

const struct rule rule_l0_field = {
	.kinds = RULE_KIND(L0_ENTRY) | RULE_KIND(MEMORY),
	.state_size = sizeof(struct state),
	.event = event,
};
