/*
 * hv/exit_cr.c - L1 writes a bit of CR0 or CR4 that hv owns
 *
 * Only NE, VMXE and, in VMX operation, PE and PG bring L1 here for long (host_state_open() ends
 * what else does), so this path may be slow, but it must do all that the instruction does, since
 * the other bits of the register may change with it.
 */
#include "hv/exit_l1.h"
#include "hv/insn.h"
#include "hv/nested/host_state.h"
#include "hv/nested/vmcs02.h"
#include "hv/vmcs01.h"
#include "vmx/tables.h"

#define CR0_WRITABLE   0xe005003full
#define CR4_LA57       BIT(12)
#define INVVPID_SINGLE 1

enum { CR_MOV_TO, CR_MOV_FROM, CR_CLTS, CR_LMSW };

/*
 * A MOV to CR4 that changes one of these drops cached translations; SDM "Operations that
 * Invalidate".
 */
#define CR4_FLUSH (BIT(4) | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP)

static void flush_l1(void)
{
	invvpid(INVVPID_SINGLE, VPID_L1, 0);
}

/* With PAE paging the four PDPTEs are loaded by MOV to CR0, CR3 and CR4. */
static bool load_pdptes(const struct percpu *cpu, u64 cr0, u64 cr4)
{
	u64 pdpte[4];

	if (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE) || vmread(VMCS_GUEST_IA32_EFER) & EFER_LMA)
		return true;
	if (!vmcs02_read_pdptes(&cpu->nested, vmread(VMCS_GUEST_CR3), pdpte))
		return false;
	vmwrite(VMCS_GUEST_PDPTE0, pdpte[0]);
	vmwrite(VMCS_GUEST_PDPTE1, pdpte[1]);
	vmwrite(VMCS_GUEST_PDPTE2, pdpte[2]);
	vmwrite(VMCS_GUEST_PDPTE3, pdpte[3]);
	return true;
}

/* SDM "MOV-Move to/from Control Registers": what a write to CR4 must satisfy. */
static bool cr4_is_legal(const struct percpu *cpu, u64 old, u64 new)
{
	const bool lma = vmread(VMCS_GUEST_IA32_EFER) & EFER_LMA;

	if (new & ~rdmsr(MSR_VMX_CR4_FIXED1))
		return false;
	if (lma && (!(new &CR4_PAE) || (old ^ new) & CR4_LA57))
		return false;
	if (new & ~old & CR4_PCIDE && (!lma || vmread(VMCS_GUEST_CR3) & MASK(11, 0)))
		return false;
	return cpu->nested.mode == NESTED_OFF || new &CR4_VMXE;
}

static enum exit_action write_cr4_of_l1(struct percpu *cpu, u64 new)
{
	const u64 old = vmcs01_visible_cr4();
	struct ev_cr_write *event = (void *)exit_event(cpu, EV_CR_WRITE, 1);

	event->cr = 4;
	event->old = old;
	event->value = new;
	if (!cr4_is_legal(cpu, old, new))
		return exit_inject_gp(cpu);
	if ((old ^ new) & CR4_PAE && !load_pdptes(cpu, vmread(VMCS_GUEST_CR0), new))
		return exit_inject_gp(cpu);
	vmwrite(VMCS_GUEST_CR4, new | CR4_VMXE);
	vmwrite(VMCS_CR4_READ_SHADOW, new);
	if ((old ^ new) & CR4_FLUSH)
		flush_l1();
	return EXIT_SKIP;
}

static bool cr0_is_legal(const struct percpu *cpu, u64 old, u64 new)
{
	const u64 fixed = CR0_PE | CR0_PG | CR0_NE;
	const bool code64 = vmread(VMCS_GUEST_CS_ACCESS_RIGHTS) & BIT(13);

	if (new >> 32 || (new &CR0_PG && !(new &CR0_PE)) || (new &CR0_NW && !(new &CR0_CD)))
		return false;
	if (cpu->nested.mode != NESTED_OFF && (new &fixed) != fixed)
		return false;
	if (new & ~old & CR0_PG &&vmread(VMCS_GUEST_IA32_EFER) & EFER_LME &&
	    (!(vmread(VMCS_GUEST_CR4) & CR4_PAE) || code64))
		return false;
	/* Paging can't be switched off from 64-bit code, nor with PCIDs. */
	return !(old & ~new &CR0_PG) || (!(code64 && vmread(VMCS_GUEST_IA32_EFER) & EFER_LMA) &&
					 !(vmread(VMCS_GUEST_CR4) & CR4_PCIDE));
}

/* CR0.PG switches IA-32e mode on and off while EFER.LME is set. */
static void update_long_mode(u64 old, u64 new)
{
	const u64 efer = vmread(VMCS_GUEST_IA32_EFER);
	const u64 entry = vmread(VMCS_VM_ENTRY_CONTROLS);

	if (!((old ^ new) & CR0_PG) || !(efer & EFER_LME))
		return;
	if (new &CR0_PG) {
		vmwrite(VMCS_GUEST_IA32_EFER, efer | EFER_LMA);
		vmwrite(VMCS_VM_ENTRY_CONTROLS, entry | ENTRY_IA32E_MODE_GUEST);
	} else {
		vmwrite(VMCS_GUEST_IA32_EFER, efer & ~EFER_LMA);
		vmwrite(VMCS_VM_ENTRY_CONTROLS, entry & ~(u64)ENTRY_IA32E_MODE_GUEST);
	}
}

/*
 * SDM, "Loading Guest Control Registers, Debug Registers, and MSRs": entries leave CD and NW alone,
 * and so do exits, so that hv's are L1's.
 */
static void load_cache_bits(u64 new)
{
	const u64 bits = CR0_CD | CR0_NW, own = read_cr0();

	if ((own ^ new) & bits)
		write_cr0((own & ~bits) | (new &bits));
}

static enum exit_action write_cr0_of_l1(struct percpu *cpu, u64 new)
{
	const u64 old = vmcs01_visible_cr0();
	struct ev_cr_write *event = (void *)exit_event(cpu, EV_CR_WRITE, 1);

	event->cr = 0;
	event->old = old;
	event->value = new;
	if (!cr0_is_legal(cpu, old, new))
		return exit_inject_gp(cpu);
	new = (new &CR0_WRITABLE) | BIT(4);
	if (new & ~old & CR0_PG && !(vmread(VMCS_GUEST_IA32_EFER) & EFER_LME) &&
	    !load_pdptes(cpu, new, vmread(VMCS_GUEST_CR4)))
		return exit_inject_gp(cpu);
	update_long_mode(old, new);
	load_cache_bits(new);
	vmwrite(VMCS_GUEST_CR0, new | CR0_NE);
	vmwrite(VMCS_CR0_READ_SHADOW, new);
	if ((old ^ new) & (CR0_PG | BIT(16) | CR0_PE))
		flush_l1();
	return EXIT_SKIP;
}

/* MOV to a control register takes 64 bits in 64-bit code and 32 elsewhere. */
static u64 operand(const struct percpu *cpu, unsigned reg)
{
	const bool code64 = vmread(VMCS_GUEST_CS_ACCESS_RIGHTS) & BIT(13) &&
			    vmread(VMCS_GUEST_IA32_EFER) & EFER_LMA;
	const u64 value = percpu_reg(cpu, reg);

	return code64 ? value : (u32)value;
}

/* SDM "Exit Qualification for Control-Register Accesses". */
enum exit_action l1_handle_cr(struct percpu *cpu)
{
	const u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	const unsigned reg = (unsigned)BITS(qualification, 11, 8);
	const unsigned cr = (unsigned)BITS(qualification, 3, 0);
	u64 cr0;

	/* The write exits again, if it is of a bit that hv owns. */
	if (host_state_open(cpu, KEPT_REGISTERS))
		return EXIT_RESUME;
	cr0 = vmcs01_visible_cr0();
	switch (BITS(qualification, 5, 4)) {
	case CR_MOV_TO:
		if (cr == 0)
			return write_cr0_of_l1(cpu, operand(cpu, reg));
		if (cr == 4)
			return write_cr4_of_l1(cpu, operand(cpu, reg));
		l1_stop_unexpected(cpu);
	case CR_LMSW:
		/* LMSW writes bits 3:0 and can set PE but not clear it. */
		return write_cr0_of_l1(cpu, (cr0 & ~MASK(3, 1)) | BITS(qualification, 19, 16));
	default:
		l1_stop_unexpected(cpu);
	}
}
