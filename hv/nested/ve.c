#include "hv/nested/ve.h"

#include "hv/guestmem.h"
#include "hv/insn.h"
#include "hv/nested/ept12_walk.h"
#include "hv/percpu.h"
#include "hv/vmcs01.h"
#include "vmx/qual.h"

#define EPT_SUPPRESS_VE BIT(63)
#define BUSY		0xffffffffu
#define ADDRESS_WIDTH	48 /* of what four levels translate */

/* SDM, "Virtualization-Exception Information". */
struct information {
	u32 reason, busy;
	u64 qualification, linear, gpa2;
	u16 eptp_index;
} __attribute__((packed));

/* SDM, "Convertible EPT Violations": the entry that is not present, or else that of the page. */
static bool is_convertible(const struct ept12_walk *walk, u64 gpa2)
{
	return !(gpa2 >> ADDRESS_WIDTH) && !(walk->entry[walk->level] & EPT_SUPPRESS_VE);
}

bool ve_replaces(const struct percpu *cpu, const struct ept12_walk *walk, u64 qualification,
		 u64 linear, u64 gpa2)
{
	const struct nested *nested = &cpu->nested;
	const u64 address = F12(nested->current, VE_INFORMATION_ADDRESS);
	struct information information;

	if (!(nested_secondary(nested->current) & SECONDARY_EPT_VIOLATION_VE) ||
	    !is_convertible(walk, gpa2) || !(vmread(VMCS_GUEST_CR0) & CR0_PE) ||
	    vmread(VMCS_IDT_VECTORING_INFO) & VMX_EVENT_VALID)
		return false;
	/* Where there is no RAM of L1's it reads as busy. */
	guest_read_gpa(address, &information, sizeof(information));
	if (information.busy)
		return false;
	information = (struct information){
		.reason = EXIT_EPT_VIOLATION,
		.busy = BUSY,
		.qualification = qualification,
		.linear = linear,
		.gpa2 = gpa2,
		.eptp_index = nested->eptp_index,
	};
	guest_write_gpa(address, &information, sizeof(information));
	return true;
}
