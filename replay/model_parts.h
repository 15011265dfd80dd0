/*
 * replay/model_parts.h - shared by replay/model*.c
 */
#ifndef REPLAY_MODEL_PARTS_H
#define REPLAY_MODEL_PARTS_H

#include "replay/model.h"

/*
 * The region at @pointer, which event @n uses; made when the tape has not shown it yet. NULL when
 * there is no memory.
 */
struct model_region *model_take_region(struct model *model, u64 pointer, u64 n);

/*
 * Make the @count different ones at @regions all that the model has; those it had before are the
 * caller's. The CPUs find their current ones among them. Those that are pending are loaded by
 * model->load when somebody wants to see them, those of the CPUs at once.
 */
void model_replace_regions(struct model *model, struct model_region *const *regions,
			   unsigned count);

/* What is in slot @slot of model->regions, or NULL. */
struct model_region *model_region_at(const struct model *model, size_t slot);

/* Event @n makes the VMCS at @pointer, or none, current on @cpu. ST_NO_MEMORY. */
enum status model_set_current(struct model *model, struct model_cpu *cpu, u64 pointer, u64 n);

/* Bits @known of the field are known; every change of a field goes through here. */
static inline void model_put_field(struct model_region *region, int index, u64 value, u64 known)
{
	if (region->value[index] == value && region->known[index] == known)
		return;
	region->value[index] = value;
	region->known[index] = known;
	vmcs_set_remove(&region->unchanged, index);
}

static inline const struct ev_insn *model_insn(const struct trace_event *event)
{
	return (const struct ev_insn *)event->col;
}

#endif
