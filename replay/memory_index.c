#include "replay/memory_index.h"

#include <stdlib.h>
#include <string.h>

#include "replay/array.h"

#define PAGE_WORDS  (MEMORY_PAGE / RAM_WORD)
#define LEAST_CHUNK 4096 /* events */
#define MAX_CHUNKS  4096 /* on a longer tape, chunks are longer */
#define CHUNKS_KEPT 8
#define PAGES_KEPT  16 /* that page events name without having them */
#define FIRST_SLOTS 256
#define POLL_EVERY  65536
#define NO_CHUNK    (~0ull)

/* Which words of a page a chunk tells. */
struct told {
	u32 chunk;
	u64 words[PAGE_WORDS / 64];
};

struct page {
	u64 address; /* | level; 0: the slot is free, for levels begin with 1 */
	struct told *told;
	u32 count, room;
};

/* A run of bytes that a chunk tells. */
struct piece {
	u64 n;
	u64 address;
	u64 since;
	u32 size;
	u32 offset; /* in struct chunk.bytes */
	u16 cpu;
	u8 level;
	bool here; /* @offset is used, not @since */
};

struct chunk {
	u64 number;
	u64 used;
	struct piece *pieces;
	size_t count, room;
	u8 *bytes;
	size_t size, bytes_room;
};

/* The bytes of a page event that others name. */
struct named_page {
	u64 used;
	u64 seq;
	u64 address;
	u16 cpu;
	bool found;
	u8 bytes[MEMORY_PAGE];
};

struct memory_index {
	struct reader *reader;
	u64 chunk_size;
	struct page *pages; /* open addressing */
	size_t page_count, slots;
	u64 *gaps; /* numbers of gap events */
	size_t gap_count, gap_room;
	u64 clock;
	struct chunk chunks[CHUNKS_KEPT];
	struct named_page named[PAGES_KEPT];
};

/* --- The pages -------------------------------------------------------------------------------- */

static struct page *find_slot(struct page *pages, size_t slots, u64 address)
{
	size_t slot = (size_t)((address * 0x9e3779b97f4a7c15ull) >> 32) & (slots - 1);

	while (pages[slot].address && pages[slot].address != address)
		slot = (slot + 1) & (slots - 1);
	return &pages[slot];
}

static bool more_slots(struct memory_index *index)
{
	const size_t slots = index->slots ? 2 * index->slots : FIRST_SLOTS;
	struct page *const pages = calloc(slots, sizeof(*pages));

	if (!pages)
		return false;
	for (size_t i = 0; i < index->slots; i++)
		if (index->pages[i].address)
			*find_slot(pages, slots, index->pages[i].address) = index->pages[i];
	free(index->pages);
	index->pages = pages;
	index->slots = slots;
	return true;
}

static struct told *told_of(struct memory_index *index, u64 address, u32 chunk)
{
	struct page *page;

	if (2 * index->page_count >= index->slots && !more_slots(index))
		return NULL;
	page = find_slot(index->pages, index->slots, address);
	if (!page->address) {
		page->address = address;
		index->page_count++;
	}
	if (page->count && page->told[page->count - 1].chunk == chunk)
		return &page->told[page->count - 1];
	if (page->count == page->room) {
		const u32 room = page->room ? 2 * page->room : 4;
		struct told *const told = realloc(page->told, room * sizeof(*told));

		if (!told)
			return NULL;
		page->told = told;
		page->room = room;
	}
	page->told[page->count] = (struct told){ .chunk = chunk };
	return &page->told[page->count++];
}

static enum status note_piece(struct memory_index *index, const struct memory_piece *piece, u64 n)
{
	const u32 chunk = (u32)(n / index->chunk_size);
	const u64 last = ALIGN_DOWN(piece->address + piece->size, (u64)RAM_WORD);
	u64 at = ALIGN_UP(piece->address, (u64)RAM_WORD);

	while (at < last) {
		const u64 page = at & ~(u64)(MEMORY_PAGE - 1);
		const u64 end = MIN(last, page + MEMORY_PAGE);
		struct told *const told = told_of(index, page | piece->level, chunk);

		if (!told)
			return ST_NO_MEMORY;
		for (; at < end; at += RAM_WORD)
			told->words[(at - page) / RAM_WORD / 64] |=
				BIT((at - page) / RAM_WORD % 64);
	}
	return ST_OK;
}

static enum status note_gap(struct memory_index *index, u64 n)
{
	if (!array_reserve(&index->gaps, &index->gap_room, index->gap_count, 1,
			   sizeof(*index->gaps)))
		return ST_NO_MEMORY;
	index->gaps[index->gap_count++] = n;
	return ST_OK;
}

static enum status note_event(struct memory_index *index, const struct trace_event *event, u64 n)
{
	struct memory_pieces pieces = memory_event_pieces(event);
	struct memory_piece piece;
	enum status status = ST_OK;

	while (status == ST_OK && memory_event_next(&pieces, &piece))
		status = note_piece(index, &piece, n);
	return status;
}

static enum status read_tape(struct memory_index *index,
			     bool (*poll)(void *owner, u64 done, u64 total), void *owner)
{
	struct reader *const reader = index->reader;
	const u64 total = reader_info(reader)->events;
	const struct trace_event *event;
	enum status status = reader_seek(reader, 0);

	for (u64 i = 1; status == ST_OK; i++) {
		const u64 n = reader_tell(reader);

		if (reader_next(reader, &event) != ST_OK)
			break;
		if (memory_event_is(event))
			status = note_event(index, event, n);
		else if (event->kind == EV_GAP)
			status = note_gap(index, n);
		if (i % POLL_EVERY == 0 && status == ST_OK && poll && poll(owner, n, total))
			status = ST_INTERRUPTED;
	}
	return status;
}

enum status memory_index_new(struct reader *reader, bool (*poll)(void *owner, u64 done, u64 total),
			     void *owner, struct memory_index **index)
{
	struct memory_index *const made = calloc(1, sizeof(*made));
	enum status status = ST_OK;

	*index = NULL;
	if (!made)
		return ST_NO_MEMORY;
	made->reader = reader;
	made->chunk_size = MAX(LEAST_CHUNK, reader_info(reader)->events / MAX_CHUNKS + 1);
	for (unsigned i = 0; i < CHUNKS_KEPT; i++)
		made->chunks[i].number = NO_CHUNK;
	if (reader_has(reader, EV_RAM) || reader_has(reader, EV_PAGE))
		status = read_tape(made, poll, owner);
	if (status != ST_OK) {
		memory_index_free(made);
		return status;
	}
	*index = made;
	return ST_OK;
}

void memory_index_free(struct memory_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; i < index->slots; i++)
		free(index->pages[i].told);
	for (unsigned i = 0; i < CHUNKS_KEPT; i++) {
		free(index->chunks[i].pieces);
		free(index->chunks[i].bytes);
	}
	free(index->pages);
	free(index->gaps);
	free(index);
}

bool memory_index_any(const struct memory_index *index)
{
	return index->page_count;
}

/* --- The bytes -------------------------------------------------------------------------------- */

static bool keep_piece(struct chunk *chunk, const struct memory_piece *piece, u64 n, u16 cpu)
{
	struct piece *kept;

	if (piece->bytes &&
	    !array_reserve(&chunk->bytes, &chunk->bytes_room, chunk->size, piece->size, 1))
		return false;
	if (!array_reserve(&chunk->pieces, &chunk->room, chunk->count, 1, sizeof(*chunk->pieces)))
		return false;
	kept = &chunk->pieces[chunk->count++];
	*kept = (struct piece){ .n = n,
				.address = piece->address,
				.since = piece->since,
				.size = piece->size,
				.offset = (u32)chunk->size,
				.cpu = cpu,
				.level = piece->level,
				.here = piece->bytes };
	if (piece->bytes) {
		memcpy(chunk->bytes + chunk->size, piece->bytes, piece->size);
		chunk->size += piece->size;
	}
	return true;
}

static bool read_chunk(struct memory_index *index, struct chunk *chunk, u64 number)
{
	struct reader *const reader = index->reader;
	const u64 end = (number + 1) * index->chunk_size;
	const struct trace_event *event;
	u64 n;

	chunk->number = number;
	chunk->count = chunk->size = 0;
	if (reader_seek(reader, number * index->chunk_size) != ST_OK)
		return false;
	while ((n = reader_tell(reader)) < end && reader_next(reader, &event) == ST_OK) {
		struct memory_pieces pieces = memory_event_pieces(event);
		struct memory_piece piece;

		while (memory_event_next(&pieces, &piece))
			if (!keep_piece(chunk, &piece, n, event->cpu))
				return false;
	}
	return true;
}

static struct chunk *get_chunk(struct memory_index *index, u64 number)
{
	struct chunk *chunk = &index->chunks[0];

	for (unsigned i = 0; i < CHUNKS_KEPT; i++) {
		if (index->chunks[i].number == number) {
			chunk = &index->chunks[i];
			break;
		}
		if (index->chunks[i].used < chunk->used)
			chunk = &index->chunks[i];
	}
	if (chunk->number != number && !read_chunk(index, chunk, number)) {
		chunk->number = NO_CHUNK;
		return NULL;
	}
	chunk->used = ++index->clock;
	return chunk;
}

static void read_named(struct memory_index *index, struct named_page *page)
{
	const struct trace_event *event;
	struct memory_pieces pieces;
	struct memory_piece piece;
	u64 n;

	page->found = false;
	if (reader_find(index->reader, page->cpu, page->seq, &n) != ST_OK ||
	    reader_seek(index->reader, n) != ST_OK || reader_next(index->reader, &event) != ST_OK ||
	    event->kind != EV_PAGE || event->seq != page->seq)
		return;
	pieces = memory_event_pieces(event);
	if (!memory_event_next(&pieces, &piece) || !piece.bytes || piece.size != MEMORY_PAGE ||
	    piece.address != page->address)
		return;
	memcpy(page->bytes, piece.bytes, MEMORY_PAGE);
	page->found = true;
}

/* The bytes of the page event that @piece names; NULL when it is not there. */
static const u8 *named_bytes(struct memory_index *index, const struct piece *piece)
{
	struct named_page *page = &index->named[0];

	if (!piece->since)
		return NULL;
	for (unsigned i = 0; i < PAGES_KEPT; i++) {
		struct named_page *const named = &index->named[i];

		if (named->used && named->seq == piece->since - 1 && named->cpu == piece->cpu &&
		    named->address == piece->address) {
			named->used = ++index->clock;
			return named->found ? named->bytes : NULL;
		}
		if (named->used < page->used)
			page = named;
	}
	page->used = ++index->clock;
	page->seq = piece->since - 1;
	page->cpu = piece->cpu;
	page->address = piece->address;
	read_named(index, page);
	return page->found ? page->bytes : NULL;
}

/* The first number that is known of before @n: behind the last gap. */
static u64 knowledge_begins(const struct memory_index *index, u64 n)
{
	const size_t before = array_below(index->gaps, index->gap_count, n);

	return before ? index->gaps[before - 1] : 0;
}

/* The last piece before @n in @chunk with the word at @address; NULL: none. */
static const struct piece *find_piece(const struct chunk *chunk, u64 n, unsigned level, u64 address)
{
	for (size_t i = chunk->count; i-- > 0;) {
		const struct piece *const piece = &chunk->pieces[i];

		if (piece->n < n && piece->level == level && address >= piece->address &&
		    address + RAM_WORD <= piece->address + piece->size)
			return piece;
	}
	return NULL;
}

/* How many of the chunks that tell @page begin before event @n. */
static u32 chunks_before(const struct memory_index *index, const struct page *page, u64 n)
{
	u32 low = 0, high = page->count;

	while (low < high) {
		const u32 middle = low + (high - low) / 2;

		if (page->told[middle].chunk * index->chunk_size < n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The word at @address, a multiple of RAM_WORD. */
static bool read_word(struct memory_index *index, u64 n, unsigned level, u64 address, u8 *to,
		      u64 *seen)
{
	const u64 in_page = address % MEMORY_PAGE / RAM_WORD;
	const struct page *page;
	const u64 first = knowledge_begins(index, n);

	if (!index->slots)
		return false;
	page = find_slot(index->pages, index->slots, (address - address % MEMORY_PAGE) | level);
	for (u32 i = chunks_before(index, page, n); i-- > 0;) {
		const struct told *const told = &page->told[i];
		const struct piece *piece;
		const struct chunk *chunk;
		const u8 *bytes;

		if (!(told->words[in_page / 64] >> in_page % 64 & 1))
			continue;
		if ((told->chunk + 1) * index->chunk_size <= first)
			return false;
		chunk = get_chunk(index, told->chunk);
		piece = chunk ? find_piece(chunk, n, level, address) : NULL;
		if (!piece)
			continue;
		if (piece->n < first)
			return false;
		bytes = piece->here ? chunk->bytes + piece->offset : named_bytes(index, piece);
		if (!bytes)
			return false;
		memcpy(to, bytes + (address - piece->address), RAM_WORD);
		*seen = MIN(*seen, piece->n);
		return true;
	}
	return false;
}

size_t memory_index_read(struct memory_index *index, u64 n, unsigned level, u64 address, void *to,
			 size_t size, u64 *seen)
{
	u64 oldest = MEMORY_NEVER;
	size_t done = 0;

	while (done < size && address + done < RAM_END) {
		const u64 word = (address + done) & ~(u64)(RAM_WORD - 1);
		const size_t skip = (size_t)(address + done - word);
		const size_t part = MIN(size - done, RAM_WORD - skip);
		u8 bytes[RAM_WORD];

		if (!read_word(index, n, level, word, bytes, &oldest))
			break;
		memcpy((u8 *)to + done, bytes + skip, part);
		done += part;
	}
	if (seen)
		*seen = oldest;
	return done;
}
