/*
 * tests/guests/l1_bench.c - what VMX instructions and exits of L2 cost, in ticks that L1 sees
 *
 * In Bochs a tick is an instruction. Figures are those of many repetitions, the least and the mean;
 * the cost of reading the clock is taken off.
 */
#include "tests/guests/lib/guest_l2.h"
#include "tests/guests/lib/guest_paging.h"

enum { REPETITIONS = 1000 };

static struct l2 l2;
static u64 eptp;

static void do_nothing(void)
{
}

static void do_vmread(void)
{
	u64 value = 0;

	vmread(VMCS_GUEST_RIP, &value);
}

static void do_vmwrite(void)
{
	vmwrite(VMCS_TSC_OFFSET, 0);
}

static void do_vmptrld(void)
{
	vmptrld(physical(l2.region));
}

static void do_invept(void)
{
	invept(1, eptp, 0);
}

static void do_invvpid(void)
{
	invvpid(1, 1, 0);
}

static void do_cpuid(void)
{
	cpuid(0, 0);
}

static void do_rdmsr(void)
{
	rdmsr(MSR_VMX_BASIC);
}

/* L2 executes CPUID for ever, L1 skips it. */
static void do_round_trip(void)
{
	l2_enter(&l2);
}

static void do_typical(void)
{
	u64 value = 0, rip = 0, length = 0;

	vmread(VMCS_EXIT_REASON, &value);
	vmread(VMCS_EXIT_QUALIFICATION, &value);
	vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH, &length);
	vmread(VMCS_GUEST_RIP, &rip);
	vmwrite(VMCS_GUEST_RIP, rip + length);
	l2_enter(&l2);
}

static void code_cpuid(void)
{
	for (;;)
		cpuid(0, 0);
}

/* Returns the mean, so that it can be taken off others. */
static u64 measure(const char *what, void (*step)(void), u64 clock)
{
	u64 least = ~0ull, sum = 0;

	for (unsigned i = 0; i < REPETITIONS + 10; i++) {
		const u64 start = rdtsc();
		u64 ticks;

		step();
		ticks = rdtsc() - start;
		if (i < 10)
			continue; /* what happens once */
		least = MIN(least, ticks);
		sum += ticks;
	}
	sum /= REPETITIONS;
	if (what)
		guest_print("%-28s %6lu min %6lu mean\n", what, least - clock, sum - clock);
	return sum;
}

static void measure_l2(const char *round_trip, const char *typical,
		       const struct l2_options *options, u64 clock)
{
	l2_create(&l2, code_cpuid, options);
	measure(round_trip, do_round_trip, clock);
	measure(typical, do_typical, clock);
}

void guest_main(void)
{
	struct l2_options options = { 0 };
	u64 clock;

	guest_vmx_init();
	guest_vmx_on();
	eptp = guest_ept_tables();
	clock = measure(NULL, do_nothing, 0);
	measure("CPUID of L1", do_cpuid, clock);
	measure("RDMSR IA32_VMX_BASIC", do_rdmsr, clock);
	l2_create(&l2, code_cpuid, &options);
	measure("VMREAD", do_vmread, clock);
	measure("VMWRITE", do_vmwrite, clock);
	measure("VMPTRLD of the current", do_vmptrld, clock);
	measure("INVEPT single", do_invept, clock);
	measure("INVVPID single", do_invvpid, clock);
	measure_l2("VMRESUME to CPUID exit", "with a typical handler", &options, clock);
	options = (struct l2_options){
		.secondary = SECONDARY_EPT | SECONDARY_VPID,
		.primary = PRIMARY_SECONDARY_CONTROLS | PRIMARY_MSR_BITMAPS,
		.eptp = eptp,
		.vpid = 1,
	};
	measure_l2("EPT, VPID: round trip", "EPT, VPID: typical", &options, clock);
	guest_check(true, "measured");
	guest_check_end();
}
