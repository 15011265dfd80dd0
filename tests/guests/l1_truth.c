/*
 * tests/guests/l1_truth.c - moves the fields of good VMCSs and tells how each VM entry ends
 *
 * Options: flips=0 leaves out the single bits, cases=N makes N random cases, times=N repeats what
 * is directed. The seed is fixed: the same processor gives the same text.
 */
#include "tests/guests/l1_truth.h"

#define CASES	      4000
#define TIMES	      24
#define ACTIVITY_SIPI 3
#define FIELD(NAME)   VMCS_IX_##NAME

struct truth_vmcs truth_bases[BASE_COUNT];
bool truth_exists[VMCS_FIELD_COUNT];

static u64 seed = 0x9e3779b97f4a7c15;
static struct l2 l2;
static unsigned run_count;

u64 truth_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* --- What the outcome rests on ---------------------------------------------------------------- */

static void print_cpuid(u32 leaf, u32 subleaf)
{
	const struct cpuid r = cpuid(leaf, subleaf);

	guest_print("cpuid %x %x %x %x %x %x\n", leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
}

static void print_processor(void)
{
	static const u32 leaves[] = { 0, 1, 7, 0xa, 0x80000000, 0x80000001, 0x80000008 };

	for (unsigned n = 0; n < VMX_CAP_COUNT; n++)
		guest_print("cap %x %lx\n", MSR_VMX_BASIC + n, guest_caps.msr[n]);
	for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++)
		if (leaves[i] < 0x80000000 ? leaves[i] <= cpuid(0, 0).eax
					   : leaves[i] <= cpuid(0x80000000, 0).eax)
			print_cpuid(leaves[i], 0);
	guest_print("l1 %lx %lx %lx\n", physical(l2.region), read_cr3(), read_cr4());
}

static void print_base(unsigned base)
{
	guest_print("base %x\n", base);
	for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++)
		if (truth_exists[ix])
			guest_print("field %x %lx\n", vmcs_fields[ix].encoding,
				    truth_bases[base].value[ix]);
}

/* --- One case --------------------------------------------------------------------------------- */

static bool is_writable(unsigned ix)
{
	return truth_exists[ix] && vmcs_fields[ix].access == VMCS_ACCESS_RW &&
	       ix != FIELD(HOST_RSP);
}

/* Every field anew: exits have saved what L2 had. */
static void write_vmcs(const struct truth_case *c)
{
	const struct truth_vmcs *const base = &truth_bases[c->base];

	for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++)
		if (is_writable(ix))
			guest_vmcs_write(vmcs_fields[ix].encoding, base->value[ix]);
	for (unsigned i = 0; i < c->count; i++)
		guest_vmcs_write(vmcs_fields[c->moves[i].field].encoding, c->moves[i].value);
}

static void print_outcome(enum vmx_outcome outcome)
{
	u64 reason;

	if (outcome == VMX_FAIL_INVALID) {
		guest_print(" i\n");
		return;
	}
	if (outcome == VMX_FAIL_VALID) {
		guest_print(" v %x\n", guest_vmcs_error());
		return;
	}
	reason = guest_vmcs_read(VMCS_EXIT_REASON);
	if (reason & EXIT_REASON_ENTRY_FAILURE)
		guest_print(" x %lx %lx\n", (u64)(reason & EXIT_REASON_BASIC),
			    guest_vmcs_read(VMCS_EXIT_QUALIFICATION));
	else
		guest_print(" ok %lx\n", reason);
}

/* Nothing wakes a processor that waits for a SIPI; Bochs stops when it is to inject type 7. */
static bool is_safe(const struct truth_case *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		const u64 value = c->moves[i].value;

		if (!truth_exists[c->moves[i].field])
			return false;
		if (c->moves[i].field == FIELD(GUEST_ACTIVITY_STATE) && value == ACTIVITY_SIPI)
			return false;
		if (c->moves[i].field == FIELD(VM_ENTRY_INTERRUPTION_INFO) &&
		    value & VMX_EVENT_VALID && vmx_event_type(value) == VMX_EVENT_OTHER)
			return false;
	}
	return truth_bases[c->base].there;
}

void truth_run(const struct truth_case *c)
{
	const bool launched = l2.launched;

	if (!is_safe(c))
		return;
	write_vmcs(c);
	guest_print("case %x %x", c->base,
		    (launched ? 1 : 0) | (launched != c->other_insn ? 2 : 0));
	for (unsigned i = 0; i < c->count; i++)
		guest_print(" %x=%lx", vmcs_fields[c->moves[i].field].encoding, c->moves[i].value);
	l2.launched = launched != c->other_insn;
	const enum vmx_outcome outcome = l2_enter(&l2);

	if (outcome != VMX_SUCCEED || guest_vmcs_read(VMCS_EXIT_REASON) & EXIT_REASON_ENTRY_FAILURE)
		l2.launched = launched;
	print_outcome(outcome);
	run_count++;
}

/* --- Moves ------------------------------------------------------------------------------------ */

static u64 width_of(unsigned ix)
{
	return vmcs_width_mask(vmcs_fields[ix].width);
}

static void flip_each_bit(unsigned base, unsigned stride)
{
	unsigned turn = 0;

	for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		const u64 movable = is_writable(ix) ? truth_movable(ix) & width_of(ix) : 0;

		for (u64 left = movable; left; left &= left - 1) {
			struct truth_case c = { .base = (u8)base, .count = 1 };

			if (turn++ % stride)
				continue;
			c.moves[0].field = (u16)ix;
			c.moves[0].value = truth_bases[base].value[ix] ^ (left & -left);
			truth_run(&c);
		}
	}
}

/* One bit, or one step up or down. */
static bool move_at_random(struct truth_case *c)
{
	const unsigned ix = truth_random() % VMCS_FIELD_COUNT;
	const u64 old = truth_bases[c->base].value[ix];
	const u64 movable = truth_movable(ix) & width_of(ix);
	u64 value;

	if (!is_writable(ix) || !movable)
		return false;
	for (unsigned i = 0; i < c->count; i++)
		if (c->moves[i].field == ix)
			return false;
	switch (truth_random() % 4) {
	case 0:
		value = (old + 1) & width_of(ix);
		break;
	case 1:
		value = (old - 1) & width_of(ix);
		break;
	default:
		value = old ^ BIT(truth_random() % 64);
		break;
	}
	if ((value ^ old) & ~movable || value == old)
		return false;
	c->moves[c->count++] = (struct truth_move){ .field = (u16)ix, .value = value };
	return true;
}

static void run_at_random(u64 cases)
{
	for (u64 n = 0; n < cases;) {
		const unsigned wanted = 1 + truth_random() % 3;
		struct truth_case c = { .base = (u8)(truth_random() % BASE_COUNT) };

		if (!truth_bases[c.base].there)
			continue;
		while (c.count < wanted)
			move_at_random(&c);
		truth_run(&c);
		n++;
	}
}

static void truth_code(void)
{
	for (;;)
		l2_vmcall(0);
}

void guest_main(void)
{
	const u64 stride = guest_option_number("stride", 1);
	const struct l2_options options = { .pin = PIN_PREEMPTION_TIMER };

	guest_vmx_init();
	guest_vmx_on();
	l2_create(&l2, truth_code, &options);
	guest_print("truth 1\n");
	print_processor();
	truth_make_bases(physical(l2.region));
	for (unsigned base = 0; base < BASE_COUNT; base++)
		if (truth_bases[base].there)
			print_base(base);
	for (unsigned base = 0; base < BASE_COUNT && stride; base++)
		if (truth_bases[base].there)
			flip_each_bit(base, (unsigned)stride);
	run_at_random(guest_option_number("cases", CASES));
	truth_directed((unsigned)guest_option_number("times", TIMES));
	guest_print("end %x\n", run_count);
}
