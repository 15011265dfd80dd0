#include "replay/why.h"

#include <stdlib.h>

#define SEARCH	   1000 /* events between an instruction and what it led to */
#define CR4_PAE	   BIT(5)
#define CR4_VMXE   BIT(13)
#define VTPR_PLACE 0x80 /* on the virtual-APIC page */

/* --- the event -------------------------------------------------------------------------------- */

static bool is_insn(u8 kind)
{
	return kind >= EV_VMXON && kind <= EV_VMFUNC;
}

static bool is_entry(u8 kind)
{
	return kind == EV_VMLAUNCH || kind == EV_VMRESUME;
}

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
	if (is_insn(event->kind))
		return ST_OK;
	if (event->kind != EV_L2_ENTRY && event->kind != EV_L2_EXIT)
		return ST_NOT_FOUND;
	cpu = event->cpu;
	if (reader_seek(reader, first) != ST_OK)
		return ST_NOT_FOUND;
	while ((at = reader_tell(reader)) < last && reader_next(reader, &event) == ST_OK)
		if (event->cpu == cpu && is_entry(event->kind)) {
			found = true;
			*n = at;
		}
	return found ? ST_OK : ST_NOT_FOUND;
}

static void observe_insn(struct why *why)
{
	static const u8 kinds[] = {
		[OUTCOME_SUCCEED] = LEGAL_SUCCEED,
		[OUTCOME_FAIL_INVALID] = LEGAL_FAIL_INVALID,
		[OUTCOME_FAIL_VALID] = LEGAL_FAIL_VALID,
		[OUTCOME_FAULT] = LEGAL_FAULT,
	};

	why->observed.check = LEGAL_NO_CHECK;
	why->observed.kind = kinds[why->insn->outcome & 3];
	if (why->insn->outcome >= OUTCOME_FAIL_VALID)
		why->observed.number = (u16)why->insn->error;
}

/* An entry is decided by the next event of L2 on its CPU: it runs, or an exit says that it failed.
 */
static void observe_end(struct reader *reader, struct why *why)
{
	const struct trace_event *event;
	u64 n = why->moment.n + 1;
	u64 reason;

	if (why->insn->outcome != OUTCOME_SUCCEED || reader_seek(reader, n) != ST_OK)
		return;
	for (; n < why->moment.n + SEARCH && reader_next(reader, &event) == ST_OK;
	     n = reader_tell(reader)) {
		if (event->cpu != why->moment.place.cpu)
			continue;
		if (event->kind != EV_L2_ENTRY && event->kind != EV_L2_EXIT)
			return;
		why->has_end = true;
		why->end = model_place_of(event, n);
		for (u32 i = 0; i < event->item_count && why->item_count < WHY_MAX_ITEMS; i++)
			why->items[why->item_count++] = event->items[i];
		reason = ((const struct ev_l2_exit *)event->col)->reason;
		if (event->kind == EV_L2_ENTRY || !(reason & EXIT_REASON_ENTRY_FAILURE))
			return;
		why->observed.kind = LEGAL_ENTRY_FAILURE;
		why->observed.number = (u16)(reason & EXIT_REASON_BASIC);
		for (u32 i = 0; i < event->item_count; i++)
			if (event->items[i].id == VMCS_EXIT_QUALIFICATION)
				why->observed.low = event->items[i].value;
		why->observed.high = why->observed.low;
		return;
	}
}

/* --- the situation ---------------------------------------------------------------------------- */

/* Memory is known as far as the entry consulted it. */
static struct word memory(void *context, u64 gpa, unsigned int size)
{
	const struct why *const why = context;
	const u64 list = why->value[VMCS_IX_VM_ENTRY_MSR_LOAD_ADDRESS];

	for (unsigned i = 0; i < why->item_count; i++) {
		const struct trace_item *const item = &why->items[i];
		const u32 load = item->id - ITEM_MSR_LOAD;

		if (item->id == ITEM_VTPR && size == 1 &&
		    gpa == why->value[VMCS_IX_VIRTUAL_APIC_ADDRESS] + VTPR_PLACE)
			return word_of(item->value);
		if (item->id >= ITEM_MSR_LOAD && item->id < ITEM_MSR_STORE && size == 8 &&
		    gpa == list + 8ull * load)
			return word_of(item->value);
	}
	return (struct word){ 0 };
}

static void set_state(struct why *why)
{
	const struct model *const model = why->moment.model;
	const struct model_cpu *const cpu = &model->cpus[why->moment.place.cpu];
	const u64 mode = why->insn->mode;
	struct word *const state = why->input.state;

	state[CHECK_STATE_MODE] = word_of(mode);
	state[CHECK_STATE_CURRENT] = word_of(why->insn->vmcs);
	state[CHECK_STATE_CR3] = word_of(why->insn->cr3);
	state[CHECK_STATE_CR4] = word_partly(mode >> MODE_VMXE & 1 ? CR4_VMXE : 0, CR4_VMXE);
	/* IA-32e mode has PAE paging structures, always. */
	if (mode >> MODE_LMA & 1)
		state[CHECK_STATE_CR4] = word_or(state[CHECK_STATE_CR4], CR4_PAE);
	/* A shadow VMCS becomes current only where VMCS shadowing exists. */
	if (model->shown.known & BIT(VMX_CAP_PROCBASED_CTLS2) &&
	    !(vmx_caps_may_be_1(&model->shown, VMX_WORD_SECONDARY) & SECONDARY_VMCS_SHADOWING))
		state[CHECK_STATE_REVISION] = word_partly(0, BIT(31));
	if (why->entry) {
		const bool launched = ((const struct ev_vmlaunch *)why->col)->launched;

		state[CHECK_STATE_LAUNCH] = word_of((launched ? CHECK_LAUNCHED : 0) |
						    (why->kind == EV_VMRESUME ? CHECK_RESUME : 0));
	}
	why->situation.vmxon = cpu->vmxon_known ? word_of(cpu->vmxon_pointer) : (struct word){ 0 };
}

static void set_operand(struct why *why)
{
	struct insn_situation *const at = &why->situation;
	const bool wide = (why->insn->mode >> MODE_LMA & 1) && (why->insn->mode >> MODE_CS_L & 1);
	const struct ev_vmxon *const region = (const struct ev_vmxon *)why->col;
	const struct ev_invept *const inv = (const struct ev_invept *)why->col;

	at->register_operand = TRI_NO;
	at->operand_faults = why->insn->outcome == OUTCOME_FAULT ? TRI_MAYBE : TRI_NO;
	switch (why->kind) {
	case EV_VMXON:
		at->cr0 = word_of(region->cr0);
		at->cr4 = word_of(region->cr4);
		at->feature_control = word_of(region->feature_control);
		/* fall through */
	case EV_VMCLEAR:
	case EV_VMPTRLD:
		at->operand = word_of(region->pointer);
		/* 0 is also what stands there when it was not read. */
		if (region->dword0)
			at->revision = word_of(region->dword0);
		break;
	case EV_VMREAD:
	case EV_VMWRITE:
		at->operand = word_of(((const struct ev_vmread *)why->col)->field &
				      (wide ? ~0ull : MASK(31, 0)));
		break;
	case EV_INVEPT:
	case EV_INVVPID:
		at->operand = word_of(inv->type);
		at->descriptor[0] = word_of(inv->descriptor_low);
		at->descriptor[1] = word_of(inv->descriptor_high);
		break;
	default:
		break;
	}
}

static void set_situation(struct why *why)
{
	const struct model *const model = why->moment.model;
	const struct model_region *const region = model_region(model, why->insn->vmcs);

	if (region && why->insn->vmcs != MODEL_NO_POINTER) {
		memcpy(why->value, region->value, sizeof(why->value));
		memcpy(why->known, region->known, sizeof(why->known));
	}
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		why->value[i] &= why->known[i];
	why->input.caps = &model->shown;
	why->input.cpu = &why->moment.cpu;
	why->input.value = why->value;
	why->input.known = why->known;
	why->input.memory = memory;
	why->input.context = why;
	set_state(why);
	why->situation.kind = why->kind;
	why->situation.caps = &model->shown;
	why->situation.cpu = &why->moment.cpu;
	why->situation.mode = why->input.state[CHECK_STATE_MODE];
	why->situation.current = why->input.state[CHECK_STATE_CURRENT];
	why->situation.entry = why->entry ? &why->input : NULL;
	set_operand(why);
}

enum status why_open(struct reader *reader, u64 n, struct why *why)
{
	const struct trace_event *event;
	const struct trace_kind_info *kind;
	enum status status;

	*why = (struct why){ 0 };
	status = find_insn(reader, &n);
	if (status == ST_OK)
		status = moment_open(reader, n, false, &why->moment);
	if (status != ST_OK)
		return status;
	if (reader_seek(reader, n) != ST_OK || reader_next(reader, &event) != ST_OK) {
		why_close(why);
		return ST_NOT_FOUND;
	}
	kind = trace_schema_kind(reader_schema(reader), event->kind);
	memcpy(why->col, event->col,
	       MIN(kind ? kind->column_count : 0u, TRACE_MAX_COLUMNS) * sizeof(u64));
	why->kind = event->kind;
	why->entry = is_entry(event->kind);
	why->insn = (const struct ev_insn *)why->col;
	observe_insn(why);
	if (why->entry)
		observe_end(reader, why);
	set_situation(why);
	return ST_OK;
}

void why_close(struct why *why)
{
	moment_close(&why->moment);
}

/* --- judging ---------------------------------------------------------------------------------- */

void why_judge(const struct why *why, struct legal_set *set)
{
	*set = (struct legal_set){ 0 };
	insn_outcome(&why->situation, set);
}

bool why_counts(enum check_id id)
{
	return check_stage(id) < CHECK_STAGE_MSR_STORE;
}

unsigned why_check(const struct why *why, u8 verdicts[CHECK_COUNT])
{
	unsigned fails = 0;

	check_run_all(&why->input, verdicts);
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (!why_counts((enum check_id)id))
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

	check_run(&attempt->why->input, id, &result);
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
