#include "tests/replay/script.h"

static void start(struct script *script, u64 primary, u64 secondary)
{
	script_vmxon(script, 0x1000);
	script_vmclear(script, 0x2000);
	script_vmptrld(script, 0x2000);
	script_vmwrite(script, VMCS_PIN_BASED_CONTROLS, 0x16);
	script_vmwrite(script, VMCS_PRIMARY_PROC_BASED_CONTROLS, 0x04006172 | primary);
	script_vmwrite(script, VMCS_SECONDARY_PROC_BASED_CONTROLS, secondary);
	script_vmwrite(script, VMCS_VM_EXIT_CONTROLS, 0x36dfb & ~EXIT_SAVE_DEBUG_CONTROLS);
	script_vmwrite(script, VMCS_VM_ENTRY_CONTROLS, 0x11fb);
}

static void launch(struct script *script)
{
	INSN(script, VMLAUNCH, vmlaunch, .outcome = OUTCOME_SUCCEED);
}

static void a_control_whose_field_was_never_written_is_a_warning(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	start(&script, PRIMARY_MSR_BITMAPS, 0);
	launch(&script);
	script_end(&script);
	assert_found(&script, DEPENDENT_FIELD_UNSET, 1);
	finding = script_finding(&script, FINDING_DEPENDENT_FIELD_UNSET);
	assert_int_equal(finding->severity, SEVERITY_WARNING);
	assert_string_equal(finding->title, "msr_bitmaps is on and msr_bitmap was never written");
	assert_int_equal(finding->evidence[0].kind, EV_VMWRITE);
	script_free(&script);
}

static void it_is_an_error_when_the_entry_failed(void **state)
{
	struct script script = script_start();

	(void)state;
	start(&script, PRIMARY_SECONDARY_CONTROLS, SECONDARY_EPT);
	INSN(&script, VMLAUNCH, vmlaunch, .outcome = OUTCOME_FAIL_VALID, .error = 7);
	script_end(&script);
	assert_found(&script, DEPENDENT_FIELD_UNSET, 1);
	assert_int_equal(script_finding(&script, FINDING_DEPENDENT_FIELD_UNSET)->severity,
			 SEVERITY_ERROR);
	script_free(&script);
}

static void written_fields_and_controls_that_are_off_are_fine(void **state)
{
	struct script script = script_start();

	(void)state;
	start(&script, PRIMARY_MSR_BITMAPS, SECONDARY_EPT);
	script_vmwrite(&script, VMCS_MSR_BITMAP, 0);
	launch(&script);
	script_end(&script);
	assert_found(&script, DEPENDENT_FIELD_UNSET, 0);
	script_free(&script);
}

static void turning_a_control_on_later_is_judged_at_the_next_entry(void **state)
{
	struct script script = script_start();

	(void)state;
	start(&script, 0, 0);
	launch(&script);
	script_l2(&script, EXIT_CPUID);
	INSN(&script, VMRESUME, vmresume, .launched = 1);
	script_l2(&script, EXIT_CPUID);
	assert_found(&script, DEPENDENT_FIELD_UNSET, 0);
	script_vmwrite(&script, VMCS_PRIMARY_PROC_BASED_CONTROLS, 0x04006172 | PRIMARY_IO_BITMAPS);
	INSN(&script, VMRESUME, vmresume, .launched = 1);
	script_end(&script);
	assert_found(&script, DEPENDENT_FIELD_UNSET, 2);
	script_free(&script);
}

static void a_vmwrite_that_leaves_no_trace_is_not_missed(void **state)
{
	struct script script = script_start();

	(void)state;
	OTHER(&script, BOOT, boot, .physical_width = 40, .linear_width = 48, .cpus = 1,
	      .capture = CAPTURE_THIN);
	start(&script, 0, 0);
	launch(&script);
	script_l2(&script, EXIT_CPUID);
	OTHER(&script, VMCS12_WRITE, vmcs12_write, .origin = ORIGIN_SHADOW, .vmcs = 0x2000,
	      .field = VMCS_PRIMARY_PROC_BASED_CONTROLS, .value = 0x04006172 | PRIMARY_IO_BITMAPS);
	INSN(&script, VMRESUME, vmresume, .launched = 1);
	script_end(&script);
	assert_found(&script, DEPENDENT_FIELD_UNSET, 0);
	script_free(&script);
}

static void a_region_whose_life_is_not_all_on_the_tape_is_not_judged(void **state)
{
	struct script script = script_start();

	(void)state;
	script_gap(&script);
	start(&script, PRIMARY_MSR_BITMAPS, 0);
	launch(&script);
	script_end(&script);
	assert_found(&script, DEPENDENT_FIELD_UNSET, 0);
	script_free(&script);
}

static void a_write_in_memory_is_a_write(void **state)
{
	struct script script = script_start();

	(void)state;
	start(&script, PRIMARY_MSR_BITMAPS, 0);
	OTHER(&script, VMCS12_WRITE, vmcs12_write, .origin = ORIGIN_MEMORY, .vmcs = 0x2000,
	      .field = VMCS_MSR_BITMAP, .value = 0x9000);
	launch(&script);
	script_end(&script);
	assert_found(&script, DEPENDENT_FIELD_UNSET, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_control_whose_field_was_never_written_is_a_warning),
		cmocka_unit_test(it_is_an_error_when_the_entry_failed),
		cmocka_unit_test(written_fields_and_controls_that_are_off_are_fine),
		cmocka_unit_test(turning_a_control_on_later_is_judged_at_the_next_entry),
		cmocka_unit_test(a_vmwrite_that_leaves_no_trace_is_not_missed),
		cmocka_unit_test(a_region_whose_life_is_not_all_on_the_tape_is_not_judged),
		cmocka_unit_test(a_write_in_memory_is_a_write),
	};

	return cmocka_run_group_tests_name("replay/rule_dependent", tests, NULL, NULL);
}
