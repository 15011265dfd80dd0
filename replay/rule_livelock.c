/*
 * replay/rule_livelock.c - L2 exits for the same thing again and again
 *
 * Either nothing changes at all: L2 comes back to the same instruction with the same registers, and
 * exits for the same reason; for an EPT violation the entries that it found are the same too. Or L1
 * does move on, but what comes next is the same VMCALL: code that calls itself.
 *
 * Exits that come from outside (interrupts, timers) neither count nor disturb.
 */
#include "replay/rule.h"
#include "vmx/qual.h"

#define STUCK 64   /* identical exits in a row */
#define CALLS 1000 /* identical VMCALLs in a row */

struct chain {
	u64 hash; /* of the exit */
	u64 count;
	struct model_place first, last;
	struct finding *finding; /* that was made of it, owned by the findings; or NULL */
};

struct state {
	struct cpu {
		struct chain stuck; /* L1 changes nothing */
		struct chain calls; /* VMCALLs */
		u64 rip;	    /* of the last exit that counts */
		bool same_rip;	    /* L2 was entered there again, and got no event */
	} cpus[MODEL_MAX_CPUS];
};

static bool is_asynchronous(const struct trace_event *event)
{
	switch (((const struct ev_l2_exit *)event->col)->reason) {
	case EXIT_EXTERNAL_INTERRUPT:
	case EXIT_INIT:
	case EXIT_SIPI:
	case EXIT_IO_SMI:
	case EXIT_OTHER_SMI:
	case EXIT_INTERRUPT_WINDOW:
	case EXIT_NMI_WINDOW:
	case EXIT_MONITOR_TRAP_FLAG:
	case EXIT_PREEMPTION_TIMER:
	case EXIT_PML_FULL:
		return true;
	default:
		return false;
	}
}

static u64 mix(u64 hash, u64 value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15ull;
}

/* What the exit shows; the items are registers, words consulted, and fields that changed. */
static u64 hash_of(const struct trace_event *event)
{
	const struct ev_l2_exit *const exit = (const struct ev_l2_exit *)event->col;
	u64 hash = mix(mix(exit->reason, event->rip), exit->vmcs);

	for (u32 i = 0; i < event->item_count; i++)
		hash = mix(mix(hash, event->items[i].id), event->items[i].value);
	return hash;
}

/* --- Findings --------------------------------------------------------------------------------- */

/* The EPT entry that stands in the way: the last pair of those consulted. */
static void note_ept(struct finding *finding, const struct trace_event *event)
{
	for (u32 i = event->item_count; i-- > 1;) {
		const u32 level = event->items[i].id - ITEM_EPT12;
		const struct vmx_decode_context context = { .ept_level = (u8)level };
		char text[128];

		if (level < 1 || level > 5 || event->items[i - 1].id != ITEM_EPT12_GPA + level)
			continue;
		vmx_decode(text, sizeof(text), VMX_VALUE_EPT_ENTRY, event->items[i].value,
			   &context);
		finding_note(finding, "EPT entry of level %u at 0x%llx: 0x%llx (%s), each time",
			     level, (unsigned long long)event->items[i - 1].value,
			     (unsigned long long)event->items[i].value, text);
		finding_next(finding,
			     "see what L1 does at an exit for EPT: the entry at 0x%llx stays "
			     "as it is",
			     (unsigned long long)event->items[i - 1].value);
		return;
	}
}

static void report_stuck(const struct rule_run *run, struct chain *chain)
{
	const struct ev_l2_exit *const exit = (const struct ev_l2_exit *)run->event->col;

	chain->finding = finding_add(run->findings, FINDING_EXIT_LIVELOCK,
				     run->event->rip ^ exit->reason << 48);
	if (!chain->finding)
		return;
	finding_title(chain->finding,
		      "L2 exits for %s at RIP 0x%llx again and again, and nothing "
		      "changes in between",
		      vmx_exit_name((u32)exit->reason), (unsigned long long)run->event->rip);
	finding_evidence(chain->finding, &chain->first);
	finding_evidence(chain->finding, &run->place);
	finding_explain(chain->finding,
			"L2 makes no progress: it executes the same instruction with "
			"the same registers each time.");
	finding_next(chain->finding,
		     "emulate the instruction and add vm_exit_instruction_length to "
		     "guest_rip, or remove the reason of the exit");
	note_ept(chain->finding, run->event);
}

static void report_calls(const struct rule_run *run, struct chain *chain)
{
	chain->finding =
		finding_add(run->findings, FINDING_VMCALL_OWNER, run->event->rip ^ BIT(63));
	if (!chain->finding)
		return;
	finding_title(chain->finding,
		      "L2 executes the VMCALL at RIP 0x%llx again and again with the "
		      "same registers",
		      (unsigned long long)run->event->rip);
	finding_evidence(chain->finding, &chain->first);
	finding_evidence(chain->finding, &run->place);
	finding_explain(chain->finding,
			"L1 answers each and moves on, and L2 comes back without any "
			"other exit: a hook that calls itself looks like this.");
	finding_next(chain->finding,
		     "see who put the VMCALL at RIP 0x%llx, and whether its handler "
		     "jumps to what it replaced",
		     (unsigned long long)run->event->rip);
	finding_unknown(chain->finding, "what L2 does between two calls");
	chain->finding->confidence = CONFIDENCE_LOW;
}

/* A chain ends: how long it was. */
static void close_chain(struct chain *chain)
{
	if (chain->finding) {
		finding_evidence(chain->finding, &chain->last);
		finding_note(chain->finding, "%llu times in a row, the last at %s",
			     (unsigned long long)chain->count, rule_position(&chain->last));
	}
	*chain = (struct chain){ 0 };
}

/* --- Events ----------------------------------------------------------------------------------- */

/* One more, or the first of a new chain. True when it is the @most'th. */
static bool extend(const struct rule_run *run, struct chain *chain, u64 hash, bool goes_on,
		   u64 most)
{
	if (!goes_on || chain->hash != hash) {
		close_chain(chain);
		chain->hash = hash;
		chain->first = run->place;
	}
	chain->last = run->place;
	return ++chain->count == most;
}

static void on_exit(const struct rule_run *run, struct cpu *cpu)
{
	const u64 reason = ((const struct ev_l2_exit *)run->event->col)->reason;
	u64 hash;

	if (is_asynchronous(run->event))
		return;
	hash = hash_of(run->event);
	if (unlikely(extend(run, &cpu->stuck, hash, cpu->same_rip && cpu->rip == run->event->rip,
			    STUCK)))
		report_stuck(run, &cpu->stuck);
	cpu->rip = run->event->rip;
	cpu->same_rip = false;
	if (reason != EXIT_VMCALL)
		close_chain(&cpu->calls);
	else if (unlikely(extend(run, &cpu->calls, hash, cpu->stuck.count == 1, CALLS)))
		report_calls(run, &cpu->calls);
}

/* VMCALL in VMX root operation, which fails, or outside VMX operation, which faults. */
static void on_vmcall(const struct rule_run *run)
{
	const struct ev_insn *const insn = rule_insn(run);
	struct finding *finding;

	if (insn->outcome == OUTCOME_SUCCEED)
		return;
	finding = finding_add(run->findings, FINDING_VMCALL_OWNER, run->event->rip);
	if (!finding)
		return;
	finding_title(finding, "L1 itself executed VMCALL, and nobody takes it");
	finding_evidence(finding, &run->place);
	finding_explain(finding, insn->outcome == OUTCOME_FAULT
					 ? "Outside VMX operation VMCALL raises #UD: there is no "
					   "hypervisor that L1 could call."
					 : "In VMX root operation VMCALL fails: there is no "
					   "SMM-transfer monitor that L1 could call.");
	finding_next(finding,
		     "see whether the code at RIP 0x%llx is meant to run in L2, or to call "
		     "another hypervisor below",
		     (unsigned long long)run->event->rip);
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;
	struct cpu *const cpu = &state->cpus[run->event->cpu];

	switch (run->event->kind) {
	case EV_L2_EXIT:
		on_exit(run, cpu);
		break;
	case EV_L2_ENTRY:
		cpu->same_rip = run->event->rip == cpu->rip &&
				!((const struct ev_l2_entry *)run->event->col)->injected;
		break;
	case EV_VMCALL:
		on_vmcall(run);
		break;
	default: /* gap */
		close_chain(&cpu->stuck);
		close_chain(&cpu->calls);
		cpu->same_rip = false;
		break;
	}
}

static void end(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;

	(void)run;
	for (unsigned i = 0; i < MODEL_MAX_CPUS; i++) {
		close_chain(&state->cpus[i].stuck);
		close_chain(&state->cpus[i].calls);
	}
}

const struct rule rule_livelock = {
	.kinds = RULE_KIND(L2_EXIT) | RULE_KIND(L2_ENTRY) | RULE_KIND(VMCALL) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
	.end = end,
};
