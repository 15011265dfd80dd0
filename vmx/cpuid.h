/*
 * vmx/cpuid.h - which CPUID bits hv shows to L1 (cpuid.def)
 */
#ifndef VMX_CPUID_H
#define VMX_CPUID_H

#include "base/base.h"
#include "vmx/caps.h"

/* In the order in which CPUID's results are usually kept. */
enum vmx_cpuid_reg { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX, CPUID_REG_COUNT };

#define CPUID_SUBLEAF_ANY 0xffffffffu

struct vmx_cpuid {
	const char *name;
	u32 leaf;
	u32 subleaf; /* or CPUID_SUBLEAF_ANY */
	u32 mask;    /* the bits of the register that this row shows */
	u8 reg;	     /* enum vmx_cpuid_reg */
	struct vmx_item needs;
};

extern const struct vmx_cpuid vmx_cpuid_rows[];
extern const size_t vmx_cpuid_row_count;

/*
 * The bits of a register that L1 may see; the others read as 0.
 *
 * @caps  what hv can use to run L1, that is the processor's own capabilities
 */
u32 vmx_cpuid_mask(const struct vmx_caps *caps, u32 leaf, u32 subleaf, enum vmx_cpuid_reg reg);

#endif
