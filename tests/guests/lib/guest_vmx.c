#include "tests/guests/lib/guest_vmx.h"

struct vmx_caps guest_caps;

static void *vmxon_region;

const char *vmx_outcome_text(enum vmx_outcome outcome)
{
	static const char *const texts[] = {
		[VMX_SUCCEED] = "VMsucceed",
		[VMX_FAIL_INVALID] = "VMfailInvalid",
		[VMX_FAIL_VALID] = "VMfailValid",
	};

	return texts[outcome];
}

static void read_cap(u32 msr)
{
	vmx_caps_set(&guest_caps, msr, rdmsr(msr));
}

/* SDM: "VMX Capability Reporting Facility" says which MSRs exist. */
static void read_caps(void)
{
	for (u32 msr = MSR_VMX_BASIC; msr <= MSR_VMX_VMCS_ENUM; msr++)
		read_cap(msr);
	if (guest_caps.msr[VMX_CAP_BASIC] & CAP_TRUE_CTLS)
		for (u32 msr = MSR_VMX_TRUE_PINBASED_CTLS; msr <= MSR_VMX_TRUE_ENTRY_CTLS; msr++)
			read_cap(msr);
	if (guest_control_allowed(VMX_WORD_PRIMARY, PRIMARY_SECONDARY_CONTROLS))
		read_cap(MSR_VMX_PROCBASED_CTLS2);
	if (guest_control_allowed(VMX_WORD_SECONDARY, SECONDARY_EPT) ||
	    guest_control_allowed(VMX_WORD_SECONDARY, SECONDARY_VPID))
		read_cap(MSR_VMX_EPT_VPID_CAP);
	if (guest_control_allowed(VMX_WORD_SECONDARY, SECONDARY_VM_FUNCTIONS))
		read_cap(MSR_VMX_VMFUNC);
	if (guest_control_allowed(VMX_WORD_PRIMARY, PRIMARY_TERTIARY_CONTROLS))
		read_cap(MSR_VMX_PROCBASED_CTLS3);
	if (guest_control_allowed(VMX_WORD_EXIT, EXIT_SECONDARY_CONTROLS))
		read_cap(MSR_VMX_EXIT_CTLS2);
	/* Those that were not read do not exist. */
	guest_caps.known = ~0ull;
}

void guest_vmx_init(void)
{
	const u64 feature_control = rdmsr(MSR_FEATURE_CONTROL);

	if (!(cpuid(1, 0).ecx & BIT(5)))
		guest_fail("the processor has no VMX");
	if (!(feature_control & FEATURE_CONTROL_LOCK))
		wrmsr(MSR_FEATURE_CONTROL, FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
	else if (!(feature_control & FEATURE_CONTROL_VMX))
		guest_fail("the firmware forbids VMX");
	read_caps();
	write_cr4(read_cr4() | CR4_VMXE);
}

bool guest_control_allowed(enum vmx_word word, u64 mask)
{
	return (vmx_caps_may_be_1(&guest_caps, word) & mask) == mask;
}

u64 guest_control(enum vmx_word word, u64 wanted)
{
	if (!guest_control_allowed(word, wanted))
		guest_fail("the processor lacks some of %lx in the %s", wanted,
			   vmx_control_words[word].title);
	return wanted | vmx_caps_must_be_1(&guest_caps, word);
}

void *guest_region(void)
{
	u32 *region = guest_pages(1);

	*region = (u32)CAP_GET(guest_caps.msr[VMX_CAP_BASIC], REVISION);
	return region;
}

static void must_succeed(enum vmx_outcome outcome, const char *what)
{
	if (outcome != VMX_SUCCEED)
		guest_fail("%s: %s, error %u", what, vmx_outcome_text(outcome), guest_vmcs_error());
}

void guest_vmx_on(void)
{
	if (!vmxon_region)
		vmxon_region = guest_region();
	must_succeed(vmxon(physical(vmxon_region)), "VMXON");
}

void guest_vmx_off(void)
{
	must_succeed(vmxoff(), "VMXOFF");
}

void guest_vmcs_load(const void *region)
{
	must_succeed(vmclear(physical(region)), "VMCLEAR");
	must_succeed(vmptrld(physical(region)), "VMPTRLD");
}

u64 guest_vmcs_read(u32 field)
{
	u64 value = 0;
	const enum vmx_outcome outcome = vmread(field, &value);

	if (outcome != VMX_SUCCEED)
		guest_fail("VMREAD of field %x: %s", field, vmx_outcome_text(outcome));
	return value;
}

void guest_vmcs_write(u32 field, u64 value)
{
	const enum vmx_outcome outcome = vmwrite(field, value);

	if (outcome != VMX_SUCCEED)
		guest_fail("VMWRITE of field %x: %s", field, vmx_outcome_text(outcome));
}

u32 guest_vmcs_error(void)
{
	u64 error = 0;

	vmread(VMCS_VM_INSTRUCTION_ERROR, &error);
	return (u32)error;
}
