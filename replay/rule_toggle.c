/*
 * replay/rule_toggle.c - VMX operation entered and left again and again
 *
 * Some hypervisors leave VMX operation around every timer tick; some probe in a loop and never
 * enter a guest. Both are legal; both cost, and the second is a hint that an instruction before
 * VMXOFF failed.
 */
#include "replay/rule.h"
#include "trace/text.h"
#include "vmx/tables.h"

#define MIN_SESSIONS	 4
#define MAX_ENTRIES_EACH 16 /* more VM entries in a session are work, not toggling */

struct failure {
	u8 kind; /* 0: none */
	u64 outcome;
	u64 error;
};

struct cpu {
	struct model_place first_on, first_off, last_off;
	u64 sessions, empty;	     /* sessions ended; those without a VM entry */
	u64 entries, entries_before; /* in all sessions; before this one */
	u64 first_tsc, last_tsc;
	u64 cr4_writes;
	struct failure now;  /* the last failure of this session */
	struct failure seen; /* of the first session that ended with one */
	u64 seen_count;
};

struct state {
	struct cpu cpus[MODEL_MAX_CPUS];
};

static bool same(const struct failure *a, const struct failure *b)
{
	return a->kind == b->kind && a->outcome == b->outcome && a->error == b->error;
}

static void end_session(const struct rule_run *run, struct cpu *cpu)
{
	if (!model_place_is(&cpu->first_on))
		return;
	if (!cpu->sessions++)
		cpu->first_off = run->place;
	cpu->last_off = run->place;
	cpu->last_tsc = run->event->tsc;
	cpu->empty += cpu->entries == cpu->entries_before;
	cpu->entries_before = cpu->entries;
	if (!cpu->seen.kind)
		cpu->seen = cpu->now;
	if (cpu->now.kind && same(&cpu->now, &cpu->seen))
		cpu->seen_count++;
}

static void begin_session(const struct rule_run *run, struct cpu *cpu)
{
	if (!model_place_is(&cpu->first_on)) {
		cpu->first_on = run->place;
		cpu->first_tsc = run->event->tsc;
		cpu->cr4_writes = 0;
	}
	cpu->now.kind = 0;
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct cpu *const cpu = &state->cpus[run->event->cpu];
	const struct ev_insn *insn;

	if (run->event->kind == EV_L2_ENTRY) {
		cpu->entries++;
		return;
	}
	if (run->event->kind == EV_CR_WRITE) {
		cpu->cr4_writes += ((const struct ev_cr_write *)run->event->col)->cr == 4;
		return;
	}
	insn = rule_insn(run);
	if (insn->outcome == OUTCOME_FAIL_INVALID || insn->outcome == OUTCOME_FAIL_VALID)
		cpu->now = (struct failure){ run->event->kind, insn->outcome, insn->error };
	if (insn->outcome != OUTCOME_SUCCEED)
		return;
	if (run->event->kind == EV_VMXOFF)
		end_session(run, cpu);
	else if (run->event->kind == EV_VMXON)
		begin_session(run, cpu);
}

static void report(const struct rule_run *run, const struct cpu *cpu, unsigned number)
{
	struct finding *const finding = finding_add(run->findings, FINDING_VMX_TOGGLE, number);
	const char *text;

	if (!finding)
		return;
	finding_title(
		finding,
		"CPU %u entered and left VMX operation %llu times, %llu of them without a VM entry",
		number, (unsigned long long)cpu->sessions, (unsigned long long)cpu->empty);
	finding_evidence(finding, &cpu->first_on);
	finding_evidence(finding, &cpu->first_off);
	finding_evidence(finding, &cpu->last_off);
	finding_note(finding,
		     "every %llu ticks, with %llu VM entries in all and %llu writes to CR4",
		     (unsigned long long)((cpu->last_tsc - cpu->first_tsc) / cpu->sessions),
		     (unsigned long long)cpu->entries, (unsigned long long)cpu->cr4_writes);
	if (cpu->seen_count) {
		text = cpu->seen.outcome == OUTCOME_FAIL_VALID
			       ? vmx_insn_error_text((u32)cpu->seen.error)
			       : "VMfailInvalid";
		finding_note(finding, "%llu of them after %s failed: %s",
			     (unsigned long long)cpu->seen_count, trace_text_title(cpu->seen.kind),
			     text ? text : "error not defined");
	}
	finding_explain(
		finding,
		"Each turn costs two transitions and whatever L0 does at MOV CR4, VMXON and "
		"VMXOFF.");
	if (cpu->empty < cpu->sessions)
		finding_next(
			finding,
			"keep what L0 does at these instructions short; no flush is needed there");
	else if (cpu->seen_count)
		finding_next(finding, "see what L1 wants of the instruction that failed");
	else
		finding_next(finding, "see what L1 did just before VMXOFF, at %s",
			     rule_position(&cpu->first_off));
}

static void end(const struct rule_run *run, void *memory)
{
	const struct state *const state = memory;

	for (unsigned i = 0; i < MODEL_MAX_CPUS; i++) {
		const struct cpu *const cpu = &state->cpus[i];

		const bool idle = cpu->entries < MAX_ENTRIES_EACH * cpu->sessions;

		if (cpu->empty >= MIN_SESSIONS || (cpu->sessions >= MIN_SESSIONS && idle))
			report(run, cpu, i);
	}
}

const struct rule rule_toggle = {
	.kinds = RULE_KIND(VMXON) | RULE_KIND(VMXOFF) | RULE_KIND(L2_ENTRY) | RULE_KIND(CR_WRITE),
	.failing = RULE_KINDS_VMX,
	.state_size = sizeof(struct state),
	.event = event,
	.end = end,
};
