/*
 * hv/exit_event.c - the event that an exit becomes
 */
#include "hv/exit.h"
#include "hv/insn.h"
#include "hv/record.h"
#include "hv/snapshot.h"
#include "hv/vmcs01.h"
#include "recorder/emit.h"
#include "vmx/tables.h"

/* The bits of @value from @low on, moved to @to. */
#define MOVED(value, low, bits, to) (((value) >> (low)&MASK((bits)-1, 0)) << (to))

/*
 * PE and PG are the same for the processor and for L1, VMXE is in the read shadow: L1 can't make
 * hv's masks show anything else.
 */
static u64 processor_mode(const struct percpu *cpu)
{
	const u64 cr0 = vmread(VMCS_GUEST_CR0);
	const u64 cs = vmread(VMCS_GUEST_CS_ACCESS_RIGHTS);

	return MOVED(vmread(VMCS_GUEST_SS_ACCESS_RIGHTS), 5, 2, MODE_CPL) |
	       MOVED(cr0, 0, 1, MODE_PE) | MOVED(cpu->exit.rflags, 17, 1, MODE_VM) |
	       MOVED(vmread(VMCS_GUEST_IA32_EFER), 10, 1, MODE_LMA) | MOVED(cs, 13, 2, MODE_CS_L) |
	       MOVED(vmread(VMCS_CR4_READ_SHADOW), 13, 1, MODE_VMXE) |
	       MOVED(cpu->exit.blocking, 0, 2, MODE_STI) |
	       MOVED(cpu->exit.blocking, 3, 1, MODE_NMI) |
	       (u64)(cpu->nested.mode == NESTED_ROOT) << MODE_VMX_ROOT | MOVED(cr0, 31, 1, MODE_PG);
}

_Static_assert(MODE_CS_D == MODE_CS_L + 1, "bits 14:13 of access rights");
_Static_assert(MODE_MOV_SS == MODE_STI + 1, "bits 1:0 of interruptibility");

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

/*
 * processor_mode() for an instruction that is undefined without protected mode, in virtual-8086
 * mode and in compatibility mode: #UD comes before the exit (SDM, "Operation" of each of them), so
 * the processor has answered most of the questions. In VMX operation L1 can't clear CR4.VMXE.
 */
static ALWAYS_INLINE u64 vmx_insn_mode(const struct percpu *cpu, u64 ss)
{
	const u64 blocking = cpu->exit.blocking;
	u64 mode = BIT(MODE_PE) | MOVED(ss, 5, 2, MODE_CPL);

	if (unlikely(blocking))
		mode |= MOVED(blocking, 0, 2, MODE_STI) | MOVED(blocking, 3, 1, MODE_NMI);
	if (likely(cpu->nested.long_mode))
		return mode | BIT(MODE_LMA) | BIT(MODE_CS_L) | BIT(MODE_PG) | BIT(MODE_VMX_ROOT) |
		       BIT(MODE_VMXE);
	if (vmread(VMCS_GUEST_IA32_EFER) & EFER_LMA)
		mode |= BIT(MODE_LMA) | BIT(MODE_CS_L) | BIT(MODE_PG);
	else
		mode |= MOVED(vmread(VMCS_GUEST_CR0), 31, 1, MODE_PG) |
			MOVED(vmread(VMCS_GUEST_CS_ACCESS_RIGHTS), 13, 2, MODE_CS_L);
	if (cpu->nested.mode == NESTED_ROOT)
		return mode | BIT(MODE_VMX_ROOT) | BIT(MODE_VMXE);
	return mode | MOVED(vmread(VMCS_CR4_READ_SHADOW), 13, 1, MODE_VMXE);
}

/* One by one: most columns are known where they are needed, and none is written twice. */
u64 exit_insn_event(struct percpu *cpu, u8 kind, bool has_info)
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
