/*
 * tests/guests/l1_pass.c - one VMCS passed to and fro between two processors
 *
 * Each makes it current, reads a field, writes one more into it, and clears the VMCS before the
 * other may have it. What was read must be the number of times that it was passed: so must it be on
 * a tape. Option rounds=N says how often (2,000).
 */
#include "tests/guests/lib/guest_cpus.h"
#include "tests/guests/lib/guest_vmx.h"

static void *passed;
static u64 rounds;
static u64 turn; /* the number of this round; even ones are processor 0's */
static u64 mistakes;

static void pass(u64 round)
{
	u64 value = ~round;

	if (vmptrld(physical(passed)) != VMX_SUCCEED ||
	    vmread(VMCS_TSC_OFFSET, &value) != VMX_SUCCEED ||
	    vmwrite(VMCS_TSC_OFFSET, round + 1) != VMX_SUCCEED ||
	    vmclear(physical(passed)) != VMX_SUCCEED || value != round)
		__atomic_add_fetch(&mistakes, 1, __ATOMIC_SEQ_CST);
}

static void take_turns(u64 parity)
{
	for (u64 round = parity; round < rounds; round += 2) {
		while (guest_load(&turn) != round)
			guest_pause();
		pass(round);
		guest_store(&turn, round + 1);
	}
}

static void second(void *region)
{
	write_cr4(read_cr4() | CR4_VMXE);
	if (vmxon(physical(region)) != VMX_SUCCEED)
		guest_fail("VMXON of the second processor fails");
	take_turns(1);
	vmxoff();
}

void guest_main(void)
{
	void *region;

	guest_vmx_init();
	guest_apic_enable();
	rounds = guest_option_number("rounds", 2000);
	region = guest_region();
	passed = guest_region();
	guest_vmx_on();
	guest_vmcs_load(passed);
	guest_vmcs_write(VMCS_TSC_OFFSET, 0);
	vmclear(physical(passed));
	if (!guest_cpu_start(1, NULL))
		guest_fail("the second processor does not start");
	guest_print("l1_pass: VMCS %lx\n", physical(passed));
	guest_cpu_call(1, second, region);
	take_turns(0);
	while (guest_load(&turn) != rounds)
		guest_pause();
	guest_check(guest_cpu_done(1), "the second processor does not come back");
	guest_check(!mistakes, "%lu mistakes in %lu rounds", mistakes, rounds);
	guest_vmx_off();
	guest_check_end();
}
