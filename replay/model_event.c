/*
 * What events that are no VMX instructions say of the state: entries and exits of L2, changes
 * behind L1's back, key frames, gaps, and capabilities.
 */
#include "replay/model_step.h"

/* Bits of addresses: no processor with VMX has fewer, or more. */
#define MIN_WIDTH 32
#define MAX_WIDTH 63

/* Entry and exit change fields as single writes would. */
static void take_items(struct model_step *step, struct model_region *region)
{
	for (u32 i = 0; i < step->event->item_count; i++) {
		const struct trace_item *const item = &step->event->items[i];
		int index;

		if (item->id == ITEM_LAUNCHED) {
			model_set_launch(region, item->value, &step->place);
			continue;
		}
		index = item->id < ITEM_REG ? vmcs_field_index(item->id) : -1;
		if (index >= 0)
			model_write_field(region, index, item->value, &step->place);
	}
}

static void step_l2(struct model_step *step, u64 vmcs, u8 level)
{
	if (!step->cpu->current_known || step->cpu->current != vmcs)
		model_step_set_current(step, vmcs);
	step->cpu->in_vmx = MODEL_YES;
	step->cpu->level = level;
	if (step->cpu->region)
		take_items(step, step->cpu->region);
}

void model_step_l2_entry(struct model_step *step)
{
	step_l2(step, ((const struct ev_l2_entry *)step->event->col)->vmcs, 2);
	if (step->cpu->region && step->cpu->region->launch != LAUNCH_LAUNCHED)
		model_set_launch(step->cpu->region, 1, &step->place);
}

void model_step_l2_exit(struct model_step *step)
{
	const struct ev_l2_exit *const exit = (const struct ev_l2_exit *)step->event->col;

	step_l2(step, exit->vmcs, 1);
	if (step->cpu->region)
		model_write_field(step->cpu->region, VMCS_IX_EXIT_REASON, exit->reason,
				  &step->place);
}

void model_step_vmcs12_write(struct model_step *step)
{
	const struct ev_vmcs12_write *const write =
		(const struct ev_vmcs12_write *)step->event->col;
	const int index = vmcs_field_index(write->field);
	struct model_region *const region = model_step_take_region(step, write->vmcs);

	if (region && index >= 0)
		model_write_field(region, index, write->value, &step->place);
}

/* Key frames. They say what is; who made it so stays, where it still holds. */
void model_step_vmx_state(struct model_step *step)
{
	const struct ev_vmx_state *const state = (const struct ev_vmx_state *)step->event->col;
	struct model_cpu *const cpu = step->cpu;

	cpu->in_vmx = state->in_vmx ? MODEL_YES : MODEL_NO;
	cpu->level = (u8)state->level;
	cpu->vmxon_known = true;
	cpu->vmxon_pointer = state->vmxon_pointer;
	if (!cpu->current_known || cpu->current != state->vmcs)
		model_step_set_current(step, state->vmcs);
}

void model_step_vmcs_image(struct model_step *step)
{
	const struct ev_vmcs_image *const image = (const struct ev_vmcs_image *)step->event->col;
	struct model_region *const region = model_step_take_region(step, image->vmcs);

	if (!region)
		return;
	region->active = MODEL_YES;
	region->active_cpu = step->event->cpu;
	region->holders |= model_step_holder(step);
	if (region->launch != (image->launched ? LAUNCH_LAUNCHED : LAUNCH_CLEAR))
		model_set_launch(region, image->launched, &step->place);
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
void model_step_gap(struct model_step *step)
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
		model_forget_fields(region);
		memset(region->writer, 0, sizeof(region->writer));
	}
}

static bool is_width(u64 width)
{
	return width >= MIN_WIDTH && width <= MAX_WIDTH;
}

void model_step_boot(struct model_step *step)
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

void model_step_capability(struct model_step *step)
{
	const struct ev_capability *const cap = (const struct ev_capability *)step->event->col;

	if (cap->msr > ~0u)
		return;
	vmx_caps_set(&step->model->real, (u32)cap->msr, cap->real);
	set_shown(step->model, cap->msr, cap->exists ? cap->shown : 0);
}

void model_step_msr_read(struct model_step *step)
{
	const struct ev_msr_read *const read = (const struct ev_msr_read *)step->event->col;

	if (!MSR_IS_VMX_CAP(read->msr) || read->outcome == OUTCOME_FAIL_VALID)
		return;
	step->model->cap_read[read->msr - MSR_VMX_BASIC] = step->place;
	set_shown(step->model, read->msr, read->outcome == OUTCOME_SUCCEED ? read->value : 0);
}
