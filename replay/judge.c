#include "replay/judge.h"

#include <stdlib.h>

#include "replay/check_memo.h"
#include "replay/entry_outcome.h"
#include "replay/exit_memo.h"
#include "vmx/vmcs12.h"

#define RFLAGS_FIXED  BIT(1) /* 1 in every RFLAGS: 0 tells that a tape has none */

#define ENTRY_COLUMNS (sizeof(struct ev_vmlaunch) / sizeof(u64))

/*
 * Which fields VMREAD and VMWRITE may succeed on, as it was judged before: it rests on the mode and
 * the capabilities, as long as there is a current VMCS.
 */
struct field_memo {
	u64 mode;
	u64 shown_changes;
	struct vmcs_set good[2]; /* VMREAD, VMWRITE */
};

struct judge_cpu {
	struct cpu_facts facts;
	struct field_memo fields;
	bool waits; /* for the end of an entry */
	struct model_place insn;
	u64 col[ENTRY_COLUMNS];
	/* The verdicts so far, and what they are about. */
	u64 shown_changes; /* of the model */
	u64 vmcs;
	struct vmcs_set changed; /* fields, since the entries' memo was updated */
	struct check_memo entries;
	struct exit_memo exits;
};

struct judge {
	struct check_plan plan;
	struct exit_plan exit_plan;
	struct judge_cpu *cpus[MODEL_MAX_CPUS]; /* NULL: not met */
	struct judge_counts counts;
	struct judgement now;
};

struct judge *judge_new(void)
{
	struct judge *const judge = calloc(1, sizeof(*judge));

	if (judge) {
		check_plan_init(&judge->plan);
		exit_plan_init(&judge->exit_plan);
	}
	return judge;
}

void judge_free(struct judge *judge)
{
	if (!judge)
		return;
	for (unsigned i = 0; i < MODEL_MAX_CPUS; i++)
		free(judge->cpus[i]);
	free(judge);
}

static struct judge_cpu *cpu_of(struct judge *judge, u16 number)
{
	if (!judge->cpus[number])
		judge->cpus[number] = calloc(1, sizeof(struct judge_cpu));
	return judge->cpus[number];
}

static void count(struct judge *judge, enum verdict verdict)
{
	if (likely(verdict == VERDICT_AGREE)) {
		judge->counts.agree++;
		return;
	}
	judge->counts.diverge += verdict == VERDICT_DIVERGE;
	judge->counts.unknown += verdict == VERDICT_UNKNOWN;
	judge->counts.explained += verdict == VERDICT_EXPLAINED;
}

static void give(struct judge *judge, enum verdict verdict)
{
	judge->now.verdict = (u8)verdict;
	count(judge, verdict);
}

static enum verdict verdict_of(enum legal_verdict verdict)
{
	switch (verdict) {
	case LEGAL_AGREE:
		return VERDICT_AGREE;
	case LEGAL_DIVERGE:
		return VERDICT_DIVERGE;
	default:
		return VERDICT_UNKNOWN;
	}
}

/* Tells the memos what changed of @region, the VMCS that is judged next, or NULL. */
static void follow_changes(struct judge_cpu *cpu, const struct model *model,
			   struct model_region *region, u16 number)
{
	const u64 vmcs = region ? region->pointer : MODEL_NO_POINTER;
	struct vmcs_set changed = vmcs_set_all();

	if (region && cpu->vmcs == vmcs)
		changed = model_take_changes(region, number);
	cpu->vmcs = vmcs;
	vmcs_set_unite(&cpu->changed, &changed);
	exit_memo_changed(&cpu->exits, &changed);
	if (cpu->shown_changes != model->shown_changes)
		cpu->entries.valid = cpu->exits.valid = false;
	cpu->shown_changes = model->shown_changes;
}

/* --- Entries ---------------------------------------------------------------------------------- */

/* The entry that @cpu waits for, or that just failed, by what is known before @event. */
static void judge_entry(struct judge *judge, struct judge_cpu *cpu, const struct model *model,
			const struct trace_event *event)
{
	const struct model_cpu *const state = &model->cpus[event->cpu];
	struct judgement *const now = &judge->now;
	enum verdict verdict;

	now->insn = cpu->insn;
	situation_make(&now->situation, model, &cpu->facts, event->cpu, now->insn.kind, cpu->col);
	situation_consulted(&now->situation, event->items, event->item_count);
	follow_changes(cpu, model, state->current_known ? state->region : NULL, event->cpu);
	check_memo_update(&judge->plan, &cpu->entries, &now->situation.entry, &cpu->changed);
	cpu->changed = (struct vmcs_set){ { 0 } };
	entry_outcome_open(&now->situation.entry, cpu->entries.verdict, &cpu->entries.open,
			   &now->expected);
	now->checks = cpu->entries.verdict;
	verdict = verdict_of(legal_judge(&now->expected, &now->observed, NULL));
	if (verdict == VERDICT_DIVERGE)
		now->erratum = errata_explain_entry(
			errata_platforms_of(&model->real, &model->shown), &now->situation.entry,
			cpu->entries.verdict, &now->observed);
	give(judge, now->erratum ? VERDICT_EXPLAINED : verdict);
}

/* VMLAUNCH or VMRESUME. True when an event to come tells how it ended. */
static bool take_entry(struct judge_cpu *cpu, const struct trace_event *event)
{
	memcpy(cpu->col, event->col, sizeof(cpu->col));
	cpu->waits = ((const struct ev_insn *)event->col)->outcome == OUTCOME_SUCCEED;
	return cpu->waits;
}

static void give_up(struct judge *judge, struct judge_cpu *cpu)
{
	if (cpu->waits)
		judge->counts.unknown++;
	cpu->waits = false;
}

/* An event of L2: the end of the entry before it. */
static void end_entry(struct judge *judge, struct judge_cpu *cpu, const struct model *model,
		      const struct trace_event *event, u64 vmcs)
{
	if (!cpu->waits)
		return;
	if (!situation_observed_end(event, model_region(model, vmcs), &judge->now.observed)) {
		give_up(judge, cpu);
		return;
	}
	cpu->waits = false;
	judge_entry(judge, cpu, model, event);
}

/* What an entry or exit of L2 does to the VMCS. */
static enum check_verdict judge_changes(struct judge *judge, struct judge_cpu *cpu,
					const struct model *model, const struct trace_event *event,
					u64 vmcs, enum exit_check_id *failed)
{
	struct exit_situation *const exit = &judge->now.exit;
	struct model_region *const region = model_region(model, vmcs);

	exit_situation_make(exit, event, &model->shown, region);
	if (exit->when == EXIT_CHECK_AT_EXIT)
		follow_changes(cpu, model, region, event->cpu);
	return exit_memo_judge(&judge->exit_plan, &cpu->exits, exit, failed);
}

static void judge_l2(struct judge *judge, struct judge_cpu *cpu, const struct model *model,
		     const struct trace_event *event, u64 vmcs)
{
	struct judgement *const now = &judge->now;
	enum exit_check_id failed = EXIT_CHECK_COUNT;

	switch (judge_changes(judge, cpu, model, event, vmcs, &failed)) {
	case CHECK_FAIL:
		now->exit_erratum = errata_explain_exit(
			errata_platforms_of(&model->real, &model->shown), failed);
		now->exit_verdict = now->exit_erratum ? VERDICT_EXPLAINED : VERDICT_DIVERGE;
		break;
	case CHECK_UNKNOWN:
		now->exit_verdict = VERDICT_UNKNOWN;
		break;
	default:
		now->exit_verdict = VERDICT_AGREE;
		break;
	}
	now->exit_check = (u16)failed;
	count(judge, (enum verdict)now->exit_verdict);
}

/* --- VMREAD and VMWRITE, most of all events --------------------------------------------------- */

/* The field that VMREAD or VMWRITE names; -1: none, or another instruction. */
static int field_of(const struct trace_event *event)
{
	if (event->kind != EV_VMREAD && event->kind != EV_VMWRITE)
		return -1;
	return vmcs_access_index(((const struct ev_vmread *)event->col)->field);
}

/* The set that tells of this access to field @index; NULL when it must be judged itself. */
static struct vmcs_set *memo_of(struct judge_cpu *cpu, const struct model *model,
				const struct trace_event *event, int index)
{
	const struct ev_vmread *const insn = (const struct ev_vmread *)event->col;
	const struct model_cpu *const state = &model->cpus[event->cpu];
	struct field_memo *const memo = &cpu->fields;

	if (index < 0 || insn->outcome != OUTCOME_SUCCEED || state->in_vmx != MODEL_YES ||
	    !state->current_known || !state->region || vmcs_encoding_is_high(insn->field))
		return NULL;
	if (memo->mode != insn->mode || memo->shown_changes != model->shown_changes)
		*memo = (struct field_memo){ insn->mode, model->shown_changes, { { { 0 } } } };
	return &memo->good[event->kind == EV_VMWRITE];
}

/* --- Instructions ----------------------------------------------------------------------------- */

/* SDM: "Conventions" of the VMX instruction reference. */
static bool flags_agree(struct judgement *now, const struct ev_insn *insn, enum legal_kind kind)
{
	now->aspect = JUDGED_FLAGS;
	now->wanted = legal_rflags(kind, insn->rflags);
	return !(insn->rflags & RFLAGS_FIXED) || insn->rflags_after == now->wanted;
}

/* VMREAD returns what field @index holds, where that is known. */
static bool value_agrees(struct judgement *now, const struct model *model,
			 const struct trace_event *event, int index)
{
	const struct ev_vmread *const read = (const struct ev_vmread *)event->col;
	const struct model_region *const region = model_current(model, event->cpu);
	const bool wide = (read->mode >> MODE_LMA & 1) && (read->mode >> MODE_CS_L & 1);
	u64 value, known;

	if (!region || index < 0)
		return true;
	value = region->value[index];
	known = region->known[index];
	if (vmcs_encoding_is_high(read->field)) {
		value >>= 32;
		known >>= 32;
	}
	if (!wide)
		known &= MASK(31, 0);
	now->aspect = JUDGED_VALUE;
	now->wanted = value;
	return !((value ^ read->value) & known);
}

/* A newer processor may have fields that vmx/fields.def does not know. */
static bool may_be_newer(const struct trace_event *event, int index)
{
	return (event->kind == EV_VMREAD || event->kind == EV_VMWRITE) && index < 0 &&
	       ((const struct ev_insn *)event->col)->outcome == OUTCOME_SUCCEED;
}

/* VMREAD or VMWRITE as nearly all are: it succeeds where it may, with flags and value as due. */
static bool is_plain(struct judgement *now, const struct model *model,
		     const struct trace_event *event, const struct vmcs_set *good, int index)
{
	const struct ev_insn *const insn = (const struct ev_insn *)event->col;

	return good && vmcs_set_has(good, index) && flags_agree(now, insn, LEGAL_SUCCEED) &&
	       (event->kind != EV_VMREAD || value_agrees(now, model, event, index));
}

static void judge_insn(struct judge *judge, struct judge_cpu *cpu, const struct model *model,
		       const struct trace_event *event, const struct model_place *place)
{
	const struct ev_insn *const insn = (const struct ev_insn *)event->col;
	struct judgement *const now = &judge->now;
	const int index = field_of(event);
	struct vmcs_set *const good = memo_of(cpu, model, event, index);
	enum verdict verdict;

	if (likely(is_plain(now, model, event, good, index))) {
		give(judge, VERDICT_AGREE);
		return;
	}
	now->aspect = JUDGED_OUTCOME;
	now->observed = situation_observed(insn);
	if (situation_is_entry(event->kind)) {
		cpu->insn = *place;
		if (!take_entry(cpu, event))
			judge_entry(judge, cpu, model, event);
		return;
	}
	now->insn = *place;
	if (good && vmcs_set_has(good, index)) {
		verdict = VERDICT_AGREE;
	} else {
		situation_make(&now->situation, model, &cpu->facts, event->cpu, event->kind,
			       event->col);
		insn_outcome(&now->situation.insn, &now->expected);
		verdict = verdict_of(legal_judge(&now->expected, &now->observed, NULL));
		if (good && verdict == VERDICT_AGREE)
			vmcs_set_add(good, index);
	}
	if (verdict == VERDICT_DIVERGE && may_be_newer(event, index))
		verdict = VERDICT_UNKNOWN;
	if (verdict == VERDICT_AGREE &&
	    !flags_agree(now, insn, (enum legal_kind)now->observed.kind))
		verdict = VERDICT_DIVERGE;
	if (verdict == VERDICT_AGREE && event->kind == EV_VMREAD &&
	    insn->outcome == OUTCOME_SUCCEED && !value_agrees(now, model, event, index))
		verdict = VERDICT_DIVERGE;
	if (verdict == VERDICT_DIVERGE && now->aspect == JUDGED_OUTCOME)
		now->erratum = errata_explain_insn(errata_platforms_of(&model->real, &model->shown),
						   event->kind, &now->expected);
	give(judge, now->erratum ? VERDICT_EXPLAINED : verdict);
}

/* --- Events ----------------------------------------------------------------------------------- */

static u64 vmcs_of(const struct trace_event *event)
{
	return event->kind == EV_L2_EXIT ? ((const struct ev_l2_exit *)event->col)->vmcs
					 : ((const struct ev_l2_entry *)event->col)->vmcs;
}

static void note_cpuid(struct judge_cpu *cpu, const struct trace_event *event)
{
	const struct ev_cpuid *const cpuid = (const struct ev_cpuid *)event->col;

	cpu_facts_add(&cpu->facts, (u32)cpuid->leaf, (u32)cpuid->subleaf, cpuid->shown_ab,
		      cpuid->shown_cd);
	cpu->entries.valid = false;
}

bool judge_follow(struct judge *judge, const struct trace_event *event, u64 n)
{
	struct judge_cpu *cpu;

	if (event->cpu >= MODEL_MAX_CPUS)
		return true;
	cpu = cpu_of(judge, event->cpu);
	if (!cpu)
		return false;
	if (event->kind == EV_CPUID)
		note_cpuid(cpu, event);
	if (trace_event_is_insn(event) || event->kind == EV_L2_ENTRY || event->kind == EV_L2_EXIT ||
	    event->kind == EV_GAP)
		cpu->waits = false;
	if (situation_is_entry(event->kind)) {
		cpu->insn = model_place_of(event, n);
		take_entry(cpu, event);
	}
	return true;
}

const struct judgement *judge_event(struct judge *judge, struct model *model,
				    const struct trace_event *event,
				    const struct model_place *place)
{
	struct judge_cpu *cpu;

	judge->now.verdict = VERDICT_NONE;
	judge->now.insn.kind = 0;
	judge->now.aspect = JUDGED_OUTCOME;
	judge->now.of_l2 = false;
	judge->now.checks = NULL;
	judge->now.exit_verdict = VERDICT_NONE;
	judge->now.erratum = judge->now.exit_erratum = NULL;
	if (event->cpu >= MODEL_MAX_CPUS)
		return &judge->now;
	cpu = cpu_of(judge, event->cpu);
	if (!cpu)
		return NULL;
	if (trace_event_is_insn(event)) {
		model_meet_cpu(model, event->cpu);
		give_up(judge, cpu);
		judge->now.of_l2 = model->cpus[event->cpu].level == 2;
		judge_insn(judge, cpu, model, event, place);
	} else if (event->kind == EV_L2_ENTRY || event->kind == EV_L2_EXIT) {
		const u64 vmcs = vmcs_of(event);

		end_entry(judge, cpu, model, event, vmcs);
		judge_l2(judge, cpu, model, event, vmcs);
	} else if (event->kind == EV_CPUID) {
		note_cpuid(cpu, event);
	} else if (event->kind == EV_GAP) {
		give_up(judge, cpu);
	}
	return &judge->now;
}

void judge_end(struct judge *judge)
{
	for (unsigned i = 0; i < MODEL_MAX_CPUS; i++)
		if (judge->cpus[i])
			give_up(judge, judge->cpus[i]);
}

const struct judge_counts *judge_counts(const struct judge *judge)
{
	return &judge->counts;
}
