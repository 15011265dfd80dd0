/*
 * replay/rule_l0_event.c - events on their way into L2: injected, cut short, or waited for
 *
 * SDM, "Event Injection", "Information for VM Exits That Occur During Event Delivery".
 */
#include "replay/l0_view.h"
#include "vmx/qual.h"

#define EVENT_IDENTITY	(VMX_EVENT_VALID | VMX_EVENT_TYPE | VMX_EVENT_VECTOR)
#define RFLAGS_IF	BIT(9)
#define BLOCKING_STI_SS MASK(1, 0)
#define BLOCKING_NMI	BIT(3)
#define LINEAR_VALID	BIT(7)

struct cpu_state {
	struct l0_raw raw;
	struct model_place entry; /* the last l2_entry; nowhere: unknown */
	u64 injected;
	struct model_place last_exit; /* the last that was no failed entry ... */
	u64 last_exit_vmcs;	      /* ... and of which VMCS */
	const char *window;	      /* that was due right behind the entry */
};

struct state {
	struct cpu_state cpus[MODEL_MAX_CPUS];
};

/* --- Injection -------------------------------------------------------------------------------- */

static void injected_again(const struct rule_run *run, const struct cpu_state *cpu, u64 info,
			   const struct model_place *writer)
{
	struct finding *const finding =
		finding_add(run->findings, FINDING_L0_INJECT_REPEAT, info & EVENT_IDENTITY);

	if (!finding)
		return;
	finding_title(finding, "Event 0x%llx was injected into L2, which nobody asked for again",
		      (unsigned long long)info);
	finding_evidence(finding, writer);
	finding_evidence(finding, &cpu->last_exit);
	finding_evidence(finding, &run->place);
	finding_note(finding, "no VMWRITE of vm_entry_interruption_info since the exit, which "
			      "clears its bit 31");
	finding_explain(finding, "L2 gets the same interrupt or exception twice.");
	finding_next(finding, "look for a copy of the field that L0 does not clear at exits");
}

static void on_entry(const struct rule_run *run, struct cpu_state *cpu,
		     const struct model_region *region)
{
	const struct ev_l2_entry *const entry = (const struct ev_l2_entry *)run->event->col;
	const struct model_place *writer;

	cpu->entry = run->place;
	cpu->injected = entry->injected;
	if (!region || !model_place_is(&cpu->last_exit) || !(entry->injected & VMX_EVENT_VALID))
		return;
	writer = &region->writer[VMCS_IX_VM_ENTRY_INTERRUPTION_INFO];
	if (entry->vmcs == cpu->last_exit_vmcs && model_place_is(writer) &&
	    writer->n < cpu->last_exit.n)
		injected_again(run, cpu, entry->injected, writer);
}

static void not_injected(const struct rule_run *run, const struct model_region *region, u64 wanted,
			 u64 info)
{
	struct finding *const finding =
		finding_add(run->findings, FINDING_L0_PENDING_EVENT_LOST, wanted & EVENT_IDENTITY);

	if (!finding)
		return;
	finding_title(finding, "L1 asked for event 0x%llx, and VMCS02 is entered with 0x%llx",
		      (unsigned long long)wanted, (unsigned long long)info);
	finding_evidence(finding, &region->writer[VMCS_IX_VM_ENTRY_INTERRUPTION_INFO]);
	finding_evidence(finding, &run->place);
	finding_note(finding, "vm_entry_interruption_info: VMCS12 0x%llx, VMCS02 0x%llx",
		     (unsigned long long)wanted, (unsigned long long)info);
	finding_explain(finding, "The event is lost: L1 believes that L2 has it.");
	finding_next(finding, "look at where L0 copies vm_entry_interruption_info");
}

/* What the processor is told to inject is what VMCS12 asks for; NMIs may be L0's. */
static void on_first_entry(const struct rule_run *run, const struct cpu_state *cpu,
			   const struct model_region *region)
{
	u64 wanted, info;

	if (!model_field(region, VMCS_IX_VM_ENTRY_INTERRUPTION_INFO, ~0ull, &wanted) ||
	    !l0_vmcs02(run->event, region, VMCS_IX_VM_ENTRY_INTERRUPTION_INFO, &info))
		return;
	if (wanted & VMX_EVENT_VALID) {
		if ((info ^ wanted) & EVENT_IDENTITY)
			not_injected(run, region, wanted, info);
		return;
	}
	if (info & VMX_EVENT_VALID && vmx_event_type(info) != VMX_EVENT_NMI &&
	    model_place_is(&cpu->last_exit) && cpu->last_exit_vmcs == region->pointer)
		injected_again(run, cpu, info, &region->writer[VMCS_IX_VM_ENTRY_INTERRUPTION_INFO]);
}

/* --- Windows ---------------------------------------------------------------------------------- */

static const char nmi_window[] = "NMI window";

/* What must exit before L2 executes an instruction; NULL: nothing, or it is unknown. */
static const char *due_window(const struct model_region *region, u64 injected)
{
	u64 rflags, blocking, activity;

	if (!region || injected || !model_field(region, VMCS_IX_GUEST_RFLAGS, ~0ull, &rflags) ||
	    !model_field(region, VMCS_IX_GUEST_INTERRUPTIBILITY_STATE, ~0ull, &blocking) ||
	    !model_field(region, VMCS_IX_GUEST_ACTIVITY_STATE, ~0ull, &activity) || activity)
		return NULL;
	if (model_control(region, VMX_WORD_PRIMARY, PRIMARY_INTERRUPT_WINDOW_EXITING) ==
		    MODEL_YES &&
	    rflags & RFLAGS_IF && !(blocking & BLOCKING_STI_SS))
		return "interrupt window";
	if (model_control(region, VMX_WORD_PRIMARY, PRIMARY_NMI_WINDOW_EXITING) == MODEL_YES &&
	    !(blocking & (BLOCKING_NMI | BLOCKING_STI_SS)))
		return nmi_window;
	return NULL;
}

/* Exits that take an instruction of L2 to happen. */
static bool is_instruction(u32 reason)
{
	switch (reason) {
	case EXIT_CPUID:
	case EXIT_HLT:
	case EXIT_IO:
	case EXIT_RDMSR:
	case EXIT_WRMSR:
	case EXIT_CR_ACCESS:
	case EXIT_DR_ACCESS:
	case EXIT_RDTSC:
	case EXIT_INVLPG:
	case EXIT_PAUSE:
		return true;
	default:
		return reason >= EXIT_VMCALL && reason <= EXIT_VMXON;
	}
}

static void was_it_in_order(const struct rule_run *run, const struct cpu_state *cpu,
			    const struct model_region *region, u32 reason)
{
	struct finding *finding;

	if (!cpu->window || !is_instruction(reason))
		return;
	finding = finding_add(run->findings, FINDING_L0_EVENT_PRIORITY, reason);
	if (!finding)
		return;
	finding_title(finding, "L2 exited by %s where the exit for the %s came first",
		      vmx_exit_name(reason), cpu->window);
	finding_evidence(finding, &region->writer[VMCS_IX_PRIMARY_PROC_BASED_CONTROLS]);
	finding_evidence(finding, &cpu->entry);
	finding_evidence(finding, &run->place);
	finding_note(finding,
		     "primary_proc_based_controls = 0x%llx, guest_rflags = 0x%llx, "
		     "guest_interruptibility_state = 0x%llx at the entry",
		     (unsigned long long)region->value[VMCS_IX_PRIMARY_PROC_BASED_CONTROLS],
		     (unsigned long long)region->value[VMCS_IX_GUEST_RFLAGS],
		     (unsigned long long)region->value[VMCS_IX_GUEST_INTERRUPTIBILITY_STATE]);
	finding_explain(finding, "The interrupt that L1 holds back for L2 comes late, or never.");
	finding_next(finding, "see whether VMCS02 has the control: record with capture=lean+l0");
	if (cpu->window == nmi_window)
		rule_explain(finding, errata_explain_exit(errata_platforms_of(&run->model->real,
									      &run->model->shown),
							  EXIT_CHECK_NMI_WINDOW_OPEN));
}

/* --- Deliveries that exits cut short ---------------------------------------------------------- */

static void lost(const struct rule_run *run, const struct l0_raw *raw, const char *how)
{
	struct finding *const finding =
		finding_add(run->findings, FINDING_L0_VECTORING_LOST, raw->exit.reason);

	if (!finding)
		return;
	finding_title(finding, "The delivery of event 0x%llx met an exit by %s, and %s",
		      (unsigned long long)raw->exit.vectoring_info,
		      vmx_exit_name((u32)raw->exit.reason), how);
	finding_evidence(finding, &raw->place);
	finding_evidence(finding, &run->place);
	finding_note(finding, "IDT-vectoring information 0x%llx, error code 0x%llx",
		     (unsigned long long)raw->exit.vectoring_info,
		     (unsigned long long)raw->exit.vectoring_code);
	finding_explain(finding,
			"L2 never gets the event; a timer interrupt that is lost hangs it.");
	finding_next(finding, "inject it again at the next entry of VMCS02");
}

/* An EPT violation of a load of PDPTEs that became a fault of L2. */
static void faulted_instead(const struct rule_run *run, const struct l0_raw *raw, u64 info)
{
	struct finding *finding;

	if (raw->exit.reason != EXIT_EPT_VIOLATION || raw->exit.qualification & LINEAR_VALID ||
	    raw->exit.vectoring_info & VMX_EVENT_VALID || !(info & VMX_EVENT_VALID) ||
	    vmx_event_type(info) != VMX_EVENT_HARDWARE_EXCEPTION)
		return;
	finding = finding_add(run->findings, FINDING_L0_PDPTE_LOAD_FAULT, info & VMX_EVENT_VECTOR);
	if (!finding)
		return;
	finding_title(finding,
		      "L2 got exception %llu where its load of PDPTEs met an EPT violation",
		      (unsigned long long)(info & VMX_EVENT_VECTOR));
	finding_evidence(finding, &raw->place);
	finding_evidence(finding, &run->place);
	finding_note(finding,
		     "exit qualification 0x%llx, guest-physical address 0x%llx, then "
		     "event 0x%llx",
		     (unsigned long long)raw->exit.qualification,
		     (unsigned long long)raw->exit.gpa2, (unsigned long long)info);
	finding_explain(finding, "L1 would have mapped the page; L2 dies of a fault that no "
				 "processor raises.");
	finding_next(finding, "give L1 the exit");
}

static void on_handled(const struct rule_run *run, const struct model_region *region,
		       const struct l0_raw *raw)
{
	u64 info;

	if (!l0_vmcs02(run->event, region, VMCS_IX_VM_ENTRY_INTERRUPTION_INFO, &info))
		return;
	if (raw->exit.vectoring_info & VMX_EVENT_VALID && !(info & VMX_EVENT_VALID))
		lost(run, raw, "L0 did not inject it again");
	faulted_instead(run, raw, info);
}

static void on_reflected(const struct rule_run *run, struct cpu_state *cpu,
			 const struct model_region *region)
{
	const u32 reason = (u32)((const struct ev_l2_exit *)run->event->col)->reason;
	u64 vectoring;

	if (l0_raw_is(&cpu->raw) && cpu->raw.exit.vectoring_info & VMX_EVENT_VALID &&
	    !(reason & EXIT_REASON_ENTRY_FAILURE) &&
	    l0_vmcs12_after(run->event, region, VMCS_IX_IDT_VECTORING_INFO, &vectoring) &&
	    !(vectoring & VMX_EVENT_VALID))
		lost(run, &cpu->raw, "L1 is not told");
	if (!model_place_is(&cpu->entry))
		return;
	was_it_in_order(run, cpu, region, reason);
}

/* --- Events ----------------------------------------------------------------------------------- */

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct cpu_state *const cpu = &state->cpus[run->event->cpu];
	const struct model_region *const region = model_current(run->model, run->event->cpu);

	switch (run->event->kind) {
	case EV_L2_ENTRY:
		on_entry(run, cpu, region);
		cpu->window = due_window(region, cpu->injected);
		return;
	case EV_L0_EXIT:
		l0_raw_keep(&cpu->raw, run);
		return;
	case EV_L0_ENTRY:
		if (region && l0_is_resumed(run->event) && l0_raw_is(&cpu->raw))
			on_handled(run, region, &cpu->raw);
		else if (region && !l0_is_resumed(run->event))
			on_first_entry(run, cpu, region);
		cpu->raw.place.kind = 0;
		return;
	case EV_L2_EXIT:
		if (region)
			on_reflected(run, cpu, region);
		cpu->raw.place.kind = cpu->entry.kind = 0;
		/* SDM, "VM-Entry Failures During or After Loading Guest State": the event stays. */
		if (((const struct ev_l2_exit *)run->event->col)->reason &
		    EXIT_REASON_ENTRY_FAILURE)
			return;
		cpu->last_exit = run->place;
		cpu->last_exit_vmcs = ((const struct ev_l2_exit *)run->event->col)->vmcs;
		return;
	default:
		memset(cpu, 0, sizeof(*cpu));
		return;
	}
}

const struct rule rule_l0_event = {
	.kinds = RULE_KIND(L2_ENTRY) | RULE_KIND(L2_EXIT) | RULE_KIND(L0_EXIT) |
		 RULE_KIND(L0_ENTRY) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
