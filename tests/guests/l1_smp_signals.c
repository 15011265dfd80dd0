/*
 * tests/guests/l1_smp_signals.c - INIT, SIPI and NMI in each state of a processor
 *
 * SDM, "VMX Non-Root Operation: Other Causes of VM Exits" and "Restrictions on VMX Operation".
 * Processor 1 is what they are sent to. Bochs itself forgets an INIT that comes in VMX root
 * operation or in a guest that never exits, so that what becomes of it is asked where hv runs
 * below.
 */
#include "tests/guests/l1_smp.h"

#define TARGET	     1
#define WAIT_SIPI    3
#define EVENT_NMI    (BIT(31) | 2ull << 8 | 2)
#define SOON_TICKS   1500
#define SETTLE_TICKS 20000

static struct smp_cpu *const target = &smp_cpus[TARGET];

/* Counts until it is told to stop. */
static void count(void *arg)
{
	(void)arg;
	while (!guest_load(&target->stop))
		guest_store(&target->counter, target->counter + 1);
}

static void begin(const char *name, void (*fn)(void *arg))
{
	guest_mark(name);
	guest_store(&target->stop, 0);
	guest_store(&target->counter, 0);
	target->reason = target->qualification = ~0ull;
	guest_cpu_call(TARGET, fn, NULL);
}

static bool target_runs(void)
{
	return smp_changes(&target->counter, guest_load(&target->counter));
}

static void bring_back(const char *name)
{
	struct guest_cpu_start start = { 0 };

	if (!guest_cpu_sipi(TARGET, &start))
		guest_fail("%s: no SIPI starts the processor", name);
	guest_check((start.cr0 & ~(BIT(29) | BIT(30))) == 0x10 && !start.efer,
		    "%s: CR0 is %lx, EFER %lx", name, start.cr0, start.efer);
}

/* --- outside of VMX operation ----------------------------------------------------------------- */

static void init_stops_a_processor(void)
{
	begin("case init", count);
	guest_check(target_runs(), "init: the processor does not run");
	guest_send_init(TARGET);
	guest_wait(SETTLE_TICKS);
	guest_check(!target_runs(), "init: the processor runs on");
	/* In wait-for-SIPI it changes nothing. */
	guest_send_init(TARGET);
	guest_wait(SETTLE_TICKS);
	bring_back("init");
}

static void sipi_does_not_matter_to_one_that_runs(void)
{
	begin("case sipi_running", count);
	guest_send_sipi(TARGET, 0x55);
	guest_wait(SETTLE_TICKS);
	guest_check(target_runs(), "sipi_running: the processor does not run on");
	guest_store(&target->stop, 1);
	guest_check(guest_cpu_done(TARGET), "sipi_running: it does not come back");
}

static void init_is_followed_by_sipi_soon(void)
{
	begin("case init_sipi_soon", count);
	guest_check(target_runs(), "init_sipi_soon: the processor does not run");
	guest_send_init(TARGET);
	guest_wait(SOON_TICKS);
	bring_back("init_sipi_soon");
}

/* --- NMIs ------------------------------------------------------------------------------------- */

static void nmi_reaches_l1(void)
{
	const u64 before = guest_interrupt_count(2);

	begin("case nmi", count);
	guest_check(target_runs(), "nmi: the processor does not run");
	guest_send_nmi(TARGET);
	guest_wait(SETTLE_TICKS);
	guest_check(guest_interrupt_count(2) == before + 1, "nmi: it was taken %lu times",
		    guest_interrupt_count(2) - before);
	guest_store(&target->stop, 1);
	guest_check(guest_cpu_done(TARGET), "nmi: it does not come back");
}

#define RACES	   400
#define RACE_TICKS 50000

/* One exit in each round, where there is a hypervisor below, and then none until the NMI. */
static void race(void *arg)
{
	u64 round = 0;

	(void)arg;
	while (!guest_load(&target->stop)) {
		const u64 before = guest_interrupt_count(2);

		if (guest_load(&target->value) == round) {
			guest_pause();
			continue;
		}
		round = guest_load(&target->value);
		guest_store(&target->counter, round);
		cpuid(0, 0);
		while (guest_interrupt_count(2) == before && !guest_load(&target->stop))
			;
	}
}

static bool nmi_is_taken(u64 round)
{
	const u64 before = guest_interrupt_count(2), start = rdtsc();

	guest_store(&target->value, round);
	while (guest_load(&target->counter) != round)
		;
	/* Into what a hypervisor does for the CPUID, or behind it. */
	for (u64 i = 0; i < round; i++)
		__asm__ volatile("" : : : "memory");
	guest_send_nmi(TARGET);
	while (guest_interrupt_count(2) == before)
		if (rdtsc() - start > RACE_TICKS)
			return false;
	return true;
}

static void nmi_is_never_late(void)
{
	u64 round = 1;

	guest_store(&target->value, 0);
	begin("case nmi_race", race);
	while (round <= RACES && nmi_is_taken(round))
		round++;
	guest_check(round > RACES, "nmi_race: the NMI of round %lu is late", round);
	guest_store(&target->stop, 1);
	guest_check(guest_cpu_done(TARGET), "nmi_race: the processor does not come back");
}

/* --- in L2 ------------------------------------------------------------------------------------ */

static void code_count(void)
{
	count(NULL);
	l2_vmcall(0);
}

static void run_l2(const struct l2_options *options, u64 activity)
{
	smp_vmx_on();
	l2_create(&target->l2, code_count, options);
	guest_vmcs_write(VMCS_GUEST_ACTIVITY_STATE, activity);
	guest_store(&target->counter, 1);
	target->outcome = l2_enter(&target->l2);
	target->reason = guest_vmcs_read(VMCS_EXIT_REASON);
	target->qualification = guest_vmcs_read(VMCS_EXIT_QUALIFICATION);
	target->value = guest_vmcs_read(VMCS_VM_EXIT_INTERRUPTION_INFO);
	/* As hypervisors do: the IRET ends the blocking in L1. */
	if (target->reason == EXIT_EXCEPTION_NMI)
		__asm__ volatile("int $2" : : : "memory");
	vmclear(physical(target->l2.region));
	smp_vmx_off();
}

static void run_counting_l2(void *arg)
{
	const struct l2_options options = { .pin = PIN_NMI_EXITING };

	(void)arg;
	run_l2(&options, 0);
}

static void run_waiting_l2(void *arg)
{
	const struct l2_options options = { 0 };

	(void)arg;
	run_l2(&options, WAIT_SIPI);
}

static void signal_makes_l2_exit(const char *name, void (*send)(unsigned id), u64 reason, u64 event)
{
	begin(name, run_counting_l2);
	guest_check(target_runs(), "%s: L2 does not run", name);
	/* Bochs drops an INIT that comes while a hypervisor below handles the entry. */
	guest_wait(SETTLE_TICKS);
	send(TARGET);
	guest_check(guest_cpu_done(TARGET), "%s: L2 does not exit", name);
	guest_check(target->reason == reason, "%s: exit reason %lx", name, target->reason);
	guest_check(target->value == event, "%s: interruption information %lx", name,
		    target->value);
}

static void sipi_makes_a_waiting_l2_exit(void)
{
	const char *const name = "case l2_waits";

	begin(name, run_waiting_l2);
	guest_check(smp_changes(&target->counter, 0), "%s: the processor does not run", name);
	guest_wait(SETTLE_TICKS);
	guest_check(target->reason == ~0ull, "%s: it exits before, reason %lx", name,
		    target->reason);
	guest_send_sipi(TARGET, 0x5a);
	guest_check(guest_cpu_done(TARGET), "%s: no SIPI makes it exit", name);
	guest_check(target->reason == EXIT_SIPI, "%s: exit reason %lx", name, target->reason);
	guest_check(target->qualification == 0x5a, "%s: vector %lx", name, target->qualification);
}

/* --- in VMX root operation -------------------------------------------------------------------- */

static void count_in_root(void *arg)
{
	smp_vmx_on();
	count(arg);
	target->value = 1;
	smp_vmx_off();
	target->value = 2;
	/* INIT gets through here, if not before. */
	guest_store(&target->stop, 0);
	count(arg);
}

void smp_init_in_root(void)
{
	begin("case init_in_root", count_in_root);
	guest_check(target_runs(), "init_in_root: the processor does not run");
	guest_send_init(TARGET);
	guest_wait(SETTLE_TICKS);
	guest_check(target_runs(), "init_in_root: INIT is not blocked");
	guest_store(&target->stop, 1);
	guest_wait(SETTLE_TICKS);
	if (!guest_is_recorded()) {
		guest_store(&target->stop, 1);
		guest_cpu_done(TARGET);
		return;
	}
	guest_check(target->value == 1 && !target_runs(), "init_in_root: it runs on, %lu",
		    target->value);
	bring_back("init_in_root");
}

static void enter_after_counting(void *arg)
{
	const struct l2_options options = { 0 };

	smp_vmx_on();
	l2_create(&target->l2, code_count, &options);
	count(arg);
	guest_store(&target->stop, 0);
	target->value = guest_load(&target->counter);
	target->outcome = l2_enter(&target->l2);
	target->value = guest_load(&target->counter) - target->value;
	target->reason = guest_vmcs_read(VMCS_EXIT_REASON);
	vmclear(physical(target->l2.region));
	smp_vmx_off();
}

static void init_waits_for_l2(void)
{
	if (!guest_is_recorded())
		return;
	begin("case init_before_entry", enter_after_counting);
	guest_check(target_runs(), "init_before_entry: the processor does not run");
	guest_send_init(TARGET);
	guest_wait(SETTLE_TICKS);
	guest_store(&target->stop, 1);
	guest_check(guest_cpu_done(TARGET), "init_before_entry: L2 does not exit");
	guest_check(target->outcome == VMX_SUCCEED && target->reason == EXIT_INIT,
		    "init_before_entry: outcome %lu, reason %lx", target->outcome, target->reason);
	guest_check(!target->value, "init_before_entry: L2 ran");
}

void smp_signals(void)
{
	init_stops_a_processor();
	sipi_does_not_matter_to_one_that_runs();
	init_is_followed_by_sipi_soon();
	nmi_reaches_l1();
	nmi_is_never_late();
	if (guest_is_recorded())
		signal_makes_l2_exit("case l2_init", guest_send_init, EXIT_INIT, 0);
	signal_makes_l2_exit("case l2_nmi", guest_send_nmi, EXIT_EXCEPTION_NMI, EVENT_NMI);
	sipi_makes_a_waiting_l2_exit();
	smp_init_in_root();
	init_waits_for_l2();
}
