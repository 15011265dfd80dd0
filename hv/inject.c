#include "hv/inject.h"

#include "hv/fault.h"
#include "hv/insn.h"
#include "hv/nested/nested.h"
#include "hv/vmcs01.h"
#include "vmx/qual.h"
#include "vmx/tables.h"

#define INFO_VALID	    BIT(31)
#define INFO_ERROR_CODE	    BIT(11)
#define INFO_HARD_EXCEPTION (3ull << 8)
#define INFO_NMI	    (2ull << 8 | 2)
#define BLOCKING_STI	    BIT(0)
#define BLOCKING_MOV_SS	    BIT(1)
#define BLOCKING_NMI	    BIT(3)
#define PENDING_BS	    BIT(14)
#define DEBUGCTL_BTF	    BIT(1)

enum { VECTOR_UD = 6, VECTOR_SS = 12, VECTOR_GP = 13, VECTOR_PF = 14 };

/* Tell in the event that is being filled that its instruction faulted. */
static void note_fault(struct percpu *cpu, u8 vector, u32 code, u64 cr2)
{
	struct ev_insn *insn = (struct ev_insn *)cpu->pending.columns;
	const u8 kind = cpu->pending.event.kind;

	if (kind < EV_VMXON || kind > EV_CR_WRITE)
		return;
	insn->outcome = OUTCOME_FAULT;
	insn->rflags_after = insn->rflags;
	insn->error = vector;
	insn->fault_code = code;
	insn->cr2 = cr2;
}

static enum exit_action inject(struct percpu *cpu, u8 vector, bool has_code, u32 code, u64 cr2)
{
	note_fault(cpu, vector, code, cr2);
	if (unlikely(cpu->nested.mode == NESTED_L2) &&
	    nested_takes_exception(cpu, vector, has_code, code, cr2))
		return EXIT_RESUME;
	if (vector == VECTOR_PF)
		write_cr2(cr2);
	vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFO,
		INFO_VALID | INFO_HARD_EXCEPTION | vector | (has_code ? INFO_ERROR_CODE : 0));
	if (has_code)
		vmwrite(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE, code);
	return EXIT_RESUME;
}

/* Error codes exist in protected mode only. */
static bool protected_mode(void)
{
	return vmread(VMCS_GUEST_CR0) & 1;
}

enum exit_action exit_inject_ud(struct percpu *cpu)
{
	return inject(cpu, VECTOR_UD, false, 0, 0);
}

enum exit_action exit_inject_gp(struct percpu *cpu)
{
	return inject(cpu, VECTOR_GP, protected_mode(), 0, 0);
}

enum exit_action exit_inject_ss(struct percpu *cpu)
{
	return inject(cpu, VECTOR_SS, protected_mode(), 0, 0);
}

enum exit_action exit_inject_pf(struct percpu *cpu, u64 address, u32 error_code)
{
	return inject(cpu, VECTOR_PF, true, error_code, address);
}

static void want_nmi_window(bool wanted)
{
	const u64 controls = vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS);

	vmwrite(VMCS_PRIMARY_PROC_BASED_CONTROLS,
		wanted ? controls | PRIMARY_NMI_WINDOW_EXITING
		       : controls & ~(u64)PRIMARY_NMI_WINDOW_EXITING);
}

void inject_nmi_when_possible(struct percpu *cpu)
{
	const u64 blocked = BLOCKING_NMI | BLOCKING_MOV_SS | BLOCKING_STI;

	if (cpu->nested.mode == NESTED_L2) {
		nested_deliver_nmi(cpu);
		return;
	}
	if (vmread(VMCS_VM_ENTRY_INTERRUPTION_INFO) & INFO_VALID ||
	    vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & blocked) {
		want_nmi_window(true);
		return;
	}
	want_nmi_window(false);
	vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFO, INFO_VALID | INFO_NMI);
	cpu->nmi_pending = false;
}

void inject_close_nmi_window(void)
{
	want_nmi_window(false);
}

void inject_pending_step(void)
{
	/* SDM, "Single-Stepping on Branches": none of the instructions that hv ends is one. */
	if (vmread(VMCS_GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF)
		return;
	vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
		vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_BS);
}

void inject_again(const struct percpu *cpu)
{
	u64 info = vmread(VMCS_IDT_VECTORING_INFO);
	const enum vmx_event_type type = vmx_event_type(info);
	const u64 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);

	if (hv_fault(VECTORING_DROPPED))
		return;
	if (!(info & VMX_EVENT_VALID)) {
		/* IRET has unblocked NMIs, but will be executed again. */
		if (cpu->exit.reason == EXIT_EPT_VIOLATION &&
		    vmread(VMCS_EXIT_QUALIFICATION) & VMX_EPT_VIOLATION_NMI_UNBLOCKING)
			vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, blocking | BLOCKING_NMI);
		return;
	}
	if (type == VMX_EVENT_NMI)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, blocking & ~BLOCKING_NMI);
	/* None is delivered in real mode, and none may be injected; Bochs tells of one. */
	if (!(vmread(VMCS_GUEST_CR0) & CR0_PE))
		info &= ~(u64)VMX_EVENT_ERROR_CODE;
	if (info & VMX_EVENT_ERROR_CODE)
		vmwrite(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE, vmread(VMCS_IDT_VECTORING_ERROR_CODE));
	if (type >= VMX_EVENT_SOFTWARE_INTERRUPT && type <= VMX_EVENT_SOFTWARE_EXCEPTION)
		vmwrite(VMCS_VM_ENTRY_INSTRUCTION_LENGTH, vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH));
	vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFO, info & (VMX_EVENT_VALID | VMX_EVENT_ERROR_CODE |
							 VMX_EVENT_TYPE | VMX_EVENT_VECTOR));
}
