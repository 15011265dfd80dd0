#include "tests/replay/script.h"

static void signal_of(struct script *script, u8 level)
{
	const struct ev_init init = { .level = level };
	const struct ev_sipi sipi = { .vector = 0x9a };

	script_send(script, EV_INIT, level, &init, sizeof(init), NULL, 0, NULL);
	script_send(script, EV_SIPI, level, &sipi, sizeof(sipi), NULL, 0, NULL);
}

static void a_sipi_in_root_operation_tells_that_init_was_not_blocked(void **state)
{
	struct script script = script_start();
	const struct finding *finding;

	(void)state;
	script_vmxon(&script, 0x1000);
	signal_of(&script, 1);
	assert_found(&script, L0_INIT_IN_ROOT, 1);
	finding = script_finding(&script, FINDING_L0_INIT_IN_ROOT);
	assert_string_equal(finding->title, "CPU 0 took a SIPI while it was in VMX root operation");
	assert_int_equal(finding->evidence_count, 3);
	assert_int_equal(finding->evidence[0].kind, EV_VMXON);
	assert_int_equal(finding->evidence[1].kind, EV_INIT);
	script_free(&script);
}

static void an_init_that_waits_for_vmxoff_is_blocked(void **state)
{
	struct script script = script_start();
	const struct ev_init init = { .level = 1 };

	(void)state;
	signal_of(&script, 1);
	script_vmxon(&script, 0x1000);
	script_send(&script, EV_INIT, 1, &init, sizeof(init), NULL, 0, NULL);
	script_vmxoff(&script);
	signal_of(&script, 1);
	assert_found(&script, L0_INIT_IN_ROOT, 0);
	script_free(&script);
}

static void a_sipi_of_l2_is_none_of_l1_s(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmxon(&script, 0x1000);
	signal_of(&script, 2);
	assert_found(&script, L0_INIT_IN_ROOT, 0);
	script_free(&script);
}

static void nothing_is_found_where_vmx_operation_is_unknown(void **state)
{
	struct script script = script_start();

	(void)state;
	script_vmxon(&script, 0x1000);
	script_gap(&script);
	signal_of(&script, 1);
	assert_found(&script, L0_INIT_IN_ROOT, 0);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sipi_in_root_operation_tells_that_init_was_not_blocked),
		cmocka_unit_test(an_init_that_waits_for_vmxoff_is_blocked),
		cmocka_unit_test(a_sipi_of_l2_is_none_of_l1_s),
		cmocka_unit_test(nothing_is_found_where_vmx_operation_is_unknown),
	};

	return cmocka_run_group_tests_name("replay/rule_l0_init", tests, NULL, NULL);
}
