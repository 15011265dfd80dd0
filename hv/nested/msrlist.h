/*
 * hv/nested/msrlist.h - the MSR lists of VM entries and exits, entry by entry
 *
 * SDM, "Loading MSRs", "Saving MSRs". MSRs whose guest values are in the VMCS are read and written
 * there: in the VMCS that is current, VMCS02 for L2's and VMCS01 for L1's.
 */
#ifndef HV_NESTED_MSRLIST_H
#define HV_NESTED_MSRLIST_H

#include "base/base.h"
#include "hv/nested/state.h"
#include "trace/event.h"

#define MSR_LIST_MAX 512 /* as IA32_VMX_MISC shows it */

/* What MSRs held before a list was loaded, in its order; those in the VMCS and the TSC aside. */
struct msr_undo {
	u32 count;
	struct {
		u32 index;
		u64 value;
	} entry[MSR_LIST_MAX];
};

#define MSR_LIST_LONG 64

/* Whether an entry of @vmcs, or the exit that follows, takes so long that little else is to be
 * done. */
static inline bool msr_lists_are_long(const struct nested_vmcs *vmcs)
{
	return (F12(vmcs, VM_EXIT_MSR_STORE_COUNT) | F12(vmcs, VM_EXIT_MSR_LOAD_COUNT) |
		F12(vmcs, VM_ENTRY_MSR_LOAD_COUNT)) >= MSR_LIST_LONG;
}

/* Whether WRMSR of IA32_DEBUGCTL takes @value, as the processor has it. */
bool msr_debugctl_is_legal(u64 value);

/* Put back what @undo says, last one first, and empty it. */
void msr_list_undo(struct msr_undo *undo);

/*
 * Load @count entries at @address. Returns 0, or the number, from 1, of the first entry that must
 * not be loaded; those before it are. @first_item is ITEM_MSR_LOAD or ITEM_MSR_HOST; what was read
 * is appended to @items, as far as there is room for TRACE_MAX_ITEMS. @undo may be NULL.
 */
u32 msr_list_load(struct percpu *cpu, u64 address, u64 count, u32 first_item,
		  struct trace_item *items, u32 *item_count, struct msr_undo *undo);

/* Store likewise; the items tell the values stored. */
u32 msr_list_store(struct percpu *cpu, u64 address, u64 count, struct trace_item *items,
		   u32 *item_count);

#endif
