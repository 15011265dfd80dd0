#include "replay/model.h"

#include <stdlib.h>

#include "replay/model_step.h"

struct model *model_new(void)
{
	return calloc(1, sizeof(struct model));
}

void model_free(struct model *model)
{
	if (!model)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(model->regions); i++)
		free(model->regions[i]);
	free(model);
}

enum status model_set_current(struct model *model, struct model_cpu *cpu, u64 pointer, u64 n)
{
	cpu->current = pointer;
	cpu->current_known = true;
	cpu->region = pointer == MODEL_NO_POINTER ? NULL : model_take_region(model, pointer, n);
	return cpu->region || pointer == MODEL_NO_POINTER ? ST_OK : ST_NO_MEMORY;
}

/*
 * Instructions record the current-VMCS pointer: it is known again behind any of them. VMfailValid
 * writes the error there.
 */
static void learn_current(struct model_step *step)
{
	if (!step->cpu->current_known || step->cpu->current != step->insn->vmcs)
		model_step_set_current(step, step->insn->vmcs);
	if (step->insn->outcome == OUTCOME_FAIL_VALID && step->cpu->region)
		model_write_field(step->cpu->region, VMCS_IX_VM_INSTRUCTION_ERROR,
				  step->insn->error, &step->place);
}

/* --- effects of instructions, as far as the processor let them have any ----------------------- */

static void enter_vmx(struct model_step *step, u64 pointer)
{
	step->cpu->in_vmx = MODEL_YES;
	step->cpu->vmxon_known = true;
	step->cpu->vmxon_pointer = pointer;
	step->cpu->vmxon_place = step->place;
	model_step_set_current(step, MODEL_NO_POINTER);
}

static void step_vmxon(struct model_step *step)
{
	if (step->insn->outcome == OUTCOME_SUCCEED)
		enter_vmx(step, ((const struct ev_vmxon *)step->event->col)->pointer);
	else if (step->insn->outcome != OUTCOME_FAULT)
		learn_current(step);
}

/*
 * SDM, "Software Use of Virtual-Machine Control Structures": while a VMCS is active on several
 * processors, what each of them has may be lost or not.
 */
static void forget_held(struct model_region *region)
{
	region->launch = LAUNCH_UNKNOWN;
	memset(region->known, 0, sizeof(region->known));
}

static void forget_if_torn(struct model_region *region)
{
	if (region->holders & (region->holders - 1))
		forget_held(region);
}

/* The same for what is active when VMX operation ends. */
static void leave_vmx(struct model_step *step)
{
	struct model *const model = step->model;

	for (size_t i = 0; i < ARRAY_SIZE(model->regions); i++) {
		struct model_region *const region = model_region_at(model, i);

		if (!region)
			continue;
		if (region->holders & model_step_holder(step)) {
			region->holders &= ~model_step_holder(step);
			region->used = step->place.n;
		}
		if (region->active == MODEL_NO || region->active_cpu != step->event->cpu)
			continue;
		region->used = step->place.n;
		if (region->active == MODEL_YES)
			region->cleared = MODEL_NO;
		region->active = MODEL_NO;
		region->launch = LAUNCH_UNKNOWN;
		model_forget_fields(region);
	}
	step->cpu->in_vmx = MODEL_NO;
	step->cpu->vmxon_known = true;
	step->cpu->vmxon_pointer = MODEL_NO_POINTER;
	step->cpu->vmxoff_place = step->place;
	model_step_set_current(step, MODEL_NO_POINTER);
}

static void step_vmxoff(struct model_step *step)
{
	if (step->insn->outcome == OUTCOME_SUCCEED)
		leave_vmx(step);
	else
		learn_current(step);
}

static void step_vmclear(struct model_step *step)
{
	const u64 pointer = ((const struct ev_vmclear *)step->event->col)->pointer;
	struct model_region *region;

	learn_current(step);
	if (step->insn->outcome != OUTCOME_SUCCEED)
		return;
	region = model_step_take_region(step, pointer);
	if (!region)
		return;
	region->launch = LAUNCH_CLEAR;
	region->launch_place = region->clear_place = step->place;
	region->active = MODEL_NO;
	region->holders &= ~model_step_holder(step);
	region->cleared = MODEL_YES;
	/* Another processor goes on with what it has. */
	if (region->holders)
		forget_held(region);
	if (step->cpu->current == pointer)
		model_step_set_current(step, MODEL_NO_POINTER);
}

static void step_vmptrld(struct model_step *step)
{
	const u64 pointer = ((const struct ev_vmptrld *)step->event->col)->pointer;

	if (step->insn->outcome != OUTCOME_SUCCEED) {
		learn_current(step);
		return;
	}
	model_step_set_current(step, pointer);
	if (!step->cpu->region)
		return;
	step->cpu->region->active = MODEL_YES;
	step->cpu->region->active_cpu = step->event->cpu;
	step->cpu->region->holders |= model_step_holder(step);
	step->cpu->region->active_place = step->place;
	step->cpu->region->dword0 = (u32)((const struct ev_vmptrld *)step->event->col)->dword0;
	step->cpu->region->dword0_known = true;
}

static bool in_64bit_mode(const struct ev_insn *insn)
{
	return (insn->mode >> MODE_LMA & 1) && (insn->mode >> MODE_CS_L & 1);
}

/* What VMREAD returns is what the field holds: that alone can make a field known again. */
static void learn_field(struct model_region *region, const struct ev_vmread *read)
{
	const int index = vmcs_access_index(read->field);
	u64 mask;

	if (index < 0)
		return;
	mask = vmcs_width_mask(vmcs_fields[index].width);
	if (vmcs_encoding_is_high(read->field)) {
		model_put_field(region, index,
				(region->value[index] & MASK(31, 0)) | read->value << 32,
				region->known[index] | MASK(63, 32));
		return;
	}
	if (!in_64bit_mode((const struct ev_insn *)read))
		mask &= MASK(31, 0);
	model_put_field(region, index, (region->value[index] & ~mask) | (read->value & mask),
			region->known[index] | mask);
}

static void step_vmread(struct model_step *step)
{
	learn_current(step);
	if (step->insn->outcome == OUTCOME_SUCCEED && step->cpu->region)
		learn_field(step->cpu->region, (const struct ev_vmread *)step->event->col);
}

/* The most frequent event, where all that it can change is the field. */
static inline bool step_plain_vmread(struct model *model, const struct trace_event *event, u64 n)
{
	const struct ev_vmread *const read = (const struct ev_vmread *)event->col;
	const struct model_cpu *const cpu = &model->cpus[event->cpu];

	if (event->kind != EV_VMREAD || read->outcome != OUTCOME_SUCCEED || !cpu->region ||
	    cpu->current != read->vmcs)
		return false;
	learn_field(cpu->region, read);
	cpu->region->used = n;
	return true;
}

static void step_vmwrite(struct model_step *step)
{
	const struct ev_vmwrite *const write = (const struct ev_vmwrite *)step->event->col;
	const int index = vmcs_access_index(write->field);
	const bool wide = in_64bit_mode(step->insn);
	struct model_region *region;
	u64 mask;

	learn_current(step);
	region = step->cpu->region;
	if (step->insn->outcome != OUTCOME_SUCCEED || !region || index < 0)
		return;
	mask = vmcs_encoding_is_high(write->field) ? MASK(63, 32)
						   : vmcs_width_mask(vmcs_fields[index].width);
	model_put_field(
		region, index,
		vmcs_write_result(index, region->value[index], write->field, wide, write->value),
		region->known[index] | mask);
	region->writer[index] = step->place;
}

static void step_entry_insn(struct model_step *step)
{
	struct model_region *region;

	learn_current(step);
	region = step->cpu->region;
	if (!region)
		return;
	if (region->launch == LAUNCH_UNKNOWN)
		model_set_launch(region, ((const struct ev_vmlaunch *)step->event->col)->launched,
				 &step->place);
}

static void step_other_insn(struct model_step *step)
{
	learn_current(step);
}

static void (*const steps[])(struct model_step *step) = {
	[EV_VMXON] = step_vmxon,
	[EV_VMXOFF] = step_vmxoff,
	[EV_VMCLEAR] = step_vmclear,
	[EV_VMPTRLD] = step_vmptrld,
	[EV_VMPTRST] = step_other_insn,
	[EV_VMREAD] = step_vmread,
	[EV_VMWRITE] = step_vmwrite,
	[EV_VMLAUNCH] = step_entry_insn,
	[EV_VMRESUME] = step_entry_insn,
	[EV_INVEPT] = step_other_insn,
	[EV_INVVPID] = step_other_insn,
	[EV_VMCALL] = step_other_insn,
	[EV_VMFUNC] = step_other_insn,
	[EV_MSR_READ] = model_step_msr_read,
	[EV_L2_ENTRY] = model_step_l2_entry,
	[EV_L2_EXIT] = model_step_l2_exit,
	[EV_VMCS12_WRITE] = model_step_vmcs12_write,
	[EV_VMCS_IMAGE] = model_step_vmcs_image,
	[EV_VMX_STATE] = model_step_vmx_state,
	[EV_GAP] = model_step_gap,
	[EV_BOOT] = model_step_boot,
	[EV_CAPABILITY] = model_step_capability,
};

bool model_takes(u8 kind)
{
	return kind < ARRAY_SIZE(steps) && steps[kind];
}

enum status model_step(struct model *model, const struct trace_event *event, u64 n)
{
	struct model_step step;

	if (!model_takes(event->kind) || event->cpu >= MODEL_MAX_CPUS)
		return ST_OK;
	if (step_plain_vmread(model, event, n))
		return ST_OK;
	step = (struct model_step){
		.model = model,
		.cpu = model_meet_cpu(model, event->cpu),
		.event = event,
		.insn = model_insn(event),
		.place = model_place_of(event, n),
	};
	steps[event->kind](&step);
	if (trace_event_fails_valid(event) && step.cpu->region)
		model_write_field(step.cpu->region, VMCS_IX_VM_INSTRUCTION_ERROR, step.insn->error,
				  &step.place);
	if (step.cpu->region) {
		step.cpu->region->used = n;
		forget_if_torn(step.cpu->region);
	}
	return step.status;
}
