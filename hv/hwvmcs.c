#include "hv/hwvmcs.h"

#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/percpu.h"
#include "hv/traps.h"
#include "vmx/tables.h"

extern const u8 vmexit_entry[];

bool hwvmcs_try_init(struct hwvmcs *vmcs)
{
	u32 *region = mem_try_page();

	if (!region)
		return false;
	*region = (u32)CAP_GET(rdmsr(MSR_VMX_BASIC), REVISION);
	*vmcs = (struct hwvmcs){ .pa = virt_to_phys(region) };
	if (!vmclear(vmcs->pa))
		panic("VMCLEAR of 0x%lx failed", vmcs->pa);
	return true;
}

void hwvmcs_init(struct hwvmcs *vmcs)
{
	if (!hwvmcs_try_init(vmcs))
		panic("no page is left for a VMCS");
}

void hwvmcs_switch(struct percpu *cpu, struct hwvmcs *vmcs)
{
	if (cpu->hw == vmcs)
		return;
	if (!vmptrld(vmcs->pa))
		panic("VMPTRLD of 0x%lx failed", vmcs->pa);
	cpu->hw = vmcs;
}

void hwvmcs_write_host_state(struct percpu *cpu)
{
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_CS_SELECTOR, SELECTOR_CODE);
	vmwrite(VMCS_HOST_SS_SELECTOR, SELECTOR_DATA);
	vmwrite(VMCS_HOST_DS_SELECTOR, SELECTOR_DATA);
	vmwrite(VMCS_HOST_ES_SELECTOR, SELECTOR_DATA);
	vmwrite(VMCS_HOST_FS_SELECTOR, 0);
	vmwrite(VMCS_HOST_GS_SELECTOR, 0);
	vmwrite(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
	/* libzstd.a reads its stack canary at %fs:0x28: any readable bytes serve. */
	vmwrite(VMCS_HOST_FS_BASE, (u64)cpu);
	vmwrite(VMCS_HOST_GS_BASE, (u64)cpu);
	vmwrite(VMCS_HOST_TR_BASE, traps_tss_base(cpu));
	vmwrite(VMCS_HOST_GDTR_BASE, traps_gdt_base(cpu));
	vmwrite(VMCS_HOST_IDTR_BASE, traps_idt_base());
	vmwrite(VMCS_HOST_IA32_SYSENTER_CS, 0);
	vmwrite(VMCS_HOST_IA32_SYSENTER_ESP, 0);
	vmwrite(VMCS_HOST_IA32_SYSENTER_EIP, 0);
	vmwrite(VMCS_HOST_IA32_EFER, rdmsr(MSR_EFER));
	vmwrite(VMCS_HOST_IA32_PAT, HOST_PAT);
	vmwrite(VMCS_HOST_RIP, (u64)vmexit_entry);
	vmwrite(VMCS_HOST_RSP, (u64)cpu->stack_top);
}
