#include "hv/nested/vmcs02_registers.h"

#include "hv/insn.h"
#include "hv/vmcs01.h"

#define EXITS_OPEN		 64

/* DR7 that entries and exits leave as it is: bit 10 is 1, no GD, which any #DB clears. */
#define DR7_FIXED		 (MASK(63, 32) | MASK(15, 10))
#define DR7_ONES		 BIT(10)

/* SDM, "Exit Qualification for Control-Register Accesses". */
#define CR_NUMBER(qualification) BITS(qualification, 3, 0)
#define CR_ACCESS(qualification) BITS(qualification, 5, 4)
#define CR_MOV_FROM		 1

/* What MOV from the register gives. */
static u64 visible(u64 mask, u64 shadow, u64 value)
{
	return (mask & shadow) | (~mask & value);
}

static void let_dr_exit(const struct nested_vmcs *vmcs, bool on)
{
	const u64 exiting = PRIMARY_MOV_DR_EXITING;
	const u64 primary = vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS);

	if (!(F12(vmcs, PRIMARY_PROC_BASED_CONTROLS) & exiting))
		vmwrite(VMCS_PRIMARY_PROC_BASED_CONTROLS,
			on ? primary | exiting : primary & ~exiting);
}

static void close_registers(struct nested_vmcs *vmcs)
{
	vmcs->registers_closed = true;
	vmwrite(VMCS_CR0_GUEST_HOST_MASK, ~0ull);
	vmwrite(VMCS_CR0_READ_SHADOW, visible(F12(vmcs, CR0_GUEST_HOST_MASK),
					      F12(vmcs, CR0_READ_SHADOW), F12(vmcs, GUEST_CR0)));
	vmwrite(VMCS_CR4_GUEST_HOST_MASK, ~0ull);
	vmwrite(VMCS_CR4_READ_SHADOW, visible(F12(vmcs, CR4_GUEST_HOST_MASK),
					      F12(vmcs, CR4_READ_SHADOW), F12(vmcs, GUEST_CR4)));
	let_dr_exit(vmcs, true);
}

static NOINLINE void open_registers(struct nested_vmcs *vmcs)
{
	vmcs->registers_open = EXITS_OPEN;
	if (!vmcs->registers_closed)
		return;
	vmcs->registers_closed = vmcs->dr7_known = false;
	vmwrite(VMCS_CR0_GUEST_HOST_MASK, F12(vmcs, CR0_GUEST_HOST_MASK));
	vmwrite(VMCS_CR0_READ_SHADOW, F12(vmcs, CR0_READ_SHADOW));
	vmwrite(VMCS_CR4_GUEST_HOST_MASK, F12(vmcs, CR4_GUEST_HOST_MASK));
	vmwrite(VMCS_CR4_READ_SHADOW, F12(vmcs, CR4_READ_SHADOW));
	let_dr_exit(vmcs, false);
}

/*
 * SDM, "Loading Guest Control Registers, Debug Registers, and MSRs": CD and NW are not loaded. They
 * are those of L1, who may have changed them since the exit that saved CR0.
 */
static bool cache_bits_differ(const struct nested_vmcs *vmcs)
{
	return (read_cr0() ^ F12(vmcs, GUEST_CR0)) & (CR0_CD | CR0_NW);
}

void vmcs02_prepare_registers(const struct nested *nested, struct nested_vmcs *vmcs, bool changed)
{
	if ((unlikely(changed) && nested_sets_meet(&vmcs->dirty, &nested->register_fields)) ||
	    unlikely(cache_bits_differ(vmcs)))
		open_registers(vmcs);
	else if (unlikely(!vmcs->registers_closed) && !vmcs->registers_open)
		close_registers(vmcs);
}

void vmcs02_count_open_registers(struct nested_vmcs *vmcs)
{
	if (vmcs->registers_open)
		vmcs->registers_open--;
}

void vmcs02_write_dr7(struct nested_vmcs *vmcs, u64 dr7)
{
	const u64 exits = F12(vmcs, PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_MOV_DR_EXITING;

	if (unlikely(!vmcs->dr7_known) || dr7 != vmcs->dr7)
		vmwrite(VMCS_GUEST_DR7, dr7);
	vmcs->dr7 = dr7;
	vmcs->dr7_known = (vmcs->registers_closed || exits) && (dr7 & DR7_FIXED) == DR7_ONES;
}

u64 vmcs02_dr7(const struct nested_vmcs *vmcs)
{
	return likely(vmcs->dr7_known) ? vmcs->dr7 : vmread(VMCS_GUEST_DR7);
}

bool vmcs02_open_control_registers(struct nested_vmcs *vmcs, u64 qualification)
{
	const unsigned number = (unsigned)CR_NUMBER(qualification);

	if (!vmcs->registers_closed || CR_ACCESS(qualification) == CR_MOV_FROM ||
	    (number != 0 && number != 4))
		return false;
	open_registers(vmcs);
	return true;
}

bool vmcs02_open_debug_registers(struct nested_vmcs *vmcs)
{
	if (!vmcs->registers_closed ||
	    F12(vmcs, PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_MOV_DR_EXITING)
		return false;
	open_registers(vmcs);
	return true;
}
