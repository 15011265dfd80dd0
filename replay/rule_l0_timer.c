/*
 * replay/rule_l0_timer.c - exits by the VMX-preemption timer that come too early, or to nobody
 *
 * The timer counts down by 1 every 2^N ticks of the TSC. Between the event of an entry and that of
 * the exit lies all the time that L2 ran, and more; so an exit is too early for sure when even that
 * is less than the timer takes. SDM, "VMX-Preemption Timer".
 */
#include "replay/l0_view.h"

struct state {
	struct {
		struct model_place place; /* of the last l2_entry; nowhere: unknown */
		u64 tsc;
	} entry[MODEL_MAX_CPUS];
};

static void report_off(const struct rule_run *run, const struct model_region *region)
{
	struct finding *const finding = finding_add(run->findings, FINDING_L0_PREEMPTION_TIMER, 0);

	if (!finding)
		return;
	finding_title(finding, "L2 exited by the VMX-preemption timer, which L1 does not use");
	finding_evidence(finding, &region->writer[VMCS_IX_PIN_BASED_CONTROLS]);
	finding_evidence(finding, &run->place);
	finding_note(finding, "pin_based_controls = 0x%llx: bit 6 is 0",
		     (unsigned long long)region->value[VMCS_IX_PIN_BASED_CONTROLS]);
	finding_explain(finding, "It is L0's own timer; L1 has no handler for this exit.");
	finding_next(finding, "keep exits of a timer that L1 did not ask for in L0");
}

static void report_early(const struct rule_run *run, const struct model_place *entry, u64 ticks,
			 u64 value, u64 rate)
{
	struct finding *const finding = finding_add(run->findings, FINDING_L0_PREEMPTION_TIMER, 1);

	if (!finding)
		return;
	finding_title(finding, "The VMX-preemption timer expired after %llu ticks; it takes %llu",
		      (unsigned long long)ticks, (unsigned long long)(value << rate));
	finding_evidence(finding, entry);
	finding_evidence(finding, &run->place);
	finding_note(
		finding, "vmx_preemption_timer_value = 0x%llx, ia32_vmx_misc = 0x%llx: rate %llu",
		(unsigned long long)value, (unsigned long long)run->model->shown.msr[VMX_CAP_MISC],
		(unsigned long long)rate);
	finding_explain(finding, "L1 takes the time slice of its guest for over.");
	finding_next(finding, "give VMCS02 the value of L1, and count no time of L0 against L2");
}

static void on_exit(const struct rule_run *run, const struct model_region *region,
		    const struct state *state)
{
	const struct model_place *const entry = &state->entry[run->event->cpu].place;
	const enum model_truth on = model_control(region, VMX_WORD_PIN, PIN_PREEMPTION_TIMER);
	const u64 misc = run->model->shown.msr[VMX_CAP_MISC];
	const u64 rate = CAP_GET(misc, PREEMPTION_TIMER_RATE);
	u64 ticks, value;

	if (((const struct ev_l2_exit *)run->event->col)->reason != EXIT_PREEMPTION_TIMER)
		return;
	if (on == MODEL_NO)
		report_off(run, region);
	if (on != MODEL_YES || !model_place_is(entry) ||
	    !(run->model->shown.known >> VMX_CAP_MISC & 1) ||
	    !model_field(region, VMCS_IX_VMX_PREEMPTION_TIMER_VALUE, ~0ull, &value))
		return;
	ticks = run->event->tsc - state->entry[run->event->cpu].tsc;
	/* It counts when a bit of the TSC changes: up to one count comes early. */
	if (value > 1 && ticks < (value - 1) << rate)
		report_early(run, entry, ticks, value, rate);
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	const struct model_region *region;

	if (run->event->kind == EV_L2_EXIT) {
		region = model_current(run->model, run->event->cpu);
		if (region)
			on_exit(run, region, state);
	}
	state->entry[run->event->cpu].place.kind = 0;
	if (run->event->kind != EV_L2_ENTRY)
		return;
	state->entry[run->event->cpu].place = run->place;
	state->entry[run->event->cpu].tsc = run->event->tsc;
}

const struct rule rule_l0_timer = {
	.kinds = RULE_KIND(L2_ENTRY) | RULE_KIND(L2_EXIT) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
