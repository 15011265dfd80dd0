#include "replay/model_digest.h"

#include "replay/model_parts.h"

#define COLUMN(kind, name) (1u << EV_COLUMN(kind, name))

_Static_assert(EV_COLUMN(vmread, field) == EV_COLUMN(vmwrite, field) &&
		       EV_COLUMN(vmlaunch, launched) == EV_COLUMN(vmresume, launched),
	       "alike");

static enum trace_effect access_effect(const struct ev_vmread *insn, u32 *fixed)
{
	const bool wide = (insn->mode >> MODE_LMA & 1) && (insn->mode >> MODE_CS_L & 1);

	*fixed = COLUMN(vmread, mode) | COLUMN(vmread, outcome);
	if (insn->outcome != OUTCOME_SUCCEED || !wide || vmcs_field_index(insn->field) < 0)
		return EFFECT_OTHER;
	return EFFECT_READ;
}

enum trace_effect model_effect(const struct trace_event *event, u32 *fixed)
{
	switch (event->kind) {
	case EV_VMREAD:
		return access_effect((const struct ev_vmread *)event->col, fixed);
	case EV_VMWRITE:
		return access_effect((const struct ev_vmread *)event->col, fixed) == EFFECT_READ
			       ? EFFECT_WRITE
			       : EFFECT_OTHER;
	case EV_VMLAUNCH:
	case EV_VMRESUME:
		*fixed = COLUMN(vmlaunch, outcome) | COLUMN(vmlaunch, launched);
		return model_insn(event)->outcome == OUTCOME_SUCCEED ? EFFECT_NOTED : EFFECT_OTHER;
	case EV_L2_ENTRY:
	case EV_L2_EXIT:
		return EFFECT_ITEMS;
	default:
		return EFFECT_OTHER;
	}
}

/* --- making ----------------------------------------------------------------------------------- */

static struct model_place place_of(const struct trace_digest_writer *writer, u64 n)
{
	return (struct model_place){
		.n = n + writer->at,
		.seq = writer->seq,
		.rip = writer->rip,
		.cpu = writer->event->cpu,
		.kind = writer->event->kind,
	};
}

/* What L2 entries and exits do, and the last exit. */
static const struct trace_digest_writer *take_writers(struct model_digest *digest,
						      const struct trace_digest *from, u64 n)
{
	const struct trace_digest_writer *exit = NULL;

	for (u32 i = 0; i < from->writer_count; i++) {
		const struct trace_digest_writer *const writer = &from->writers[i];
		const u8 kind = writer->event->kind;

		if (kind == EV_L2_EXIT) {
			exit = writer;
			digest->level = 1;
		} else if (kind == EV_L2_ENTRY) {
			digest->level = 2;
			if (!digest->l2_entries++)
				digest->entry = place_of(writer, n);
		} else if (kind != EV_VMWRITE && !model_place_is(&digest->insn)) {
			digest->insn = place_of(writer, n);
			digest->launched =
				((const struct ev_vmlaunch *)writer->event->col)->launched;
		}
	}
	return exit;
}

/* An exit writes its reason behind its items. */
static void take_reason(struct model_digest_field *field, const struct trace_digest_field *from,
			const struct trace_digest *digest, const struct trace_digest_writer *exit,
			u64 n)
{
	const u64 mask = vmcs_width_mask(vmcs_fields[VMCS_IX_EXIT_REASON].width);
	const u64 reason = ((const struct ev_l2_exit *)exit->event->col)->reason & mask;

	field->index = VMCS_IX_EXIT_REASON;
	if (!from || from->last <= exit->at)
		field->value = reason;
	if (!from || !from->writer || digest->writers[from->writer - 1].at <= exit->at) {
		field->writer = place_of(exit, n);
		field->written = reason;
	}
}

bool model_digest_make(struct model_digest *digest, struct model_digest_field *fields, u16 cpu,
		       const struct trace_digest *from, u64 n)
{
	const struct trace_digest_writer *exit;
	bool reason_taken = false;

	if (from->is_odd)
		return false;
	*digest = (struct model_digest){ .cpu = cpu, .vmcs = from->vmcs, .n = n + from->count - 1 };
	exit = take_writers(digest, from, n);
	for (u32 i = 0; i < from->field_count; i++) {
		const struct trace_digest_field *const named = &from->fields[i];
		const int index = named->id < ITEM_REG ? vmcs_field_index(named->id) : -1;
		struct model_digest_field *const field = &fields[digest->field_count];
		u64 mask;

		/* Half a field, or no field at all, is for model_step(). */
		if (named->id == ITEM_LAUNCHED || (index < 0 && named->id < ITEM_REG))
			return false;
		if (index < 0)
			continue;
		mask = vmcs_width_mask(vmcs_fields[index].width);
		*field = (struct model_digest_field){
			.index = index,
			.value = named->value & mask,
			.written = named->written & mask,
		};
		if (named->writer)
			field->writer = place_of(&from->writers[named->writer - 1], n);
		if (index == VMCS_IX_EXIT_REASON && exit) {
			take_reason(field, named, from, exit, n);
			reason_taken = true;
		}
		digest->field_count++;
	}
	if (exit && !reason_taken) {
		fields[digest->field_count] = (struct model_digest_field){ 0 };
		take_reason(&fields[digest->field_count++], NULL, from, exit, n);
	}
	return true;
}

/* --- stepping --------------------------------------------------------------------------------- */

static void take_launch(struct model_region *region, const struct model_digest *digest)
{
	const bool entered = digest->l2_entries;

	if (region->launch == LAUNCH_UNKNOWN && model_place_is(&digest->insn) &&
	    (!entered || digest->insn.n < digest->entry.n)) {
		region->launch = digest->launched ? LAUNCH_LAUNCHED : LAUNCH_CLEAR;
		region->launch_place = digest->insn;
	}
	if (entered && region->launch != LAUNCH_LAUNCHED) {
		region->launch = LAUNCH_LAUNCHED;
		region->launch_place = digest->entry;
	}
}

enum status model_step_digest(struct model *model, const struct model_digest *digest,
			      const struct model_digest_field *fields)
{
	struct model_cpu *cpu;

	if (digest->cpu >= MODEL_MAX_CPUS)
		return ST_OK;
	cpu = model_meet_cpu(model, digest->cpu);
	if (!cpu->current_known || cpu->current != digest->vmcs) {
		if (model_set_current(model, cpu, digest->vmcs, digest->n) != ST_OK)
			return ST_NO_MEMORY;
	}
	if (digest->level) {
		cpu->in_vmx = MODEL_YES;
		cpu->level = digest->level;
	}
	if (!cpu->region)
		return ST_OK;
	take_launch(cpu->region, digest);
	for (u32 i = 0; i < digest->field_count; i++) {
		const int index = fields[i].index;

		model_put_field(cpu->region, index, fields[i].value,
				vmcs_width_mask(vmcs_fields[index].width));
		if (model_place_is(&fields[i].writer))
			cpu->region->writer[index] = fields[i].writer;
	}
	cpu->region->used = digest->n;
	return ST_OK;
}
