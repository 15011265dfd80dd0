/*
 * replay/timeline_index_build.c - an index is put together
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "replay/reader_parts.h"
#include "replay/timeline_index_parts.h"

static void *add_rows(struct index_builder *builder, struct index_rows *rows, u64 count,
		      size_t size)
{
	if (rows->count + count > rows->room) {
		const u64 room = MAX(2 * rows->room, rows->count + count + 64);
		void *const list = realloc(rows->list, room * size);

		if (!list) {
			builder->status = ST_NO_MEMORY;
			return NULL;
		}
		rows->list = list;
		rows->room = room;
	}
	rows->count += count;
	return (u8 *)rows->list + (rows->count - count) * size;
}

u64 builder_put(struct index_builder *builder, const void *bytes, size_t size)
{
	const u64 offset = builder->written;

	if (size && fwrite(bytes, 1, size, builder->file) != size)
		builder->status = ST_IO;
	builder->written += size;
	return offset;
}

/* --- VMCSs ------------------------------------------------------------------------------------ */

static struct index_region *add_region(struct index_builder *builder, u64 pointer, u64 slot)
{
	struct index_region *const region = calloc(1, sizeof(*region));

	if (!region) {
		builder->status = ST_NO_MEMORY;
		return NULL;
	}
	region->pointer = pointer;
	region->number = builder->last_region = builder->region_count;
	builder->regions[builder->region_count++] = region;
	builder->hash[slot] = builder->region_count;
	return region;
}

struct index_region *builder_region(struct index_builder *builder, u64 pointer)
{
	u64 slot = pointer * 0x9e3779b97f4a7c15ull >> 51;

	if (builder->region_count && builder->regions[builder->last_region]->pointer == pointer)
		return builder->regions[builder->last_region];
	for (; builder->hash[slot]; slot = (slot + 1) % INDEX_REGION_HASH) {
		const u32 number = builder->hash[slot] - 1;

		if (builder->regions[number]->pointer != pointer)
			continue;
		builder->last_region = number;
		return builder->regions[number];
	}
	if (builder->region_count == INDEX_MAX_REGIONS) {
		builder_interval(builder)->flags |= INDEX_UNSURE;
		return NULL;
	}
	return add_region(builder, pointer, slot);
}

_Static_assert(INDEX_REGION_HASH == 1 << 13, "slots are the upper 13 bits of a product");

struct index_touched *builder_row(struct index_builder *builder, struct index_region *region)
{
	struct index_touched *row;

	if (region->row)
		return (struct index_touched *)builder->touched.list + region->row - 1;
	row = add_rows(builder, &builder->touched, 1, sizeof(*row));
	if (!row)
		return NULL;
	*row = (struct index_touched){ .region = region->number, .record = INDEX_SAME };
	region->row = builder->touched.count;
	return row;
}

/* --- states ----------------------------------------------------------------------------------- */

static void put_cpus(struct index_builder *builder, bool is_first)
{
	static const struct model_cpu none;
	u8 record[RECORD_CPU_MAX + 8], *end;

	builder_interval(builder)->cpus = builder->written;
	for (unsigned i = 0; i < MODEL_MAX_CPUS; i++) {
		const struct model_cpu *const cpu = &builder->model->cpus[i];

		if (!cpu->seen)
			continue;
		end = varint_put(record, i + 1);
		end = record_cpu(end, cpu, is_first ? &none : &builder->group_cpus[i]);
		builder_put(builder, record, (size_t)(end - record));
	}
	builder_put(builder, "", 1);
	if (is_first)
		memcpy(builder->group_cpus, builder->model->cpus, sizeof(builder->group_cpus));
}

/* What is rarely different is there once. */
static void put_rest(struct index_builder *builder)
{
	u8 record[RECORD_REST_MAX];
	const size_t size = (size_t)(record_rest(record, builder->model) - record);

	if (size != builder->rest_size || memcmp(record, builder->rest, size)) {
		memcpy(builder->rest, record, size);
		builder->rest_size = size;
		builder->rest_offset = builder_put(builder, record, size);
	}
	builder_interval(builder)->rest = builder->rest_offset;
}

static void put_table(struct index_builder *builder)
{
	u32 *const table = add_rows(builder, &builder->tables, INDEX_MAX_REGIONS, sizeof(*table));

	for (u32 i = 0; table && i < INDEX_MAX_REGIONS; i++)
		table[i] = i < builder->region_count ? (u32)builder->regions[i]->last_row : 0;
}

void builder_begin_interval(struct index_builder *builder)
{
	const bool is_first = builder->intervals.count % INDEX_GROUP == 0;
	u64 *const made = add_rows(builder, &builder->intervals, 1, builder->stride * sizeof(u64));
	void *const filter = add_rows(builder, &builder->filters, 1, sizeof(struct index_filter));

	if (!made || !filter)
		return;
	memset(made, 0, builder->stride * sizeof(u64));
	memset(filter, 0, sizeof(struct index_filter));
	index_filter_add(filter, 0);
	reader_mark(builder->reader, builder_interval(builder)->mark);
	builder_interval(builder)->entries = builder->entries;
	builder_interval(builder)->touched = builder->touched.count;
	builder->first = builder_interval(builder)->mark[0];
	memset(builder->last_rips, 0, sizeof(builder->last_rips));
	if (is_first)
		put_table(builder);
	put_rest(builder);
	put_cpus(builder, is_first);
}

/* The state of @from as few bytes: what differs from its base, or a new base. */
static void put_region(struct index_builder *builder, struct index_region *region,
		       struct index_touched *row, const struct model_region *from)
{
	static const struct model_region none;
	u8 record[RECORD_REGION_MAX];
	size_t size;

	if (region->base) {
		size = (size_t)(record_region(record, from, region->base) - record);
		region->least = MIN(region->least, size);
		region->waste += size - region->least;
		if (size <= region->base_size / 2 + 64 && region->waste < region->base_size) {
			row->base = region->base_offset;
			row->record = builder_put(builder, record, size);
			return;
		}
	} else {
		region->base = malloc(sizeof(*region->base));
		if (!region->base) {
			builder->status = ST_NO_MEMORY;
			return;
		}
	}
	memcpy(region->base, from, sizeof(*from));
	region->waste = 0;
	region->base_size = (size_t)(record_region(record, from, &none) - record);
	/* If all that follow are large, the base is one that was in the midst of writes. */
	region->least = region->base_size / 8;
	region->base_offset = builder_put(builder, record, region->base_size);
	row->record = row->base = region->base_offset;
}

static void put_used(struct index_builder *builder)
{
	const struct model_region *from;
	size_t at = 0;

	while ((from = model_next_region(builder->model, &at)) && builder->status == ST_OK) {
		struct index_touched *row;
		struct index_region *region;

		if (from->used < builder->first)
			continue;
		region = builder_region(builder, from->pointer);
		row = region ? builder_row(builder, region) : NULL;
		if (!row) {
			builder->status = region ? ST_NO_MEMORY : ST_NO_SPACE;
			return;
		}
		put_region(builder, region, row, from);
		region->present = true;
		region->last_row = region->row;
	}
}

/* Regions that the model gave up. */
static void put_absent(struct index_builder *builder)
{
	for (u32 i = 0; i < builder->region_count; i++) {
		struct index_region *const region = builder->regions[i];
		struct index_touched *row;

		if (!region->present || model_region(builder->model, region->pointer))
			continue;
		row = builder_row(builder, region);
		if (!row)
			return;
		row->record = INDEX_ABSENT;
		region->present = false;
		region->last_row = region->row;
	}
}

void builder_end_interval(struct index_builder *builder)
{
	struct index_interval *const at = builder_interval(builder);
	const struct index_touched *row;

	put_used(builder);
	if (builder->model->forgot)
		put_absent(builder);
	at->last_tsc = builder->last_tsc;
	at->touched_count = builder->touched.count - at->touched;
	for (u64 i = 0; i < at->touched_count; i++) {
		row = (const struct index_touched *)builder->touched.list + at->touched + i;
		builder->regions[row->region]->row = 0;
	}
}

/* --- decoders --------------------------------------------------------------------------------- */

/* Without memory for it, only seeking takes longer. */
void builder_begin_decoders(struct index_builder *builder)
{
	struct reader *const reader = builder->reader;

	builder->decoders = calloc(MAX(reader->track_count, 1u), sizeof(*builder->decoders));
	for (unsigned i = 0; builder->decoders && i < reader->track_count; i++)
		trace_decode_keep_base(reader->tracks[i].lane->decoder, &builder->decoders[i].base);
}

void builder_end_decoders(struct index_builder *builder)
{
	struct reader *const reader = builder->reader;

	for (unsigned i = 0; i < reader->track_count; i++) {
		trace_decode_keep_base(reader->tracks[i].lane->decoder, NULL);
		lane_use_states(reader->tracks[i].lane, NULL);
	}
	free(builder->decoders);
}

/* The @size bytes of the state at @n take the place of the older of the last two. */
static void keep_recent(struct index_decoder *decoder, struct lane *lane, u64 n, const u8 *bytes,
			size_t size)
{
	const struct lane_states states = { .list = decoder->recent,
					    .count = ARRAY_SIZE(decoder->recent),
					    .bytes = decoder->bytes[0],
					    .size = sizeof(decoder->bytes) };

	decoder->recent[0] = decoder->recent[1];
	memcpy(decoder->bytes[0], decoder->bytes[1], DECODE_STATE_MAX);
	memcpy(decoder->bytes[1], bytes, size);
	decoder->recent[0].at = 0;
	decoder->recent[1] = (struct lane_state){ .n = n, .at = DECODE_STATE_MAX };
	lane_use_states(lane, &states);
}

/* Of every other interval, and not right behind the start of a block. */
void builder_keep_decoder(struct index_builder *builder, unsigned i)
{
	struct lane *const lane = builder->reader->tracks[i].lane;
	const u64 share = builder->interval / builder->reader->track_count;
	const u64 n = lane_tell(lane);
	u8 bytes[DECODE_STATE_MAX];
	struct lane_state *row;
	size_t size;

	if (!builder->decoders || lane->done < share * 3 / 4 || n < builder->decoders[i].from)
		return;
	builder->decoders[i].from = n + share * 3 / 2;
	size = trace_decode_save(lane->decoder, bytes);
	if (size)
		keep_recent(&builder->decoders[i], lane, n, bytes, size);
	row = size ? add_rows(builder, &builder->states, 1, sizeof(*row)) : NULL;
	if (row)
		*row = (struct lane_state){ i, n, builder_put(builder, bytes, size) };
}
