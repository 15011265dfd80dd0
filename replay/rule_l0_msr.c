/*
 * replay/rule_l0_msr.c - MSRs of L2 that L0 handles, and the time stamp that exits store
 *
 * MSRs that stand in the VMCS are those of VMCS02 while L2 runs; with capture=+l0 they are seen
 * before and after. SDM, "Saving Guest State", "Saving MSRs".
 */
#include "replay/l0_view.h"
#include "vmx/qual.h"

#define LIST_MAX  256 /* entries whose items have ids */
#define TSC_SLACK BIT(32)

struct cpu_state {
	struct l0_raw raw;
	struct {
		struct model_place place; /* of the l2_exit; nowhere: nothing stored */
		u64 value, offset, tsc;
	} stored; /* an IA32_TSC that may hold the offset */
};

struct state {
	struct cpu_state cpus[MODEL_MAX_CPUS];
};

/* MSRs that the processor keeps in the guest-state area. */
static const struct {
	u32 msr;
	u8 field;
} in_vmcs[] = {
	{ MSR_FS_BASE, VMCS_IX_GUEST_FS_BASE },
	{ MSR_GS_BASE, VMCS_IX_GUEST_GS_BASE },
	{ MSR_SYSENTER_CS, VMCS_IX_GUEST_IA32_SYSENTER_CS },
	{ MSR_SYSENTER_ESP, VMCS_IX_GUEST_IA32_SYSENTER_ESP },
	{ MSR_SYSENTER_EIP, VMCS_IX_GUEST_IA32_SYSENTER_EIP },
	{ MSR_PAT, VMCS_IX_GUEST_IA32_PAT },
};

static int field_of(u64 msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(in_vmcs); i++)
		if (in_vmcs[i].msr == (u32)msr)
			return in_vmcs[i].field;
	return -1;
}

/* EDX:EAX at the exit of WRMSR; behind RDMSR, as L2 goes on. */
static bool moved_value(const struct rule_run *run, const struct l0_raw *raw, u64 *value)
{
	u64 low, high;

	if (raw->exit.reason == EXIT_WRMSR) {
		*value = (u32)raw->reg[REG_RAX] | raw->reg[REG_RDX] << 32;
		return (raw->regs >> REG_RAX & raw->regs >> REG_RDX & 1);
	}
	if (!l0_item(run->event, ITEM_REG + REG_RAX, &low) ||
	    !l0_item(run->event, ITEM_REG + REG_RDX, &high))
		return false;
	*value = (u32)low | high << 32;
	return true;
}

static void on_handled(const struct rule_run *run, const struct model_region *region,
		       const struct l0_raw *raw)
{
	struct finding *finding;
	u64 value, field_value, info;
	int field;

	if ((raw->exit.reason != EXIT_WRMSR && raw->exit.reason != EXIT_RDMSR) ||
	    !(raw->regs >> REG_RCX & 1))
		return;
	/* L2 is to try again, with an MSR bitmap that lets it. */
	if (run->event->rip == raw->rip)
		return;
	field = field_of(raw->reg[REG_RCX]);
	/* L0 may have refused the value by a fault. */
	if (field < 0 || !moved_value(run, raw, &value) ||
	    !l0_vmcs02(run->event, region, VMCS_IX_VM_ENTRY_INTERRUPTION_INFO, &info) ||
	    info & VMX_EVENT_VALID || !l0_vmcs02(run->event, region, field, &field_value) ||
	    value == field_value)
		return;
	finding = finding_add(run->findings, FINDING_L0_WRONG_VMCS,
			      raw->exit.reason << 32 | (u32)raw->reg[REG_RCX]);
	if (!finding)
		return;
	finding_title(finding, "%s of MSR 0x%x by L2: %s is 0x%llx, VMCS02 has %s = 0x%llx",
		      raw->exit.reason == EXIT_WRMSR ? "WRMSR" : "RDMSR", (u32)raw->reg[REG_RCX],
		      raw->exit.reason == EXIT_WRMSR ? "the value" : "the result",
		      (unsigned long long)value, vmcs_fields[field].name,
		      (unsigned long long)field_value);
	finding_evidence(finding, &raw->place);
	finding_evidence(finding, &run->place);
	finding_explain(finding,
			"L0 used the MSR of another level: L2 runs on with the old one, or "
			"sees L1's.");
	finding_next(finding, "make L0 choose the VMCS by who runs, for this MSR");
}

/* --- IA32_TSC in the MSR-store list ----------------------------------------------------------- */

/* Judged at the next event, whose time is later than that of the store. */
static void on_exit(const struct rule_run *run, struct cpu_state *cpu,
		    const struct model_region *region)
{
	u64 index, offset;

	if (model_control(region, VMX_WORD_PRIMARY, PRIMARY_TSC_OFFSETTING) != MODEL_YES ||
	    !model_field(region, VMCS_IX_TSC_OFFSET, ~0ull, &offset))
		return;
	for (u32 i = 0; i < LIST_MAX; i++) {
		if (!l0_item(run->event, ITEM_MSR_STORE + 2 * i, &index))
			return;
		if (index != MSR_TSC ||
		    !l0_item(run->event, ITEM_MSR_STORE + 2 * i + 1, &cpu->stored.value))
			continue;
		cpu->stored.place = run->place;
		cpu->stored.offset = offset;
		cpu->stored.tsc = run->event->tsc;
	}
}

static bool between(u64 value, u64 first, u64 last)
{
	return value - first <= last - first;
}

static void judge_stored(const struct rule_run *run, const struct cpu_state *cpu)
{
	const u64 first = cpu->stored.tsc, last = run->event->tsc;
	struct finding *finding;

	if (last - first > TSC_SLACK || between(cpu->stored.value, first, last) ||
	    !between(cpu->stored.value - cpu->stored.offset, first, last))
		return;
	finding = finding_add(run->findings, FINDING_L0_TSC_STORE, 0);
	if (!finding)
		return;
	finding_title(finding, "The exit stored IA32_TSC 0x%llx, which contains tsc_offset 0x%llx",
		      (unsigned long long)cpu->stored.value,
		      (unsigned long long)cpu->stored.offset);
	finding_evidence(finding, &cpu->stored.place);
	finding_note(finding, "the TSC was between 0x%llx and 0x%llx", (unsigned long long)first,
		     (unsigned long long)last);
	finding_explain(finding, "L1 computes the time of its guests from this value.");
	finding_next(finding, "store the TSC as RDTSC of L1 would read it");
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct cpu_state *const cpu = &state->cpus[run->event->cpu];
	const struct model_region *const region = model_current(run->model, run->event->cpu);

	if (run->event->kind == EV_L0_EXIT) {
		l0_raw_keep(&cpu->raw, run);
		return;
	}
	if (model_place_is(&cpu->stored.place) && run->event->kind != EV_GAP)
		judge_stored(run, cpu);
	cpu->stored.place.kind = 0;
	if (region && run->event->kind == EV_L2_EXIT)
		on_exit(run, cpu, region);
	else if (region && l0_is_resumed(run->event) && l0_raw_is(&cpu->raw))
		on_handled(run, region, &cpu->raw);
	cpu->raw.place.kind = 0;
}

const struct rule rule_l0_msr = {
	.kinds = RULE_KIND(L2_EXIT) | RULE_KIND(L2_ENTRY) | RULE_KIND(L0_EXIT) |
		 RULE_KIND(L0_ENTRY) | RULE_KIND(END) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
