#include "hv/apic.h"
#include "hv/mem.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define BASE	 0xfee00000ull
#define ICR_LOW	 0x300
#define ICR_HIGH 0x310
#define SVR	 0xf0
#define LVT	 0x350
#define X2APIC	 BIT(10)
#define ENABLED	 BIT(11)
#define PENDING	 BIT(12)

static int boot(void **state)
{
	(void)state;
	stub_boot(MIB(64));
	return 0;
}

static u32 *reg(u64 base, u32 offset)
{
	return stub_at(base + offset);
}

static void command_is_sent_and_l1_s_half_of_one_stays(void **state)
{
	(void)state;
	*reg(BASE, ICR_HIGH) = 0x7000000;
	assert_true(apic_send(3, APIC_NMI));
	assert_int_equal(*reg(BASE, ICR_LOW), APIC_NMI);
	assert_int_equal(*reg(BASE, ICR_HIGH), 0x7000000);
}

static void apic_that_l1_has_moved_is_found(void **state)
{
	(void)state;
	stub_msr_set(MSR_APIC_BASE, 0xfec80000 | ENABLED);
	assert_true(apic_send(3, APIC_INIT));
	assert_int_equal(*reg(0xfec80000, ICR_LOW), APIC_INIT);
}

static void x2apic_has_an_msr_for_it(void **state)
{
	(void)state;
	stub_msr_set(MSR_APIC_BASE, BASE | ENABLED | X2APIC);
	stub_msr_set(MSR_X2APIC_ICR, 0);
	stub_msr_set(MSR_X2APIC_APICID, 0x12345);
	assert_true(apic_send(0x12346, APIC_STARTUP | 0x9e));
	assert_u64(stub_msr(MSR_X2APIC_ICR), 0x123460000469e);
	assert_int_equal(apic_id(), 0x12345);
}

static void apic_that_can_not_send_is_told(void **state)
{
	static const struct {
		const char *name;
		u64 base;
		u32 icr;
	} rows[] = {
		{ "switched off", BASE, 0 },
		{ "where hv maps nothing", GIB(4) | ENABLED, 0 },
		{ "last command is never delivered", BASE | ENABLED, PENDING },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		stub_msr_set(MSR_APIC_BASE, rows[i].base);
		*reg(BASE, ICR_LOW) = rows[i].icr;
		assert_row(rows[i].name, apic_send(1, APIC_NMI), false);
		assert_row(rows[i].name, *reg(BASE, ICR_LOW), rows[i].icr);
	}
}

static void xapic_mode_does_not_reach_what_has_no_id_there(void **state)
{
	static const u32 ids[] = { 0xff, 0x100, 0x103 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_false(apic_send(ids[i], APIC_INIT));
		assert_int_equal(*reg(BASE, ICR_LOW), 0);
	}
}

static void registers_come_back_after_a_reset(void **state)
{
	u32 registers[APIC_SAVED];

	(void)state;
	*reg(BASE, SVR) = 0x1ef;
	*reg(BASE, LVT) = 0x700;
	apic_save(registers);
	apic_reset();
	assert_int_equal(*reg(BASE, SVR), 0xff);
	*reg(BASE, LVT) = 0x10000;
	apic_restore(registers);
	assert_int_equal(*reg(BASE, SVR), 0x1ef);
	assert_int_equal(*reg(BASE, LVT), 0x700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(command_is_sent_and_l1_s_half_of_one_stays, boot),
		cmocka_unit_test_setup(apic_that_l1_has_moved_is_found, boot),
		cmocka_unit_test_setup(x2apic_has_an_msr_for_it, boot),
		cmocka_unit_test_setup(apic_that_can_not_send_is_told, boot),
		cmocka_unit_test_setup(xapic_mode_does_not_reach_what_has_no_id_there, boot),
		cmocka_unit_test_setup(registers_come_back_after_a_reset, boot),
	};

	return cmocka_run_group_tests_name("hv/apic", tests, NULL, NULL);
}
