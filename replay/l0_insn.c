#include "replay/l0_insn.h"

#include "vmx/tables.h"
#include "vmx/vmcs12.h"

#define VECTOR_UD 6
#define CPL	  MASK(MODE_CPL + 1, MODE_CPL)
#define PAGE_BITS MASK(11, 0)

static bool is_fault(const struct legal *legal, unsigned vector)
{
	return legal->kind == LEGAL_FAULT && legal->number == vector;
}

static bool is_vmfail(const struct legal *legal)
{
	return legal->kind == LEGAL_FAIL_VALID || legal->kind == LEGAL_FAIL_INVALID;
}

/* The first outcome that is sure. */
static const struct legal *wanted(const struct rule_run *run)
{
	static const struct legal none = { .kind = LEGAL_SUCCEED };
	const struct legal_set *const set = &run->judged->expected;

	for (unsigned i = 0; i < set->count; i++)
		if (set->of[i].sure)
			return &set->of[i];
	return &none;
}

static u64 mode_bit(const struct rule_run *run, enum trace_mode_bit bit)
{
	return rule_insn(run)->mode >> bit & 1;
}

static bool has_bad_cr(const struct rule_run *run)
{
	const struct ev_vmxon *const vmxon = (const struct ev_vmxon *)run->event->col;
	const struct vmx_caps *const shown = &run->model->shown;

	return run->event->kind == EV_VMXON && (shown->msr[VMX_CAP_CR0_FIXED0] & ~vmxon->cr0 ||
						vmxon->cr0 & ~shown->msr[VMX_CAP_CR0_FIXED1] ||
						shown->msr[VMX_CAP_CR4_FIXED0] & ~vmxon->cr4 ||
						vmxon->cr4 & ~shown->msr[VMX_CAP_CR4_FIXED1]);
}

/* The VMXON pointer is 0, and L0 takes it for none. */
static bool is_sentinel(const struct rule_run *run)
{
	const struct model_cpu *const cpu = rule_cpu(run);

	if (!cpu->vmxon_known || cpu->vmxon_pointer)
		return false;
	switch (run->event->kind) {
	case EV_VMXON:
		return cpu->in_vmx == MODEL_YES;
	case EV_VMCLEAR:
	case EV_VMPTRLD:
		return !((const struct ev_vmptrld *)run->event->col)->pointer;
	default:
		return false;
	}
}

static enum finding_id outcome_rule(const struct rule_run *run)
{
	const struct legal *const is = &run->judged->observed;
	const struct legal *const should = wanted(run);

	if (is_fault(should, VECTOR_UD) && !is_fault(is, VECTOR_UD) &&
	    (run->event->kind == EV_VMXON ? !mode_bit(run, MODE_VMXE)
					  : rule_cpu(run)->in_vmx == MODEL_NO))
		return FINDING_L0_VMX_HIDDEN_BUT_ON;
	if (should->kind == LEGAL_FAULT && is->kind != LEGAL_FAULT) {
		if (rule_insn(run)->mode & CPL)
			return FINDING_L0_VMX_INSN_CPL;
		if (has_bad_cr(run))
			return FINDING_L0_VMXON_ACCEPTS_BAD_CR;
	}
	if (is_sentinel(run))
		return FINDING_L0_SENTINEL_ADDRESS;
	if (is_vmfail(is) && is_vmfail(should) && is->kind != should->kind)
		return FINDING_L0_VMFAIL_KIND;
	if (is->kind == LEGAL_FAIL_VALID && is->number == VMERR_UNSUPPORTED_FIELD)
		return FINDING_L0_VMCS_FIELD_MISSING;
	return FINDING_INSN_OUTCOME;
}

enum finding_id l0_insn_rule(const struct rule_run *run, const struct model_place *failed_entry)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	int index;

	switch ((enum judge_aspect)run->judged->aspect) {
	case JUDGED_FLAGS:
		return FINDING_L0_VMFAIL_KIND;
	case JUDGED_VALUE:
		index = vmcs_access_index(((const struct ev_vmread *)run->event->col)->field);
		if (index == VMCS_IX_VM_INSTRUCTION_ERROR)
			return FINDING_INSN_OUTCOME;
		if (region && index >= 0 && model_place_is(failed_entry) &&
		    failed_entry->n > region->writer[index].n)
			return FINDING_L0_ENTRY_FAIL_SIDE_EFFECT;
		return FINDING_L0_VMCS_VALUE_LOST;
	default:
		return outcome_rule(run);
	}
}

/* --- Entries ---------------------------------------------------------------------------------- */

/* Addresses that are looked at only while a control is on. */
static const struct {
	u8 field; /* enum vmcs_index */
	u8 word;
	u64 mask;
} addresses[] = {
	{ VMCS_IX_IO_BITMAP_A, VMX_WORD_PRIMARY, PRIMARY_IO_BITMAPS },
	{ VMCS_IX_IO_BITMAP_B, VMX_WORD_PRIMARY, PRIMARY_IO_BITMAPS },
	{ VMCS_IX_MSR_BITMAP, VMX_WORD_PRIMARY, PRIMARY_MSR_BITMAPS },
	{ VMCS_IX_VIRTUAL_APIC_ADDRESS, VMX_WORD_PRIMARY, PRIMARY_TPR_SHADOW },
	{ VMCS_IX_APIC_ACCESS_ADDRESS, VMX_WORD_SECONDARY, SECONDARY_VIRTUALIZE_APIC_ACCESSES },
	{ VMCS_IX_EPT_POINTER, VMX_WORD_SECONDARY, SECONDARY_EPT },
	{ VMCS_IX_PML_ADDRESS, VMX_WORD_SECONDARY, SECONDARY_PML },
	{ VMCS_IX_VMREAD_BITMAP_ADDRESS, VMX_WORD_SECONDARY, SECONDARY_VMCS_SHADOWING },
	{ VMCS_IX_VMWRITE_BITMAP_ADDRESS, VMX_WORD_SECONDARY, SECONDARY_VMCS_SHADOWING },
};

/* An address that would not pass its check, and whose control is off; -1: none. */
static int unused_bad_address(const struct rule_run *run)
{
	const struct model_region *const region =
		model_region(run->model, run->judged->situation.insn.current.value);
	const unsigned width = run->model->shown.maxphyaddr;

	if (!region || !width)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		u64 value;

		if (model_field(region, addresses[i].field, ~0ull, &value) &&
		    model_control(region, addresses[i].word, addresses[i].mask) == MODEL_NO &&
		    (value & PAGE_BITS || value >> width))
			return addresses[i].field;
	}
	return -1;
}

enum finding_id l0_entry_rule(const struct rule_run *run, u16 check)
{
	const struct legal *const is = &run->judged->observed;

	if (is->kind == LEGAL_SUCCEED)
		return check != LEGAL_NO_CHECK &&
				       check_stage((enum check_id)check) == CHECK_STAGE_MSR_LOAD
			       ? FINDING_L0_MSR_LIST
			       : FINDING_ENTRY_TOO_LAX;
	if (check != LEGAL_NO_CHECK)
		return FINDING_ENTRY_ERROR_PRIORITY;
	if (is->kind == LEGAL_ENTRY_FAILURE && is->number == EXIT_MSR_LOADING)
		return FINDING_L0_MSR_LOAD_FAULT;
	return unused_bad_address(run) >= 0 ? FINDING_L0_CHECKS_DISABLED_FEATURE
					    : FINDING_ENTRY_TOO_STRICT;
}

/* --- Texts ------------------------------------------------------------------------------------ */

static void note_vmxon(struct finding *finding, const struct rule_run *run)
{
	const struct ev_vmxon *const vmxon = (const struct ev_vmxon *)run->event->col;
	const u64 *const msr = run->model->shown.msr;

	finding_note(finding, "CR0 = 0x%llx, must have 0x%llx, may have 0x%llx",
		     (unsigned long long)vmxon->cr0, (unsigned long long)msr[VMX_CAP_CR0_FIXED0],
		     (unsigned long long)msr[VMX_CAP_CR0_FIXED1]);
	finding_note(finding, "CR4 = 0x%llx, must have 0x%llx, may have 0x%llx",
		     (unsigned long long)vmxon->cr4, (unsigned long long)msr[VMX_CAP_CR4_FIXED0],
		     (unsigned long long)msr[VMX_CAP_CR4_FIXED1]);
}

static void note_value(struct finding *finding, const struct rule_run *run)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);

	if (!region)
		return;
	finding_evidence(finding, &region->clear_place);
	finding_evidence(finding, &region->active_place);
	finding_note(finding, "no VMWRITE and no VM exit wrote it between");
}

static void note_address(struct finding *finding, const struct rule_run *run)
{
	const struct model_region *const region =
		model_region(run->model, run->judged->situation.insn.current.value);
	const int field = unused_bad_address(run);

	if (field < 0)
		return;
	finding_note(finding, "%s = 0x%llx, which no control that is on uses",
		     vmcs_fields[field].name, (unsigned long long)region->value[field]);
	finding_evidence(finding, &region->writer[field]);
}

static void note_list(struct finding *finding, const struct rule_run *run)
{
	const struct model_region *const region =
		model_region(run->model, run->judged->situation.insn.current.value);
	u64 count;

	if (region && model_field(region, VMCS_IX_VM_ENTRY_MSR_LOAD_COUNT, ~0ull, &count))
		finding_note(finding, "vm_entry_msr_load_count = %llu", (unsigned long long)count);
}

/* Of those with a name: what it does, and what stands beside the evidence. */
static const struct {
	enum finding_id id;
	const char *effect;
	void (*note)(struct finding *finding, const struct rule_run *run);
} texts[] = {
	{ FINDING_L0_VMX_HIDDEN_BUT_ON,
	  "L0 decides by its own CR4 or state, not by what L1 sees: an operating system that "
	  "probes for VMX finds it where there should be none.",
	  NULL },
	{ FINDING_L0_VMX_INSN_CPL, "Programs of L1 can use VMX, and so take over L1.", NULL },
	{ FINDING_L0_VMXON_ACCEPTS_BAD_CR,
	  "L1 works here and dies at its VMXON on a processor that looks.", note_vmxon },
	{ FINDING_L0_SENTINEL_ADDRESS, "L0 uses address 0 as \"none\"; only FFFFFFFF_FFFFFFFFH is.",
	  NULL },
	{ FINDING_L0_VMFAIL_KIND,
	  "L1 that tests ZF, or reads the VM-instruction error, takes the failure for another "
	  "one, or for success.",
	  NULL },
	{ FINDING_L0_VMCS_FIELD_MISSING,
	  "The capabilities that L1 is shown say that the field exists.", NULL },
	{ FINDING_L0_VMCS_VALUE_LOST,
	  "L0 did not write its copy of the VMCS back, or read an older one.", note_value },
	{ FINDING_L0_ENTRY_FAIL_SIDE_EFFECT,
	  "A VM entry that fails may change RFLAGS and the VM-instruction error, no more.",
	  note_value },
	{ FINDING_L0_CHECKS_DISABLED_FEATURE,
	  "Fields of features that are off may hold anything; many hypervisors leave them "
	  "unset.",
	  note_address },
	{ FINDING_L0_MSR_LIST, "L2 runs where the processor would have given the list back to L1.",
	  note_list },
	{ FINDING_L0_MSR_LOAD_FAULT,
	  "An MSR that L0 loads for itself faults, and L1 is told that its list does.", note_list },
};

void l0_insn_explain(struct finding *finding, const struct rule_run *run)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (texts[i].id != finding->id)
			continue;
		finding_explain(finding, "%s", texts[i].effect);
		if (texts[i].note)
			texts[i].note(finding, run);
	}
}
