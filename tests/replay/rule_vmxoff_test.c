#include "tests/replay/script.h"

static void vmxoff_with_two_active_regions_names_both(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	script_vmcs(&script);
	script_vmclear(&script, 0x3000);
	script_vmptrld(&script, 0x3000);
	script_vmxoff(&script);
	script_end(&script);
	assert_found(&script, VMXOFF_ACTIVE_VMCS, 1);
	finding = script_finding(&script, FINDING_VMXOFF_ACTIVE_VMCS);
	assert_int_equal(finding->severity, SEVERITY_WARNING);
	assert_int_equal(finding->evidence_count, 3);
	assert_int_equal(finding->evidence[2].kind, EV_VMXOFF);
	assert_non_null(strstr(finding->title, "2 VMCSs"));
	script_free(&script);
}

static void vmxoff_after_vmclear_of_all_is_fine(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmcs(&script);
	script_vmclear(&script, 0x2000);
	script_vmxoff(&script);
	script_end(&script);
	assert_found(&script, VMXOFF_ACTIVE_VMCS, 0);
	script_free(&script);
}

static void a_region_that_a_gap_may_have_cleared_is_not_blamed(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmcs(&script);
	script_gap(&script);
	script_vmxoff(&script);
	script_end(&script);
	assert_found(&script, VMXOFF_ACTIVE_VMCS, 0);
	script_free(&script);
}

static void a_key_frame_after_a_gap_makes_it_known_again(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmxon(&script, 0x1000);
	script_gap(&script);
	OTHER(&script, VMX_STATE, vmx_state, .in_vmx = 1, .vmxon_pointer = 0x1000, .vmcs = 0x2000,
	      .level = 1);
	OTHER(&script, VMCS_IMAGE, vmcs_image, .vmcs = 0x2000, .launched = 1, .current = 1);
	script.vmcs = 0x2000;
	script_vmxoff(&script);
	script_end(&script);
	assert_found(&script, VMXOFF_ACTIVE_VMCS, 1);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmxoff_with_two_active_regions_names_both),
		cmocka_unit_test(vmxoff_after_vmclear_of_all_is_fine),
		cmocka_unit_test(a_region_that_a_gap_may_have_cleared_is_not_blamed),
		cmocka_unit_test(a_key_frame_after_a_gap_makes_it_known_again),
	};

	return cmocka_run_group_tests_name("replay/rule_vmxoff", tests, NULL, NULL);
}
