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

/* Whether a row names the pair exactly, so that the rows for any subleaf do not apply to it. */
static bool has_own_rows(u32 leaf, u32 subleaf)
{
	for (size_t i = 0; i < ARRAY_SIZE(vmx_cpuid_rows); i++) {
		if (vmx_cpuid_rows[i].leaf == leaf && vmx_cpuid_rows[i].subleaf == subleaf)
			return true;
	}
	return false;
}

u32 vmx_cpuid_mask(const struct vmx_caps *caps, u32 leaf, u32 subleaf, enum vmx_cpuid_reg reg)
{
	const u32 wanted = has_own_rows(leaf, subleaf) ? subleaf : CPUID_SUBLEAF_ANY;
	u32 mask = 0;

	for (size_t i = 0; i < ARRAY_SIZE(vmx_cpuid_rows); i++) {
		const struct vmx_cpuid *row = &vmx_cpuid_rows[i];

		if (row->leaf == leaf && row->subleaf == wanted && row->reg == reg &&
		    vmx_caps_has(caps, &row->needs))
			mask |= row->mask;
	}
	return mask;
}

const struct vmx_cpuid *vmx_cpuid_find(const char *name, const struct vmx_cpuid *after)
{
	for (size_t i = after ? (size_t)(after - vmx_cpuid_rows) + 1 : 0;
	     i < ARRAY_SIZE(vmx_cpuid_rows); i++) {
		if (!strcmp(name, vmx_cpuid_rows[i].name))
			return &vmx_cpuid_rows[i];
	}
	return NULL;
}
