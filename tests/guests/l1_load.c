/*
 * tests/guests/l1_load.c - an L1 that keeps a recorder busy for as long as it is asked to
 *
 * Options: ticks=N, how long (10,000,000 TSC ticks); period=N, an instruction is begun every so
 * many ticks (1,000; 0: as fast as it goes). Rounds of VMREADs, VMWRITEs of values that nobody can
 * predict, VMPTRLDs of two VMCSs in turn, and CPUID in L2. Prints how many instructions of VMX
 * there were, and the ticks that L1 waited for them.
 */
#include "tests/guests/lib/guest_l2.h"

#define TICKS  10000000
#define PERIOD 1000
#define VMCSS  2
#define MANY   64

static struct l2 l2;
static void *others[MANY];
static u64 other_count, turn;
static u64 random_state = 1;

static u64 random_number(void)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return random_state ^ random_state >> 32;
}

static void code_cpuid(void)
{
	for (;;)
		cpuid(0, 0);
}

/* Each at a place of its own, as in a hypervisor. */
static void run_l2(void)
{
	l2_resume(&l2);
}

static void read_reason(void)
{
	u64 value = 0;

	vmread(VMCS_EXIT_REASON, &value);
}

static void read_rip(void)
{
	u64 value = 0;

	vmread(VMCS_GUEST_RIP, &value);
}

static void read_offset(void)
{
	u64 value = 0;

	vmread(VMCS_TSC_OFFSET, &value);
}

static void write_offset(void)
{
	vmwrite(VMCS_TSC_OFFSET, random_number());
}

static void write_target(void)
{
	vmwrite(VMCS_CR3_TARGET_VALUE_0, random_number());
}

static void load_other(void)
{
	vmptrld(physical(others[turn++ % other_count]));
}

static void load_own(void)
{
	vmptrld(physical(l2.region));
}

static void (*const steps[])(void) = { run_l2,	   read_reason,	 read_rip,    write_offset,
				       load_other, write_target, read_offset, load_own };

void guest_main(void)
{
	const u64 ticks = guest_option_number("ticks", TICKS);
	const u64 period = guest_option_number("period", PERIOD);
	u64 count = 0, busy = 0, start, next, before;

	guest_vmx_init();
	guest_vmx_on();
	other_count = MAX(1, MIN(guest_option_number("vmcss", VMCSS), MANY) - 1);
	for (u64 i = 0; i < other_count; i++) {
		others[i] = guest_region();
		guest_vmcs_load(others[i]);
	}
	l2_create(&l2, code_cpuid, &(struct l2_options){ 0 });
	l2_enter(&l2);
	start = next = rdtsc();
	while (next - start < ticks) {
		while ((s64)(rdtsc() - next) < 0)
			;
		before = rdtsc();
		steps[count++ % ARRAY_SIZE(steps)]();
		next = period ? next + period : rdtsc();
		busy += rdtsc() - before;
	}
	guest_vmx_off();
	guest_print("load: %lu instructions, %lu ticks\n", count, busy);
}
