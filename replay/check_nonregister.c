/*
 * replay/check_nonregister.c - the checks on what the guest-state area holds besides registers
 *
 * SDM: "Checks on Guest Non-Register State".
 */
#include "replay/check_guest.h"

#define ACTIVITY      F(GUEST_ACTIVITY_STATE)
#define BLOCKING      F(GUEST_INTERRUPTIBILITY_STATE)
#define PENDING	      F(GUEST_PENDING_DEBUG_EXCEPTIONS)
#define EVENT	      F(VM_ENTRY_INTERRUPTION_INFO)
#define LINK	      F(VMCS_LINK_POINTER)

#define ACTIVE	      0
#define HLT	      1
#define SHUTDOWN      2
#define WAIT_FOR_SIPI 3

#define VECTOR_DB     1
#define VECTOR_MC     18

/* --- Activity state --------------------------------------------------------------------------- */

static enum tri activity_is(struct checking *c, u64 activity)
{
	return word_is(get_field(c, ACTIVITY), activity);
}

static void when_activity(struct checking *c, u64 activity)
{
	when(c, activity_is(c, activity), ACTIVITY, MASK(31, 0), activity);
}

PREDICATE(ACTIVITY_SUPPORTED)
{
	const struct word misc = get_cap(c, VMX_CAP_MISC);
	struct word states = word_of(BIT(ACTIVE));

	states = word_or_word(states, word_if(word_any(misc, CAP_ACTIVITY_HLT), BIT(HLT)));
	states =
		word_or_word(states, word_if(word_any(misc, CAP_ACTIVITY_SHUTDOWN), BIT(SHUTDOWN)));
	states = word_or_word(states,
			      word_if(word_any(misc, CAP_ACTIVITY_WAIT_SIPI), BIT(WAIT_FOR_SIPI)));
	need(c, word_in(get_field(c, ACTIVITY), states), ACTIVITY, MASK(31, 0), ACTIVE);
}

PREDICATE(ACTIVITY_HLT_DPL)
{
	when_activity(c, HLT);
	need_zero(c, F(GUEST_SS_ACCESS_RIGHTS), AR_DPL);
}

PREDICATE(ACTIVITY_BLOCKING)
{
	when(c, field_any(c, BLOCKING, BLOCKING_STI | BLOCKING_MOV_SS), BLOCKING,
	     BLOCKING_STI | BLOCKING_MOV_SS, get_field(c, BLOCKING).value);
	need_bits(c, ACTIVITY, MASK(31, 0), ACTIVE);
}

static enum tri event_has_type(struct checking *c, enum vmx_event_type type)
{
	return word_is(field_bits(c, EVENT, 10, 8), type);
}

static enum tri event_is(struct checking *c, enum vmx_event_type type, u64 vector)
{
	return tri_and(event_has_type(c, type), word_is(field_bits(c, EVENT, 7, 0), vector));
}

static enum tri wakes_shutdown(struct checking *c)
{
	return tri_or(event_has_type(c, VMX_EVENT_NMI),
		      event_is(c, VMX_EVENT_HARDWARE_EXCEPTION, VECTOR_MC));
}

static enum tri wakes_hlt(struct checking *c)
{
	const enum tri db = event_is(c, VMX_EVENT_HARDWARE_EXCEPTION, VECTOR_DB);
	const enum tri mtf = event_is(c, VMX_EVENT_OTHER, 0);
	const enum tri interrupt = event_has_type(c, VMX_EVENT_EXTERNAL_INTERRUPT);

	return tri_or(tri_or(wakes_shutdown(c), db), tri_or(mtf, interrupt));
}

PREDICATE(ACTIVITY_INJECTION)
{
	struct checking_mark any_activity;

	when_bits(c, EVENT, VMX_EVENT_VALID, VMX_EVENT_VALID);
	if (c->applies == TRI_NO)
		return;
	need(c, tri_not(activity_is(c, WAIT_FOR_SIPI)), ACTIVITY, MASK(31, 0), ACTIVE);
	any_activity = checking_mark(c);
	when_activity(c, HLT);
	need(c, wakes_hlt(c), EVENT, VMX_EVENT_VALID, 0);
	checking_back(c, any_activity);
	when_activity(c, SHUTDOWN);
	need(c, wakes_shutdown(c), EVENT, VMX_EVENT_VALID, 0);
}

PREDICATE(ACTIVITY_SMM)
{
	when_on(c, CTL(ENTRY, TO_SMM));
	need(c, tri_not(activity_is(c, WAIT_FOR_SIPI)), ACTIVITY, MASK(31, 0), ACTIVE);
}

/* --- Interruptibility state ------------------------------------------------------------------- */

PREDICATE(INTERRUPTIBILITY_RESERVED)
{
	need_zero(c, BLOCKING, MASK(31, 5));
}

PREDICATE(STI_OR_MOV_SS)
{
	when_bits(c, BLOCKING, BLOCKING_STI, BLOCKING_STI);
	need_zero(c, BLOCKING, BLOCKING_MOV_SS);
}

PREDICATE(STI_IF)
{
	when_bits(c, F(GUEST_RFLAGS), RFLAGS_IF, 0);
	need_zero(c, BLOCKING, BLOCKING_STI);
}

PREDICATE(INTERRUPT_BLOCKING)
{
	when_injecting(c, VMX_EVENT_EXTERNAL_INTERRUPT);
	need_zero(c, BLOCKING, BLOCKING_STI | BLOCKING_MOV_SS);
}

PREDICATE(NMI_MOV_SS)
{
	when_injecting(c, VMX_EVENT_NMI);
	need_zero(c, BLOCKING, BLOCKING_MOV_SS);
}

PREDICATE(NMI_STI)
{
	when_injecting(c, VMX_EVENT_NMI);
	need_zero(c, BLOCKING, BLOCKING_STI);
}

PREDICATE(SMI_BLOCKING)
{
	const enum tri to_smm = is_on(c, CTL(ENTRY, TO_SMM));

	need(c, tri_same(field_any(c, BLOCKING, BLOCKING_SMI), to_smm), BLOCKING, BLOCKING_SMI,
	     to_smm == TRI_YES ? BLOCKING_SMI : 0);
}

PREDICATE(NMI_VIRTUAL)
{
	when_on(c, CTL(PIN, VIRTUAL_NMIS));
	when_injecting(c, VMX_EVENT_NMI);
	need_zero(c, BLOCKING, BLOCKING_NMI);
}

PREDICATE(ENCLAVE_INTERRUPTION)
{
	when_bits(c, BLOCKING, ENCLAVE_INTERRUPTED, ENCLAVE_INTERRUPTED);
	need_zero(c, BLOCKING, BLOCKING_MOV_SS);
	need(c, cpu_has(c, CPU_FEATURE_SGX), BLOCKING, ENCLAVE_INTERRUPTED, 0);
}

/* --- Pending debug exceptions ----------------------------------------------------------------- */

#define PENDING_BUS_LOCK BIT(11)
#define PENDING_ENABLED	 BIT(12)
#define PENDING_BS	 BIT(14)
#define PENDING_RTM	 BIT(16)

PREDICATE(PENDING_DEBUG_RESERVED)
{
	const u64 always = MASK(3, 0) | PENDING_ENABLED | PENDING_BS | PENDING_RTM;
	const struct word bus_lock = word_if(cpu_has(c, CPU_FEATURE_BUS_LOCK), PENDING_BUS_LOCK);

	need_within(c, PENDING, word_or(bus_lock, always));
}

PREDICATE(PENDING_DEBUG_BS)
{
	const u64 btf = BIT(1), blocking = BLOCKING_STI | BLOCKING_MOV_SS;
	const enum tri blocked = field_any(c, BLOCKING, blocking);
	const enum tri stepping = tri_and(field_any(c, F(GUEST_RFLAGS), RFLAGS_TF),
					  tri_not(field_any(c, F(GUEST_IA32_DEBUGCTL), btf)));

	when_either(c,
		    (struct condition){ blocked, BLOCKING, blocking, get_field(c, BLOCKING).value },
		    (struct condition){ activity_is(c, HLT), ACTIVITY, MASK(31, 0), HLT });
	need(c, tri_same(field_any(c, PENDING, PENDING_BS), stepping), PENDING, PENDING_BS,
	     stepping == TRI_YES ? PENDING_BS : 0);
}

PREDICATE(PENDING_DEBUG_RTM)
{
	when_bits(c, PENDING, PENDING_RTM, PENDING_RTM);
	need_bits(c, PENDING, ~PENDING_RTM, PENDING_ENABLED);
	need_zero(c, BLOCKING, BLOCKING_MOV_SS);
	need(c, cpu_has(c, CPU_FEATURE_RTM), PENDING, PENDING_RTM, 0);
}

/* --- VMCS link pointer ------------------------------------------------------------------------ */

static void when_linked(struct checking *c)
{
	const struct word link = get_field(c, LINK);

	when(c, tri_not(word_is(link, ~0ull)), LINK, ~0ull, link.value);
}

static struct word linked_revision(struct checking *c)
{
	return get_memory(c, get_field(c, LINK), 4);
}

PREDICATE(LINK_ADDRESS)
{
	when_linked(c);
	need_address(c, LINK, PAGE_OFFSET);
}

PREDICATE(LINK_REVISION)
{
	const struct word revision = word_bits(get_cap(c, VMX_CAP_BASIC), 30, 0);

	when_linked(c);
	need(c, word_same(word_bits(linked_revision(c), 30, 0), revision), CHECK_WHAT_MEMORY,
	     CAP_REVISION, revision.value);
}

PREDICATE(LINK_SHADOW)
{
	const enum tri shadowing = is_on(c, CTL(SECONDARY, VMCS_SHADOWING));

	when_linked(c);
	need(c, tri_same(word_any(linked_revision(c), BIT(31)), shadowing), CHECK_WHAT_MEMORY,
	     BIT(31), shadowing == TRI_YES ? BIT(31) : 0);
}

PREDICATE(LINK_NOT_CURRENT)
{
	when_linked(c);
	need(c, tri_not(field_is_state(c, LINK, CHECK_STATE_CURRENT)), LINK, ~0ull, ~0ull);
}
