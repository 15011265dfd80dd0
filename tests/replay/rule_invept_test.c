#include "tests/replay/script.h"

/* @exits exits of L2, each with so many that L0 handled alone, and an INVEPT at one of @every. */
static struct script play(unsigned exits, unsigned every, u64 outcome)
{
	struct script script = script_start();

	script_vmcs(&script);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	for (unsigned i = 1; i <= exits; i++) {
		const struct ev_l2_entry entry = { .vmcs = script.vmcs };
		const struct ev_l2_exit exit = {
			.reason = EXIT_CPUID,
			.vmcs = script.vmcs,
			.hidden_exits = 3,
		};

		if (i % every == 0)
			INSN(&script, INVEPT, invept, .type = 2, .outcome = outcome);
		script_items(&script, EV_L2_ENTRY, &entry, sizeof(entry), NULL, 0);
		script_items(&script, EV_L2_EXIT, &exit, sizeof(exit), NULL, 0);
	}
	script_end(&script);
	return script;
}

static void an_invept_for_every_few_exits_is_a_storm(void **state)
{
	struct script script = play(512, 1, OUTCOME_SUCCEED);
	const struct finding *finding;

	(void)state;
	assert_found(&script, INVEPT_STORM, 1);
	finding = script_finding(&script, FINDING_INVEPT_STORM);
	assert_string_equal(finding->title, "CPU 0 executed 512 INVEPTs in 512 exits of L2");
	assert_non_null(strstr(finding->note, "handled 1536 exits of L2 alone"));
	assert_int_equal(finding->evidence_count, 2);
	script_free(&script);
}

static void fewer_or_failing_ones_are_not(void **state)
{
	static const struct {
		unsigned exits, every;
		u64 outcome;
		bool found;
	} rows[] = {
		{ 512, 8, OUTCOME_SUCCEED, true },
		{ 512, 9, OUTCOME_SUCCEED, false },
		{ 255, 1, OUTCOME_SUCCEED, false }, /* too short to be told */
		{ 512, 1, OUTCOME_FAIL_VALID, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = play(rows[i].exits, rows[i].every, rows[i].outcome);

		assert_found(&script, INVEPT_STORM, rows[i].found);
		script_free(&script);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_invept_for_every_few_exits_is_a_storm),
		cmocka_unit_test(fewer_or_failing_ones_are_not),
	};

	return cmocka_run_group_tests_name("replay/rule_invept", tests, NULL, NULL);
}
