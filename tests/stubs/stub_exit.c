/*
 * tests/stubs/stub_exit.c - exits of a guest that does not run
 */
#include <stdlib.h>

#include "hv/exit.h"
#include "hv/exit_l1.h"
#include "hv/nested/nested.h"
#include "tests/stubs/stub_cpu.h"
#include "vmx/tables.h"

#define INSN_LENGTH 3
#define INFO_VALID  BIT(31)

struct percpu *stub_boot_nested(u64 memory, bool long_mode, const char *masked)
{
	struct percpu *cpu = stub_boot_l1(memory, long_mode);

	l1_cpuid_init();
	l1_intercept_msrs();
	l1_intercept_ports();
	if (nested_caps_init(cpu, masked) != ST_OK)
		abort();
	nested_init(cpu);
	return cpu;
}

void stub_exit(struct percpu *cpu, u32 reason, u64 qualification)
{
	stub_vmcs_set(VMCS_EXIT_REASON, reason);
	stub_vmcs_set(VMCS_EXIT_QUALIFICATION, qualification);
	stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_LENGTH, INSN_LENGTH);
	/* An entry that succeeds takes the event with it; SDM "VM Entries and Event Injection". */
	stub_vmcs_set(VMCS_VM_ENTRY_INTERRUPTION_INFO,
		      vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO) & ~INFO_VALID);
	exit_dispatch(cpu);
}

bool stub_injects(unsigned vector)
{
	const u64 info = vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO);

	return info & INFO_VALID && (info & 0xff) == vector;
}
