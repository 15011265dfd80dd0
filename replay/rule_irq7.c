/*
 * replay/rule_irq7.c - an interrupt of the old interrupt controller that nobody asked for
 *
 * An 8259A whose request is gone when the processor acknowledges it answers with its lowest input,
 * IRQ 7. With a fast timer that is a vector seven above the timer's, right behind it, each time; a
 * handler that sends EOI for it ends another interrupt.
 */
#include "replay/rule.h"
#include "vmx/qual.h"

#define PAIRS 8 /* of a vector and the one that is IRQ 7 of its controller */

struct source {
	u64 last;	   /* vector before */
	u64 base;	   /* vector of IRQ 0 of the pairs so far */
	u64 pairs, others; /* IRQ 7 behind IRQ 0 to 6 of the controller, and elsewhere */
	struct model_place first, latest;
};

struct state {
	struct source acknowledged[MODEL_MAX_CPUS]; /* by an exit */
	struct source injected[MODEL_MAX_CPUS];	    /* into L2 */
};

static void take(const struct rule_run *run, struct source *source, u64 vector)
{
	const u64 base = vector & ~7ull;

	if ((vector & 7) == 7 && (!source->pairs || source->base == base)) {
		if ((source->last & ~7ull) == base && source->last != vector) {
			source->base = base;
			if (!source->pairs++)
				source->first = run->place;
			source->latest = run->place;
		} else {
			source->others++;
		}
	}
	source->last = vector;
}

static void on_exit(const struct rule_run *run, struct state *state)
{
	const struct trace_event *const event = run->event;
	const struct model_region *const region = model_current(run->model, event->cpu);
	u64 info = 0;
	bool known = false;

	if (likely(((const struct ev_l2_exit *)event->col)->reason != EXIT_EXTERNAL_INTERRUPT))
		return;
	if (region)
		known = model_field(region, VMCS_IX_VM_EXIT_INTERRUPTION_INFO, MASK(31, 0), &info);
	for (u32 i = 0; i < event->item_count; i++)
		if (event->items[i].id == VMCS_VM_EXIT_INTERRUPTION_INFO) {
			info = event->items[i].value;
			known = true;
		}
	if (known && info & VMX_EVENT_VALID)
		take(run, &state->acknowledged[event->cpu], info & VMX_EVENT_VECTOR);
}

static void on_entry(const struct rule_run *run, struct state *state)
{
	const u64 info = ((const struct ev_l2_entry *)run->event->col)->injected;

	if (info & VMX_EVENT_VALID && vmx_event_type(info) == VMX_EVENT_EXTERNAL_INTERRUPT)
		take(run, &state->injected[run->event->cpu], info & VMX_EVENT_VECTOR);
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;

	if (run->event->kind == EV_L2_EXIT)
		on_exit(run, state);
	else
		on_entry(run, state);
}

static void report(const struct rule_run *run, const struct source *source, unsigned cpu,
		   bool to_l2)
{
	struct finding *finding;

	if (source->pairs < PAIRS || source->others * 2 > source->pairs)
		return;
	finding = finding_add(run->findings, FINDING_SPURIOUS_IRQ7, (u64)to_l2 << 32 | cpu);
	if (!finding)
		return;
	finding_title(finding,
		      "Vector 0x%llx came %llu times right behind another one of the same "
		      "interrupt controller%s",
		      (unsigned long long)(source->base + 7), (unsigned long long)source->pairs,
		      to_l2 ? ", injected into L2" : "");
	finding_evidence(finding, &source->first);
	finding_evidence(finding, &source->latest);
	finding_note(finding, "vectors 0x%llx to 0x%llx look like an 8259A; the last is its IRQ 7",
		     (unsigned long long)source->base, (unsigned long long)source->base + 7);
	finding_explain(finding,
			"An 8259A answers with IRQ 7 when the request has gone before it was "
			"acknowledged.");
	finding_next(finding, "read the in-service register of the controller: without bit 7 the "
			      "interrupt is spurious and must get no EOI");
	finding_unknown(finding, "the in-service register");
	finding->confidence = CONFIDENCE_LOW;
}

static void end(const struct rule_run *run, void *memory)
{
	const struct state *const state = memory;

	for (unsigned cpu = 0; cpu < MODEL_MAX_CPUS; cpu++) {
		report(run, &state->acknowledged[cpu], cpu, false);
		report(run, &state->injected[cpu], cpu, true);
	}
}

const struct rule rule_irq7 = {
	.kinds = RULE_KIND(L2_EXIT) | RULE_KIND(L2_ENTRY),
	.state_size = sizeof(struct state),
	.event = event,
	.end = end,
};
