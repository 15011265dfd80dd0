#include "replay/scrub.h"
#include "replay/memory.h"
#include "tests/replay/memory_tape.h"
#include "trace/file.h"

#define OUT    "scrubbed.vxt"
#define SECRET "the secret words of L1 are here!"

static u8 file[1 << 20];

static size_t read_file(const char *path)
{
	FILE *const stream = fopen(path, "rb");
	size_t size;

	assert_non_null(stream);
	size = fread(file, 1, sizeof(file), stream);
	assert_true(size > 0 && size < sizeof(file));
	fclose(stream);
	return size;
}

static bool stands_in(const char *path, const void *bytes, size_t count)
{
	const size_t size = read_file(path);

	for (size_t i = 0; i + count <= size; i++)
		if (!memcmp(file + i, bytes, count))
			return true;
	return false;
}

/* Blocks of this tape are raw, so that what it holds can be seen in the file. */
static void make_tape(bool damaged)
{
	struct memory_tape *const tape = memory_tape_start();
	const struct ev_console console = { .port = 0x3f8 };
	u8 page[4096] = { 0 };
	u64 words[4];

	memcpy(words, SECRET, sizeof(words));
	memcpy(page + 100, SECRET, sizeof(SECRET));
	for (u64 i = 0; i < 4; i++)
		memory_put(tape, 0x8000 + 8 * i, words[i]);
	memory_insn(tape, &memory_64, 0x3000);
	memory_page(tape, 0x9000, page, 0);
	memory_l2(tape, &memory_pae, 0x3000, 0);
	query_tape_block(&tape->tape);
	memory_page(tape, 0x9000, NULL, 7);
	memory_insn(tape, &memory_64, 0x3000);
	memory_event(tape, EV_CONSOLE, 1, 0, &console, sizeof(console), "hello", 5);
	if (damaged) {
		query_tape_block(&tape->tape);
		tape->tape.block.first_seq += 10;
		tape->tape.block.number++;
		memory_insn(tape, &memory_64, 0x3000);
	}
	timeline_close(memory_tape_end(tape));
}

static struct scrub_result scrub(bool console, bool code)
{
	const struct scrub_options options = { .console = console, .code = code };
	struct scrub_result result;
	char error[256];

	if (scrub_tape(QUERY_TAPE, OUT, &options, &result, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return result;
}

static struct reader *open_reader(const char *path)
{
	struct reader *reader;
	char error[256];

	if (reader_open(path, &reader, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return reader;
}

static bool is_emptied(u8 kind)
{
	return kind == EV_RAM || kind == EV_PAGE || kind == EV_REGS;
}

/* Event by event: same place, kind and number; the same columns where nothing was removed. */
static void need_same_events(void)
{
	struct reader *const before = open_reader(QUERY_TAPE), *const after = open_reader(OUT);
	const struct trace_event *a, *b;

	assert_int_equal(reader_info(before)->events, reader_info(after)->events);
	assert_int_equal(reader_info(before)->counted, reader_info(after)->counted);
	assert_int_equal(reader_info(before)->lost, reader_info(after)->lost);
	assert_int_equal(reader_info(before)->complete, reader_info(after)->complete);
	while (reader_next(before, &a) == ST_OK) {
		assert_int_equal(reader_next(after, &b), ST_OK);
		assert_int_equal(a->kind, b->kind);
		assert_int_equal(a->seq, b->seq);
		assert_int_equal(a->tsc, b->tsc);
		assert_int_equal(a->rip, b->rip);
		assert_int_equal(a->level, b->level);
		if (is_emptied(a->kind))
			continue;
		assert_memory_equal(a->col, b->col, TRACE_MAX_COLUMNS * sizeof(u64));
		assert_int_equal(a->item_count, b->item_count);
		for (u32 i = 0; i < a->item_count; i++) {
			assert_int_equal(a->items[i].id, b->items[i].id);
			assert_int_equal(a->items[i].value, b->items[i].value);
		}
	}
	assert_int_equal(reader_next(after, &b), ST_END);
	reader_close(before);
	reader_close(after);
}

static void memory_and_registers_go_and_the_rest_stays(void **state)
{
	struct scrub_result result;
	struct registers registers;
	struct timeline *timeline;
	char error[256];
	u8 byte;

	(void)state;
	make_tape(false);
	assert_true(stands_in(QUERY_TAPE, SECRET, 24));
	result = scrub(false, false);
	assert_false(stands_in(OUT, SECRET, 16));
	assert_true(result.emptied >= 6);
	assert_int_equal(result.removed, 32 + 4096);
	assert_int_equal(result.left, 0);
	need_same_events();

	assert_int_equal(timeline_open(OUT, &timeline, error, sizeof(error)), ST_OK);
	memory_go(timeline, timeline_events(timeline) - 2);
	assert_int_equal(memory_read(timeline, 0, MEMORY_L1_PHYSICAL, 0x8000, &byte, 1), 0);
	assert_int_equal(memory_read(timeline, 0, MEMORY_L1_PHYSICAL, 0x9000, &byte, 1), 0);
	registers_at(timeline, 0, 1, &registers);
	assert_u64(registers.reg[REGISTER_R15].known, 0);
	/* What the event itself tells stays. */
	assert_u64(registers.reg[REGISTER_CR3].value, 0x3000);
	timeline_close(timeline);
}

static unsigned count_with_bytes(const char *path, u8 kind, bool code)
{
	struct reader *const reader = open_reader(path);
	const struct trace_event *event;
	unsigned count = 0;

	while (reader_next(reader, &event) == ST_OK)
		count += event->kind == kind && (code ? event->code_count : event->byte_count);
	reader_close(reader);
	return count;
}

static void console_and_code_go_when_asked_for(void **state)
{
	(void)state;
	make_tape(false);
	scrub(false, false);
	assert_int_equal(count_with_bytes(OUT, EV_CONSOLE, false), 1);
	assert_true(count_with_bytes(OUT, EV_VMREAD, true) > 0);
	scrub(true, true);
	assert_int_equal(count_with_bytes(OUT, EV_CONSOLE, false), 0);
	assert_int_equal(count_with_bytes(OUT, EV_VMREAD, true), 0);
	need_same_events();
}

static void what_was_kept_and_removed_at_once_is_counted(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	const struct ev_console console = { .port = 0x3f8 };
	u64 words[4];

	(void)state;
	memcpy(words, SECRET, sizeof(words));
	for (u64 i = 0; i < 4; i++)
		memory_put(tape, 0x8000 + 8 * i, words[i]);
	memory_insn(tape, &memory_64, 0x3000);
	memory_event(tape, EV_CONSOLE, 1, 0, &console, sizeof(console), SECRET, 32);
	timeline_close(memory_tape_end(tape));
	assert_true(scrub(false, false).left >= 3);
	assert_true(stands_in(OUT, SECRET, 16));
	assert_int_equal(scrub(true, false).left, 0);
	assert_false(stands_in(OUT, SECRET, 16));
}

static void append(struct tape_writer *writer, struct chunk chunk)
{
	u8 header[CHUNK_MAX_HEADER];

	chunk_write_header(&chunk, header);
	assert_int_equal(tape_append(writer, &chunk, header), ST_OK);
}

/* The tape, as a recorder makes it that knows the machine. */
static void add_machine(const char *text)
{
	struct tape_writer *writer;
	struct tape tape;
	char error[256];

	assert_int_equal(tape_open(QUERY_TAPE, &tape, error, sizeof(error)), ST_OK);
	assert_int_equal(tape_create(OUT, &writer), ST_OK);
	append(writer, (struct chunk){ .type = CHUNK_MACHINE,
				       .size = (u32)strlen(text),
				       .payload = (const u8 *)text });
	for (size_t i = 0; i < tape.chunk_count; i++)
		append(writer, tape.chunks[i].chunk);
	assert_int_equal(tape_finish(writer, true), ST_OK);
	assert_int_equal(tape_close(writer), ST_OK);
	tape_unmap(&tape);
	assert_int_equal(rename(OUT, QUERY_TAPE), 0);
}

static void paths_of_files_that_were_booted_go(void **state)
{
	static const char path[] = "/home/somebody/secret/bzImage";
	char text[128];

	(void)state;
	make_tape(false);
	assert_false(scrub(false, false).machine);
	snprintf(text, sizeof(text), "kernel 1234 %s\n", path);
	add_machine(text);
	assert_true(stands_in(QUERY_TAPE, path, strlen(path)));
	assert_true(scrub(false, false).machine);
	assert_false(stands_in(OUT, "somebody", 8));
	need_same_events();
}

static void a_gap_stays_where_it_was(void **state)
{
	(void)state;
	make_tape(true);
	scrub(false, false);
	need_same_events();
}

static void a_damaged_block_is_left_out(void **state)
{
	const struct scrub_options options = { 0 };
	struct scrub_result result;
	char error[256];
	size_t size;
	FILE *stream;

	(void)state;
	make_tape(false);
	size = read_file(QUERY_TAPE);
	for (size_t i = 0; i + sizeof(SECRET) < size; i++)
		if (!memcmp(file + i, SECRET, 16)) {
			file[i + 20] ^= 1;
			break;
		}
	stream = fopen(QUERY_TAPE, "wb");
	fwrite(file, 1, size, stream);
	fclose(stream);
	assert_int_equal(scrub_tape(QUERY_TAPE, OUT, &options, &result, error, sizeof(error)),
			 ST_OK);
	assert_int_equal(result.bad_blocks, 1);
	assert_false(stands_in(OUT, SECRET, 16));
}

static void what_is_no_tape_is_refused(void **state)
{
	const struct scrub_options options = { 0 };
	struct scrub_result result;
	char error[256];

	(void)state;
	remove(OUT);
	assert_int_equal(scrub_tape("/dev/null", OUT, &options, &result, error, sizeof(error)),
			 ST_INVALID);
	assert_int_equal(access(OUT, F_OK), -1);
	make_tape(false);
	assert_int_equal(
		scrub_tape(QUERY_TAPE, "no/such/folder", &options, &result, error, sizeof(error)),
		ST_IO);
	assert_non_null(strstr(error, "no/such/folder"));
}

static int remove_all(void **state)
{
	remove(OUT);
	return query_tape_remove(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_and_registers_go_and_the_rest_stays),
		cmocka_unit_test(console_and_code_go_when_asked_for),
		cmocka_unit_test(what_was_kept_and_removed_at_once_is_counted),
		cmocka_unit_test(paths_of_files_that_were_booted_go),
		cmocka_unit_test(a_gap_stays_where_it_was),
		cmocka_unit_test(a_damaged_block_is_left_out),
		cmocka_unit_test(what_is_no_tape_is_refused),
	};
	return cmocka_run_group_tests_name("replay/scrub", tests, query_tape_folder, remove_all);
}
