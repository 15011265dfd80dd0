#include "tests/replay/script.h"

/* IA32_VMX_MISC of the script's processor: bits 27:25 are 0, so that 512 entries are the most. */
#define MOST 512

static struct script start_with(u64 field, u64 count)
{
	struct script script = script_start();

	script_vmcs(&script);
	script_vmwrite(&script, field, count);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	return script;
}

static void each_list_may_have_the_recommended_maximum_and_no_more(void **state)
{
	static const u64 fields[] = {
		VMCS_VM_ENTRY_MSR_LOAD_COUNT,
		VMCS_VM_EXIT_MSR_STORE_COUNT,
		VMCS_VM_EXIT_MSR_LOAD_COUNT,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct script script = start_with(fields[i], MOST + 1);

		script_end(&script);
		assert_found(&script, MSR_LIST_OVER_MAX, 1);
		script_free(&script);
		script = start_with(fields[i], MOST);
		script_end(&script);
		assert_found(&script, MSR_LIST_OVER_MAX, 0);
		script_free(&script);
	}
}

static void the_finding_tells_count_maximum_and_whether_l1_asked(void **state)
{
	struct script script = start_with(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 600);
	const struct finding *finding;

	(void)state;
	script_end(&script);
	finding = script_finding(&script, FINDING_MSR_LIST_OVER_MAX);
	assert_string_equal(finding->title, "vm_entry_msr_load_count is 600, more than the "
					    "recommended maximum of 512");
	assert_non_null(strstr(finding->next, "L1 never read IA32_VMX_MISC"));
	assert_int_equal(finding->evidence[0].kind, EV_VMWRITE);
	script_free(&script);
}

static void nothing_is_said_of_a_count_or_maximum_that_is_unknown(void **state)
{
	struct script script = script_start_unknown();

	(void)state;
	script_vmxon(&script, 0x1000);
	script_vmptrld(&script, 0x2000);
	script_vmwrite(&script, VMCS_VM_ENTRY_MSR_LOAD_COUNT, 600);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_end(&script);
	assert_found(&script, MSR_LIST_OVER_MAX, 0);
	script_free(&script);

	script = script_start();
	script_vmcs(&script);
	script_vmwrite(&script, VMCS_VM_ENTRY_MSR_LOAD_COUNT, 600);
	script_gap(&script);
	INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
	script_end(&script);
	assert_found(&script, MSR_LIST_OVER_MAX, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_list_may_have_the_recommended_maximum_and_no_more),
		cmocka_unit_test(the_finding_tells_count_maximum_and_whether_l1_asked),
		cmocka_unit_test(nothing_is_said_of_a_count_or_maximum_that_is_unknown),
	};

	return cmocka_run_group_tests_name("replay/rule_msr_list", tests, NULL, NULL);
}
