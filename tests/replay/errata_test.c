#include "replay/errata.h"
#include "tests/replay/script_entry.h"

#define BOCHS_BASIC 0x00d810000000002bull
#define KVM_BASIC   0x00d8100011e57ed0ull

static void each_row_is_complete_and_found_by_its_id(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ERRATUM_COUNT; n++) {
		assert_true(errata[n].platform < PLATFORM_OTHER);
		assert_true(errata[n].text[0] && errata[n].source[0]);
		assert_ptr_equal(erratum_find(errata[n].id), &errata[n]);
	}
	assert_ptr_equal(erratum_find("bochs_debugctl"), &errata[ERRATUM_BOCHS_DEBUGCTL]);
	assert_null(erratum_find("bochs"));
}

static void platforms_are_told_by_their_regions(void **state)
{
	static const struct {
		u64 basic;
		enum errata_platform platform;
	} rows[] = {
		{ BOCHS_BASIC, PLATFORM_BOCHS_2_7 },
		{ 0x00d8100000000004, PLATFORM_BOCHS_2_7 },
		{ KVM_BASIC, PLATFORM_KVM },
		{ 0x00da040000000004, PLATFORM_OTHER }, /* a processor */
		{ 0x00d8100076787401, PLATFORM_OTHER }, /* vmxtape-hv */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmx_caps caps = { .known = 0 }, unknown = { .known = 0 };

		assert_int_equal(errata_platforms_of(&caps, &caps).processor, PLATFORM_OTHER);
		vmx_caps_set(&caps, MSR_VMX_BASIC, rows[i].basic);
		vmx_caps_set(&caps, MSR_VMX_VMCS_ENUM, 0x34);
		assert_int_equal(errata_platforms_of(&caps, &unknown).processor, rows[i].platform);
		assert_int_equal(errata_platforms_of(&unknown, &caps).l0, rows[i].platform);
	}
}

/* A script on a processor with that IA32_VMX_BASIC, and an L0 that shows @shown. */
static struct script on_l0(u64 basic, u64 shown)
{
	struct script script = script_ready();

	script_capability(&script, MSR_VMX_BASIC, basic, shown);
	script_capability(&script, MSR_VMX_VMCS_ENUM, 0x34, 0x34);
	FIELD12(&script, VM_ENTRY_CONTROLS,
		0x11fb | ENTRY_IA32E_MODE_GUEST | ENTRY_LOAD_DEBUG_CONTROLS);
	script_forget_counts(&script);
	return script;
}

static struct script on(u64 basic)
{
	return on_l0(basic, basic);
}

static void enter(struct script *script)
{
	INSN(script, VMLAUNCH, vmlaunch, .launched = 0);
	script_enter(script);
}

static void a_divergence_that_an_erratum_explains_is_a_note_that_names_it(void **state)
{
	struct script script = on(BOCHS_BASIC);
	const struct finding *finding;

	(void)state;
	FIELD12(&script, GUEST_IA32_DEBUGCTL, BIT(40));
	enter(&script);
	assert_int_equal(check_counts(script.check)->diverge, 0);
	assert_int_equal(check_counts(script.check)->explained, 1);
	finding = script_finding(&script, FINDING_ENTRY_TOO_LAX);
	assert_non_null(finding);
	assert_int_equal(finding->severity, SEVERITY_NOTE);
	assert_non_null(strstr(finding->note, "BOCHS_DEBUGCTL of Bochs 2.7"));
	script_free(&script);
}

static void on_another_platform_it_is_an_error(void **state)
{
	struct script script = on(KVM_BASIC);

	(void)state;
	FIELD12(&script, GUEST_IA32_DEBUGCTL, BIT(40));
	enter(&script);
	assert_int_equal(check_counts(script.check)->diverge, 1);
	assert_int_equal(script_finding(&script, FINDING_ENTRY_TOO_LAX)->severity, SEVERITY_ERROR);
	script_free(&script);
}

static void two_errata_explain_together_what_neither_does_alone(void **state)
{
	struct script script = on(BOCHS_BASIC);

	(void)state;
	FIELD12(&script, GUEST_IA32_DEBUGCTL, BIT(40));
	FIELD12(&script, GUEST_RIP, BIT(50));
	enter(&script);
	assert_int_equal(check_counts(script.check)->explained, 1);
	script_free(&script);
}

static void a_check_that_no_erratum_covers_is_an_error_beside_one_that_is(void **state)
{
	struct script script = on(BOCHS_BASIC);

	(void)state;
	FIELD12(&script, GUEST_IA32_DEBUGCTL, BIT(40));
	FIELD12(&script, GUEST_RFLAGS, 0);
	enter(&script);
	assert_int_equal(check_counts(script.check)->diverge, 1);
	assert_int_equal(check_counts(script.check)->explained, 0);
	script_free(&script);
}

/* Of a row about several segments, such an erratum explains SS alone, and a null one. */
static void a_null_ss_of_64bit_code_is_explained_and_no_other_segment(void **state)
{
	static const struct {
		const char *name;
		u64 selector, cs_base, ss_base;
		unsigned explained;
	} rows[] = {
		{ "null", 0, 0, BIT(33), 1 },
		{ "null with an RPL", 3, 0, BIT(33), 1 },
		{ "not null", 0x18, 0, BIT(33), 0 },
		{ "CS as well", 0, BIT(33), BIT(33), 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = on_l0(BOCHS_BASIC, good_caps[VMX_CAP_BASIC] & ~MASK(30, 0));

		FIELD12(&script, SECONDARY_PROC_BASED_CONTROLS,
			SECONDARY_EPT | SECONDARY_VPID | SECONDARY_UNRESTRICTED_GUEST);
		FIELD12(&script, GUEST_SS_SELECTOR, rows[i].selector);
		FIELD12(&script, GUEST_CS_BASE, rows[i].cs_base);
		FIELD12(&script, GUEST_SS_BASE, rows[i].ss_base);
		enter(&script);
		assert_row(rows[i].name, check_counts(script.check)->explained, rows[i].explained);
		assert_row(rows[i].name, check_counts(script.check)->diverge, !rows[i].explained);
		script_free(&script);
	}
}

/* Code that is not conforming; of a data segment Bochs compares DPL with RPL. */
static void code_in_data_segment_registers_is_explained_and_no_data(void **state)
{
	static const struct {
		const char *name;
		u64 ds, fs;
		unsigned explained;
	} rows[] = {
		{ "code", 0x409b, 0x40f3, 1 },
		{ "code in both", 0x409b, 0x409b, 1 },
		{ "data", 0x4093, 0x40f3, 0 },
		{ "code and data", 0x409b, 0x4093, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = on_l0(BOCHS_BASIC, good_caps[VMX_CAP_BASIC] & ~MASK(30, 0));

		FIELD12(&script, GUEST_DS_SELECTOR, 0x1b);
		FIELD12(&script, GUEST_FS_SELECTOR, 0x1b);
		FIELD12(&script, GUEST_DS_ACCESS_RIGHTS, rows[i].ds);
		FIELD12(&script, GUEST_FS_ACCESS_RIGHTS, rows[i].fs);
		enter(&script);
		assert_row(rows[i].name, check_counts(script.check)->explained, rows[i].explained);
		assert_row(rows[i].name, check_counts(script.check)->diverge, !rows[i].explained);
		script_free(&script);
	}
}

static void refuse(struct script *script)
{
	INSN(script, VMLAUNCH, vmlaunch, .launched = 0);
	EXIT12(script, EXIT_REASON_ENTRY_FAILURE | EXIT_INVALID_GUEST_STATE,
	       { VMCS_EXIT_QUALIFICATION, 0 });
}

/* SDM: with "unrestricted guest" RPL of CS and SS need be neither the same nor the DPL. */
static void a_check_that_is_made_too_much_is_explained_as_well(void **state)
{
	static const struct {
		const char *name;
		u64 cs, ss, cs_rights, ss_rights;
		unsigned explained;
	} rows[] = {
		{ "CS alone", 0x11, 0x18, 0xa09b, 0xc093, 1 },
		{ "CS and SS", 0x13, 0x1b, 0xa09b, 0xc093, 1 },
		{ "SS alone", 0x10, 0x1b, 0xa09b, 0xc093, 0 },
		{ "conforming, below", 0x10, 0x18, 0xa0ff, 0xc0f3, 1 },
		{ "conforming, above", 0x13, 0x18, 0xa09f, 0xc093, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script script = on(BOCHS_BASIC);

		FIELD12(&script, SECONDARY_PROC_BASED_CONTROLS,
			SECONDARY_EPT | SECONDARY_VPID | SECONDARY_UNRESTRICTED_GUEST);
		FIELD12(&script, GUEST_CS_SELECTOR, rows[i].cs);
		FIELD12(&script, GUEST_SS_SELECTOR, rows[i].ss);
		FIELD12(&script, GUEST_CS_ACCESS_RIGHTS, rows[i].cs_rights);
		FIELD12(&script, GUEST_SS_ACCESS_RIGHTS, rows[i].ss_rights);
		script_forget_counts(&script);
		refuse(&script);
		assert_row(rows[i].name, check_counts(script.check)->explained, rows[i].explained);
		assert_row(rows[i].name, check_counts(script.check)->diverge, !rows[i].explained);
		assert_found(&script, ENTRY_TOO_STRICT, 1);
		script_free(&script);
	}
}

static void such_a_check_explains_no_other_refusal(void **state)
{
	struct script script = on(BOCHS_BASIC);

	(void)state;
	refuse(&script);
	assert_int_equal(check_counts(script.check)->diverge, 1);
	script_free(&script);
}

static void what_l0_judges_itself_is_not_explained_by_the_processor_below(void **state)
{
	struct script script = on_l0(BOCHS_BASIC, good_caps[VMX_CAP_BASIC] & ~MASK(30, 0));

	(void)state;
	INSN(&script, INVEPT, invept, .type = 3);
	assert_int_equal(check_counts(script.check)->diverge, 1);
	FIELD12(&script, GUEST_IA32_DEBUGCTL, BIT(40));
	enter(&script);
	assert_int_equal(check_counts(script.check)->diverge, 1);
	assert_int_equal(check_counts(script.check)->explained, 1);
	script_free(&script);
}

static void what_an_exit_leaves_is_explained(void **state)
{
	struct script script = on(BOCHS_BASIC);
	const struct finding *finding;

	(void)state;
	enter(&script);
	script_forget_counts(&script);
	EXIT12(&script, EXIT_CPUID, { VMCS_VM_EXIT_INSTRUCTION_LENGTH, 2 },
	       { VMCS_GUEST_RFLAGS, 0x10002 });
	assert_int_equal(check_counts(script.check)->explained, 1);
	finding = script_finding(&script, FINDING_EXIT_STATE);
	assert_non_null(finding);
	assert_int_equal(finding->severity, SEVERITY_NOTE);
	assert_non_null(strstr(finding->note, "BOCHS_SAVED_RF"));
	script_free(&script);
}

static void an_instruction_is_explained(void **state)
{
	struct script script = on(BOCHS_BASIC);

	(void)state;
	INSN(&script, INVEPT, invept, .type = 3);
	assert_int_equal(check_counts(script.check)->explained, 1);
	assert_int_equal(script_finding(&script, FINDING_INSN_OUTCOME)->severity, SEVERITY_NOTE);
	INSN(&script, VMCLEAR, vmclear, .pointer = 0x1000);
	assert_int_equal(check_counts(script.check)->diverge, 1);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_complete_and_found_by_its_id),
		cmocka_unit_test(platforms_are_told_by_their_regions),
		cmocka_unit_test(a_divergence_that_an_erratum_explains_is_a_note_that_names_it),
		cmocka_unit_test(on_another_platform_it_is_an_error),
		cmocka_unit_test(two_errata_explain_together_what_neither_does_alone),
		cmocka_unit_test(a_check_that_no_erratum_covers_is_an_error_beside_one_that_is),
		cmocka_unit_test(a_null_ss_of_64bit_code_is_explained_and_no_other_segment),
		cmocka_unit_test(code_in_data_segment_registers_is_explained_and_no_data),
		cmocka_unit_test(a_check_that_is_made_too_much_is_explained_as_well),
		cmocka_unit_test(such_a_check_explains_no_other_refusal),
		cmocka_unit_test(what_l0_judges_itself_is_not_explained_by_the_processor_below),
		cmocka_unit_test(what_an_exit_leaves_is_explained),
		cmocka_unit_test(an_instruction_is_explained),
	};
	return cmocka_run_group_tests_name("replay/errata", tests, NULL, NULL);
}
