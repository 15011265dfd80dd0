/*
 * hv/exit_msr.c - RDMSR and WRMSR of L1
 *
 * What VMX rules depend on is shown as nested VMX has it and recorded; MTRR writes take effect and
 * change EPT01; microcode updates are dropped; MSRs outside the bitmaps are passed on. A fault of
 * the processor becomes L1's fault.
 */
#include "hv/ept.h"
#include "hv/exit_l1.h"
#include "hv/fault.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/kick.h"
#include "hv/mtrr.h"
#include "hv/nested/host_state.h"
#include "hv/nested/nested.h"
#include "hv/vmcs01.h"
#include "vmx/tables.h"

#define FEATURE_CONTROL_LOCK BIT(0)

/*
 * What makes the processor store by itself, at addresses that no EPT translates: hidden by CPUID.
 */
static const struct {
	u32 first, last;
} stores[] = {
	{ MSR_PEBS_ENABLE, MSR_PEBS_ENABLE },
	{ MSR_RTIT_OUTPUT_BASE, MSR_RTIT_CTL },
	{ MSR_DS_AREA, MSR_DS_AREA },
	{ MSR_HW_FEEDBACK_PTR, MSR_HW_FEEDBACK_PTR },
};

bool l1_may_write_msr(u32 index, u64 value)
{
	for (size_t i = 0; i < ARRAY_SIZE(stores); i++)
		if (index >= stores[i].first && index <= stores[i].last)
			return false;
	/* An APIC in hv's memory would take the place of that for hv, too. */
	return index != MSR_APIC_BASE || !mem_is_hv(value & MASK(51, 12), PAGE_SIZE);
}

void l1_intercept_msrs(void)
{
	vmcs01_intercept_msr(MSR_FEATURE_CONTROL, true, true);
	vmcs01_intercept_msr(MSR_BIOS_UPDT_TRIG, false, true);
	vmcs01_intercept_msr(MSR_APIC_BASE, false, true);
	for (size_t i = 0; i < ARRAY_SIZE(stores); i++)
		for (u32 index = stores[i].first; index <= stores[i].last; index++)
			vmcs01_intercept_msr(index, false, true);
	for (u32 i = 0; i < VMX_CAP_COUNT; i++)
		vmcs01_intercept_msr(MSR_VMX_BASIC + i, true, true);
	for (u32 index = 0x200; index < 0x300; index++)
		if (mtrr_is_msr(index))
			vmcs01_intercept_msr(index, false, true);
}

static bool is_vmx_msr(u32 index)
{
	return index == MSR_FEATURE_CONTROL || MSR_IS_VMX_CAP(index);
}

static enum exit_action read_vmx_msr(struct percpu *cpu, u32 index)
{
	struct ev_msr_read *event = (void *)exit_event(cpu, EV_MSR_READ, exit_level(cpu));
	u64 value = cpu->feature_control;

	event->msr = index;
	if (index != MSR_FEATURE_CONTROL && !nested_caps_msr(cpu, index, &value))
		return exit_inject_gp(cpu);
	event->value = value;
	cpu->regs[REG_RAX] = (u32)value;
	cpu->regs[REG_RDX] = value >> 32;
	return EXIT_SKIP;
}

enum exit_action l1_handle_rdmsr(struct percpu *cpu)
{
	const u32 index = (u32)cpu->regs[REG_RCX];
	u64 value;

	if (is_vmx_msr(index))
		return read_vmx_msr(cpu, index);
	if (rdmsr_safe(index, &value) != ST_OK)
		return exit_inject_gp(cpu);
	cpu->regs[REG_RAX] = (u32)value;
	cpu->regs[REG_RDX] = value >> 32;
	return EXIT_SKIP;
}

static enum exit_action write_vmx_msr(struct percpu *cpu, u32 index, u64 value)
{
	struct ev_msr_write *event = (void *)exit_event(cpu, EV_MSR_WRITE, exit_level(cpu));

	event->msr = index;
	event->value = value;
	if (index != MSR_FEATURE_CONTROL || cpu->feature_control & FEATURE_CONTROL_LOCK)
		return exit_inject_gp(cpu);
	cpu->feature_control = value;
	return EXIT_SKIP;
}

void l1_memory_types_changed(struct percpu *cpu)
{
	if (cpu->id)
		kick_expect_flush(cpu);
	else
		cpu->types_stale = true;
}

void l1_take_memory_types(struct percpu *cpu)
{
	cpu->types_stale = false;
	if (ept01_update_types())
		kick_flush_others();
}

enum exit_action l1_handle_wrmsr(struct percpu *cpu)
{
	const u32 index = (u32)cpu->regs[REG_RCX];
	const u64 value = (u32)cpu->regs[REG_RAX] | cpu->regs[REG_RDX] << 32;

	if (is_vmx_msr(index))
		return write_vmx_msr(cpu, index, value);
	if (vmcs01_is_watched(index) && exit_level(cpu) == 1 && host_state_open(cpu, KEPT_MSRS))
		return EXIT_RESUME;
	if (index == MSR_BIOS_UPDT_TRIG)
		return EXIT_SKIP;
	if (hv_fault(GS_BASE_OF_VMCS01) && index == MSR_GS_BASE) {
		struct hwvmcs *hw = cpu->hw;

		hwvmcs_switch(cpu, &cpu->vmcs01);
		vmwrite(VMCS_GUEST_GS_BASE, value);
		hwvmcs_switch(cpu, hw);
		return EXIT_SKIP;
	}
	if (!l1_may_write_msr(index, value) || wrmsr_safe(index, value) != ST_OK)
		return exit_inject_gp(cpu);
	if (mtrr_is_msr(index))
		l1_memory_types_changed(cpu);
	return EXIT_SKIP;
}
