#include "tests/replay/script_entry.h"

#define FAILURE(reason) (EXIT_REASON_ENTRY_FAILURE | (reason))

enum end { RUNS, CONTROLS, HOST_STATE, NOT_CLEAR, GUEST_STATE, LINK };

static void end(struct script *script, enum end how)
{
	static const u8 errors[] = { [CONTROLS] = 7, [HOST_STATE] = 8, [NOT_CLEAR] = 4 };
	const u64 qualification = how == LINK ? 4 : 0;

	if (how >= CONTROLS && how <= NOT_CLEAR) {
		INSN(script, VMLAUNCH, vmlaunch, .outcome = OUTCOME_FAIL_VALID,
		     .error = errors[how]);
		return;
	}
	INSN(script, VMLAUNCH, vmlaunch, .launched = 0);
	if (how == RUNS)
		script_enter(script);
	else
		EXIT12(script, FAILURE(EXIT_INVALID_GUEST_STATE),
		       { VMCS_EXIT_QUALIFICATION, qualification });
}

static const struct row {
	const char *name;
	int field; /* set to @value, or -1 */
	u64 value;
	u8 how;
	u16 found; /* enum finding_id, FINDING_COUNT: nothing */
} rows[] = {
	{ "a good entry that runs", -1, 0, RUNS, FINDING_COUNT },
	{ "a good entry, error 7", -1, 0, CONTROLS, FINDING_ENTRY_TOO_STRICT },
	{ "a good entry, error 8", -1, 0, HOST_STATE, FINDING_ENTRY_TOO_STRICT },
	{ "a good entry, exit 33", -1, 0, GUEST_STATE, FINDING_ENTRY_TOO_STRICT },
	{ "a reserved pin control, error 7", VMCS_IX_PIN_BASED_CONTROLS, 0x1016, CONTROLS,
	  FINDING_COUNT },
	{ "a reserved pin control, runs", VMCS_IX_PIN_BASED_CONTROLS, 0x1016, RUNS,
	  FINDING_ENTRY_TOO_LAX },
	{ "a reserved pin control, error 8", VMCS_IX_PIN_BASED_CONTROLS, 0x1016, HOST_STATE,
	  FINDING_ENTRY_ERROR_PRIORITY },
	{ "a reserved pin control, exit 33", VMCS_IX_PIN_BASED_CONTROLS, 0x1016, GUEST_STATE,
	  FINDING_ENTRY_ERROR_PRIORITY },
	{ "a host CR3 too wide, error 8", VMCS_IX_HOST_CR3, BIT(41), HOST_STATE, FINDING_COUNT },
	{ "a host CR3 too wide, error 4", VMCS_IX_HOST_CR3, BIT(41), NOT_CLEAR,
	  FINDING_ENTRY_ERROR_PRIORITY },
	{ "RFLAGS without bit 1, exit 33", VMCS_IX_GUEST_RFLAGS, 0, GUEST_STATE, FINDING_COUNT },
	{ "RFLAGS without bit 1, the qualification of another check", VMCS_IX_GUEST_RFLAGS, 0, LINK,
	  FINDING_ENTRY_ERROR_PRIORITY },
	{ "a bad link pointer, exit 33 with 4", VMCS_IX_VMCS_LINK_POINTER, 1, LINK, FINDING_COUNT },
	{ "a bad link pointer, runs", VMCS_IX_VMCS_LINK_POINTER, 1, RUNS, FINDING_ENTRY_TOO_LAX },
};

static void what_an_entry_ends_with_is_compared_with_all_checks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = script_ready();
		const struct judge_counts *const counts = check_counts(script.check);

		if (rows[i].field >= 0)
			script_field(&script, rows[i].field, rows[i].value);
		script_forget_counts(&script);
		end(&script, rows[i].how);
		/* What L2_ENTRY and L2_EXIT leave in the VMCS is judged apart. */
		assert_row(rows[i].name, counts->agree,
			   (rows[i].found == FINDING_COUNT) +
				   (rows[i].how == RUNS || rows[i].how >= GUEST_STATE));
		assert_row(rows[i].name, counts->diverge, rows[i].found != FINDING_COUNT);
		assert_row(rows[i].name, counts->unknown, 0);
		for (unsigned id = FINDING_ENTRY_TOO_LAX; id <= FINDING_ENTRY_ERROR_PRIORITY; id++)
			assert_row(rows[i].name, script_count(&script, id), id == rows[i].found);
		script_free(&script);
	}
}

static void a_finding_names_the_check_the_field_and_who_wrote_it(void **state)
{
	struct script script = script_ready();
	const struct finding *finding;
	u64 write;

	(void)state;
	write = script.n;
	FIELD12(&script, HOST_CR3, BIT(41));
	end(&script, RUNS);
	finding = script_finding(&script, FINDING_ENTRY_TOO_LAX);
	assert_non_null(finding);
	assert_non_null(strstr(finding->title, "HOST_CR3"));
	assert_non_null(strstr(finding->title, "VMfailValid(8)"));
	assert_non_null(strstr(finding->note, "host_cr3 = 0x20000000000"));
	assert_int_equal(finding->evidence[0].n, write);
	script_free(&script);
}

static void nothing_is_found_where_a_field_is_not_known(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_gap(&script);
	script_forget_counts(&script);
	end(&script, CONTROLS);
	assert_int_equal(check_counts(script.check)->unknown, 1);
	assert_found(&script, ENTRY_TOO_STRICT, 0);
	script_free(&script);
}

static void an_entry_without_its_end_is_unknown(void **state)
{
	struct script script = script_ready();

	(void)state;
	script_forget_counts(&script);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_end(&script);
	assert_int_equal(check_counts(script.check)->unknown, 1);
	assert_int_equal(check_counts(script.check)->agree, 0);
	script_free(&script);
}

static void the_next_entry_is_judged_by_what_changed(void **state)
{
	struct script script = script_ready();
	const struct judge_counts *const counts = check_counts(script.check);

	(void)state;
	end(&script, RUNS);
	EXIT12(&script, EXIT_CPUID, { VMCS_EXIT_REASON, EXIT_CPUID });
	FIELD12(&script, GUEST_RFLAGS, 0);
	script_forget_counts(&script);
	INSN(&script, VMRESUME, vmresume, .launched = 1);
	EXIT12(&script, FAILURE(EXIT_INVALID_GUEST_STATE), { VMCS_EXIT_QUALIFICATION, 0 });
	FIELD12(&script, GUEST_RFLAGS, 2);
	INSN(&script, VMRESUME, vmresume, .launched = 1);
	script_enter(&script);
	assert_int_equal(counts->agree, 4);
	assert_int_equal(counts->diverge, 0);
	script_free(&script);
}

/* Exits record the fields that changed: a second failure of the same kind has no items. */
static void a_qualification_that_did_not_change_is_still_known(void **state)
{
	struct script script = script_ready();
	const struct judge_counts *const counts = check_counts(script.check);

	(void)state;
	FIELD12(&script, VMCS_LINK_POINTER, 1);
	script_forget_counts(&script);
	end(&script, LINK);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	EXIT12(&script, FAILURE(EXIT_INVALID_GUEST_STATE), { ITEM_REG, 0 });
	assert_int_equal(counts->agree, 4);
	assert_int_equal(counts->diverge, 0);
	script_free(&script);
}

/*
 * Nothing is known but the mode, of a VMCS that is current: no end is sure, and this one is wrong.
 */
static void a_title_says_so_where_no_other_outcome_is_sure(void **state)
{
	struct script script = script_start_unknown();
	const struct findings *const findings = check_findings(script.check);

	(void)state;
	script.vmcs = SCRIPT_VMCS;
	INSN(&script, VMPTRST, vmptrst, .gpa = 0x5000);
	INSN(&script, VMRESUME, vmresume, .outcome = OUTCOME_FAULT, .error = 3);
	assert_int_equal(findings->count, 1);
	assert_non_null(strstr(findings->list[0]->title, "expected another outcome"));
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_entry_ends_with_is_compared_with_all_checks),
		cmocka_unit_test(a_finding_names_the_check_the_field_and_who_wrote_it),
		cmocka_unit_test(nothing_is_found_where_a_field_is_not_known),
		cmocka_unit_test(an_entry_without_its_end_is_unknown),
		cmocka_unit_test(the_next_entry_is_judged_by_what_changed),
		cmocka_unit_test(a_title_says_so_where_no_other_outcome_is_sure),
		cmocka_unit_test(a_qualification_that_did_not_change_is_still_known),
	};
	return cmocka_run_group_tests_name("replay/rule_entry", tests, NULL, NULL);
}
