/*
 * replay/rule_l0_io.c - INS of L2 that L0 handles: the device was read, then L2 faulted; needs
 * capture=+l0
 */
#include "replay/l0_view.h"
#include "vmx/qual.h"

#define IO_IN	  BIT(3)
#define IO_STRING BIT(4)

struct state {
	struct l0_raw raw[MODEL_MAX_CPUS];
};

static void on_handled(const struct rule_run *run, const struct model_region *region,
		       const struct l0_raw *raw)
{
	struct finding *finding;
	u64 value, info;

	if (raw->exit.reason != EXIT_IO ||
	    (raw->exit.qualification & (IO_IN | IO_STRING)) != (IO_IN | IO_STRING) ||
	    !l0_item(run->event, ITEM_IO_VALUE, &value) ||
	    !l0_vmcs02(run->event, region, VMCS_IX_VM_ENTRY_INTERRUPTION_INFO, &info) ||
	    !(info & VMX_EVENT_VALID) || vmx_event_type(info) != VMX_EVENT_HARDWARE_EXCEPTION)
		return;
	finding = finding_add(run->findings, FINDING_L0_IO_SIDE_EFFECT,
			      BITS(raw->exit.qualification, 31, 16));
	if (!finding)
		return;
	finding_title(finding,
		      "INS of L2 read 0x%llx from port 0x%llx and then faulted with "
		      "exception %llu",
		      (unsigned long long)value,
		      (unsigned long long)BITS(raw->exit.qualification, 31, 16),
		      (unsigned long long)(info & VMX_EVENT_VECTOR));
	finding_evidence(finding, &raw->place);
	finding_evidence(finding, &run->place);
	finding_note(finding,
		     "exit qualification 0x%llx, guest-linear address 0x%llx, event 0x%llx",
		     (unsigned long long)raw->exit.qualification,
		     (unsigned long long)raw->exit.guest_linear, (unsigned long long)info);
	finding_explain(finding, "The device has given the byte, and L2 will execute the "
				 "instruction again: the byte is lost.");
	finding_next(finding, "translate the whole operand for a write before the port is read");
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
	if (region && l0_is_resumed(run->event) && l0_raw_is(raw))
		on_handled(run, region, raw);
	raw->place.kind = 0;
}

const struct rule rule_l0_io = {
	.kinds = RULE_KIND(L0_EXIT) | RULE_KIND(L0_ENTRY) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
