#include "hv/nested/l2_state.h"

#include "hv/nested/reflect.h"
#include "hv/nested/vmcs02_controls.h"
#include "hv/nested/vmcs02_registers.h"
#include "hv/vmcs01.h"

#define AR_UNUSABLE	BIT(16)
#define BLOCKING_MOV_SS BIT(1)
#define RFLAGS_TF	BIT(8)

NOINLINE void l2_state_changed(struct nested *nested, unsigned ix, u64 value)
{
	struct nested_vmcs *vmcs = nested->current;

	/* EFER.LMA follows paging. */
	if (ix == VMCS_IX_GUEST_CR0 && vmcs->field[ix] != value)
		vmcs->msrs_known = false;
	vmcs->field[ix] = value;
	vmcs->imaged = false;
	vmcs_set_add(&vmcs->unshadowed, (int)ix);
	nested_item(nested, vmcs_fields[ix].encoding, value);
}

/*
 * Nearly all of it is as it was at the last exit: each field is a VMREAD of a constant and a
 * comparison, since this is on the way of every exit to L1.
 */
#define SAVE(NAME, value_of_it)                                          \
	do {                                                             \
		const u64 value = (value_of_it);                         \
                                                                         \
		if (unlikely(value != F12(vmcs, NAME)))                  \
			l2_state_changed(nested, VMCS_IX_##NAME, value); \
	} while (0)

/* Those that L2 can change whatever hv asks for. */
static void save_always(struct nested *nested)
{
	const struct nested_vmcs *vmcs = nested->current;

#define SAVED(NAME) SAVE(NAME, vmread(VMCS_##NAME));
#define SAVED_SEGMENT(NAME, based)                                                             \
	do {                                                                                   \
		SAVE(GUEST_##NAME##_SELECTOR, vmread(VMCS_GUEST_##NAME##_SELECTOR));           \
		SAVE(GUEST_##NAME##_ACCESS_RIGHTS, vmread(VMCS_GUEST_##NAME##_ACCESS_RIGHTS)); \
		if (based)                                                                     \
			SAVE(GUEST_##NAME##_BASE, vmread(VMCS_GUEST_##NAME##_BASE));           \
		if (F12(vmcs, GUEST_##NAME##_ACCESS_RIGHTS) & AR_UNUSABLE)                     \
			break;                                                                 \
		if (!(based))                                                                  \
			SAVE(GUEST_##NAME##_BASE, vmread(VMCS_GUEST_##NAME##_BASE));           \
		SAVE(GUEST_##NAME##_LIMIT, vmread(VMCS_GUEST_##NAME##_LIMIT));                 \
	} while (0);
#include "hv/nested/saved_fields.def"
}

static void save_msrs(struct nested *nested)
{
	const struct nested_vmcs *vmcs = nested->current;

#define SAVED_MSR(NAME) SAVE(NAME, vmread(VMCS_##NAME));
#include "hv/nested/saved_fields.def"
}

static void save_control_registers(struct nested *nested)
{
	const struct nested_vmcs *vmcs = nested->current;

#define SAVED_CR(NAME) SAVE(NAME, vmread(VMCS_##NAME));
#include "hv/nested/saved_fields.def"
	vmcs02_count_open_registers(nested->current);
}

static void save_tables(struct nested *nested)
{
	const struct nested_vmcs *vmcs = nested->current;

#define SAVED_TABLE(NAME) SAVE(NAME, vmread(VMCS_##NAME));
#include "hv/nested/saved_fields.def"
}

/*
 * SDM, "Saving Non-Register State": they are saved as 0 at exits by instructions, but where MOV SS
 * blocks them. Bochs keeps that of a single step. The fields of VMCS12 are those of this exit
 * already.
 */
static bool leaves_no_debug_exception(const struct percpu *cpu)
{
	const struct nested_vmcs *vmcs = cpu->nested.current;

	return l2_state_is_of_insn(cpu->exit.reason) &&
	       !(F12(vmcs, GUEST_INTERRUPTIBILITY_STATE) & BLOCKING_MOV_SS) &&
	       !(F12(vmcs, GUEST_RFLAGS) & RFLAGS_TF);
}

static void save_state(struct percpu *cpu, bool made)
{
	struct nested *nested = &cpu->nested;
	const struct nested_vmcs *vmcs = nested->current;

	save_always(nested);
	/* hv may have gone on behind an instruction before it made an exit. */
	SAVE(GUEST_RIP, likely(!made) ? cpu->exit.rip : vmread(VMCS_GUEST_RIP));
	/* Instructions are executed in the active state only. */
	SAVE(GUEST_ACTIVITY_STATE, likely(!made) && l2_state_is_of_insn(cpu->exit.reason)
					   ? ACTIVITY_ACTIVE
					   : vmread(VMCS_GUEST_ACTIVITY_STATE));
	SAVE(GUEST_PENDING_DEBUG_EXCEPTIONS, likely(!made) && leaves_no_debug_exception(cpu)
						     ? 0
						     : vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS));
	if (unlikely(!vmcs->registers_closed))
		save_control_registers(nested);
	if (unlikely(!vmcs->msrs_known))
		save_msrs(nested);
	if (unlikely(!vmcs02_keeps_tables(nested, vmcs)))
		save_tables(nested);
}

#undef SAVE

/* MSRs, where L2 can't have written them. DEBUGCTL loses bits when an exception is delivered. */
u64 l2_state_efer(const struct nested_vmcs *vmcs)
{
	return likely(vmcs->msrs_known) ? vmcs->msrs.efer : vmread(VMCS_GUEST_IA32_EFER);
}

u64 l2_state_pat(const struct nested_vmcs *vmcs)
{
	return likely(vmcs->msrs_known) ? vmcs->msrs.pat : vmread(VMCS_GUEST_IA32_PAT);
}

static u64 debugctl_of_l2(const struct nested_vmcs *vmcs)
{
	return likely(vmcs->msrs_known) && !vmcs->msrs.debugctl ? 0
								: vmread(VMCS_GUEST_IA32_DEBUGCTL);
}

static bool saves_pdptes(const struct nested_vmcs *vmcs, u64 long_mode)
{
	return !long_mode && nested_uses_ept(vmcs) && F12(vmcs, GUEST_CR0) & CR0_PG &&
	       F12(vmcs, GUEST_CR4) & CR4_PAE;
}

#define CHANGING_VMCS \
	(SECONDARY_PML | SECONDARY_VM_FUNCTIONS | SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)

/* Fields that L2 changes as it runs. */
static void save_changed(struct nested *nested, const struct nested_vmcs *vmcs)
{
	const u32 secondary = nested_secondary(vmcs);

	if (secondary & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)
		l2_state_copy(nested, VMCS_IX_GUEST_INTERRUPT_STATUS);
	if (secondary & SECONDARY_PML)
		l2_state_set(nested, VMCS_IX_PML_INDEX, nested->pml_index);
	if (!(secondary & SECONDARY_VM_FUNCTIONS))
		return;
	if (nested_uses_ept(vmcs))
		l2_state_set(nested, VMCS_IX_EPT_POINTER, nested->eptp);
	if (vmcs_set_has(&nested->exists, VMCS_IX_EPTP_INDEX))
		l2_state_set(nested, VMCS_IX_EPTP_INDEX, nested->eptp_index);
}

/* State that is saved if L1 asks for it, or while it has a meaning. */
static void save_optional_state(struct nested *nested)
{
	const struct nested_vmcs *vmcs = nested->current;
	const u64 exit = F12(vmcs, VM_EXIT_CONTROLS);
	const u64 entry = F12(vmcs, VM_ENTRY_CONTROLS);
	const u64 long_mode = l2_state_efer(vmcs) & EFER_LMA ? ENTRY_IA32E_MODE_GUEST : 0;

	if (exit & EXIT_SAVE_DEBUG_CONTROLS) {
		l2_state_set(nested, VMCS_IX_GUEST_DR7, vmcs02_dr7(vmcs));
		l2_state_set(nested, VMCS_IX_GUEST_IA32_DEBUGCTL, debugctl_of_l2(vmcs));
	}
	if (exit & EXIT_SAVE_PAT)
		l2_state_set(nested, VMCS_IX_GUEST_IA32_PAT, l2_state_pat(vmcs));
	if (exit & EXIT_SAVE_EFER)
		l2_state_set(nested, VMCS_IX_GUEST_IA32_EFER, l2_state_efer(vmcs));
	if (exit & EXIT_SAVE_PREEMPTION_TIMER && nested->early_exit)
		l2_state_set(nested, VMCS_IX_VMX_PREEMPTION_TIMER_VALUE, nested->timer_left);
	else if (exit & EXIT_SAVE_PREEMPTION_TIMER)
		l2_state_copy(nested, VMCS_IX_VMX_PREEMPTION_TIMER_VALUE);
	if (unlikely(saves_pdptes(vmcs, long_mode)))
		for (unsigned i = 0; i < 4; i++)
			l2_state_copy(nested, VMCS_IX_GUEST_PDPTE0 + i);
	if (unlikely(nested_secondary(vmcs) & CHANGING_VMCS))
		save_changed(nested, vmcs);
	/* SDM, "Saving Control Registers, Debug Registers, and MSRs". */
	if (nested->shown.msr[VMX_CAP_MISC] & CAP_EXIT_STORES_LMA)
		l2_state_set(nested, VMCS_IX_VM_ENTRY_CONTROLS,
			     (entry & ~(u64)ENTRY_IA32E_MODE_GUEST) | long_mode);
}

void l2_state_save(struct percpu *cpu, bool made)
{
	save_state(cpu, made);
	save_optional_state(&cpu->nested);
}

/* What exits of this VMCS12 save, and tell of what happened. */
static void list_saved(const struct nested *nested, struct vmcs_set *set)
{
	static const u8 always[] = {
#define SAVED(NAME)	  VMCS_IX_##NAME,
#define SAVED_MSR(NAME)	  VMCS_IX_##NAME,
#define SAVED_CR(NAME)	  VMCS_IX_##NAME,
#define SAVED_TABLE(NAME) VMCS_IX_##NAME,
#define SAVED_SEGMENT(NAME, based)                                    \
	VMCS_IX_GUEST_##NAME##_SELECTOR, VMCS_IX_GUEST_##NAME##_BASE, \
		VMCS_IX_GUEST_##NAME##_LIMIT, VMCS_IX_GUEST_##NAME##_ACCESS_RIGHTS,
#include "hv/nested/saved_fields.def"
		VMCS_IX_GUEST_RIP,
		VMCS_IX_GUEST_ACTIVITY_STATE,
		VMCS_IX_GUEST_PENDING_DEBUG_EXCEPTIONS,
		VMCS_IX_EXIT_REASON,
		VMCS_IX_EXIT_QUALIFICATION,
		VMCS_IX_VM_EXIT_INTERRUPTION_INFO,
		VMCS_IX_VM_EXIT_INTERRUPTION_ERROR_CODE,
		VMCS_IX_IDT_VECTORING_INFO,
		VMCS_IX_IDT_VECTORING_ERROR_CODE,
		VMCS_IX_VM_EXIT_INSTRUCTION_LENGTH,
		VMCS_IX_VM_EXIT_INSTRUCTION_INFO,
		VMCS_IX_GUEST_LINEAR_ADDRESS,
		VMCS_IX_GUEST_PHYSICAL_ADDRESS,
		VMCS_IX_VM_ENTRY_INTERRUPTION_INFO,
	};
	static const struct {
		u32 control;
		u8 ix;
	} optional[] = {
		{ EXIT_SAVE_DEBUG_CONTROLS, VMCS_IX_GUEST_DR7 },
		{ EXIT_SAVE_DEBUG_CONTROLS, VMCS_IX_GUEST_IA32_DEBUGCTL },
		{ EXIT_SAVE_PAT, VMCS_IX_GUEST_IA32_PAT },
		{ EXIT_SAVE_EFER, VMCS_IX_GUEST_IA32_EFER },
		{ EXIT_SAVE_PREEMPTION_TIMER, VMCS_IX_VMX_PREEMPTION_TIMER_VALUE },
	};
	const struct nested_vmcs *vmcs = nested->current;

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		vmcs_set_add(set, always[i]);
	for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
		if (F12(vmcs, VM_EXIT_CONTROLS) & optional[i].control)
			vmcs_set_add(set, optional[i].ix);
	if (saves_pdptes(vmcs, F12(vmcs, VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST))
		for (int i = 0; i < 4; i++)
			vmcs_set_add(set, VMCS_IX_GUEST_PDPTE0 + i);
	if (nested_secondary(vmcs) & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)
		vmcs_set_add(set, VMCS_IX_GUEST_INTERRUPT_STATUS);
	if (nested_secondary(vmcs) & SECONDARY_PML)
		vmcs_set_add(set, VMCS_IX_PML_INDEX);
	if (nested_secondary(vmcs) & SECONDARY_VM_FUNCTIONS) {
		vmcs_set_add(set, VMCS_IX_EPT_POINTER);
		vmcs_set_add(set, VMCS_IX_EPTP_INDEX);
	}
	if (nested->shown.msr[VMX_CAP_MISC] & CAP_EXIT_STORES_LMA)
		vmcs_set_add(set, VMCS_IX_VM_ENTRY_CONTROLS);
}

void l2_state_tell_unchanged(struct nested *nested)
{
	struct vmcs_set left = { { 0 } };
	const u32 told = nested->item_count;

	list_saved(nested, &left);
	for (u32 i = 0; i < told; i++) {
		const int ix = vmcs_field_index(nested->items[i].id);

		if (ix >= 0)
			vmcs_set_remove(&left, ix);
	}
	for (int ix; (ix = vmcs_set_take(&left)) >= 0;)
		if (vmcs_set_has(&nested->exists, ix))
			nested_item(nested, vmcs_fields[ix].encoding, nested->current->field[ix]);
	nested->current->told = true;
}
