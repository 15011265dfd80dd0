#include "hv/log.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

#define COM1 0x3f8

/* What went out of the serial port, divisor and the like aside. */
static void serial_text(char *to)
{
	bool divisor = false;

	for (unsigned i = 0; i < stub_cpu.port_count; i++) {
		const struct stub_port_access *access = &stub_cpu.ports[i];

		if (access->port == COM1 + 3 && !access->in)
			divisor = access->value & 0x80;
		if (access->port == COM1 && !access->in && !divisor)
			*to++ = (char)access->value;
	}
	*to = 0;
}

static void lines_go_to_both_ports_until_l1_owns_the_serial_one(void **state)
{
	char text[STUB_LOG_MAX];

	(void)state;
	log_print("one %d", 1);
	serial_text(text);
	assert_string_equal(text, "vmxtape-hv: one 1\n");
	assert_string_equal(stub_cpu.text, "vmxtape-hv: one 1\n");
	log_leave_serial();
	log_print("two");
	serial_text(text);
	assert_string_equal(text, "vmxtape-hv: one 1\n");
	assert_true(stub_said("vmxtape-hv: two\n"));
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
		cmocka_unit_test_setup(long_lines_are_cut_and_still_end, stub_reset),
	};

	return cmocka_run_group_tests_name("hv/log", tests, NULL, NULL);
}
