#include "hv/nested/reflect.h"

#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/insn.h"
#include "hv/log.h"
#include "hv/nested/host_state.h"
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

/* VMCS02 has the value already, so the field does not become dirty. */
static NOINLINE void changed(struct nested *nested, unsigned ix, u64 value)
{
	struct nested_vmcs *vmcs = nested->current;

	vmcs->field[ix] = value;
	vmcs->imaged = false;
	vmcs_set_add(&vmcs->unshadowed, (int)ix);
	nested_item(nested, vmcs_fields[ix].encoding, value);
}

static void change(struct nested *nested, unsigned ix, u64 value)
{
	if (nested->current->field[ix] != value || !nested->current->told)
		changed(nested, ix, value);
}

static void save(struct nested *nested, unsigned ix)
{
	change(nested, ix, vmread(vmcs_fields[ix].encoding));
}

/*
 * Nearly all of it is as it was at the last exit: each field is a VMREAD of a constant and a
 * comparison, since this is on the way of every exit to L1.
 */
static void save_state(struct nested *nested)
{
	const struct nested_vmcs *vmcs = nested->current;
	const bool told = vmcs->told;

#define SAVED(NAME)                                                        \
	do {                                                               \
		const u64 value = vmread(VMCS_##NAME);                     \
                                                                           \
		if (unlikely(value != F12(vmcs, NAME)) || unlikely(!told)) \
			changed(nested, VMCS_IX_##NAME, value);            \
	} while (0);
#include "hv/nested/saved_fields.def"
#undef SAVED
}

#define CHANGING_VMCS (SECONDARY_PML | SECONDARY_VM_FUNCTIONS)

/* Fields that L2 changes as it runs. */
static void save_changed(struct nested *nested, const struct nested_vmcs *vmcs)
{
	const u32 secondary = nested_secondary(vmcs);

	if (secondary & SECONDARY_PML)
		change(nested, VMCS_IX_PML_INDEX, nested->pml_index);
	if (!(secondary & SECONDARY_VM_FUNCTIONS))
		return;
	if (nested_uses_ept(vmcs))
		change(nested, VMCS_IX_EPT_POINTER, nested->eptp);
	if (vmcs_set_has(&nested->exists, VMCS_IX_EPTP_INDEX))
		change(nested, VMCS_IX_EPTP_INDEX, nested->eptp_index);
}

/* State that is saved if L1 asks for it, or while it has a meaning. */
static void save_optional_state(struct nested *nested)
{
	const struct nested_vmcs *vmcs = nested->current;
	const u64 exit = F12(vmcs, VM_EXIT_CONTROLS);
	const u64 long_mode = vmread(VMCS_VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST;
	const u64 entry = F12(vmcs, VM_ENTRY_CONTROLS);

	if (exit & EXIT_SAVE_DEBUG_CONTROLS) {
		save(nested, VMCS_IX_GUEST_DR7);
		save(nested, VMCS_IX_GUEST_IA32_DEBUGCTL);
	}
	if (exit & EXIT_SAVE_PAT)
		save(nested, VMCS_IX_GUEST_IA32_PAT);
	if (exit & EXIT_SAVE_EFER)
		save(nested, VMCS_IX_GUEST_IA32_EFER);
	if (exit & EXIT_SAVE_PREEMPTION_TIMER && nested->early_exit)
		change(nested, VMCS_IX_VMX_PREEMPTION_TIMER_VALUE, nested->timer_left);
	else if (exit & EXIT_SAVE_PREEMPTION_TIMER)
		save(nested, VMCS_IX_VMX_PREEMPTION_TIMER_VALUE);
	if (nested_uses_ept(vmcs) && F12(vmcs, GUEST_CR0) & CR0_PG &&
	    F12(vmcs, GUEST_CR4) & CR4_PAE && !long_mode) {
		for (unsigned i = 0; i < 4; i++)
			save(nested, VMCS_IX_GUEST_PDPTE0 + i);
	}
	if (unlikely(nested_secondary(vmcs) & CHANGING_VMCS))
		save_changed(nested, vmcs);
	/* SDM, "Saving Control Registers, Debug Registers, and MSRs". */
	if (nested->shown.msr[VMX_CAP_MISC] & CAP_EXIT_STORES_LMA)
		change(nested, VMCS_IX_VM_ENTRY_CONTROLS,
		       (entry & ~(u64)ENTRY_IA32E_MODE_GUEST) | long_mode);
}

/*
 * Exit reasons below 64. SDM, "Information for VM Exits That Occur During Event Delivery" and "...
 * Due to Instruction Execution".
 */
#define REASON(NAME) BIT(EXIT_##NAME)

/* No event is being delivered. */
#define OF_INSTRUCTIONS                                                                            \
	(MASK(EXIT_WRMSR, EXIT_CPUID) | REASON(MWAIT) | REASON(MONITOR) | REASON(PAUSE) |          \
	 REASON(GDTR_IDTR) | REASON(LDTR_TR) | REASON(INVEPT) | REASON(RDTSCP) | REASON(INVVPID) | \
	 REASON(WBINVD) | REASON(XSETBV) | REASON(RDRAND) | REASON(INVPCID) | REASON(VMFUNC) |     \
	 REASON(RDSEED) | REASON(XSAVES))

/* Neither instruction information nor a guest-linear or guest-physical address is defined. */
#define WITHOUT_DETAILS                                                                          \
	(REASON(EXTERNAL_INTERRUPT) | REASON(INTERRUPT_WINDOW) | REASON(NMI_WINDOW) |            \
	 REASON(CPUID) | REASON(HLT) | REASON(INVD) | REASON(INVLPG) | REASON(RDPMC) |           \
	 REASON(RDTSC) | REASON(VMCALL) | REASON(VMLAUNCH) | REASON(VMRESUME) | REASON(VMXOFF) | \
	 REASON(RDMSR) | REASON(WRMSR) | REASON(MWAIT) | REASON(MONITOR) | REASON(PAUSE) |       \
	 REASON(RDTSCP) | REASON(PREEMPTION_TIMER) | REASON(WBINVD) | REASON(XSETBV))

static bool is_among(u32 reason, u64 reasons)
{
	return reason < 64 && reasons >> reason & 1;
}

/* A field that is not defined for this exit stays as it is. */
static void keep(struct nested *nested, unsigned ix)
{
	if (unlikely(!nested->current->told))
		changed(nested, ix, nested->current->field[ix]);
}

static void save_if(struct nested *nested, bool defined, unsigned ix)
{
	if (defined)
		save(nested, ix);
	else
		keep(nested, ix);
}

/* What the processor gives for the exit; L1 may have been told another reason. */
static void save_details(struct nested *nested, u32 reason)
{
	const u64 with_code = VMX_EVENT_VALID | VMX_EVENT_ERROR_CODE;
	const bool details = !is_among(reason, WITHOUT_DETAILS);

	if (is_among(reason, OF_INSTRUCTIONS))
		change(nested, VMCS_IX_IDT_VECTORING_INFO, 0);
	else
		save(nested, VMCS_IX_IDT_VECTORING_INFO);
	save_if(nested, (F12(nested->current, IDT_VECTORING_INFO) & with_code) == with_code,
		VMCS_IX_IDT_VECTORING_ERROR_CODE);
	save(nested, VMCS_IX_VM_EXIT_INSTRUCTION_LENGTH);
	save_if(nested, details, VMCS_IX_VM_EXIT_INSTRUCTION_INFO);
	save_if(nested, details, VMCS_IX_GUEST_LINEAR_ADDRESS);
	if (vmcs_set_has(&nested->exists, VMCS_IX_GUEST_PHYSICAL_ADDRESS))
		save_if(nested, details, VMCS_IX_GUEST_PHYSICAL_ADDRESS);
}

static void save_exit_info(struct nested *nested, u32 reason, const struct nested_exit *exit)
{
	const u64 info = F12(nested->current, VM_ENTRY_INTERRUPTION_INFO);

	change(nested, VMCS_IX_EXIT_REASON, exit->reason);
	change(nested, VMCS_IX_EXIT_QUALIFICATION, exit->qualification);
	change(nested, VMCS_IX_VM_EXIT_INTERRUPTION_INFO, exit->event);
	save_details(nested, reason);
	if (exit->made) {
		change(nested, VMCS_IX_IDT_VECTORING_INFO, 0);
		change(nested, VMCS_IX_VM_EXIT_INTERRUPTION_ERROR_CODE, exit->error_code);
		change(nested, VMCS_IX_GUEST_LINEAR_ADDRESS, exit->linear);
		change(nested, VMCS_IX_GUEST_RFLAGS,
		       F12(nested->current, GUEST_RFLAGS) | RFLAGS_RF);
		if (vmcs_set_has(&nested->exists, VMCS_IX_GUEST_PHYSICAL_ADDRESS))
			change(nested, VMCS_IX_GUEST_PHYSICAL_ADDRESS, exit->gpa2);
	} else {
		save_if(nested, exit->event & VMX_EVENT_ERROR_CODE,
			VMCS_IX_VM_EXIT_INTERRUPTION_ERROR_CODE);
	}
	if (hv_fault(EXIT_CHANGES_CONTROL))
		change(nested, VMCS_IX_CR3_TARGET_VALUE_3, 0x1000);
	if (hv_fault(INJECT_REPEAT))
		vmcs_set_add(&nested->current->dirty, VMCS_IX_VM_ENTRY_INTERRUPTION_INFO);
	else
		change(nested, VMCS_IX_VM_ENTRY_INTERRUPTION_INFO, info & ~VMX_EVENT_VALID);
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
	if (abort == ABORT_NONE && msr_list_load(cpu, F12(vmcs, VM_EXIT_MSR_LOAD_ADDRESS),
						 F12(vmcs, VM_EXIT_MSR_LOAD_COUNT), ITEM_MSR_HOST,
						 nested->items, &nested->item_count, NULL))
		abort = ABORT_LOADING_MSRS;
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
	if (hv_fault(PENDING_DEBUG_SAVED))
		vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, BIT(14));
	save_state(nested);
	save_optional_state(nested);
	save_exit_info(nested, cpu->exit.reason & EXIT_REASON_BASIC, exit);
	vmcs->told = true;
	note_registers(cpu, exit->reason);
	before = (struct state_before){
		.cr0 = F12(vmcs, GUEST_CR0),
		.nmi_blocking = nmi_blocking_after(vmcs, exit),
	};
	if (!(F12(vmcs, VM_EXIT_CONTROLS) & EXIT_LOAD_EFER))
		before.efer = vmread(VMCS_GUEST_IA32_EFER);
	if (!(F12(vmcs, VM_EXIT_CONTROLS) & EXIT_LOAD_PAT) || hv_fault(HOST_PAT_NOT_LOADED))
		before.pat = vmread(VMCS_GUEST_IA32_PAT);
	if (msr_list_store(cpu, F12(vmcs, VM_EXIT_MSR_STORE_ADDRESS),
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
	change(nested, VMCS_IX_EXIT_REASON, reason);
	/* Which check failed is told also where the field had that number before. */
	nested->current->field[VMCS_IX_EXIT_QUALIFICATION] = qualification;
	nested->current->imaged = false;
	vmcs_set_add(&nested->current->unshadowed, VMCS_IX_EXIT_QUALIFICATION);
	nested_item(nested, VMCS_EXIT_QUALIFICATION, qualification);
	if (hv_fault(ENTRY_FAILURE_SAVES))
		change(nested, VMCS_IX_VM_EXIT_INSTRUCTION_LENGTH, 3);
	enter_l1(cpu, &before, ABORT_NONE);
	describe(cpu, reason, F12(nested->current, GUEST_RIP));
	return EXIT_RESUME;
}
