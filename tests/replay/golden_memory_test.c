#include "replay/memory.h"
#include "replay/registers.h"
#include "tests/test.h"

#define TAPE  "tests/golden/1/memory.vxt"
#define WORDS 64

/* What tests/guests/l1_memory.c put there: its comment says so. */
static const struct {
	const char *name;
	u64 rip, rsp;
	unsigned above; /* words of the window in the page that STACK_WORD() goes on in */
} modes[] = {
	{ "4_level", 0x401010, 0x402f00, 32 },
	{ "pae", 0x401010, 0x402f00, 32 },
	{ "32_bit", 0x401010, 0x402f00, 32 },
	{ "none", 0x40000010, 0x40001f00, 0 },
};

static u64 stack_word(unsigned mode, unsigned i)
{
	return i < 32 + modes[mode].above ? 0x5441434b00000000 | (u64)mode << 16 | (480 + i) : 0;
}

static struct timeline *open_tape(void)
{
	struct timeline *timeline;
	char error[256];

	if (timeline_open(TAPE, &timeline, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return timeline;
}

/* Puts the cursor before the next l2_exit; false behind the last. */
static bool next_exit(struct timeline *timeline)
{
	struct timeline_stop stop;

	do
		if (timeline_run(timeline, TIMELINE_FORWARD, 1, &stop) != ST_OK ||
		    !timeline_event(timeline))
			return false;
	while (timeline_event(timeline)->kind != EV_L2_EXIT);
	return true;
}

static void check_exit(struct timeline *timeline, unsigned mode)
{
	static const u8 code[] = { 0x0f, 0xa2, 0xf4, 0xeb, 0xfd, 'm', 'e', 'm',
				   'o',	 'r',  'y',  ' ',  'o',	 'f', ' ', '2' };
	const char *const name = modes[mode].name;
	struct registers registers;
	u64 words[WORDS], value;
	u8 bytes[32];

	registers_at(timeline, 0, 2, &registers);
	assert_true(register_known(&registers, REGISTER_RSP, &value));
	assert_row(name, value, modes[mode].rsp);
	assert_true(register_known(&registers, REGISTER_RIP, &value));
	assert_row(name, value, modes[mode].rip);
	assert_row(name, registers.stack, sizeof(words));
	assert_row(
		name,
		memory_read(timeline, 0, MEMORY_L2_LINEAR, modes[mode].rsp, words, sizeof(words)),
		sizeof(words));
	for (unsigned i = 0; i < WORDS; i++)
		assert_row(name, words[i], stack_word(mode, i));
	assert_row(name, memory_read(timeline, 0, MEMORY_L2_LINEAR, modes[mode].rip, bytes, 16),
		   sizeof(code));
	assert_memory_equal(bytes, code, sizeof(code));
	/* L1 has no memory where L2 has its pages. */
	assert_row(name, memory_read(timeline, 0, MEMORY_L1_PHYSICAL, 0x40001f00, bytes, 8), 0);
}

static void what_l2_had_in_memory_is_found_in_every_mode(void **state)
{
	struct timeline *const timeline = open_tape();
	u64 places[ARRAY_SIZE(modes)];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_true(next_exit(timeline));
		places[i] = timeline_tell(timeline);
		check_exit(timeline, i);
	}
	assert_false(next_exit(timeline));
	/* And the same backwards. */
	for (unsigned i = ARRAY_SIZE(modes); i-- > 0;) {
		assert_int_equal(timeline_seek(timeline, places[i]), ST_OK);
		check_exit(timeline, i);
	}
	timeline_close(timeline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_l2_had_in_memory_is_found_in_every_mode),
	};
	return cmocka_run_group_tests_name("golden/memory", tests, NULL, NULL);
}
