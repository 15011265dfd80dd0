#include "replay/stat.h"
#include "tests/test.h"

static struct stat *stat;
static u64 n;

static int begin(void **state)
{
	(void)state;
	stat = stat_new();
	n = 0;
	return stat ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	stat_free(stat);
	return 0;
}

static void step(u8 kind, u16 cpu, u64 tsc, const void *columns)
{
	const struct trace_event event = {
		.kind = kind, .level = 2, .cpu = cpu, .tsc = tsc, .col = columns
	};

	assert_int_equal(stat_event(stat, &event, n++), ST_OK);
}

static void step_entry(u16 cpu, u64 tsc)
{
	step(EV_L2_ENTRY, cpu, tsc, &(struct ev_l2_entry){ .vmcs = 0x1000 });
}

static void step_exit(u16 cpu, u64 tsc, u64 hv_ticks)
{
	step(EV_L2_EXIT, cpu, tsc,
	     &(struct ev_l2_exit){ .reason = EXIT_HLT, .vmcs = 0x1000, .hv_ticks = hv_ticks });
}

static void rounds_are_split_into_hv_and_l1(void **state)
{
	(void)state;
	step_exit(0, 1000, 0);
	step_entry(0, 1500);
	step_exit(0, 1700, 300);
	assert_u64(stat->ticks, 700);
	assert_u64(stat->l2_ticks, 200);
	assert_u64(stat->exits[EXIT_HLT].rounds, 1);
	assert_u64(stat->exits[EXIT_HLT].ticks, 500);
	assert_u64(stat->exits[EXIT_HLT].hv_ticks, 300);
	assert_u64(stat->exits[EXIT_HLT].own_ticks, 200);
}

static void time_is_that_of_all_processors(void **state)
{
	(void)state;
	step_exit(0, 1000, 0);
	step_exit(1, 1200, 0);
	step_entry(0, 2000);
	step_entry(1, 2200);
	assert_u64(stat->ticks, 2000);
}

static void a_tsc_that_l1_sets_back_spoils_no_sum(void **state)
{
	(void)state;
	step_exit(0, 1000000, 0);
	step_entry(0, 500);
	step_exit(0, 700, 100);
	step_entry(0, 900);
	step_exit(0, 100, 50);
	assert_u64(stat->ticks, 400);
	assert_u64(stat->l2_ticks, 200);
	assert_u64(stat->exits[EXIT_HLT].rounds, 1);
	assert_u64(stat->exits[EXIT_HLT].ticks, 200);
	assert_u64(stat->exits[EXIT_HLT].hv_ticks, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rounds_are_split_into_hv_and_l1, begin, end),
		cmocka_unit_test_setup_teardown(time_is_that_of_all_processors, begin, end),
		cmocka_unit_test_setup_teardown(a_tsc_that_l1_sets_back_spoils_no_sum, begin, end),
	};

	return cmocka_run_group_tests_name("replay/stat", tests, NULL, NULL);
}
