#include "replay/model_hash.h"

static u64 mix(u64 hash, u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static u64 mix_place(u64 hash, const struct model_place *place)
{
	hash = mix(hash, place->kind | (u64)place->cpu << 8);
	if (!model_place_is(place))
		return hash;
	return mix(mix(mix(hash, place->n), place->seq), place->rip);
}

static u64 hash_caps(u64 hash, const struct vmx_caps *caps)
{
	for (unsigned i = 0; i < VMX_CAP_COUNT; i++)
		hash = mix(hash, caps->msr[i]);
	hash = mix(hash, caps->known);
	return mix(hash, caps->cpu | (u64)caps->maxphyaddr << 32 | (u64)caps->linear_width << 40);
}

static u64 hash_cpu(u64 hash, const struct model_cpu *cpu)
{
	hash = mix(hash, cpu->seen | cpu->in_vmx << 1 | cpu->level << 8 | cpu->vmxon_known << 16 |
				 cpu->current_known << 17 | (u64) !!cpu->region << 18);
	hash = mix(mix(hash, cpu->vmxon_pointer), cpu->current);
	hash = mix(hash, cpu->region ? cpu->region->pointer : 0);
	return mix_place(mix_place(hash, &cpu->vmxon_place), &cpu->vmxoff_place);
}

static u64 hash_region(const struct model_region *region)
{
	u64 hash = mix(region->pointer, region->used);

	hash = mix(hash, region->launch | (u64)region->active << 8 | (u64)region->cleared << 16 |
				 (u64)region->active_cpu << 24 | (u64)region->whole << 40 |
				 (u64)region->dword0_known << 41);
	hash = mix(hash, region->holders);
	hash = mix(hash, region->dword0_known ? region->dword0 : 0);
	hash = mix_place(hash, &region->launch_place);
	hash = mix_place(hash, &region->active_place);
	hash = mix_place(hash, &region->clear_place);
	for (int i = 0; i < VMCS_FIELD_COUNT; i++) {
		hash = mix(hash, region->known[i]);
		hash = mix(hash, region->value[i] & region->known[i]);
		hash = mix_place(hash, &region->writer[i]);
	}
	return hash;
}

u64 model_hash(const struct model *model)
{
	const struct model_region *region;
	u64 regions = 0, hash;
	size_t at = 0;

	hash = hash_caps(hash_caps(model->shown_changes, &model->shown), &model->real);
	for (unsigned i = 0; i < VMX_CAP_COUNT; i++)
		hash = mix_place(hash, &model->cap_read[i]);
	hash = mix(hash, model->from_start | model->forgot << 1 | (u64)model->region_count << 8);
	hash = mix_place(hash, &model->gap_place);
	for (unsigned i = 0; i < MODEL_MAX_CPUS; i++)
		if (model->cpus[i].seen)
			hash = hash_cpu(mix(hash, i), &model->cpus[i]);
	/* Regions are in no order. */
	while ((region = model_next_region(model, &at)))
		regions += hash_region(region);
	return mix(hash, regions);
}
