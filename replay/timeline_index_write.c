/*
 * replay/timeline_index_write.c - an index becomes a file
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "replay/timeline_index_parts.h"

#define BUFFER	    MIB(1)
#define STATE_WORTH 16 /* of them in an interval */

static struct index_region **sort_of; /* for qsort() */

static int compare_regions(const void *a, const void *b)
{
	const u64 left = sort_of[*(const u32 *)a]->pointer;
	const u64 right = sort_of[*(const u32 *)b]->pointer;

	return left < right ? -1 : left > right;
}

static int compare_states(const void *a, const void *b)
{
	const struct lane_state *const x = a, *const y = b;

	if (x->track != y->track)
		return x->track < y->track ? -1 : 1;
	return x->n < y->n ? -1 : x->n > y->n;
}

static void put_states(struct index_builder *builder)
{
	struct lane_state *const list = builder->states.list;

	if (!list)
		return;
	qsort(list, builder->states.count, sizeof(*list), compare_states);
	builder_put(builder, list, builder->states.count * sizeof(*list));
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
	builder_put(builder, touched, builder->touched.count * sizeof(*touched));
	for (u32 i = 0; i < count; i++)
		builder_put(builder, &builder->regions[order[i]]->pointer, sizeof(u64));
	put_states(builder);
	builder_put(builder, builder->filters.list,
		    builder->filters.count * sizeof(struct index_filter));
	for (u64 i = 0; i < builder->tables.count; i += INDEX_MAX_REGIONS)
		for (u32 k = 0; k < count; k++)
			builder_put(builder, (const u32 *)builder->tables.list + i + order[k],
				    sizeof(u32));
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

	builder_put(builder, zeros, ALIGN_UP(builder->written, 8) - builder->written);
	head.records_end = builder->written;
	builder_put(builder, builder->intervals.list,
		    builder->intervals.count * builder->stride * sizeof(u64));
	put_regions(builder);
	builder_put(builder, zeros, ALIGN_UP(builder->written, 8) - builder->written);
	if (fflush(builder->file))
		builder->status = ST_IO;
	index_head_fill(&head, builder->reader);
	head.count = builder->intervals.count;
	head.touched_count = builder->touched.count;
	head.region_count = builder->region_count;
	head.state_count = builder->states.count;
	head.state_worth = builder->interval / STATE_WORTH;
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
	free(builder->states.list);
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
		builder_put(builder, &head, sizeof(head));
		builder_begin_decoders(builder);
		index_pass(builder, poll);
		builder_end_decoders(builder);
		if (builder->status == ST_OK)
			put_file(builder, fd);
	} else {
		builder->status = ST_NO_MEMORY;
	}
	status = builder->status;
	free_builder(builder);
	return status;
}
