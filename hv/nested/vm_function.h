/*
 * hv/nested/vm_function.h - VMFUNC of an L2 that L1 gave VM functions
 *
 * VMCS02 enables none of them, so that each exits to hv. SDM, "VM Functions".
 */
#ifndef HV_NESTED_VM_FUNCTION_H
#define HV_NESTED_VM_FUNCTION_H

#include "base/base.h"

struct percpu;

/* Execute the function that L2 asks for. False: it is one that exits to L1, and nothing is done. */
bool vm_function(struct percpu *cpu);

#endif
