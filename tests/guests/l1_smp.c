/*
 * tests/guests/l1_smp.c - a hypervisor on several processors
 *
 * Starts them, sends them INIT, SIPI and NMIs in each state that a processor can be in, runs an L2
 * on each at once, and lets VMCSs migrate. Option cpus=N tells how many processors there are.
 */
#include "tests/guests/l1_smp.h"

struct smp_cpu smp_cpus[GUEST_MAX_CPUS];

struct smp_cpu *smp_this(void)
{
	return &smp_cpus[guest_cpu_id()];
}

void smp_vmx_on(void)
{
	write_cr4(read_cr4() | CR4_VMXE);
	if (vmxon(physical(smp_this()->vmxon_region)) != VMX_SUCCEED)
		guest_fail("VMXON of processor %u fails", guest_cpu_id());
}

void smp_vmx_off(void)
{
	if (vmxoff() != VMX_SUCCEED)
		guest_fail("VMXOFF of processor %u fails", guest_cpu_id());
}

#define CHANGE_TICKS 2000000

bool smp_changes(const u64 *word, u64 old)
{
	const u64 start = rdtsc();

	while (guest_load(word) == old)
		if (rdtsc() - start > CHANGE_TICKS)
			return false;
	return true;
}

static void check_start(unsigned id, const struct guest_cpu_start *start)
{
	guest_check((start->cr0 & ~(BIT(29) | BIT(30))) == 0x10, "processor %u: CR0 is %lx", id,
		    start->cr0);
	guest_check(!start->cr3 && !start->cr4, "processor %u: CR3 is %lx, CR4 %lx", id, start->cr3,
		    start->cr4);
	guest_check(!start->efer, "processor %u: IA32_EFER is %lx", id, start->efer);
	guest_check((start->rflags & ~(u64)BIT(9)) == 2, "processor %u: RFLAGS is %lx", id,
		    start->rflags);
	/* Bochs itself forgets to set it. */
	guest_check(start->edx == cpuid(1, 0).eax || !guest_is_recorded(),
		    "processor %u: EDX is %x", id, start->edx);
	guest_check(start->cs == 0x700, "processor %u: CS is %x", id, start->cs);
}

static void save_id(void *arg)
{
	*(u64 *)arg = guest_cpu_id() + 100;
}

void smp_start(void)
{
	guest_mark("case start");
	for (unsigned id = 1; id < guest_cpu_count(); id++) {
		struct guest_cpu_start start;
		u64 answer = 0;

		if (!guest_cpu_start(id, &start))
			guest_fail("processor %u does not start", id);
		check_start(id, &start);
		guest_cpu_run(id, save_id, &answer);
		guest_check(answer == id + 100, "processor %u says %lu", id, answer);
	}
}

void guest_main(void)
{
	char only[16];

	guest_vmx_init();
	guest_apic_enable();
	if (guest_cpu_count() < 2)
		guest_fail("option cpus= names no second processor");
	for (unsigned id = 0; id < guest_cpu_count(); id++) {
		smp_cpus[id].vmxon_region = guest_region();
		l2_allocate(&smp_cpus[id].l2);
	}
	smp_start();
	if (guest_option("case", only, sizeof(only)) && !strcmp(only, "init_in_root")) {
		smp_init_in_root();
	} else {
		smp_vmx();
		smp_signals();
	}
	guest_check_end();
}
