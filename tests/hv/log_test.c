#include "hv/hv_options.h"
#include "hv/log.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

static void assert_serial(const char *text)
{
	assert_int_equal(stub_cpu.serial_length, strlen(text));
	assert_memory_equal(stub_cpu.serial, text, strlen(text));
}

static void lines_go_to_both_ports_until_l1_owns_the_serial_one(void **state)
{
	(void)state;
	options.drain = DRAIN_NONE;
	log_print("one %d", 1);
	assert_serial("vmxtape-hv: one 1\n");
	assert_string_equal(stub_cpu.text, "vmxtape-hv: one 1\n");
	log_leave_serial();
	log_print("two");
	assert_serial("vmxtape-hv: one 1\n");
	assert_true(stub_said("vmxtape-hv: two\n"));
	log_take_serial();
	log_print("three");
	assert_serial("vmxtape-hv: one 1\nvmxtape-hv: three\n");
}

static void the_serial_port_stays_l1_s_where_the_other_is_read(void **state)
{
	(void)state;
	options.drain = DRAIN_DEBUGCON;
	log_leave_serial();
	log_take_serial();
	log_print("four");
	assert_serial("");
	assert_true(stub_said("vmxtape-hv: four\n"));
}

static void long_lines_are_cut_and_still_end(void **state)
{
	char text[400];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	log_print("%s", text);
	assert_true(stub_cpu.text_length <= 256);
	assert_int_equal(stub_cpu.text[stub_cpu.text_length - 1], '\n');
	assert_int_equal(stub_cpu.text[stub_cpu.text_length - 2], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(lines_go_to_both_ports_until_l1_owns_the_serial_one,
				       stub_reset),
		cmocka_unit_test_setup(the_serial_port_stays_l1_s_where_the_other_is_read,
				       stub_reset),
		cmocka_unit_test_setup(long_lines_are_cut_and_still_end, stub_reset),
	};

	return cmocka_run_group_tests_name("hv/log", tests, NULL, NULL);
}
