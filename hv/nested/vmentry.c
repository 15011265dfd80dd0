#include "hv/nested/vmentry.h"

#include "hv/fault.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/nested/entry_check.h"
#include "hv/nested/host_state.h"
#include "hv/nested/l0_record.h"
#include "hv/nested/msrlist.h"
#include "hv/nested/nested.h"
#include "hv/nested/outcome.h"
#include "hv/nested/reflect.h"
#include "hv/nested/vmcs02.h"
#include "hv/nested/vmcs02_spoil.h"
#include "hv/nested/vmcs_shadow.h"
#include "hv/snapshot.h"
#include "recorder/emit.h"
#include "vmx/qual.h"

#define QUALIFICATION_PDPTE	   2
#define QUALIFICATION_LINK_POINTER 4
#define RFLAGS_ZF		   BIT(6)
#define BLOCKING_STI_MOV_SS	   3ull
#define LONG_LIST_MARGIN	   (2 * SNAPSHOT_MARGIN) /* bytes of a block */

/* VMLAUNCH and VMRESUME have the same columns. */
_Static_assert(sizeof(struct ev_vmlaunch) == sizeof(struct ev_vmresume), "struct ev_vmlaunch");

static void note(struct nested *nested, u32 id, u64 value)
{
	struct nested_entry *entry = &nested->entry;

	if (entry->item_count < TRACE_MAX_ITEMS)
		entry->items[entry->item_count++] = (struct trace_item){ .id = id, .value = value };
}

/* @changed: a field that is checked did. Those that VMCS02 has were checked when it got them. */
static bool controls_ok(struct nested *nested, const struct nested_vmcs *vmcs, bool changed)
{
	if (changed && nested_sets_meet(&vmcs->dirty, &nested->control_fields) &&
	    !entry_check_controls(nested, vmcs))
		return false;
	return entry_check_event(nested, vmcs) && entry_check_tpr_threshold(vmcs);
}

static bool host_state_ok(struct nested *nested, const struct nested_vmcs *vmcs, bool changed,
			  bool lma)
{
	/* The VM-exit controls say what of it is used. */
	if (changed &&
	    (nested_sets_meet(&vmcs->dirty, &nested->host_fields) ||
	     vmcs_set_has(&vmcs->dirty, VMCS_IX_VM_EXIT_CONTROLS)) &&
	    !entry_check_host_state(nested, vmcs))
		return false;
	return entry_check_address_space(nested, vmcs, lma);
}

/* The outcomes before any state is touched. True: none of them. */
static bool may_try(struct percpu *cpu, struct nested_vmcs *vmcs, u8 kind, enum exit_action *action)
{
	struct nested *nested = &cpu->nested;
	const bool launch = kind == EV_VMLAUNCH;

	const bool mov_ss = nested_mode_bit(cpu, MODE_MOV_SS);
	const bool changed = nested_sets_meet(&vmcs->dirty, &nested->checked_fields);

	if (changed && nested_sets_meet(&vmcs->dirty, &nested->host_fields))
		host_state_forget(nested);

	if (mov_ss && !hv_fault(MOV_SS_CHECKED_LATE))
		*action = nested_vmfail(cpu, VMERR_ENTRY_MOV_SS);
	else if (launch && vmcs->launched)
		*action = nested_vmfail(cpu, VMERR_VMLAUNCH_NOT_CLEAR);
	else if (!launch && !vmcs->launched)
		*action = nested_vmfail(cpu, VMERR_VMRESUME_NOT_LAUNCHED);
	else if (mov_ss)
		*action = nested_vmfail(cpu, VMERR_ENTRY_MOV_SS);
	else if (!controls_ok(nested, vmcs, changed))
		*action = nested_vmfail(cpu, VMERR_ENTRY_CONTROLS);
	else if (!host_state_ok(nested, vmcs, changed, nested_mode_bit(cpu, MODE_LMA)))
		*action = nested_vmfail(cpu, VMERR_ENTRY_HOST_STATE);
	else
		return true;
	if (hv_fault(VMFAIL_CHANGES_VMCS))
		F12(vmcs, VM_ENTRY_INTERRUPTION_INFO) &= ~(u64)VMX_EVENT_VALID;
	return false;
}

/* An entry that hv itself sees fail on guest state or MSRs; VMCS01 is current. */
static enum exit_action fail_entry(struct percpu *cpu, u32 reason, u64 qualification)
{
	exit_emit(cpu);
	return nested_reflect_entry_failure(cpu, reason | (u32)EXIT_REASON_ENTRY_FAILURE,
					    qualification);
}

/* What L1 gave to L2 in registers since the last exit. */
static void note_results(struct percpu *cpu, const struct nested_vmcs *vmcs)
{
	struct nested_entry *entry = &cpu->nested.entry;
	struct trace_item *to = &entry->items[entry->item_count];

	/* The first items of an entry: they have room. */
	for (unsigned left = vmcs->results; left; left &= left - 1, to++) {
		const unsigned reg = (unsigned)__builtin_ctz(left);

		to->id = ITEM_REG + reg;
		to->value = reg == REG_RSP ? F12(vmcs, GUEST_RSP) : cpu->regs[reg];
	}
	entry->item_count = (u32)(to - entry->items);
}

/* Fields of VMCS02 that MSRs of a list are loaded into. */
static const u32 list_fields[] = {
	VMCS_GUEST_IA32_EFER,	     VMCS_GUEST_IA32_PAT,	   VMCS_GUEST_IA32_DEBUGCTL,
	VMCS_GUEST_IA32_SYSENTER_CS, VMCS_GUEST_IA32_SYSENTER_ESP, VMCS_GUEST_IA32_SYSENTER_EIP,
};

/*
 * SDM, "VM Entries": guest state is checked before MSRs are loaded, so a bad list fails an entry
 * only where the processor finds no fault with the state of VMCS12, @state. It gets a list that
 * fails.
 */
static void fail_by_list(const u64 *state)
{
	static const u64 list[2] __attribute__((aligned(16))) = { MSR_FS_BASE, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(list_fields); i++)
		vmwrite(list_fields[i], state[i]);
	vmwrite(VMCS_VM_ENTRY_MSR_LOAD_ADDRESS, virt_to_phys(list));
	vmwrite(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 1);
}

/* The MSRs of the list have taken the place of what VMCS12 says, as far as they may be loaded. */
static void load_msrs(struct percpu *cpu, struct nested_vmcs *vmcs)
{
	struct nested_entry *entry = &cpu->nested.entry;
	const u64 count = F12(vmcs, VM_ENTRY_MSR_LOAD_COUNT);
	u64 state[ARRAY_SIZE(list_fields)];

	cpu->nested.msr_undo->count = 0;
	entry->bad_msr = 0;
	/* What is wrong with VMCS12 the processor must see. */
	if (!count || !entry_check_before_list(&cpu->nested, vmcs))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(list_fields); i++)
		state[i] = vmread(list_fields[i]);
	vmcs->msrs_known = false;
	vmcs_set_add(&vmcs->dirty, VMCS_IX_GUEST_IA32_SYSENTER_CS);
	vmcs_set_add(&vmcs->dirty, VMCS_IX_GUEST_IA32_SYSENTER_ESP);
	vmcs_set_add(&vmcs->dirty, VMCS_IX_GUEST_IA32_SYSENTER_EIP);
	entry->bad_msr =
		msr_list_load(cpu, F12(vmcs, VM_ENTRY_MSR_LOAD_ADDRESS), count, ITEM_MSR_LOAD,
			      entry->items, &entry->item_count, cpu->nested.msr_undo);
	if (entry->bad_msr)
		fail_by_list(state);
}

/* VMCS02 is current: take the list away again. */
static void end_list(struct nested_entry *entry)
{
	if (entry->bad_msr)
		vmwrite(VMCS_VM_ENTRY_MSR_LOAD_COUNT, 0);
}

/*
 * The event of the instruction waits until the processor has judged: it stays where it is, and no
 * other is made before nested_entry_settle().
 */
static void keep_event(struct percpu *cpu, struct nested_vmcs *vmcs)
{
	struct nested_entry *entry = &cpu->nested.entry;
	const u64 info = F12(vmcs, VM_ENTRY_INTERRUPTION_INFO);

	entry->waits = true;
	cpu->nested.entries++;
	entry->kind = cpu->pending.event.kind;
	entry->rip = F12(vmcs, GUEST_RIP);
	entry->injected = info & VMX_EVENT_VALID ? info : 0;
	entry->tsc = rdtsc();
	entry->hv_ticks = entry->tsc - cpu->exit.tsc - cpu->time.apart;
	cpu->pending.event.kind = 0;
}

/* What is known of VMCS01 without another look. */
static void remember_l1(struct percpu *cpu)
{
	struct left01 *const left = &cpu->nested.left01;

	left->cr3 = nested_insn(cpu)->cr3;
	left->blocking = cpu->exit.blocking;
	left->rflags = cpu->exit.rflags;
	left->ss_rights = cpu->exit.ss_rights;
	if (unlikely(!host_state_is_kept(&cpu->nested, KEPT_MSRS)))
		left->efer = left->pat = LEFT_UNKNOWN;
}

/*
 * With long lists of MSRs the exit that follows takes long enough: the end of a block is not to
 * fall into it too, so that one begins now, if need be.
 */
static void make_room(struct percpu *cpu, const struct nested_vmcs *vmcs)
{
	if (unlikely(msr_lists_are_long(vmcs)) && cpu->rec)
		rec_reserve(cpu->rec, LONG_LIST_MARGIN);
}

static enum exit_action enter(struct percpu *cpu, u8 kind)
{
	struct nested *nested = &cpu->nested;
	struct nested_vmcs *vmcs;
	enum exit_action action;
	u64 pdpte[4];

	if (!nested_insn_begin(cpu, kind, sizeof(struct ev_vmlaunch)))
		return EXIT_RESUME;
	/* Unless it fails. */
	nested_insn(cpu)->outcome = OUTCOME_SUCCEED;
	nested_insn(cpu)->rflags_after = nested_insn(cpu)->rflags;
	vmcs = nested->current;
	if (!vmcs)
		return nested_vmfail_invalid(cpu);
	if (vmcs_shadow_is_on(nested))
		vmcs_shadow_take(cpu);
	((struct ev_vmlaunch *)cpu->pending.columns)->launched = vmcs->launched;
	if (!may_try(cpu, vmcs, kind, &action))
		return action;
	make_room(cpu, vmcs);
	nested->entry.item_count = 0;
	remember_l1(cpu);
	if (!entry_check_link_pointer(nested, vmcs))
		return fail_entry(cpu, EXIT_INVALID_GUEST_STATE, QUALIFICATION_LINK_POINTER);
	if (vmcs02_needs_pdptes(vmcs) && !vmcs02_read_pdptes(nested, F12(vmcs, GUEST_CR3), pdpte))
		return fail_entry(cpu, EXIT_INVALID_GUEST_STATE, QUALIFICATION_PDPTE);

	if (kind == EV_VMLAUNCH)
		note(nested, ITEM_LAUNCHED, 1);
	note_results(cpu, vmcs);
	snapshot_take(cpu);
	vmcs02_prepare(cpu, vmcs);
	if (vmcs02_needs_pdptes(vmcs)) {
		for (unsigned i = 0; i < ARRAY_SIZE(pdpte); i++) {
			vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, pdpte[i]);
			note(nested, ITEM_PDPTE + i, pdpte[i]);
		}
	}
	vmcs02_spoil(nested, vmcs);
	load_msrs(cpu, vmcs);
	keep_event(cpu, vmcs);
	nested->hidden_exits = 0;
	nested->mode = NESTED_L2;
	return EXIT_RESUME;
}

enum exit_action nested_handle_vmlaunch(struct percpu *cpu)
{
	return enter(cpu, EV_VMLAUNCH);
}

enum exit_action nested_handle_vmresume(struct percpu *cpu)
{
	return enter(cpu, EV_VMRESUME);
}

static void restore_event(struct percpu *cpu)
{
	cpu->pending.event.kind = cpu->nested.entry.kind;
	cpu->pending.snapshot_taken = true;
}

void nested_entry_settle(struct percpu *cpu, bool entered)
{
	struct nested *nested = &cpu->nested;
	struct nested_entry *entry = &nested->entry;
	struct ev_l2_entry *event;

	if (!entry->waits)
		return;
	restore_event(cpu);
	exit_emit(cpu);
	l0_record_entry(cpu);
	entry->waits = false;
	if (!entered)
		return;
	nested->current->launched = true;
	event = (void *)exit_start_event(cpu, EV_L2_ENTRY, 2);
	*event = (struct ev_l2_entry){
		.injected = entry->injected,
		.vmcs = nested->current_pointer,
		.hv_ticks = entry->hv_ticks,
	};
	cpu->pending.event.tsc = entry->tsc;
	cpu->pending.event.rip = entry->rip;
	cpu->pending.event.items = entry->items;
	cpu->pending.event.item_count = entry->item_count;
	exit_emit(cpu);
}

/*
 * The processor refuses what hv held legal. A passthrough check may explain it: the TPR threshold
 * can become illegal after hv looked, when another processor writes the virtual-APIC page. Anything
 * else is hv's mistake, but L1 must go on.
 */
/* Not the entry of L1's, but one of hv's own after it: L2 has run already, and exits, as it were.
 */
static void end_l2(struct percpu *cpu, u32 reason)
{
	struct nested *nested = &cpu->nested;
	const struct nested_exit exit = { .reason = reason, .made = true };

	/* What hv was about to inject is not L2's. */
	vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFO, 0);
	nested_items_reset(nested);
	nested_reflect(cpu, &exit);
	nested->current->dirty = nested->exists;
}

void nested_entry_refused(struct percpu *cpu, u64 flags)
{
	struct nested *nested = &cpu->nested;
	const u64 error = flags & RFLAGS_ZF ? vmread(VMCS_VM_INSTRUCTION_ERROR) : 0;
	const bool explained =
		error == VMERR_ENTRY_CONTROLS &&
		F12(nested->current, PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_TPR_SHADOW;
	u64 rip, blocking;

	if (!nested->entry.waits) {
		if (!explained)
			nested_report_bug(cpu, BUG_ENTRY_REFUSED, error);
		end_l2(cpu, explained ? EXIT_TPR_BELOW_THRESHOLD : EXIT_TRIPLE_FAULT);
		return;
	}
	nested->mode = NESTED_ROOT;
	end_list(&nested->entry);
	hwvmcs_switch(cpu, &cpu->vmcs01);
	nested->current->dirty = nested->exists;
	restore_event(cpu);
	nested->entry.waits = false;
	if (!explained)
		nested_report_bug(cpu, BUG_ENTRY_REFUSED, error);
	nested_vmfail(cpu, VMERR_ENTRY_CONTROLS);

	/* VMLAUNCH and VMRESUME were left at their RIP, for they end with an exit as a rule. */
	rip = cpu->pending.event.rip + nested_insn(cpu)->length;
	vmwrite(VMCS_GUEST_RIP, nested_is_64bit(cpu) ? rip : (u32)rip);
	blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, blocking & ~BLOCKING_STI_MOV_SS);
}

enum exit_action nested_entry_failed_again(struct percpu *cpu)
{
	end_l2(cpu, EXIT_TRIPLE_FAULT);
	return EXIT_RESUME;
}

u64 nested_entry_failed(struct percpu *cpu, u32 reason, u64 qualification)
{
	struct nested *nested = &cpu->nested;

	nested_entry_settle(cpu, false);
	end_list(&nested->entry);
	/* What was loaded before the bad entry stays so. */
	if (nested->entry.bad_msr && (u16)reason == EXIT_MSR_LOADING)
		return nested->entry.bad_msr;
	/* The processor would have found this out before it loaded MSRs. */
	msr_list_undo(nested->msr_undo);
	return qualification;
}
