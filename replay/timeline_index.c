#include "replay/timeline_index.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "base/crc32c.h"

/* A CRC of the sources that decide what an index holds, made by the Makefile. */
#ifndef MODEL_SUM
#define MODEL_SUM 0
#endif

#define PAGES_OF_RANGE 64 /* a longer range may be anywhere */

/* Headers don't tell of damage behind them, but whoever changes a file changes its time. */
static u64 tape_time(const struct reader *reader)
{
	struct stat status;

	if (stat(reader_info(reader)->path, &status))
		return 0;
	return (u64)status.st_mtim.tv_sec * 1000000000 + (u64)status.st_mtim.tv_nsec;
}

void index_head_fill(struct index_head *head, const struct reader *reader)
{
	head->magic = INDEX_MAGIC;
	head->build = MODEL_SUM;
	head->tape_size = reader_info(reader)->bytes;
	head->tape_time = tape_time(reader);
	head->tape_crc = reader_fingerprint(reader);
	head->events = reader_info(reader)->events;
	head->mark_words = reader_mark_words(reader);
}

/* --- loading ---------------------------------------------------------------------------------- */

/* Takes @count rows of @size bytes at *@at, up to the end of the file. */
static const void *take_rows(const struct timeline_index *index, u64 *at, u64 count, size_t size)
{
	const void *const rows = index->bytes + *at;

	if (*at > index->size || count > (index->size - *at) / size)
		return NULL;
	*at += count * size;
	return rows;
}

static bool take_sections(struct timeline_index *index, const struct index_head *head)
{
	u64 at = head->records_end, groups;

	if (at < sizeof(*head) || !IS_ALIGNED(at, sizeof(u64)) || !head->count ||
	    head->mark_words > index->size || head->region_count > INDEX_MAX_REGIONS)
		return false;
	groups = (head->count - 1) / INDEX_GROUP + 1;
	index->count = head->count;
	index->records_end = at;
	index->touched_count = head->touched_count;
	index->region_count = head->region_count;
	index->stride = sizeof(struct index_interval) / sizeof(u64) + head->mark_words;
	index->intervals = take_rows(index, &at, head->count, index->stride * sizeof(u64));
	index->touched = index->intervals ? take_rows(index, &at, head->touched_count,
						      sizeof(*index->touched))
					  : NULL;
	index->pointers =
		index->touched ? take_rows(index, &at, head->region_count, sizeof(u64)) : NULL;
	index->states.count = head->state_count;
	index->states.worth = head->state_worth;
	index->states.bytes = index->bytes;
	index->states.size = head->records_end;
	index->states.list = index->pointers ? take_rows(index, &at, head->state_count,
							 sizeof(*index->states.list))
					     : NULL;
	index->filters = index->states.list
				 ? take_rows(index, &at, head->count, sizeof(*index->filters))
				 : NULL;
	index->tables = index->filters
				? take_rows(index, &at, groups * head->region_count, sizeof(u32))
				: NULL;
	return index->tables && at <= index->size && index->size - at < sizeof(u64);
}

static bool states_make_sense(const struct lane_states *states)
{
	for (size_t i = 0; i < states->count; i++) {
		const struct lane_state *const at = &states->list[i];

		if (at->at > states->size ||
		    (i && (at->track < at[-1].track ||
			   (at->track == at[-1].track && at->n <= at[-1].n))))
			return false;
	}
	return true;
}

/* Rows and numbers that others are found by. */
static bool makes_sense(const struct timeline_index *index)
{
	const u64 groups = (index->count - 1) / INDEX_GROUP + 1;

	for (u64 i = 0; i < index->count; i++) {
		const struct index_interval *const at = index_at(index, i);

		if (at->touched > index->touched_count ||
		    at->touched_count > index->touched_count - at->touched ||
		    at->mark[0] < (i ? index_at(index, i - 1)->mark[0] + 1 : 0) ||
		    (!i && at->mark[0]))
			return false;
	}
	for (u64 i = 0; i < index->touched_count; i++)
		if (index->touched[i].region >= index->region_count)
			return false;
	for (u64 i = 1; i < index->region_count; i++)
		if (index->pointers[i] <= index->pointers[i - 1])
			return false;
	for (u64 i = 0; i < groups * index->region_count; i++)
		if (index->tables[i] > index->touched_count)
			return false;
	return states_make_sense(&index->states);
}

static bool is_valid(struct timeline_index *index, struct reader *reader)
{
	struct index_head head, expected = { 0 };

	if (index->size < sizeof(head))
		return false;
	memcpy(&head, index->bytes, sizeof(head));
	index_head_fill(&expected, reader);
	return !memcmp(&head, &expected, offsetof(struct index_head, records_end)) &&
	       head.size == index->size &&
	       head.head_crc == crc32c(0, &head, offsetof(struct index_head, head_crc)) &&
	       head.body_crc ==
		       crc32c(0, index->bytes + sizeof(head), index->size - sizeof(head)) &&
	       take_sections(index, &head) && makes_sense(index);
}

enum status index_load(struct timeline_index *index, struct reader *reader, int fd)
{
	struct stat stat;
	void *bytes;

	*index = (struct timeline_index){ 0 };
	if (fstat(fd, &stat) || stat.st_size < (off_t)sizeof(struct index_head))
		return ST_INVALID;
	bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return ST_INVALID;
	index->bytes = bytes;
	index->size = (size_t)stat.st_size;
	if (is_valid(index, reader))
		return ST_OK;
	index_unload(index);
	return ST_INVALID;
}

void index_unload(struct timeline_index *index)
{
	if (index->bytes)
		munmap((void *)index->bytes, index->size);
	*index = (struct timeline_index){ 0 };
}

/* --- questions -------------------------------------------------------------------------------- */

u64 index_find(const struct timeline_index *index, u64 n)
{
	u64 low = 0, high = index->count;

	while (high - low > 1) {
		const u64 middle = (low + high) / 2;

		if (index_at(index, middle)->mark[0] > n)
			high = middle;
		else
			low = middle;
	}
	return low;
}

u64 index_begin(const struct timeline_index *index, u64 i, u64 events)
{
	return i < index->count ? index_at(index, i)->mark[0] : events;
}

bool index_region(const struct timeline_index *index, u64 pointer, u32 *region)
{
	u64 low = 0, high = index->region_count;

	while (low < high) {
		const u64 middle = (low + high) / 2;

		if (index->pointers[middle] < pointer)
			low = middle + 1;
		else
			high = middle;
	}
	*region = (u32)low;
	return low < index->region_count && index->pointers[low] == pointer;
}

/* Pages have bits of their own, so that ranges can be asked for. */
#define PAGE_OF(rip) (~((rip) >> 12))

static unsigned first_bit(u64 key)
{
	return (unsigned)(key * 0x9e3779b97f4a7c15ull >> 53);
}

static unsigned second_bit(u64 key)
{
	return (unsigned)(key * 0xd6e8feb86659fd93ull >> 53);
}

static void add_key(struct index_filter *filter, u64 key)
{
	const unsigned a = first_bit(key), b = second_bit(key);

	filter->bits[a / 64] |= BIT(a % 64);
	filter->bits[b / 64] |= BIT(b % 64);
}

static bool has_key(const struct index_filter *filter, u64 key)
{
	const unsigned a = first_bit(key), b = second_bit(key);

	return filter->bits[a / 64] >> (a % 64) & filter->bits[b / 64] >> (b % 64) & 1;
}

void index_filter_add(struct index_filter *filter, u64 rip)
{
	add_key(filter, rip);
	add_key(filter, PAGE_OF(rip));
}

bool index_may_have_rip(const struct timeline_index *index, u64 i, u64 rip)
{
	return has_key(&index->filters[i], rip);
}

bool index_may_have_range(const struct timeline_index *index, u64 i, u64 address, u64 end)
{
	const u64 first = address >> 12, last = (end - 1) >> 12;

	if (last - first >= PAGES_OF_RANGE)
		return true;
	for (u64 page = first; page <= last; page++)
		if (has_key(&index->filters[i], ~page))
			return true;
	return false;
}

bool index_may_write(const struct timeline_index *index, u64 i, const u32 *region, int field)
{
	const struct index_interval *const at = index_at(index, i);

	if (at->flags & (INDEX_GAP | INDEX_UNSURE))
		return true;
	for (u64 k = 0; k < at->touched_count; k++) {
		const struct index_touched *const touched = &index->touched[at->touched + k];

		if ((!region || touched->region == *region) &&
		    touched->written[field / 64] >> (field % 64) & 1)
			return true;
	}
	return false;
}
