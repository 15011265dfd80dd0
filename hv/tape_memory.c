#include "hv/tape_memory.h"

#include "hv/guestmem.h"
#include "hv/mem.h"
#include "recorder/emit.h"

#define LINE_SIZE	 64
#define LINE_WORDS	 (LINE_SIZE / RAM_WORD)
#define LINES		 1024
#define PAGES		 8
#define PAGE_WORDS	 (PAGE_SIZE / RAM_WORD)

/* Blocks after which a page is recorded again, so that a tape that lost its beginning has it. */
#define MAX_PAGE_AGE	 32

/* Where more words than this differ, the page is recorded whole. */
#define MAX_PAGE_CHANGES 64

struct tape_memory_line {
	u64 gpa1;
	u32 block;
	u8 held; /* words: bit n word n */
	u64 word[LINE_WORDS];
};

struct page {
	u64 gpa1;
	u64 used;	 /* of struct tape_memory.clock; 0: free */
	u64 seq;	 /* of the page event with the bytes */
	u32 bytes_block; /* that it is in */
	u32 block;	 /* the last that says what the page holds */
	bool changed;	 /* by ram events since */
	u64 *word;
};

struct tape_memory {
	u32 block;
	u64 clock;
	struct tape_memory_place place;
	struct tape_memory_way *way; /* that is being made, or NULL */
	struct ram_writer writer;
	u8 bytes[TRACE_MAX_BYTES];
	struct tape_memory_line line[LINES];
	struct page page[PAGES];
	u64 copies[PAGES][PAGE_WORDS];
};

size_t tape_memory_size(void)
{
	return sizeof(struct tape_memory);
}

struct tape_memory *tape_memory_init(void *memory)
{
	struct tape_memory *const tape = memory;

	tape->block = 1; /* lines and pages are of block 0: not held */
	tape->writer.to = tape->bytes;
	for (unsigned i = 0; i < PAGES; i++)
		tape->page[i].word = tape->copies[i];
	return tape;
}

void tape_memory_new_block(struct tape_memory *memory)
{
	memory->block++;
}

u32 tape_memory_block(const struct tape_memory *memory)
{
	return memory->block;
}

void tape_memory_begin(struct tape_memory *memory, const struct tape_memory_place *place)
{
	memory->place = *place;
}

void tape_memory_end(struct percpu *cpu, struct tape_memory *memory)
{
	const struct ev_ram columns = { .level = 1 };

	if (!memory->writer.size)
		return;
	rec_emit(cpu->rec, &(struct trace_event){
				   .kind = EV_RAM,
				   .level = memory->place.level,
				   .tsc = memory->place.tsc,
				   .rip = memory->place.rip,
				   .col = (const u64 *)&columns,
				   .bytes = memory->bytes,
				   .byte_count = memory->writer.size,
			   });
	memory->writer = (struct ram_writer){ .to = memory->bytes };
}

/* --- Words ------------------------------------------------------------------------------------ */

static void put_run(struct percpu *cpu, struct tape_memory *memory, u64 gpa1, const u64 *words,
		    u32 count)
{
	if (memory->writer.size + RAM_RUN_OVERHEAD + count * RAM_WORD > sizeof(memory->bytes))
		tape_memory_end(cpu, memory);
	ram_put(&memory->writer, gpa1, words, count);
}

/* The page that remembers what is at @gpa1; NULL: none does. */
static struct page *page_with(struct tape_memory *memory, u64 gpa1)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (memory->page[i].used && memory->page[i].gpa1 == (gpa1 & ~(PAGE_SIZE - 1)))
			return &memory->page[i];
	return NULL;
}

static struct tape_memory_line *slot_of(struct tape_memory *memory, u64 gpa1)
{
	_Static_assert(LINES == 1 << (64 - 54), "the shift");
	return &memory->line[(gpa1 / LINE_SIZE * 0x9e3779b97f4a7c15ull) >> 54];
}

static struct tape_memory_line *line_of(struct tape_memory *memory, u64 gpa1)
{
	struct tape_memory_line *const line = slot_of(memory, gpa1);

	if (line->gpa1 != gpa1 || line->block != memory->block)
		*line = (struct tape_memory_line){ .gpa1 = gpa1, .block = memory->block };
	return line;
}

/* Entries are single words, so the first word that is recorded is all of it. */
static void add_to_way(struct tape_memory_way *way, const struct tape_memory_line *line, u64 gpa1,
		       const u64 *now)
{
	if (way->count == ARRAY_SIZE(way->word)) {
		way->whole = false;
		return;
	}
	way->word[way->count].line = line;
	way->word[way->count].now = now;
	way->word[way->count].gpa1 = gpa1;
	way->word[way->count++].value = *(const volatile u64 *)now;
}

void tape_memory_way_begin(struct tape_memory *memory, struct tape_memory_way *way)
{
	way->block = memory->block;
	way->count = 0;
	way->whole = true;
	memory->way = way;
}

void tape_memory_way_end(struct tape_memory *memory)
{
	memory->way = NULL;
}

bool tape_memory_way_holds(const struct tape_memory *memory, const struct tape_memory_way *way)
{
	if (way->block != memory->block || !way->whole)
		return false;
	for (u32 i = 0; i < way->count; i++) {
		const struct tape_memory_line *const line = way->word[i].line;
		const u64 gpa1 = way->word[i].gpa1;
		const unsigned number = gpa1 % LINE_SIZE / RAM_WORD;

		if (line->gpa1 != gpa1 - gpa1 % LINE_SIZE || line->block != memory->block ||
		    !(line->held >> number & 1) || line->word[number] != way->word[i].value ||
		    *(const volatile u64 *)way->word[i].now != way->word[i].value)
			return false;
	}
	return true;
}

/* Those of the words @wanted, by bit, that the open block does not hold as they are @now. */
static unsigned changed_words(const struct tape_memory_line *line, const u64 *now, unsigned wanted)
{
	unsigned changed = ~(unsigned)line->held;

	for (unsigned i = 0; i < LINE_WORDS; i++)
		changed |= (unsigned)(line->word[i] != now[i]) << i;
	return changed & wanted;
}

/* Words @first to @last of the line at @gpa1, which @now shows. */
static void line_words(struct percpu *cpu, struct tape_memory *memory, u64 gpa1, const u64 *now,
		       unsigned first, unsigned last)
{
	struct tape_memory_line *const line = line_of(memory, gpa1);
	unsigned changed = changed_words(line, now, (unsigned)MASK(last, first));
	struct page *page;

	if (memory->way)
		add_to_way(memory->way, line, gpa1 + first * RAM_WORD, &now[first]);
	if (likely(!changed))
		return;
	page = page_with(memory, gpa1);
	while (changed) {
		const unsigned from = (unsigned)__builtin_ctz(changed);
		unsigned i = from;

		for (; changed >> i & 1; i++) {
			/* The guest may be changing it: what goes onto the tape is what is kept. */
			line->word[i] = *(const volatile u64 *)&now[i];
			if (page)
				page->word[(gpa1 % PAGE_SIZE) / RAM_WORD + i] = line->word[i];
		}
		line->held |= (u8)MASK(i - 1, from);
		changed &= ~(unsigned)MASK(i - 1, from);
		put_run(cpu, memory, gpa1 + from * RAM_WORD, &line->word[from], i - from);
	}
	/* What a page remembers must stay what the tape holds. */
	if (page)
		page->changed = true;
}

size_t tape_memory_words(struct percpu *cpu, struct tape_memory *memory, u64 gpa1, size_t size)
{
	u64 at = gpa1 & ~(u64)(RAM_WORD - 1);
	const u64 end = gpa1 + size;

	while (at < end) {
		const u64 line = at & ~(u64)(LINE_SIZE - 1);
		const u64 last = MIN(end - 1, line + LINE_SIZE - 1);
		const u64 *const now = guest_ram(line, LINE_SIZE);

		if (!now)
			return at > gpa1 ? at - gpa1 : 0;
		line_words(cpu, memory, line, now, (unsigned)(at - line) / RAM_WORD,
			   (unsigned)(last - line) / RAM_WORD);
		at = line + LINE_SIZE;
	}
	return size;
}

/* --- Pages ------------------------------------------------------------------------------------ */

/* The page at @gpa1, or the one unused for longest, which becomes it. */
static struct page *find_page(struct tape_memory *memory, u64 gpa1)
{
	struct page *oldest = &memory->page[0];

	for (unsigned i = 0; i < PAGES; i++) {
		struct page *const page = &memory->page[i];

		if (page->used && page->gpa1 == gpa1)
			return page;
		if (page->used < oldest->used)
			oldest = page;
	}
	oldest->gpa1 = gpa1;
	oldest->block = 0;
	oldest->bytes_block = 0;
	return oldest;
}

static void emit_page(struct percpu *cpu, const struct tape_memory *memory, const struct page *page,
		      u32 field, bool bytes)
{
	const struct ev_page columns = {
		.gpa = page->gpa1,
		.level = 1,
		.since = bytes ? 0 : page->seq + 1,
		.field = field,
	};

	rec_emit(cpu->rec, &(struct trace_event){
				   .kind = EV_PAGE,
				   .tsc = memory->place.tsc,
				   .col = (const u64 *)&columns,
				   .bytes = (const u8 *)page->word,
				   .byte_count = bytes ? PAGE_SIZE : 0,
			   });
}

/* Lines must not remember what the page has made old. */
static void forget_lines(struct tape_memory *memory, u64 gpa1, u64 size)
{
	for (u64 at = gpa1 & ~(u64)(LINE_SIZE - 1); at < gpa1 + size; at += LINE_SIZE)
		if (slot_of(memory, at)->gpa1 == at)
			slot_of(memory, at)->held = 0;
}

/* An event that ended a block, or began one, is not sure to be in this one. */
static void say(struct percpu *cpu, struct tape_memory *memory, struct page *page, u32 field,
		bool bytes)
{
	const u32 block = memory->block;

	emit_page(cpu, memory, page, field, bytes);
	page->block = memory->block == block ? block : 0;
	if (bytes) {
		page->seq = rec_last_seq(cpu->rec);
		page->bytes_block = memory->block;
	}
}

static void record_whole(struct percpu *cpu, struct tape_memory *memory, struct page *page,
			 const u64 *now, u32 field)
{
	/* Words that were collected are older. */
	tape_memory_end(cpu, memory);
	memcpy(page->word, now, PAGE_SIZE);
	page->changed = false;
	forget_lines(memory, page->gpa1, PAGE_SIZE);
	say(cpu, memory, page, field, true);
}

static void record_changes(struct percpu *cpu, struct tape_memory *memory, struct page *page,
			   const u64 *now)
{
	for (unsigned i = 0; i < PAGE_WORDS; i++) {
		const u64 word = *(const volatile u64 *)&now[i];

		if (page->word[i] == word)
			continue;
		page->word[i] = word;
		page->changed = true;
		forget_lines(memory, page->gpa1 + i * RAM_WORD, RAM_WORD);
		put_run(cpu, memory, page->gpa1 + i * RAM_WORD, &page->word[i], 1);
	}
}

static unsigned count_changes(const u64 *a, const u64 *b)
{
	unsigned count = 0;

	for (unsigned i = 0; i < PAGE_WORDS; i += 8) {
		const u64 differ = (a[i] ^ b[i]) | (a[i + 1] ^ b[i + 1]) | (a[i + 2] ^ b[i + 2]) |
				   (a[i + 3] ^ b[i + 3]) | (a[i + 4] ^ b[i + 4]) |
				   (a[i + 5] ^ b[i + 5]) | (a[i + 6] ^ b[i + 6]) |
				   (a[i + 7] ^ b[i + 7]);

		/* Mostly nothing has. */
		for (unsigned j = 0; unlikely(differ) && j < 8; j++)
			count += a[i + j] != b[i + j];
	}
	return count;
}

void tape_memory_page(struct percpu *cpu, struct tape_memory *memory, u64 gpa1, u32 field)
{
	const u64 *const now = guest_ram(gpa1, PAGE_SIZE);
	struct page *const page = find_page(memory, gpa1);
	unsigned changes;

	if (!now)
		return;
	page->used = ++memory->clock;
	changes = page->bytes_block ? count_changes(page->word, now) : PAGE_WORDS;
	if (page->block == memory->block) {
		if (changes > MAX_PAGE_CHANGES)
			record_whole(cpu, memory, page, now, field);
		else if (changes)
			record_changes(cpu, memory, page, now);
	} else if (!changes && !page->changed && memory->block - page->bytes_block < MAX_PAGE_AGE) {
		say(cpu, memory, page, field, false);
	} else {
		record_whole(cpu, memory, page, now, field);
	}
}
