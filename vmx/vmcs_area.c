#include "vmx/vmcs_area.h"

const char *vmcs_area_title(enum vmcs_area area)
{
	static const char *const titles[VMCS_AREA_COUNT] = {
		[VMCS_AREA_EXECUTION] = "VM-execution control fields",
		[VMCS_AREA_EXIT] = "VM-exit control fields",
		[VMCS_AREA_ENTRY] = "VM-entry control fields",
		[VMCS_AREA_GUEST] = "guest-state area",
		[VMCS_AREA_HOST] = "host-state area",
		[VMCS_AREA_INFO] = "VM-exit information fields",
	};

	return titles[area];
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* The names say which controls are of exits and entries. */
enum vmcs_area vmcs_area(int index)
{
	const struct vmcs_field *const field = &vmcs_fields[index];

	switch (field->kind) {
	case VMCS_KIND_GUEST:
		return VMCS_AREA_GUEST;
	case VMCS_KIND_HOST:
		return VMCS_AREA_HOST;
	case VMCS_KIND_INFO:
		return VMCS_AREA_INFO;
	default:
		if (begins(field->name, "vm_exit_") || begins(field->name, "secondary_vm_exit_"))
			return VMCS_AREA_EXIT;
		return begins(field->name, "vm_entry_") ? VMCS_AREA_ENTRY : VMCS_AREA_EXECUTION;
	}
}
