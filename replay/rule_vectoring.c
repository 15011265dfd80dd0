/*
 * replay/rule_vectoring.c - an event that an exit interrupted, and that L1 never delivers
 *
 * An external interrupt or NMI that was on its way to L2 when the exit came is in IDT-vectoring
 * information and nowhere else any more. Exceptions and software events are left out: L2 executes
 * the instruction again and they come by themselves.
 */
#include "replay/rule.h"
#include "vmx/qual.h"

static const struct window {
	enum vmx_event_type type;
	u32 control;
	const char *name;
} windows[] = {
	{ VMX_EVENT_EXTERNAL_INTERRUPT, PRIMARY_INTERRUPT_WINDOW_EXITING, "interrupt" },
	{ VMX_EVENT_NMI, PRIMARY_NMI_WINDOW_EXITING, "NMI" },
};

static const struct window *window_of(u64 original)
{
	if (!(original & VMX_EVENT_VALID))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++)
		if (windows[i].type == vmx_event_type(original))
			return &windows[i];
	return NULL;
}

/* Whether L1 may have done the delivery itself, or another way. */
static bool is_settled(const struct model_region *region, const struct window *window, u64 reason)
{
	const u64 exit = region->writer[VMCS_IX_EXIT_REASON].n;
	u64 entry;

	if (!model_field(region, VMCS_IX_VM_ENTRY_INTERRUPTION_INFO, VMX_EVENT_VALID, &entry) ||
	    entry & VMX_EVENT_VALID)
		return true;
	if (model_control(region, VMX_WORD_PRIMARY, window->control) != MODEL_NO)
		return true;
	if (reason == EXIT_TASK_SWITCH || reason == EXIT_TRIPLE_FAULT)
		return true;
	return region->writer[VMCS_IX_GUEST_RIP].n > exit ||
	       region->writer[VMCS_IX_GUEST_RSP].n > exit;
}

static void report(const struct rule_run *run, const struct model_region *region,
		   const struct window *window, u64 reason, u64 original)
{
	struct finding *const finding = finding_add(run->findings, FINDING_VECTORING_LOST,
						    (u64)window->type << 32 | reason);
	char text[128];

	if (!finding)
		return;
	vmx_decode(text, sizeof(text), VMX_VALUE_EVENT_ORIGINAL, original, NULL);
	finding_title(finding,
		      "An %s was on its way to L2 when the exit for %s came, and L1 did "
		      "not inject it again",
		      window->name, vmx_exit_name((u32)reason));
	finding_evidence(finding, &region->writer[VMCS_IX_EXIT_REASON]);
	finding_evidence(finding, &region->writer[VMCS_IX_VM_ENTRY_INTERRUPTION_INFO]);
	finding_evidence(finding, &run->place);
	finding_note(finding, "idt_vectoring_info = 0x%llx (%s)", (unsigned long long)original,
		     text);
	finding_note(finding,
		     "vm_entry_interruption_info = 0x%llx at the entry: nothing injected; "
		     "no %s-window exiting",
		     (unsigned long long)region->value[VMCS_IX_VM_ENTRY_INTERRUPTION_INFO],
		     window->name);
	finding_explain(finding,
			"The processor has forgotten the event: L2 waits for it for ever.");
	finding_next(finding,
		     "copy idt_vectoring_info to vm_entry_interruption_info, and "
		     "idt_vectoring_error_code to vm_entry_exception_error_code, before %s",
		     rule_position(&run->place));
	finding_unknown(finding, "whether L1 keeps the event for later");
}

static void event(const struct rule_run *run, void *state)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);
	const struct window *window;
	u64 original, reason;

	(void)state;
	if (!region || !model_field(region, VMCS_IX_IDT_VECTORING_INFO, MASK(31, 0), &original) ||
	    likely(!(original & VMX_EVENT_VALID)) || rule_insn(run)->outcome != OUTCOME_SUCCEED)
		return;
	window = window_of(original);
	if (window && model_field(region, VMCS_IX_EXIT_REASON, MASK(31, 0), &reason) &&
	    model_place_is(&region->writer[VMCS_IX_EXIT_REASON]) &&
	    !is_settled(region, window, reason & EXIT_REASON_BASIC))
		report(run, region, window, reason & EXIT_REASON_BASIC, original);
}

const struct rule rule_vectoring = {
	.kinds = RULE_KIND(VMLAUNCH) | RULE_KIND(VMRESUME),
	.event = event,
};
