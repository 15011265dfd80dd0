/*
 * replay/rule_exit_info.c - L1 reads exit information that the last exit did not define, or that it
 * may not have known
 *
 * What a processor leaves in such a field is whatever it is: the value of an exit long ago, or
 * zero. The exit qualification and the fields with a valid bit are always defined.
 */
#include "replay/rule.h"
#include "vmx/qual.h"

#define LMSW_MEMORY	  BIT(6)
#define ADVANCED_BITS	  MASK(11, 9) /* of the exit qualification of an EPT violation */
#define TASK_SWITCH_EVENT 3	      /* bits 31:30: through a task gate of the IDT */

struct state {
	struct model_place advanced[MODEL_MAX_CPUS]; /* VMREAD of such bits, and no entry since */
	u64 qualification[MODEL_MAX_CPUS];
};

/* What the last exit left in the fields that say what is defined. */
struct exit_info {
	const struct model_region *region;
	u32 reason;
	u64 qualification, event, original;
};

static bool known(const struct model_region *region, int index, u64 *value)
{
	return model_field(region, index, ~0ull, value);
}

/* --- Which fields are defined ----------------------------------------------------------------- */

static bool is_software(u64 event)
{
	return event & VMX_EVENT_VALID && vmx_event_type(event) >= VMX_EVENT_SOFTWARE_INTERRUPT &&
	       vmx_event_type(event) <= VMX_EVENT_SOFTWARE_EXCEPTION;
}

/* SDM: "Information for VM Exits Due to Instruction Execution", the VM-exit instruction length. */
static bool has_length(const struct exit_info *info)
{
	if (is_software(info->original))
		return true;
	switch (info->reason) {
	case EXIT_EXCEPTION_NMI:
		return is_software(info->event);
	case EXIT_TASK_SWITCH:
		return BITS(info->qualification, 31, 30) != TASK_SWITCH_EVENT;
	case EXIT_EXTERNAL_INTERRUPT:
	case EXIT_TRIPLE_FAULT:
	case EXIT_INIT:
	case EXIT_SIPI:
	case EXIT_IO_SMI:
	case EXIT_OTHER_SMI:
	case EXIT_INTERRUPT_WINDOW:
	case EXIT_NMI_WINDOW:
	case EXIT_MONITOR_TRAP_FLAG:
	case EXIT_TPR_BELOW_THRESHOLD:
	case EXIT_APIC_ACCESS:
	case EXIT_VIRTUALIZED_EOI:
	case EXIT_EPT_VIOLATION:
	case EXIT_EPT_MISCONFIGURATION:
	case EXIT_PREEMPTION_TIMER:
	case EXIT_APIC_WRITE:
	case EXIT_PML_FULL:
		return false;
	default:
		return true;
	}
}

/* SDM: "Information for VM Exits Due to Instruction Execution"; of I/O only INS and OUTS. */
static bool has_insn_info(const struct exit_info *info)
{
	if (info->reason == EXIT_IO)
		return vmx_io_decode(info->qualification).string;
	return vmx_insn_info_decode(info->reason, 0).parts || !vmx_exit_by_reason(info->reason);
}

/* SDM: "Basic VM-Exit Information", the guest-linear address. */
static bool has_linear_address(const struct exit_info *info)
{
	switch (info->reason) {
	case EXIT_CR_ACCESS:
		return vmx_cr_access_decode(info->qualification).type == VMX_LMSW &&
		       info->qualification & LMSW_MEMORY;
	case EXIT_IO:
	case EXIT_IO_SMI:
		return vmx_io_decode(info->qualification).string;
	case EXIT_EPT_VIOLATION:
		return info->qualification & VMX_EPT_VIOLATION_LINEAR_VALID;
	default:
		/* Newer reasons may have one. */
		return info->reason > EXIT_PML_FULL;
	}
}

static bool has_physical_address(const struct exit_info *info)
{
	return info->reason == EXIT_EPT_VIOLATION || info->reason == EXIT_EPT_MISCONFIGURATION ||
	       info->reason > EXIT_PML_FULL;
}

static bool has_error_code(u64 event)
{
	return (event & VMX_EVENT_VALID) && (event & VMX_EVENT_ERROR_CODE);
}

static bool is_defined(const struct exit_info *info, int index)
{
	switch (index) {
	case VMCS_IX_VM_EXIT_INTERRUPTION_ERROR_CODE:
		return has_error_code(info->event);
	case VMCS_IX_IDT_VECTORING_ERROR_CODE:
		return has_error_code(info->original);
	case VMCS_IX_VM_EXIT_INSTRUCTION_LENGTH:
		return has_length(info);
	case VMCS_IX_VM_EXIT_INSTRUCTION_INFO:
		return has_insn_info(info);
	case VMCS_IX_GUEST_LINEAR_ADDRESS:
		return has_linear_address(info);
	case VMCS_IX_GUEST_PHYSICAL_ADDRESS:
		return has_physical_address(info);
	default:
		return true;
	}
}

/* --- L1.reads-invalid-info -------------------------------------------------------------------- */

static void report(const struct rule_run *run, const struct exit_info *info, int index)
{
	const struct ev_vmread *const read = (const struct ev_vmread *)run->event->col;
	struct finding *const finding = finding_add(run->findings, FINDING_READS_INVALID_INFO,
						    run->event->rip ^ (u64)index << 56);

	if (!finding)
		return;
	finding_title(finding, "L1 read %s, which an exit for %s does not define",
		      vmcs_fields[index].name, vmx_exit_name(info->reason));
	finding_evidence(finding, &info->region->writer[VMCS_IX_EXIT_REASON]);
	finding_evidence(finding, &run->place);
	finding_note(finding,
		     "exit_reason = 0x%x, exit_qualification = 0x%llx, "
		     "vm_exit_interruption_info = 0x%llx, idt_vectoring_info = 0x%llx",
		     info->reason, (unsigned long long)info->qualification,
		     (unsigned long long)info->event, (unsigned long long)info->original);
	finding_note(finding, "read was 0x%llx", (unsigned long long)read->value);
	finding_explain(finding, "The value may be that of an earlier exit, and differs from one "
				 "processor to the next.");
	finding_next(finding, "look at exit_reason, and at the valid bit that goes with the field, "
			      "before VMREAD of it");
	finding_unknown(finding, "whether L1 used the value");
}

static void on_invalid_read(const struct rule_run *run, const struct model_region *region,
			    int index)
{
	struct exit_info info = { .region = region };
	u64 reason;

	if (!known(region, VMCS_IX_EXIT_REASON, &reason) || reason & EXIT_REASON_ENTRY_FAILURE ||
	    !model_place_is(&region->writer[VMCS_IX_EXIT_REASON]) ||
	    !known(region, VMCS_IX_EXIT_QUALIFICATION, &info.qualification) ||
	    !known(region, VMCS_IX_VM_EXIT_INTERRUPTION_INFO, &info.event) ||
	    !known(region, VMCS_IX_IDT_VECTORING_INFO, &info.original))
		return;
	info.reason = (u32)(reason & EXIT_REASON_BASIC);
	if (!is_defined(&info, index))
		report(run, &info, index);
}

/* --- SUR.qualification-new-bits --------------------------------------------------------------- */

/* Bits 11:9 came with a processor that has them, and L1 may compare the whole. */
static void on_qualification(const struct rule_run *run, struct state *state,
			     const struct model_region *region)
{
	const struct vmx_caps *const caps = &run->model->shown;
	const u64 value = ((const struct ev_vmread *)run->event->col)->value;
	u64 reason;

	if (!(value & ADVANCED_BITS) || !known(region, VMCS_IX_EXIT_REASON, &reason) ||
	    reason != EXIT_EPT_VIOLATION || !(caps->known >> VMX_CAP_EPT_VPID_CAP & 1) ||
	    !(caps->msr[VMX_CAP_EPT_VPID_CAP] & CAP_EPT_ADVANCED_EXIT_INFO))
		return;
	state->advanced[run->event->cpu] = run->place;
	state->qualification[run->event->cpu] = value;
}

static void end(const struct rule_run *run, void *memory)
{
	const struct state *const state = memory;

	for (unsigned cpu = 0; cpu < MODEL_MAX_CPUS; cpu++) {
		const struct model_place *const read = &state->advanced[cpu];
		const unsigned long long value = state->qualification[cpu];
		struct finding *finding;

		if (!model_place_is(read))
			continue;
		finding = finding_add(run->findings, FINDING_QUALIFICATION_NEW_BITS, cpu);
		if (!finding)
			return;
		finding_title(
			finding,
			"The last thing that L1 asked on CPU %u was an exit qualification with "
			"bits that older processors do not have",
			cpu);
		finding_evidence(finding, &run->model->cap_read[VMX_CAP_EPT_VPID_CAP]);
		finding_evidence(finding, read);
		finding_note(finding, "exit_qualification = 0x%llx; without bits 11:9 it is 0x%llx",
			     value, value & ~ADVANCED_BITS);
		finding_explain(finding, "Bits 11:9 are defined where bit 22 of "
					 "IA32_VMX_EPT_VPID_CAP is 1, as it is here.");
		finding_next(finding, "see whether L1 compares the whole field with a number: it "
				      "should mask the bits that it does not know");
		finding_unknown(finding, "what L1 did with the value");
		finding->confidence = CONFIDENCE_LOW;
	}
}

/* --- Events ----------------------------------------------------------------------------------- */

static void on_read(const struct rule_run *run, struct state *state)
{
	const struct ev_vmread *const read = (const struct ev_vmread *)run->event->col;
	const struct model_region *region;
	int index;

	/* Of the fields that VM exits fill, which are those of this kind. */
	if (likely(vmcs_encoding_kind(read->field) != VMCS_KIND_INFO) ||
	    read->outcome != OUTCOME_SUCCEED)
		return;
	index = vmcs_field_index(read->field);
	region = model_current(run->model, run->event->cpu);
	if (!region || index < 0)
		return;
	if (index == VMCS_IX_EXIT_QUALIFICATION)
		on_qualification(run, state, region);
	else
		on_invalid_read(run, region, index);
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;

	if (run->event->kind == EV_VMREAD)
		on_read(run, state);
	else
		state->advanced[run->event->cpu].kind = 0;
}

const struct rule rule_exit_info = {
	.kinds = RULE_KIND(VMREAD) | RULE_KIND(L2_ENTRY) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
	.end = end,
};
