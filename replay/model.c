#include "replay/model.h"

#include <stdlib.h>

#include "replay/model_parts.h"

/* Bits of addresses: no processor with VMX has fewer, or more. */
#define MIN_WIDTH 32
#define MAX_WIDTH 63

struct step {
	struct model *model;
	struct model_cpu *cpu;
	const struct trace_event *event;
	const struct ev_insn *insn;
	struct model_place place;
	enum status status;
};

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

static struct model_region *take_region(struct step *step, u64 pointer)
{
	struct model_region *const region = model_take_region(step->model, pointer, step->place.n);

	if (!region)
		step->status = ST_NO_MEMORY;
	return region;
}

static void forget_fields(struct model_region *region)
{
	memset(region->known, 0, sizeof(region->known));
	memset(&region->unchanged, 0, sizeof(region->unchanged));
}

static void set_field(struct model_region *region, int index, u64 value,
		      const struct model_place *place)
{
	const u64 mask = vmcs_width_mask(vmcs_fields[index].width);

	model_put_field(region, index, value & mask, mask);
	region->writer[index] = *place;
}

enum status model_set_current(struct model *model, struct model_cpu *cpu, u64 pointer, u64 n)
{
	cpu->current = pointer;
	cpu->current_known = true;
	cpu->region = pointer == MODEL_NO_POINTER ? NULL : model_take_region(model, pointer, n);
	return cpu->region || pointer == MODEL_NO_POINTER ? ST_OK : ST_NO_MEMORY;
}

static void set_current(struct step *step, u64 pointer)
{
	if (model_set_current(step->model, step->cpu, pointer, step->place.n) != ST_OK)
		step->status = ST_NO_MEMORY;
}

/*
 * Instructions record the current-VMCS pointer: it is known again behind any of them. VMfailValid
 * writes the error there.
 */
static void learn_current(struct step *step)
{
	if (!step->cpu->current_known || step->cpu->current != step->insn->vmcs)
		set_current(step, step->insn->vmcs);
	if (step->insn->outcome == OUTCOME_FAIL_VALID && step->cpu->region)
		set_field(step->cpu->region, VMCS_IX_VM_INSTRUCTION_ERROR, step->insn->error,
			  &step->place);
}

/* --- effects of instructions, as far as the processor let them have any --------------------------
 */

static void enter_vmx(struct step *step, u64 pointer)
{
	step->cpu->in_vmx = MODEL_YES;
	step->cpu->vmxon_known = true;
	step->cpu->vmxon_pointer = pointer;
	step->cpu->vmxon_place = step->place;
	set_current(step, MODEL_NO_POINTER);
}

static void step_vmxon(struct step *step)
{
	if (step->insn->outcome == OUTCOME_SUCCEED)
		enter_vmx(step, ((const struct ev_vmxon *)step->event->col)->pointer);
	else if (step->insn->outcome != OUTCOME_FAULT)
		learn_current(step);
}

static u64 holder(const struct step *step)
{
	return BIT(step->event->cpu % 64);
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
static void leave_vmx(struct step *step)
{
	struct model *const model = step->model;

	for (size_t i = 0; i < ARRAY_SIZE(model->regions); i++) {
		struct model_region *const region = model_region_at(model, i);

		if (!region)
			continue;
		if (region->holders & holder(step)) {
			region->holders &= ~holder(step);
			region->used = step->place.n;
		}
		if (region->active == MODEL_NO || region->active_cpu != step->event->cpu)
			continue;
		region->used = step->place.n;
		if (region->active == MODEL_YES)
			region->cleared = MODEL_NO;
		region->active = MODEL_NO;
		region->launch = LAUNCH_UNKNOWN;
		forget_fields(region);
	}
	step->cpu->in_vmx = MODEL_NO;
	step->cpu->vmxon_known = true;
	step->cpu->vmxon_pointer = MODEL_NO_POINTER;
	step->cpu->vmxoff_place = step->place;
	set_current(step, MODEL_NO_POINTER);
}

static void step_vmxoff(struct step *step)
{
	if (step->insn->outcome == OUTCOME_SUCCEED)
		leave_vmx(step);
	else
		learn_current(step);
}

static void step_vmclear(struct step *step)
{
	const u64 pointer = ((const struct ev_vmclear *)step->event->col)->pointer;
	struct model_region *region;

	learn_current(step);
	if (step->insn->outcome != OUTCOME_SUCCEED)
		return;
	region = take_region(step, pointer);
	if (!region)
		return;
	region->launch = LAUNCH_CLEAR;
	region->launch_place = region->clear_place = step->place;
	region->active = MODEL_NO;
	region->holders &= ~holder(step);
	region->cleared = MODEL_YES;
	/* Another processor goes on with what it has. */
	if (region->holders)
		forget_held(region);
	if (step->cpu->current == pointer)
		set_current(step, MODEL_NO_POINTER);
}

static void step_vmptrld(struct step *step)
{
	const u64 pointer = ((const struct ev_vmptrld *)step->event->col)->pointer;

	if (step->insn->outcome != OUTCOME_SUCCEED) {
		learn_current(step);
		return;
	}
	set_current(step, pointer);
	if (!step->cpu->region)
		return;
	step->cpu->region->active = MODEL_YES;
	step->cpu->region->active_cpu = step->event->cpu;
	step->cpu->region->holders |= holder(step);
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

static void step_vmread(struct step *step)
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

static void step_vmwrite(struct step *step)
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

static void set_launch(struct model_region *region, u64 launched, const struct model_place *place)
{
	region->launch = launched ? LAUNCH_LAUNCHED : LAUNCH_CLEAR;
	region->launch_place = *place;
}

static void step_entry_insn(struct step *step)
{
	struct model_region *region;

	learn_current(step);
	region = step->cpu->region;
	if (!region)
		return;
	if (region->launch == LAUNCH_UNKNOWN)
		set_launch(region, ((const struct ev_vmlaunch *)step->event->col)->launched,
			   &step->place);
}

static void step_other_insn(struct step *step)
{
	learn_current(step);
}

/* --- entries, exits, and what has no instruction ------------------------------------------------
 */

/* Entry and exit change fields as single writes would. */
static void take_items(struct step *step, struct model_region *region)
{
	for (u32 i = 0; i < step->event->item_count; i++) {
		const struct trace_item *const item = &step->event->items[i];
		int index;

		if (item->id == ITEM_LAUNCHED) {
			set_launch(region, item->value, &step->place);
			continue;
		}
		index = item->id < ITEM_REG ? vmcs_field_index(item->id) : -1;
		if (index >= 0)
			set_field(region, index, item->value, &step->place);
	}
}

static void step_l2(struct step *step, u64 vmcs, u8 level)
{
	if (!step->cpu->current_known || step->cpu->current != vmcs)
		set_current(step, vmcs);
	step->cpu->in_vmx = MODEL_YES;
	step->cpu->level = level;
	if (step->cpu->region)
		take_items(step, step->cpu->region);
}

static void step_l2_entry(struct step *step)
{
	step_l2(step, ((const struct ev_l2_entry *)step->event->col)->vmcs, 2);
	if (step->cpu->region && step->cpu->region->launch != LAUNCH_LAUNCHED)
		set_launch(step->cpu->region, 1, &step->place);
}

static void step_l2_exit(struct step *step)
{
	const struct ev_l2_exit *const exit = (const struct ev_l2_exit *)step->event->col;

	step_l2(step, exit->vmcs, 1);
	if (step->cpu->region)
		set_field(step->cpu->region, VMCS_IX_EXIT_REASON, exit->reason, &step->place);
}

static void step_vmcs12_write(struct step *step)
{
	const struct ev_vmcs12_write *const write =
		(const struct ev_vmcs12_write *)step->event->col;
	const int index = vmcs_field_index(write->field);
	struct model_region *const region = take_region(step, write->vmcs);

	if (region && index >= 0)
		set_field(region, index, write->value, &step->place);
}

/* Key frames. They say what is; who made it so stays, where it still holds. */
static void step_vmx_state(struct step *step)
{
	const struct ev_vmx_state *const state = (const struct ev_vmx_state *)step->event->col;
	struct model_cpu *const cpu = step->cpu;

	cpu->in_vmx = state->in_vmx ? MODEL_YES : MODEL_NO;
	cpu->level = (u8)state->level;
	cpu->vmxon_known = true;
	cpu->vmxon_pointer = state->vmxon_pointer;
	if (!cpu->current_known || cpu->current != state->vmcs)
		set_current(step, state->vmcs);
}

static void step_vmcs_image(struct step *step)
{
	const struct ev_vmcs_image *const image = (const struct ev_vmcs_image *)step->event->col;
	struct model_region *const region = take_region(step, image->vmcs);

	if (!region)
		return;
	region->active = MODEL_YES;
	region->active_cpu = step->event->cpu;
	region->holders |= holder(step);
	if (region->launch != (image->launched ? LAUNCH_LAUNCHED : LAUNCH_CLEAR))
		set_launch(region, image->launched, &step->place);
	for (u32 i = 0; i < step->event->item_count; i++) {
		const struct trace_item *const item = &step->event->items[i];
		const int index = item->id < ITEM_REG ? vmcs_field_index(item->id) : -1;
		u64 mask;

		if (index < 0)
			continue;
		mask = vmcs_width_mask(vmcs_fields[index].width);
		if (region->known[index] == mask && region->value[index] == (item->value & mask))
			continue;
		/* Something changed it without an event. */
		if (region->known[index] == mask)
			region->whole = false;
		model_put_field(region, index, item->value & mask, mask);
		region->writer[index] = (struct model_place){ 0 };
	}
}

static void forget_cpu(struct model_cpu *cpu)
{
	*cpu = (struct model_cpu){ .seen = true };
}

/* What happened in a gap, on any region, nobody knows. */
static void step_gap(struct step *step)
{
	struct model *const model = step->model;
	unsigned others = 0;

	for (unsigned i = 0; i < MODEL_MAX_CPUS; i++)
		others += model->cpus[i].seen && &model->cpus[i] != step->cpu;
	/* Behind the end of a cut tape comes nothing, unless of another CPU. */
	if (((const struct ev_gap *)step->event->col)->why == GAP_CUT && !others) {
		model->from_start = false;
		return;
	}
	forget_cpu(step->cpu);
	model->from_start = false;
	model->gap_place = step->place;
	for (size_t i = 0; i < ARRAY_SIZE(model->regions); i++) {
		struct model_region *const region = model_region_at(model, i);

		if (!region)
			continue;
		region->used = step->place.n;
		region->launch = LAUNCH_UNKNOWN;
		region->active = MODEL_UNKNOWN;
		region->holders = 0;
		region->cleared = MODEL_UNKNOWN;
		region->whole = false;
		region->dword0_known = false;
		forget_fields(region);
		memset(region->writer, 0, sizeof(region->writer));
	}
}

static bool is_width(u64 width)
{
	return width >= MIN_WIDTH && width <= MAX_WIDTH;
}

static void step_boot(struct step *step)
{
	const struct ev_boot *const boot = (const struct ev_boot *)step->event->col;

	if (!step->event->seq && !model_place_is(&step->model->gap_place))
		step->model->from_start = true;
	step->model->capture = boot->capture;
	/* A tape may say anything; such widths are none. */
	if (is_width(boot->physical_width))
		step->model->shown.maxphyaddr = step->model->real.maxphyaddr =
			(u8)boot->physical_width;
	if (is_width(boot->linear_width))
		step->model->shown.linear_width = step->model->real.linear_width =
			(u8)boot->linear_width;
	step->model->shown_changes++;
}

static void set_shown(struct model *model, u64 msr, u64 value)
{
	const struct vmx_caps before = model->shown;

	vmx_caps_set(&model->shown, (u32)msr, value);
	model->shown_changes += memcmp(&before, &model->shown, sizeof(before)) != 0;
}

static void step_capability(struct step *step)
{
	const struct ev_capability *const cap = (const struct ev_capability *)step->event->col;

	if (cap->msr > ~0u)
		return;
	vmx_caps_set(&step->model->real, (u32)cap->msr, cap->real);
	set_shown(step->model, cap->msr, cap->exists ? cap->shown : 0);
}

static void step_msr_read(struct step *step)
{
	const struct ev_msr_read *const read = (const struct ev_msr_read *)step->event->col;

	if (!MSR_IS_VMX_CAP(read->msr) || read->outcome == OUTCOME_FAIL_VALID)
		return;
	step->model->cap_read[read->msr - MSR_VMX_BASIC] = step->place;
	set_shown(step->model, read->msr, read->outcome == OUTCOME_SUCCEED ? read->value : 0);
}

static void (*const steps[])(struct step *step) = {
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
	[EV_MSR_READ] = step_msr_read,
	[EV_L2_ENTRY] = step_l2_entry,
	[EV_L2_EXIT] = step_l2_exit,
	[EV_VMCS12_WRITE] = step_vmcs12_write,
	[EV_VMCS_IMAGE] = step_vmcs_image,
	[EV_VMX_STATE] = step_vmx_state,
	[EV_GAP] = step_gap,
	[EV_BOOT] = step_boot,
	[EV_CAPABILITY] = step_capability,
};

bool model_takes(u8 kind)
{
	return kind < ARRAY_SIZE(steps) && steps[kind];
}

enum status model_step(struct model *model, const struct trace_event *event, u64 n)
{
	struct step step;

	if (!model_takes(event->kind) || event->cpu >= MODEL_MAX_CPUS)
		return ST_OK;
	if (step_plain_vmread(model, event, n))
		return ST_OK;
	step = (struct step){
		.model = model,
		.cpu = model_meet_cpu(model, event->cpu),
		.event = event,
		.insn = model_insn(event),
		.place = model_place_of(event, n),
	};
	steps[event->kind](&step);
	if (trace_event_fails_valid(event) && step.cpu->region)
		set_field(step.cpu->region, VMCS_IX_VM_INSTRUCTION_ERROR, step.insn->error,
			  &step.place);
	if (step.cpu->region) {
		step.cpu->region->used = n;
		forget_if_torn(step.cpu->region);
	}
	return step.status;
}
