/*
 * replay/rule_l0_caps.c - whether the VMX capability MSRs that L1 reads fit each other
 *
 * Judged whenever L1 reads one of them, with what the others are known to show. SDM, appendix "VMX
 * Capability Reporting Facility".
 */
#include "replay/rule.h"
#include "vmx/tables.h"
#include "vmx/vmcs12.h"

#define HIGH(msr)     ((msr) >> 32)
#define LOW(msr)      ((msr)&0xffffffff)
#define CAP_BIT(NAME) BIT(VMX_CAP_##NAME)
#define MAX_REGION    4096
#define EPT_WALKS     (BIT(6) | BIT(7))
#define EPT_TYPES     (BIT(8) | BIT(14))
#define INVEPT_TYPES  (BIT(25) | BIT(26))
#define INVVPID_TYPES MASK(43, 40)

struct pair {
	enum vmx_cap plain, exact;
	const char *name;
};

static const struct pair pairs[] = {
	{ VMX_CAP_PINBASED_CTLS, VMX_CAP_TRUE_PINBASED_CTLS, "pin-based" },
	{ VMX_CAP_PROCBASED_CTLS, VMX_CAP_TRUE_PROCBASED_CTLS, "processor-based" },
	{ VMX_CAP_EXIT_CTLS, VMX_CAP_TRUE_EXIT_CTLS, "VM-exit" },
	{ VMX_CAP_ENTRY_CTLS, VMX_CAP_TRUE_ENTRY_CTLS, "VM-entry" },
};

static bool may(const struct vmx_caps *caps, enum vmx_word word, u64 mask)
{
	return (vmx_caps_may_be_1(caps, word) & mask) == mask;
}

static bool regions_fit(const struct vmx_caps *caps)
{
	const u64 size = BITS(caps->msr[VMX_CAP_BASIC], 44, 32);

	return size && size <= MAX_REGION;
}

static bool cr0_fits(const struct vmx_caps *caps)
{
	return !(caps->msr[VMX_CAP_CR0_FIXED0] & ~caps->msr[VMX_CAP_CR0_FIXED1]);
}

static bool cr4_fits(const struct vmx_caps *caps)
{
	return !(caps->msr[VMX_CAP_CR4_FIXED0] & ~caps->msr[VMX_CAP_CR4_FIXED1]);
}

static bool nmis_fit(const struct vmx_caps *caps)
{
	return !may(caps, VMX_WORD_PIN, PIN_VIRTUAL_NMIS) ||
	       may(caps, VMX_WORD_PIN, PIN_NMI_EXITING);
}

static bool unrestricted_fits(const struct vmx_caps *caps)
{
	return !may(caps, VMX_WORD_SECONDARY, SECONDARY_UNRESTRICTED_GUEST) ||
	       may(caps, VMX_WORD_SECONDARY, SECONDARY_EPT);
}

static bool lma_fits(const struct vmx_caps *caps)
{
	return !may(caps, VMX_WORD_SECONDARY, SECONDARY_UNRESTRICTED_GUEST) ||
	       caps->msr[VMX_CAP_MISC] & CAP_EXIT_STORES_LMA;
}

static bool ept_fits(const struct vmx_caps *caps)
{
	const u64 cap = caps->msr[VMX_CAP_EPT_VPID_CAP];

	return !may(caps, VMX_WORD_SECONDARY, SECONDARY_EPT) ||
	       (cap & EPT_WALKS && cap & EPT_TYPES);
}

static bool invept_fits(const struct vmx_caps *caps)
{
	const u64 cap = caps->msr[VMX_CAP_EPT_VPID_CAP];

	return (!(cap & CAP_INVEPT) || cap & INVEPT_TYPES) &&
	       (!(cap & CAP_INVVPID) || cap & INVVPID_TYPES);
}

static const struct relation {
	u64 caps; /* MSRs that it looks at, by enum vmx_cap */
	bool (*holds)(const struct vmx_caps *caps);
	const char *text;
} relations[] = {
	{ CAP_BIT(BASIC), regions_fit, "the size of a region is not between 1 and 4096 bytes" },
	{ CAP_BIT(CR0_FIXED0) | CAP_BIT(CR0_FIXED1), cr0_fits,
	  "a bit of CR0 must be 1 and must be 0" },
	{ CAP_BIT(CR4_FIXED0) | CAP_BIT(CR4_FIXED1), cr4_fits,
	  "a bit of CR4 must be 1 and must be 0" },
	{ CAP_BIT(BASIC) | CAP_BIT(PINBASED_CTLS) | CAP_BIT(TRUE_PINBASED_CTLS), nmis_fit,
	  "virtual NMIs may be 1 and NMI exiting may not" },
	{ CAP_BIT(PROCBASED_CTLS) | CAP_BIT(PROCBASED_CTLS2), unrestricted_fits,
	  "unrestricted guest may be 1 and EPT may not" },
	{ CAP_BIT(PROCBASED_CTLS2) | CAP_BIT(MISC), lma_fits,
	  "unrestricted guest may be 1 and IA32_VMX_MISC[5] is 0" },
	{ CAP_BIT(PROCBASED_CTLS2) | CAP_BIT(EPT_VPID_CAP), ept_fits,
	  "EPT may be 1 and no page-walk length, or no memory type, is reported" },
	{ CAP_BIT(EPT_VPID_CAP), invept_fits,
	  "INVEPT or INVVPID is reported without any of its types" },
};

/* Which MSRs @caps tells, all as it shows them. */
static bool knows(const struct vmx_caps *caps, u64 wanted)
{
	return (caps->known & wanted) == wanted;
}

static void report(const struct rule_run *run, const struct vmx_caps *caps, u64 looked_at,
		   const char *text, u64 key)
{
	struct finding *const finding =
		finding_add(run->findings, FINDING_L0_CAP_INCONSISTENT, key);

	if (!finding)
		return;
	finding_title(finding, "The capability MSRs contradict each other: %s", text);
	for (unsigned cap = 0; cap < VMX_CAP_COUNT; cap++) {
		if (!(looked_at >> cap & 1))
			continue;
		finding_evidence(finding, &run->model->cap_read[cap]);
		finding_note(finding, "%s = 0x%llx", vmx_msr_name(MSR_VMX_BASIC + cap),
			     (unsigned long long)caps->msr[cap]);
	}
	finding_evidence(finding, &run->place);
	finding_explain(finding, "L1 computes its controls from these MSRs.");
	finding_next(finding, "vmxtape info %s, which shows what the processor itself says",
		     run->tape);
}

/* SDM: "Reserved Controls and Default Settings". */
static void judge_pair(const struct rule_run *run, const struct vmx_caps *caps,
		       const struct pair *pair, enum vmx_cap read)
{
	const u64 both = BIT(pair->plain) | BIT(pair->exact);
	const u64 plain = caps->msr[pair->plain], exact = caps->msr[pair->exact];

	if (read == pair->plain && LOW(plain) & ~HIGH(plain))
		report(run, caps, BIT(pair->plain), "a control must be 1 and must be 0",
		       pair->plain);
	if (read == pair->exact && LOW(exact) & ~HIGH(exact))
		report(run, caps, BIT(pair->exact), "a control must be 1 and must be 0",
		       pair->exact);
	if (!(both >> read & 1) || !knows(caps, both | CAP_BIT(BASIC)) ||
	    !(caps->msr[VMX_CAP_BASIC] & CAP_TRUE_CTLS))
		return;
	if (HIGH(plain) & ~HIGH(exact) || LOW(exact) & ~LOW(plain))
		report(run, caps, both, "the TRUE MSR allows less than the other",
		       32 + pair->plain);
}

/* SDM: "VMCS Enumeration". */
static void judge_enum(const struct rule_run *run, const struct vmx_caps *caps)
{
	const u64 shown = BITS(caps->msr[VMX_CAP_VMCS_ENUM], 9, 1);
	int highest = -1;
	struct finding *finding;

	for (int index = 0; index < VMCS_FIELD_COUNT; index++)
		if (vmx_caps_field_known(caps, index) && vmx_caps_field_exists(caps, index) &&
		    BITS(vmcs_fields[index].encoding, 9, 1) > shown &&
		    (highest < 0 || BITS(vmcs_fields[index].encoding, 9, 1) >
					    BITS(vmcs_fields[highest].encoding, 9, 1)))
			highest = index;
	if (highest < 0)
		return;
	finding = finding_add(run->findings, FINDING_L0_VMCS_ENUM, shown);
	if (!finding)
		return;
	finding_title(finding,
		      "IA32_VMX_VMCS_ENUM says that the highest index is %llu; %s has %llu",
		      (unsigned long long)shown, vmcs_fields[highest].name,
		      (unsigned long long)BITS(vmcs_fields[highest].encoding, 9, 1));
	finding_evidence(finding, &run->place);
	finding_note(finding, "ia32_vmx_vmcs_enum = 0x%llx, encoding of %s = 0x%x",
		     (unsigned long long)caps->msr[VMX_CAP_VMCS_ENUM], vmcs_fields[highest].name,
		     vmcs_fields[highest].encoding);
	finding_explain(finding, "An L1 that tries all encodings up to that index misses fields.");
	finding_next(finding, "compute the MSR from the fields that exist");
}

static void event(const struct rule_run *run, void *state)
{
	const struct ev_msr_read *const read = (const struct ev_msr_read *)run->event->col;
	struct vmx_caps caps = run->model->shown;
	enum vmx_cap cap;

	(void)state;
	if (read->outcome != OUTCOME_SUCCEED || !MSR_IS_VMX_CAP(read->msr))
		return;
	cap = (enum vmx_cap)(read->msr - MSR_VMX_BASIC);
	vmx_caps_set(&caps, (u32)read->msr, read->value);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		judge_pair(run, &caps, &pairs[i], cap);
	for (size_t i = 0; i < ARRAY_SIZE(relations); i++)
		if (relations[i].caps >> cap & 1 && knows(&caps, relations[i].caps) &&
		    !relations[i].holds(&caps))
			report(run, &caps, relations[i].caps, relations[i].text, 64 + i);
	if (cap == VMX_CAP_VMCS_ENUM)
		judge_enum(run, &caps);
}

const struct rule rule_l0_caps = {
	.kinds = RULE_KIND(MSR_READ),
	.event = event,
};
