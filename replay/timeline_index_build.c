/*
 * replay/timeline_index_build.c - an index is put together, and written
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "replay/timeline_index_parts.h"

#define BUFFER MIB(1)

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

static u64 put(struct index_builder *builder, const void *bytes, size_t size)
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
		put(builder, record, (size_t)(end - record));
	}
	put(builder, "", 1);
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
		builder->rest_offset = put(builder, record, size);
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
			row->record = put(builder, record, size);
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
	region->least = ~0ull;
	region->waste = 0;
	region->base_size = (size_t)(record_region(record, from, &none) - record);
	region->base_offset = put(builder, record, region->base_size);
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

/* --- the file --------------------------------------------------------------------------------- */

static struct index_region **sort_of; /* for qsort() */

static int compare_regions(const void *a, const void *b)
{
	const u64 left = sort_of[*(const u32 *)a]->pointer;
	const u64 right = sort_of[*(const u32 *)b]->pointer;

	return left < right ? -1 : left > right;
}

/* Numbers of regions become those of their order by pointer, in which they are written. */
static void put_regions(struct index_builder *builder)
{
	const u32 count = builder->region_count;
	u32 order[INDEX_MAX_REGIONS] = { 0 }, rank[INDEX_MAX_REGIONS] = { 0 };
	struct index_touched *const touched = builder->touched.list;

	for (u32 i = 0; i < count; i++)
		order[i] = i;
	sort_of = builder->regions;
	qsort(order, count, sizeof(*order), compare_regions);
	for (u32 i = 0; i < count; i++)
		rank[order[i]] = i;
	for (u64 i = 0; i < builder->touched.count; i++)
		touched[i].region = rank[touched[i].region];
	put(builder, touched, builder->touched.count * sizeof(*touched));
	for (u32 i = 0; i < count; i++)
		put(builder, &builder->regions[order[i]]->pointer, sizeof(u64));
	put(builder, builder->filters.list, builder->filters.count * sizeof(struct index_filter));
	for (u64 i = 0; i < builder->tables.count; i += INDEX_MAX_REGIONS)
		for (u32 k = 0; k < count; k++)
			put(builder, (const u32 *)builder->tables.list + i + order[k], sizeof(u32));
}

/* The CRC of what was written behind the head. */
static u32 crc_of_body(struct index_builder *builder, int fd)
{
	u8 *const buffer = malloc(BUFFER);
	u64 at = sizeof(struct index_head);
	u32 crc = 0;

	if (!buffer) {
		builder->status = ST_NO_MEMORY;
		return 0;
	}
	while (at < builder->written) {
		const ssize_t got = pread(fd, buffer, BUFFER, (off_t)at);

		if (got <= 0) {
			builder->status = ST_IO;
			break;
		}
		crc = crc32c(crc, buffer, (size_t)got);
		at += (u64)got;
	}
	free(buffer);
	return crc;
}

static void put_file(struct index_builder *builder, int fd)
{
	struct index_head head = { 0 };
	static const u8 zeros[8];

	put(builder, zeros, ALIGN_UP(builder->written, 8) - builder->written);
	head.records_end = builder->written;
	put(builder, builder->intervals.list,
	    builder->intervals.count * builder->stride * sizeof(u64));
	put_regions(builder);
	put(builder, zeros, ALIGN_UP(builder->written, 8) - builder->written);
	if (fflush(builder->file))
		builder->status = ST_IO;
	index_head_fill(&head, builder->reader);
	head.count = builder->intervals.count;
	head.touched_count = builder->touched.count;
	head.region_count = builder->region_count;
	head.size = builder->written;
	head.body_crc = crc_of_body(builder, fd);
	head.head_crc = crc32c(0, &head, offsetof(struct index_head, head_crc));
	if (builder->status == ST_OK && pwrite(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head))
		builder->status = ST_IO;
}

static void free_builder(struct index_builder *builder)
{
	for (u32 i = 0; i < builder->region_count; i++) {
		free(builder->regions[i]->base);
		free(builder->regions[i]);
	}
	if (builder->file)
		fclose(builder->file);
	free(builder->intervals.list);
	free(builder->touched.list);
	free(builder->filters.list);
	free(builder->tables.list);
	model_free(builder->model);
	free(builder);
}

enum status index_build(struct reader *reader, int fd, u64 interval, const struct index_poll *poll)
{
	struct index_builder *const builder = calloc(1, sizeof(*builder));
	static const struct index_head head;
	const int copy = dup(fd);
	enum status status;

	if (!builder || copy < 0) {
		free(builder);
		return ST_NO_MEMORY;
	}
	builder->reader = reader;
	builder->interval = interval;
	builder->stride = sizeof(struct index_interval) / sizeof(u64) + reader_mark_words(reader);
	builder->model = model_new();
	builder->file = fdopen(copy, "wb");
	if (builder->model && builder->file) {
		put(builder, &head, sizeof(head));
		index_pass(builder, poll);
		if (builder->status == ST_OK)
			put_file(builder, fd);
	} else {
		builder->status = ST_NO_MEMORY;
	}
	status = builder->status;
	free_builder(builder);
	return status;
}
