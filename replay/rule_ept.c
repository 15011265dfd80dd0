/*
 * replay/rule_ept.c - L1 takes rights away in EPT, or maps another frame, without INVEPT
 *
 * The tape has EPT entries where EPT violations consulted them. An entry that had rights at one
 * violation and has fewer, or another frame, at a later one was changed between the two. A
 * violation itself drops what is cached of its address, so L2 must have run twice: once to cache
 * the entry again, once with the old one.
 *
 * With more than one processor the change may be so new that the INVEPT is still on its way.
 */
#include "replay/l0_view.h"
#include "vmx/value_text.h"

#define SLOTS	   256
#define ROOTS	   16
#define FRAME	   MASK(51, 12)
#define EPT_RIGHTS MASK(2, 0)
#define EPT_LARGE  BIT(7)
#define LEVELS	   5

struct entry {
	u64 root; /* bits 51:12 of the EPTP */
	u64 gpa;  /* of the entry */
	u64 value;
	u64 runs;		  /* of L2 with that root, so far */
	struct model_place place; /* of the violation; nowhere: the slot is empty */
};

struct cpu {
	struct entry entries[SLOTS];
	struct {
		u64 root;
		u64 count;
	} runs[ROOTS];
};

/* Of CPU 0 alone: see above. */
struct state {
	struct cpu cpu;
	bool several; /* processors */
};

static size_t hash(u64 number)
{
	return (size_t)(number * 0x9e3779b97f4a7c15ull >> 48);
}

static bool is_weaker(u64 old, u64 new)
{
	if (!(old & EPT_RIGHTS))
		return false;
	if (old & ~new &EPT_RIGHTS)
		return true;
	return (old ^ new) & (FRAME | EPT_LARGE);
}

static void report(const struct rule_run *run, const struct entry *old, u64 eptp, unsigned level,
		   u64 value)
{
	const struct vmx_decode_context context = { .ept_level = (u8)level };
	struct finding *const finding = finding_add(run->findings, FINDING_EPT_NO_INVEPT, old->gpa);
	char before[128], after[128];

	if (!finding)
		return;
	vmx_decode(before, sizeof(before), VMX_VALUE_EPT_ENTRY, old->value, &context);
	vmx_decode(after, sizeof(after), VMX_VALUE_EPT_ENTRY, value, &context);
	finding_title(finding, "L1 changed the EPT entry at 0x%llx and executed no INVEPT",
		      (unsigned long long)old->gpa);
	finding_evidence(finding, &old->place);
	finding_evidence(finding, &run->place);
	finding_note(finding, "level %u, EPTP 0x%llx", level, (unsigned long long)eptp);
	finding_note(finding, "then 0x%llx (%s)", (unsigned long long)old->value, before);
	finding_note(finding, "now 0x%llx (%s)", (unsigned long long)value, after);
	finding_note(finding, "no INVEPT of this EPTP, or of all, between %s and %s",
		     rule_position(&old->place), rule_position(&run->place));
	finding_explain(finding,
			"The processor may go on with the old entry for as long as it likes: "
			"L2 keeps access that was taken away, or reaches the old frame.");
	finding_next(finding,
		     "INVEPT type 1 with EPTP 0x%llx after the change, on every processor "
		     "that ran it",
		     (unsigned long long)eptp);
	finding_unknown(finding, "when the entry changed, and whether L2 used it in between");
	finding->confidence = CONFIDENCE_MEDIUM;
}

static void take_entry(const struct rule_run *run, struct cpu *cpu, u64 eptp, unsigned level,
		       u64 gpa, u64 value)
{
	const u64 root = eptp & FRAME;
	const size_t at = hash(root) % ROOTS;
	const u64 runs = cpu->runs[at].root == root ? cpu->runs[at].count : 0;
	struct entry *const entry = &cpu->entries[hash(gpa ^ root) % SLOTS];

	if (model_place_is(&entry->place) && entry->gpa == gpa && entry->root == root &&
	    runs >= entry->runs + 2 && is_weaker(entry->value, value))
		report(run, entry, eptp, level, value);
	*entry = (struct entry){ root, gpa, value, runs, run->place };
}

/* Behind the event: L2 can choose another EPTP by VMFUNC before it exits. */
static bool eptp_of(const struct rule_run *run, u64 *eptp)
{
	const struct model_region *const region = model_current(run->model, run->event->cpu);

	return region && model_control(region, VMX_WORD_SECONDARY, SECONDARY_EPT) == MODEL_YES &&
	       l0_vmcs12_after(run->event, region, VMCS_IX_EPT_POINTER, eptp);
}

/* The items are pairs: where an entry is, what it holds. */
static void on_exit(const struct rule_run *run, struct cpu *cpu)
{
	const struct trace_event *const event = run->event;
	u64 eptp;

	if (likely(((const struct ev_l2_exit *)event->col)->reason != EXIT_EPT_VIOLATION) ||
	    !eptp_of(run, &eptp))
		return;
	for (u32 i = 0; i + 1 < event->item_count; i++) {
		const u32 level = event->items[i].id - ITEM_EPT12_GPA;

		if (level >= 1 && level <= LEVELS && event->items[i + 1].id == ITEM_EPT12 + level)
			take_entry(run, cpu, eptp, level, event->items[i].value,
				   event->items[i + 1].value);
	}
}

static void on_entry(const struct rule_run *run, struct cpu *cpu)
{
	size_t at;
	u64 eptp;

	if (!eptp_of(run, &eptp))
		return;
	at = hash(eptp & FRAME) % ROOTS;
	if (cpu->runs[at].root != (eptp & FRAME)) {
		cpu->runs[at].root = eptp & FRAME;
		cpu->runs[at].count = 0;
	}
	cpu->runs[at].count++;
}

static void on_invept(const struct rule_run *run, struct cpu *cpu)
{
	const struct ev_invept *const invept = (const struct ev_invept *)run->event->col;

	if (invept->outcome != OUTCOME_SUCCEED)
		return;
	for (unsigned i = 0; i < SLOTS; i++)
		if (invept->type != 1 || cpu->entries[i].root == (invept->descriptor_low & FRAME))
			cpu->entries[i].place.kind = 0;
}

static void event(const struct rule_run *run, void *memory)
{
	struct state *const state = memory;

	if (unlikely(run->event->cpu) || unlikely(state->several)) {
		state->several = true;
		return;
	}
	switch (run->event->kind) {
	case EV_L2_EXIT:
		on_exit(run, &state->cpu);
		break;
	case EV_L2_ENTRY:
		on_entry(run, &state->cpu);
		break;
	case EV_INVEPT:
		on_invept(run, &state->cpu);
		break;
	default: /* gap */
		memset(&state->cpu, 0, sizeof(state->cpu));
		break;
	}
}

const struct rule rule_ept = {
	.kinds = RULE_KIND(L2_EXIT) | RULE_KIND(L2_ENTRY) | RULE_KIND(INVEPT) | RULE_KIND(GAP),
	.state_size = sizeof(struct state),
	.event = event,
};
