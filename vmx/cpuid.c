#include "vmx/cpuid.h"

#define ANY  CPUID_SUBLEAF_ANY
#define NONE VMX_ITEM_OF_ANY
#define CTL  VMX_ITEM_OF_CTL
#define CPUID(its_leaf, its_subleaf, REG, bit, its_name, ...) \
	{ .name = #its_name,                                  \
	  .leaf = its_leaf,                                   \
	  .subleaf = its_subleaf,                             \
	  .mask = 1u << (bit),                                \
	  .reg = CPUID_##REG,                                 \
	  .needs = __VA_ARGS__ },
#define CPUID_REG(its_leaf, its_subleaf, REG, its_name, ...) \
	{ .name = #its_name,                                 \
	  .leaf = its_leaf,                                  \
	  .subleaf = its_subleaf,                            \
	  .mask = ~0u,                                       \
	  .reg = CPUID_##REG,                                \
	  .needs = __VA_ARGS__ },
const struct vmx_cpuid vmx_cpuid_rows[] = {
#include "vmx/cpuid.def"
};
#undef CPUID_REG
#undef CPUID
#undef CTL
#undef NONE
#undef ANY

const size_t vmx_cpuid_row_count = ARRAY_SIZE(vmx_cpuid_rows);

/* The first row of @leaf or of a leaf above it; rows are in the order of their leaves. */
static const struct vmx_cpuid *first_row(u32 leaf)
{
	size_t low = 0, high = ARRAY_SIZE(vmx_cpuid_rows);

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (vmx_cpuid_rows[middle].leaf < leaf)
			low = middle + 1;
		else
			high = middle;
	}
	return vmx_cpuid_rows + low;
}

u32 vmx_cpuid_mask(const struct vmx_caps *caps, u32 leaf, u32 subleaf, enum vmx_cpuid_reg reg)
{
	const struct vmx_cpuid *const end = vmx_cpuid_rows + ARRAY_SIZE(vmx_cpuid_rows);
	u32 own = 0, any = 0;
	bool has_own = false;

	for (const struct vmx_cpuid *row = first_row(leaf); row < end && row->leaf == leaf; row++) {
		u32 *mask = row->subleaf == subleaf ? &own : &any;

		if (row->subleaf != subleaf && row->subleaf != CPUID_SUBLEAF_ANY)
			continue;
		has_own |= row->subleaf == subleaf;
		if (row->reg == reg && vmx_caps_has(caps, &row->needs))
			*mask |= row->mask;
	}
	return has_own ? own : any;
}
