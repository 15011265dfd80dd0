/*
 * hv/nested/vmcs02_registers.h - CR0, CR4 and DR7 of L2, which it rarely writes
 *
 * So hv lets each write to them exit, whatever L1 asks for, and need not look whether they changed.
 * An exit of that kind opens them: L2 has masks, read shadows and controls as L1 wants them, for
 * some exits to come. SDM, "Guest/Host Masks and Read Shadows for CR0 and CR4". VMCS02 is current
 * everywhere here.
 */
#ifndef HV_NESTED_VMCS02_REGISTERS_H
#define HV_NESTED_VMCS02_REGISTERS_H

#include "hv/percpu.h"

/*
 * For an entry, before fields of VMCS12 go over: whether L2 is to exit for writes to them.
 * @changed: one of nested->prepared_fields is dirty.
 */
void vmcs02_prepare_registers(const struct nested *nested, struct nested_vmcs *vmcs, bool changed);

/* DR7 as the entry is to load it, where VMCS02 does not have it already. */
void vmcs02_write_dr7(struct nested_vmcs *vmcs, u64 dr7);

/* DR7 at an exit. */
u64 vmcs02_dr7(const struct nested_vmcs *vmcs);

/* An exit that saves state has looked at CR0 and CR4, which are open. */
void vmcs02_count_open_registers(struct nested_vmcs *vmcs);

/*
 * An access to a control register, by its exit qualification, or to a debug register exited because
 * they were closed: L2 executes it again, and L1 gets the exit then, if it wants it. False: it is
 * L1's at once.
 */
bool vmcs02_open_control_registers(struct nested_vmcs *vmcs, u64 qualification);
bool vmcs02_open_debug_registers(struct nested_vmcs *vmcs);

#endif
