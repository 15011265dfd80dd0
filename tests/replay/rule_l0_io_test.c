#include "tests/replay/script_l0.h"

#define INS_64	 (0x64ull << 16 | 0x18)
#define OUTS_64	 (0x64ull << 16 | 0x10)
#define EVENT_PF 0x80000b0e

static const struct row {
	const char *name;
	u64 qualification;
	bool accessed; /* the port was */
	u64 event;     /* 0: L2 goes on */
	int found;
} rows[] = {
	{ "INS that works", INS_64, true, 0, NOTHING },
	{ "INS that faults first", INS_64, false, EVENT_PF, NOTHING },
	{ "INS that reads and faults", INS_64, true, EVENT_PF, FINDING_L0_IO_SIDE_EFFECT },
	{ "OUTS that faults", OUTS_64, true, EVENT_PF, NOTHING },
};

static void play(struct script *script, const struct row *row, bool gap)
{
	const struct ev_l0_entry resume = { .vmcs = SCRIPT_VMCS, .resumed = 1 };
	struct trace_item items[2];
	u32 count = 0;

	if (row->accessed)
		items[count++] = (struct trace_item){ ITEM_IO_VALUE, 0x1c };
	if (row->event)
		items[count++] =
			(struct trace_item){ ITEM02(VM_ENTRY_INTERRUPTION_INFO), row->event };
	script_run(script);
	EXIT02(script, (EXIT_IO, .qualification = row->qualification), { ITEM02(GUEST_RSP), 0 });
	if (gap)
		script_gap(script);
	script_items(script, EV_L0_ENTRY, &resume, sizeof(resume), items, count);
}

static void a_port_is_read_when_nothing_can_fault_any_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = script_ready();

		play(&script, &rows[i], false);
		assert_only_l0(&script, rows[i].name, rows[i].found);
		script_free(&script);
	}
}

static void behind_a_gap_it_may_be_another_exit(void **state)
{
	struct script script = script_ready();

	(void)state;
	play(&script, &rows[2], true);
	assert_only_l0(&script, "behind a gap", NOTHING);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_is_read_when_nothing_can_fault_any_more),
		cmocka_unit_test(behind_a_gap_it_may_be_another_exit),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_io", tests, NULL, NULL);
}
