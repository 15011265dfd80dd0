#include "replay/finding.h"
#include "tests/cli/verb_run.h"

static void a_number_is_decoded_by_its_kind(void **state)
{
	static const struct {
		const char *words[8];
		const char *part;
	} rows[] = {
		{ { "explain", "0x80000b0d", "injection" }, "hardware_exception #GP error_code" },
		{ { "explain", "0x80000021", "reason" }, "invalid_guest_state entry_failure" },
		{ { "explain", "7", "error" }, "7 (VM entry with invalid control field(s))" },
		{ { "explain", "0x2000", "cr4" }, "VMX enable" },
		{ { "explain", "0x2000", "guest_cr4" }, "Guest CR4: vmxe" },
		{ { "explain", "0x2000", "0x6804" }, "Guest CR4: vmxe" },
		{ { "explain", "0x500", "ia32_efer" }, "IA-32e mode active" },
		{ { "explain", "0x83", "ept_violation" }, "read write linear_valid" },
		{ { "explain", "0x83", "qualification", "--reason", "48" }, "write linear_valid" },
		{ { "explain", "0x103", "cr_access", "-j" }, "mov cr3, rcx" },
		{ { "explain", "0x305e", "eptp" }, "memory_type=wb walk=4 ad table=0x3000" },
		{ { "explain", "0x10000", "access_rights" }, "segment unusable" },
		{ { "explain", "8", "interruptibility" }, "blocking_by_nmi" },
		{ { "explain", "3", "activity" }, "wait_for_sipi" },
		{ { "explain", "0x6804", "encoding" }, "guest_cr4" },
		{ { "explain", "0x2007", "ept", "--level", "1" }, "memory_type" },
		{ { "explain", "2", "error_code", "--event", "0x80000b0e" }, "of an exception: w" },
		{ { "explain", "0x7f00000016", "ia32_vmx_true_pinbased_ctls" }, "may be 1:" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(verb_run(cmd_explain, rows[i].words), EXIT_CLEAN);
		assert_printed(rows[i].part);
	}
}

static void reserved_bits_are_shown(void **state)
{
	(void)state;
	assert_int_equal(VERB(explain, "0x100", "interruptibility"), EXIT_CLEAN);
	assert_printed("reserved=0x100");
	assert_printed("    8  reserved");
}

static void what_a_capability_demands_is_told_apart_from_what_it_allows(void **state)
{
	const char *may;

	(void)state;
	assert_int_equal(VERB(explain, "0x0000000900000001", "ia32_vmx_pinbased_ctls"), EXIT_CLEAN);
	may = strstr(verb_text, "may be 1:");
	assert_non_null(may);
	assert_true(strstr(verb_text, "external_interrupt_exiting") < may);
	assert_true(strstr(verb_text, "nmi_exiting") > may);
}

static void every_finding_has_a_page(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FINDING_COUNT; i++) {
		assert_int_equal(VERB(explain, finding_rows[i].rule, "--json"), EXIT_CLEAN);
		assert_printed(finding_rows[i].rule);
		assert_not_printed("\"meaning\":null");
		assert_not_printed("\"next\":null");
	}
}

static void names_of_all_sorts_have_pages(void **state)
{
	static const struct {
		const char *name, *part;
	} rows[] = {
		{ "guest_cr4", "0x6804, 64 bits (natural width), guest state" },
		{ "0x4402", "exit_reason" },
		{ "ept_pointer", "ept is 1 (\"Enable EPT\")" },
		{ "load_efer", "entry_load_efer" },
		{ "load_efer", "exit_load_efer" },
		{ "ept_2m", "bits 16:16 of ia32_vmx_ept_vpid_cap" },
		{ "ia32_efer", "0xc0000080" },
		{ "cpuid", "10 (0xa)" },
		{ "vpid_zero", "the VPID is not 0" },
		{ "l1.launch-state", "severity" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(VERB(explain, rows[i].name), EXIT_CLEAN);
		assert_printed(rows[i].part);
	}
}

static void the_list_has_every_rule(void **state)
{
	(void)state;
	assert_int_equal(VERB(explain, NULL), EXIT_CLEAN);
	for (unsigned i = 0; i < FINDING_COUNT; i++)
		assert_printed(finding_rows[i].rule);
	assert_printed("eptp");
}

static void what_is_missing_is_asked_for(void **state)
{
	static const struct {
		const char *words[6];
		const char *part;
	} rows[] = {
		{ { "explain", "nothing" }, "nothing is called 'nothing'" },
		{ { "explain", "0x80000b0d" }, "what kind of number is '0x80000b0d'" },
		{ { "explain", "5", "nothing" }, "no kind 'nothing'" },
		{ { "explain", "cr4", "cr4" }, "'cr4' is no number" },
		{ { "explain", "5", "qualification" }, "add --reason" },
		{ { "explain", "5", "ept" }, "add --level" },
		{ { "explain", "5", "error_code" }, "add --event" },
		{ { "explain", "5", "cr4", "cr4" }, "'cr4' is too much" },
		{ { "explain", "5", "qualification", "-r", "35" }, "no exit reason '35'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(verb_run(cmd_explain, rows[i].words), EXIT_USAGE);
		assert_printed(rows[i].part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_decoded_by_its_kind),
		cmocka_unit_test(reserved_bits_are_shown),
		cmocka_unit_test(what_a_capability_demands_is_told_apart_from_what_it_allows),
		cmocka_unit_test(every_finding_has_a_page),
		cmocka_unit_test(names_of_all_sorts_have_pages),
		cmocka_unit_test(the_list_has_every_rule),
		cmocka_unit_test(what_is_missing_is_asked_for),
	};

	return cmocka_run_group_tests_name("cli/explain", tests, NULL, NULL);
}
