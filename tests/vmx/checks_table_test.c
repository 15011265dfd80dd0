#include "tests/test.h"
#include "replay/check_table.h"

static void ids_are_unique_and_found_in_any_case(void **state)
{
	(void)state;
	for (unsigned int id = 0; id < CHECK_COUNT; id++) {
		char lower[64] = "";

		assert_true(strlen(check_rows[id].id) < sizeof(lower));
		for (size_t at = 0; check_rows[id].id[at]; at++) {
			const char c = check_rows[id].id[at];

			lower[at] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
		}
		assert_int_equal(check_id_of(check_rows[id].id), id);
		assert_int_equal(check_id_of(lower), id);
	}
	assert_int_equal(check_id_of(""), CHECK_COUNT);
	assert_int_equal(check_id_of("VPID"), CHECK_COUNT);
	assert_int_equal(check_id_of("VPID_ZERO_"), CHECK_COUNT);
}

static void every_row_looks_at_something(void **state)
{
	(void)state;
	for (unsigned int id = 0; id < CHECK_COUNT; id++) {
		const struct check_read *read = check_rows[id].reads;

		assert_int_not_equal(read->what, CHECK_WHAT_NONE);
		for (; read->what != CHECK_WHAT_NONE; read++) {
			const u16 *const what = &read->what;
			const bool field = *what < VMCS_FIELD_COUNT;
			const bool cap =
				*what >= CHECK_WHAT_CAP && *what < CHECK_WHAT_CAP + VMX_CAP_COUNT;
			const bool l1 = *what >= CHECK_WHAT_STATE &&
					*what < CHECK_WHAT_STATE + CHECK_STATE_COUNT;

			if (!field && !cap && !l1 && *what != CHECK_WHAT_CPU &&
			    *what != CHECK_WHAT_MEMORY)
				fail_msg("%s reads 0x%x", check_rows[id].id, *what);
			assert_true(read->mask);
		}
	}
}

/*
 * tests/replay/check_*_test.c have cases for a range of rows each, and hold that none of it lacks
 * any. Here it is held that no row falls between the ranges.
 */
static void every_row_is_in_the_range_of_a_test(void **state)
{
	static const struct {
		u16 first, last;
	} ranges[] = {
		{ CHECK_ENTRY_VMCS_CURRENT, CHECK_INJECT_LENGTH_ZERO }, /* control */
		{ CHECK_HOST_CR0, CHECK_HOST_SSP_TABLE },		/* host */
		{ CHECK_GUEST_CR0, CHECK_GUEST_SPEC_CTRL },		/* guest */
		{ CHECK_TR_SELECTOR, CHECK_LDTR_GRANULARITY },		/* segment */
		{ CHECK_GUEST_TABLE_BASES, CHECK_GUEST_SSP_32 },	/* guest */
		{ CHECK_ACTIVITY_SUPPORTED, CHECK_LINK_NOT_CURRENT },	/* nonregister */
		{ CHECK_PDPTE_FIELDS, CHECK_PDPTE_MEMORY_KEPT },	/* guest */
		{ CHECK_MSR_LOAD_RESERVED, CHECK_COUNT - 1 },		/* msrlist */
	};
	unsigned next = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		assert_int_equal(ranges[i].first, next);
		next = ranges[i].last + 1u;
	}
	assert_int_equal(next, CHECK_COUNT);
}

static void texts_and_titles_are_there(void **state)
{
	(void)state;
	for (unsigned int id = 0; id < CHECK_COUNT; id++) {
		const char *const text = check_rows[id].text;
		const size_t length = strlen(text);

		assert_true(length > 20 && length < 220);
		assert_true(text[length - 1] != '.');
		assert_true(strlen(check_section((enum check_id)id)) > 10);
	}
}

static void sources_are_letters_that_the_table_explains(void **state)
{
	(void)state;
	for (unsigned int id = 0; id < CHECK_COUNT; id++) {
		const char *const sources = check_rows[id].sources;

		assert_true(sources[0]);
		if (strspn(sources, "KBNVS") != strlen(sources))
			assert_string_equal(sources, "U");
		assert_int_equal(check_confirmed((enum check_id)id), sources[0] != 'U');
	}
}

/* Rows stand in the order of the stages, so that a stage is a range of ids. */
static void stages_are_in_order(void **state)
{
	(void)state;
	for (unsigned int id = 1; id < CHECK_COUNT; id++)
		assert_true(check_stage((enum check_id)(id - 1)) <= check_stage((enum check_id)id));
	assert_int_equal(check_stage(CHECK_ENTRY_VMCS_CURRENT), CHECK_STAGE_BASIC);
	assert_int_equal(check_stage(CHECK_VPID_ZERO), CHECK_STAGE_CONTROL);
	assert_int_equal(check_stage(CHECK_HOST_RIP), CHECK_STAGE_HOST);
	assert_int_equal(check_stage(CHECK_LINK_SHADOW), CHECK_STAGE_GUEST);
	assert_string_equal(check_section(CHECK_VPID_ZERO),
			    "Checks on VM-Execution Control Fields");
}

/* Every guest-stage row says which qualifications it may report, and no others do. */
static void details_fit_the_stage(void **state)
{
	(void)state;
	for (unsigned int id = 0; id < CHECK_COUNT; id++) {
		const u8 detail = check_rows[id].detail;

		switch (check_stage((enum check_id)id)) {
		case CHECK_STAGE_BASIC:
			assert_true(!detail || vmx_insn_error_text(detail));
			break;
		case CHECK_STAGE_GUEST:
			assert_true(detail && !(detail & ~(BIT(0) | BIT(2) | BIT(3) | BIT(4))));
			break;
		case CHECK_STAGE_MSR_STORE:
			assert_int_equal(detail, 1);
			break;
		case CHECK_STAGE_MSR_HOST:
			assert_int_equal(detail, 4);
			break;
		default:
			assert_int_equal(detail, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_unique_and_found_in_any_case),
		cmocka_unit_test(every_row_looks_at_something),
		cmocka_unit_test(every_row_is_in_the_range_of_a_test),
		cmocka_unit_test(texts_and_titles_are_there),
		cmocka_unit_test(sources_are_letters_that_the_table_explains),
		cmocka_unit_test(stages_are_in_order),
		cmocka_unit_test(details_fit_the_stage),
	};
	return cmocka_run_group_tests_name("vmx/checks", tests, NULL, NULL);
}
