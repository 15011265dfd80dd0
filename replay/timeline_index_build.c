/*
 * replay/timeline_index_build.c - the pass over a tape that makes its index
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "replay/event_writes.h"
#include "replay/timeline_index.h"
#include "trace/block.h"
#include "vmx/tables.h"

#define BUFFER	    MIB(1)
#define POLL_EVERY  16 /* intervals */
#define LAST_RIPS   256
#define REGION_HASH (2 * INDEX_MAX_REGIONS)

/* A VMCS by number. */
struct region {
	u64 pointer;
	u32 number;
	bool present;		   /* in the model, behind the last interval */
	struct model_region *base; /* what the record at @base_offset says; NULL: none yet */
	u64 base_offset;
	u64 base_size;
	u64 least;		      /* bytes of the smallest record since ... */
	u64 waste;		      /* ... and how much larger the others were, together */
	u64 last_row;		      /* of touched with a state + 1, 0: none */
	u64 row;		      /* of this interval + 1, 0: none */
	u64 value[VMCS_FIELD_COUNT];  /* what was last written, or shown by a key frame ... */
	u64 mask[VMCS_FIELD_COUNT];   /* ... of these bits */
	u64 partly[RECORD_SET_WORDS]; /* the last write was of a part of the field */
};

struct rows {
	void *list;
	u64 count;
	u64 room;
};

struct builder {
	struct reader *reader;
	struct model *model;
	FILE *file;
	u64 written; /* bytes */
	enum status status;
	u64 interval; /* events, about */
	size_t stride;
	struct rows intervals;
	struct rows touched;
	struct rows filters;
	struct rows tables; /* of INDEX_MAX_REGIONS at first: of those that there were */
	struct region *regions[INDEX_MAX_REGIONS];
	u32 region_count;
	u32 hash[REGION_HASH]; /* number + 1 */
	u32 last_region;       /* the one looked up last */
	bool unsure;
	u64 first; /* number of the first event of the interval */
	u64 entries;
	u64 last_tsc;
	u64 last_rips[LAST_RIPS];		     /* some that the filter has */
	struct model_cpu group_cpus[MODEL_MAX_CPUS]; /* at the begin of the group */
	u8 rest[RECORD_REST_MAX];		     /* the last record of that */
	size_t rest_size;
	u64 rest_offset;
};

static void *add_rows(struct builder *builder, struct rows *rows, u64 count, size_t size)
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

static struct index_interval *current(const struct builder *builder)
{
	return (struct index_interval *)((u64 *)builder->intervals.list +
					 (builder->intervals.count - 1) * builder->stride);
}

static u64 put(struct builder *builder, const void *bytes, size_t size)
{
	const u64 offset = builder->written;

	if (size && fwrite(bytes, 1, size, builder->file) != size)
		builder->status = ST_IO;
	builder->written += size;
	return offset;
}

/* --- VMCSs ------------------------------------------------------------------------------------ */

static struct region *add_region(struct builder *builder, u64 pointer, u64 slot)
{
	struct region *const region = calloc(1, sizeof(*region));

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

/* NULL where there are too many, or no memory. */
static struct region *region_of(struct builder *builder, u64 pointer)
{
	u64 slot = pointer * 0x9e3779b97f4a7c15ull >> 51;

	if (builder->region_count && builder->regions[builder->last_region]->pointer == pointer)
		return builder->regions[builder->last_region];
	for (; builder->hash[slot]; slot = (slot + 1) % REGION_HASH) {
		const u32 number = builder->hash[slot] - 1;

		if (builder->regions[number]->pointer != pointer)
			continue;
		builder->last_region = number;
		return builder->regions[number];
	}
	if (builder->region_count == INDEX_MAX_REGIONS) {
		current(builder)->flags |= INDEX_UNSURE;
		return NULL;
	}
	return add_region(builder, pointer, slot);
}

_Static_assert(REGION_HASH == 1 << 13, "slots are the upper 13 bits of a product");

/* The row of @region in this interval. */
static struct index_touched *row_of(struct builder *builder, struct region *region)
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

/* --- events ----------------------------------------------------------------------------------- */

/*
 * A key frame that repeats what was written says nothing to a history: but after a write of a part
 * of a field, it is what a later frame is compared with.
 */
static bool counts(struct region *region, const struct event_write *write, bool is_frame)
{
	const size_t word = (size_t)write->index / 64;
	const u64 bit = BIT(write->index % 64);
	const u64 all = vmcs_width_mask(vmcs_fields[write->index].width);
	const bool repeats = is_frame && region->mask[write->index] == all &&
			     region->value[write->index] == write->value &&
			     !(region->partly[word] & bit);

	region->value[write->index] = (region->value[write->index] & ~write->mask) | write->value;
	region->mask[write->index] |= write->mask;
	if (write->mask == all)
		region->partly[word] &= ~bit;
	else
		region->partly[word] |= bit;
	return !repeats;
}

static void take_writes(struct builder *builder, const struct trace_event *event)
{
	struct event_write writes[EVENT_MAX_WRITES];
	const bool is_frame = event->kind == EV_VMCS_IMAGE;
	struct index_touched *row;
	struct region *region;
	unsigned count;
	u64 vmcs;

	count = event_writes(event, &vmcs, writes);
	region = count ? region_of(builder, vmcs) : NULL;
	row = region ? row_of(builder, region) : NULL;
	/* Of a field that is there twice, the first counts, but both were told. */
	for (unsigned i = 0; row && i < count; i++)
		if (counts(region, &writes[i], is_frame))
			row->written[writes[i].index / 64] |= BIT(writes[i].index % 64);
}

static inline void take_rip(struct builder *builder, u64 rip)
{
	u64 *const last = &builder->last_rips[(rip ^ rip >> 8) % LAST_RIPS];

	if (likely(*last == rip))
		return;
	*last = rip;
	index_filter_add((struct index_filter *)builder->filters.list + builder->filters.count - 1,
			 rip);
}

static void take_gap(struct builder *builder)
{
	current(builder)->flags |= INDEX_GAP;
	for (u32 i = 0; i < builder->region_count; i++)
		memset(builder->regions[i]->mask, 0, sizeof(builder->regions[i]->mask));
}

static void take_reason(struct index_interval *at, u64 reason)
{
	const u64 basic = reason & ~BIT(31);

	at->reasons[MIN(basic, 127u) / 64] |= BIT(MIN(basic, 127u) % 64);
	at->flags |= reason & BIT(31) ? INDEX_FAILS : 0;
}

static void take_event(struct builder *builder, const struct trace_event *event)
{
	struct index_interval *const at = current(builder);
	const u64 outcome = ((const struct ev_insn *)event->col)->outcome;

	at->kinds |= block_kind(event->kind);
	builder->last_tsc = MAX(builder->last_tsc, event->tsc);
	take_rip(builder, event->rip);
	if (event->kind >= EV_VMXON && event->kind <= EV_CR_WRITE) {
		at->outcomes |= BIT(MIN(outcome, 63u));
		/* The most frequent kinds write nothing but an error. */
		if (likely(outcome == OUTCOME_SUCCEED && event->kind != EV_VMWRITE))
			return;
	}
	if (event->kind == EV_L2_ENTRY)
		builder->entries++;
	else if (event->kind == EV_L2_EXIT)
		take_reason(at, ((const struct ev_l2_exit *)event->col)->reason);
	else if (event->kind == EV_GAP)
		take_gap(builder);
	take_writes(builder, event);
}

/* --- states ----------------------------------------------------------------------------------- */

static void put_cpus(struct builder *builder, bool is_first)
{
	static const struct model_cpu none;
	u8 record[RECORD_CPU_MAX + 8], *end;

	current(builder)->cpus = builder->written;
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
static void put_rest(struct builder *builder)
{
	u8 record[RECORD_REST_MAX];
	const size_t size = (size_t)(record_rest(record, builder->model) - record);

	if (size != builder->rest_size || memcmp(record, builder->rest, size)) {
		memcpy(builder->rest, record, size);
		builder->rest_size = size;
		builder->rest_offset = put(builder, record, size);
	}
	current(builder)->rest = builder->rest_offset;
}

static void put_table(struct builder *builder)
{
	u32 *const table = add_rows(builder, &builder->tables, INDEX_MAX_REGIONS, sizeof(*table));

	for (u32 i = 0; table && i < INDEX_MAX_REGIONS; i++)
		table[i] = i < builder->region_count ? (u32)builder->regions[i]->last_row : 0;
}

static void begin_interval(struct builder *builder)
{
	const bool is_first = builder->intervals.count % INDEX_GROUP == 0;
	u64 *const made = add_rows(builder, &builder->intervals, 1, builder->stride * sizeof(u64));
	void *const filter = add_rows(builder, &builder->filters, 1, sizeof(struct index_filter));

	if (!made || !filter)
		return;
	memset(made, 0, builder->stride * sizeof(u64));
	memset(filter, 0, sizeof(struct index_filter));
	index_filter_add(filter, 0);
	reader_mark(builder->reader, current(builder)->mark);
	current(builder)->entries = builder->entries;
	current(builder)->touched = builder->touched.count;
	builder->first = current(builder)->mark[0];
	memset(builder->last_rips, 0, sizeof(builder->last_rips));
	if (is_first)
		put_table(builder);
	put_rest(builder);
	put_cpus(builder, is_first);
}

/* The state of @from as few bytes: what differs from its base, or a new base. */
static void put_region(struct builder *builder, struct region *region, struct index_touched *row,
		       const struct model_region *from)
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

static void put_used(struct builder *builder)
{
	const struct model_region *from;
	size_t at = 0;

	while ((from = model_next_region(builder->model, &at)) && builder->status == ST_OK) {
		struct index_touched *row;
		struct region *region;

		if (from->used < builder->first)
			continue;
		region = region_of(builder, from->pointer);
		row = region ? row_of(builder, region) : NULL;
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
static void put_absent(struct builder *builder)
{
	for (u32 i = 0; i < builder->region_count; i++) {
		struct region *const region = builder->regions[i];
		struct index_touched *row;

		if (!region->present || model_region(builder->model, region->pointer))
			continue;
		row = row_of(builder, region);
		if (!row)
			return;
		row->record = INDEX_ABSENT;
		region->present = false;
		region->last_row = region->row;
	}
}

static void end_interval(struct builder *builder)
{
	struct index_interval *const at = current(builder);
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

static struct region **sort_of; /* for qsort() */

static int compare_regions(const void *a, const void *b)
{
	const u64 left = sort_of[*(const u32 *)a]->pointer;
	const u64 right = sort_of[*(const u32 *)b]->pointer;

	return left < right ? -1 : left > right;
}

/* Numbers of regions become those of their order by pointer, in which they are written. */
static void put_regions(struct builder *builder)
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
static u32 crc_of_body(struct builder *builder, int fd)
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

static void put_file(struct builder *builder, int fd)
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

/* --- the pass --------------------------------------------------------------------------------- */

static void pass(struct builder *builder, const struct index_poll *poll)
{
	struct reader *const reader = builder->reader;
	const u64 events = reader_info(reader)->events;
	const struct trace_event *event;
	u64 n = 0;

	builder->status = reader_seek(reader, 0);
	begin_interval(builder);
	while (builder->status == ST_OK) {
		n = reader_tell(reader);
		if (n - builder->first >= builder->interval) {
			end_interval(builder);
			if (builder->status == ST_OK)
				begin_interval(builder);
			if (builder->intervals.count % POLL_EVERY == 0 && poll->ask &&
			    poll->ask(poll->owner, n, events))
				builder->status = ST_INTERRUPTED;
			if (builder->status != ST_OK)
				return;
		}
		if (reader_next(reader, &event) != ST_OK)
			break;
		take_event(builder, event);
		if (builder->status == ST_OK)
			builder->status = model_step(builder->model, event, n);
	}
	if (builder->status == ST_OK)
		end_interval(builder);
}

static void free_builder(struct builder *builder)
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
	struct builder *const builder = calloc(1, sizeof(*builder));
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
		pass(builder, poll);
		if (builder->status == ST_OK)
			put_file(builder, fd);
	} else {
		builder->status = ST_NO_MEMORY;
	}
	status = builder->status;
	free_builder(builder);
	return status;
}
