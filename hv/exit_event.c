/*
 * hv/exit_event.c - the event that an exit becomes
 */
#include "hv/exit.h"
#include "hv/exit_insn.h"
#include "hv/insn.h"
#include "hv/record.h"
#include "hv/snapshot.h"
#include "hv/vmcs01.h"
#include "recorder/emit.h"
#include "vmx/tables.h"

/*
 * PE and PG are the same for the processor and for L1, VMXE is in the read shadow: L1 can't make
 * hv's masks show anything else.
 */
static u64 processor_mode(const struct percpu *cpu)
{
	const u64 cr0 = vmread(VMCS_GUEST_CR0);
	const u64 cs = vmread(VMCS_GUEST_CS_ACCESS_RIGHTS);

	return MODE_BITS(vmread(VMCS_GUEST_SS_ACCESS_RIGHTS), 5, 2, MODE_CPL) |
	       MODE_BITS(cr0, 0, 1, MODE_PE) | MODE_BITS(cpu->exit.rflags, 17, 1, MODE_VM) |
	       MODE_BITS(vmread(VMCS_GUEST_IA32_EFER), 10, 1, MODE_LMA) |
	       MODE_BITS(cs, 13, 2, MODE_CS_L) |
	       MODE_BITS(vmread(VMCS_CR4_READ_SHADOW), 13, 1, MODE_VMXE) |
	       MODE_BITS(cpu->exit.blocking, 0, 2, MODE_STI) |
	       MODE_BITS(cpu->exit.blocking, 3, 1, MODE_NMI) |
	       (u64)(cpu->nested.mode == NESTED_ROOT) << MODE_VMX_ROOT |
	       MODE_BITS(cr0, 31, 1, MODE_PG);
}

/* The kind with the most columns that a handler fills; none fills regs. */
#define EVENT(KIND, name, id, key, flags, title, columns) \
	_Static_assert(id == EV_REGS || sizeof(struct ev_##name) <= sizeof(struct ev_vmxon), #name);
#include "trace/events.def"
#undef EVENT

static bool is_insn(u8 kind)
{
	return kind >= EV_VMXON && kind <= EV_CR_WRITE;
}

/*
 * Exits that leave instruction information; SDM "Information for VM Exits Due to Instruction
 * Execution".
 */
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

/* What the recorder does not look at without items and bytes stays as it is. */
u64 *exit_start_event(struct percpu *cpu, u8 kind, u8 level)
{
	struct pending_event *const pending = &cpu->pending;
	struct trace_event *const event = &pending->event;

	event->kind = kind;
	event->level = level;
	event->tsc = cpu->exit.tsc;
	event->rip = cpu->exit.rip;
	event->col = pending->columns;
	event->item_count = 0;
	event->byte_count = 0;
	pending->snapshot_taken = false;
	return pending->columns;
}

u64 *exit_event(struct percpu *cpu, u8 kind, u8 level)
{
	struct pending_event *pending = &cpu->pending;

	*(struct ev_vmxon *)pending->columns = (struct ev_vmxon){ 0 };
	exit_start_event(cpu, kind, level);
	if (is_insn(kind)) {
		struct ev_insn *insn = (struct ev_insn *)pending->columns;

		insn->rflags = insn->rflags_after = cpu->exit.rflags;
		insn->mode = processor_mode(cpu);
		insn->cr3 = vmread(VMCS_GUEST_CR3);
		insn->vmcs = cpu->nested.current_pointer;
		insn->length = cpu->exit.insn_length;
		if (has_insn_info(cpu->exit.reason))
			insn->info = vmread(VMCS_VM_EXIT_INSTRUCTION_INFO);
	}
	return pending->columns;
}

/* With capture=off, default or deep. */
static NOINLINE void emit_apart(struct percpu *cpu)
{
	if (cpu->snapshot) {
		snapshot_take(cpu);
		rec_emit(cpu->rec, &cpu->pending.event);
		rec_reserve(cpu->rec, SNAPSHOT_MARGIN);
	} else if (cpu->pending.event.kind == EV_HV_BUG) {
		rec_emit(cpu->rec, &cpu->pending.event);
	}
}

void exit_emit(struct percpu *cpu)
{
	if (unlikely(cpu->emits_apart))
		emit_apart(cpu);
	else if (likely(cpu->rec))
		rec_emit(cpu->rec, &cpu->pending.event);
	cpu->pending.event.kind = 0;
}
