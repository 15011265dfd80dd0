#include "replay/why.h"

#include <stdlib.h>

#define SEARCH 1000 /* events between an instruction and what it led to */

/* --- the event -------------------------------------------------------------------------------- */

/* The event that event @n is about: itself, or the entry instruction before it. */
static enum status find_insn(struct reader *reader, u64 *n)
{
	const struct trace_event *event;
	const u64 last = *n, first = last > SEARCH ? last - SEARCH : 0;
	bool found = false;
	u16 cpu;
	u64 at;

	if (reader_seek(reader, last) != ST_OK || reader_next(reader, &event) != ST_OK)
		return ST_NOT_FOUND;
	if (trace_event_is_insn(event))
		return ST_OK;
	if (event->kind != EV_L2_ENTRY && event->kind != EV_L2_EXIT)
		return ST_NOT_FOUND;
	cpu = event->cpu;
	if (reader_seek(reader, first) != ST_OK)
		return ST_NOT_FOUND;
	while ((at = reader_tell(reader)) < last && reader_next(reader, &event) == ST_OK)
		if (event->cpu == cpu && situation_is_entry(event->kind)) {
			found = true;
			*n = at;
		}
	return found ? ST_OK : ST_NOT_FOUND;
}

/*
 * An entry is decided by the next event of L2 on its CPU: it runs, or an exit says that it failed.
 */
static void observe_end(struct reader *reader, struct why *why)
{
	const struct trace_event *event;
	u64 n = why->n + 1;

	if (why->insn->outcome != OUTCOME_SUCCEED || reader_seek(reader, n) != ST_OK)
		return;
	for (; n < why->n + SEARCH && reader_next(reader, &event) == ST_OK;
	     n = reader_tell(reader)) {
		if (event->cpu != why->place.cpu)
			continue;
		if (event->kind != EV_L2_ENTRY && event->kind != EV_L2_EXIT)
			return;
		why->has_end = true;
		why->end = model_place_of(event, n);
		for (u32 i = 0; i < event->item_count && why->item_count < WHY_MAX_ITEMS; i++)
			why->items[why->item_count++] = event->items[i];
		situation_observed_end(event, model_region(why->model, why->insn->vmcs),
				       &why->observed);
		return;
	}
}

/* --- the situation ---------------------------------------------------------------------------- */

static void set_situation(struct why *why)
{
	const struct model *const model = why->model;
	const struct model_region *const region = model_region(model, why->insn->vmcs);

	if (region && why->insn->vmcs != MODEL_NO_POINTER) {
		memcpy(why->value, region->value, sizeof(why->value));
		memcpy(why->known, region->known, sizeof(why->known));
	}
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		why->value[i] &= why->known[i];
	situation_make(&why->situation, model, &why->cpu, why->place.cpu, why->kind, why->col);
	situation_consulted(&why->situation, why->items, why->item_count);
	why->situation.entry.value = why->value;
	why->situation.entry.known = why->known;
}

enum status why_find(struct timeline *timeline, u64 n, struct why *why)
{
	struct reader *const reader = timeline_reader(timeline);
	const struct trace_event *event;
	const struct trace_kind_info *kind;
	enum status status;

	*why = (struct why){ 0 };
	status = find_insn(reader, &n);
	if (status == ST_OK)
		status = timeline_glance(timeline, n);
	if (status != ST_OK)
		return status;
	event = timeline_event(timeline);
	if (!event || event->cpu >= MODEL_MAX_CPUS)
		return ST_NOT_FOUND;
	why->n = n;
	why->place = model_place_of(event, n);
	why->model = timeline_model(timeline);
	why->cpu = *timeline_cpu_facts(timeline);
	kind = trace_schema_kind(reader_schema(reader), event->kind);
	memcpy(why->col, event->col,
	       MIN(kind ? kind->column_count : 0u, TRACE_MAX_COLUMNS) * sizeof(u64));
	why->kind = event->kind;
	why->entry = situation_is_entry(event->kind);
	why->insn = (const struct ev_insn *)why->col;
	why->observed = situation_observed(why->insn);
	if (why->entry)
		observe_end(reader, why);
	set_situation(why);
	return ST_OK;
}

/* --- judging ---------------------------------------------------------------------------------- */

void why_judge(const struct why *why, struct legal_set *set)
{
	*set = (struct legal_set){ 0 };
	insn_outcome(&why->situation.insn, set);
}

/* Whether row @id can be the reason for how the entry ended: those about VM exits cannot. */
static bool can_explain(enum check_id id)
{
	return check_stage(id) < CHECK_STAGE_MSR_STORE;
}

unsigned why_check(const struct why *why, u8 verdicts[CHECK_COUNT])
{
	unsigned fails = 0;

	check_run_all(&why->situation.entry, verdicts);
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (!can_explain((enum check_id)id))
			verdicts[id] = CHECK_NOT_APPLICABLE;
		fails += verdicts[id] == CHECK_FAIL;
	}
	return fails;
}

void why_edit(struct why *why, int index, u64 mask, u64 value)
{
	mask &= vmcs_width_mask(vmcs_fields[index].width);
	why->value[index] = (why->value[index] & ~mask) | (value & mask);
	why->known[index] |= mask;
}

/* --- the remedy ------------------------------------------------------------------------------- */

#define MAX_ROUNDS 16

struct attempt {
	struct why *why;
	u64 value[VMCS_FIELD_COUNT], known[VMCS_FIELD_COUNT];
	struct why_change *changes;
	unsigned count;
};

static void restore(struct attempt *attempt)
{
	memcpy(attempt->why->value, attempt->value, sizeof(attempt->value));
	memcpy(attempt->why->known, attempt->known, sizeof(attempt->known));
}

/* False when there is no room. */
static bool note_change(struct attempt *attempt, int index, u64 mask)
{
	for (unsigned i = 0; i < attempt->count; i++)
		if (attempt->changes[i].index == index) {
			attempt->changes[i].mask |= mask;
			return true;
		}
	if (attempt->count == WHY_MAX_CHANGES)
		return false;
	attempt->changes[attempt->count++] = (struct why_change){ .index = index, .mask = mask };
	return true;
}

/* Does what the failing row asks for; false when no field can. */
static bool satisfy(struct attempt *attempt, enum check_id id)
{
	struct check_result result;
	bool done = false;

	check_run(&attempt->why->situation.entry, id, &result);
	for (unsigned i = 0; i < result.count; i++) {
		const struct check_item *const item = &result.item[i];

		if (item->role != CHECK_BAD || item->what >= VMCS_FIELD_COUNT)
			continue;
		if (!note_change(attempt, item->what, item->mask))
			return false;
		why_edit(attempt->why, item->what, item->mask, item->want);
		done = true;
	}
	return done;
}

/* Whether no check fails any more after some rounds. */
static bool satisfy_all(struct attempt *attempt)
{
	u8 verdicts[CHECK_COUNT];

	for (unsigned round = 0; round < MAX_ROUNDS; round++) {
		bool done = false;

		if (!why_check(attempt->why, verdicts))
			return true;
		for (unsigned id = 0; id < CHECK_COUNT; id++)
			if (verdicts[id] == CHECK_FAIL)
				done |= satisfy(attempt, (enum check_id)id);
		if (!done)
			return false;
	}
	return false;
}

/* Judges with all changes but number @left_out. */
static bool passes_without(struct attempt *attempt, unsigned left_out)
{
	u8 verdicts[CHECK_COUNT];

	restore(attempt);
	for (unsigned i = 0; i < attempt->count; i++)
		if (i != left_out)
			why_edit(attempt->why, attempt->changes[i].index, attempt->changes[i].mask,
				 attempt->changes[i].value);
	return !why_check(attempt->why, verdicts);
}

unsigned why_remedy(struct why *why, struct why_change changes[WHY_MAX_CHANGES])
{
	struct attempt *const attempt = calloc(1, sizeof(*attempt));
	unsigned count = 0;

	if (!attempt)
		return 0;
	attempt->why = why;
	attempt->changes = changes;
	memcpy(attempt->value, why->value, sizeof(attempt->value));
	memcpy(attempt->known, why->known, sizeof(attempt->known));
	if (satisfy_all(attempt)) {
		for (unsigned i = 0; i < attempt->count; i++)
			changes[i].value = why->value[changes[i].index];
		for (unsigned i = 0; i < attempt->count;) {
			if (!passes_without(attempt, i)) {
				i++;
				continue;
			}
			memmove(&changes[i], &changes[i + 1],
				(attempt->count - i - 1) * sizeof(*changes));
			attempt->count--;
		}
		/* Nothing left out now: this is what is handed out. */
		count = passes_without(attempt, ~0u) ? attempt->count : 0;
	}
	restore(attempt);
	free(attempt);
	return count;
}
