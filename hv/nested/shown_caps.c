/*
 * hv/nested/shown_caps.c - which VMX capabilities L1 is shown
 *
 * What this processor has, without what hv does not emulate, without what option caps= takes away.
 */
#include "hv/fault.h"
#include "hv/insn.h"
#include "hv/nested/nested.h"
#include "hv/nested/vmcs02.h"
#include "hv/processor.h"
#include "vmx/caps.h"

#define REGION_SIZE 4096ull

/*
 * Controls that hv emulates, by word; those that must be 1 are added. Without those that load
 * IA32_PERF_GLOBAL_CTRL, whose counters CPUID does not show either.
 */
static const u32 emulated[VMX_WORD_COUNT] = {
	[VMX_WORD_PIN] = PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS |
			 PIN_PREEMPTION_TIMER,
	[VMX_WORD_PRIMARY] =
		PRIMARY_INTERRUPT_WINDOW_EXITING | PRIMARY_TSC_OFFSETTING | PRIMARY_HLT_EXITING |
		PRIMARY_INVLPG_EXITING | PRIMARY_MWAIT_EXITING | PRIMARY_RDPMC_EXITING |
		PRIMARY_RDTSC_EXITING | PRIMARY_CR3_LOAD_EXITING | PRIMARY_CR3_STORE_EXITING |
		PRIMARY_CR8_LOAD_EXITING | PRIMARY_CR8_STORE_EXITING | PRIMARY_TPR_SHADOW |
		PRIMARY_NMI_WINDOW_EXITING | PRIMARY_MOV_DR_EXITING |
		PRIMARY_UNCONDITIONAL_IO_EXITING | PRIMARY_IO_BITMAPS | PRIMARY_MONITOR_TRAP_FLAG |
		PRIMARY_MSR_BITMAPS | PRIMARY_MONITOR_EXITING | PRIMARY_PAUSE_EXITING |
		PRIMARY_SECONDARY_CONTROLS,
	[VMX_WORD_SECONDARY] =
		SECONDARY_VIRTUALIZE_APIC_ACCESSES | SECONDARY_EPT |
		SECONDARY_DESCRIPTOR_TABLE_EXITING | SECONDARY_RDTSCP |
		SECONDARY_VIRTUALIZE_X2APIC_MODE | SECONDARY_VPID | SECONDARY_WBINVD_EXITING |
		SECONDARY_UNRESTRICTED_GUEST | SECONDARY_PAUSE_LOOP_EXITING |
		SECONDARY_RDRAND_EXITING | SECONDARY_INVPCID | SECONDARY_VM_FUNCTIONS |
		SECONDARY_RDSEED_EXITING | SECONDARY_PML | SECONDARY_EPT_VIOLATION_VE |
		SECONDARY_XSAVES | SECONDARY_TSC_SCALING | SECONDARY_APIC_REGISTER_VIRTUALIZATION |
		SECONDARY_VIRTUAL_INTERRUPT_DELIVERY,
	[VMX_WORD_EXIT] = EXIT_SAVE_DEBUG_CONTROLS | EXIT_HOST_ADDRESS_SPACE_SIZE |
			  EXIT_ACKNOWLEDGE_INTERRUPT | EXIT_SAVE_PAT | EXIT_LOAD_PAT |
			  EXIT_SAVE_EFER | EXIT_LOAD_EFER | EXIT_SAVE_PREEMPTION_TIMER,
	[VMX_WORD_ENTRY] = ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_IA32E_MODE_GUEST | ENTRY_LOAD_PAT |
			   ENTRY_LOAD_EFER,
};

static const u64 emulated_misc = CAP_PREEMPTION_TIMER_RATE | CAP_EXIT_STORES_LMA |
				 CAP_ACTIVITY_HLT | CAP_ACTIVITY_SHUTDOWN | CAP_ACTIVITY_WAIT_SIPI |
				 CAP_CR3_TARGETS | CAP_VMWRITE_ANY_FIELD |
				 CAP_ZERO_LENGTH_INJECTION;

static const u64 emulated_ept_vpid =
	CAP_EPT_EXECUTE_ONLY | CAP_EPT_WALK_4 | CAP_EPT_UC | CAP_EPT_WB | CAP_EPT_2M | CAP_EPT_1G |
	CAP_EPT_AD | CAP_INVEPT | CAP_INVEPT_SINGLE | CAP_INVEPT_ALL | CAP_INVVPID |
	CAP_INVVPID_ADDRESS | CAP_INVVPID_SINGLE | CAP_INVVPID_ALL | CAP_INVVPID_RETAIN_GLOBALS;

static const u64 emulated_basic =
	CAP_REGION_MEMORY_TYPE | CAP_IO_INSTRUCTION_INFO | CAP_TRUE_CTLS | CAP_ANY_ERROR_CODE;

/* Controls that may be 1: the emulated, and those that the processor wants to be 1 by default. */
static void show_word(const struct vmx_caps *real, struct vmx_caps *shown, unsigned word)
{
	const struct vmx_control_word *row = &vmx_control_words[word];
	const u32 may_be_1 = emulated[word] | (u32)real->msr[row->cap];
	const u64 keep = (u64)may_be_1 << 32 | 0xffffffff;

	shown->msr[row->cap] = real->msr[row->cap] & keep;
	shown->msr[row->true_cap] = real->msr[row->true_cap] & keep;
}

static void show(const struct vmx_caps *real, struct vmx_caps *shown)
{
	*shown = *real;
	shown->cpu = 0;
	for (unsigned word = 0; word < VMX_WORD_COUNT; word++) {
		if (vmx_control_words[word].layout == VMX_LAYOUT_SPLIT)
			show_word(real, shown, word);
		else
			shown->msr[vmx_control_words[word].cap] = 0;
	}
	shown->msr[VMX_CAP_BASIC] =
		(real->msr[VMX_CAP_BASIC] & emulated_basic) | VMCS12_REVISION | REGION_SIZE << 32;
	shown->msr[VMX_CAP_MISC] &= emulated_misc;
	shown->msr[VMX_CAP_EPT_VPID_CAP] &= emulated_ept_vpid;
	shown->msr[VMX_CAP_VMFUNC] &= CAP_EPTP_SWITCHING;
	vmx_caps_settle(shown);
}

/* caps=-name,-name: each name without its minus sign. */
static enum status mask_list(struct vmx_caps *shown, const char *list)
{
	char name[64];

	while (*list) {
		size_t length = 0;
		enum status status;

		if (*list++ != '-')
			return ST_INVALID;
		while (*list && *list != ',') {
			if (length == sizeof(name) - 1)
				return ST_NOT_FOUND;
			name[length++] = *list++;
		}
		name[length] = 0;
		status = vmx_caps_mask(shown, name);
		if (status != ST_OK)
			return status;
		if (*list == ',')
			list++;
	}
	return ST_OK;
}

/* Control fields that entry_check_controls() does not look at: any value is legal. */
static bool any_value_is_legal(int ix)
{
	switch (ix) {
	case VMCS_IX_TSC_OFFSET:
	case VMCS_IX_EXCEPTION_BITMAP:
	case VMCS_IX_PAGE_FAULT_ERROR_CODE_MASK:
	case VMCS_IX_PAGE_FAULT_ERROR_CODE_MATCH:
	case VMCS_IX_XSS_EXITING_BITMAP:
	case VMCS_IX_PLE_GAP:
	case VMCS_IX_PLE_WINDOW:
	case VMCS_IX_CR0_GUEST_HOST_MASK:
	case VMCS_IX_CR4_GUEST_HOST_MASK:
	case VMCS_IX_CR0_READ_SHADOW:
	case VMCS_IX_CR4_READ_SHADOW:
	case VMCS_IX_CR3_TARGET_VALUE_0:
	case VMCS_IX_CR3_TARGET_VALUE_1:
	case VMCS_IX_CR3_TARGET_VALUE_2:
	case VMCS_IX_CR3_TARGET_VALUE_3:
	/* These three are checked at each entry. */
	case VMCS_IX_VM_ENTRY_INTERRUPTION_INFO:
	case VMCS_IX_VM_ENTRY_EXCEPTION_ERROR_CODE:
	case VMCS_IX_VM_ENTRY_INSTRUCTION_LENGTH:
		return true;
	default:
		return false;
	}
}

enum status nested_caps_init(struct percpu *cpu, const char *masked)
{
	struct nested *nested = &cpu->nested;
	enum status status = ST_OK;

	show(processor_caps(), &nested->shown);
	if (masked)
		status = mask_list(&nested->shown, masked);
	vmcs_set_from_caps(&nested->exists, &nested->shown);
	nested->shown.msr[VMX_CAP_VMCS_ENUM] = (u64)vmcs_set_highest_index(&nested->exists) << 1;
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		if (!vmcs_set_has(&nested->exists, ix))
			continue;
		if (vmcs_fields[ix].kind == VMCS_KIND_CONTROL && !any_value_is_legal(ix))
			vmcs_set_add(&nested->control_fields, ix);
		if (vmcs_fields[ix].kind == VMCS_KIND_HOST)
			vmcs_set_add(&nested->host_fields, ix);
	}
	for (unsigned i = 0; i < NESTED_SET_WORDS; i++)
		nested->checked_fields.word[i] =
			nested->control_fields.word[i] | nested->host_fields.word[i];
	vmcs02_init(nested);
	return status;
}

/* SDM, "VMX Capability Reporting Facility": which of the MSRs a processor like this one has. */
bool nested_caps_msr(const struct percpu *cpu, u32 index, u64 *value)
{
	const struct vmx_caps *shown = &cpu->nested.shown;
	const u64 secondary = vmx_caps_may_be_1(shown, VMX_WORD_SECONDARY);
	const u64 primary = vmx_caps_may_be_1(shown, VMX_WORD_PRIMARY);
	bool exists;

	if (!MSR_IS_VMX_CAP(index))
		return false;
	switch (index) {
	case MSR_VMX_PROCBASED_CTLS2:
		exists = primary & PRIMARY_SECONDARY_CONTROLS;
		break;
	case MSR_VMX_EPT_VPID_CAP:
		exists = secondary & (SECONDARY_EPT | SECONDARY_VPID);
		break;
	case MSR_VMX_TRUE_PINBASED_CTLS:
	case MSR_VMX_TRUE_PROCBASED_CTLS:
	case MSR_VMX_TRUE_EXIT_CTLS:
	case MSR_VMX_TRUE_ENTRY_CTLS:
		exists = shown->msr[VMX_CAP_BASIC] & CAP_TRUE_CTLS;
		break;
	case MSR_VMX_VMFUNC:
		exists = secondary & SECONDARY_VM_FUNCTIONS;
		break;
	case MSR_VMX_PROCBASED_CTLS3:
		exists = primary & PRIMARY_TERTIARY_CONTROLS;
		break;
	case MSR_VMX_EXIT_CTLS2:
		exists = vmx_caps_may_be_1(shown, VMX_WORD_EXIT) & EXIT_SECONDARY_CONTROLS;
		break;
	default:
		exists = true;
		break;
	}
	if (exists)
		*value = shown->msr[index - MSR_VMX_BASIC];
	if (hv_fault(VMCS_ENUM_LOW) && index == MSR_VMX_VMCS_ENUM)
		*value = 1 << 1;
	if (hv_fault(CAPS_CONTRADICT) && index == MSR_VMX_TRUE_PINBASED_CTLS)
		*value |= PIN_POSTED_INTERRUPTS;
	return exists;
}
