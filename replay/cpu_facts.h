/*
 * replay/cpu_facts.h - what CPUID says that VMX instructions and VM entries depend on
 *
 * Fed with CPUID leaves in any order; what no leaf has told is unknown. Widths of addresses come
 * from struct vmx_caps.
 */
#ifndef REPLAY_CPU_FACTS_H
#define REPLAY_CPU_FACTS_H

#include "base/base.h"
#include "replay/tri.h"
#include "vmx/caps.h"

enum cpu_feature {
#define FEATURE(NAME, ...) CPU_FEATURE_##NAME,
#include "replay/cpu_features.def"
#undef FEATURE
	CPU_FEATURE_COUNT
};

/* All zero: nothing is known, and TME takes no bits. */
struct cpu_facts {
	struct word features; /* bit n: enum cpu_feature */
	struct word counters; /* the bits of IA32_PERF_GLOBAL_CTRL that can be 1 */
	u8 keyid_bits;	      /* physical-address bits that TME takes: IA32_TME_ACTIVATE[39:36] */
};

/*
 * Enters what CPUID leaf @leaf, @subleaf returned: EAX and EBX in @ab, ECX and EDX in @cd, the
 * lower number in the lower half.
 */
void cpu_facts_add(struct cpu_facts *facts, u32 leaf, u32 subleaf, u64 ab, u64 cd);

enum tri cpu_facts_has(const struct cpu_facts *facts, enum cpu_feature feature);

/*
 * Which bits of MSR @msr can be 1; a bit that is known to be 0 is reserved. False when no table
 * tells of that MSR.
 */
bool cpu_facts_msr_bits(const struct cpu_facts *facts, u32 msr, struct word *may);

/*
 * The bits that a physical address may have: of the processor, less @keyid_bits, and of what VMX
 * instructions and VMCS fields name.
 */
struct word cpu_physical_bits(const struct vmx_caps *caps, unsigned int keyid_bits);
struct word cpu_vmx_address_bits(const struct vmx_caps *caps, const struct cpu_facts *facts);

/*
 * Whether bits 63:N + @offset of @word are all the same, where N is the linear-address width: -1
 * asks whether it is canonical.
 */
enum tri cpu_upper_bits_same(const struct vmx_caps *caps, struct word word, int offset);

#endif
