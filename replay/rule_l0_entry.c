/*
 * replay/rule_l0_entry.c - does VMCS02 do what VMCS12 asks for? Needs capture=+l0
 *
 * Controls of L1 must be on, or L0 must do in their place what they do; bitmaps must have L1's
 * bits; and L2 must see the CR0 and CR4 that it would see. rule_l0_field.c judges the other fields.
 */
#include "replay/l0_view.h"

#define X2APIC_FIRST 0x800
#define X2APIC_LAST  0x8ff
#define WORD_BITS    64
#define WRITES_LOW   256 /* words of the MSR bitmap before those of writes of low MSRs */

/* --- Controls --------------------------------------------------------------------------------- */

/*
 * Controls that other rules judge, or that L0 may leave out: I/O and MSR bitmaps, without which
 * everything exits, and what it can do itself at EPT violations.
 */
static const u64 not_judged[VMX_WORD_COUNT] = {
	[VMX_WORD_PRIMARY] = PRIMARY_INTERRUPT_WINDOW_EXITING | PRIMARY_NMI_WINDOW_EXITING |
			     PRIMARY_MSR_BITMAPS | PRIMARY_IO_BITMAPS |
			     PRIMARY_UNCONDITIONAL_IO_EXITING | PRIMARY_SECONDARY_CONTROLS,
	[VMX_WORD_SECONDARY] = SECONDARY_PML | SECONDARY_EPT_VIOLATION_VE,
};

static bool word02(const struct rule_run *run, const struct model_region *region,
		   enum vmx_word word, u64 *value)
{
	return l0_vmcs02(run->event, region, vmx_control_words[word].field, value);
}

static void report_dropped(const struct rule_run *run, const struct model_region *region,
			   enum vmx_word word, unsigned bit, u64 is)
{
	const struct vmx_control *const control = vmx_control_at(word, bit);
	const u8 field = vmx_control_words[word].field;
	const bool cr8 = word == VMX_WORD_PRIMARY && BIT(bit) == PRIMARY_TPR_SHADOW;
	struct finding *const finding = finding_add(
		run->findings, cr8 ? FINDING_L0_CR8_EXPOSED : FINDING_L0_FEATURE_DROPPED,
		(u64)word << 8 | bit);

	if (!finding)
		return;
	finding_title(finding,
		      cr8 ? "%s is on in VMCS12 and off in VMCS02, and MOV CR8 does not exit"
			  : "%s is on in VMCS12 and off in VMCS02",
		      control ? control->name : "a reserved control");
	finding_evidence(finding, &region->writer[field]);
	finding_evidence(finding, &run->place);
	finding_note(finding, "%s: VMCS12 0x%llx, VMCS02 0x%llx, bit %u", vmcs_fields[field].name,
		     (unsigned long long)region->value[field], (unsigned long long)is, bit);
	finding_explain(finding, cr8 ? "L2 changes the task priority of the level below."
				     : "What L1 waits for does not happen.");
	finding_next(finding, "set the control in VMCS02, or hide it from L1");
}

static void judge_words(const struct rule_run *run, const struct model_region *region)
{
	static const enum vmx_word words[] = { VMX_WORD_PIN, VMX_WORD_PRIMARY, VMX_WORD_SECONDARY };
	const u64 cr8 = PRIMARY_CR8_LOAD_EXITING | PRIMARY_CR8_STORE_EXITING;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const struct vmx_control_word *const row = &vmx_control_words[words[i]];
		u64 wanted, is, missing;

		if (row->by_mask && model_control(region, row->by_word, row->by_mask) != MODEL_YES)
			continue;
		if (!model_field(region, row->field, ~0ull, &wanted) ||
		    !word02(run, region, words[i], &is))
			continue;
		missing = wanted & ~is & ~not_judged[words[i]];
		if (words[i] == VMX_WORD_PRIMARY && (is & cr8) == cr8)
			missing &= ~(u64)PRIMARY_TPR_SHADOW;
		for (; missing; missing &= missing - 1)
			report_dropped(run, region, words[i], (unsigned)__builtin_ctzll(missing),
				       is);
	}
}

/* --- What L2 sees ----------------------------------------------------------------------------- */

struct control_register {
	const char *name;
	u8 mask, shadow, value; /* enum vmcs_index */
};

static const struct control_register control_registers[] = {
	{ "CR0", VMCS_IX_CR0_GUEST_HOST_MASK, VMCS_IX_CR0_READ_SHADOW, VMCS_IX_GUEST_CR0 },
	{ "CR4", VMCS_IX_CR4_GUEST_HOST_MASK, VMCS_IX_CR4_READ_SHADOW, VMCS_IX_GUEST_CR4 },
};

static u64 visible(u64 mask, u64 shadow, u64 value)
{
	return (mask & shadow) | (~mask & value);
}

static void judge_view(const struct rule_run *run, const struct model_region *region,
		       const struct control_register *cr)
{
	u64 mask12, shadow12, value12, mask02, shadow02, value02, is, wanted;
	struct finding *finding;

	if (!model_field(region, cr->mask, ~0ull, &mask12) ||
	    !model_field(region, cr->shadow, ~0ull, &shadow12) ||
	    !model_field(region, cr->value, ~0ull, &value12) ||
	    !l0_vmcs02(run->event, region, cr->mask, &mask02) ||
	    !l0_vmcs02(run->event, region, cr->shadow, &shadow02) ||
	    !l0_vmcs02(run->event, region, cr->value, &value02))
		return;
	is = visible(mask02, shadow02, value02);
	wanted = visible(mask12, shadow12, value12);
	if (is == wanted)
		return;
	finding = finding_add(run->findings, FINDING_L0_CR_VIEW, (u64)cr->name[2]);
	if (!finding)
		return;
	finding_title(finding, "L2 sees %s as 0x%llx; by VMCS12 it is 0x%llx", cr->name,
		      (unsigned long long)is, (unsigned long long)wanted);
	finding_evidence(finding, &region->writer[cr->shadow]);
	finding_evidence(finding, &region->writer[cr->mask]);
	finding_evidence(finding, &run->place);
	finding_note(finding, "VMCS12: mask 0x%llx, shadow 0x%llx, register 0x%llx",
		     (unsigned long long)mask12, (unsigned long long)shadow12,
		     (unsigned long long)value12);
	finding_note(finding, "VMCS02: mask 0x%llx, shadow 0x%llx, register 0x%llx",
		     (unsigned long long)mask02, (unsigned long long)shadow02,
		     (unsigned long long)value02);
	finding_explain(finding, "An L2 that looks at the bit takes the wrong way.");
	finding_next(finding, "merge mask, shadow and register of L1 and L0 bit by bit");
}

/* --- Bitmaps ---------------------------------------------------------------------------------- */

/* The MSR that bit @bit of word @word of an MSR bitmap stands for. */
static u32 msr_of(u32 word, unsigned bit)
{
	const u32 number = (word % (WRITES_LOW / 2)) * WORD_BITS + bit;

	return word % WRITES_LOW < WRITES_LOW / 2 ? number : 0xc0000000 + number;
}

static void report_msr(const struct rule_run *run, const struct model_region *region, u32 word,
		       u64 lacks)
{
	const u32 msr = msr_of(word, (unsigned)__builtin_ctzll(lacks));
	const bool x2apic = msr >= X2APIC_FIRST && msr <= X2APIC_LAST;
	struct finding *const finding = finding_add(
		run->findings, x2apic ? FINDING_L0_X2APIC_LEAK : FINDING_L0_MSR_BITMAP, 1ull << 40);

	if (!finding)
		return;
	finding_title(finding, "%s of MSR 0x%x exits by L1's MSR bitmap, and not by that of VMCS02",
		      word < WRITES_LOW ? "RDMSR" : "WRMSR", msr);
	finding_evidence(finding, &region->writer[VMCS_IX_MSR_BITMAP]);
	finding_evidence(finding, &run->place);
	finding_note(finding, "64-bit word %u: VMCS02 lacks the bits 0x%llx", word,
		     (unsigned long long)lacks);
	finding_explain(finding, "L2 accesses the register of the level below.");
	finding_next(finding, "OR L1's bitmap into that of VMCS02");
}

static void report_port(const struct rule_run *run, const struct model_region *region, u32 word,
			u64 lacks)
{
	struct finding *const finding =
		finding_add(run->findings, FINDING_L0_EMULATED_INSN_INTERCEPT, 1ull << 40);

	if (!finding)
		return;
	finding_title(finding, "Port 0x%x exits by L1's I/O bitmaps, and not by those of VMCS02",
		      word * WORD_BITS + (unsigned)__builtin_ctzll(lacks));
	finding_evidence(finding, &region->writer[VMCS_IX_IO_BITMAP_A]);
	finding_evidence(finding, &run->place);
	finding_note(finding, "64-bit word %u: VMCS02 lacks the bits 0x%llx", word,
		     (unsigned long long)lacks);
	finding_explain(finding, "L2 reaches a device that L1 keeps to itself.");
	finding_next(finding, "OR L1's bitmaps into those of VMCS02");
}

static void event(const struct rule_run *run, void *state)
{
	const struct trace_event *const event = run->event;
	const struct model_region *const region = model_current(run->model, event->cpu);

	(void)state;
	/* Behind an exit L2 has changed state that VMCS12 does not have yet. */
	if (!region || l0_is_resumed(event))
		return;
	judge_words(run, region);
	for (size_t i = 0; i < ARRAY_SIZE(control_registers); i++)
		judge_view(run, region, &control_registers[i]);
	for (u32 i = 0; i < event->item_count; i++) {
		const struct trace_item *const item = &event->items[i];

		if (item->id >= ITEM_MSR_BITMAP_LACKS && item->id < ITEM_MSR_BITMAP_LACKS + 512)
			report_msr(run, region, item->id - ITEM_MSR_BITMAP_LACKS, item->value);
		else if (item->id >= ITEM_IO_BITMAP_LACKS && item->id < ITEM_IO_BITMAP_LACKS + 1024)
			report_port(run, region, item->id - ITEM_IO_BITMAP_LACKS, item->value);
	}
}

const struct rule rule_l0_entry = {
	.kinds = RULE_KIND(L0_ENTRY),
	.event = event,
};
