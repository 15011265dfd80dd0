#include "hv/exit_l1.h"

#include "hv/deep.h"
#include "hv/inject.h"
#include "hv/insn.h"
#include "hv/kick.h"
#include "hv/log.h"
#include "hv/nested/host_state.h"
#include "hv/record.h"
#include "hv/record_end.h"
#include "hv/vmcs01.h"
#include "vmx/qual.h"
#include "vmx/tables.h"

#define INFO_NMI_MASK (BIT(31) | MASK(10, 0))
#define INFO_NMI      (BIT(31) | 2ull << 8 | 2)
#define BLOCKING_NMI  BIT(3)

_Noreturn void l1_stop_unexpected(struct percpu *cpu)
{
	log_print("L1 exited with reason %u (%s), qualification 0x%lx, at rip 0x%lx: not supported",
		  cpu->exit.reason, vmx_exit_name(cpu->exit.reason),
		  vmread(VMCS_EXIT_QUALIFICATION), cpu->exit.rip);
	record_stop(cpu, END_UNSUPPORTED, vmx_exit_name(cpu->exit.reason));
}

/* An NMI of L1's: with virtual NMIs it is hv that delivers it. */
enum exit_action l1_handle_nmi(struct percpu *cpu)
{
	if ((vmread(VMCS_VM_EXIT_INTERRUPTION_INFO) & INFO_NMI_MASK) != INFO_NMI)
		l1_stop_unexpected(cpu);
	unblock_nmis();
	kick_take_nmi(cpu);
	return EXIT_RESUME;
}

enum exit_action l1_handle_nmi_window(struct percpu *cpu)
{
	/* The dispatcher injects it, unless an exit of L2 has told L1 of it in the meantime. */
	if (!cpu->nmi_pending)
		inject_close_nmi_window();
	return EXIT_RESUME;
}

enum exit_action l1_handle_triple_fault(struct percpu *cpu)
{
	log_print("L1 had a triple fault at rip 0x%lx, cr3 0x%lx", cpu->exit.rip,
		  vmread(VMCS_GUEST_CR3));
	record_stop(cpu, END_TRIPLE_FAULT, "triple fault of L1");
}

/*
 * Dropping dirty lines would lose hv's as well; writing them back is what L1 may see on any
 * machine.
 */
enum exit_action l1_handle_invd(struct percpu *cpu)
{
	(void)cpu;
	wbinvd();
	return EXIT_SKIP;
}

/* LGDT and its like. */
enum exit_action l1_handle_tables(struct percpu *cpu)
{
	if (!host_state_open(cpu, KEPT_TABLES))
		l1_stop_unexpected(cpu);
	return EXIT_RESUME;
}

/* MOV to and from debug registers. */
enum exit_action l1_handle_dr(struct percpu *cpu)
{
	if (!host_state_open(cpu, KEPT_REGISTERS))
		l1_stop_unexpected(cpu);
	return EXIT_RESUME;
}

enum exit_action l1_handle_ept_violation(struct percpu *cpu)
{
	if (vmread(VMCS_EXIT_QUALIFICATION) & VMX_EPT_VIOLATION_WRITE &&
	    deep_store(cpu, vmread(VMCS_GUEST_PHYSICAL_ADDRESS))) {
		inject_again(cpu);
		return EXIT_RESUME;
	}
	log_print("L1 accessed 0x%lx, beyond what EPT01 maps, at rip 0x%lx",
		  vmread(VMCS_GUEST_PHYSICAL_ADDRESS), cpu->exit.rip);
	record_stop(cpu, END_UNSUPPORTED, "access beyond physical memory");
}

enum exit_action l1_handle_preemption_timer(struct percpu *cpu)
{
	kick_look(cpu);
	record_heartbeat(cpu);
	return EXIT_RESUME;
}

enum exit_action l1_handle_xsetbv(struct percpu *cpu)
{
	const u64 value = (u32)cpu->regs[REG_RAX] | cpu->regs[REG_RDX] << 32;

	if (xsetbv_safe((u32)cpu->regs[REG_RCX], value) != ST_OK)
		return exit_inject_gp(cpu);
	return EXIT_SKIP;
}
