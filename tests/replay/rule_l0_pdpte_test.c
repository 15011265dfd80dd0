#include "tests/replay/script_l0.h"

static struct script without_ept(u64 secondary)
{
	struct script script = script_ready();

	FIELD12(&script, SECONDARY_PROC_BASED_CONTROLS, secondary);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	return script;
}

static void enter(struct script *script, u64 used, u64 memory, bool gap)
{
	const struct ev_l2_entry entry = { .vmcs = SCRIPT_VMCS };
	const struct trace_item items[] = { { ITEM_PDPTE, memory } };

	ENTER02(script, { ITEM02(GUEST_PDPTE0), used });
	if (gap)
		script_gap(script);
	script_items(script, EV_L2_ENTRY, &entry, sizeof(entry), items, ARRAY_SIZE(items));
}

static void the_pdptes_of_memory_are_those_l2_runs_with(void **state)
{
	static const struct {
		const char *name;
		u64 secondary, used, memory;
		bool gap;
		int found;
	} rows[] = {
		{ "the same", 0, 0x5001, 0x5001, false, NOTHING },
		{ "another", 0, 0x6001, 0x5001, false, FINDING_L0_PDPTE },
		{ "none", 0, 0, 0x5001, false, FINDING_L0_PDPTE },
		{ "one too many", 0, 0x5001, 0, false, FINDING_L0_PDPTE },
		{ "bits that are ignored", 0, 0x5a01, 0x5001, false, NOTHING },
		{ "not present, other bits", 0, 0x6000, 0x5000, false, NOTHING },
		{ "with EPT they are fields", SECONDARY_EPT, 0x6001, 0x5001, false, NOTHING },
		{ "behind a gap", 0, 0x6001, 0x5001, true, NOTHING },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = without_ept(rows[i].secondary);

		enter(&script, rows[i].used, rows[i].memory, rows[i].gap);
		assert_row(rows[i].name, script_count(&script, FINDING_L0_PDPTE),
			   rows[i].found != NOTHING);
		script_free(&script);
	}
}

static void what_l0_did_not_read_is_not_compared(void **state)
{
	struct script script = without_ept(0);

	(void)state;
	ENTER02(&script, { ITEM02(GUEST_PDPTE0), 0x6001 });
	script_enter(&script);
	assert_found(&script, L0_PDPTE, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pdptes_of_memory_are_those_l2_runs_with),
		cmocka_unit_test(what_l0_did_not_read_is_not_compared),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_pdpte", tests, NULL, NULL);
}
