/*
 * hv/exit_event.c - the event that an exit becomes
 */
#include "hv/exit.h"
#include "hv/insn.h"
#include "hv/record.h"
#include "hv/vmcs01.h"
#include "recorder/emit.h"
#include "vmx/tables.h"

static u64 processor_mode(const struct percpu *cpu)
{
	const u64 cr0 = vmcs01_visible_cr0();
	const u64 cs = vmread(VMCS_GUEST_CS_ACCESS_RIGHTS);
	const u64 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);

	return BITS(vmread(VMCS_GUEST_SS_ACCESS_RIGHTS), 6, 5) << MODE_CPL |
	       BITS(cr0, 0, 0) << MODE_PE | BITS(vmread(VMCS_GUEST_RFLAGS), 17, 17) << MODE_VM |
	       BITS(vmread(VMCS_GUEST_IA32_EFER), 10, 10) << MODE_LMA |
	       BITS(cs, 13, 13) << MODE_CS_L | BITS(cs, 14, 14) << MODE_CS_D |
	       BITS(vmcs01_visible_cr4(), 13, 13) << MODE_VMXE | BITS(blocking, 0, 0) << MODE_STI |
	       BITS(blocking, 1, 1) << MODE_MOV_SS |
	       (u64)(cpu->nested.mode == NESTED_ROOT) << MODE_VMX_ROOT |
	       BITS(cr0, 31, 31) << MODE_PG;
}

static bool is_insn(u8 kind)
{
	return kind >= EV_VMXON && kind <= EV_CR_WRITE;
}

/* Exits that leave instruction information; SDM "Information for VM Exits Due to Instruction
 * Execution". */
static bool has_insn_info(u32 reason)
{
	switch (reason) {
	case EXIT_VMCLEAR:
	case EXIT_VMPTRLD:
	case EXIT_VMPTRST:
	case EXIT_VMXON:
	case EXIT_VMREAD:
	case EXIT_VMWRITE:
	case EXIT_INVEPT:
	case EXIT_INVVPID:
		return true;
	default:
		return false;
	}
}

u64 *exit_event(struct percpu *cpu, u8 kind, u8 level)
{
	struct pending_event *pending = &cpu->pending;

	memset(pending, 0, sizeof(*pending));
	pending->event = (struct trace_event){
		.kind = kind,
		.level = level,
		.tsc = cpu->exit.tsc,
		.rip = cpu->exit.rip,
		.col = pending->columns,
	};
	if (is_insn(kind)) {
		struct ev_insn *insn = (struct ev_insn *)pending->columns;

		insn->mode = processor_mode(cpu);
		insn->rflags = insn->rflags_after = vmread(VMCS_GUEST_RFLAGS);
		insn->cr3 = vmread(VMCS_GUEST_CR3);
		insn->vmcs = cpu->nested.current_pointer;
		insn->length = cpu->exit.insn_length;
		if (has_insn_info(cpu->exit.reason))
			insn->info = vmread(VMCS_VM_EXIT_INSTRUCTION_INFO);
	}
	return pending->columns;
}

void exit_emit(struct percpu *cpu)
{
	struct trace_event *event = &cpu->pending.event;

	if (is_insn(event->kind) && cpu->hw == &cpu->vmcs01)
		((struct ev_insn *)cpu->pending.columns)->rflags_after = vmread(VMCS_GUEST_RFLAGS);
	if (cpu->rec)
		rec_emit(cpu->rec, event);
	event->kind = 0;
}
