#include "hv/deep.h"

#include "hv/ept.h"
#include "hv/guestmem.h"
#include "hv/hv_options.h"
#include "hv/log.h"
#include "hv/mem.h"
#include "hv/nested/ept02.h"
#include "hv/snapshot.h"
#include "recorder/emit.h"
#include "trace/ram.h"

#define SLOTS	   (4 * DEEP_MAX_PAGES) /* a power of two */
#define NO_PAGE	   0xffff
/* Pages that may be written to at a time, so that telling what is new in them takes no exit long.
 */
#define MAX_DIRTY  16
#define PAGE_WORDS (PAGE_SIZE / RAM_WORD)
#define MAX_RUN	   ((TRACE_MAX_BYTES - RAM_RUN_OVERHEAD) / RAM_WORD)

struct deep_page {
	u64 gpa1;
	bool dirty; /* the guest may write to it now */
	u64 *word;  /* as the tape has it */
};

/* Taking the right to write, and giving it back, are the work of several exits on a large machine.
 */
enum deep_phase { WAITS, BEGINS, IS_OPEN, CLOSES, IS_OVER };

struct deep {
	enum deep_phase phase;
	u64 at;		  /* in BEGINS and CLOSES: rights are set up to here */
	bool marked;	  /* the mark was made with which it begins */
	u64 until;	  /* the number of VM entries with which it ends */
	u64 stores;	  /* that faulted, or that hv made */
	u64 type_changes; /* of EPT01, when the window began */
	u32 count;
	u32 dirty_count;
	u16 dirty[MAX_DIRTY]; /* the oldest first */
	u16 slot[SLOTS];      /* page by address, open addressing */
	struct deep_page page[DEEP_MAX_PAGES];
	u8 bytes[TRACE_MAX_BYTES];
	struct ram_writer writer;
};

struct percpu *deep_cpu;

static size_t pages_for(size_t size)
{
	return (size + PAGE_SIZE - 1) / PAGE_SIZE;
}

void deep_init(struct percpu *cpu)
{
	struct deep *deep;

	if (options.capture != CAPTURE_DEEP)
		return;
	if (percpu_count() > 1) {
		log_print("capture=deep is for one processor: it is like capture=default here");
		return;
	}
	deep = mem_alloc_pages(pages_for(sizeof(*deep)));
	for (u32 i = 0; i < options.deep_pages; i++)
		deep->page[i].word = mem_alloc_pages(1);
	memset(deep->slot, 0xff, sizeof(deep->slot));
	cpu->deep = deep;
	cpu->more_to_do = true;
	deep_cpu = cpu;
}

/* The slot of the page at @gpa1, or the free one where it belongs. */
static u16 *slot_of(struct deep *deep, u64 gpa1)
{
	u64 at = (gpa1 / PAGE_SIZE * 0x9e3779b97f4a7c15ull) >> 40 & (SLOTS - 1);

	while (deep->slot[at] != NO_PAGE && deep->page[deep->slot[at]].gpa1 != gpa1)
		at = (at + 1) & (SLOTS - 1);
	return &deep->slot[at];
}

static void emit(struct percpu *cpu, u8 kind, const void *columns, const void *bytes, u32 count)
{
	rec_emit(cpu->rec, &(struct trace_event){
				   .kind = kind,
				   .tsc = cpu->exit.tsc,
				   .col = columns,
				   .bytes = bytes,
				   .byte_count = count,
			   });
}

/* --- The window ------------------------------------------------------------------------------- */

static void tell_window(struct percpu *cpu, enum trace_deep what)
{
	const struct ev_deep columns = {
		.what = what,
		.entries = cpu->nested.entries,
		.pages = cpu->deep->count,
		.stores = cpu->deep->stores,
	};

	emit(cpu, EV_DEEP, &columns, NULL, 0);
}

/* Nothing that is cached lets L1 or L2 write, or keeps them from it. */
static void flush(struct percpu *cpu)
{
	ept01_flush();
	ept02_invalidate_all(&cpu->nested);
}

/* Stores fault, and are told. */
static bool follows(const struct deep *deep)
{
	return deep->phase == BEGINS || deep->phase == IS_OPEN;
}

static void close_window(struct percpu *cpu)
{
	cpu->deep->phase = CLOSES;
	cpu->deep->at = 0;
	flush(cpu);
	/* What the open block holds of memory may have been told otherwise since. */
	snapshot_new_block(cpu);
}

static void end(struct percpu *cpu, enum trace_deep what)
{
	deep_take(cpu);
	close_window(cpu);
	tell_window(cpu, what);
}

/* Stores fault already, where the right is taken. */
static void begin(struct percpu *cpu)
{
	struct deep *const deep = cpu->deep;
	const enum status status = ept01_set_right(&deep->at, true);

	if (status == ST_OK)
		return;
	if (status != ST_END) {
		log_print("hv has too little memory to protect L1's: no window of capture=deep");
		close_window(cpu);
		return;
	}
	deep_take(cpu);
	flush(cpu);
	deep->phase = IS_OPEN;
	deep->until = cpu->nested.entries + options.deep_count;
	tell_window(cpu, DEEP_BEGINS);
}

void deep_turn_now(struct percpu *cpu)
{
	struct deep *const deep = cpu->deep;
	const u64 entries = cpu->nested.entries;

	/* Registers stand right before the VM entry that waits to be told. */
	if (cpu->nested.entry.waits)
		return;
	if (deep->phase == WAITS && (deep->marked || entries >= options.deep_from))
		deep->phase = BEGINS;
	if (follows(deep) && deep->type_changes != ept01_type_changes()) {
		/* Which gave all rights back. */
		deep->type_changes = ept01_type_changes();
		deep->at = 0;
		if (deep->phase == IS_OPEN)
			end(cpu, DEEP_TYPES_CHANGED);
	}
	if (deep->phase == BEGINS)
		begin(cpu);
	else if (deep->phase == IS_OPEN && entries >= deep->until)
		end(cpu, DEEP_ENDS);
	else if (deep->phase == CLOSES && ept01_set_right(&deep->at, false) == ST_END)
		deep->phase = IS_OVER;
}

void deep_mark(struct percpu *cpu, const void *text, u32 length)
{
	if (cpu->deep && length && length == strlen(options.deep_mark) &&
	    !memcmp(text, options.deep_mark, length))
		cpu->deep->marked = true;
}

/* --- Stores ----------------------------------------------------------------------------------- */

/* The page as it is, before anybody writes to it. */
static bool add_page(struct percpu *cpu, u64 gpa1)
{
	struct deep *const deep = cpu->deep;
	const struct ev_page columns = { .gpa = gpa1, .level = 1 };
	struct deep_page *page;

	if (deep->count == options.deep_pages)
		return false;
	*slot_of(deep, gpa1) = (u16)deep->count;
	page = &deep->page[deep->count++];
	page->gpa1 = gpa1;
	memcpy(page->word, guest_ram(gpa1, PAGE_SIZE), PAGE_SIZE);
	emit(cpu, EV_PAGE, &columns, page->word, PAGE_SIZE);
	return true;
}

static void send(struct percpu *cpu)
{
	struct deep *const deep = cpu->deep;
	const struct ev_ram columns = { .level = 1 };

	if (deep->writer.size)
		emit(cpu, EV_RAM, &columns, deep->bytes, deep->writer.size);
	deep->writer = (struct ram_writer){ .to = deep->bytes };
}

/* Words of @page from @first on; they are longer than an event only with what is there already. */
static void put_run(struct percpu *cpu, const struct deep_page *page, unsigned first,
		    unsigned count)
{
	struct deep *const deep = cpu->deep;

	for (; count; first += MAX_RUN, count -= MIN(count, MAX_RUN)) {
		const u32 words = MIN(count, MAX_RUN);

		if (deep->writer.size + RAM_RUN_OVERHEAD + words * RAM_WORD > sizeof(deep->bytes))
			send(cpu);
		ram_put(&deep->writer, page->gpa1 + first * RAM_WORD, &page->word[first], words);
	}
}

/* Each word is read once: a device may write meanwhile. */
static void tell_changes(struct percpu *cpu, struct deep_page *page)
{
	const volatile u64 *const now = guest_ram(page->gpa1, PAGE_SIZE);
	u64 *const before = page->word;
	unsigned changed = 0; /* in the run that ends here */

	for (unsigned i = 0; i < PAGE_WORDS; i++) {
		const u64 word = now[i];

		if (likely(before[i] == word)) {
			if (unlikely(changed))
				put_run(cpu, page, i - changed, changed);
			changed = 0;
			continue;
		}
		before[i] = word;
		changed++;
	}
	if (changed)
		put_run(cpu, page, PAGE_WORDS - changed, changed);
}

/* What is new in the @count oldest of the pages that may be written to; from now on they may not.
 */
static void take(struct percpu *cpu, u32 count)
{
	struct deep *const deep = cpu->deep;

	deep->writer = (struct ram_writer){ .to = deep->bytes };
	for (u32 i = 0; i < count; i++) {
		struct deep_page *const page = &deep->page[deep->dirty[i]];

		tell_changes(cpu, page);
		page->dirty = false;
		ept01_protect_page(page->gpa1, true);
	}
	send(cpu);
	deep->dirty_count -= count;
	memmove(deep->dirty, &deep->dirty[count], deep->dirty_count * sizeof(deep->dirty[0]));
	flush(cpu);
}

bool deep_store(struct percpu *cpu, u64 gpa1)
{
	struct deep *const deep = cpu->deep;
	struct deep_page *page;
	u16 number;

	gpa1 &= ~(PAGE_SIZE - 1);
	if (!deep || !guest_ram(gpa1, PAGE_SIZE))
		return false;
	if (deep->phase == CLOSES)
		ept01_let_write(gpa1);
	if (!follows(deep))
		return deep->phase == CLOSES;
	number = *slot_of(deep, gpa1);
	/* The right may have been taken since, while the window begins. */
	if (number != NO_PAGE && deep->page[number].dirty)
		return ept01_protect_page(gpa1, false) == ST_OK;
	deep->stores++;
	if (deep->dirty_count == MAX_DIRTY)
		take(cpu, 1);
	if (ept01_protect_page(gpa1, false) != ST_OK ||
	    (number == NO_PAGE && !add_page(cpu, gpa1))) {
		end(cpu, DEEP_PAGES_USED);
		return true;
	}
	number = *slot_of(deep, gpa1);
	page = &deep->page[number];
	page->dirty = true;
	deep->dirty[deep->dirty_count++] = number;
	return true;
}

bool deep_may_write_now(const struct percpu *cpu, u64 gpa1)
{
	struct deep *const deep = cpu->deep;
	u16 number;

	gpa1 &= ~(PAGE_SIZE - 1);
	/* A device's page never becomes one that was stored to. */
	if (!follows(deep) || !guest_ram(gpa1, PAGE_SIZE))
		return true;
	number = *slot_of(deep, gpa1);
	return number != NO_PAGE && deep->page[number].dirty;
}

void deep_take(struct percpu *cpu)
{
	if (cpu->deep && cpu->deep->dirty_count)
		take(cpu, cpu->deep->dirty_count);
}

void deep_take_early_now(struct percpu *cpu)
{
	deep_take(cpu);
	rec_reserve(cpu->rec, SNAPSHOT_MARGIN);
}
