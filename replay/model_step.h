/*
 * replay/model_step.h - one event while the model takes it; shared by model.c and model_event.c
 */
#ifndef REPLAY_MODEL_STEP_H
#define REPLAY_MODEL_STEP_H

#include "replay/model_parts.h"

struct model_step {
	struct model *model;
	struct model_cpu *cpu; /* of the event */
	const struct trace_event *event;
	const struct ev_insn *insn; /* its columns, for an instruction */
	struct model_place place;
	enum status status; /* ST_NO_MEMORY when a region could not be kept */
};

/* The whole field is known, by the event at @place. */
static inline void model_write_field(struct model_region *region, int index, u64 value,
				     const struct model_place *place)
{
	const u64 mask = vmcs_width_mask(vmcs_fields[index].width);

	model_put_field(region, index, value & mask, mask);
	region->writer[index] = *place;
}

static inline void model_forget_fields(struct model_region *region)
{
	memset(region->known, 0, sizeof(region->known));
	memset(&region->unchanged, 0, sizeof(region->unchanged));
}

static inline void model_set_launch(struct model_region *region, u64 launched,
				    const struct model_place *place)
{
	region->launch = launched ? LAUNCH_LAUNCHED : LAUNCH_CLEAR;
	region->launch_place = *place;
}

/* The bit of the CPU in model_region.holders. */
static inline u64 model_step_holder(const struct model_step *step)
{
	return BIT(step->event->cpu % 64);
}

/* The region at @pointer; NULL when there is no memory, and then status says so. */
static inline struct model_region *model_step_take_region(struct model_step *step, u64 pointer)
{
	struct model_region *const region = model_take_region(step->model, pointer, step->place.n);

	if (!region)
		step->status = ST_NO_MEMORY;
	return region;
}

static inline void model_step_set_current(struct model_step *step, u64 pointer)
{
	if (model_set_current(step->model, step->cpu, pointer, step->place.n) != ST_OK)
		step->status = ST_NO_MEMORY;
}

/* Kinds that are no VMX instructions. */
void model_step_l2_entry(struct model_step *step);
void model_step_l2_exit(struct model_step *step);
void model_step_vmcs12_write(struct model_step *step);
void model_step_vmx_state(struct model_step *step);
void model_step_vmcs_image(struct model_step *step);
void model_step_gap(struct model_step *step);
void model_step_boot(struct model_step *step);
void model_step_capability(struct model_step *step);
void model_step_msr_read(struct model_step *step);

#endif
