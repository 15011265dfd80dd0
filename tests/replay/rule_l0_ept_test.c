#include "tests/replay/script_l0.h"

#define TABLE 0x7007ull /* an entry that leads on, with all rights */

static const struct walk {
	const char *name;
	u64 entry[5]; /* by level; what is 0 at the end of the walk was not read */
	u64 reason;
	int found;
} walks[] = {
	{ "not present, violation", { 0, 0, TABLE, TABLE, TABLE }, EXIT_EPT_VIOLATION, NOTHING },
	{ "writable only, misconfiguration",
	  { 0, 0x8032, TABLE, TABLE, TABLE },
	  EXIT_EPT_MISCONFIGURATION,
	  NOTHING },
	{ "writable only, violation",
	  { 0, 0x8032, TABLE, TABLE, TABLE },
	  EXIT_EPT_VIOLATION,
	  FINDING_L0_EPT_MISCONFIG },
	{ "read-only, violation", { 0, 0x8031, TABLE, TABLE, TABLE }, EXIT_EPT_VIOLATION, NOTHING },
	{ "read-only, misconfiguration",
	  { 0, 0x8031, TABLE, TABLE, TABLE },
	  EXIT_EPT_MISCONFIGURATION,
	  FINDING_L0_EPT_MISCONFIG },
	{ "a reserved memory type, violation",
	  { 0, 0x803f, TABLE, TABLE, TABLE },
	  EXIT_EPT_VIOLATION,
	  FINDING_L0_EPT_MISCONFIG },
	{ "bits 7:3 of level 4, violation",
	  { 0, 0x8031, TABLE, TABLE, TABLE | 8 },
	  EXIT_EPT_VIOLATION,
	  FINDING_L0_EPT_MISCONFIG },
	{ "an address that is too wide, violation",
	  { 0, BIT(45) | 0x31, TABLE, TABLE, TABLE },
	  EXIT_EPT_VIOLATION,
	  FINDING_L0_EPT_MISCONFIG },
	{ "a large page that is not aligned, violation",
	  { 0, 0, 0x1000b1, TABLE, TABLE },
	  EXIT_EPT_VIOLATION,
	  FINDING_L0_EPT_MISCONFIG },
	{ "a large page, violation",
	  { 0, 0, 0x2000b1, TABLE, TABLE },
	  EXIT_EPT_VIOLATION,
	  NOTHING },
};

static u32 put_walk(struct trace_item *items, const u64 *entry, unsigned last)
{
	u32 count = 0;

	for (unsigned level = 4; level >= last; level--)
		items[count++] = (struct trace_item){ ITEM_EPT12 + level, entry[level] };
	return count;
}

static void misconfigured_entries_give_another_exit_than_missing_rights(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(walks); i++) {
		const unsigned last = walks[i].entry[1] ? 1 : 2;
		const struct ev_l2_exit exit = { .reason = walks[i].reason, .vmcs = SCRIPT_VMCS };
		struct script script = script_ready();
		struct trace_item items[5];
		u32 count = put_walk(items, walks[i].entry,
				     walks[i].entry[2] == TABLE && !walks[i].entry[1] ? 1 : last);

		INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
		script_enter(&script);
		script_items(&script, EV_L2_EXIT, &exit, sizeof(exit), items, count);
		assert_only_l0(&script, walks[i].name, walks[i].found);
		script_free(&script);
	}
}

static void an_exit_whose_walk_is_not_told_is_not_judged(void **state)
{
	struct script script = script_ready();

	(void)state;
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_enter(&script);
	EXIT12(&script, EXIT_EPT_MISCONFIGURATION, { VMCS_GUEST_RIP, 2 });
	assert_only_l0(&script, "no walk", NOTHING);
	script_free(&script);
}

/* --- EPT02 ------------------------------------------------------------------------------------ */

static const struct mapping {
	const char *name;
	u64 gpa2;
	u64 entry[5];
	unsigned level01, level02;
	u64 entry01, entry02;
	int found;
} mappings[] = {
	{ "one to one",
	  0x200000,
	  { 0, 0x200037, TABLE, TABLE, TABLE },
	  2,
	  1,
	  0x2000b7,
	  0x200037,
	  NOTHING },
	{ "another page",
	  0x5000,
	  { 0, 0x9037, TABLE, TABLE, TABLE },
	  1,
	  1,
	  0x9037,
	  0x9037,
	  NOTHING },
	{ "the wrong page",
	  0x5000,
	  { 0, 0x9037, TABLE, TABLE, TABLE },
	  1,
	  1,
	  0x9037,
	  0x5037,
	  FINDING_L0_EPT02_MISMATCH },
	{ "a large page in pieces",
	  0x605000,
	  { 0, 0, 0xa000b7, TABLE, TABLE },
	  1,
	  1,
	  0xa05037,
	  0xa05037,
	  NOTHING },
	{ "the offset in a large page lost",
	  0x605000,
	  { 0, 0, 0xa000b7, TABLE, TABLE },
	  2,
	  1,
	  0xa000b7,
	  0xa00037,
	  FINDING_L0_EPT02_MISMATCH },
	{ "no write in level 2, none in EPT02",
	  0x5000,
	  { 0, 0x9037, 0x7005, TABLE, TABLE },
	  1,
	  1,
	  0x9037,
	  0x9035,
	  NOTHING },
	{ "no write in level 2, write in EPT02",
	  0x5000,
	  { 0, 0x9037, 0x7005, TABLE, TABLE },
	  1,
	  1,
	  0x9037,
	  0x9037,
	  FINDING_L0_EPT02_MISMATCH },
	{ "fewer rights than allowed",
	  0x5000,
	  { 0, 0x9037, TABLE, TABLE, TABLE },
	  1,
	  1,
	  0x9037,
	  0x9031,
	  NOTHING },
};

static void ept02_maps_what_ept12_and_ept01_map_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mappings); i++) {
		const struct mapping *const row = &mappings[i];
		const struct ev_l0_entry resume = { .vmcs = SCRIPT_VMCS, .resumed = 1 };
		struct script script = script_ready();
		struct trace_item items[8];
		u32 count = put_walk(items, row->entry, row->entry[1] ? 1 : 2);

		items[count++] = (struct trace_item){ ITEM_EPT01 + row->level01, row->entry01 };
		items[count++] = (struct trace_item){ ITEM_EPT02 + row->level02, row->entry02 };
		script_run(&script);
		EXIT02(&script, (EXIT_EPT_VIOLATION, .qualification = 0x181, .gpa2 = row->gpa2),
		       { ITEM02(GUEST_RSP), 0 });
		script_items(&script, EV_L0_ENTRY, &resume, sizeof(resume), items, count);
		assert_only_l0(&script, row->name, row->found);
		script_free(&script);
	}
}

static void a_mapping_without_its_exit_is_not_judged(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_run(&script);
	EXIT02(&script, (EXIT_EPT_VIOLATION, .qualification = 0x181, .gpa2 = 0x5000),
	       { ITEM02(GUEST_RSP), 0 });
	script_gap(&script);
	RESUME02(&script, { ITEM_EPT12 + 4, TABLE }, { ITEM_EPT12 + 3, TABLE },
		 { ITEM_EPT12 + 2, TABLE }, { ITEM_EPT12 + 1, 0x9037 }, { ITEM_EPT01 + 1, 0x9037 },
		 { ITEM_EPT02 + 1, 0x5037 });
	assert_only_l0(&script, "behind a gap", NOTHING);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(misconfigured_entries_give_another_exit_than_missing_rights),
		cmocka_unit_test(an_exit_whose_walk_is_not_told_is_not_judged),
		cmocka_unit_test(ept02_maps_what_ept12_and_ept01_map_together),
		cmocka_unit_test(a_mapping_without_its_exit_is_not_judged),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_ept", tests, NULL, NULL);
}
