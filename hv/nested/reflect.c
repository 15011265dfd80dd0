#include "hv/nested/reflect.h"

#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/insn.h"
#include "hv/log.h"
#include "hv/nested/host_state.h"
#include "hv/nested/l2_state.h"
#include "hv/nested/msrlist.h"
#include "hv/vmcs01.h"
#include "vmx/qual.h"

#define BLOCKING_NMI	BIT(3)
#define RFLAGS_RF	BIT(16)
#define ABORT_INDICATOR 4 /* offset in the region */

void nested_items_reset(struct nested *nested)
{
	nested->item_count = 0;
}

void nested_item(struct nested *nested, u32 id, u64 value)
{
	if (nested->item_count < TRACE_MAX_ITEMS)
		nested->items[nested->item_count++] =
			(struct trace_item){ .id = id, .value = value };
}

/*
 * Neither instruction information nor a guest-linear or guest-physical address is defined. SDM,
 * "Information for VM Exits Due to Instruction Execution".
 */
#define REASON(NAME) BIT(EXIT_##NAME)
#define WITHOUT_DETAILS                                                                          \
	(REASON(EXTERNAL_INTERRUPT) | REASON(INTERRUPT_WINDOW) | REASON(NMI_WINDOW) |            \
	 REASON(CPUID) | REASON(HLT) | REASON(INVD) | REASON(INVLPG) | REASON(RDPMC) |           \
	 REASON(RDTSC) | REASON(VMCALL) | REASON(VMLAUNCH) | REASON(VMRESUME) | REASON(VMXOFF) | \
	 REASON(RDMSR) | REASON(WRMSR) | REASON(MWAIT) | REASON(MONITOR) | REASON(PAUSE) |       \
	 REASON(RDTSCP) | REASON(PREEMPTION_TIMER) | REASON(WBINVD) | REASON(XSETBV))

static bool has_details(u32 reason)
{
	return reason >= 64 || !(WITHOUT_DETAILS >> reason & 1);
}

/* A field that is not defined for this exit stays as it is. */
static void save_if(struct nested *nested, bool defined, unsigned ix)
{
	if (defined)
		l2_state_copy(nested, ix);
}

/* What the processor gives for the exit; L1 may have been told another reason. */
static void save_details(struct nested *nested, u32 reason)
{
	const u64 with_code = VMX_EVENT_VALID | VMX_EVENT_ERROR_CODE;
	const bool details = has_details(reason);

	/* SDM, "Information for VM Exits That Occur During Event Delivery". */
	if (l2_state_is_of_insn(reason))
		l2_state_set(nested, VMCS_IX_IDT_VECTORING_INFO, 0);
	else
		l2_state_copy(nested, VMCS_IX_IDT_VECTORING_INFO);
	save_if(nested, (F12(nested->current, IDT_VECTORING_INFO) & with_code) == with_code,
		VMCS_IX_IDT_VECTORING_ERROR_CODE);
	l2_state_copy(nested, VMCS_IX_VM_EXIT_INSTRUCTION_LENGTH);
	save_if(nested, details, VMCS_IX_VM_EXIT_INSTRUCTION_INFO);
	save_if(nested, details, VMCS_IX_GUEST_LINEAR_ADDRESS);
	if (vmcs_set_has(&nested->exists, VMCS_IX_GUEST_PHYSICAL_ADDRESS))
		save_if(nested, details, VMCS_IX_GUEST_PHYSICAL_ADDRESS);
}

static void save_exit_info(struct nested *nested, u32 reason, const struct nested_exit *exit)
{
	const u64 info = F12(nested->current, VM_ENTRY_INTERRUPTION_INFO);

	l2_state_set(nested, VMCS_IX_EXIT_REASON, exit->reason);
	l2_state_set(nested, VMCS_IX_EXIT_QUALIFICATION, exit->qualification);
	l2_state_set(nested, VMCS_IX_VM_EXIT_INTERRUPTION_INFO, exit->event);
	save_details(nested, reason);
	if (exit->made) {
		l2_state_set(nested, VMCS_IX_IDT_VECTORING_INFO, 0);
		l2_state_set(nested, VMCS_IX_VM_EXIT_INTERRUPTION_ERROR_CODE, exit->error_code);
		l2_state_set(nested, VMCS_IX_GUEST_LINEAR_ADDRESS, exit->linear);
		l2_state_set(nested, VMCS_IX_GUEST_RFLAGS,
			     F12(nested->current, GUEST_RFLAGS) | RFLAGS_RF);
		/* The processor made another exit, and VMCS02 lacks the flag. */
		vmcs_set_add(&nested->current->dirty, VMCS_IX_GUEST_RFLAGS);
		if (vmcs_set_has(&nested->exists, VMCS_IX_GUEST_PHYSICAL_ADDRESS))
			l2_state_set(nested, VMCS_IX_GUEST_PHYSICAL_ADDRESS, exit->gpa2);
	} else {
		save_if(nested, exit->event & VMX_EVENT_ERROR_CODE,
			VMCS_IX_VM_EXIT_INTERRUPTION_ERROR_CODE);
	}
	if (hv_fault(EXIT_CHANGES_CONTROL))
		l2_state_set(nested, VMCS_IX_CR3_TARGET_VALUE_3, 0x1000);
	if (hv_fault(INJECT_REPEAT))
		vmcs_set_add(&nested->current->dirty, VMCS_IX_VM_ENTRY_INTERRUPTION_INFO);
	else
		l2_state_set(nested, VMCS_IX_VM_ENTRY_INTERRUPTION_INFO, info & ~VMX_EVENT_VALID);
}

/* General registers that vmx/exits.def names for this reason. */
static void note_registers(struct percpu *cpu, u32 reason)
{
	const struct vmx_exit *row = vmx_exit_by_reason(reason);
	struct nested *nested = &cpu->nested;

	nested->current->results = row ? row->results : 0;
	if (!row)
		return;
	for (unsigned left = row->regs; left; left &= left - 1) {
		const unsigned reg = (unsigned)__builtin_ctz(left);

		nested_item(nested, ITEM_REG + reg, percpu_reg(cpu, reg));
	}
}

/* SDM, "VMX Aborts": the processor goes to the shutdown state. */
static void vmx_abort(struct nested *nested, enum vmx_abort abort)
{
	const u32 indicator = abort;

	log_print("L1 caused VMX abort %u; its processor shuts down", indicator);
	guest_write_gpa(nested->current_pointer + ABORT_INDICATOR, &indicator, sizeof(indicator));
	vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_SHUTDOWN);
}

/* L1 goes on: @abort is what went wrong until now. */
static void enter_l1(struct percpu *cpu, const struct state_before *before, enum vmx_abort abort)
{
	struct nested *nested = &cpu->nested;
	struct nested_vmcs *vmcs = nested->current;
	enum vmx_abort loading;

	hwvmcs_switch(cpu, &cpu->vmcs01);
	/* It is in VMCS02, which L1 may leave for another one. */
	if (unlikely(nested->nmi_window))
		vmcs_set_add(&vmcs->dirty, VMCS_IX_PRIMARY_PROC_BASED_CONTROLS);
	nested->nmi_window = false;
	nested->mode = NESTED_ROOT;
	nested->l0.exited = true;
	loading = host_state_load(cpu, vmcs, before);
	if (abort == ABORT_NONE)
		abort = loading;
	if (unlikely(F12(vmcs, VM_EXIT_MSR_LOAD_COUNT))) {
		if (abort == ABORT_NONE &&
		    msr_list_load(cpu, F12(vmcs, VM_EXIT_MSR_LOAD_ADDRESS),
				  F12(vmcs, VM_EXIT_MSR_LOAD_COUNT), ITEM_MSR_HOST, nested->items,
				  &nested->item_count, NULL))
			abort = ABORT_LOADING_MSRS;
		nested->kept01[KEPT_MSRS].of = NULL;
	}
	if (abort != ABORT_NONE)
		vmx_abort(nested, abort);
}

static void describe(struct percpu *cpu, u32 reason, u64 rip)
{
	struct nested *nested = &cpu->nested;
	struct ev_l2_exit *event = (void *)exit_start_event(cpu, EV_L2_EXIT, 2);

	*event = (struct ev_l2_exit){
		.reason = reason,
		.vmcs = nested->current_pointer,
		.hv_ticks = nested->hv_ticks,
		.hidden_exits = nested->hidden_exits,
		.packing_ticks = nested->packing_ticks,
	};
	cpu->pending.event.rip = rip;
	cpu->pending.event.items = nested->items;
	cpu->pending.event.item_count = nested->item_count;
	nested->hv_ticks = nested->packing_ticks = 0;
}

/* Whether NMIs are blocked in L1 afterwards; SDM, "Updating Non-Register State". */
static bool nmi_blocking_after(const struct nested_vmcs *vmcs, const struct nested_exit *exit)
{
	if ((exit->reason & EXIT_REASON_BASIC) == EXIT_EXCEPTION_NMI &&
	    exit->event & VMX_EVENT_VALID && vmx_event_type(exit->event) == VMX_EVENT_NMI)
		return true;
	if (hv_fault(NMI_STAYS_BLOCKED))
		return true;
	if (F12(vmcs, PIN_BASED_CONTROLS) & PIN_VIRTUAL_NMIS)
		return false;
	return F12(vmcs, GUEST_INTERRUPTIBILITY_STATE) & BLOCKING_NMI;
}

enum exit_action nested_reflect(struct percpu *cpu, const struct nested_exit *exit)
{
	struct nested *nested = &cpu->nested;
	struct nested_vmcs *vmcs = nested->current;
	enum vmx_abort abort = ABORT_NONE;
	struct state_before before;

	if (hv_fault(ACTIVITY_NOT_SAVED))
		vmwrite(VMCS_GUEST_ACTIVITY_STATE, 0);
	l2_state_save(cpu, exit->made);
	if (hv_fault(PENDING_DEBUG_SAVED))
		l2_state_set(nested, VMCS_IX_GUEST_PENDING_DEBUG_EXCEPTIONS, BIT(14));
	save_exit_info(nested, cpu->exit.reason & EXIT_REASON_BASIC, exit);
	if (unlikely(!vmcs->told))
		l2_state_tell_unchanged(nested);
	note_registers(cpu, exit->reason);
	before = (struct state_before){
		.cr0 = F12(vmcs, GUEST_CR0),
		.nmi_blocking = nmi_blocking_after(vmcs, exit),
	};
	if (!(F12(vmcs, VM_EXIT_CONTROLS) & EXIT_LOAD_EFER))
		before.efer = l2_state_efer(vmcs);
	if (!(F12(vmcs, VM_EXIT_CONTROLS) & EXIT_LOAD_PAT) || hv_fault(HOST_PAT_NOT_LOADED))
		before.pat = l2_state_pat(vmcs);
	if (unlikely(F12(vmcs, VM_EXIT_MSR_STORE_COUNT)) &&
	    msr_list_store(cpu, F12(vmcs, VM_EXIT_MSR_STORE_ADDRESS),
			   F12(vmcs, VM_EXIT_MSR_STORE_COUNT), nested->items, &nested->item_count))
		abort = ABORT_SAVING_MSRS;
	enter_l1(cpu, &before, abort);
	describe(cpu, exit->reason, cpu->exit.rip);
	return EXIT_RESUME;
}

/* What an entry consulted says why it failed. */
static void take_consulted(struct nested *nested)
{
	const struct nested_entry *entry = &nested->entry;

	nested_items_reset(nested);
	for (u32 i = 0; i < entry->item_count; i++)
		if (entry->items[i].id >= ITEM_EPT12 && entry->items[i].id != ITEM_LAUNCHED)
			nested_item(nested, entry->items[i].id, entry->items[i].value);
}

/* SDM, "VM-Entry Failures During or After Loading Guest State": what such a failure leaves alone.
 */
enum exit_action nested_reflect_entry_failure(struct percpu *cpu, u32 reason, u64 qualification)
{
	struct nested *nested = &cpu->nested;
	struct state_before before;

	hwvmcs_switch(cpu, &cpu->vmcs01);
	take_consulted(nested);
	nested->hidden_exits = 0;
	before = (struct state_before){
		.cr0 = vmread(VMCS_GUEST_CR0),
		.efer = vmread(VMCS_GUEST_IA32_EFER),
		.pat = vmread(VMCS_GUEST_IA32_PAT),
		.nmi_blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & BLOCKING_NMI,
	};
	l2_state_set(nested, VMCS_IX_EXIT_REASON, reason);
	/* Which check failed is told also where the field had that number before. */
	nested->current->field[VMCS_IX_EXIT_QUALIFICATION] = qualification;
	nested->current->imaged = false;
	vmcs_set_add(&nested->current->unshadowed, VMCS_IX_EXIT_QUALIFICATION);
	nested_item(nested, VMCS_EXIT_QUALIFICATION, qualification);
	if (hv_fault(ENTRY_FAILURE_SAVES))
		l2_state_set(nested, VMCS_IX_VM_EXIT_INSTRUCTION_LENGTH, 3);
	enter_l1(cpu, &before, ABORT_NONE);
	describe(cpu, reason, F12(nested->current, GUEST_RIP));
	return EXIT_RESUME;
}
