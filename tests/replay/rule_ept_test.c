#include "tests/replay/script.h"

#define EPTP   0x10101eull
#define EPTP_B 0x70701eull
#define GPA    0x105008ull /* of the entry */
#define R_A    0x200005ull /* readable and executable, frame 200000h */
#define RW_A   0x200007ull
#define R_B    0x300005ull /* another frame */
#define NONE   0x0ull
#define DIRTY  BIT(9)

static struct script start_ept(void)
{
	struct script script = script_start();

	script_vmcs(&script);
	script_vmwrite(&script, VMCS_PRIMARY_PROC_BASED_CONTROLS,
		       0x04006172ull | PRIMARY_SECONDARY_CONTROLS);
	script_vmwrite(&script, VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT);
	script_vmwrite(&script, VMCS_EPT_POINTER, EPTP);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	return script;
}

/* L2 runs, and ends in an EPT violation that finds @entry in the tables of @eptp. */
static void violate_in(struct script *script, u64 eptp, u64 entry)
{
	const struct ev_l2_entry in = { .vmcs = script->vmcs };
	const struct ev_l2_exit out = { .reason = EXIT_EPT_VIOLATION, .vmcs = script->vmcs };
	const struct trace_item items[] = {
		{ ITEM_EPT12_GPA + 1, GPA },
		{ ITEM_EPT12 + 1, entry },
		{ VMCS_EPT_POINTER, eptp },
	};

	script_items(script, EV_L2_ENTRY, &in, sizeof(in), NULL, 0);
	script_items(script, EV_L2_EXIT, &out, sizeof(out), items, eptp == EPTP ? 2 : 3);
}

static void violate(struct script *script, u64 entry)
{
	violate_in(script, EPTP, entry);
}

static void rights_or_frames_that_change_without_invept_are_found(void **state)
{
	static const struct {
		const char *name;
		u64 before, after;
		bool found;
	} rows[] = {
		{ "another frame", R_A, R_B, true },
		{ "no rights any more", R_A, NONE, true },
		{ "fewer rights", RW_A, R_A, true },
		{ "more rights", R_A, RW_A, false },
		{ "first rights", NONE, RW_A, false },
		{ "the same", R_A, R_A, false },
		{ "dirty flag", RW_A, RW_A | DIRTY, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = start_ept();

		violate(&script, rows[i].before);
		script_l2(&script, EXIT_CPUID);
		violate(&script, rows[i].after);
		script_end(&script);
		if (script_count(&script, FINDING_EPT_NO_INVEPT) != rows[i].found)
			fail_msg("%s", rows[i].name);
		script_free(&script);
	}
}

/* The violation itself has dropped what was cached. */
static void a_change_before_l2_ran_again_needs_no_invept(void **state)
{
	struct script script = start_ept();

	(void)state;
	violate(&script, R_A);
	violate(&script, R_B);
	script_end(&script);
	assert_found(&script, EPT_NO_INVEPT, 0);
	script_free(&script);
}

static void invept_of_this_eptp_or_of_all_is_enough(void **state)
{
	static const struct {
		u64 type, eptp;
		u64 outcome;
		bool found;
	} rows[] = {
		{ 1, EPTP, OUTCOME_SUCCEED, false },
		{ 2, 0, OUTCOME_SUCCEED, false },
		{ 1, 0x70701e, OUTCOME_SUCCEED, true },
		{ 1, EPTP, OUTCOME_FAIL_VALID, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = start_ept();

		violate(&script, R_A);
		script_l2(&script, EXIT_CPUID);
		INSN(&script, INVEPT, invept, .type = rows[i].type, .descriptor_low = rows[i].eptp,
		     .outcome = rows[i].outcome, .error = 28);
		violate(&script, R_B);
		script_end(&script);
		assert_found(&script, EPT_NO_INVEPT, rows[i].found);
		script_free(&script);
	}
}

/* VMFUNC: the tables are those that L2 left with. */
static void tables_that_l2_chose_are_those_of_the_exit(void **state)
{
	for (unsigned dropped = 0; dropped < 2; dropped++) {
		struct script script = start_ept();

		(void)state;
		for (unsigned i = 0; i < 2; i++) {
			script_vmwrite(&script, VMCS_EPT_POINTER, EPTP_B);
			script_l2(&script, EXIT_CPUID);
			script_l2(&script, EXIT_CPUID);
			script_vmwrite(&script, VMCS_EPT_POINTER, EPTP);
			if (i)
				INSN(&script, INVEPT, invept, .type = 1,
				     .descriptor_low = dropped ? EPTP_B : EPTP);
			violate_in(&script, EPTP_B, i ? R_B : R_A);
		}
		script_end(&script);
		assert_found(&script, EPT_NO_INVEPT, !dropped);
		script_free(&script);
	}
}

static void an_invept_may_be_in_a_gap(void **state)
{
	struct script script = start_ept();

	(void)state;
	violate(&script, R_A);
	script_l2(&script, EXIT_CPUID);
	script_gap(&script);
	violate(&script, R_B);
	script_end(&script);
	assert_found(&script, EPT_NO_INVEPT, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rights_or_frames_that_change_without_invept_are_found),
		cmocka_unit_test(a_change_before_l2_ran_again_needs_no_invept),
		cmocka_unit_test(invept_of_this_eptp_or_of_all_is_enough),
		cmocka_unit_test(tables_that_l2_chose_are_those_of_the_exit),
		cmocka_unit_test(an_invept_may_be_in_a_gap),
	};

	return cmocka_run_group_tests_name("replay/rule_ept", tests, NULL, NULL);
}
