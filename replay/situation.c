#include "replay/situation.h"

#define CR4_PAE	   BIT(5)
#define CR4_VMXE   BIT(13)
#define VTPR_PLACE 0x80 /* on the virtual-APIC page */

/* Of a VMCS that nobody has seen: nothing is known. */
static const u64 nothing[VMCS_FIELD_COUNT];

/* --- Memory ----------------------------------------------------------------------------------- */

static struct word memory(void *context, u64 gpa, unsigned int size)
{
	const struct situation *const situation = context;
	const u64 *const value = situation->entry.value;
	const u64 list = value[VMCS_IX_VM_ENTRY_MSR_LOAD_ADDRESS];
	const u64 pdptes = value[VMCS_IX_GUEST_CR3] & MASK(31, 5);

	for (u32 i = 0; i < situation->item_count; i++) {
		const struct trace_item *const item = &situation->items[i];
		const u32 id = item->id;

		if (id == ITEM_VTPR && size == 1 &&
		    gpa == value[VMCS_IX_VIRTUAL_APIC_ADDRESS] + VTPR_PLACE)
			return word_of(item->value);
		if (id >= ITEM_MSR_LOAD && id < ITEM_MSR_STORE && size == 8 &&
		    gpa == list + 8ull * (id - ITEM_MSR_LOAD))
			return word_of(item->value);
		if (id >= ITEM_PDPTE && id < ITEM_VTPR && size == 8 &&
		    gpa == pdptes + 8ull * (id - ITEM_PDPTE))
			return word_of(item->value);
	}
	return (struct word){ 0 };
}

void situation_consulted(struct situation *situation, const struct trace_item *items, u32 count)
{
	situation->items = items;
	situation->item_count = count;
}

/* --- What entries depend on ------------------------------------------------------------------- */

static struct word launch_state(const struct model_region *region, u8 kind, const u64 *col)
{
	const u64 resume = kind == EV_VMRESUME ? CHECK_RESUME : 0;
	bool launched = ((const struct ev_vmlaunch *)col)->launched;

	if (region && region->launch != LAUNCH_UNKNOWN)
		launched = region->launch == LAUNCH_LAUNCHED;
	return word_of((launched ? CHECK_LAUNCHED : 0) | resume);
}

static struct word revision(const struct model *model, const struct model_region *region)
{
	if (region && region->dword0_known)
		return word_of(region->dword0);
	/* A shadow VMCS becomes current only where VMCS shadowing exists. */
	if (model->shown.known & BIT(VMX_CAP_PROCBASED_CTLS2) &&
	    !(vmx_caps_may_be_1(&model->shown, VMX_WORD_SECONDARY) & SECONDARY_VMCS_SHADOWING))
		return word_partly(0, BIT(31));
	return (struct word){ 0 };
}

static void make_entry(struct situation *situation, const struct model *model,
		       const struct model_region *region, u8 kind, const u64 *col)
{
	struct check_input *const entry = &situation->entry;
	const struct ev_insn *const insn = (const struct ev_insn *)col;
	struct word *const state = entry->state;

	entry->caps = situation->insn.caps;
	entry->cpu = situation->insn.cpu;
	entry->value = region ? region->value : nothing;
	entry->known = region ? region->known : nothing;
	entry->memory = memory;
	entry->context = situation;
	state[CHECK_STATE_MODE] = situation->insn.mode;
	state[CHECK_STATE_CURRENT] = situation->insn.current;
	state[CHECK_STATE_REVISION] = revision(model, region);
	state[CHECK_STATE_LAUNCH] = launch_state(region, kind, col);
	state[CHECK_STATE_CR3] = word_of(insn->cr3);
	state[CHECK_STATE_CR4] = word_partly(insn->mode >> MODE_VMXE & 1 ? CR4_VMXE : 0, CR4_VMXE);
	/* IA-32e mode has PAE paging structures, always. */
	if (insn->mode >> MODE_LMA & 1)
		state[CHECK_STATE_CR4] = word_or(state[CHECK_STATE_CR4], CR4_PAE);
	state[CHECK_STATE_RTIT_CTL] = (struct word){ 0 };
	situation->insn.entry = entry;
}

/* --- Instructions ----------------------------------------------------------------------------- */

static void set_operand(struct insn_situation *at, const u64 *col)
{
	const struct ev_insn *const insn = (const struct ev_insn *)col;
	const bool wide = (insn->mode >> MODE_LMA & 1) && (insn->mode >> MODE_CS_L & 1);
	const struct ev_vmxon *const region = (const struct ev_vmxon *)col;
	const struct ev_invept *const inv = (const struct ev_invept *)col;

	switch (at->kind) {
	case EV_VMXON:
		at->cr0 = word_of(region->cr0);
		at->cr4 = word_of(region->cr4);
		at->feature_control = word_of(region->feature_control);
		/* fall through */
	case EV_VMCLEAR:
	case EV_VMPTRLD:
		at->operand = word_of(region->pointer);
		at->revision = word_of(region->dword0);
		break;
	case EV_VMREAD:
	case EV_VMWRITE:
		at->operand = word_of(((const struct ev_vmread *)col)->field &
				      (wide ? ~0ull : MASK(31, 0)));
		break;
	case EV_INVEPT:
	case EV_INVVPID:
		at->operand = word_of(inv->type);
		at->descriptor[0] = word_of(inv->descriptor_low);
		at->descriptor[1] = word_of(inv->descriptor_high);
		break;
	default:
		break;
	}
}

static struct word mode_of(const struct model_cpu *cpu, u64 mode)
{
	const u64 root = BIT(MODE_VMX_ROOT);

	if (cpu->in_vmx == MODEL_UNKNOWN)
		return word_partly(mode, ~root);
	return word_of(cpu->in_vmx == MODEL_YES ? mode | root : mode & ~root);
}

static struct word pointer_of(bool known, u64 pointer)
{
	return word_partly(pointer, known ? ~0ull : 0);
}

void situation_make(struct situation *situation, const struct model *model,
		    const struct cpu_facts *facts, u16 cpu, u8 kind, const u64 *col)
{
	const struct model_cpu *const state = &model->cpus[cpu];
	const struct ev_insn *const insn = (const struct ev_insn *)col;
	struct insn_situation *const at = &situation->insn;

	at->kind = kind;
	at->caps = &model->shown;
	at->cpu = facts;
	at->mode = mode_of(state, insn->mode);
	at->current = pointer_of(state->current_known, state->current);
	at->vmxon = pointer_of(state->vmxon_known, state->vmxon_pointer);
	at->register_operand = TRI_NO;
	at->operand_faults = insn->outcome == OUTCOME_FAULT ? TRI_MAYBE : TRI_NO;
	at->entry = NULL;
	situation_consulted(situation, NULL, 0);
	if (situation_is_entry(kind))
		make_entry(situation, model, state->current_known ? state->region : NULL, kind,
			   col);
	else
		set_operand(at, col);
}

/* --- What was observed ------------------------------------------------------------------------ */

/* Exits record the fields that they change. */
static bool qualification(const struct trace_event *event, const struct model_region *region,
			  u64 *value)
{
	for (u32 i = 0; i < event->item_count; i++) {
		*value = event->items[i].value;
		if (event->items[i].id == VMCS_EXIT_QUALIFICATION)
			return true;
	}
	return region && model_field(region, VMCS_IX_EXIT_QUALIFICATION, ~0ull, value);
}

bool situation_observed_end(const struct trace_event *event, const struct model_region *region,
			    struct legal *observed)
{
	const u64 reason = ((const struct ev_l2_exit *)event->col)->reason;
	u64 value;

	*observed = legal_succeed();
	if (event->kind != EV_L2_EXIT || !(reason & EXIT_REASON_ENTRY_FAILURE))
		return true;
	if (!qualification(event, region, &value))
		return false;
	*observed = legal_failure((unsigned)(reason & EXIT_REASON_BASIC), value, value);
	return true;
}
