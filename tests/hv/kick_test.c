#include "hv/apic.h"
#include "hv/exit.h"
#include "hv/kick.h"
#include "hv/processor.h"
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

/* What tells hv's NMIs from L1's is that there are none. */
static void processors_drop_translations_at_an_exit_without_an_nmi(void **state)
{
	(void)state;
	kick_flush_others();
	assert_int_equal(sent(), 0);
	assert_true(other->ept01_stale);
	assert_false(cpu->ept01_stale);
	cpu->ept01_stale = true;
	stub_cpu.invalidation_count = 0;
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_true(flushes_ept01());
	stub_cpu.invalidation_count = 0;
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_false(flushes_ept01());
}

static void without_a_timer_they_get_an_nmi(void **state)
{
	const u32 msrs[] = { MSR_VMX_PINBASED_CTLS, MSR_VMX_TRUE_PINBASED_CTLS };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		stub_msr_set(msrs[i], stub_msr(msrs[i]) & ~((u64)PIN_PREEMPTION_TIMER << 32));
	assert_int_equal(processor_check(), ST_OK);
	kick_flush_others();
	assert_int_equal(sent(), APIC_NMI);
	assert_false(other->ept01_stale);
}

/* All processors are to have the same MTRRs, and the first one may write its own later. */
static void other_processors_look_often_for_a_while_when_they_wrote_an_mtrr(void **state)
{
	const u64 heartbeat = vmread(VMCS_VMX_PREEMPTION_TIMER_VALUE);

	(void)state;
	cpu->id = 1;
	cpu->regs[REG_RCX] = MSR_MTRR_DEF_TYPE;
	cpu->regs[REG_RAX] = cpu->regs[REG_RDX] = 0;
	stub_exit(cpu, EXIT_WRMSR, 0);
	assert_true(vmread(VMCS_VMX_PREEMPTION_TIMER_VALUE) < heartbeat / 100);
	stub_exit(cpu, EXIT_PREEMPTION_TIMER, 0);
	assert_true(vmread(VMCS_VMX_PREEMPTION_TIMER_VALUE) < heartbeat / 100);
	stub_cpu.tsc += 1ull << 30;
	stub_exit(cpu, EXIT_PREEMPTION_TIMER, 0);
	assert_u64(vmread(VMCS_VMX_PREEMPTION_TIMER_VALUE), heartbeat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(others_get_one_nmi_until_they_have_answered, boot),
		cmocka_unit_test_setup(processors_that_are_parked_or_finished_get_none, boot),
		cmocka_unit_test_setup(nmi_of_a_kick_is_not_given_to_l1, boot),
		cmocka_unit_test_setup(nmi_in_root_mode_is_answered_before_the_guest_runs, boot),
		cmocka_unit_test_setup(nmi_behind_the_last_look_is_given_before_the_entry, boot),
		cmocka_unit_test_setup(processors_drop_translations_at_an_exit_without_an_nmi,
				       boot),
		cmocka_unit_test_setup(without_a_timer_they_get_an_nmi, boot),
		cmocka_unit_test_setup(
			other_processors_look_often_for_a_while_when_they_wrote_an_mtrr, boot),
	};

	return cmocka_run_group_tests_name("hv/kick", tests, NULL, NULL);
}
