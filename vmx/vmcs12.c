#include "vmx/vmcs12.h"

_Static_assert(sizeof(struct vmcs12) <= 4096, "a VMCS region has at most 4 KiB");
_Static_assert(offsetof(struct vmcs12, abort) == 4, "SDM, \"Format of the VMCS Region\"");
_Static_assert(VMCS_FIELD_COUNT == 207, "rows were added: raise VMCS12_REVISION and this number");
_Static_assert(!(VMCS12_REVISION & VMCS12_SHADOW), "revision identifiers have 31 bits");

void vmcs_set_from_caps(struct vmcs_set *set, const struct vmx_caps *caps)
{
	memset(set, 0, sizeof(*set));
	for (int index = 0; index < VMCS_FIELD_COUNT; index++) {
		if (vmx_caps_field_exists(caps, index))
			vmcs_set_add(set, index);
	}
}

unsigned int vmcs_set_highest_index(const struct vmcs_set *set)
{
	unsigned int highest = 0;

	for (int index = 0; index < VMCS_FIELD_COUNT; index++) {
		if (vmcs_set_has(set, index))
			highest =
				MAX(highest, (unsigned int)BITS(vmcs_fields[index].encoding, 9, 1));
	}
	return highest;
}
