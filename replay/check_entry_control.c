/*
 * replay/check_entry_control.c - the checks on the VM-exit and VM-entry controls
 *
 * SDM: "VM-Exit Control Fields", "VM-Entry Control Fields".
 */
#include "replay/check_register.h"
#include "vmx/qual.h"

/* --- Words and areas -------------------------------------------------------------------------- */

PREDICATE(EXIT_ALLOWED)
{
	need_allowed(c, VMX_WORD_EXIT);
}

PREDICATE(EXIT2_ALLOWED)
{
	when_on(c, CTL(EXIT, SECONDARY_CONTROLS));
	need_allowed(c, VMX_WORD_EXIT2);
}

PREDICATE(ENTRY_ALLOWED)
{
	need_allowed(c, VMX_WORD_ENTRY);
}

PREDICATE(SAVE_PREEMPTION_TIMER)
{
	when_off(c, CTL(PIN, PREEMPTION_TIMER));
	need_off(c, CTL(EXIT, SAVE_PREEMPTION_TIMER));
}

PREDICATE(ENTRY_OUTSIDE_SMM)
{
	need_off(c, CTL(ENTRY, TO_SMM));
	need_off(c, CTL(ENTRY, DEACTIVATE_DUAL_MONITOR));
}

PREDICATE(TRACE_NEEDS_LOAD_RTIT)
{
	const u64 trace_en = BIT(0);

	when(c, state_any(c, CHECK_STATE_RTIT_CTL, trace_en), L1(RTIT_CTL), trace_en, trace_en);
	need_off(c, CTL(ENTRY, LOAD_RTIT_CTL));
}

static void msr_area(struct checking *c, unsigned int address, unsigned int count)
{
	const struct word entries = get_field(c, count);

	when(c, tri_not(word_is(entries, 0)), count, MASK(31, 0), entries.value);
	need_address(c, address, MASK(3, 0));
	need(c,
	     range_fits(get_field(c, address), MAX(word_min(entries), 1ull) * 16 - 1,
			MAX(word_max(entries), 1ull) * 16 - 1, vmx_address_bits(c)),
	     address, ~0ull, 0);
}

PREDICATE(MSR_STORE_AREA)
{
	msr_area(c, F(VM_EXIT_MSR_STORE_ADDRESS), F(VM_EXIT_MSR_STORE_COUNT));
}

PREDICATE(MSR_HOST_AREA)
{
	msr_area(c, F(VM_EXIT_MSR_LOAD_ADDRESS), F(VM_EXIT_MSR_LOAD_COUNT));
}

PREDICATE(MSR_LOAD_AREA)
{
	msr_area(c, F(VM_ENTRY_MSR_LOAD_ADDRESS), F(VM_ENTRY_MSR_LOAD_COUNT));
}

/* --- Event injection -------------------------------------------------------------------------- */

#define EVENT	   F(VM_ENTRY_INTERRUPTION_INFO)
#define TYPE(name) BIT(VMX_EVENT_##name)
#define SOFTWARE \
	(TYPE(SOFTWARE_INTERRUPT) | TYPE(PRIVILEGED_SOFTWARE_EXCEPTION) | TYPE(SOFTWARE_EXCEPTION))

/* Exceptions that push an error code. #CP does as well, on processors where it is free. */
#define ERROR_CODE_VECTORS (BIT(8) | MASK(14, 10) | BIT(17))

/* False where nothing is injected, as at most entries: the predicate has nothing more to say. */
static bool when_injecting(struct checking *c)
{
	when_bits(c, EVENT, VMX_EVENT_VALID, VMX_EVENT_VALID);
	return c->applies != TRI_NO;
}

static enum tri type_in(struct checking *c, u64 types)
{
	return word_in(field_bits(c, EVENT, 10, 8), word_of(types));
}

static void when_type_in(struct checking *c, u64 types)
{
	when(c, type_in(c, types), EVENT, VMX_EVENT_TYPE, get_field(c, EVENT).value);
}

static struct word vector(struct checking *c)
{
	return field_bits(c, EVENT, 7, 0);
}

static enum tri supports_mtf(struct checking *c)
{
	return can_be_on(c, CTL(PRIMARY, MONITOR_TRAP_FLAG));
}

static enum tri supports_fred(struct checking *c)
{
	return word_any(get_cap(c, VMX_CAP_CR4_FIXED1), CR4_FRED);
}

/* SYSCALL and SYSENTER are events of type 7 with FRED. */
static enum tri is_syscall(struct checking *c)
{
	return word_in(vector(c), word_of(BIT(1) | BIT(2)));
}

/* Real mode, which only an unrestricted guest can have. */
static enum tri real_mode(struct checking *c)
{
	return tri_and(is_on(c, CTL(SECONDARY, UNRESTRICTED_GUEST)),
		       tri_not(field_any(c, F(GUEST_CR0), CR0_PE)));
}

PREDICATE(INJECT_TYPE)
{
	const u64 reserved = BIT(1);

	if (!when_injecting(c))
		return;
	need(c, tri_not(type_in(c, reserved)), EVENT, VMX_EVENT_TYPE, 0);
	when_type_in(c, TYPE(OTHER));
	need(c, tri_or(supports_mtf(c), supports_fred(c)), EVENT, VMX_EVENT_TYPE, 0);
}

PREDICATE(INJECT_VECTOR)
{
	struct checking_mark any_type;
	enum tri mtf, syscall;
	struct word number;

	if (!when_injecting(c))
		return;
	number = vector(c);
	is_concerned(c);
	any_type = checking_mark(c);
	when_type_in(c, TYPE(NMI));
	need(c, word_is(number, 2), EVENT, VMX_EVENT_VECTOR, 2);
	checking_back(c, any_type);
	when_type_in(c, TYPE(HARDWARE_EXCEPTION));
	need(c, word_at_most(number, word_of(31)), EVENT, VMX_EVENT_VECTOR, 0);
	checking_back(c, any_type);
	when_type_in(c, TYPE(OTHER));
	mtf = tri_and(word_is(number, 0), supports_mtf(c));
	syscall = tri_and(is_syscall(c), field_any(c, F(GUEST_CR4), CR4_FRED));
	need(c, tri_or(mtf, syscall), EVENT, VMX_EVENT_VECTOR, supports_mtf(c) == TRI_NO ? 1 : 0);
}

PREDICATE(INJECT_ERROR_CODE_MODE)
{
	enum tri other;

	if (!when_injecting(c))
		return;
	other = tri_not(type_in(c, TYPE(HARDWARE_EXCEPTION)));
	when_either(c,
		    (struct condition){ other, EVENT, VMX_EVENT_TYPE, get_field(c, EVENT).value },
		    (struct condition){ real_mode(c), F(GUEST_CR0), CR0_PE, 0 });
	need_zero(c, EVENT, VMX_EVENT_ERROR_CODE);
}

PREDICATE(INJECT_ERROR_CODE_VECTOR)
{
	enum tri pushes;

	if (!when_injecting(c))
		return;
	pushes = word_in(vector(c), word_of(ERROR_CODE_VECTORS));
	when_type_in(c, TYPE(HARDWARE_EXCEPTION));
	when(c, tri_not(word_any(get_cap(c, VMX_CAP_BASIC), CAP_ANY_ERROR_CODE)),
	     CHECK_WHAT_CAP + VMX_CAP_BASIC, CAP_ANY_ERROR_CODE, 0);
	when(c, tri_not(real_mode(c)), F(GUEST_CR0), CR0_PE, CR0_PE);
	need(c, tri_same(field_any(c, EVENT, VMX_EVENT_ERROR_CODE), pushes), EVENT,
	     VMX_EVENT_ERROR_CODE, pushes == TRI_YES ? VMX_EVENT_ERROR_CODE : 0);
}

PREDICATE(INJECT_RESERVED)
{
	if (!when_injecting(c))
		return;
	need_zero(c, EVENT, MASK(30, 14) | BIT(12));
}

PREDICATE(INJECT_NESTED)
{
	enum tri supported;

	if (!when_injecting(c))
		return;
	supported = word_any(get_cap(c, VMX_CAP_BASIC), CAP_NESTED_EXCEPTION);
	when_bits(c, EVENT, VMX_EVENT_NESTED, VMX_EVENT_NESTED);
	need(c, tri_and(supported, type_in(c, TYPE(HARDWARE_EXCEPTION))), EVENT, VMX_EVENT_NESTED,
	     0);
}

PREDICATE(INJECT_ERROR_CODE)
{
	if (!when_injecting(c))
		return;
	when_bits(c, EVENT, VMX_EVENT_ERROR_CODE, VMX_EVENT_ERROR_CODE);
	need_zero(c, F(VM_ENTRY_EXCEPTION_ERROR_CODE), MASK(31, 16));
}

/* Software events, and SYSCALL and SYSENTER of FRED. */
static bool when_length_counts(struct checking *c)
{
	if (!when_injecting(c))
		return false;
	when(c, tri_or(type_in(c, SOFTWARE), tri_and(type_in(c, TYPE(OTHER)), is_syscall(c))),
	     EVENT, VMX_EVENT_TYPE, get_field(c, EVENT).value);
	return c->applies != TRI_NO;
}

PREDICATE(INJECT_LENGTH)
{
	if (!when_length_counts(c))
		return;
	need(c, word_at_most(get_field(c, F(VM_ENTRY_INSTRUCTION_LENGTH)), word_of(15)),
	     F(VM_ENTRY_INSTRUCTION_LENGTH), MASK(31, 0), 1);
}

PREDICATE(INJECT_LENGTH_ZERO)
{
	if (!when_length_counts(c))
		return;
	when(c, tri_not(word_any(get_cap(c, VMX_CAP_MISC), CAP_ZERO_LENGTH_INJECTION)),
	     CHECK_WHAT_CAP + VMX_CAP_MISC, CAP_ZERO_LENGTH_INJECTION, 0);
	need(c, tri_not(word_is(get_field(c, F(VM_ENTRY_INSTRUCTION_LENGTH)), 0)),
	     F(VM_ENTRY_INSTRUCTION_LENGTH), MASK(31, 0), 1);
}
