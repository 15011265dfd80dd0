#include "hv/nested/host_state.h"

#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/insn.h"
#include "hv/nested/vmcs02.h"
#include "hv/vmcs01.h"

/* Bits of CR0 that exits leave alone: ET, CD, NW, 63:32, 28:19, 17, 15:6. */
#define CR0_KEPT      (BIT(4) | CR0_NW | CR0_CD | MASK(63, 32) | MASK(28, 19) | BIT(17) | MASK(15, 6))
#define DR7_RESET     0x400
#define RFLAGS_RESET  2
#define RFLAGS_TF     BIT(8)
#define BLOCKING_NMI  BIT(3)
#define TR_LIMIT      0x67
#define TABLE_LIMIT   0xffff
#define SEGMENT_LIMIT 0xffffffff

#define EXITS_OPEN    64

/* Access rights in VMCS format. */
#define AR_CODE32     0xc09b
#define AR_DATA	      0xc093
#define AR_TSS	      0x8b
#define AR_UNUSABLE   0x10000

enum { ES, CS, SS, DS, FS, GS, LDTR, TR };

/* VMCS01 holds what L1 had when it entered L2, which is often what it is to have again. */
static void write_unless(u32 field, u64 value, u64 left)
{
	if (value != left)
		vmwrite(field, value);
}

static void load_segment(unsigned segment, u64 selector, u64 base, u64 limit, u64 rights)
{
	const u32 offset = 2 * segment; /* the same in each group of fields */

	vmwrite(VMCS_GUEST_ES_SELECTOR + offset, selector);
	vmwrite(VMCS_GUEST_ES_BASE + offset, base);
	vmwrite(VMCS_GUEST_ES_LIMIT + offset, limit);
	vmwrite(VMCS_GUEST_ES_ACCESS_RIGHTS + offset, rights);
}

/* A null selector makes the register unusable, and what is behind it undefined. */
static void load_data_segment(unsigned segment, u64 selector)
{
	if (selector) {
		load_segment(segment, selector, 0, SEGMENT_LIMIT, AR_DATA);
		return;
	}
	vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * segment, 0);
	vmwrite(VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * segment, AR_DATA | AR_UNUSABLE);
}

/* Of SS the entry has read the access rights, which say at what privilege L1 ran. */
static void load_stack_segment(u64 selector, u64 left)
{
	vmwrite(VMCS_GUEST_SS_SELECTOR, selector);
	if (unlikely(!selector)) {
		write_unless(VMCS_GUEST_SS_ACCESS_RIGHTS, AR_DATA | AR_UNUSABLE, left);
		return;
	}
	vmwrite(VMCS_GUEST_SS_BASE, 0);
	vmwrite(VMCS_GUEST_SS_LIMIT, SEGMENT_LIMIT);
	write_unless(VMCS_GUEST_SS_ACCESS_RIGHTS, AR_DATA, left);
}

/*
 * A 64-bit L1 entered from 64-bit code, at privilege 0: its CS has what makes it such a segment,
 * and nothing else of it has an effect until CS is loaded anew.
 */
static void load_code_segment(u64 selector, bool host64)
{
	if (likely(host64))
		vmwrite(VMCS_GUEST_CS_SELECTOR, selector);
	else
		load_segment(CS, selector, 0, SEGMENT_LIMIT, AR_CODE32);
}

/* FS and GS, whose bases are loaded in any case. */
static void load_based_segment(unsigned segment, u64 selector, u64 base)
{
	load_data_segment(segment, selector);
	vmwrite(VMCS_GUEST_ES_BASE + 2 * segment, base);
}

static void load_segments(const struct nested_vmcs *vmcs, const struct left01 *left, bool host64)
{
	load_code_segment(F12(vmcs, HOST_CS_SELECTOR), host64);
	load_stack_segment(F12(vmcs, HOST_SS_SELECTOR), left->ss_rights);
	load_data_segment(DS, F12(vmcs, HOST_DS_SELECTOR));
	load_data_segment(ES, F12(vmcs, HOST_ES_SELECTOR));
	load_based_segment(FS, F12(vmcs, HOST_FS_SELECTOR), F12(vmcs, HOST_FS_BASE));
	load_based_segment(GS, F12(vmcs, HOST_GS_SELECTOR), F12(vmcs, HOST_GS_BASE));
}

/* L1 has @part of @vmcs: let what changes that exit, unless L1 has done so lately. */
static void keep(struct nested *nested, const struct nested_vmcs *vmcs, enum kept_part part)
{
	struct kept01 *const kept = &nested->kept01[part];

	if (kept->open && --kept->open)
		return;
	if (!kept->watched)
		vmcs01_watch(part, true);
	kept->watched = true;
	kept->of = vmcs;
}

bool host_state_open(struct percpu *cpu, enum kept_part part)
{
	struct kept01 *const kept = &cpu->nested.kept01[part];

	if (!kept->watched)
		return false;
	vmcs01_watch(part, false);
	*kept = (struct kept01){ .open = EXITS_OPEN };
	return true;
}

/* What L1 has no business with as a rule, while its host-state area stays. */
static NOINLINE void load_tables(struct nested *nested, const struct nested_vmcs *vmcs)
{
	vmwrite(VMCS_GUEST_LDTR_SELECTOR, 0);
	vmwrite(VMCS_GUEST_LDTR_ACCESS_RIGHTS, AR_UNUSABLE);
	load_segment(TR, F12(vmcs, HOST_TR_SELECTOR), F12(vmcs, HOST_TR_BASE), TR_LIMIT, AR_TSS);
	vmwrite(VMCS_GUEST_GDTR_BASE, F12(vmcs, HOST_GDTR_BASE));
	vmwrite(VMCS_GUEST_GDTR_LIMIT, TABLE_LIMIT);
	vmwrite(VMCS_GUEST_IDTR_BASE, F12(vmcs, HOST_IDTR_BASE));
	vmwrite(VMCS_GUEST_IDTR_LIMIT, TABLE_LIMIT);
	if (nested->can_keep_tables)
		keep(nested, vmcs, KEPT_TABLES);
}

static NOINLINE void load_watched_msrs(struct nested *nested, const struct nested_vmcs *vmcs)
{
	vmwrite(VMCS_GUEST_IA32_DEBUGCTL, 0);
	vmwrite(VMCS_GUEST_IA32_SYSENTER_CS, F12(vmcs, HOST_IA32_SYSENTER_CS));
	vmwrite(VMCS_GUEST_IA32_SYSENTER_ESP, F12(vmcs, HOST_IA32_SYSENTER_ESP));
	vmwrite(VMCS_GUEST_IA32_SYSENTER_EIP, F12(vmcs, HOST_IA32_SYSENTER_EIP));
	keep(nested, vmcs, KEPT_MSRS);
}

/*
 * The read shadows stay: in VMX operation the bits that hv owns are 1, in them and by the checks of
 * the host state.
 */
static void load_registers(struct nested *nested, const struct nested_vmcs *vmcs,
			   const struct state_before *before, bool host64)
{
	const u64 cr0 = (F12(vmcs, HOST_CR0) & ~CR0_KEPT) | (before->cr0 & CR0_KEPT);
	const u64 cr4 = host64 ? F12(vmcs, HOST_CR4) | CR4_PAE : F12(vmcs, HOST_CR4) & ~CR4_PCIDE;
	struct left01 *const left = &nested->left01;

	/* Whatever VMCS12 they came from: most have the same. */
	if (likely(host_state_is_kept(nested, KEPT_REGISTERS)) && likely(cr0 == left->cr0) &&
	    likely(cr4 == left->cr4))
		return;
	left->cr0 = cr0;
	left->cr4 = cr4;
	vmwrite(VMCS_GUEST_CR0, cr0);
	vmwrite(VMCS_GUEST_CR4, cr4);
	vmwrite(VMCS_GUEST_DR7, DR7_RESET);
	/* What L1 sees of them is new. */
	nested->kept01[KEPT_REGISTERS].watched = false;
	keep(nested, vmcs, KEPT_REGISTERS);
}

static void load_msrs(const struct nested_vmcs *vmcs, const struct state_before *before,
		      struct left01 *left, bool host64)
{
	const u64 exit = F12(vmcs, VM_EXIT_CONTROLS);
	u64 efer = (before->efer & ~(EFER_LME | EFER_LMA)) | (host64 ? EFER_LME | EFER_LMA : 0);
	u64 pat = F12(vmcs, HOST_IA32_PAT);

	if (exit & EXIT_LOAD_EFER)
		efer = F12(vmcs, HOST_IA32_EFER);
	/* L1 entered from the mode that it returns to, so the entry controls of VMCS01 fit. */
	write_unless(VMCS_GUEST_IA32_EFER, efer, left->efer);
	if (!(exit & EXIT_LOAD_PAT) || hv_fault(HOST_PAT_NOT_LOADED))
		pat = before->pat;
	write_unless(VMCS_GUEST_IA32_PAT, pat, left->pat);
	left->efer = efer;
	left->pat = pat;
}

/* SDM, "Checking and Loading Host Page-Directory-Pointer-Table Entries". */
static bool load_pdptes(const struct nested *nested, const struct nested_vmcs *vmcs)
{
	u64 pdpte[4];

	if (!vmcs02_read_pdptes(nested, F12(vmcs, HOST_CR3), pdpte))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(pdpte); i++)
		vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, pdpte[i]);
	return true;
}

enum vmx_abort host_state_load(struct percpu *cpu, const struct nested_vmcs *vmcs,
			       const struct state_before *before)
{
	const bool host64 = F12(vmcs, VM_EXIT_CONTROLS) & EXIT_HOST_ADDRESS_SPACE_SIZE;
	struct left01 *const left = &cpu->nested.left01;

	load_registers(&cpu->nested, vmcs, before, host64);
	write_unless(VMCS_GUEST_CR3, F12(vmcs, HOST_CR3), left->cr3);
	load_msrs(vmcs, before, left, host64);
	load_segments(vmcs, left, host64);
	if (unlikely(cpu->nested.kept01[KEPT_MSRS].of != vmcs))
		load_watched_msrs(&cpu->nested, vmcs);
	if (cpu->nested.kept01[KEPT_TABLES].of != vmcs)
		load_tables(&cpu->nested, vmcs);
	vmwrite(VMCS_GUEST_RIP, F12(vmcs, HOST_RIP));
	vmwrite(VMCS_GUEST_RSP, F12(vmcs, HOST_RSP));
	write_unless(VMCS_GUEST_RFLAGS, RFLAGS_RESET, left->rflags);
	write_unless(VMCS_GUEST_INTERRUPTIBILITY_STATE, before->nmi_blocking ? BLOCKING_NMI : 0,
		     left->blocking);
	/* An entry that MOV SS does not forbid has left none; Bochs keeps that of a single step. */
	if (unlikely(left->rflags & RFLAGS_TF))
		vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	/* Without VPIDs an exit drops L1's translations, which have one in VMCS01. */
	if (!(nested_secondary(vmcs) & SECONDARY_VPID) && !hv_fault(NO_FLUSH)) {
		invvpid(INVVPID_SINGLE_CONTEXT, VPID_L1, 0);
		cpu->nested.flushed01 = true;
	}
	if (!host64 && F12(vmcs, HOST_CR4) & CR4_PAE && !load_pdptes(&cpu->nested, vmcs))
		return ABORT_HOST_PDPTES;
	return ABORT_NONE;
}
