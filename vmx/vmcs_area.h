/*
 * vmx/vmcs_area.h - the six groups of a VMCS's data
 *
 * SDM: "Organization of VMCS Data".
 */
#ifndef VMX_VMCS_AREA_H
#define VMX_VMCS_AREA_H

#include "vmx/tables.h"

enum vmcs_area {
	VMCS_AREA_EXECUTION,
	VMCS_AREA_EXIT,
	VMCS_AREA_ENTRY,
	VMCS_AREA_GUEST,
	VMCS_AREA_HOST,
	VMCS_AREA_INFO,
	VMCS_AREA_COUNT
};

/* Of field @index (enum vmcs_index). */
enum vmcs_area vmcs_area(int index);

/* What the SDM calls it: "guest-state area". Static. */
const char *vmcs_area_title(enum vmcs_area area);

#endif
