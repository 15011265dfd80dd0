#include "hv/ap_restart.h"

#include "hv/apic.h"
#include "hv/insn.h"
#include "hv/kick.h"
#include "hv/panic.h"
#include "hv/traps.h"
#include "hv/vmcs01.h"
#include "vmx/tables.h"

#define ATTEND_POLLS 1000000 /* then it is busy with what ends the tape */
#define RESET_POLLS  1000    /* the next instruction is late enough */

_Noreturn void vm_run(void *stack_top);

/* MSRs of L1's that neither a VMCS holds nor INIT should change. */
static const u32 kept_msrs[] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_KERNEL_GS_BASE, MSR_TSC_AUX, MSR_XSS,
};

struct kept_state {
	u64 msr[ARRAY_SIZE(kept_msrs)];
	u64 xcr0, cr2, dr0, dr1, dr2, dr3, dr6;
	u32 apic[APIC_SAVED];
};

_Static_assert(sizeof(struct kept_state) <= KEPT_STATE_SIZE, "struct percpu");

static void keep(struct kept_state *kept)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept_msrs); i++)
		(void)rdmsr_safe(kept_msrs[i], &kept->msr[i]);
	kept->xcr0 = read_xcr0();
	kept->cr2 = read_cr2();
	kept->dr0 = read_dr0();
	kept->dr1 = read_dr1();
	kept->dr2 = read_dr2();
	kept->dr3 = read_dr3();
	kept->dr6 = read_dr6();
	apic_save(kept->apic);
}

static void bring_back(const struct kept_state *kept)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept_msrs); i++)
		(void)wrmsr_safe(kept_msrs[i], kept->msr[i]);
	(void)xsetbv_safe(0, kept->xcr0);
	write_cr2(kept->cr2);
	write_dr0(kept->dr0);
	write_dr1(kept->dr1);
	write_dr2(kept->dr2);
	write_dr3(kept->dr3);
	write_dr6(kept->dr6);
	apic_restore(kept->apic);
}

/* SDM, "VMXOFF": a VMCS that is active then may be lost. */
static void clear_vmcs(struct hwvmcs *vmcs)
{
	if (!vmcs->pa)
		return;
	if (!vmclear(vmcs->pa))
		panic("VMCLEAR of 0x%lx failed", vmcs->pa);
	vmcs->launched = false;
}

_Noreturn void ap_restart(struct percpu *cpu)
{
	keep((struct kept_state *)cpu->kept_state);
	__asm__ volatile("fxsave64 (%0)" : : "r"(cpu->fxsave) : "memory");
	clear_vmcs(&cpu->vmcs01);
	for (unsigned i = 0; i < NESTED_SLOTS; i++)
		clear_vmcs(&cpu->nested.slots[i].vmcs02);
	cpu->init_again = 0;
	__atomic_store_n(&cpu->restarting, true, __ATOMIC_SEQ_CST);
	kick_one(percpu_of(0), KICK_RESTART);
	/* That is where L1 sends its SIPIs from: one that came now would start it without hv. */
	for (unsigned i = 0; i < ATTEND_POLLS && !__atomic_load_n(&cpu->attended, __ATOMIC_SEQ_CST);
	     i++)
		__builtin_ia32_pause();
	vmxoff();
	for (unsigned i = 0; i < RESET_POLLS; i++)
		__builtin_ia32_pause();
	/* No INIT is left: L1 has sent several, and all of them were taken. */
	ap_resume(cpu);
}

_Noreturn void ap_resume(struct percpu *cpu)
{
	traps_load(cpu);
	if (vmcs01_enter_vmx(cpu) != ST_OK)
		panic("VMXON fails after a reset");
	cpu->hw = NULL;
	hwvmcs_switch(cpu, &cpu->vmcs01);
	__asm__ volatile("fxrstor64 (%0)" : : "r"(cpu->fxsave) : "memory");
	bring_back((const struct kept_state *)cpu->kept_state);
	__atomic_store_n(&cpu->attended, false, __ATOMIC_SEQ_CST);
	__atomic_store_n(&cpu->restarting, false, __ATOMIC_SEQ_CST);
	vm_run(cpu->stack_top);
}
