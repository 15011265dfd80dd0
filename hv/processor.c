#include "hv/processor.h"

#include "hv/insn.h"
#include "hv/log.h"

#define FEATURE_CONTROL_LOCK BIT(0)
#define FEATURE_CONTROL_VMX  BIT(2)
#define CPUID_VMX	     BIT(5)
#define CPUID_SSE42	     BIT(20)
#define LEAF_WIDTHS	     0x80000008

static const struct {
	u32 word, wanted;
	const char *name;
} needed[] = {
	{ VMX_WORD_PIN, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, "NMI exiting and virtual NMIs" },
	{ VMX_WORD_PRIMARY, PRIMARY_MSR_BITMAPS | PRIMARY_IO_BITMAPS, "MSR and I/O bitmaps" },
	{ VMX_WORD_PRIMARY, PRIMARY_SECONDARY_CONTROLS, "secondary controls" },
	{ VMX_WORD_SECONDARY, SECONDARY_EPT, "EPT" },
	{ VMX_WORD_SECONDARY, SECONDARY_VPID, "VPID" },
	{ VMX_WORD_SECONDARY, SECONDARY_UNRESTRICTED_GUEST, "unrestricted guest" },
	{ VMX_WORD_EXIT, EXIT_SAVE_EFER | EXIT_LOAD_EFER, "save and load IA32_EFER at exits" },
	{ VMX_WORD_EXIT, EXIT_SAVE_PAT | EXIT_LOAD_PAT, "save and load IA32_PAT at exits" },
	{ VMX_WORD_ENTRY, ENTRY_LOAD_EFER | ENTRY_LOAD_PAT,
	  "load IA32_EFER and IA32_PAT at entries" },
};

/* What hv uses without asking again. */
static const struct {
	u32 cap;
	u64 wanted;
	const char *name;
} needed_bits[] = {
	{ VMX_CAP_BASIC, CAP_TRUE_CTLS, "execution without exits at accesses to CR3" },
	{ VMX_CAP_EPT_VPID_CAP, CAP_EPT_WALK_4 | CAP_EPT_WB | CAP_EPT_2M,
	  "EPT of four levels, in write-back memory, with pages of 2 MiB" },
	{ VMX_CAP_EPT_VPID_CAP, CAP_INVEPT | CAP_INVEPT_SINGLE | CAP_INVEPT_ALL, "INVEPT" },
	{ VMX_CAP_EPT_VPID_CAP, CAP_INVVPID | CAP_INVVPID_SINGLE | CAP_INVVPID_ALL, "INVVPID" },
};

static struct vmx_caps caps;

const struct vmx_caps *processor_caps(void)
{
	return &caps;
}

u32 processor_controls(unsigned word, u32 wanted)
{
	const struct vmx_control_word *row = &vmx_control_words[word];
	const bool true_ctls = caps.msr[VMX_CAP_BASIC] & CAP_TRUE_CTLS;
	const u64 cap = caps.msr[true_ctls ? row->true_cap : row->cap];

	return (wanted & (u32)(cap >> 32)) | (u32)cap;
}

static void read_caps(struct vmx_caps *to)
{
	const u32 widths = cpuid(LEAF_WIDTHS, 0).eax;

	to->maxphyaddr = (u8)widths;
	to->linear_width = (u8)(widths >> 8);
	for (u32 i = 0; i < VMX_CAP_COUNT; i++) {
		u64 value = 0;

		/* A fault: the MSR does not exist, which is the same as 0. */
		(void)rdmsr_safe(MSR_VMX_BASIC + i, &value);
		vmx_caps_set(to, MSR_VMX_BASIC + i, value);
	}
}

/* VT-x is there and switched on. */
static enum status check_vmx(void)
{
	const u32 features = cpuid(1, 0).ecx;
	u64 feature_control;

	if (!(features & CPUID_VMX)) {
		log_print("this processor has no VT-x (CPUID.1:ECX[5] is 0); in Bochs choose an "
			  "Intel model");
		return ST_UNSUPPORTED;
	}
	if (!(features & CPUID_SSE42)) {
		log_print("this processor has no SSE4.2, which checksums need");
		return ST_UNSUPPORTED;
	}
	feature_control = rdmsr(MSR_FEATURE_CONTROL);
	if (!(feature_control & FEATURE_CONTROL_LOCK))
		wrmsr(MSR_FEATURE_CONTROL,
		      feature_control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
	else if (!(feature_control & FEATURE_CONTROL_VMX)) {
		log_print("the firmware has disabled VT-x (IA32_FEATURE_CONTROL is 0x%lx); enable "
			  "it in its set-up",
			  feature_control);
		return ST_UNSUPPORTED;
	}
	return ST_OK;
}

static enum status check_needed(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if ((processor_controls(needed[i].word, needed[i].wanted) & needed[i].wanted) !=
		    needed[i].wanted) {
			log_print("this processor lacks '%s'", needed[i].name);
			return ST_UNSUPPORTED;
		}
	for (size_t i = 0; i < ARRAY_SIZE(needed_bits); i++)
		if ((caps.msr[needed_bits[i].cap] & needed_bits[i].wanted) !=
		    needed_bits[i].wanted) {
			log_print("this processor lacks '%s'", needed_bits[i].name);
			return ST_UNSUPPORTED;
		}
	return ST_OK;
}

enum status processor_check(void)
{
	if (check_vmx() != ST_OK)
		return ST_UNSUPPORTED;
	read_caps(&caps);
	return check_needed();
}

enum status processor_join(void)
{
	struct vmx_caps own = { 0 };

	if (check_vmx() != ST_OK)
		return ST_UNSUPPORTED;
	read_caps(&own);
	if (!vmx_caps_intersect(&caps, &own)) {
		log_print("the processors differ in their VMX-preemption timers or VMCS regions");
		return ST_UNSUPPORTED;
	}
	if (!(caps.msr[VMX_CAP_MISC] & CAP_ACTIVITY_WAIT_SIPI)) {
		log_print("this processor lacks the activity state wait-for-SIPI");
		return ST_UNSUPPORTED;
	}
	return check_needed();
}

u32 processor_timer(u64 ticks)
{
	const u64 rate = CAP_GET(processor_caps()->msr[VMX_CAP_MISC], PREEMPTION_TIMER_RATE);

	return (u32)MIN(ticks >> rate, 0xffffffff);
}
