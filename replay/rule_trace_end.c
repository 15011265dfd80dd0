/*
 * replay/rule_trace_end.c - why the tape ends where it does, and what hv says of itself
 *
 * Says nothing when L1 switched the machine off. Otherwise: who was running, whether anything could
 * have made L2 exit, and whether the same exit came again and again.
 */
#include "replay/rule.h"
#include "trace/text.h"
#include "vmx/tables.h"

#define LIVELOCK 1000 /* times the same exit */

struct cpu {
	struct model_place last;       /* of an instruction, entry or exit */
	struct model_place first_same; /* of the exits that are all the same ... */
	u64 same;		       /* ... this many */
	u64 reason, rip;
	bool in_l2;
};

struct state {
	bool ended;
	u64 why; /* enum trace_end */
	struct model_place end, panic;
	char panic_text[128];
	struct cpu cpus[MODEL_MAX_CPUS];
};

/* The last of all processors; nowhere when none did anything. */
static const struct model_place *last_of(const struct state *state)
{
	const struct model_place *last = &state->cpus[0].last;

	for (unsigned i = 1; i < MODEL_MAX_CPUS; i++)
		if (model_place_is(&state->cpus[i].last) &&
		    (!model_place_is(last) || state->cpus[i].last.n > last->n))
			last = &state->cpus[i].last;
	return last;
}

static void take_text(struct state *state, const struct trace_event *event)
{
	const size_t length = MIN(event->byte_count, (u32)sizeof(state->panic_text) - 1);

	memcpy(state->panic_text, event->bytes, length);
	state->panic_text[length] = 0;
}

static void take_exit(const struct rule_run *run, struct cpu *cpu)
{
	const struct ev_l2_exit *const exit = (const struct ev_l2_exit *)run->event->col;

	cpu->in_l2 = false;
	if (cpu->same && exit->reason == cpu->reason && run->event->rip == cpu->rip) {
		cpu->same++;
		return;
	}
	cpu->first_same = run->place;
	cpu->same = 1;
	cpu->reason = exit->reason;
	cpu->rip = run->event->rip;
}

/* hv met something that its author held impossible, and went on. */
static void report_bug(const struct rule_run *run, const struct state *state)
{
	const struct ev_hv_bug *const bug = (const struct ev_hv_bug *)run->event->col;
	struct finding *const finding =
		finding_add(run->findings, FINDING_L0_ASSERT, 1 + bug->code);

	if (!finding)
		return;
	finding_title(finding, "The hypervisor below L1 met what it held impossible: %.*s",
		      (int)run->event->byte_count, (const char *)run->event->bytes);
	finding_evidence(finding, last_of(state));
	finding_evidence(finding, &run->place);
	finding_note(finding, "place 0x%llx, value 0x%llx", (unsigned long long)bug->code,
		     (unsigned long long)bug->value);
	finding_explain(finding, "This is a bug of vmxtape's hypervisor, not of L1; it goes on.");
	finding_next(finding, "send in the tape; the events before %s are what led there",
		     rule_position(&run->place));
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct cpu *const cpu = &state->cpus[run->event->cpu];

	switch (run->event->kind) {
	case EV_END:
		state->ended = true;
		state->why = ((const struct ev_end *)run->event->col)->why;
		state->end = run->place;
		return;
	case EV_PANIC:
		state->panic = run->place;
		take_text(state, run->event);
		return;
	case EV_HV_BUG:
		report_bug(run, state);
		return;
	case EV_GAP:
		/* Behind a cut comes nothing that could contradict what was last known. */
		if (((const struct ev_gap *)run->event->col)->why == GAP_CUT)
			return;
		cpu->same = 0;
		cpu->in_l2 = false;
		return;
	case EV_L2_ENTRY:
		cpu->in_l2 = true;
		break;
	case EV_L2_EXIT:
		take_exit(run, cpu);
		break;
	default:
		break;
	}
	cpu->last = run->place;
}

/* What could have made L2 exit, of what runs on its own. */
static void note_exit_sources(const struct rule_run *run, struct finding *finding, u16 cpu)
{
	static const struct {
		u64 mask;
		const char *text;
	} sources[] = {
		{ PIN_EXTERNAL_INTERRUPT_EXITING, "external interrupts" },
		{ PIN_NMI_EXITING, "NMIs" },
		{ PIN_PREEMPTION_TIMER, "the VMX-preemption timer" },
	};
	const struct model_region *const region = model_current(run->model, cpu);
	bool any = false;

	if (!region) {
		finding_unknown(finding, "which exits the controls of L2 asked for");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		const enum model_truth on = model_control(region, VMX_WORD_PIN, sources[i].mask);

		any |= on != MODEL_NO;
		finding_note(finding, "CPU %u: L2 exits for %s: %s", cpu, sources[i].text,
			     on == MODEL_YES  ? "yes"
			     : on == MODEL_NO ? "no"
					      : "unknown");
	}
	if (!any)
		finding_explain(finding,
				"No event from outside makes L2 exit: if it executes nothing that "
				"exits, L1 never runs again.");
}

static void note_livelock(struct finding *finding, const struct cpu *cpu, unsigned number)
{
	finding->severity = SEVERITY_WARNING;
	finding_evidence(finding, &cpu->first_same);
	finding_note(finding, "CPU %u: the last %llu exits of L2 are all %s at RIP 0x%llx", number,
		     (unsigned long long)cpu->same, vmx_exit_name((u32)cpu->reason),
		     (unsigned long long)cpu->rip);
	finding_next(finding, "see why L1 resumes L2 at the same instruction each time");
}

static void report_panic(const struct rule_run *run, const struct state *state)
{
	struct finding *const finding = finding_add(run->findings, FINDING_L0_ASSERT, 0);

	if (!finding)
		return;
	finding_title(finding, "The hypervisor below L1 stopped: %s",
		      state->panic_text[0] ? state->panic_text : "it says no more");
	finding_evidence(finding, last_of(state));
	finding_evidence(finding, model_place_is(&state->panic) ? &state->panic : &state->end);
	finding_explain(finding, "This is a bug of vmxtape's hypervisor, not of L1.");
	finding_next(finding, "send in the tape");
}

static void report_end(const struct rule_run *run, const struct state *state)
{
	struct finding *const finding = finding_add(run->findings, FINDING_TRACE_END, 0);
	const char *const text = trace_text_end(state->why);

	if (!finding)
		return;
	finding_evidence(finding, last_of(state));
	finding_evidence(finding, &state->end);
	switch (state->why) {
	case END_TRIPLE_FAULT:
		finding->severity = SEVERITY_WARNING;
		finding_title(finding, "L1 ended in a triple fault");
		finding_explain(finding, "L1 met an exception that it could not deliver, twice.");
		finding_next(finding, "see the last events of L1 before the end");
		break;
	case END_RESET:
		finding_title(finding, "L1 reset the machine");
		finding_next(finding,
			     "see the last lines of its console: vmxtape dump --console %s",
			     run->tape);
		break;
	default:
		finding_title(finding, "L1's end: %s", text ? text : "unknown");
		break;
	}
}

static void report_open(const struct rule_run *run, const struct state *state)
{
	struct finding *const finding = finding_add(run->findings, FINDING_TRACE_END, 0);
	bool in_l2 = false, looping = false;

	if (!finding)
		return;
	for (u16 i = 0; i < MODEL_MAX_CPUS; i++) {
		in_l2 |= state->cpus[i].in_l2;
		looping |= state->cpus[i].same >= LIVELOCK;
	}
	finding_title(finding, "The tape stops while %s was %s", in_l2 ? "L2" : "L1",
		      looping ? "in a loop of exits" : "running");
	finding_explain(finding,
			"The recording was ended from outside, or L0 stopped without a word.");
	finding_next(finding, "vmxtape dump %s shows the last events", run->tape);
	for (u16 i = 0; i < MODEL_MAX_CPUS; i++) {
		const struct cpu *const cpu = &state->cpus[i];

		finding_evidence(finding, &cpu->last);
		if (cpu->same >= LIVELOCK)
			note_livelock(finding, cpu, i);
		else if (cpu->in_l2)
			note_exit_sources(run, finding, i);
	}
}

static void end(const struct rule_run *run, void *memory)
{
	const struct state *const state = memory;
	const bool open = !state->ended || state->why == END_ASKED;

	if (model_place_is(&state->panic) || (state->ended && state->why == END_PANIC))
		report_panic(run, state);
	else if (!open && state->why != END_POWER_OFF)
		report_end(run, state);
	else if (open && model_place_is(last_of(state)))
		report_open(run, state);
}

const struct rule rule_trace_end = {
	.kinds = RULE_KINDS_VMX | RULE_KIND(L2_ENTRY) | RULE_KIND(L2_EXIT) | RULE_KIND(MSR_READ) |
		 RULE_KIND(MSR_WRITE) | RULE_KIND(CR_WRITE) | RULE_KIND(CONSOLE) | RULE_KIND(END) |
		 RULE_KIND(PANIC) | RULE_KIND(HV_BUG) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
	.end = end,
};
