/*
 * replay/timeline_index_state.c - a model, brought from one place to another
 *
 * What is restored is compared with what the model has by the records that made it, so that only
 * VMCSs that differ are written, and of these only the fields that do, unless the model was
 * stepped over them since.
 */
#include <stdlib.h>

#include "replay/model_parts.h"
#include "replay/timeline_index.h"

/* What is known of the region of the model with that number. */
struct loaded {
	u64 record; /* that it was made from, INDEX_ABSENT: it is not there */
	u64 base;   /* that @image was made from, 0: none */
	struct model_region *image;
	u64 changed[RECORD_SET_WORDS]; /* fields that differ from the image */
	bool stale;		       /* the region has been stepped over since, or is a new one */
};

struct index_state {
	const struct timeline_index *index;
	u64 n; /* of the last place restored: regions used since are different */
	enum status status;
	u32 *rows; /* of each region: the last row of touched + 1, 0: none */
	struct loaded *regions;
	struct model_region **present; /* those of the model */
};

struct index_state *index_state_new(const struct timeline_index *index)
{
	struct index_state *const state = calloc(1, sizeof(*state));
	const size_t count = (size_t)index->region_count + 1;

	if (!state)
		return NULL;
	state->index = index;
	state->rows = calloc(count, sizeof(*state->rows));
	state->regions = calloc(count, sizeof(*state->regions));
	state->present = calloc(count, sizeof(struct model_region *));
	if (state->rows && state->regions && state->present)
		return state;
	index_state_free(state);
	return NULL;
}

void index_state_free(struct index_state *state)
{
	if (!state)
		return;
	for (u64 i = 0; state->regions && i < state->index->region_count; i++)
		free(state->regions[i].image);
	free(state->rows);
	free(state->regions);
	free(state->present);
	free(state);
}

static struct cursor record_at(const struct timeline_index *index, u64 offset)
{
	if (offset < sizeof(struct index_head) || offset > index->records_end)
		return (struct cursor){ .status = ST_CORRUPT };
	return cursor_over(index->bytes + offset, (size_t)(index->records_end - offset));
}

/* --- regions ---------------------------------------------------------------------------------- */

static void copy_field(struct model_region *to, const struct model_region *from, size_t i)
{
	to->value[i] = from->value[i];
	to->known[i] = from->known[i];
	to->writer[i] = from->writer[i];
}

static enum status load_image(struct index_state *state, struct loaded *loaded, u64 base)
{
	struct cursor in = record_at(state->index, base);
	u64 changed[RECORD_SET_WORDS] = { 0 };

	if (!loaded->image)
		loaded->image = malloc(sizeof(*loaded->image));
	if (!loaded->image)
		return ST_NO_MEMORY;
	memset(loaded->image, 0, sizeof(*loaded->image));
	loaded->base = base;
	return in.status == ST_OK ? record_apply_region(&in, loaded->image, changed) : in.status;
}

/* Makes @region, which holds what @loaded says unless that is stale, what @row says. */
static enum status load_region(struct index_state *state, struct loaded *loaded,
			       struct model_region *region, const struct index_touched *row)
{
	struct cursor in;
	enum status status;

	if (loaded->base != row->base || !loaded->image) {
		status = load_image(state, loaded, row->base);
		if (status != ST_OK)
			return status;
		loaded->stale = true;
	}
	if (loaded->stale) {
		memcpy(region, loaded->image, sizeof(*region));
	} else {
		memcpy(region, loaded->image, offsetof(struct model_region, value));
		for (size_t word = 0; word < RECORD_SET_WORDS; word++)
			for (u64 set = loaded->changed[word]; set; set &= set - 1)
				copy_field(region, loaded->image,
					   64 * word + (size_t)__builtin_ctzll(set));
	}
	memset(loaded->changed, 0, sizeof(loaded->changed));
	loaded->stale = false;
	loaded->record = row->record;
	if (row->record == row->base)
		return ST_OK;
	in = record_at(state->index, row->record);
	return in.status == ST_OK ? record_apply_region(&in, region, loaded->changed) : in.status;
}

/* For struct model. What cannot be loaded is unknown, until index_restore() has said so. */
static void load_pending(void *owner, struct model_region *region)
{
	struct index_state *const state = owner;
	const u64 pointer = region->pointer;
	struct loaded *loaded;
	enum status status;
	u32 number;

	/* Only those of the index are ever pending. */
	index_region(state->index, pointer, &number);
	loaded = &state->regions[number];
	status =
		load_region(state, loaded, region, &state->index->touched[state->rows[number] - 1]);
	if (status != ST_OK) {
		state->status = status;
		loaded->stale = true;
		memset(region, 0, sizeof(*region));
	}
	region->pointer = pointer;
	region->pending = false;
	memset(&region->unchanged, 0, sizeof(region->unchanged));
}

/* For each region the last row of touched before interval @i that has a state. */
static void find_rows(struct index_state *state, u64 i)
{
	const struct timeline_index *const index = state->index;
	const u64 group = i / INDEX_GROUP;

	if (index->region_count)
		memcpy(state->rows, index->tables + group * index->region_count,
		       index->region_count * sizeof(*state->rows));
	for (u64 k = group * INDEX_GROUP; k < i; k++) {
		const struct index_interval *const at = index_at(index, k);

		for (u64 t = 0; t < at->touched_count; t++) {
			const struct index_touched *const row = &index->touched[at->touched + t];

			if (row->record != INDEX_SAME)
				state->rows[row->region] = (u32)(at->touched + t + 1);
		}
	}
}

/* Takes regions out of the model that are not there, or whose number is unknown, before @i. */
static void drop_others(struct index_state *state, struct model *model)
{
	for (size_t slot = 0; slot < ARRAY_SIZE(model->regions); slot++) {
		struct model_region *const region = model->regions[slot];
		u32 number;

		if (!region)
			continue;
		model->regions[slot] = NULL;
		if (index_region(state->index, region->pointer, &number) && state->rows[number] &&
		    !state->present[number])
			state->present[number] = region;
		else
			free(region);
	}
	model->region_count = 0;
}

/* A region that is what @row says, or will be once it is looked at. NULL without memory. */
static struct model_region *prepare_region(const struct index_state *state, u64 number,
					   const struct index_touched *row)
{
	struct loaded *const loaded = &state->regions[number];
	struct model_region *region = state->present[number];

	if (!region) {
		region = malloc(sizeof(*region));
		if (!region)
			return NULL;
		loaded->stale = true;
	} else if (!region->pending && region->used >= state->n) {
		loaded->stale = true;
	}
	region->pending = loaded->stale || loaded->record != row->record;
	/* That is what it is found by. */
	region->pointer = state->index->pointers[number];
	return region;
}

static enum status restore_regions(struct index_state *state, struct model *model)
{
	const struct timeline_index *const index = state->index;
	enum status status = ST_OK;
	unsigned count = 0;

	memset(state->present, 0, index->region_count * sizeof(struct model_region *));
	drop_others(state, model);
	for (u64 i = 0; i < index->region_count; i++) {
		const struct index_touched *const row =
			state->rows[i] ? &index->touched[state->rows[i] - 1] : NULL;
		struct model_region *region;

		if (!row || row->record == INDEX_ABSENT || count == MODEL_MAX_REGIONS) {
			free(state->present[i]);
			continue;
		}
		region = prepare_region(state, i, row);
		if (region)
			state->present[count++] = region;
		else
			status = ST_NO_MEMORY;
	}
	model->load = load_pending;
	model->load_owner = state;
	model_replace_regions(model, state->present, count);
	return status;
}

/* --- the rest --------------------------------------------------------------------------------- */

static enum status apply_cpus(const struct index_state *state, struct model *model, u64 i)
{
	struct cursor in = record_at(state->index, index_at(state->index, i)->cpus);

	for (;;) {
		const u64 number = cursor_varint(&in);

		if (!number || in.status != ST_OK)
			return in.status;
		if (number > MODEL_MAX_CPUS)
			return ST_CORRUPT;
		record_apply_cpu(&in, &model->cpus[number - 1]);
	}
}

enum status index_restore(struct index_state *state, struct model *model, u64 i)
{
	const struct index_interval *const at = index_at(state->index, i);
	const u64 group = ALIGN_DOWN(i, (u64)INDEX_GROUP);
	struct cursor in = record_at(state->index, at->rest);
	enum status status = in.status;

	if (status == ST_OK)
		status = record_apply_rest(&in, model);
	memset(model->cpus, 0, sizeof(model->cpus));
	/* Those of a group are relative to its first. */
	if (status == ST_OK)
		status = apply_cpus(state, model, group);
	if (status == ST_OK && group != i)
		status = apply_cpus(state, model, i);
	find_rows(state, i);
	if (status == ST_OK)
		status = restore_regions(state, model);
	state->n = at->mark[0];
	return status == ST_OK ? state->status : status;
}
