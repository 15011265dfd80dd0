#include "hv/tape_memory.h"
#include "recorder/emit.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

#define MEMORY	 MIB(64)
#define SPAN	 (64 * 4096) /* bytes of RAM that tests look at, from AREA on */
#define AREA	 0x200000
#define MAX_PAGE 256
#define FIELD	 0x2004

static struct percpu *cpu;
static struct tape_memory *memory;

/* --- What a reader of the open block knows ---------------------------------------------------- */

static struct {
	u8 bytes[SPAN];
	u8 known[SPAN];
	u64 seq;
	u64 end_block_at;     /* the event with this seq is the last of its block; 0: none */
	unsigned events[128]; /* by kind */
	unsigned words;
	u8 page[MAX_PAGE][4096]; /* bytes of page events, by seq */
} tape;

static void know(u64 address, const u8 *bytes, size_t size)
{
	assert_true(address >= AREA && address + size <= AREA + SPAN);
	memcpy(&tape.bytes[address - AREA], bytes, size);
	memset(&tape.known[address - AREA], 1, size);
}

static void take_ram(const struct trace_event *event)
{
	struct ram_reader reader = { .in = cursor_over(event->bytes, event->byte_count) };
	struct ram_run run;
	enum status status;

	assert_true(event->byte_count <= TRACE_MAX_BYTES);
	while ((status = ram_next(&reader, &run)) == ST_OK) {
		know(run.address, run.bytes, run.size);
		tape.words += run.size / RAM_WORD;
	}
	assert_int_equal(status, ST_END);
}

static void take_page(const struct trace_event *event)
{
	const struct ev_page *const page = (const void *)event->col;

	assert_true(tape.seq < MAX_PAGE);
	assert_int_equal(page->field, FIELD);
	if (event->byte_count) {
		assert_int_equal(event->byte_count, 4096);
		memcpy(tape.page[tape.seq], event->bytes, 4096);
	} else {
		assert_true(page->since > 0 && page->since <= tape.seq);
		memcpy(tape.page[tape.seq], tape.page[page->since - 1], 4096);
	}
	know(page->gpa, tape.page[tape.seq], 4096);
}

static void new_block(void)
{
	memset(tape.known, 0, sizeof(tape.known));
	tape_memory_new_block(memory);
}

void rec_emit(struct rec *rec, const struct trace_event *event)
{
	const u64 seq = tape.seq;

	(void)rec;
	tape.events[event->kind]++;
	if (event->kind == EV_RAM)
		take_ram(event);
	else
		take_page(event);
	if (seq == tape.end_block_at)
		new_block();
	tape.seq++;
}

u64 rec_last_seq(const struct rec *rec)
{
	(void)rec;
	return tape.seq - 1;
}

size_t rec_size(void)
{
	return 1;
}

struct rec *rec_init(void *where, struct ring *ring, u16 number, const struct rec_ops *ops,
		     void *owner, bool pack)
{
	(void)ring, (void)number, (void)ops, (void)owner, (void)pack;
	return where;
}

enum status rec_head(struct rec *rec, void (*events)(void *owner, struct rec *rec))
{
	(void)rec, (void)events;
	return ST_OK;
}

void rec_reserve(struct rec *rec, u32 bytes)
{
	(void)rec, (void)bytes;
}

void rec_open(struct rec *rec)
{
	(void)rec;
}

void rec_flush(struct rec *rec)
{
	(void)rec;
}

void rec_seal(struct rec *rec)
{
	(void)rec;
}

bool rec_image_holds(const struct rec *rec, u64 block)
{
	return rec && block;
}

bool rec_pack_urgent(const struct rec *rec)
{
	return rec;
}

bool rec_pack_slice(struct rec *rec)
{
	return rec;
}

bool rec_push(struct rec *rec)
{
	(void)rec;
	return false;
}

/* --- Tests ------------------------------------------------------------------------------------ */

static int boot(void **state)
{
	static void *room;

	(void)state;
	cpu = stub_boot_l1(MEMORY, true);
	free(room);
	room = calloc(1, tape_memory_size());
	memory = tape_memory_init(room);
	memset(&tape, 0, sizeof(tape));
	tape.end_block_at = ~0ull;
	return 0;
}

static size_t words(u64 address, size_t size)
{
	const struct tape_memory_place place = { .level = 1 };
	size_t recorded;

	tape.words = 0;
	tape_memory_begin(memory, &place);
	recorded = tape_memory_words(cpu, memory, address, size);
	tape_memory_end(cpu, memory);
	return recorded;
}

static void page(u64 address)
{
	const struct tape_memory_place place = { .level = 1 };

	tape_memory_begin(memory, &place);
	tape_memory_page(cpu, memory, address, FIELD);
	tape_memory_end(cpu, memory);
}

/* What a reader knows of a range is what is there. */
static void need_known(u64 address, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!tape.known[address - AREA + i])
			fail_msg("the byte at 0x%lx is unknown", (unsigned long)(address + i));
		assert_row("byte", tape.bytes[address - AREA + i], *(u8 *)stub_at(address + i));
	}
}

static void a_word_is_recorded_once_while_it_stays(void **state)
{
	(void)state;
	memset(stub_at(AREA), 0x11, 4096);
	assert_int_equal(words(AREA + 0x100, 512), 512);
	assert_int_equal(tape.words, 64);
	assert_int_equal(words(AREA + 0x100, 512), 512);
	assert_int_equal(tape.words, 0);
	assert_int_equal(tape.events[EV_RAM], 1);
	((u8 *)stub_at(AREA))[0x204] = 0x22;
	words(AREA + 0x100, 512);
	assert_int_equal(tape.words, 1);
	need_known(AREA + 0x100, 512);
}

static void ranges_are_recorded_by_whole_words(void **state)
{
	(void)state;
	memset(stub_at(AREA), 0x11, 4096);
	assert_int_equal(words(AREA + 0x3c, 8), 8); /* two words, in two lines */
	assert_int_equal(tape.words, 2);
	need_known(AREA + 0x38, 16);
	assert_int_equal(tape.known[0x40 + 8], 0);
	assert_int_equal(tape.known[0x38 - 1], 0);
	assert_int_equal(words(AREA, 0), 0);
	assert_int_equal(tape.words, 0);
}

static void a_new_block_holds_nothing(void **state)
{
	(void)state;
	words(AREA, 64);
	new_block();
	words(AREA, 64);
	assert_int_equal(tape.words, 8);
	need_known(AREA, 64);
}

static void what_is_no_ram_is_not_recorded(void **state)
{
	(void)state;
	assert_int_equal(words(MEMORY - STUB_HV_SIZE, 64), 0);
	assert_int_equal(words(BIT(51), 64), 0);
	assert_int_equal(words(0xf0000, 64), 0);
	page(MEMORY - STUB_HV_SIZE);
	page(BIT(51));
	assert_int_equal(tape.seq, 0);
}

static void a_page_that_stays_is_named_in_later_blocks(void **state)
{
	(void)state;
	memset(stub_at(AREA), 0x33, 4096);
	page(AREA);
	page(AREA);
	assert_int_equal(tape.events[EV_PAGE], 1);
	new_block();
	page(AREA);
	assert_int_equal(tape.events[EV_PAGE], 2);
	need_known(AREA, 4096);
	/* Few words that change are words. */
	((u8 *)stub_at(AREA))[8] = 0x34;
	page(AREA);
	assert_int_equal(tape.events[EV_PAGE], 2);
	assert_int_equal(tape.events[EV_RAM], 1);
	need_known(AREA, 4096);
	/* And the bytes of the event are not those of the page any more. */
	new_block();
	page(AREA);
	need_known(AREA, 4096);
}

static void a_page_is_recorded_again_now_and_then(void **state)
{
	static u8 nothing[4096];
	unsigned whole = 0;

	(void)state;
	memset(stub_at(AREA), 0x55, 4096);
	for (unsigned i = 0; i < 100; i++) {
		const u64 seq = tape.seq;

		memset(tape.page, 0, sizeof(tape.page));
		page(AREA);
		/* A reference finds nothing, for the pages are gone. */
		whole += memcmp(tape.page[seq], nothing, 4096) != 0;
		new_block();
	}
	assert_true(whole >= 3 && whole <= 5);
}

static void an_event_that_ends_a_block_is_not_held_by_the_next(void **state)
{
	(void)state;
	memset(stub_at(AREA), 0x66, 4096);
	tape.end_block_at = 0;
	page(AREA);
	assert_int_equal(tape.known[0], 0);
	page(AREA);
	need_known(AREA, 4096);
	tape.end_block_at = tape.seq;
	words(AREA + 4096, 64);
	words(AREA + 4096, 64);
	need_known(AREA + 4096, 64);
}

static void a_way_holds_while_its_words_stay(void **state)
{
	struct tape_memory_way way, long_way;
	u64 *const entry = stub_at(AREA + 0x1008);

	(void)state;
	tape_memory_way_begin(memory, &way);
	words(AREA, 8);
	words(AREA + 0x1008, 8);
	tape_memory_way_end(memory);
	words(AREA + 0x2000, 8);
	assert_int_equal(way.count, 2);
	assert_true(tape_memory_way_holds(memory, &way));
	/* What is no part of it may change. */
	*(u64 *)stub_at(AREA + 0x2000) = 1;
	assert_true(tape_memory_way_holds(memory, &way));
	*entry = 5;
	assert_false(tape_memory_way_holds(memory, &way));
	*entry = 0;
	assert_true(tape_memory_way_holds(memory, &way));
	/* Nor when the tape has had another value since. */
	*entry = 5;
	words(AREA + 0x1008, 8);
	assert_false(tape_memory_way_holds(memory, &way));
	*entry = 0;
	assert_false(tape_memory_way_holds(memory, &way));
	words(AREA + 0x1008, 8);
	assert_true(tape_memory_way_holds(memory, &way));
	new_block();
	assert_false(tape_memory_way_holds(memory, &way));
	/* One that is too long never does. */
	tape_memory_way_begin(memory, &long_way);
	for (u64 i = 0; i <= ARRAY_SIZE(long_way.word); i++)
		words(AREA + 64 * i, 8);
	tape_memory_way_end(memory);
	assert_false(tape_memory_way_holds(memory, &long_way));
}

static u64 random_number(void)
{
	static u64 seed = 1;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 33;
}

/* Whatever happened before: what was asked for last is known as it is. */
static void what_is_asked_for_is_known_as_it_is(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		const u64 at = AREA + random_number() % (SPAN - 8192);
		const size_t size = random_number() % 600;
		const u64 of = at & ~4095ull;

		if (tape.seq > MAX_PAGE - 8) {
			boot(NULL);
			continue;
		}
		for (u64 j = random_number() % 100; j > 0; j--)
			((u8 *)stub_at(of))[random_number() % 4096] = (u8)random_number();
		if (random_number() % 8 == 0)
			new_block();
		if (random_number() % 3) {
			assert_int_equal(words(at, size), size);
			need_known(at, size);
		} else {
			page(of);
			need_known(of, 4096);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_word_is_recorded_once_while_it_stays, boot),
		cmocka_unit_test_setup(ranges_are_recorded_by_whole_words, boot),
		cmocka_unit_test_setup(a_new_block_holds_nothing, boot),
		cmocka_unit_test_setup(what_is_no_ram_is_not_recorded, boot),
		cmocka_unit_test_setup(a_page_that_stays_is_named_in_later_blocks, boot),
		cmocka_unit_test_setup(a_page_is_recorded_again_now_and_then, boot),
		cmocka_unit_test_setup(an_event_that_ends_a_block_is_not_held_by_the_next, boot),
		cmocka_unit_test_setup(a_way_holds_while_its_words_stay, boot),
		cmocka_unit_test_setup(what_is_asked_for_is_known_as_it_is, boot),
	};
	return cmocka_run_group_tests_name("hv/tape_memory", tests, NULL, NULL);
}
