/*
 * tests/usual_caps.h - the capability MSRs of the processor that tests of the host imagine: with
 * EPT, VPID, unrestricted guest, and load and save of IA32_EFER and IA32_PAT
 */
#ifndef TESTS_USUAL_CAPS_H
#define TESTS_USUAL_CAPS_H

#include "vmx/caps.h"
#include "vmx/tables.h"

#define USUAL_REVISION 0x12345u

static const struct {
	u32 msr;
	u64 value;
} usual_caps[] = {
	{ MSR_VMX_BASIC, CAP_TRUE_CTLS | 0x0018100000000000 | USUAL_REVISION },
	{ MSR_VMX_PINBASED_CTLS, 0x7f00000016 },
	{ MSR_VMX_PROCBASED_CTLS, 0xf7f9fffe0401e172 },
	{ MSR_VMX_EXIT_CTLS, 0x7fefff00036dff },
	{ MSR_VMX_ENTRY_CTLS, 0xd3ff000011ff },
	{ MSR_VMX_MISC, 0x600401e0 },
	{ MSR_VMX_CR0_FIXED0, 0x80000021 },
	{ MSR_VMX_CR0_FIXED1, 0xffffffff },
	{ MSR_VMX_CR4_FIXED0, 0x2000 },
	{ MSR_VMX_CR4_FIXED1, 0x3727ff },
	{ MSR_VMX_VMCS_ENUM, 0x34 },
	{ MSR_VMX_PROCBASED_CTLS2, 0x111cff00000000 },
	{ MSR_VMX_EPT_VPID_CAP, 0xf0106134141 },
	{ MSR_VMX_TRUE_PINBASED_CTLS, 0x7f00000016 },
	{ MSR_VMX_TRUE_PROCBASED_CTLS, 0xf7f9fffe04006172 },
	{ MSR_VMX_TRUE_EXIT_CTLS, 0x7fefff00036dfb },
	{ MSR_VMX_TRUE_ENTRY_CTLS, 0xd3ff000011fb },
	{ MSR_VMX_VMFUNC, 0 },
	{ MSR_VMX_PROCBASED_CTLS3, 0 },
	{ MSR_VMX_EXIT_CTLS2, 0 },
};

#endif
