#include "hv/nested/vmcs02.h"

#include "hv/ept.h"
#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/nested/bitmaps02.h"
#include "hv/nested/ept02.h"
#include "hv/nested/host_state.h"
#include "hv/nested/vmcs02_controls.h"
#include "hv/nested/vmcs02_registers.h"
#include "hv/panic.h"
#include "hv/processor.h"
#include "hv/record.h"
#include "hv/vmcs01.h"

#define PDPTE_PRESENT	BIT(0)
#define PDPTE_RESERVED	(MASK(2, 1) | MASK(8, 5))
#define CR3_PDPT	MASK(31, 5)
#define NO_LINK_POINTER (~0ull)
#define DR7_RESET	0x400

/* Control fields that VMCS02 has as L1 wrote them. */
static const u8 copied_controls[] = {
	VMCS_IX_TSC_OFFSET,
	VMCS_IX_TSC_MULTIPLIER,
	VMCS_IX_XSS_EXITING_BITMAP,
	VMCS_IX_PAGE_FAULT_ERROR_CODE_MASK,
	VMCS_IX_PAGE_FAULT_ERROR_CODE_MATCH,
	VMCS_IX_CR3_TARGET_COUNT,
	VMCS_IX_VM_ENTRY_INTERRUPTION_INFO,
	VMCS_IX_VM_ENTRY_EXCEPTION_ERROR_CODE,
	VMCS_IX_VM_ENTRY_INSTRUCTION_LENGTH,
	VMCS_IX_TPR_THRESHOLD,
	VMCS_IX_EOI_EXIT_BITMAP_0,
	VMCS_IX_EOI_EXIT_BITMAP_1,
	VMCS_IX_EOI_EXIT_BITMAP_2,
	VMCS_IX_EOI_EXIT_BITMAP_3,
	VMCS_IX_PLE_GAP,
	VMCS_IX_PLE_WINDOW,
	VMCS_IX_CR0_GUEST_HOST_MASK,
	VMCS_IX_CR4_GUEST_HOST_MASK,
	VMCS_IX_CR0_READ_SHADOW,
	VMCS_IX_CR4_READ_SHADOW,
	VMCS_IX_CR3_TARGET_VALUE_0,
	VMCS_IX_CR3_TARGET_VALUE_1,
	VMCS_IX_CR3_TARGET_VALUE_2,
	VMCS_IX_CR3_TARGET_VALUE_3,
};

/* Guest-state fields that are not simply copied: written at each entry, or never. */
static const u8 special_guest_state[] = {
	VMCS_IX_VMCS_LINK_POINTER, VMCS_IX_GUEST_IA32_DEBUGCTL, VMCS_IX_GUEST_IA32_PAT,
	VMCS_IX_GUEST_IA32_EFER,   VMCS_IX_GUEST_DR7,		VMCS_IX_VMX_PREEMPTION_TIMER_VALUE,
	VMCS_IX_GUEST_SMBASE,	   VMCS_IX_PML_INDEX,
};

/* Fields whose change makes hv compute the controls of VMCS02 again. */
static const u8 computed_controls[] = {
	VMCS_IX_PIN_BASED_CONTROLS,
	VMCS_IX_PRIMARY_PROC_BASED_CONTROLS,
	VMCS_IX_SECONDARY_PROC_BASED_CONTROLS,
	VMCS_IX_VM_EXIT_CONTROLS,
	VMCS_IX_VM_ENTRY_CONTROLS,
	VMCS_IX_EXCEPTION_BITMAP,
	VMCS_IX_VIRTUAL_APIC_ADDRESS,
	VMCS_IX_APIC_ACCESS_ADDRESS,
};

/* Fields whose change opens CR0 and CR4 of L2. */
static const u8 register_fields[] = {
	VMCS_IX_GUEST_CR0,	     VMCS_IX_GUEST_CR4,	      VMCS_IX_CR0_GUEST_HOST_MASK,
	VMCS_IX_CR4_GUEST_HOST_MASK, VMCS_IX_CR0_READ_SHADOW, VMCS_IX_CR4_READ_SHADOW,
};

static bool listed(const u8 *list, size_t count, unsigned ix)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == ix)
			return true;
	return false;
}

/* A processor need not have the fields of targets beyond those that it supports. */
static bool is_excess_target(const struct nested *nested, unsigned ix)
{
	const u64 targets = CAP_GET(nested->shown.msr[VMX_CAP_MISC], CR3_TARGETS);

	return ix >= VMCS_IX_CR3_TARGET_VALUE_0 + targets && ix <= VMCS_IX_CR3_TARGET_VALUE_3;
}

void vmcs02_init(struct nested *nested)
{
	const u32 exiting = SECONDARY_DESCRIPTOR_TABLE_EXITING;

	nested->can_keep_tables = processor_controls(VMX_WORD_SECONDARY, exiting) & exiting;
	for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		const bool special =
			listed(special_guest_state, ARRAY_SIZE(special_guest_state), ix);

		if (!vmcs_set_has(&nested->exists, (int)ix) || is_excess_target(nested, ix))
			continue;
		if ((vmcs_fields[ix].kind == VMCS_KIND_GUEST && !special) ||
		    listed(copied_controls, ARRAY_SIZE(copied_controls), ix))
			vmcs_set_add(&nested->copied_fields, (int)ix);
		if (listed(computed_controls, ARRAY_SIZE(computed_controls), ix))
			vmcs_set_add(&nested->computed_fields, (int)ix);
		if (listed(register_fields, ARRAY_SIZE(register_fields), ix))
			vmcs_set_add(&nested->register_fields, (int)ix);
	}
	for (unsigned i = 0; i < NESTED_SET_WORDS; i++)
		nested->prepared_fields.word[i] =
			nested->computed_fields.word[i] | nested->register_fields.word[i];
}

/* --- A VMCS for it ---------------------------------------------------------------------------- */

/* The VMCS02 of the VMCS12 unused for longest, when there is no memory for another. */
static void steal(struct nested *nested, struct nested_vmcs *vmcs)
{
	struct nested_vmcs *victim = NULL;

	for (unsigned i = 0; i < NESTED_SLOTS; i++) {
		struct nested_vmcs *other = &nested->slots[i];

		if (other->vmcs02.pa && (!victim || other->used < victim->used))
			victim = other;
	}
	/* Without pages, the one that nested_init() made is in some slot. */
	vmcs->vmcs02 = victim->vmcs02;
	victim->vmcs02 = (struct hwvmcs){ 0 };
}

static void provide_vmcs02(struct percpu *cpu, struct nested_vmcs *vmcs)
{
	struct nested *nested = &cpu->nested;

	if (!vmcs->vmcs02.pa) {
		if (nested->spare_vmcs02.pa) {
			vmcs->vmcs02 = nested->spare_vmcs02;
			nested->spare_vmcs02 = (struct hwvmcs){ 0 };
		} else if (!hwvmcs_try_init(&vmcs->vmcs02)) {
			steal(nested, vmcs);
		}
		vmcs->dirty = nested->exists;
		vmcs->ept02 = 0;
		vmcs->tables_open = 0;
		vmcs->msrs_known = vmcs->registers_closed = vmcs->dr7_known = false;
		vmcs->prepared = vmcs->heartbeat = false;
	}
	hwvmcs_switch(cpu, &vmcs->vmcs02);
	if (vmcs->prepared)
		return;
	hwvmcs_write_host_state(cpu);
	vmwrite(VMCS_VPID, VPID_L2);
	vmwrite(VMCS_VMCS_LINK_POINTER, NO_LINK_POINTER);
	vmwrite(VMCS_VM_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VMCS_VM_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_TSC_OFFSET, 0);
	if (vmcs_set_has(&nested->exists, VMCS_IX_VM_FUNCTION_CONTROLS))
		vmwrite(VMCS_VM_FUNCTION_CONTROLS, 0);
	bitmaps02_begin(nested, vmcs);
	vmcs->prepared = true;
}

/* --- State ------------------------------------------------------------------------------------ */

/*
 * Base and limit of a segment that was unusable have not been saved: VMCS02 has those of the
 * processor. With other rights those of VMCS12 count.
 */
static void write_base_and_limit(const struct nested_vmcs *vmcs, unsigned segment)
{
	vmwrite(VMCS_GUEST_ES_BASE + 2 * segment, vmcs->field[VMCS_IX_GUEST_ES_BASE + segment]);
	vmwrite(VMCS_GUEST_ES_LIMIT + 2 * segment, vmcs->field[VMCS_IX_GUEST_ES_LIMIT + segment]);
}

static void write_dirty_fields(struct nested *nested, struct nested_vmcs *vmcs)
{
	for (unsigned i = 0; i < NESTED_SET_WORDS; i++) {
		u64 todo = vmcs->dirty.word[i] & nested->copied_fields.word[i];

		for (; todo; todo &= todo - 1) {
			const unsigned ix = 64 * i + (unsigned)__builtin_ctzll(todo);

			vmwrite(vmcs_fields[ix].encoding, vmcs->field[ix]);
			if (ix >= VMCS_IX_GUEST_ES_ACCESS_RIGHTS &&
			    ix <= VMCS_IX_GUEST_GS_ACCESS_RIGHTS)
				write_base_and_limit(vmcs, ix - VMCS_IX_GUEST_ES_ACCESS_RIGHTS);
		}
	}
}

/* State of L1's that stays while L2 runs, where L1 does not ask to load other. */
struct kept_state {
	u64 efer, pat, dr7, debugctl;
};

/* A field of VMCS01 that may be known already. */
static u64 read_left(u32 field, u64 *left)
{
	if (unlikely(*left == LEFT_UNKNOWN))
		*left = vmread(field);
	return *left;
}

static void read_kept_state(struct nested *nested, const struct nested_vmcs *vmcs,
			    struct kept_state *kept)
{
	const u64 entry = F12(vmcs, VM_ENTRY_CONTROLS);

	kept->efer = F12(vmcs, GUEST_IA32_EFER);
	if (!(entry & ENTRY_LOAD_EFER)) {
		/* SDM, "Loading Guest Control Registers, Debug Registers, and MSRs". */
		kept->efer = read_left(VMCS_GUEST_IA32_EFER, &nested->left01.efer) & ~EFER_LMA;
		if (entry & ENTRY_IA32E_MODE_GUEST)
			kept->efer |= EFER_LMA;
		if (F12(vmcs, GUEST_CR0) & CR0_PG)
			kept->efer = (kept->efer & ~EFER_LME) |
				     (entry & ENTRY_IA32E_MODE_GUEST ? EFER_LME : 0);
	}
	kept->pat = entry & ENTRY_LOAD_PAT ? F12(vmcs, GUEST_IA32_PAT)
					   : read_left(VMCS_GUEST_IA32_PAT, &nested->left01.pat);
	kept->dr7 = F12(vmcs, GUEST_DR7);
	kept->debugctl = F12(vmcs, GUEST_IA32_DEBUGCTL);
	if (!(entry & ENTRY_LOAD_DEBUG_CONTROLS)) {
		kept->dr7 = host_state_is_kept(nested, KEPT_REGISTERS) ? DR7_RESET
								       : vmread(VMCS_GUEST_DR7);
		kept->debugctl = host_state_is_kept(nested, KEPT_MSRS)
					 ? 0
					 : vmread(VMCS_GUEST_IA32_DEBUGCTL);
	}
}

/*
 * What exits save and entries load is in VMCS02 already, where L1 did not change it in between. The
 * rest L2 may have changed without L1's seeing it, but MSRs that it had no way to write.
 */
static void write_kept_state(struct nested_vmcs *vmcs, const struct kept_state *kept)
{
	const bool known = vmcs->msrs_known;

	if (unlikely(!known) || kept->efer != vmcs->msrs.efer)
		vmwrite(VMCS_GUEST_IA32_EFER, kept->efer);
	if (unlikely(!known) || kept->pat != vmcs->msrs.pat)
		vmwrite(VMCS_GUEST_IA32_PAT, kept->pat);
	if (unlikely(!known) || kept->debugctl || vmcs->msrs.debugctl)
		vmwrite(VMCS_GUEST_IA32_DEBUGCTL, kept->debugctl);
	vmcs->msrs = (struct msrs_of_l2){
		.efer = kept->efer,
		.pat = kept->pat,
		.debugctl = kept->debugctl,
	};
	vmcs02_write_dr7(vmcs, kept->dr7);
}

/* The heartbeat's is not saved by exits, so it stays. */
static void write_timer(struct nested_vmcs *vmcs)
{
	if (F12(vmcs, PIN_BASED_CONTROLS) & PIN_PREEMPTION_TIMER) {
		vmwrite(VMCS_VMX_PREEMPTION_TIMER_VALUE, F12(vmcs, VMX_PREEMPTION_TIMER_VALUE));
		vmcs->heartbeat = false;
	} else if (!vmcs->heartbeat) {
		vmwrite_try(VMCS_VMX_PREEMPTION_TIMER_VALUE, record_heartbeat_timer());
		vmcs->heartbeat = true;
	}
}

bool vmcs02_needs_pdptes(const struct nested_vmcs *vmcs)
{
	return !nested_uses_ept(vmcs) && F12(vmcs, GUEST_CR0) & CR0_PG &&
	       F12(vmcs, GUEST_CR4) & CR4_PAE &&
	       !(F12(vmcs, VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
}

bool vmcs02_read_pdptes(const struct nested *nested, u64 cr3, u64 pdpte[4])
{
	const u64 reserved = PDPTE_RESERVED | ~(BIT(nested->shown.maxphyaddr) - 1);

	guest_read_gpa(cr3 & CR3_PDPT, pdpte, 4 * sizeof(*pdpte));
	for (unsigned i = 0; i < 4; i++)
		if (pdpte[i] & PDPTE_PRESENT && pdpte[i] & reserved)
			return false;
	return true;
}

/* --- Translations ----------------------------------------------------------------------------- */

static void flush(struct nested *nested)
{
	if (hv_fault(NO_FLUSH))
		return;
	invvpid(INVVPID_SINGLE_CONTEXT, VPID_L2, 0);
	nested->flushed02 = true;
}

void vmcs02_invvpid(struct nested *nested, enum invvpid_type type, u16 vpid, u64 linear)
{
	/* Translations of other VPIDs are gone already: one VPID serves them all. */
	if (type != INVVPID_ALL_CONTEXT && vpid != nested->last_vpid12)
		return;
	if (type == INVVPID_ADDRESS && invvpid(INVVPID_ADDRESS, VPID_L2, linear))
		return;
	flush(nested);
}

/* SDM, "Operations that Invalidate Cached Mappings": entries without VPID drop those of VPID 0. */
static void drop_translations(struct nested *nested, const struct nested_vmcs *vmcs)
{
	const u64 vpid12 = nested_secondary(vmcs) & SECONDARY_VPID ? F12(vmcs, VPID) : 0;

	if (!vpid12 || vpid12 != nested->last_vpid12)
		flush(nested);
	nested->last_vpid12 = vpid12;
}

static void write_ept_pointer(struct nested *nested, struct nested_vmcs *vmcs)
{
	const u64 pointer =
		nested_uses_ept(vmcs) ? ept02_pointer(nested, nested->eptp) : ept01_pointer();

	if (vmcs->ept02 != pointer)
		vmwrite(VMCS_EPT_POINTER, pointer);
	vmcs->ept02 = pointer;
}

void vmcs02_switch_eptp(struct nested *nested, struct nested_vmcs *vmcs, u64 eptp)
{
	nested->eptp = eptp;
	write_ept_pointer(nested, vmcs);
	/* SDM, "Operations that Invalidate Cached Mappings". */
	if (!nested->last_vpid12)
		flush(nested);
}

void vmcs02_prepare(struct percpu *cpu, struct nested_vmcs *vmcs)
{
	struct nested *nested = &cpu->nested;
	struct kept_state kept;
	bool changed;

	if (!nested->vmcs01_known) {
		nested->exit01 = (u32)vmread(VMCS_VM_EXIT_CONTROLS);
		nested->exceptions01 = (u32)vmread(VMCS_EXCEPTION_BITMAP);
		nested->vmcs01_known = true;
	}
	read_kept_state(nested, vmcs, &kept);
	provide_vmcs02(cpu, vmcs);
	changed = nested_sets_meet(&vmcs->dirty, &nested->prepared_fields);
	vmcs02_prepare_registers(nested, vmcs, changed);
	if (unlikely(changed))
		vmcs02_write_controls(nested, vmcs);
	nested->eptp = F12(vmcs, EPT_POINTER);
	nested->eptp_index = (u16)F12(vmcs, EPTP_INDEX);
	nested->pml_index = (u16)F12(vmcs, PML_INDEX);
	nested->early_exit = false;
	nested->timer_zero = F12(vmcs, PIN_BASED_CONTROLS) & PIN_PREEMPTION_TIMER &&
			     !F12(vmcs, VMX_PREEMPTION_TIMER_VALUE);
	write_dirty_fields(nested, vmcs);
	write_kept_state(vmcs, &kept);
	write_timer(vmcs);
	bitmaps02_prepare(nested, vmcs);
	vmcs->msrs_known = !vmcs->msrs02.merged;
	vmcs02_count_open_tables(nested, vmcs);
	write_ept_pointer(nested, vmcs);
	drop_translations(nested, vmcs);
	vmcs->dirty = (struct vmcs_set){ 0 };
}
