/*
 * replay/exit_asked.c - whether L1 asked for an exit, by controls, bitmaps and masks
 */
#include "replay/exit_predicate.h"
#include "vmx/qual.h"
#include "vmx/regs.h"

#define RFLAGS_IF	  BIT(9)
#define CR0_PE		  BIT(0)
#define CR0_TS		  BIT(3)
#define CR0_LMSW	  MASK(3, 0)
#define BLOCKING_STI	  BIT(0)
#define BLOCKING_MOV_SS	  BIT(1)
#define BLOCKING_NMI	  BIT(3)
#define EPTP_AD		  BIT(6)

#define MSR_LOW_END	  0x1fff
#define MSR_HIGH	  0xc0000000
#define MSR_HIGH_END	  0xc0001fff

#define VECTOR_PF	  14
#define EVENT_PENDING_MTF (VMX_EVENT_VALID | (u64)VMX_EVENT_OTHER << 8)

/* --- Controls --------------------------------------------------------------------------------- */

static const struct exit_need {
	u8 reason;
	u8 word; /* enum vmx_word */
	u64 mask;
} needs[] = {
#define EXIT_NEEDS(EXIT, WORD, CONTROL) { EXIT_##EXIT, VMX_WORD_##WORD, WORD##_##CONTROL },
#include "vmx/exit_needs.def"
#undef EXIT_NEEDS
};

EXIT_PREDICATE(REASON_ASKED)
{
	const unsigned int reason = exit_reason(x);
	enum tri asked = TRI_NO;
	bool found = false;

	/* MTF also exits when it was injected as an event. */
	if (reason == EXIT_MONITOR_TRAP_FLAG)
		return tri_or(
			exit_control(x, CTL(PRIMARY, MONITOR_TRAP_FLAG)),
			word_is(exit_before(x, F(VM_ENTRY_INTERRUPTION_INFO)), EVENT_PENDING_MTF));
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		if (needs[i].reason != reason)
			continue;
		found = true;
		asked = tri_or(asked, exit_control(x, (enum vmx_word)needs[i].word, needs[i].mask));
	}
	return found ? asked : exit_skip(x);
}

/* --- Control registers ------------------------------------------------------------------------ */

/* Whether @value differs from the read shadow in a bit that is the host's. */
static enum tri differs(struct exit_checking *x, struct word value, unsigned int mask,
			unsigned int shadow)
{
	const struct word owned = exit_before(x, mask), seen = exit_before(x, shadow);
	const struct word different = {
		.value = (value.value ^ seen.value) & value.known & seen.known,
		.known = value.known & seen.known,
	};

	return word_any(word_and_word(different, owned), ~0ull);
}

static enum tri is_cr3_target(struct exit_checking *x, struct word value)
{
	static const u8 targets[] = { F(CR3_TARGET_VALUE_0), F(CR3_TARGET_VALUE_1),
				      F(CR3_TARGET_VALUE_2), F(CR3_TARGET_VALUE_3) };
	const struct word count = exit_before(x, F(CR3_TARGET_COUNT));
	enum tri is = TRI_NO;

	for (unsigned int i = 0; i < ARRAY_SIZE(targets); i++)
		is = tri_or(is, tri_and(tri_not(word_at_most(count, word_of(i))),
					word_same(value, exit_before(x, targets[i]))));
	return is;
}

static enum tri mov_to_cr(struct exit_checking *x, const struct vmx_cr_access *access)
{
	struct word value = exit_item(x, EXIT_WHAT_ITEM_REG, ITEM_REG + access->reg);

	/* Outside 64-bit mode the upper half of the register does not count. */
	switch (word_any(exit_before(x, F(VM_ENTRY_CONTROLS)), ENTRY_IA32E_MODE_GUEST)) {
	case TRI_NO:
		value = word_and(value, MASK(31, 0));
		break;
	case TRI_MAYBE:
		value.known &= MASK(31, 0);
		value.value &= MASK(31, 0);
		break;
	default:
		break;
	}
	switch (access->cr) {
	case 0:
		return differs(x, value, F(CR0_GUEST_HOST_MASK), F(CR0_READ_SHADOW));
	case 4:
		return differs(x, value, F(CR4_GUEST_HOST_MASK), F(CR4_READ_SHADOW));
	case 3:
		return tri_and(exit_control(x, CTL(PRIMARY, CR3_LOAD_EXITING)),
			       tri_not(is_cr3_target(x, value)));
	case 8:
		return exit_control(x, CTL(PRIMARY, CR8_LOAD_EXITING));
	default:
		return TRI_NO;
	}
}

static enum tri mov_from_cr(struct exit_checking *x, const struct vmx_cr_access *access)
{
	if (access->cr == 3)
		return exit_control(x, CTL(PRIMARY, CR3_STORE_EXITING));
	return access->cr == 8 ? exit_control(x, CTL(PRIMARY, CR8_STORE_EXITING)) : TRI_NO;
}

/* LMSW can set PE and not clear it. */
static enum tri lmsw(struct exit_checking *x, const struct vmx_cr_access *access)
{
	const struct word source = word_of(access->lmsw_source);
	const struct word mask = exit_before(x, F(CR0_GUEST_HOST_MASK));
	const struct word shadow = exit_before(x, F(CR0_READ_SHADOW));
	const enum tri sets_pe =
		tri_and(tri_and(word_any(mask, CR0_PE), tri_of(source.value & CR0_PE)),
			tri_not(word_any(shadow, CR0_PE)));
	const u64 others = CR0_LMSW & ~CR0_PE;
	enum tri changes = TRI_NO;

	for (u64 left = others; left; left &= left - 1) {
		const u64 bit = left & -left;

		changes = tri_or(changes, tri_and(word_any(mask, bit),
						  tri_not(tri_same(word_any(shadow, bit),
								   word_any(source, bit)))));
	}
	return tri_or(sets_pe, changes);
}

EXIT_PREDICATE(CR_ACCESS_ASKED)
{
	const unsigned int field = F(EXIT_QUALIFICATION);
	struct word qualification;
	struct vmx_cr_access access;
	enum tri asked;

	if (exit_reason(x) != EXIT_CR_ACCESS)
		return exit_skip(x);
	qualification = exit_after(x, field);
	if (!word_is_known(qualification))
		return TRI_MAYBE;
	access = vmx_cr_access_decode(qualification.value);
	switch ((enum vmx_cr_access_type)access.type) {
	case VMX_MOV_TO_CR:
		asked = mov_to_cr(x, &access);
		break;
	case VMX_MOV_FROM_CR:
		asked = mov_from_cr(x, &access);
		break;
	case VMX_CLTS:
		asked = tri_and(word_any(exit_before(x, F(CR0_GUEST_HOST_MASK)), CR0_TS),
				word_any(exit_before(x, F(CR0_READ_SHADOW)), CR0_TS));
		break;
	default:
		asked = lmsw(x, &access);
		break;
	}
	return asked;
}

/* --- Bitmaps ---------------------------------------------------------------------------------- */

EXIT_PREDICATE(MSR_ASKED)
{
	const unsigned int reason = exit_reason(x);
	enum tri beyond, set;
	struct word msr, byte;

	if (reason != EXIT_RDMSR && reason != EXIT_WRMSR)
		return exit_skip(x);
	msr = word_and(exit_item(x, EXIT_WHAT_ITEM_REG, ITEM_REG + REG_RCX), MASK(31, 0));
	byte = exit_item(x, EXIT_WHAT_ITEM_MSR_BITMAP, ITEM_MSR_BITMAP);
	beyond = tri_and(tri_not(word_at_most(msr, word_of(MSR_LOW_END))),
			 tri_or(tri_not(word_at_most(word_of(MSR_HIGH), msr)),
				tri_not(word_at_most(msr, word_of(MSR_HIGH_END)))));
	set = word_is_known(msr) ? word_any(byte, BIT(msr.value & 7)) : TRI_MAYBE;
	return tri_or(tri_not(exit_control(x, CTL(PRIMARY, MSR_BITMAPS))), tri_or(beyond, set));
}

EXIT_PREDICATE(IO_ASKED)
{
	struct word qualification, bits;
	struct vmx_io io;
	enum tri used, set;

	if (exit_reason(x) != EXIT_IO)
		return exit_skip(x);
	qualification = exit_after(x, F(EXIT_QUALIFICATION));
	if (!word_is_known(qualification))
		return TRI_MAYBE;
	io = vmx_io_decode(qualification.value);
	bits = exit_item(x, EXIT_WHAT_ITEM_IO_BITMAP, ITEM_IO_BITMAP);
	used = exit_control(x, CTL(PRIMARY, IO_BITMAPS));
	/* An access that wraps around exits whatever the bitmaps are. */
	set = tri_or(tri_of((unsigned)io.port + io.size > 0x10000),
		     word_any(bits, (BIT(io.size) - 1) << (io.port & 7)));
	return tri_or(
		tri_and(used, set),
		tri_and(tri_not(used), exit_control(x, CTL(PRIMARY, UNCONDITIONAL_IO_EXITING))));
}

/* --- Exceptions ------------------------------------------------------------------------------- */

EXIT_PREDICATE(EXCEPTION_ASKED)
{
	const struct word info = exit_after(x, F(VM_EXIT_INTERRUPTION_INFO));
	struct word code, mask, match;
	enum tri bit, matches;
	unsigned int vector;

	if (exit_reason(x) != EXIT_EXCEPTION_NMI)
		return exit_skip(x);
	if (!word_is_known(info))
		return TRI_MAYBE;
	vector = (unsigned int)BITS(info.value, 7, 0);
	if (vmx_event_type(info.value) == VMX_EVENT_NMI)
		return exit_control(x, CTL(PIN, NMI_EXITING));
	if (vector > 31)
		return exit_skip(x);
	bit = word_any(exit_before(x, F(EXCEPTION_BITMAP)), BIT(vector));
	if (vector != VECTOR_PF)
		return bit;
	code = exit_after(x, F(VM_EXIT_INTERRUPTION_ERROR_CODE));
	mask = exit_before(x, F(PAGE_FAULT_ERROR_CODE_MASK));
	match = exit_before(x, F(PAGE_FAULT_ERROR_CODE_MATCH));
	matches = word_same(word_and_word(code, mask), match);
	return tri_same(bit, matches);
}

/* --- Windows ---------------------------------------------------------------------------------- */

EXIT_PREDICATE(INTERRUPT_WINDOW_OPEN)
{
	const unsigned int blocking = F(GUEST_INTERRUPTIBILITY_STATE);

	if (exit_reason(x) != EXIT_INTERRUPT_WINDOW)
		return exit_skip(x);
	return tri_and(exit_bits_are(x, F(GUEST_RFLAGS), RFLAGS_IF, RFLAGS_IF),
		       exit_bits_are(x, blocking, BLOCKING_STI | BLOCKING_MOV_SS, 0));
}

EXIT_PREDICATE(NMI_WINDOW_OPEN)
{
	if (exit_reason(x) != EXIT_NMI_WINDOW)
		return exit_skip(x);
	return exit_bits_are(x, F(GUEST_INTERRUPTIBILITY_STATE), BLOCKING_NMI | BLOCKING_MOV_SS, 0);
}

/* --- EPT -------------------------------------------------------------------------------------- */

/* The qualification of an EPT violation, if that is what the exit is for. */
static bool is_ept_violation(struct exit_checking *x, u64 *qualification, enum tri *holds)
{
	struct word word;

	*holds = TRI_YES;
	if (exit_reason(x) != EXIT_EPT_VIOLATION) {
		*holds = exit_skip(x);
		return false;
	}
	word = exit_after(x, F(EXIT_QUALIFICATION));
	*qualification = word.value;
	if (!word_is_known(word))
		*holds = TRI_MAYBE;
	return word_is_known(word);
}

/* Shadow stacks, verification of guest paging and sub-pages have permissions of their own. */
#define OTHER_PERMISSIONS (MASK(6, 6) | BIT(13) | BIT(15))

EXIT_PREDICATE(EPT_LACKS_PERMISSION)
{
	u64 qualification, access, allowed;
	enum tri holds;

	if (!is_ept_violation(x, &qualification, &holds))
		return holds;
	if (qualification & OTHER_PERMISSIONS)
		return exit_skip(x);
	access = BITS(qualification, 2, 0);
	allowed = BITS(qualification, 5, 3);
	holds = tri_of(access & ~allowed);
	/* With accessed and dirty flags the walk of the guest's paging structures writes them. */
	if (!(qualification & VMX_EPT_VIOLATION_FINAL))
		holds = tri_or(holds, word_any(exit_before(x, F(EPT_POINTER)), EPTP_AD));
	return exit_must(x, holds, F(EXIT_QUALIFICATION), MASK(5, 3), 0);
}

EXIT_PREDICATE(EPT_PERMISSIONS)
{
	u64 qualification, allowed = MASK(2, 0);
	enum tri holds;
	bool any = false;

	if (!is_ept_violation(x, &qualification, &holds))
		return holds;
	switch (exit_control(x, CTL(SECONDARY, MODE_BASED_EXECUTE))) {
	case TRI_YES:
		return exit_skip(x);
	case TRI_MAYBE:
		return TRI_MAYBE;
	default:
		break;
	}
	for (unsigned int level = 1; level <= 5; level++) {
		const struct word entry = exit_item(x, EXIT_WHAT_ITEM_EPT12, ITEM_EPT12 + level);

		any |= word_is_known(entry);
		allowed &= word_is_known(entry) ? entry.value : ~0ull;
	}
	/* The walk is not on the tape. */
	if (!any)
		return exit_skip(x);
	return exit_bits_are(x, F(EXIT_QUALIFICATION), MASK(5, 3), allowed << 3);
}

EXIT_PREDICATE(EPT_WALK_ACCESS)
{
	u64 qualification;
	enum tri holds;

	if (!is_ept_violation(x, &qualification, &holds))
		return holds;
	/* No linear address is valid where MOV to a control register loads PDPTEs, which only
	 * reads. */
	if (qualification & VMX_EPT_VIOLATION_FINAL ||
	    !(qualification & VMX_EPT_VIOLATION_LINEAR_VALID))
		return exit_skip(x);
	switch (word_any(exit_after(x, F(EPT_POINTER)), EPTP_AD)) {
	case TRI_NO:
		return exit_skip(x);
	case TRI_MAYBE:
		return TRI_MAYBE;
	default:
		return exit_bits_are(x, F(EXIT_QUALIFICATION), MASK(1, 0), MASK(1, 0));
	}
}
