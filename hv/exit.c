#include "hv/exit.h"

#include "hv/deep.h"
#include "hv/ept.h"
#include "hv/exit_l1.h"
#include "hv/hv_time.h"
#include "hv/inject.h"
#include "hv/insn.h"
#include "hv/kick.h"
#include "hv/nested/l0_record.h"
#include "hv/nested/nested.h"
#include "hv/nested/vmcs_shadow.h"
#include "hv/panic.h"
#include "hv/record.h"
#include "hv/snapshot.h"
#include "hv/vmcs01.h"
#include "vmx/tables.h"

#define BLOCKING_STI_MOV_SS 3
#define INSN_ERROR_MASK	    0xffff
#define RFLAGS_TF	    BIT(8)
#define RFLAGS_RF	    BIT(16)

typedef enum exit_action (*exit_handler)(struct percpu *cpu);

static const exit_handler handlers[EXIT_REASON_COUNT] = {
	[EXIT_EXCEPTION_NMI] = l1_handle_nmi,
	[EXIT_TRIPLE_FAULT] = l1_handle_triple_fault,
	[EXIT_INIT] = l1_handle_init,
	[EXIT_SIPI] = l1_handle_sipi,
	[EXIT_NMI_WINDOW] = l1_handle_nmi_window,
	[EXIT_CPUID] = l1_handle_cpuid,
	[EXIT_GETSEC] = exit_inject_ud,
	[EXIT_INVD] = l1_handle_invd,
	[EXIT_CR_ACCESS] = l1_handle_cr,
	[EXIT_DR_ACCESS] = l1_handle_dr,
	[EXIT_IO] = l1_handle_io,
	[EXIT_RDMSR] = l1_handle_rdmsr,
	[EXIT_WRMSR] = l1_handle_wrmsr,
	[EXIT_GDTR_IDTR] = l1_handle_tables,
	[EXIT_LDTR_TR] = l1_handle_tables,
	[EXIT_EPT_VIOLATION] = l1_handle_ept_violation,
	[EXIT_PREEMPTION_TIMER] = l1_handle_preemption_timer,
	[EXIT_XSETBV] = l1_handle_xsetbv,
	[EXIT_VMCALL] = nested_handle_vmcall,
	[EXIT_VMCLEAR] = nested_handle_vmclear,
	[EXIT_VMLAUNCH] = nested_handle_vmlaunch,
	[EXIT_VMPTRLD] = nested_handle_vmptrld,
	[EXIT_VMPTRST] = nested_handle_vmptrst,
	[EXIT_VMREAD] = nested_handle_vmread,
	[EXIT_VMRESUME] = nested_handle_vmresume,
	[EXIT_VMWRITE] = nested_handle_vmwrite,
	[EXIT_VMXOFF] = nested_handle_vmxoff,
	[EXIT_VMXON] = nested_handle_vmxon,
	[EXIT_INVEPT] = nested_handle_invept,
	[EXIT_INVVPID] = nested_handle_invvpid,
	[EXIT_VMFUNC] = nested_handle_vmfunc,
	[EXIT_SEAMCALL] = exit_inject_ud,
	[EXIT_TDCALL] = exit_inject_ud,
};

static void read_instruction(struct percpu *cpu)
{
	cpu->exit.insn_length = (u32)vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH);
	cpu->exit.rflags = vmread(VMCS_GUEST_RFLAGS);
	cpu->exit.blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);
}

static enum exit_action handle_l1_exit(struct percpu *cpu)
{
	const u32 reason = cpu->exit.reason;

	cpu->vmcs01.launched = true;
	read_instruction(cpu);
	if (reason < ARRAY_SIZE(handlers) && handlers[reason])
		return handlers[reason](cpu);
	l1_stop_unexpected(cpu);
}

/* Not inlined: exits of L1 would save registers for it. */
static NOINLINE enum exit_action handle_l2_exit(struct percpu *cpu)
{
	enum exit_action action;
	bool for_l1_handler;

	if (!(cpu->exit.reason & EXIT_REASON_ENTRY_FAILURE))
		cpu->hw->launched = true;
	action = nested_handle_l2_exit(cpu, &for_l1_handler);
	if (for_l1_handler)
		action = handle_l1_exit(cpu);
	else if (action == EXIT_SKIP)
		read_instruction(cpu);
	if (action == EXIT_SKIP)
		nested_end_insn(cpu);
	return action;
}

static bool is_64bit_code(void)
{
	return vmread(VMCS_GUEST_CS_ACCESS_RIGHTS) & BIT(13) &&
	       vmread(VMCS_GUEST_IA32_EFER) & EFER_LMA;
}

/* What debuggers wait for at the end of the instruction that was skipped. */
static NOINLINE void end_step(const struct percpu *cpu)
{
	/* SDM, "Instruction-Breakpoint Exception Condition": RF lasts for one instruction. */
	vmwrite(VMCS_GUEST_RFLAGS, vmread(VMCS_GUEST_RFLAGS) & ~RFLAGS_RF);
	if (cpu->exit.rflags & RFLAGS_TF)
		inject_pending_step();
}

/* Behind the instruction. */
static void skip_instruction(struct percpu *cpu)
{
	u64 rip = cpu->exit.rip + cpu->exit.insn_length;

	/* Outside 64-bit mode RIP has 32 bits. */
	if (unlikely((rip ^ cpu->exit.rip) >> 32) && !is_64bit_code())
		rip = (u32)rip;
	vmwrite(VMCS_GUEST_RIP, rip);
	if (unlikely(cpu->exit.blocking & BLOCKING_STI_MOV_SS))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE,
			vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & ~(u64)BLOCKING_STI_MOV_SS);
	if (unlikely(cpu->exit.rflags & (RFLAGS_TF | RFLAGS_RF)))
		end_step(cpu);
}

/* What came while hv ran, or could not be given to the guest yet. Returns whether L1 is parked. */
static NOINLINE bool attend(struct percpu *cpu)
{
	cpu->nmi_arrived = false;
	if (cpu->kicked)
		kick_answer(cpu);
	if (cpu->init_pending && cpu->nested.mode == NESTED_L2)
		nested_deliver_init(cpu);
	else if (cpu->init_pending)
		l1_take_pending_init(cpu);
	/* In wait-for-SIPI NMIs are blocked. */
	if (cpu->nmi_pending && !cpu->parked)
		inject_nmi_when_possible(cpu);
	if (cpu->types_stale)
		l1_take_memory_types(cpu);
	if (__atomic_exchange_n(&cpu->ept01_stale, false, __ATOMIC_SEQ_CST))
		ept01_flush();
	return cpu->parked;
}

/* Before the exit is looked at, and behind all of it: what only some captures or machines need. */
static NOINLINE void begin_more(struct percpu *cpu)
{
	if (cpu->smi_stays)
		exit_unblock_smi(cpu);
	if (cpu->snapshot)
		snapshot_keep(cpu);
}

static NOINLINE void end_more(struct percpu *cpu)
{
	l0_record_turn(cpu);
	deep_turn(cpu);
	if (vmcs_shadow_is_on(&cpu->nested) && cpu->nested.mode != NESTED_L2)
		vmcs_shadow_give(cpu);
}

bool exit_dispatch(struct percpu *cpu)
{
	struct hv_time_row *rows = cpu->time.exits[0];
	enum exit_action action;

	cpu->exit.tsc = rdtsc();
	cpu->exit.reason = (u32)vmread(VMCS_EXIT_REASON);
	cpu->exit.rip = vmread(VMCS_GUEST_RIP);
	cpu->pending.event.kind = 0;
	if (unlikely(cpu->more_to_do))
		begin_more(cpu);
	if (likely(cpu->nested.mode != NESTED_L2)) {
		action = handle_l1_exit(cpu);
	} else {
		rows = cpu->time.exits[1];
		action = handle_l2_exit(cpu);
	}
	if (likely(cpu->pending.event.kind))
		exit_emit(cpu);
	if (likely(action == EXIT_SKIP))
		skip_instruction(cpu);
	/* L1 may send the SIPI at once, so that nothing else is done until it is awaited. */
	if (likely(!cpu->attention) || !attend(cpu)) {
		if (unlikely(cpu->more_to_do))
			end_more(cpu);
		record_idle(cpu);
	}
	hv_time_exit(cpu, rows);
	return cpu->hw->launched;
}

bool exit_attend(struct percpu *cpu)
{
	attend(cpu);
	return cpu->hw->launched;
}

bool exit_entry_failed(struct percpu *cpu, u64 flags)
{
	if (cpu->nested.mode == NESTED_L2) {
		cpu->pending.event.kind = 0;
		nested_entry_refused(cpu, flags);
		if (cpu->pending.event.kind)
			exit_emit(cpu);
		return cpu->hw->launched;
	}
	panic("the processor refuses to enter L1: VM-instruction error %lu",
	      vmread(VMCS_VM_INSTRUCTION_ERROR) & INSN_ERROR_MASK);
}

u64 percpu_reg(const struct percpu *cpu, unsigned reg)
{
	return reg == REG_RSP ? vmread(VMCS_GUEST_RSP) : cpu->regs[reg];
}

void percpu_set_reg(struct percpu *cpu, unsigned reg, u64 value)
{
	if (reg == REG_RSP)
		vmwrite(VMCS_GUEST_RSP, value);
	else
		cpu->regs[reg] = value;
}
