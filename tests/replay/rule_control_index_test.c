#include "tests/replay/script.h"

#define PRIMARY 0x84006172ull /* with secondary controls */

struct index_case {
	const char *name;
	u64 primary, secondary;
	bool apic_address; /* written */
	bool eptp;	   /* likewise */
	bool found;
};

/* The script's processor allows bits 0 to 7 and 10 to 12 of the secondary controls. */
static const struct index_case index_cases[] = {
	{ "1 | 7", PRIMARY, 7, false, false, true },
	{ "the VPID's number", PRIMARY, 5, false, false, true },
	{ "what they need is there", PRIMARY, 7, true, true, false },
	{ "a single low bit", PRIMARY, 1, false, false, false },
	{ "low bits that need nothing", PRIMARY, 4 | 8, false, false, false },
	{ "higher bits too", PRIMARY, 7 | SECONDARY_UNRESTRICTED_GUEST, false, false, false },
	{ "secondary controls off", PRIMARY & ~BIT(31), 7, false, false, false },
	{ "numbers of primary controls", 0x04006172 | 1 | 4, 0, false, false, true },
	{ "bits that must be 1", 0x04006172, 0, false, false, false },
};

static struct script play(const struct index_case *row, bool gap)
{
	struct script script = script_start();

	script_vmcs(&script);
	script_vmwrite(&script, VMCS_PRIMARY_PROC_BASED_CONTROLS, row->primary);
	script_vmwrite(&script, VMCS_SECONDARY_PROC_BASED_CONTROLS, row->secondary);
	if (row->apic_address)
		script_vmwrite(&script, VMCS_APIC_ACCESS_ADDRESS, 0x8000);
	if (row->eptp)
		script_vmwrite(&script, VMCS_EPT_POINTER, 0x1001e);
	if (gap)
		script_gap(&script);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_end(&script);
	return script;
}

static void a_word_of_low_bits_that_were_not_meant_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(index_cases); i++) {
		struct script script = play(&index_cases[i], false);

		if (script_count(&script, FINDING_CTL_LOOKS_LIKE_INDEX) != index_cases[i].found)
			fail_msg("%s", index_cases[i].name);
		script_free(&script);
		script = play(&index_cases[i], true);
		assert_found(&script, CTL_LOOKS_LIKE_INDEX, 0);
		script_free(&script);
	}
}

static void the_number_is_explained(void **state)
{
	struct script script = play(&index_cases[0], false);
	const struct finding *const finding = script_finding(&script, FINDING_CTL_LOOKS_LIKE_INDEX);

	(void)state;
	assert_non_null(strstr(finding->note,
			       "as masks virtualize_apic_accesses ept descriptor_table_exiting"));
	assert_non_null(strstr(finding->note, "7 is the number of the bit of unrestricted_guest"));
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_of_low_bits_that_were_not_meant_is_found),
		cmocka_unit_test(the_number_is_explained),
	};

	return cmocka_run_group_tests_name("replay/rule_control_index", tests, NULL, NULL);
}
