/*
 * replay/rule_l0_host.c - the state that L1 goes on with after an exit; needs capture=+l0
 *
 * SDM, "Loading Host State": every register of L1 is told by a field, by a control or by the
 * manual.
 */
#include "replay/l0_view.h"
#include "vmx/qual.h"

#define CR0_KEPT	(BIT(4) | MASK(30, 29) | MASK(63, 32) | MASK(28, 19) | BIT(17) | MASK(15, 6))
#define CR4_PAE		BIT(5)
#define CR4_PCIDE	BIT(17)
#define EFER_LONG	(BIT(8) | BIT(10)) /* LME, LMA */
#define AR_CODE64	0xa09b
#define AR_OF_CODE64	0x160f8 /* usable, D, L, P, DPL, S, code */
#define AR_CODE32	0xc09b
#define AR_DATA		0xc093
#define AR_TSS		0x8b
#define AR_UNUSABLE	BIT(16)
#define AR_SS		(MASK(6, 5) | BIT(14)) /* DPL and B, defined of an unusable SS too */
#define DR7_RESET	0x400
#define RFLAGS_RESET	2
#define BLOCKING_NMI	BIT(3)
#define BLOCKING_STI_SS MASK(1, 0)
#define SHUTDOWN	2
#define LIMIT_FLAT	0xffffffff
#define LIMIT_TABLE	0xffff
#define LIMIT_TSS	0x67

/* One exit. */
struct load {
	const struct rule_run *run;
	const struct model_region *region;
	bool host64;
	bool failure;  /* of an entry: L2 did not run */
	bool has_list; /* MSRs may have been loaded afterwards */
};

static void report(const struct load *load, int index, u64 is, u64 should, u64 mask, int from)
{
	struct finding *const finding =
		finding_add(load->run->findings, FINDING_L0_HOST_LOAD, (u64)index);

	if (!finding)
		return;
	finding_title(finding, "After the exit L1 has %s = 0x%llx; it should be 0x%llx",
		      vmcs_fields[index].name + sizeof("guest_") - 1, (unsigned long long)is,
		      (unsigned long long)((is & ~mask) | should));
	finding_evidence(finding, &load->run->place);
	finding_note(finding, "VMCS01 %s = 0x%llx, bits 0x%llx should be 0x%llx",
		     vmcs_fields[index].name, (unsigned long long)is, (unsigned long long)mask,
		     (unsigned long long)should);
	if (from >= 0) {
		finding_evidence(finding, &load->region->writer[from]);
		finding_note(finding, "%s = 0x%llx", vmcs_fields[from].name,
			     (unsigned long long)load->region->value[from]);
	}
	finding_note(finding, "vm_exit_controls = 0x%llx",
		     (unsigned long long)load->region->value[VMCS_IX_VM_EXIT_CONTROLS]);
	finding_explain(finding, "L1 runs with a register that it did not ask for.");
	finding_next(finding, "load the register in L0 as \"Loading Host State\" says");
}

/* Bits @mask of @index in VMCS01 should be @should, which comes from field @from, -1: from none. */
static void want(const struct load *load, int index, u64 should, u64 mask, int from)
{
	u64 is;

	if (l0_vmcs01(load->run->event, index, &is) && (is ^ should) & mask)
		report(load, index, is, should & mask, mask, from);
}

/* @index should be as @from of the host-state area. */
static void want_field(const struct load *load, int index, int from)
{
	u64 value;

	if (model_field(load->region, from, ~0ull, &value))
		want(load, index, value, ~0ull, from);
}

static void judge_control_registers(const struct load *load)
{
	u64 host, guest;

	if (model_field(load->region, VMCS_IX_HOST_CR0, ~0ull, &host))
		want(load, VMCS_IX_GUEST_CR0, host, ~CR0_KEPT, VMCS_IX_HOST_CR0);
	/* The kept bits are those that L2 had. */
	if (!load->failure && model_field(load->region, VMCS_IX_GUEST_CR0, ~0ull, &guest))
		want(load, VMCS_IX_GUEST_CR0, guest, CR0_KEPT, -1);
	want_field(load, VMCS_IX_GUEST_CR3, VMCS_IX_HOST_CR3);
	if (model_field(load->region, VMCS_IX_HOST_CR4, ~0ull, &host))
		want(load, VMCS_IX_GUEST_CR4, load->host64 ? host | CR4_PAE : host & ~CR4_PCIDE,
		     ~0ull, VMCS_IX_HOST_CR4);
	want(load, VMCS_IX_GUEST_DR7, DR7_RESET, ~0ull, -1);
}

static void judge_msrs(const struct load *load)
{
	if (load->has_list)
		return;
	want(load, VMCS_IX_GUEST_IA32_DEBUGCTL, 0, ~0ull, -1);
	want_field(load, VMCS_IX_GUEST_IA32_SYSENTER_CS, VMCS_IX_HOST_IA32_SYSENTER_CS);
	want_field(load, VMCS_IX_GUEST_IA32_SYSENTER_ESP, VMCS_IX_HOST_IA32_SYSENTER_ESP);
	want_field(load, VMCS_IX_GUEST_IA32_SYSENTER_EIP, VMCS_IX_HOST_IA32_SYSENTER_EIP);
	if (model_control(load->region, VMX_WORD_EXIT, EXIT_LOAD_PAT) == MODEL_YES)
		want_field(load, VMCS_IX_GUEST_IA32_PAT, VMCS_IX_HOST_IA32_PAT);
	switch (model_control(load->region, VMX_WORD_EXIT, EXIT_LOAD_EFER)) {
	case MODEL_YES:
		want_field(load, VMCS_IX_GUEST_IA32_EFER, VMCS_IX_HOST_IA32_EFER);
		break;
	case MODEL_NO:
		want(load, VMCS_IX_GUEST_IA32_EFER, load->host64 ? EFER_LONG : 0, EFER_LONG, -1);
		break;
	default:
		break;
	}
}

/* ES, SS, DS, FS and GS. @base is a field of the host-state area, -1: it is 0. */
static void judge_data_segment(const struct load *load, int segment, int selector, int base)
{
	const int rights = VMCS_IX_GUEST_ES_ACCESS_RIGHTS + segment;
	u64 value;

	if (!model_field(load->region, selector, ~0ull, &value))
		return;
	want(load, VMCS_IX_GUEST_ES_SELECTOR + segment, value, ~0ull, selector);
	if (base >= 0)
		want_field(load, VMCS_IX_GUEST_ES_BASE + segment, base);
	if (!value) {
		want(load, rights, AR_UNUSABLE, AR_UNUSABLE, selector);
		if (selector == VMCS_IX_HOST_SS_SELECTOR)
			want(load, rights, AR_DATA, AR_SS, selector);
		return;
	}
	want(load, rights, AR_DATA, ~0ull, selector);
	want(load, VMCS_IX_GUEST_ES_LIMIT + segment, LIMIT_FLAT, ~0ull, -1);
	if (base < 0)
		want(load, VMCS_IX_GUEST_ES_BASE + segment, 0, ~0ull, -1);
}

/* SDM, "Segmentation in IA-32e Mode": of a CS for 64-bit code base and limit have no effect. */
static void judge_code_segment(const struct load *load)
{
	want_field(load, VMCS_IX_GUEST_CS_SELECTOR, VMCS_IX_HOST_CS_SELECTOR);
	if (load->host64) {
		want(load, VMCS_IX_GUEST_CS_ACCESS_RIGHTS, AR_CODE64, AR_OF_CODE64, -1);
		return;
	}
	want(load, VMCS_IX_GUEST_CS_BASE, 0, ~0ull, -1);
	want(load, VMCS_IX_GUEST_CS_LIMIT, LIMIT_FLAT, ~0ull, -1);
	want(load, VMCS_IX_GUEST_CS_ACCESS_RIGHTS, AR_CODE32, ~0ull, -1);
}

static void judge_segments(const struct load *load)
{
	enum { ES, CS, SS, DS, FS, GS };

	judge_data_segment(load, ES, VMCS_IX_HOST_ES_SELECTOR, -1);
	judge_data_segment(load, SS, VMCS_IX_HOST_SS_SELECTOR, -1);
	judge_data_segment(load, DS, VMCS_IX_HOST_DS_SELECTOR, -1);
	judge_data_segment(load, FS, VMCS_IX_HOST_FS_SELECTOR,
			   load->has_list ? -1 : VMCS_IX_HOST_FS_BASE);
	judge_data_segment(load, GS, VMCS_IX_HOST_GS_SELECTOR,
			   load->has_list ? -1 : VMCS_IX_HOST_GS_BASE);
	judge_code_segment(load);
	want_field(load, VMCS_IX_GUEST_TR_SELECTOR, VMCS_IX_HOST_TR_SELECTOR);
	want_field(load, VMCS_IX_GUEST_TR_BASE, VMCS_IX_HOST_TR_BASE);
	want(load, VMCS_IX_GUEST_TR_LIMIT, LIMIT_TSS, ~0ull, -1);
	want(load, VMCS_IX_GUEST_TR_ACCESS_RIGHTS, AR_TSS, ~0ull, -1);
	want(load, VMCS_IX_GUEST_LDTR_SELECTOR, 0, ~0ull, -1);
	want(load, VMCS_IX_GUEST_LDTR_ACCESS_RIGHTS, AR_UNUSABLE, AR_UNUSABLE, -1);
	want_field(load, VMCS_IX_GUEST_GDTR_BASE, VMCS_IX_HOST_GDTR_BASE);
	want_field(load, VMCS_IX_GUEST_IDTR_BASE, VMCS_IX_HOST_IDTR_BASE);
	want(load, VMCS_IX_GUEST_GDTR_LIMIT, LIMIT_TABLE, ~0ull, -1);
	want(load, VMCS_IX_GUEST_IDTR_LIMIT, LIMIT_TABLE, ~0ull, -1);
}

static void judge_rest(const struct load *load)
{
	want_field(load, VMCS_IX_GUEST_RIP, VMCS_IX_HOST_RIP);
	want_field(load, VMCS_IX_GUEST_RSP, VMCS_IX_HOST_RSP);
	want(load, VMCS_IX_GUEST_RFLAGS, RFLAGS_RESET, ~0ull, -1);
	want(load, VMCS_IX_GUEST_ACTIVITY_STATE, 0, ~0ull, -1);
	want(load, VMCS_IX_GUEST_INTERRUPTIBILITY_STATE, 0, BLOCKING_STI_SS, -1);
	want(load, VMCS_IX_GUEST_PENDING_DEBUG_EXCEPTIONS, 0, ~0ull, -1);
}

/* --- NMIs ------------------------------------------------------------------------------------- */

/* SDM, "Updating Non-Register State". */
static enum model_truth blocks_nmis(const struct load *load, const char **why)
{
	u64 reason, info, blocking;

	if (load->failure || !model_field(load->region, VMCS_IX_EXIT_REASON, ~0ull, &reason) ||
	    !model_field(load->region, VMCS_IX_VM_EXIT_INTERRUPTION_INFO, ~0ull, &info))
		return MODEL_UNKNOWN;
	*why = "the exit is an NMI";
	if (reason == EXIT_EXCEPTION_NMI && info & VMX_EVENT_VALID &&
	    vmx_event_type(info) == VMX_EVENT_NMI)
		return MODEL_YES;
	*why = "virtual NMIs is on and the exit is no NMI";
	switch (model_control(load->region, VMX_WORD_PIN, PIN_VIRTUAL_NMIS)) {
	case MODEL_YES:
		return MODEL_NO;
	case MODEL_NO:
		break;
	default:
		return MODEL_UNKNOWN;
	}
	*why = "virtual NMIs is off, and it was so in L2";
	if (!model_field(load->region, VMCS_IX_GUEST_INTERRUPTIBILITY_STATE, ~0ull, &blocking))
		return MODEL_UNKNOWN;
	return blocking & BLOCKING_NMI ? MODEL_YES : MODEL_NO;
}

static void judge_nmis(const struct load *load)
{
	const char *why = NULL;
	const enum model_truth should = blocks_nmis(load, &why);
	struct finding *finding;
	u64 is;

	if (should == MODEL_UNKNOWN ||
	    !l0_vmcs01(load->run->event, VMCS_IX_GUEST_INTERRUPTIBILITY_STATE, &is) ||
	    !(is & BLOCKING_NMI) == (should == MODEL_NO))
		return;
	finding = finding_add(load->run->findings, FINDING_L0_NMI_BLOCKING_EXIT, should);
	if (!finding)
		return;
	finding_title(finding, "After the exit NMIs are%s blocked in L1, but %s",
		      is & BLOCKING_NMI ? "" : " not", why);
	finding_evidence(finding, &load->region->writer[VMCS_IX_PIN_BASED_CONTROLS]);
	finding_evidence(finding, &load->run->place);
	finding_note(finding,
		     "VMCS01 guest_interruptibility_state = 0x%llx; pin_based_controls = "
		     "0x%llx, exit_reason = 0x%llx",
		     (unsigned long long)is,
		     (unsigned long long)load->region->value[VMCS_IX_PIN_BASED_CONTROLS],
		     (unsigned long long)load->region->value[VMCS_IX_EXIT_REASON]);
	finding_explain(finding,
			is & BLOCKING_NMI
				? "L1 gets no NMI until its next IRET, which may never come."
				: "A second NMI interrupts the handler of the first.");
	finding_next(finding, "set bit 3 of the interruptibility state by this rule at every exit");
}

static void event(const struct rule_run *run, void *state)
{
	struct load load = {
		.run = run,
		.region = model_current(run->model, run->event->cpu),
	};
	enum model_truth host64;
	u64 count, reason, activity;

	(void)state;
	/* After a VMX abort there is no L1 to load. */
	if (!load.region || !l0_vmcs01(run->event, VMCS_IX_GUEST_ACTIVITY_STATE, &activity) ||
	    activity == SHUTDOWN || !model_field(load.region, VMCS_IX_EXIT_REASON, ~0ull, &reason))
		return;
	host64 = model_control(load.region, VMX_WORD_EXIT, EXIT_HOST_ADDRESS_SPACE_SIZE);
	if (host64 == MODEL_UNKNOWN)
		return;
	load.host64 = host64 == MODEL_YES;
	load.failure = reason & EXIT_REASON_ENTRY_FAILURE;
	load.has_list =
		!model_field(load.region, VMCS_IX_VM_EXIT_MSR_LOAD_COUNT, ~0ull, &count) || count;
	judge_control_registers(&load);
	judge_msrs(&load);
	judge_segments(&load);
	judge_rest(&load);
	judge_nmis(&load);
}

const struct rule rule_l0_host = {
	.kinds = RULE_KIND(L0_HOST),
	.event = event,
};
