/*
 * tests/guests/l1_smp_vmx.c - an L2 on each processor at once, and VMCSs that migrate
 */
#include "tests/guests/l1_smp.h"

#define EXITS 200

/* --- at once ---------------------------------------------------------------------------------- */

static void code_cpuid(void)
{
	for (;;)
		cpuid(0, 0);
}

static void count_exits(void *arg)
{
	const struct l2_options options = { 0 };
	struct smp_cpu *cpu = smp_this();

	(void)arg;
	smp_vmx_on();
	l2_create(&cpu->l2, code_cpuid, &options);
	for (cpu->exits = 0; cpu->exits < EXITS; cpu->exits++) {
		if (l2_run(&cpu->l2) != EXIT_CPUID)
			break;
		l2_skip();
	}
	vmclear(physical(cpu->l2.region));
	smp_vmx_off();
}

static void at_once(void)
{
	guest_mark("case at_once");
	for (unsigned id = 1; id < guest_cpu_count(); id++)
		guest_cpu_call(id, count_exits, NULL);
	count_exits(NULL);
	for (unsigned id = 0; id < guest_cpu_count(); id++) {
		guest_check(!id || guest_cpu_done(id), "processor %u does not come back", id);
		guest_check(smp_cpus[id].exits == EXITS, "the L2 of processor %u exits %lu times",
			    id, smp_cpus[id].exits);
	}
}

/* --- migration -------------------------------------------------------------------------------- */

#define TSC_OFFSET_0 0x123456789000ul
#define ROUNDS	     20

static struct l2 wanderer;

static void code_vmcall(void)
{
	for (;;)
		l2_vmcall(0);
}

static void enter_vmx(void *arg)
{
	(void)arg;
	smp_vmx_on();
}

static void leave_vmx(void *arg)
{
	(void)arg;
	smp_vmx_off();
}

/* VMPTRLD, look, enter, change, VMCLEAR. */
static void visit(void *arg)
{
	struct smp_cpu *cpu = smp_this();

	(void)arg;
	cpu->outcome = vmptrld(physical(wanderer.region));
	vmread(VMCS_TSC_OFFSET, &cpu->value);
	wanderer.launched = false;
	/* The host-state area is that of the processor that made it. */
	wanderer.regs.host_rsp = 0;
	cpu->reason = l2_run(&wanderer);
	l2_skip();
	guest_vmcs_write(VMCS_TSC_OFFSET, cpu->value + 1);
	vmclear(physical(wanderer.region));
}

static void with_vmclear(void)
{
	const struct l2_options options = { 0 };

	guest_mark("case with_vmclear");
	smp_vmx_on();
	for (unsigned id = 1; id < guest_cpu_count(); id++)
		guest_cpu_run(id, enter_vmx, NULL);
	l2_create(&wanderer, code_vmcall, &options);
	guest_vmcs_write(VMCS_TSC_OFFSET, TSC_OFFSET_0);
	vmclear(physical(wanderer.region));
	for (unsigned round = 0; round < ROUNDS; round++) {
		const unsigned id = round % guest_cpu_count();
		struct smp_cpu *cpu = &smp_cpus[id];

		if (id)
			guest_cpu_run(id, visit, NULL);
		else
			visit(NULL);
		guest_check(cpu->outcome == VMX_SUCCEED, "round %u: VMPTRLD fails", round);
		guest_check(cpu->value == TSC_OFFSET_0 + round, "round %u: the TSC offset is %lx",
			    round, cpu->value);
		guest_check(cpu->reason == EXIT_VMCALL, "round %u: exit reason %lu", round,
			    cpu->reason);
	}
}

static void take(void *arg)
{
	struct smp_cpu *cpu = smp_this();

	(void)arg;
	cpu->outcome = vmptrld(physical(wanderer.region));
	vmread(VMCS_TSC_OFFSET, &cpu->value);
	vmwrite(VMCS_TSC_OFFSET, 2);
}

static void give_up(void *arg)
{
	(void)arg;
	smp_this()->outcome = vmclear(physical(wanderer.region));
}

/* What the second one finds is not said; that nothing breaks is. */
static void without_vmclear(void)
{
	guest_mark("case without_vmclear");
	vmptrld(physical(wanderer.region));
	guest_vmcs_write(VMCS_TSC_OFFSET, 1);
	guest_cpu_run(1, take, NULL);
	guest_check(smp_cpus[1].outcome == VMX_SUCCEED, "the second VMPTRLD fails");
	vmclear(physical(wanderer.region));
	guest_cpu_run(1, give_up, NULL);
	guest_check(smp_cpus[1].outcome == VMX_SUCCEED, "the second VMCLEAR fails");
	for (unsigned id = 1; id < guest_cpu_count(); id++)
		guest_cpu_run(id, leave_vmx, NULL);
	smp_vmx_off();
}

void smp_vmx(void)
{
	l2_allocate(&wanderer);
	at_once();
	with_vmclear();
	without_vmclear();
}
