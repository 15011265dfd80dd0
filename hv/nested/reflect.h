/*
 * hv/nested/reflect.h - exits of L2 that are L1's
 *
 * L2's state goes from VMCS02 into VMCS12, L1 goes on in VMCS01 with the state of VMCS12's
 * host-state area. SDM, "VM Exits". The l2_exit event tells each field of VMCS12 that changed.
 */
#ifndef HV_NESTED_REFLECT_H
#define HV_NESTED_REFLECT_H

#include "hv/exit.h"

/* Forget the items noted for the l2_exit to come. */
void nested_items_reset(struct nested *nested);

/* What hv consulted for the exit at hand, for its event: id of trace/items.def. */
void nested_item(struct nested *nested, u32 id, u64 value);

/*
 * Give the exit at hand to L1, with the reason, qualification and event of cpu->exit and VMCS02 but
 * for what @other says. VMCS02 is current before, VMCS01 afterwards. The event is left pending.
 */
struct nested_exit {
	u32 reason;
	u64 qualification;
	u64 event; /* VM-exit interruption information */
	bool made; /* by hv, not the processor: then it has these too */
	u32 error_code;
	u64 linear, gpa2;
};
enum exit_action nested_reflect(struct percpu *cpu, const struct nested_exit *exit);

/* A VM-entry failure, @reason with bit 31. VMCS01 or VMCS02 is current before, VMCS01 afterwards.
 */
enum exit_action nested_reflect_entry_failure(struct percpu *cpu, u32 reason, u64 qualification);

#endif
