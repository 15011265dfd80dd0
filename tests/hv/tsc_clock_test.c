#include "hv/tsc_clock.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

#define OUTPUT 0x20

/* Two readings of the TSC @ticks apart enclose one hundredth of a second. */
static void set_timer(u64 ticks)
{
	stub_cpu.tsc_step = ticks;
	stub_port_set(0x61, OUTPUT);
}

static void set_cpuid(u32 denominator, u32 numerator, u32 crystal, u32 base_mhz)
{
	stub_cpuid_set(0, 0, (struct cpuid_result){ 0x16, 0, 0, 0 });
	stub_cpuid_set(0x15, 0, (struct cpuid_result){ denominator, numerator, crystal, 0 });
	stub_cpuid_set(0x16, 0, (struct cpuid_result){ base_mhz, 0, 0, 0 });
}

static void the_machines_timer_is_believed_and_cpuid_makes_it_exact(void **state)
{
	static const struct {
		const char *name;
		u64 ticks; /* measured in 10 ms */
		u32 cpuid[4];
		u64 hz, tolerance;
	} rows[] = {
		{ "no CPUID", 21000000, { 0, 0, 0, 0 }, 2100000000, 200000 },
		{ "leaf 15H", 21001000, { 2, 168, 25000000, 0 }, 2100000000, 0 },
		{ "leaf 16H is not exact", 40080000, { 2, 334, 0, 4000 }, 4008000000, 400000 },
		{ "an emulator, slower than its CPUID",
		  500000,
		  { 2, 168, 25000000, 2100 },
		  50000000,
		  5000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u32 *const cpuid = rows[i].cpuid;
		u64 hz;

		set_timer(rows[i].ticks);
		set_cpuid(cpuid[0], cpuid[1], cpuid[2], cpuid[3]);
		hz = tsc_clock_measure();
		if (hz + rows[i].tolerance < rows[i].hz || hz > rows[i].hz + rows[i].tolerance)
			fail_msg("%s: %llu Hz", rows[i].name, (unsigned long long)hz);
	}
}

static void a_timer_that_does_not_count_is_none(void **state)
{
	static const struct {
		const char *name;
		u32 output;
		unsigned polls; /* while it is low */
		u32 cpuid[4];
		u64 hz;
	} rows[] = {
		{ "stays low", 0, 0, { 0, 0, 0, 1800 }, 1800000000 },
		{ "stays high", OUTPUT, 0, { 0, 0, 0, 1800 }, 1800000000 },
		{ "stays high, leaf 15H", OUTPUT, 0, { 2, 168, 25000000, 0 }, 2100000000 },
		{ "stays high, no CPUID", OUTPUT, 0, { 0, 0, 0, 0 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u32 *const cpuid = rows[i].cpuid;

		set_timer(1000);
		stub_port_set(0x61, rows[i].output);
		stub_cpu.timer_polls = rows[i].polls;
		set_cpuid(cpuid[0], cpuid[1], cpuid[2], cpuid[3]);
		assert_row(rows[i].name, tsc_clock_measure(), rows[i].hz);
	}
}

static void a_wait_lasts_with_and_without_the_timer(void **state)
{
	static const struct {
		const char *name;
		unsigned polls;
		u32 mhz;
		u64 least, most; /* ticks of the TSC */
	} rows[] = {
		{ "timer", 2, 2000, 2 * 1000, 40 * 1000 },
		{ "no timer", 0, 2000, 20000000, 21000000 },
		{ "no timer, no CPUID", 0, 0, 100000000, 200000000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 before;

		set_timer(1000);
		stub_cpu.timer_polls = rows[i].polls;
		set_cpuid(0, 0, 0, rows[i].mhz);
		before = stub_cpu.tsc;
		tsc_clock_wait(10000);
		assert_row(rows[i].name, stub_cpu.tsc - before >= rows[i].least, true);
		assert_row(rows[i].name, stub_cpu.tsc - before <= rows[i].most, true);
	}
}

static void what_firmware_added_to_the_tsc_is_taken_away(void **state)
{
	(void)state;
	stub_msr_set(0x3b, 0xfffffffffffff000);
	tsc_clock_begin();
	assert_u64(stub_msr(0x3b), 0);
	stub_msr_remove(0x3b);
	tsc_clock_begin();
}

static void port_b_is_as_it_was(void **state)
{
	const struct stub_port_access *last;

	(void)state;
	set_timer(1000);
	stub_port_set(0x61, OUTPUT | 3);
	tsc_clock_measure();
	last = &stub_cpu.ports[stub_cpu.port_count - 1];
	assert_int_equal(last->port, 0x61);
	assert_false(last->in);
	assert_int_equal(last->value, OUTPUT | 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_machines_timer_is_believed_and_cpuid_makes_it_exact,
				       stub_reset),
		cmocka_unit_test_setup(a_timer_that_does_not_count_is_none, stub_reset),
		cmocka_unit_test_setup(a_wait_lasts_with_and_without_the_timer, stub_reset),
		cmocka_unit_test_setup(what_firmware_added_to_the_tsc_is_taken_away, stub_reset),
		cmocka_unit_test_setup(port_b_is_as_it_was, stub_reset),
	};

	return cmocka_run_group_tests_name("hv/tsc_clock", tests, NULL, NULL);
}
