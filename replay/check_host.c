/*
 * replay/check_host.c - the checks on the host-state area
 *
 * SDM: "Checks on Host Control Registers, MSRs, and SSP", "Checks on Host Segment and
 * Descriptor-Table Registers", "Checks Related to Address-Space Size".
 */
#include "replay/check_register.h"
#include "trace/event.h"

#define HOST_64 CTL(EXIT, HOST_ADDRESS_SPACE_SIZE)

/* --- Control registers, MSRs, SSP ------------------------------------------------------------- */

PREDICATE(HOST_CR0)
{
	need_cr0(c, F(HOST_CR0), word_of(0));
}

PREDICATE(HOST_CR4)
{
	need_cr4(c, F(HOST_CR4));
}

PREDICATE(HOST_CET_WP)
{
	need_wp_for_cet(c, F(HOST_CR0), F(HOST_CR4));
}

PREDICATE(HOST_CR3)
{
	need_cr3(c, F(HOST_CR3), vmx_address_bits(c));
}

PREDICATE(HOST_SYSENTER)
{
	need_canonical(c, F(HOST_IA32_SYSENTER_ESP));
	need_canonical(c, F(HOST_IA32_SYSENTER_EIP));
}

PREDICATE(HOST_PERF_GLOBAL_CTRL)
{
	when_on(c, CTL(EXIT, LOAD_PERF_GLOBAL_CTRL));
	need_msr_bits(c, F(HOST_IA32_PERF_GLOBAL_CTRL), MSR_PERF_GLOBAL_CTRL);
}

PREDICATE(HOST_PAT)
{
	when_on(c, CTL(EXIT, LOAD_PAT));
	need_pat(c, F(HOST_IA32_PAT));
}

PREDICATE(HOST_EFER_RESERVED)
{
	when_on(c, CTL(EXIT, LOAD_EFER));
	need_msr_bits(c, F(HOST_IA32_EFER), MSR_EFER);
}

PREDICATE(HOST_EFER_MODE)
{
	const struct word efer = get_field(c, F(HOST_IA32_EFER));
	const enum tri size = is_on(c, HOST_64);
	const u64 want = size == TRI_YES ? EFER_LMA | EFER_LME : 0;

	when_on(c, CTL(EXIT, LOAD_EFER));
	need(c, tri_same(word_any(efer, EFER_LMA), size), F(HOST_IA32_EFER), EFER_LMA, want);
	need(c, tri_same(word_any(efer, EFER_LME), size), F(HOST_IA32_EFER), EFER_LME, want);
}

PREDICATE(HOST_SPEC_CTRL)
{
	when_on(c, CTL(EXIT2, LOAD_SPEC_CTRL));
	need_msr_bits(c, F(HOST_IA32_SPEC_CTRL), MSR_SPEC_CTRL);
}

PREDICATE(HOST_S_CET)
{
	when_on(c, CTL(EXIT, LOAD_CET));
	need_s_cet(c, F(HOST_IA32_S_CET));
}

PREDICATE(HOST_CET_ADDRESSES)
{
	struct checking_mark any_size;

	when_on(c, CTL(EXIT, LOAD_CET));
	any_size = checking_mark(c);
	when_on(c, HOST_64);
	need_canonical(c, F(HOST_IA32_S_CET));
	need_canonical(c, F(HOST_SSP));
	checking_back(c, any_size);
	when_off(c, HOST_64);
	need_zero(c, F(HOST_IA32_S_CET), MASK(63, 32));
	need_zero(c, F(HOST_SSP), MASK(63, 32));
}

PREDICATE(HOST_SSP_TABLE)
{
	when_on(c, CTL(EXIT, LOAD_CET));
	need_canonical(c, F(HOST_IA32_INTERRUPT_SSP_TABLE_ADDR));
}

PREDICATE(HOST_SSP_ALIGNED)
{
	when_on(c, CTL(EXIT, LOAD_CET));
	need_zero(c, F(HOST_SSP), MASK(1, 0));
}

PREDICATE(HOST_PKRS)
{
	when_on(c, CTL(EXIT, LOAD_PKRS));
	need_zero(c, F(HOST_IA32_PKRS), MASK(63, 32));
}

PREDICATE(HOST_FRED_CONFIG)
{
	when_on(c, CTL(EXIT2, LOAD_FRED));
	need_fred_config(c, F(HOST_IA32_FRED_CONFIG));
}

PREDICATE(HOST_FRED_STACKS)
{
	when_on(c, CTL(EXIT2, LOAD_FRED));
	need_fred_stacks(c, F(HOST_IA32_FRED_RSP1), F(HOST_IA32_FRED_SSP1));
}

/* --- Segment and descriptor-table registers --------------------------------------------------- */

PREDICATE(HOST_SELECTORS)
{
	const u64 rpl_and_ti = MASK(2, 0);

	for (unsigned int selector = F(HOST_ES_SELECTOR); selector <= F(HOST_TR_SELECTOR);
	     selector++)
		need_zero(c, selector, rpl_and_ti);
}

static void need_not_null(struct checking *c, unsigned int selector)
{
	need(c, tri_not(word_is(get_field(c, selector), 0)), selector, MASK(15, 0), 8);
}

PREDICATE(HOST_CS_TR_NULL)
{
	need_not_null(c, F(HOST_CS_SELECTOR));
	need_not_null(c, F(HOST_TR_SELECTOR));
}

PREDICATE(HOST_SS_NULL)
{
	when_off(c, HOST_64);
	need_not_null(c, F(HOST_SS_SELECTOR));
}

PREDICATE(HOST_BASES)
{
	need_canonical(c, F(HOST_FS_BASE));
	need_canonical(c, F(HOST_GS_BASE));
	need_canonical(c, F(HOST_TR_BASE));
	need_canonical(c, F(HOST_GDTR_BASE));
	need_canonical(c, F(HOST_IDTR_BASE));
}

/* --- Address-space size ----------------------------------------------------------------------- */

PREDICATE(HOST_SIZE_LMA)
{
	const enum tri lma = state_any(c, CHECK_STATE_MODE, BIT(MODE_LMA));

	need(c, tri_same(is_on(c, HOST_64), lma), F(VM_EXIT_CONTROLS), EXIT_HOST_ADDRESS_SPACE_SIZE,
	     lma == TRI_YES ? (u64)EXIT_HOST_ADDRESS_SPACE_SIZE : 0);
}

PREDICATE(HOST_SIZE_GUEST)
{
	when_off(c, HOST_64);
	need_off(c, CTL(ENTRY, IA32E_MODE_GUEST));
}

PREDICATE(HOST_CR4_SIZE)
{
	const struct checking_mark any_size = checking_mark(c);

	when_off(c, HOST_64);
	need_zero(c, F(HOST_CR4), CR4_PCIDE);
	checking_back(c, any_size);
	when_on(c, HOST_64);
	need_ones(c, F(HOST_CR4), CR4_PAE);
}

PREDICATE(HOST_FRED_SIZE)
{
	when_off(c, HOST_64);
	need_zero(c, F(HOST_CR4), CR4_FRED);
}

PREDICATE(HOST_RIP)
{
	const struct checking_mark any_size = checking_mark(c);

	when_off(c, HOST_64);
	need_zero(c, F(HOST_RIP), MASK(63, 32));
	checking_back(c, any_size);
	when_on(c, HOST_64);
	need_canonical(c, F(HOST_RIP));
}
