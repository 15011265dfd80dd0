#include "replay/cpu_facts.h"

#include "vmx/cpuid.h"
#include "vmx/tables.h"

static const struct feature {
	u32 leaf;
	u8 subleaf;
	u8 reg;
	u8 bit;
} features[CPU_FEATURE_COUNT] = {
#define FEATURE(NAME, leaf, subleaf, REG, bit, title) \
	[CPU_FEATURE_##NAME] = { leaf, subleaf, CPUID_##REG, bit },
#include "replay/cpu_features.def"
#undef FEATURE
};

#define ALWAYS	      CPU_FEATURE_COUNT
#define MODEL	      (CPU_FEATURE_COUNT + 1)
#define FEATURE(NAME) CPU_FEATURE_##NAME
static const struct {
	u32 msr;
	u8 when; /* enum cpu_feature, ALWAYS or MODEL */
	u64 mask;
} msr_bits[] = {
#define MSR_BITS(NAME, high, low, WHEN) { MSR_##NAME, WHEN, MASK(high, low) },
#include "replay/msr_bits.def"
#undef MSR_BITS
};
#undef FEATURE

static u32 reg_of(u64 ab, u64 cd, u8 reg)
{
	const u64 pair = reg == CPUID_EAX || reg == CPUID_EBX ? ab : cd;

	return (u32)(reg == CPUID_EAX || reg == CPUID_ECX ? pair : pair >> 32);
}

static void set_feature(struct cpu_facts *facts, unsigned int feature, bool there)
{
	facts->features.known |= BIT(feature);
	facts->features.value &= ~BIT(feature);
	facts->features.value |= there ? BIT(feature) : 0;
}

/* Features whose leaf, or subleaf of @leaf, is above the highest that there is. */
static void set_absent(struct cpu_facts *facts, u32 leaf, u32 highest)
{
	for (unsigned int n = 0; n < CPU_FEATURE_COUNT; n++) {
		const struct feature *const row = &features[n];
		const bool same_range = (row->leaf ^ leaf) >> 31 == 0;

		if (leaf == 0x7 ? row->leaf == 0x7 && row->subleaf > highest
				: same_range && row->leaf > highest)
			set_feature(facts, n, false);
	}
}

/* SDM: "Architectural Performance Monitoring Leaf"; bit 48 is not told by CPUID. */
static void set_counters(struct cpu_facts *facts, u64 ab, u64 cd)
{
	const u32 eax = reg_of(ab, cd, CPUID_EAX), edx = reg_of(ab, cd, CPUID_EDX);
	const unsigned int general = BITS(eax, 15, 8), fixed = BITS(edx, 4, 0);

	facts->counters = word_partly(0, ~BIT(48));
	if (BITS(eax, 7, 0) == 0)
		return;
	facts->counters.value |= general ? MASK(MIN(general, 32u) - 1, 0) : 0;
	if (BITS(eax, 7, 0) >= 2)
		facts->counters.value |= fixed ? MASK(31 + MIN(fixed, 16u), 32) : 0;
	if (BITS(eax, 7, 0) >= 5)
		facts->counters.value |= (u64)(u16)reg_of(ab, cd, CPUID_ECX) << 32;
}

void cpu_facts_add(struct cpu_facts *facts, u32 leaf, u32 subleaf, u64 ab, u64 cd)
{
	if (leaf == 0 || leaf == 0x80000000 || (leaf == 0x7 && subleaf == 0))
		set_absent(facts, leaf, reg_of(ab, cd, CPUID_EAX));
	if (leaf == 0xa && subleaf == 0)
		set_counters(facts, ab, cd);
	if (leaf == 0 && reg_of(ab, cd, CPUID_EAX) < 0xa)
		set_counters(facts, 0, 0);
	for (unsigned int n = 0; n < CPU_FEATURE_COUNT; n++) {
		const struct feature *const row = &features[n];

		if (row->leaf == leaf && (row->subleaf == subleaf || leaf != 0x7))
			set_feature(facts, n, reg_of(ab, cd, row->reg) & BIT(row->bit));
	}
}

enum tri cpu_facts_has(const struct cpu_facts *facts, enum cpu_feature feature)
{
	return word_all(facts->features, BIT(feature));
}

static enum tri allows(const struct cpu_facts *facts, u8 when)
{
	if (when == ALWAYS)
		return TRI_YES;
	return when == MODEL ? TRI_MAYBE : cpu_facts_has(facts, (enum cpu_feature)when);
}

bool cpu_facts_msr_bits(const struct cpu_facts *facts, u32 msr, struct word *may)
{
	bool found = false;

	if (msr == MSR_PERF_GLOBAL_CTRL) {
		*may = facts->counters;
		return true;
	}
	*may = word_of(0);
	for (size_t i = 0; i < ARRAY_SIZE(msr_bits); i++) {
		if (msr_bits[i].msr != msr)
			continue;
		found = true;
		switch (allows(facts, msr_bits[i].when)) {
		case TRI_YES:
			*may = word_or(*may, msr_bits[i].mask);
			break;
		case TRI_MAYBE:
			may->known &= ~(msr_bits[i].mask & ~may->value);
			break;
		case TRI_NO:
			break;
		}
	}
	return found;
}

/* Every processor with VMX has at least 32 bits, and none more than 52. */
struct word cpu_physical_bits(const struct vmx_caps *caps, unsigned int keyid_bits)
{
	if (!caps->maxphyaddr)
		return word_partly(MASK(31, 0), ~MASK(51, 32));
	return word_of(MASK(caps->maxphyaddr - keyid_bits - 1, 0));
}

/* SDM: "Basic VMX Information", bit 48. */
struct word cpu_vmx_address_bits(const struct vmx_caps *caps, const struct cpu_facts *facts)
{
	const struct word all = cpu_physical_bits(caps, facts->keyid_bits);
	const struct word low = word_and(all, MASK(31, 0));

	if (!(caps->known & BIT(VMX_CAP_BASIC)))
		return word_either(all, low);
	return caps->msr[VMX_CAP_BASIC] & CAP_ADDRESSES_32BIT ? low : all;
}

/* Whether bits 63:@low are all the same. */
static enum tri all_same(struct word word, int low)
{
	const u64 mask = MASK(63, low);

	return tri_or(word_all(word, mask), tri_not(word_any(word, mask)));
}

/* Linear addresses have 48 or 57 bits. */
enum tri cpu_upper_bits_same(const struct vmx_caps *caps, struct word word, int offset)
{
	const enum tri same48 = all_same(word, 48 + offset), same57 = all_same(word, 57 + offset);

	if (caps->linear_width)
		return all_same(word, caps->linear_width + offset);
	if (same48 == TRI_YES)
		return TRI_YES;
	return tri_and(same57, TRI_MAYBE);
}
