/*
 * replay/exit_state.c - the guest state that exits save
 */
#include "replay/exit_predicate.h"
#include "vmx/qual.h"

#define CR0_PE		BIT(0)
#define CR0_NW		BIT(29)
#define CR0_CD		BIT(30)
#define CR0_PG		BIT(31)
#define CR0_RESERVED	(MASK(28, 19) | BIT(17) | MASK(15, 6))
#define CR0_NOT_LOADED	(BIT(4) | CR0_NW | CR0_CD | CR0_RESERVED)
#define CR4_PAE		BIT(5)
#define EFER_LME	BIT(8)
#define EFER_LMA	BIT(10)
#define AR_RESERVED	(MASK(31, 17) | MASK(11, 8))
#define AR_UNUSABLE	BIT(16)
#define AR_L		BIT(13)
#define RFLAGS_RESERVED (MASK(63, 22) | BIT(15) | BIT(5) | BIT(3))
#define RFLAGS_FIXED	BIT(1)
#define RFLAGS_RF	BIT(16)
#define BLOCKING_STI	BIT(0)
#define BLOCKING_MOV_SS BIT(1)
#define BLOCKING_SMI	BIT(2)
#define BLOCKING_NMI	BIT(3)
#define INJECTED_NMI	(VMX_EVENT_VALID | VMX_EVENT_NMI << 8)

#define VECTOR_MC	18

/* --- Registers -------------------------------------------------------------------------------- */

EXIT_PREDICATE(SAVED_IF_ASKED)
{
	static const struct {
		u8 field;
		u64 control; /* of the VM-exit controls */
	} saved[] = {
		{ F(GUEST_DR7), EXIT_SAVE_DEBUG_CONTROLS },
		{ F(GUEST_IA32_DEBUGCTL), EXIT_SAVE_DEBUG_CONTROLS },
		{ F(GUEST_IA32_PAT), EXIT_SAVE_PAT },
		{ F(GUEST_IA32_EFER), EXIT_SAVE_EFER },
		{ F(GUEST_IA32_PERF_GLOBAL_CTRL), EXIT_SAVE_PERF_GLOBAL_CTRL },
		{ F(VMX_PREEMPTION_TIMER_VALUE), EXIT_SAVE_PREEMPTION_TIMER },
	};
	enum tri holds = TRI_YES;

	for (size_t i = 0; i < ARRAY_SIZE(saved) && holds != TRI_NO; i++) {
		const enum tri kept = exit_keeps(x, saved[i].field, ~0ull);

		if (kept != TRI_YES)
			holds = tri_and(
				holds,
				tri_or(exit_control(x, VMX_WORD_EXIT, saved[i].control), kept));
	}
	return holds;
}

EXIT_PREDICATE(LINK_POINTER_KEPT)
{
	return exit_keeps(x, F(VMCS_LINK_POINTER), ~0ull);
}

/*
 * Bits of a control register that the mask gives to the host do not change while L2 runs; of them,
 * the register has those that entries load from the field.
 */
static enum tri keeps_owned(struct exit_checking *x, unsigned int cr, unsigned int mask, u64 loaded)
{
	const struct word owned = word_and(exit_before(x, mask), loaded);
	const struct word before = exit_before(x, cr);
	const struct word after = exit_after(x, cr);
	const struct word changed = {
		.value = (before.value ^ after.value) & before.known & after.known,
		.known = before.known & after.known,
	};

	if (!exit_situation_item(x->at, cr))
		return TRI_YES;
	return exit_must(x, tri_not(word_any(word_and_word(changed, owned), ~0ull)), cr,
			 owned.value, before.value & owned.value);
}

EXIT_PREDICATE(SAVED_CR0)
{
	const unsigned int cr = F(GUEST_CR0);
	const struct word cr0 = exit_after(x, cr);
	enum tri holds = keeps_owned(x, cr, F(CR0_GUEST_HOST_MASK), ~CR0_NOT_LOADED);

	if (holds != TRI_NO)
		holds = tri_and(holds,
				exit_must(x,
					  tri_implies(word_any(cr0, CR0_PG), word_any(cr0, CR0_PE)),
					  cr, CR0_PE, CR0_PE));
	if (holds != TRI_NO)
		holds = tri_and(holds,
				exit_must(x,
					  tri_implies(word_any(cr0, CR0_NW), word_any(cr0, CR0_CD)),
					  cr, CR0_CD, CR0_CD));
	return holds;
}

/* An entry has them so, and MOV to CR0 faults. */
EXIT_PREDICATE(SAVED_CR0_FIXED)
{
	const unsigned int cr = F(GUEST_CR0);
	const struct word cr0 = exit_after(x, cr), may = exit_cap(x, VMX_CAP_CR0_FIXED1);
	const struct word must = exit_cap(x, VMX_CAP_CR0_FIXED0);
	const struct word paging = word_and(must, CR0_PE | CR0_PG);
	const struct word others = word_and(must, ~(CR0_PE | CR0_PG));
	enum tri holds = exit_must(x, word_within(cr0, may), cr, ~may.value, 0);

	if (holds != TRI_NO)
		holds = tri_and(holds, exit_must(x, word_within(others, cr0), cr, others.value,
						 others.value));
	if (holds != TRI_NO)
		holds = tri_and(
			holds, exit_must(x,
					 tri_or(exit_control(x, CTL(SECONDARY, UNRESTRICTED_GUEST)),
						word_within(paging, cr0)),
					 cr, paging.value, paging.value));
	return holds;
}

EXIT_PREDICATE(SAVED_CR4)
{
	const unsigned int cr = F(GUEST_CR4);
	const struct word may = exit_cap(x, VMX_CAP_CR4_FIXED1);
	const enum tri holds = keeps_owned(x, cr, F(CR4_GUEST_HOST_MASK), ~0ull);

	if (holds == TRI_NO)
		return holds;
	return tri_and(holds, exit_must(x, word_within(exit_after(x, cr), may), cr, ~may.value, 0));
}

/* The mode that exits report: IA32_EFER.LMA goes with paging and PAE. */
EXIT_PREDICATE(SAVED_LMA)
{
	const unsigned int field = F(VM_ENTRY_CONTROLS);
	const enum tri stores = word_any(exit_cap(x, VMX_CAP_MISC), CAP_EXIT_STORES_LMA);
	const enum tri lma = word_any(exit_after(x, field), ENTRY_IA32E_MODE_GUEST);
	const enum tri kept = exit_keeps(x, field, ENTRY_IA32E_MODE_GUEST);
	const enum tri may = tri_and(word_any(exit_after(x, F(GUEST_CR0)), CR0_PG),
				     word_any(exit_after(x, F(GUEST_CR4)), CR4_PAE));
	const enum tri saved = exit_control(x, CTL(EXIT, SAVE_EFER));
	const enum tri efer = word_any(exit_after(x, F(GUEST_IA32_EFER)), EFER_LMA);
	const enum tri fits =
		tri_and(tri_implies(lma, may), tri_implies(saved, tri_same(lma, efer)));

	return exit_must(x, tri_or(tri_and(stores, fits), tri_and(tri_not(stores), kept)), field,
			 ENTRY_IA32E_MODE_GUEST, lma == TRI_YES ? 0 : ENTRY_IA32E_MODE_GUEST);
}

EXIT_PREDICATE(SAVED_EFER)
{
	const unsigned int field = F(GUEST_IA32_EFER);
	const enum tri saved = exit_control(x, CTL(EXIT, SAVE_EFER));
	const struct word efer = exit_after(x, field);
	const enum tri active =
		tri_and(word_any(efer, EFER_LME), word_any(exit_after(x, F(GUEST_CR0)), CR0_PG));
	const enum tri fits = tri_same(word_any(efer, EFER_LMA), active);

	if (saved == TRI_NO)
		return exit_skip(x);
	return exit_must(x, tri_implies(saved, fits), field, EFER_LMA,
			 active == TRI_YES ? EFER_LMA : 0);
}

EXIT_PREDICATE(SAVED_TIMER)
{
	const unsigned int field = F(VMX_PREEMPTION_TIMER_VALUE);
	const struct word after = exit_after(x, field), before = exit_before(x, field);
	const enum tri saved = tri_and(exit_control(x, CTL(EXIT, SAVE_PREEMPTION_TIMER)),
				       exit_control(x, CTL(PIN, PREEMPTION_TIMER)));
	const bool expired = exit_reason(x) == EXIT_PREEMPTION_TIMER;

	if (saved == TRI_NO)
		return exit_skip(x);
	return exit_must(
		x, tri_implies(saved, expired ? word_is(after, 0) : word_at_most(after, before)),
		field, MASK(31, 0), expired ? 0 : before.value);
}

/* --- Segments --------------------------------------------------------------------------------- */

EXIT_PREDICATE(SAVED_SEGMENTS)
{
	static const u8 fields[] = {
		F(GUEST_ES_ACCESS_RIGHTS), F(GUEST_CS_ACCESS_RIGHTS),	F(GUEST_SS_ACCESS_RIGHTS),
		F(GUEST_DS_ACCESS_RIGHTS), F(GUEST_FS_ACCESS_RIGHTS),	F(GUEST_GS_ACCESS_RIGHTS),
		F(GUEST_TR_ACCESS_RIGHTS), F(GUEST_LDTR_ACCESS_RIGHTS),
	};
	enum tri holds = TRI_YES;

	for (size_t i = 0; i < ARRAY_SIZE(fields) && holds != TRI_NO; i++) {
		const bool always = fields[i] == F(GUEST_CS_ACCESS_RIGHTS) ||
				    fields[i] == F(GUEST_TR_ACCESS_RIGHTS);
		const u64 mask = AR_RESERVED | (always ? AR_UNUSABLE : 0);

		/* What an entry took and no instruction loaded stands as it was. */
		if (exit_situation_item(x->at, fields[i]))
			holds = tri_and(holds, exit_bits_are(x, fields[i], mask, 0));
		else
			exit_after(x, fields[i]);
	}
	return holds;
}

EXIT_PREDICATE(SAVED_TABLE_LIMITS)
{
	const enum tri gdtr = exit_bits_are(x, F(GUEST_GDTR_LIMIT), MASK(31, 16), 0);

	return gdtr == TRI_NO
		       ? gdtr
		       : tri_and(gdtr, exit_bits_are(x, F(GUEST_IDTR_LIMIT), MASK(31, 16), 0));
}

/* --- RIP and RFLAGS --------------------------------------------------------------------------- */

EXIT_PREDICATE(SAVED_RIP)
{
	const enum tri lma = word_any(exit_after(x, F(VM_ENTRY_CONTROLS)), ENTRY_IA32E_MODE_GUEST);
	const enum tri cs_l = word_any(exit_after(x, F(GUEST_CS_ACCESS_RIGHTS)), AR_L);
	const enum tri low = tri_not(word_any(exit_after(x, F(GUEST_RIP)), MASK(63, 32)));
	enum tri stores, wide = tri_and(lma, cs_l);

	if (tri_or(wide, low) == TRI_YES)
		return TRI_YES;
	stores = word_any(exit_cap(x, VMX_CAP_MISC), CAP_EXIT_STORES_LMA);
	wide = tri_or(wide, tri_and(tri_not(stores), TRI_MAYBE));
	return exit_must(x, tri_or(wide, low), F(GUEST_RIP), MASK(63, 32), 0);
}

EXIT_PREDICATE(SAVED_RFLAGS)
{
	const u64 rf = exit_is_instruction(exit_reason(x)) ? RFLAGS_RF : 0;

	return exit_bits_are(x, F(GUEST_RFLAGS), RFLAGS_RESERVED | RFLAGS_FIXED | rf, RFLAGS_FIXED);
}

/* --- Non-register state ----------------------------------------------------------------------- */

EXIT_PREDICATE(SAVED_ACTIVITY)
{
	const u64 wrong = exit_is_instruction(exit_reason(x)) ? MASK(31, 0) : MASK(31, 2);

	return exit_bits_are(x, F(GUEST_ACTIVITY_STATE), wrong, 0);
}

EXIT_PREDICATE(SAVED_BLOCKING)
{
	const unsigned int field = F(GUEST_INTERRUPTIBILITY_STATE);
	const enum tri reserved = exit_bits_are(x, field, MASK(31, 5) | BLOCKING_SMI, 0);
	const struct word blocking = exit_after(x, field);

	if (reserved == TRI_NO)
		return reserved;
	return tri_and(reserved, exit_must(x,
					   tri_not(tri_and(word_any(blocking, BLOCKING_STI),
							   word_any(blocking, BLOCKING_MOV_SS))),
					   field, BLOCKING_STI, 0));
}

/* Virtual NMIs are only injected: what comes by itself exits. */
EXIT_PREDICATE(SAVED_NMI_BLOCKING)
{
	const unsigned int field = F(GUEST_INTERRUPTIBILITY_STATE);
	const struct word info = exit_before(x, F(VM_ENTRY_INTERRUPTION_INFO));
	const enum tri virtual = exit_control(x, CTL(PIN, VIRTUAL_NMIS));
	const enum tri injected =
		word_is(word_and(info, VMX_EVENT_VALID | VMX_EVENT_TYPE), INJECTED_NMI);
	const enum tri before = word_any(exit_before(x, field), BLOCKING_NMI);
	const enum tri after = word_any(exit_after(x, field), BLOCKING_NMI);

	if (virtual == TRI_NO)
		return exit_skip(x);
	return exit_must(x, tri_implies(tri_and(virtual, after), tri_or(before, injected)), field,
			 BLOCKING_NMI, 0);
}

EXIT_PREDICATE(SAVED_PENDING_DEBUG)
{
	const enum tri mov_ss =
		word_any(exit_after(x, F(GUEST_INTERRUPTIBILITY_STATE)), BLOCKING_MOV_SS);
	const struct word info = exit_after(x, F(VM_EXIT_INTERRUPTION_INFO));
	const unsigned int field = F(GUEST_PENDING_DEBUG_EXCEPTIONS);
	enum tri is_mc = TRI_NO;

	switch (exit_reason(x)) {
	case EXIT_INIT:
	case EXIT_SIPI:
	case EXIT_IO_SMI:
	case EXIT_OTHER_SMI:
	case EXIT_TPR_BELOW_THRESHOLD:
	case EXIT_MONITOR_TRAP_FLAG:
	case EXIT_VIRTUALIZED_EOI:
	case EXIT_APIC_WRITE:
	case EXIT_BUS_LOCK:
		return exit_skip(x);
	case EXIT_EXCEPTION_NMI:
		is_mc = word_is(word_and(info, MASK(7, 0)), VECTOR_MC);
		break;
	default:
		break;
	}
	if (is_mc == TRI_YES)
		return exit_skip(x);
	return exit_must(x, tri_or(tri_or(mov_ss, is_mc), word_is(exit_after(x, field), 0)), field,
			 ~0ull, 0);
}
