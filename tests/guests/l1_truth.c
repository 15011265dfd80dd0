/*
 * tests/guests/l1_truth.c - moves the fields of good VMCSs and tells how each VM entry ends
 *
 * Options: stride=N takes every N-th of the single bits, none for 0; cases=N makes N random cases;
 * times=N repeats what is directed; kept=0 leaves out a case that KVM of Linux 6.1 stops at: it
 * looks at PDPTEs in memory that L1 had loaded before, and leaves KVM_RUN without a reason when
 * they are spoiled. The seed is fixed: the same processor gives the same text.
 */
#include "tests/guests/l1_truth.h"

#define CASES 4000
#define TIMES 24

struct truth_vmcs truth_bases[BASE_COUNT];
bool truth_exists[VMCS_FIELD_COUNT];

static u64 seed = 0x9e3779b97f4a7c15;

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

static void print_processor(u64 current)
{
	static const u32 leaves[] = { 0, 1, 7, 0xa, 0x80000000, 0x80000001, 0x80000008 };

	for (unsigned n = 0; n < VMX_CAP_COUNT; n++)
		guest_print("cap %x %lx\n", MSR_VMX_BASIC + n, guest_caps.msr[n]);
	for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++)
		if (leaves[i] < 0x80000000 ? leaves[i] <= cpuid(0, 0).eax
					   : leaves[i] <= cpuid(0x80000000, 0).eax)
			print_cpuid(leaves[i], 0);
	guest_print("l1 %lx %lx %lx\n", current, read_cr3(), read_cr4());
}

static void print_base(unsigned base)
{
	guest_print("base %x\n", base);
	for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++)
		if (truth_exists[ix])
			guest_print("field %x %lx\n", vmcs_fields[ix].encoding,
				    truth_bases[base].value[ix]);
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
		const u64 movable = truth_is_writable(ix) ? truth_movable(ix) & width_of(ix) : 0;

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

	if (!truth_is_writable(ix) || !movable)
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
		struct truth_case c = { .base = (u8)(truth_random() % BASE_32) };

		if (!truth_bases[c.base].there)
			continue;
		while (c.count < wanted)
			move_at_random(&c);
		truth_run(&c);
		n++;
	}
}

void guest_main(void)
{
	const u64 stride = guest_option_number("stride", 1);
	u64 current;

	guest_vmx_init();
	guest_vmx_on();
	current = truth_create();
	guest_print("truth 1\n");
	print_processor(current);
	truth_make_bases(current);
	for (unsigned base = 0; base < BASE_COUNT; base++)
		if (truth_bases[base].there)
			print_base(base);
	for (unsigned base = 0; base < BASE_32 && stride; base++)
		if (truth_bases[base].there)
			flip_each_bit(base, (unsigned)stride);
	run_at_random(guest_option_number("cases", CASES));
	truth_directed((unsigned)guest_option_number("times", TIMES));
	guest_print("end %x\n", truth_count);
}
