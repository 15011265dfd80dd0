#include "tests/test.h"

#include "replay/memory.h"
#include "replay/memory_core.h"
#include "tests/replay/dialogue.h"

#define N 500

static char folder[] = "/tmp/vmxtape-memory-core-XXXXXX";
static char tape[64], core[64];

static int make_tape(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(tape, sizeof(tape), "%s/t.vxt", folder);
	assert_true(memory_core_path(tape, N, core, sizeof(core)));
	dialogue_record(tape, 1, 2000, 200, 1);
	return 0;
}

static int remove_tape(void **state)
{
	(void)state;
	unlink(tape);
	unlink(core);
	return rmdir(folder);
}

static struct timeline *open_tape(void)
{
	struct timeline *timeline;
	char error[256];

	if (timeline_open(tape, &timeline, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return timeline;
}

static void write_core(const char *head, u64 address, const u8 *bytes, u64 size)
{
	const struct core_range range = { address, size, bytes };

	assert_int_equal(core_file_write(core, head, &range, 1), ST_OK);
}

static size_t read_at(struct timeline *timeline, u64 n, u64 address, u8 *to, size_t size)
{
	assert_int_equal(timeline_seek(timeline, n), ST_OK);
	return memory_read(timeline, 0, MEMORY_L1_PHYSICAL, address, to, size);
}

static void memory_is_known_at_its_moment_alone(void **state)
{
	struct timeline *const timeline = open_tape();
	u8 bytes[5000], back[6000];
	char head[80];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)(i * 7);
	memory_core_head(timeline_reader(timeline), N, head, sizeof(head));
	write_core(head, 0x500000, bytes, sizeof(bytes));
	assert_int_equal(read_at(timeline, N, 0x500000, back, sizeof(back)), sizeof(bytes));
	assert_memory_equal(back, bytes, sizeof(bytes));
	assert_int_equal(read_at(timeline, N, 0x600000, back, 8), 0);
	assert_int_equal(read_at(timeline, N + 1, 0x500000, back, 8), 0);
	assert_int_equal(read_at(timeline, N, 0x500001, back, 8), 8);
	assert_memory_equal(back, bytes + 1, 8);
	timeline_close(timeline);
}

static void one_of_another_tape_or_moment_does_not_count(void **state)
{
	struct timeline *timeline;
	u8 bytes[100] = { 1 }, back[8];
	char head[80];

	(void)state;
	timeline = open_tape();
	memory_core_head(timeline_reader(timeline), N + 1, head, sizeof(head));
	write_core(head, 0, bytes, sizeof(bytes));
	assert_int_equal(read_at(timeline, N, 0, back, 8), 0);
	timeline_close(timeline);
	timeline = open_tape();
	write_core("tape 12345678\nn 500\n", 0, bytes, sizeof(bytes));
	assert_int_equal(read_at(timeline, N, 0, back, 8), 0);
	timeline_close(timeline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_known_at_its_moment_alone),
		cmocka_unit_test(one_of_another_tape_or_moment_does_not_count),
	};

	return cmocka_run_group_tests_name("replay/memory_core", tests, make_tape, remove_tape);
}
