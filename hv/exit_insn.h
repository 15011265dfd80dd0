/*
 * hv/exit_insn.h - the event of a VMX instruction of L1, begun
 *
 * In line, since it is the most of what hv does for a VMREAD.
 */
#ifndef HV_EXIT_INSN_H
#define HV_EXIT_INSN_H

#include "hv/exit.h"
#include "hv/insn.h"
#include "hv/vmcs01.h"
#include "vmx/tables.h"

/* The bits of @value from @low on, moved to @to. */
#define MODE_BITS(value, low, bits, to) (((value) >> (low)&MASK((bits)-1, 0)) << (to))

_Static_assert(MODE_CS_D == MODE_CS_L + 1, "bits 14:13 of access rights");
_Static_assert(MODE_MOV_SS == MODE_STI + 1, "bits 1:0 of interruptibility");

/*
 * The column `mode` for an instruction that is undefined without protected mode, in virtual-8086
 * mode and in compatibility mode: #UD comes before the exit (SDM, "Operation" of each of them), so
 * the processor has answered most of the questions. In VMX operation L1 can't clear CR4.VMXE.
 */
static ALWAYS_INLINE u64 vmx_insn_mode(const struct percpu *cpu, u64 ss)
{
	const u64 blocking = cpu->exit.blocking;
	u64 mode = BIT(MODE_PE) | MODE_BITS(ss, 5, 2, MODE_CPL);

	if (unlikely(blocking))
		mode |= MODE_BITS(blocking, 0, 2, MODE_STI) | MODE_BITS(blocking, 3, 1, MODE_NMI);
	if (likely(cpu->nested.long_mode))
		return mode | BIT(MODE_LMA) | BIT(MODE_CS_L) | BIT(MODE_PG) | BIT(MODE_VMX_ROOT) |
		       BIT(MODE_VMXE);
	if (vmread(VMCS_GUEST_IA32_EFER) & EFER_LMA)
		mode |= BIT(MODE_LMA) | BIT(MODE_CS_L) | BIT(MODE_PG);
	else
		mode |= MODE_BITS(vmread(VMCS_GUEST_CR0), 31, 1, MODE_PG) |
			MODE_BITS(vmread(VMCS_GUEST_CS_ACCESS_RIGHTS), 13, 2, MODE_CS_L);
	if (cpu->nested.mode == NESTED_ROOT)
		return mode | BIT(MODE_VMX_ROOT) | BIT(MODE_VMXE);
	return mode | MODE_BITS(vmread(VMCS_CR4_READ_SHADOW), 13, 1, MODE_VMXE);
}

/*
 * Start the event of a VMX instruction that exits only where it is defined, which are all but
 * VMCALL and VMFUNC. Only the columns of struct ev_insn are filled, one by one: most are known
 * where they are needed. @has_info: it leaves instruction information. How the instruction ends is
 * for outcome.h or a fault to say, @outcome and @rflags_after. Returns the column `mode`.
 */
static ALWAYS_INLINE u64 exit_insn_event(struct percpu *cpu, u8 kind, bool has_info)
{
	struct ev_insn *const insn = (struct ev_insn *)cpu->pending.columns;
	const u64 rflags = cpu->exit.rflags;
	const u64 ss = vmread(VMCS_GUEST_SS_ACCESS_RIGHTS);
	u64 mode;

	cpu->exit.ss_rights = ss;
	exit_start_event(cpu, kind, 1);
	mode = vmx_insn_mode(cpu, ss);
	insn->mode = mode;
	insn->rflags = rflags;
	insn->cr3 = vmread(VMCS_GUEST_CR3);
	insn->vmcs = cpu->nested.current_pointer;
	insn->length = cpu->exit.insn_length;
	insn->info = has_info ? vmread(VMCS_VM_EXIT_INSTRUCTION_INFO) : 0;
	insn->error = 0;
	insn->fault_code = 0;
	insn->cr2 = 0;
	return mode;
}

_Static_assert(sizeof(struct ev_insn) == 11 * sizeof(u64), "exit_insn_event() fills all but two");

#endif
