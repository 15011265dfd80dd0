/*
 * tests/guests/l1_truth_run.c - one case: the VMCS, the entry, the outcome
 */
#include "tests/guests/l1_truth.h"

#include "tests/guests/l1_truth_text.h"

#define ACTIVITY_SIPI 3
#define VTPR	      0x80 /* in the virtual-APIC page */
#define FIELD(NAME)   VMCS_IX_##NAME

unsigned truth_count;

static struct l2 ordinary, shadow;

/* What the current VMCS holds, as far as that is sure: writing is slow on a hypervisor. */
static struct {
	bool sure[VMCS_FIELD_COUNT];
	u64 value[VMCS_FIELD_COUNT];
} held;

static void truth_code(void)
{
	for (;;)
		l2_vmcall(0);
}

u64 truth_create(void)
{
	const struct l2_options options = { .pin = PIN_PREEMPTION_TIMER };

	l2_create(&ordinary, truth_code, &options);
	return physical(ordinary.region);
}

bool truth_is_writable(unsigned ix)
{
	return truth_exists[ix] && vmcs_fields[ix].access == VMCS_ACCESS_RW &&
	       ix != FIELD(HOST_RSP);
}

/* --- The VMCS --------------------------------------------------------------------------------- */

static void write_field(unsigned ix, u64 value)
{
	if (held.sure[ix] && held.value[ix] == value)
		return;
	guest_vmcs_write(vmcs_fields[ix].encoding, value);
	held.sure[ix] = true;
	held.value[ix] = value;
}

static void write_vmcs(const struct truth_case *c)
{
	const struct truth_vmcs *const base = &truth_bases[c->base];
	u64 moved[VMCS_FIELD_COUNT];

	memcpy(moved, base->value, sizeof(moved));
	for (unsigned i = 0; i < c->count; i++)
		moved[c->moves[i].field] = c->moves[i].value;
	for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++)
		if (truth_is_writable(ix))
			write_field(ix, moved[ix]);
}

static void forget_all(void)
{
	memset(held.sure, 0, sizeof(held.sure));
}

/* Entries and exits write these. What a field was moved to need not be what it holds. */
static void forget_some(const struct truth_case *c, bool entered)
{
	held.sure[FIELD(VM_ENTRY_INTERRUPTION_INFO)] = false;
	for (unsigned i = 0; i < c->count; i++)
		held.sure[c->moves[i].field] = false;
	if (!entered)
		return;
	held.sure[FIELD(VM_ENTRY_CONTROLS)] = false;
	for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++)
		if (vmcs_encoding_kind(vmcs_fields[ix].encoding) == VMCS_KIND_GUEST)
			held.sure[ix] = false;
}

/* --- What is current -------------------------------------------------------------------------- */

/* False when the processor has no shadow VMCSs. */
static bool load_shadow(void)
{
	const u64 region = truth_places[PLACE_SHADOW];

	if (vmclear(region) != VMX_SUCCEED || vmptrld(region) != VMX_SUCCEED)
		return false;
	shadow = (struct l2){ .region = (void *)(uintptr_t)region };
	forget_all();
	return true;
}

static void load_ordinary(void)
{
	guest_vmcs_load(ordinary.region);
	ordinary.launched = false;
	ordinary.regs.host_rsp = 0;
}

/* Where the processor finds what a case moved a pointer to: 2 GiB is more than any moves to. */
static void peek(u64 address, unsigned size)
{
	const volatile void *const at = (const volatile void *)(uintptr_t)address;

	if (address >> 31)
		return;
	guest_print("peek %lx %x %lx\n", address, size,
		    size == 1	? *(const volatile u8 *)at
		    : size == 4 ? *(const volatile u32 *)at
				: *(const volatile u64 *)at);
}

static u64 value_of(const struct truth_case *c, unsigned field)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->moves[i].field == field)
			return c->moves[i].value;
	return truth_bases[c->base].value[field];
}

static void peek_at_moved(const struct truth_case *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		switch (c->moves[i].field) {
		case FIELD(VMCS_LINK_POINTER):
			peek(c->moves[i].value, 4);
			break;
		case FIELD(VIRTUAL_APIC_ADDRESS):
		case FIELD(TPR_THRESHOLD):
			peek(value_of(c, FIELD(VIRTUAL_APIC_ADDRESS)) + VTPR, 1);
			break;
		case FIELD(GUEST_CR3):
			if (c->base == BASE_32)
				break; /* told before; one of them is not yet what it says */
			for (unsigned n = 0; n < 4; n++)
				peek((value_of(c, FIELD(GUEST_CR3)) & MASK(31, 5)) + 8 * n, 8);
			break;
		default:
			break;
		}
	}
}

static struct l2 *prepare(const struct truth_case *c)
{
	if (c->way & TRUTH_WAY_SHADOW && !load_shadow())
		return NULL;
	if (c->way & TRUTH_WAY_CLEAR || c->base == BASE_32)
		load_ordinary();
	write_vmcs(c);
	if (c->way & TRUTH_WAY_NO_VMCS && vmclear(physical(ordinary.region)) != VMX_SUCCEED)
		guest_fail("VMCLEAR failed");
	return c->way & TRUTH_WAY_SHADOW ? &shadow : &ordinary;
}

static void leave(const struct truth_case *c)
{
	if (c->way & TRUTH_WAY_SHADOW)
		forget_all();
	if (c->way & (TRUTH_WAY_SHADOW | TRUTH_WAY_NO_VMCS))
		load_ordinary();
}

/* --- One case --------------------------------------------------------------------------------- */

static bool print_outcome(enum vmx_outcome outcome)
{
	u64 reason;

	if (outcome == VMX_FAIL_INVALID) {
		guest_print(" i\n");
		return false;
	}
	if (outcome == VMX_FAIL_VALID) {
		guest_print(" v %x\n", guest_vmcs_error());
		return false;
	}
	reason = guest_vmcs_read(VMCS_EXIT_REASON);
	if (reason & EXIT_REASON_ENTRY_FAILURE) {
		guest_print(" x %lx %lx\n", (u64)(reason & EXIT_REASON_BASIC),
			    guest_vmcs_read(VMCS_EXIT_QUALIFICATION));
		return false;
	}
	guest_print(" ok %lx\n", reason);
	return true;
}

/* True when an entry that succeeds has an event for L2: an injected one, or a debug exception. */
static bool has_event(const struct truth_case *c)
{
	return value_of(c, FIELD(VM_ENTRY_INTERRUPTION_INFO)) & VMX_EVENT_VALID ||
	       value_of(c, FIELD(GUEST_PENDING_DEBUG_EXCEPTIONS));
}

static bool is_safe_move(const struct truth_case *c, unsigned field, u64 value)
{
	switch (field) {
	/* KVM stops when no memory is behind one of these that is legal. */
	case FIELD(APIC_ACCESS_ADDRESS):
	case FIELD(EPT_POINTER):
		return !(value >> 31) || value & MASK(63, truth_address_width());
	/* Events are pushed to where RSP points, unless SS has another base or the TSS a stack. */
	case FIELD(GUEST_SS_BASE):
	case FIELD(GUEST_TR_BASE):
		return !has_event(c) ||
		       !((value ^ truth_bases[c->base].value[field]) & MASK(31, 0));
	/* Nothing wakes a processor that waits for a SIPI. */
	case FIELD(GUEST_ACTIVITY_STATE):
		return value != ACTIVITY_SIPI;
	/* Bochs stops when it is to inject type 7. */
	case FIELD(VM_ENTRY_INTERRUPTION_INFO):
		return !(value & VMX_EVENT_VALID) || vmx_event_type(value) != VMX_EVENT_OTHER;
	default:
		return true;
	}
}

static bool is_safe(const struct truth_case *c)
{
	for (unsigned i = 0; i < c->count; i++)
		if (!truth_exists[c->moves[i].field] ||
		    !is_safe_move(c, c->moves[i].field, c->moves[i].value))
			return false;
	return truth_bases[c->base].there;
}

static u32 state_of(const struct truth_case *c, bool launched, bool resume)
{
	return (u32)((launched ? TRUTH_LAUNCHED : 0) | (resume ? TRUTH_RESUME : 0) |
		     (c->way & TRUTH_WAY_NO_VMCS ? TRUTH_NO_VMCS : 0) |
		     (c->way & TRUTH_WAY_SHADOW ? TRUTH_SHADOW : 0) |
		     (c->way & TRUTH_WAY_MOV_SS ? TRUTH_MOV_SS : 0) |
		     (c->base == BASE_32 ? TRUTH_32 : 0));
}

/* The VMCS is clear before and after. */
static enum vmx_outcome enter_32(const struct truth_case *c)
{
	static const enum vmx_outcome outcomes[] = { VMX_SUCCEED, VMX_FAIL_INVALID,
						     VMX_FAIL_VALID };
	volatile u32 *const poked = (volatile u32 *)(uintptr_t)truth_leg.poke_address;
	const bool spoil = value_of(c, FIELD(GUEST_CR3)) == truth_leg.cr3;
	unsigned result;

	*poked &= ~(u32)PDPTE_RESERVED;
	truth_leg.poke_value = *poked | (spoil ? (u32)PDPTE_RESERVED : 0);
	if (vmclear(truth_leg.vmcs) != VMX_SUCCEED)
		guest_fail("VMCLEAR failed");
	guest_vmx_off();
	result = truth_switch_32();
	guest_vmx_on();
	load_ordinary();
	return outcomes[result];
}

void truth_run(const struct truth_case *c)
{
	struct l2 *const l2 = is_safe(c) ? prepare(c) : NULL;
	bool launched, entered;

	if (!l2) {
		leave(c);
		return;
	}
	launched = l2->launched;
	l2->launched ^= (c->way & TRUTH_WAY_OTHER_INSN) != 0;
	l2->behind_mov_ss = c->way & TRUTH_WAY_MOV_SS;
	peek_at_moved(c);
	guest_print("case %x %x", c->base, state_of(c, launched, l2->launched));
	for (unsigned i = 0; i < c->count; i++)
		guest_print(" %x=%lx", vmcs_fields[c->moves[i].field].encoding, c->moves[i].value);
	entered = print_outcome(c->base == BASE_32 ? enter_32(c) : l2_enter(l2));
	l2->launched = c->base != BASE_32 && (launched || entered);
	forget_some(c, entered);
	leave(c);
	truth_count++;
}
