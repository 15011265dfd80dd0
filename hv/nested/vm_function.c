#include "hv/nested/vm_function.h"

#include "hv/guestmem.h"
#include "hv/nested/entry_check.h"
#include "hv/nested/vmcs02.h"
#include "hv/percpu.h"

#define FUNCTION_EPTP_SWITCHING 0
#define EPTP_LIST_ENTRIES	512

/* SDM, "EPTP Switching". */
static bool switch_eptp(struct nested *nested, u32 index)
{
	struct nested_vmcs *vmcs = nested->current;
	u64 eptp;

	if (index >= EPTP_LIST_ENTRIES)
		return false;
	guest_read_gpa(F12(vmcs, EPTP_LIST_ADDRESS) + index * sizeof(eptp), &eptp, sizeof(eptp));
	if (!entry_check_eptp(nested, eptp))
		return false;
	nested->eptp_index = (u16)index;
	vmcs02_switch_eptp(nested, vmcs, eptp);
	return true;
}

bool vm_function(struct percpu *cpu)
{
	const u32 function = (u32)cpu->regs[REG_RAX];
	struct nested *nested = &cpu->nested;

	if (function != FUNCTION_EPTP_SWITCHING ||
	    !(F12(nested->current, VM_FUNCTION_CONTROLS) & CAP_EPTP_SWITCHING))
		return false;
	return switch_eptp(nested, (u32)cpu->regs[REG_RCX]);
}
