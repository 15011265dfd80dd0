/*
 * replay/check_guest.c - the checks on the guest's registers other than segments, and its PDPTEs
 *
 * SDM: "Checks on Guest Control Registers, Debug Registers, and MSRs", "Checks on Guest
 * Descriptor-Table Registers", "Checks on Guest RIP, RFLAGS, and SSP", "Checks on Guest
 * Page-Directory-Pointer-Table Entries".
 */
#include "replay/check_guest.h"
#include "trace/event.h"

/* --- Control registers ------------------------------------------------------------------------ */

PREDICATE(GUEST_CR0)
{
	const enum tri unrestricted = is_on(c, CTL(SECONDARY, UNRESTRICTED_GUEST));

	need_cr0(c, F(GUEST_CR0), word_if(unrestricted, CR0_PE | CR0_PG));
}

PREDICATE(GUEST_PG_PE)
{
	when_bits(c, F(GUEST_CR0), CR0_PG, CR0_PG);
	need_ones(c, F(GUEST_CR0), CR0_PE);
}

PREDICATE(GUEST_CR4)
{
	need_cr4(c, F(GUEST_CR4));
}

PREDICATE(GUEST_CET_WP)
{
	need_wp_for_cet(c, F(GUEST_CR0), F(GUEST_CR4));
}

PREDICATE(GUEST_IA32E_PAGING)
{
	when_on(c, CTL(ENTRY, IA32E_MODE_GUEST));
	need_ones(c, F(GUEST_CR0), CR0_PG);
	need_ones(c, F(GUEST_CR4), CR4_PAE);
}

PREDICATE(GUEST_PCIDE)
{
	when_off(c, CTL(ENTRY, IA32E_MODE_GUEST));
	need_zero(c, F(GUEST_CR4), CR4_PCIDE);
}

PREDICATE(GUEST_FRED_MODE)
{
	when_off(c, CTL(ENTRY, IA32E_MODE_GUEST));
	need_zero(c, F(GUEST_CR4), CR4_FRED);
}

/* With EPT these are guest-physical addresses, of which TME takes no bits. */
static struct word guest_physical_bits(struct checking *c)
{
	switch (is_on(c, CTL(SECONDARY, EPT))) {
	case TRI_NO:
		return physical_bits(c, true);
	case TRI_YES:
		return physical_bits(c, false);
	default:
		return word_either(physical_bits(c, true), physical_bits(c, false));
	}
}

PREDICATE(GUEST_CR3)
{
	need_cr3(c, F(GUEST_CR3), guest_physical_bits(c));
}

/* --- Debug registers, MSRs -------------------------------------------------------------------- */

PREDICATE(GUEST_DEBUGCTL)
{
	when_on(c, CTL(ENTRY, LOAD_DEBUG_CONTROLS));
	need_msr_bits(c, F(GUEST_IA32_DEBUGCTL), MSR_DEBUGCTL);
}

PREDICATE(GUEST_DR7)
{
	when_on(c, CTL(ENTRY, LOAD_DEBUG_CONTROLS));
	need_zero(c, F(GUEST_DR7), MASK(63, 32));
}

PREDICATE(GUEST_SYSENTER)
{
	need_canonical(c, F(GUEST_IA32_SYSENTER_ESP));
	need_canonical(c, F(GUEST_IA32_SYSENTER_EIP));
}

PREDICATE(GUEST_PERF_GLOBAL_CTRL)
{
	when_on(c, CTL(ENTRY, LOAD_PERF_GLOBAL_CTRL));
	need_msr_bits(c, F(GUEST_IA32_PERF_GLOBAL_CTRL), MSR_PERF_GLOBAL_CTRL);
}

PREDICATE(GUEST_PAT)
{
	when_on(c, CTL(ENTRY, LOAD_PAT));
	need_pat(c, F(GUEST_IA32_PAT));
}

PREDICATE(GUEST_EFER_RESERVED)
{
	when_on(c, CTL(ENTRY, LOAD_EFER));
	need_msr_bits(c, F(GUEST_IA32_EFER), MSR_EFER);
}

PREDICATE(GUEST_EFER_MODE)
{
	const struct word efer = get_field(c, F(GUEST_IA32_EFER));
	const enum tri ia32e = is_on(c, CTL(ENTRY, IA32E_MODE_GUEST));
	const u64 want = ia32e == TRI_YES ? EFER_LMA | EFER_LME : 0;

	when_on(c, CTL(ENTRY, LOAD_EFER));
	need(c, tri_same(word_any(efer, EFER_LMA), ia32e), F(GUEST_IA32_EFER), EFER_LMA, want);
	when_bits(c, F(GUEST_CR0), CR0_PG, CR0_PG);
	need(c, tri_same(word_any(efer, EFER_LME), ia32e), F(GUEST_IA32_EFER), EFER_LME, want);
}

PREDICATE(GUEST_BNDCFGS)
{
	when_on(c, CTL(ENTRY, LOAD_BNDCFGS));
	need_msr_bits(c, F(GUEST_IA32_BNDCFGS), MSR_BNDCFGS);
	need_canonical(c, F(GUEST_IA32_BNDCFGS));
}

PREDICATE(GUEST_RTIT_CTL)
{
	when_on(c, CTL(ENTRY, LOAD_RTIT_CTL));
	need_msr_bits(c, F(GUEST_IA32_RTIT_CTL), MSR_RTIT_CTL);
}

PREDICATE(GUEST_LBR_CTL)
{
	when_on(c, CTL(ENTRY, LOAD_LBR_CTL));
	need_msr_bits(c, F(GUEST_IA32_LBR_CTL), MSR_LBR_CTL);
}

PREDICATE(GUEST_PKRS)
{
	when_on(c, CTL(ENTRY, LOAD_PKRS));
	need_zero(c, F(GUEST_IA32_PKRS), MASK(63, 32));
}

PREDICATE(GUEST_UINV)
{
	when_on(c, CTL(ENTRY, LOAD_UINV));
	need_zero(c, F(GUEST_UINV), MASK(15, 8));
}

PREDICATE(GUEST_SPEC_CTRL)
{
	when_on(c, CTL(ENTRY, LOAD_SPEC_CTRL));
	need_msr_bits(c, F(GUEST_IA32_SPEC_CTRL), MSR_SPEC_CTRL);
}

PREDICATE(GUEST_S_CET)
{
	when_on(c, CTL(ENTRY, LOAD_CET));
	need_s_cet(c, F(GUEST_IA32_S_CET));
}

PREDICATE(GUEST_CET_ADDRESSES)
{
	when_on(c, CTL(ENTRY, LOAD_CET));
	need_canonical(c, F(GUEST_IA32_S_CET));
	need_canonical(c, F(GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR));
}

PREDICATE(GUEST_FRED_CONFIG)
{
	when_on(c, CTL(ENTRY, LOAD_FRED));
	need_fred_config(c, F(GUEST_IA32_FRED_CONFIG));
}

PREDICATE(GUEST_FRED_STACKS)
{
	when_on(c, CTL(ENTRY, LOAD_FRED));
	need_fred_stacks(c, F(GUEST_IA32_FRED_RSP1), F(GUEST_IA32_FRED_SSP1));
}

/* --- Descriptor tables ------------------------------------------------------------------------ */

PREDICATE(GUEST_TABLE_BASES)
{
	need_canonical(c, F(GUEST_GDTR_BASE));
	need_canonical(c, F(GUEST_IDTR_BASE));
}

PREDICATE(GUEST_TABLE_LIMITS)
{
	need_zero(c, F(GUEST_GDTR_LIMIT), MASK(31, 16));
	need_zero(c, F(GUEST_IDTR_LIMIT), MASK(31, 16));
}

/* --- RIP, RFLAGS, SSP ------------------------------------------------------------------------- */

static enum tri is_64bit_mode(struct checking *c)
{
	return tri_and(is_on(c, CTL(ENTRY, IA32E_MODE_GUEST)),
		       field_any(c, F(GUEST_CS_ACCESS_RIGHTS), AR_L));
}

static void when_64bit_mode(struct checking *c, bool wanted)
{
	const enum tri is = is_64bit_mode(c);

	when(c, wanted ? is : tri_not(is), F(GUEST_CS_ACCESS_RIGHTS), AR_L, wanted ? AR_L : 0);
}

PREDICATE(GUEST_RIP_32)
{
	when_64bit_mode(c, false);
	need_zero(c, F(GUEST_RIP), MASK(63, 32));
}

PREDICATE(GUEST_RIP_64)
{
	when_64bit_mode(c, true);
	need_sign_extended(c, F(GUEST_RIP));
}

PREDICATE(RFLAGS_RESERVED)
{
	need_zero(c, F(GUEST_RFLAGS), MASK(63, 22) | BIT(15) | BIT(5) | BIT(3));
	need_ones(c, F(GUEST_RFLAGS), BIT(1));
}

PREDICATE(RFLAGS_VM_IA32E)
{
	when_on(c, CTL(ENTRY, IA32E_MODE_GUEST));
	need_zero(c, F(GUEST_RFLAGS), RFLAGS_VM);
}

PREDICATE(RFLAGS_VM_PE)
{
	when_bits(c, F(GUEST_CR0), CR0_PE, 0);
	need_zero(c, F(GUEST_RFLAGS), RFLAGS_VM);
}

PREDICATE(RFLAGS_IF)
{
	when_injecting(c, VMX_EVENT_EXTERNAL_INTERRUPT);
	need_ones(c, F(GUEST_RFLAGS), RFLAGS_IF);
}

PREDICATE(GUEST_SSP_ALIGNED)
{
	when_on(c, CTL(ENTRY, LOAD_CET));
	need_zero(c, F(GUEST_SSP), MASK(1, 0));
}

PREDICATE(GUEST_SSP_WIDTH)
{
	when_on(c, CTL(ENTRY, LOAD_CET));
	need_sign_extended(c, F(GUEST_SSP));
}

PREDICATE(GUEST_SSP_32)
{
	when_on(c, CTL(ENTRY, LOAD_CET));
	when_64bit_mode(c, false);
	need_zero(c, F(GUEST_SSP), MASK(63, 32));
}

/* --- PDPTEs ----------------------------------------------------------------------------------- */

#define PDPTE_COUNT 4
#define PDPTE_P	    BIT(0)

static void when_pae_paging(struct checking *c)
{
	when_bits(c, F(GUEST_CR0), CR0_PG, CR0_PG);
	when_bits(c, F(GUEST_CR4), CR4_PAE, CR4_PAE);
	when_off(c, CTL(ENTRY, IA32E_MODE_GUEST));
}

static void need_pdpte(struct checking *c, struct word pdpte, unsigned int what)
{
	const struct word may = word_and(guest_physical_bits(c), ~(MASK(2, 1) | MASK(8, 5)));
	const struct checking_mark mark = checking_mark(c);

	is_concerned(c);
	when(c, word_any(pdpte, PDPTE_P), what, PDPTE_P, PDPTE_P);
	need(c, word_within(pdpte, may), what, pdpte.value & ~may.value, 0);
	checking_back(c, mark);
}

static void need_pdptes_in_memory(struct checking *c)
{
	const struct word table = word_and(get_field(c, F(GUEST_CR3)), MASK(31, 5));

	for (u64 n = 0; n < PDPTE_COUNT; n++) {
		const struct word at = word_partly(table.value + 8 * n, table.known);

		need_pdpte(c, get_memory(c, at, 8), CHECK_WHAT_MEMORY);
	}
}

PREDICATE(PDPTE_FIELDS)
{
	when_pae_paging(c);
	when_on(c, CTL(SECONDARY, EPT));
	for (unsigned int n = 0; n < PDPTE_COUNT; n++)
		need_pdpte(c, get_field(c, F(GUEST_PDPTE0) + n), F(GUEST_PDPTE0) + n);
}

/* Whether L1 itself uses PAE paging. */
static enum tri pae_paging_before(struct checking *c)
{
	const enum tri paging = state_any(c, CHECK_STATE_MODE, BIT(MODE_PG));
	const enum tri ia32e = state_any(c, CHECK_STATE_MODE, BIT(MODE_LMA));
	const enum tri pae = state_any(c, CHECK_STATE_CR4, CR4_PAE);

	return tri_and(tri_and(paging, pae), tri_not(ia32e));
}

PREDICATE(PDPTE_MEMORY)
{
	const enum tri other_cr3 = tri_not(field_is_state(c, F(GUEST_CR3), CHECK_STATE_CR3));

	when_pae_paging(c);
	when_off(c, CTL(SECONDARY, EPT));
	when_either(c,
		    (struct condition){ tri_not(pae_paging_before(c)), L1(MODE),
					BIT(MODE_PG) | BIT(MODE_LMA),
					get_state(c, CHECK_STATE_MODE).value },
		    (struct condition){ other_cr3, F(GUEST_CR3), ~0ull,
					get_field(c, F(GUEST_CR3)).value });
	need_pdptes_in_memory(c);
}

PREDICATE(PDPTE_MEMORY_KEPT)
{
	when_pae_paging(c);
	when_off(c, CTL(SECONDARY, EPT));
	need_pdptes_in_memory(c);
}
