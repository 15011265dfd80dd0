/*
 * replay/rule_l0_intercept.c - did an exit of L2 go to whom it belongs?
 *
 * It is L1's when it is unconditional, or when a control, a bitmap or a mask of VMCS12 asks for it.
 * Exits that L0 keeps to itself are on the tape with capture=+l0 only. SDM, "VMX Non-Root
 * Operation".
 */
#include "replay/l0_view.h"
#include "trace/text.h"
#include "vmx/qual.h"

#define VECTOR_PF     14
#define HV_CPUID_LEAF 0x4d585456 /* by which L1 and L2 speak to hv */
#define MSR_RANGE     0x2000
#define MSR_HIGH      0xc0000000

struct state {
	struct l0_raw raw[MODEL_MAX_CPUS];
};

/* What is known of an exit. */
struct facts {
	u32 reason;
	u64 qualification, event_info, event_code;
	bool knows_qualification, knows_info, knows_code;
	bool knows_rax, knows_rcx, knows_msr_byte, knows_io_bits;
	u64 rax, rcx, msr_byte, io_bits;
};

/* Exits that a control asks for. */
static const struct {
	u8 reason;
	u8 word;
	u64 mask;
} controlled[] = {
	{ EXIT_EXTERNAL_INTERRUPT, VMX_WORD_PIN, PIN_EXTERNAL_INTERRUPT_EXITING },
	{ EXIT_INTERRUPT_WINDOW, VMX_WORD_PRIMARY, PRIMARY_INTERRUPT_WINDOW_EXITING },
	{ EXIT_NMI_WINDOW, VMX_WORD_PRIMARY, PRIMARY_NMI_WINDOW_EXITING },
	{ EXIT_HLT, VMX_WORD_PRIMARY, PRIMARY_HLT_EXITING },
	{ EXIT_INVLPG, VMX_WORD_PRIMARY, PRIMARY_INVLPG_EXITING },
	{ EXIT_RDPMC, VMX_WORD_PRIMARY, PRIMARY_RDPMC_EXITING },
	{ EXIT_RDTSC, VMX_WORD_PRIMARY, PRIMARY_RDTSC_EXITING },
	{ EXIT_RDTSCP, VMX_WORD_PRIMARY, PRIMARY_RDTSC_EXITING },
	{ EXIT_DR_ACCESS, VMX_WORD_PRIMARY, PRIMARY_MOV_DR_EXITING },
	{ EXIT_MWAIT, VMX_WORD_PRIMARY, PRIMARY_MWAIT_EXITING },
	{ EXIT_MONITOR, VMX_WORD_PRIMARY, PRIMARY_MONITOR_EXITING },
	{ EXIT_GDTR_IDTR, VMX_WORD_SECONDARY, SECONDARY_DESCRIPTOR_TABLE_EXITING },
	{ EXIT_LDTR_TR, VMX_WORD_SECONDARY, SECONDARY_DESCRIPTOR_TABLE_EXITING },
	{ EXIT_WBINVD, VMX_WORD_SECONDARY, SECONDARY_WBINVD_EXITING },
	{ EXIT_RDRAND, VMX_WORD_SECONDARY, SECONDARY_RDRAND_EXITING },
	{ EXIT_RDSEED, VMX_WORD_SECONDARY, SECONDARY_RDSEED_EXITING },
	{ EXIT_PREEMPTION_TIMER, VMX_WORD_PIN, PIN_PREEMPTION_TIMER },
};

/* SDM: "Instructions That Cause VM Exits Unconditionally", and events that always exit. */
static bool is_unconditional(u32 reason)
{
	return (reason >= EXIT_TRIPLE_FAULT && reason <= EXIT_SIPI) || reason == EXIT_TASK_SWITCH ||
	       reason == EXIT_GETSEC || reason == EXIT_INVD ||
	       (reason >= EXIT_VMCALL && reason <= EXIT_VMXON) || reason == EXIT_INVEPT ||
	       reason == EXIT_INVVPID || reason == EXIT_XSETBV;
}

static enum model_truth truth(bool holds)
{
	return holds ? MODEL_YES : MODEL_NO;
}

static enum model_truth wants_exception(const struct model_region *region,
					const struct facts *facts)
{
	u64 bitmap, mask, match;
	unsigned vector;
	bool bit;

	if (!facts->knows_info || !(facts->event_info & VMX_EVENT_VALID))
		return MODEL_UNKNOWN;
	if (vmx_event_type(facts->event_info) == VMX_EVENT_NMI)
		return model_control(region, VMX_WORD_PIN, PIN_NMI_EXITING);
	vector = facts->event_info & VMX_EVENT_VECTOR;
	if (!model_field(region, VMCS_IX_EXCEPTION_BITMAP, ~0ull, &bitmap) || vector > 31)
		return MODEL_UNKNOWN;
	bit = bitmap >> vector & 1;
	if (vector != VECTOR_PF)
		return truth(bit);
	if (!facts->knows_code ||
	    !model_field(region, VMCS_IX_PAGE_FAULT_ERROR_CODE_MASK, ~0ull, &mask) ||
	    !model_field(region, VMCS_IX_PAGE_FAULT_ERROR_CODE_MATCH, ~0ull, &match))
		return MODEL_UNKNOWN;
	return truth((facts->event_code & mask) == match ? bit : !bit);
}

static enum model_truth wants_msr(const struct model_region *region, const struct facts *facts)
{
	const enum model_truth bitmaps =
		model_control(region, VMX_WORD_PRIMARY, PRIMARY_MSR_BITMAPS);
	const u32 index = (u32)facts->rcx;

	if (bitmaps != MODEL_YES)
		return bitmaps == MODEL_NO ? MODEL_YES : MODEL_UNKNOWN;
	if (!facts->knows_rcx)
		return MODEL_UNKNOWN;
	if (index >= MSR_RANGE && (index < MSR_HIGH || index - MSR_HIGH >= MSR_RANGE))
		return MODEL_YES;
	return facts->knows_msr_byte ? truth(facts->msr_byte >> index % 8 & 1) : MODEL_UNKNOWN;
}

static enum model_truth wants_port(const struct model_region *region, const struct facts *facts)
{
	const enum model_truth bitmaps =
		model_control(region, VMX_WORD_PRIMARY, PRIMARY_IO_BITMAPS);
	const u64 port = BITS(facts->qualification, 31, 16);
	const u64 size = BITS(facts->qualification, 2, 0) + 1;

	if (bitmaps == MODEL_NO)
		return model_control(region, VMX_WORD_PRIMARY, PRIMARY_UNCONDITIONAL_IO_EXITING);
	if (bitmaps == MODEL_UNKNOWN || !facts->knows_qualification)
		return MODEL_UNKNOWN;
	if (port + size > 0x10000)
		return MODEL_YES;
	return facts->knows_io_bits ? truth(facts->io_bits >> port % 8 & (BIT(size) - 1))
				    : MODEL_UNKNOWN;
}

static enum model_truth l1_wants(const struct model_region *region, const struct facts *facts)
{
	switch (facts->reason) {
	case EXIT_EXCEPTION_NMI:
		return wants_exception(region, facts);
	case EXIT_RDMSR:
	case EXIT_WRMSR:
		return wants_msr(region, facts);
	case EXIT_IO:
		return wants_port(region, facts);
	case EXIT_CPUID:
		return facts->knows_rax && (u32)facts->rax != HV_CPUID_LEAF ? MODEL_YES
									    : MODEL_UNKNOWN;
	case EXIT_VMREAD:
	case EXIT_VMWRITE:
		return model_control(region, VMX_WORD_SECONDARY, SECONDARY_VMCS_SHADOWING) ==
				       MODEL_NO
			       ? MODEL_YES
			       : MODEL_UNKNOWN;
	default:
		break;
	}
	if (is_unconditional(facts->reason))
		return MODEL_YES;
	for (size_t i = 0; i < ARRAY_SIZE(controlled); i++)
		if (controlled[i].reason == facts->reason)
			return model_control(region, controlled[i].word, controlled[i].mask);
	return MODEL_UNKNOWN;
}

/* --- Findings --------------------------------------------------------------------------------- */

static enum finding_id id_of(u32 reason)
{
	switch (reason) {
	case EXIT_EXCEPTION_NMI:
		return FINDING_L0_EXCEPTION_FILTER;
	case EXIT_RDMSR:
	case EXIT_WRMSR:
		return FINDING_L0_MSR_BITMAP;
	case EXIT_IO:
		return FINDING_L0_EMULATED_INSN_INTERCEPT;
	default:
		return FINDING_L0_REFLECT_MISSING;
	}
}

static void note_field(struct finding *finding, const struct model_region *region, int index)
{
	u64 value;

	if (!model_field(region, index, ~0ull, &value))
		return;
	finding_note(finding, "%s = 0x%llx", vmcs_fields[index].name, (unsigned long long)value);
	finding_evidence(finding, &region->writer[index]);
}

static void note_facts(struct finding *finding, const struct model_region *region,
		       const struct facts *facts)
{
	switch (facts->reason) {
	case EXIT_EXCEPTION_NMI:
		finding_note(finding, "interruption information 0x%llx, error code 0x%llx",
			     (unsigned long long)facts->event_info,
			     (unsigned long long)facts->event_code);
		note_field(finding, region, VMCS_IX_EXCEPTION_BITMAP);
		note_field(finding, region, VMCS_IX_PAGE_FAULT_ERROR_CODE_MASK);
		note_field(finding, region, VMCS_IX_PAGE_FAULT_ERROR_CODE_MATCH);
		break;
	case EXIT_RDMSR:
	case EXIT_WRMSR:
		finding_note(finding, "MSR 0x%llx; the byte of L1's bitmap is 0x%02llx, bit %llu",
			     (unsigned long long)(u32)facts->rcx,
			     (unsigned long long)facts->msr_byte,
			     (unsigned long long)facts->rcx % 8);
		note_field(finding, region, VMCS_IX_MSR_BITMAP);
		break;
	case EXIT_IO:
		finding_note(finding,
			     "port 0x%llx, %llu bytes; L1's bitmaps from the byte of the port on "
			     "are 0x%04llx, bit %llu",
			     (unsigned long long)BITS(facts->qualification, 31, 16),
			     (unsigned long long)BITS(facts->qualification, 2, 0) + 1,
			     (unsigned long long)facts->io_bits,
			     (unsigned long long)BITS(facts->qualification, 31, 16) % 8);
		note_field(finding, region, VMCS_IX_IO_BITMAP_A);
		break;
	default:
		note_field(finding, region, VMCS_IX_PIN_BASED_CONTROLS);
		note_field(finding, region, VMCS_IX_PRIMARY_PROC_BASED_CONTROLS);
		break;
	}
}

static void report(const struct rule_run *run, const struct model_region *region,
		   const struct facts *facts, const struct model_place *raw, bool reflected)
{
	const enum finding_id id = id_of(facts->reason);
	struct finding *const finding =
		finding_add(run->findings, id, (u64)reflected << 32 | facts->reason);

	if (!finding)
		return;
	finding_title(finding,
		      reflected ? "L2 exited to L1 by %s, which VMCS12 does not ask for"
				: "L0 handled an exit of L2 by %s that is L1's",
		      vmx_exit_name(facts->reason));
	finding_evidence(finding, raw);
	finding_evidence(finding, &run->place);
	note_facts(finding, region, facts);
	finding_explain(finding, reflected ? "L1 has no handler for what it did not ask for."
					   : "L2 saw what L0 did in the place of its hypervisor.");
	finding_next(finding, "vmxtape vmcs %s %s: the controls at that exit",
		     rule_position(&run->place), run->tape);
}

/* --- Events ----------------------------------------------------------------------------------- */

static void take_items(struct facts *facts, const struct trace_event *event)
{
	facts->knows_msr_byte = l0_item(event, ITEM_MSR_BITMAP, &facts->msr_byte);
	facts->knows_io_bits = l0_item(event, ITEM_IO_BITMAP, &facts->io_bits);
}

static void on_reflected(const struct rule_run *run, const struct model_region *region)
{
	const struct trace_event *const event = run->event;
	struct facts facts = { .reason = (u32)((const struct ev_l2_exit *)event->col)->reason };
	enum finding_id id = id_of(facts.reason);

	/* Of other exits that nobody asked for other rules know more. */
	if (facts.reason & EXIT_REASON_ENTRY_FAILURE || id == FINDING_L0_REFLECT_MISSING)
		return;
	facts.knows_qualification =
		l0_vmcs12_after(event, region, VMCS_IX_EXIT_QUALIFICATION, &facts.qualification);
	facts.knows_info = l0_vmcs12_after(event, region, VMCS_IX_VM_EXIT_INTERRUPTION_INFO,
					   &facts.event_info);
	facts.knows_code = l0_vmcs12_after(event, region, VMCS_IX_VM_EXIT_INTERRUPTION_ERROR_CODE,
					   &facts.event_code);
	facts.knows_rcx = l0_item(event, ITEM_REG + REG_RCX, &facts.rcx);
	take_items(&facts, event);
	if (l1_wants(region, &facts) == MODEL_NO)
		report(run, region, &facts, &run->place, true);
}

static void on_handled(const struct rule_run *run, const struct model_region *region,
		       const struct l0_raw *raw)
{
	struct facts facts = {
		.reason = (u32)raw->exit.reason,
		.qualification = raw->exit.qualification,
		.event_info = raw->exit.event_info,
		.event_code = raw->exit.event_code,
		.knows_qualification = true,
		.knows_info = true,
		.knows_code = true,
		.knows_rax = raw->regs >> REG_RAX & 1,
		.knows_rcx = raw->regs >> REG_RCX & 1,
		.rax = raw->reg[REG_RAX],
		.rcx = raw->reg[REG_RCX],
	};

	take_items(&facts, run->event);
	if (l1_wants(region, &facts) == MODEL_YES)
		report(run, region, &facts, &raw->place, false);
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct l0_raw *const raw = &state->raw[run->event->cpu];
	const struct model_region *region;

	if (run->event->kind == EV_L0_EXIT) {
		l0_raw_keep(raw, run);
		return;
	}
	region = model_current(run->model, run->event->cpu);
	if (region && run->event->kind == EV_L2_EXIT)
		on_reflected(run, region);
	else if (region && l0_is_resumed(run->event) && l0_raw_is(raw))
		on_handled(run, region, raw);
	raw->place.kind = 0;
}

const struct rule rule_l0_intercept = {
	.kinds = RULE_KIND(L2_EXIT) | RULE_KIND(L0_EXIT) | RULE_KIND(L0_ENTRY) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
