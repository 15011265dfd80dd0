/*
 * MSRs, and XCR0.
 */
#include "tests/stubs/stub_parts.h"

#define MAX_MSRS 256

struct msr {
	u32 index;
	u64 value, reserved;
};

struct vmx_caps stub_caps;

static struct msr msrs[MAX_MSRS];
static unsigned msr_count;

static struct msr *find_msr(u32 index)
{
	for (unsigned i = 0; i < msr_count; i++)
		if (msrs[i].index == index)
			return &msrs[i];
	return NULL;
}

void stub_msr_set(u32 index, u64 value)
{
	struct msr *msr = find_msr(index);

	if (!msr) {
		if (msr_count == MAX_MSRS)
			stub_misuse("too many MSRs", index);
		msr = &msrs[msr_count++];
		*msr = (struct msr){ .index = index };
	}
	msr->value = value;
	vmx_caps_set(&stub_caps, index, value);
}

void stub_msr_set_reserved(u32 index, u64 reserved)
{
	struct msr *msr = find_msr(index);

	if (!msr)
		stub_misuse("there is no such MSR", index);
	msr->reserved = reserved;
}

void stub_msr_remove(u32 index)
{
	struct msr *msr = find_msr(index);

	if (msr)
		*msr = msrs[--msr_count];
	vmx_caps_set(&stub_caps, index, 0);
}

u64 stub_msr(u32 index)
{
	const struct msr *msr = find_msr(index);

	if (!msr)
		stub_misuse("there is no such MSR", index);
	return msr->value;
}

enum status rdmsr_safe(u32 index, u64 *value)
{
	const struct msr *msr = find_msr(index);

	if (!msr)
		return ST_FAULT;
	*value = msr->value;
	return ST_OK;
}

enum status wrmsr_safe(u32 index, u64 value)
{
	struct msr *msr = find_msr(index);

	if (!msr || value & msr->reserved || MSR_IS_VMX_CAP(index))
		return ST_FAULT;
	msr->value = value;
	if (index == MSR_TSC)
		stub_cpu.tsc = value;
	if (stub_cpu.msr_write_count < STUB_LOG_MAX)
		stub_cpu.msr_writes[stub_cpu.msr_write_count++] =
			(struct stub_msr_write){ index, value };
	return ST_OK;
}

u64 rdmsr(u32 index)
{
	u64 value;

	if (rdmsr_safe(index, &value) != ST_OK)
		stub_misuse("hv reads an MSR that faults", index);
	return value;
}

void wrmsr(u32 index, u64 value)
{
	if (wrmsr_safe(index, value) != ST_OK)
		stub_misuse("hv writes an MSR, which faults", index);
}

enum status xsetbv_safe(u32 index, u64 value)
{
	if (index || !(value & 1) || value & ~stub_cpu.xcr0_valid)
		return ST_FAULT;
	stub_cpu.xcr0 = value;
	return ST_OK;
}

/* The capabilities of Bochs 2.7's skylake_x, and the monitor trap flag. */
static const u64 vmx_msrs[] = {
	[VMX_CAP_BASIC] = 0xd810000000002b,
	[VMX_CAP_PINBASED_CTLS] = 0x7f00000016,
	[VMX_CAP_PROCBASED_CTLS] = 0xfff9fffe0401e172,
	[VMX_CAP_EXIT_CTLS] = 0x7fffff00036dff,
	[VMX_CAP_ENTRY_CTLS] = 0xffff000011ff,
	[VMX_CAP_MISC] = 0x600401e0,
	[VMX_CAP_CR0_FIXED0] = 0x80000021,
	[VMX_CAP_CR0_FIXED1] = 0xffffffff,
	[VMX_CAP_CR4_FIXED0] = 0x2000,
	[VMX_CAP_CR4_FIXED1] = 0x3727ff,
	[VMX_CAP_VMCS_ENUM] = 0x34,
	[VMX_CAP_PROCBASED_CTLS2] = 0x2177fff00000000,
	[VMX_CAP_EPT_VPID_CAP] = 0xf0106334141,
	[VMX_CAP_TRUE_PINBASED_CTLS] = 0x7f00000016,
	[VMX_CAP_TRUE_PROCBASED_CTLS] = 0xfff9fffe04006172,
	[VMX_CAP_TRUE_EXIT_CTLS] = 0x7fffff00036dfb,
	[VMX_CAP_TRUE_ENTRY_CTLS] = 0xffff000011fb,
	[VMX_CAP_VMFUNC] = 1,
};

static const struct {
	u32 index;
	u64 value;
} other_msrs[] = {
	{ MSR_TSC, 0 },
	{ MSR_APIC_BASE, 0xfee00900 },
	{ MSR_FEATURE_CONTROL, 5 },
	{ MSR_TSC_ADJUST, 0 },
	{ MSR_BIOS_UPDT_TRIG, 0 },
	{ MSR_BIOS_SIGN_ID, 0x1234ull << 32 },
	{ MSR_MTRRCAP, 0x508 }, /* eight variable ranges, fixed ranges, WC */
	{ MSR_SYSENTER_CS, 0 },
	{ MSR_SYSENTER_ESP, 0 },
	{ MSR_SYSENTER_EIP, 0 },
	{ MSR_MISC_ENABLE, 1 },
	{ MSR_DEBUGCTL, 0 },
	{ MSR_PAT, 0x0007040600070406 },
	{ MSR_MTRR_DEF_TYPE, 0xc06 }, /* MTRRs on, fixed ranges on, write-back */
	{ MSR_EFER, 0xd01 },
	{ MSR_STAR, 0 },
	{ MSR_LSTAR, 0 },
	{ MSR_CSTAR, 0 },
	{ MSR_FMASK, 0 },
	{ MSR_FS_BASE, 0 },
	{ MSR_GS_BASE, 0 },
	{ MSR_KERNEL_GS_BASE, 0 },
	{ MSR_TSC_AUX, 0 },
	{ MSR_XSS, 0 },
};

static const u32 fixed_mtrrs[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
				   0x26b, 0x26c, 0x26d, 0x26e, 0x26f };

void stub_reset_msrs(void)
{
	msr_count = 0;
	stub_caps = (struct vmx_caps){ .maxphyaddr = STUB_PHYS_WIDTH, .linear_width = 48 };
	for (u32 i = 0; i < ARRAY_SIZE(vmx_msrs); i++)
		stub_msr_set(MSR_VMX_BASIC + i, vmx_msrs[i]);
	vmx_caps_set(&stub_caps, MSR_VMX_PROCBASED_CTLS3, 0);
	vmx_caps_set(&stub_caps, MSR_VMX_EXIT_CTLS2, 0);
	for (size_t i = 0; i < ARRAY_SIZE(other_msrs); i++)
		stub_msr_set(other_msrs[i].index, other_msrs[i].value);
	for (u32 i = 0; i < 16; i++)
		stub_msr_set(MSR_MTRR_PHYSBASE0 + i, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fixed_mtrrs); i++)
		stub_msr_set(fixed_mtrrs[i], 0x0606060606060606);
}
