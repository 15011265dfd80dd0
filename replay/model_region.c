/*
 * replay/model_region.c - the VMCS regions of a model, and questions about them
 */
#include <stdlib.h>

#include "replay/model_parts.h"

static size_t slot_of(const struct model *model, u64 pointer)
{
	const size_t size = ARRAY_SIZE(model->regions);
	size_t slot = (pointer >> 12) * 0x9e3779b97f4a7c15ull >> 53 & (size - 1);

	while (model->regions[slot] && model->regions[slot]->pointer != pointer)
		slot = (slot + 1) & (size - 1);
	return slot;
}

struct model_region *model_region_at(const struct model *model, size_t slot)
{
	struct model_region *const region = model->regions[slot];

	if (unlikely(region && region->pending))
		model->load(model->load_owner, region);
	return region;
}

struct model_region *model_region(const struct model *model, u64 pointer)
{
	return model_region_at(model, slot_of(model, pointer));
}

/* Which is given up first: the one unused for longest, whatever slots they are in. */
static bool is_older(const struct model_region *a, const struct model_region *b)
{
	return a->used != b->used ? a->used < b->used : a->pointer < b->pointer;
}

/* Makes room by giving up a region. All slots are made anew. */
static void forget_one(struct model *model, u64 now)
{
	struct model_region *oldest = NULL, *all[ARRAY_SIZE(model->regions)];

	for (unsigned i = 0; i < MODEL_MAX_CPUS; i++)
		if (model->cpus[i].region)
			model->cpus[i].region->used = now;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		all[i] = model_region_at(model, i);
	memset(model->regions, 0, sizeof(model->regions));
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i] && (!oldest || is_older(all[i], oldest)))
			oldest = all[i];
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i] && all[i] != oldest)
			model->regions[slot_of(model, all[i]->pointer)] = all[i];
	free(oldest);
	model->region_count--;
	model->forgot = true;
}

struct model_region *model_take_region(struct model *model, u64 pointer, u64 n)
{
	struct model_region *region = model_region(model, pointer);

	if (!region) {
		if (model->region_count == MODEL_MAX_REGIONS)
			forget_one(model, n);
		region = calloc(1, sizeof(*region));
		if (!region)
			return NULL;
		region->pointer = pointer;
		region->whole = model->from_start && !model->forgot;
		region->cleared = region->active = region->whole ? MODEL_NO : MODEL_UNKNOWN;
		model->regions[slot_of(model, pointer)] = region;
		model->region_count++;
	}
	region->used = n;
	return region;
}

void model_replace_regions(struct model *model, struct model_region *const *regions, unsigned count)
{
	memset(model->regions, 0, sizeof(model->regions));
	for (unsigned i = 0; i < count; i++)
		model->regions[slot_of(model, regions[i]->pointer)] = regions[i];
	model->region_count = count;
	for (unsigned i = 0; i < MODEL_MAX_CPUS; i++) {
		struct model_cpu *const cpu = &model->cpus[i];

		cpu->region = cpu->current_known && cpu->current != MODEL_NO_POINTER
				      ? model_region(model, cpu->current)
				      : NULL;
	}
}

const struct model_region *model_next_region(const struct model *model, size_t *at)
{
	while (*at < ARRAY_SIZE(model->regions)) {
		const struct model_region *const region = model_region_at(model, (*at)++);

		if (region)
			return region;
	}
	return NULL;
}

struct vmcs_set model_take_changes(struct model_region *region, u16 cpu)
{
	const struct vmcs_set changed =
		region->asked_by == cpu ? vmcs_set_others(&region->unchanged) : vmcs_set_all();

	region->unchanged = vmcs_set_all();
	region->asked_by = cpu;
	return changed;
}

enum model_truth model_control(const struct model_region *region, enum vmx_word word, u64 mask)
{
	const struct vmx_control_word *row = &vmx_control_words[word];
	enum model_truth truth = MODEL_YES;
	u64 value;

	/* From the word to what activates it, which counts before the word itself. */
	for (;;) {
		if (!model_field(region, row->field, mask, &value))
			truth = MODEL_UNKNOWN;
		else if ((value & mask) != mask)
			truth = MODEL_NO;
		mask = row->by_mask;
		if (!mask)
			return truth;
		row = &vmx_control_words[row->by_word];
	}
}
