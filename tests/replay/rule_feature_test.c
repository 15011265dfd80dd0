#include "tests/replay/script.h"

#define PRIMARY 0x84006172ull /* with secondary controls */

struct feature_case {
	const char *name;
	u64 primary, secondary, bitmap, leaf, subleaf;
	enum vmx_reg reg;
	u64 answer;
	bool found;
};

static const struct feature_case feature_cases[] = {
	{ "INVPCID", PRIMARY, 0, 0, 7, 0, REG_RBX, BIT(10), true },
	{ "RDTSCP", PRIMARY, 0, 0, 0x80000001, 0, REG_RDX, BIT(27), true },
	{ "XSAVES", PRIMARY, 0, 0, 0xd, 1, REG_RAX, BIT(3), true },
	{ "without secondary controls", PRIMARY & ~BIT(31), SECONDARY_INVPCID, 0, 7, 0, REG_RBX,
	  BIT(10), true },
	{ "enabled", PRIMARY, SECONDARY_INVPCID, 0, 7, 0, REG_RBX, BIT(10), false },
	{ "hidden", PRIMARY, 0, 0, 7, 0, REG_RBX, ~BIT(10), false },
	{ "another subleaf", PRIMARY, 0, 0, 7, 1, REG_RBX, BIT(10), false },
	{ "another register", PRIMARY, 0, 0, 7, 0, REG_RCX, BIT(10), false },
	{ "L1 takes #UD", PRIMARY, 0, BIT(6), 7, 0, REG_RBX, BIT(10), false },
};

static struct script play(const struct feature_case *row, bool gap)
{
	struct script script = script_start();
	struct ev_l2_exit exit = { .reason = EXIT_CPUID };
	struct ev_l2_entry entry = { 0 };
	const struct trace_item asked[] = {
		{ ITEM_REG + REG_RAX, row->leaf },
		{ ITEM_REG + REG_RCX, row->subleaf },
	};
	const struct trace_item answer = { ITEM_REG + (u32)row->reg, row->answer };

	script_vmcs(&script);
	exit.vmcs = entry.vmcs = script.vmcs;
	script_vmwrite(&script, VMCS_PRIMARY_PROC_BASED_CONTROLS, row->primary);
	script_vmwrite(&script, VMCS_SECONDARY_PROC_BASED_CONTROLS, row->secondary);
	script_vmwrite(&script, VMCS_EXCEPTION_BITMAP, row->bitmap);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_items(&script, EV_L2_ENTRY, &entry, sizeof(entry), NULL, 0);
	script_items(&script, EV_L2_EXIT, &exit, sizeof(exit), asked, ARRAY_SIZE(asked));
	if (gap)
		script_gap(&script);
	INSN(&script, VMRESUME, vmresume, .launched = 1);
	script_items(&script, EV_L2_ENTRY, &entry, sizeof(entry), &answer, 1);
	script_end(&script);
	return script;
}

static void what_cpuid_promises_must_be_enabled(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(feature_cases); i++) {
		struct script script = play(&feature_cases[i], false);

		if (script_count(&script, FINDING_FEATURE_UD) != feature_cases[i].found)
			fail_msg("%s", feature_cases[i].name);
		script_free(&script);
		script = play(&feature_cases[i], true);
		assert_found(&script, FEATURE_UD, 0);
		script_free(&script);
	}
}

static void the_finding_tells_bit_and_control(void **state)
{
	struct script script = play(&feature_cases[0], false);
	const struct finding *const finding = script_finding(&script, FINDING_FEATURE_UD);

	(void)state;
	assert_string_equal(
		finding->title,
		"CPUID shows INVPCID to L2, where it is #UD: secondary control invpcid is 0");
	assert_int_equal(finding->evidence[0].kind, EV_VMWRITE);
	assert_int_equal(finding->evidence[1].kind, EV_L2_EXIT);
	assert_int_equal(finding->evidence[2].kind, EV_L2_ENTRY);
	assert_string_equal(finding->next,
			    "set control invpcid, or clear the bit in the answer to CPUID");
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cpuid_promises_must_be_enabled),
		cmocka_unit_test(the_finding_tells_bit_and_control),
	};

	return cmocka_run_group_tests_name("replay/rule_feature", tests, NULL, NULL);
}
