#include "hv/apic.h"
#include "hv/exit.h"
#include "hv/kick.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define ICR_LOW 0xfee00300ull
#define NMI	(BIT(31) | 2 << 8 | 2)

static struct percpu *cpu, *other;

static int boot(void **state)
{
	(void)state;
	cpu = stub_boot_nested(MIB(64), true, "");
	other = percpu_create();
	other->apic_id = 5;
	percpu_add(other);
	stub_cpu.gs_self = cpu;
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	return 0;
}

/* What was sent since the last time; 0: nothing. */
static u32 sent(void)
{
	u32 *const icr = stub_at(ICR_LOW);
	const u32 command = *icr;

	*icr = 0;
	return command;
}

/* The NMI arrives while the guest of @cpu runs. */
static void nmi_exits(void)
{
	stub_vmcs_set(VMCS_VM_EXIT_INTERRUPTION_INFO, NMI);
	stub_exit(cpu, EXIT_EXCEPTION_NMI, 0);
}

static bool flushes_ept01(void)
{
	for (unsigned i = 0; i < stub_cpu.invalidation_count; i++)
		if (stub_cpu.invalidations[i].what == 'e')
			return true;
	return false;
}

static void others_get_one_nmi_until_they_have_answered(void **state)
{
	(void)state;
	kick_others(KICK_EPT01);
	assert_int_equal(sent(), APIC_NMI);
	kick_others(KICK_EPT01);
	assert_int_equal(sent(), 0);
	assert_true(kick_is_own_nmi(other));
	kick_others(KICK_EPT01);
	assert_int_equal(sent(), APIC_NMI);
	assert_int_equal(cpu->kicks, 0);
}

static void processors_that_are_parked_or_finished_get_none(void **state)
{
	(void)state;
	other->parked = true;
	kick_others(KICK_EPT01);
	assert_int_equal(sent(), 0);
	/* To end the tape it has to be woken. */
	kick_others(KICK_END);
	assert_int_equal(sent(), APIC_STARTUP);
	other->finished = true;
	kick_others(KICK_END);
	assert_int_equal(sent(), 0);
}

static void nmi_of_a_kick_is_not_given_to_l1(void **state)
{
	(void)state;
	cpu->kicks = KICK_EPT01;
	stub_cpu.invalidation_count = 0;
	nmi_exits();
	assert_false(stub_injects(2));
	assert_true(flushes_ept01());
	/* The next one is L1's. */
	stub_cpu.invalidation_count = 0;
	nmi_exits();
	assert_true(stub_injects(2));
	assert_false(flushes_ept01());
}

static void nmi_in_root_mode_is_answered_before_the_guest_runs(void **state)
{
	(void)state;
	cpu->kicks = KICK_EPT01;
	stub_cpu.invalidation_count = 0;
	kick_take_nmi(cpu);
	assert_false(cpu->nmi_pending);
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_true(flushes_ept01());
	kick_take_nmi(cpu);
	assert_true(cpu->nmi_pending);
}

static void nmi_behind_the_last_look_is_given_before_the_entry(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_CPUID, 0);
	cpu->nmi_arrived = true;
	kick_take_nmi(cpu);
	assert_true(exit_attend(cpu));
	assert_true(stub_injects(2));
	assert_false(cpu->nmi_arrived);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(others_get_one_nmi_until_they_have_answered, boot),
		cmocka_unit_test_setup(processors_that_are_parked_or_finished_get_none, boot),
		cmocka_unit_test_setup(nmi_of_a_kick_is_not_given_to_l1, boot),
		cmocka_unit_test_setup(nmi_in_root_mode_is_answered_before_the_guest_runs, boot),
		cmocka_unit_test_setup(nmi_behind_the_last_look_is_given_before_the_entry, boot),
	};

	return cmocka_run_group_tests_name("hv/kick", tests, NULL, NULL);
}
