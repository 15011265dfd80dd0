/*
 * tests/guests/l1_fuzz.c - a hostile L1 that goes on, whatever it does
 *
 * Options: seed=N, steps=N, from=N (the first step, to begin near the one that is of interest),
 * stop=N (stop in Bochs's debugger before each N-th step and at the end, where it knows how),
 * cpus=2 (the second one writes all over what is read for the first).
 * Prints how far it is, and at the end how many entries there were and how they ended.
 */
#include "tests/guests/l1_fuzz.h"

#define STEPS		  1000
#define TOLD		  10000 /* steps */
#define REBUILD		  256	/* steps */
#define COM1_LINE_CONTROL 0x3fb
#define EIGHT_BITS	  3
#define FIELD(NAME)	  VMCS_IX_##NAME

static struct {
	u64 entries, entered, failed_late, insns, others;
	u64 reasons[EXIT_REASON_COUNT];
} counts;

static u64 time_of_l2(void)
{
	if (!fuzz_has_ept(fuzz_current()->base))
		return 0;
	return fuzz_one_in(4) ? fuzz_below(400) : fuzz_below(2 * FUZZ_FIRST_TIME);
}

/* L2 starts anew, wherever the last exit left it. */
static void rewind(void)
{
	const struct truth_vmcs *const base = &truth_bases[fuzz_current()->base];

	fuzz_write_field(FIELD(GUEST_RIP), base->value[FIELD(GUEST_RIP)]);
	fuzz_write_field(FIELD(GUEST_RSP), base->value[FIELD(GUEST_RSP)]);
	fuzz_write_field(FIELD(GUEST_RFLAGS), base->value[FIELD(GUEST_RFLAGS)]);
	fuzz_write_field(FIELD(GUEST_INTERRUPTIBILITY_STATE), 0);
	fuzz_write_field(FIELD(GUEST_ACTIVITY_STATE), 0);
	fuzz_write_field(FIELD(VMX_PREEMPTION_TIMER_VALUE), time_of_l2());
}

static void count_exit(enum vmx_outcome outcome, u64 reason)
{
	counts.entries++;
	if (outcome != VMX_SUCCEED)
		return;
	if (reason & EXIT_REASON_ENTRY_FAILURE)
		counts.failed_late++;
	else
		counts.entered++;
	if ((reason & EXIT_REASON_BASIC) < EXIT_REASON_COUNT)
		counts.reasons[reason & EXIT_REASON_BASIC]++;
}

/* Seldom as long as the processor allows. */
static void set_exit_lists(void)
{
	const unsigned entries = fuzz_one_in(8) ? FUZZ_LIST_ENTRIES : 16;

	fuzz_lists_build(entries);
	fuzz_write_field(FIELD(VM_EXIT_MSR_STORE_COUNT), fuzz_below(entries + 1));
	fuzz_write_field(FIELD(VM_EXIT_MSR_LOAD_COUNT), fuzz_below(entries + 1));
	fuzz_current()->fresh = false;
}

static void entry_step(void)
{
	struct l2 *const l2 = &fuzz_choose()->l2;
	const bool launched = l2->launched;
	enum vmx_outcome outcome;
	u64 reason = 0;
	bool exited;

	if (l2->launched)
		rewind();
	if (!fuzz_one_in(5))
		for (unsigned i = 1 + (unsigned)fuzz_below(3); i; i--)
			fuzz_move();
	if (fuzz_one_in(3))
		fuzz_poke_at_random();
	if (fuzz_one_in(32))
		set_exit_lists();
	fuzz_l2_code(&l2->regs);
	if (fuzz_one_in(24))
		l2->launched = !launched;
	/* HOST_RSP may be anything: guest_switch() writes it where it was not so before. */
	l2->regs.host_rsp = 0;
	outcome = l2_enter(l2);
	if (outcome == VMX_SUCCEED)
		vmread(VMCS_EXIT_REASON, &reason);
	exited = outcome == VMX_SUCCEED && !(reason & EXIT_REASON_ENTRY_FAILURE);
	l2->launched = launched || exited;
	fuzz_cpu_restore();
	count_exit(outcome, reason);
	fuzz_undo_moves(exited);
	fuzz_unpoke();
}

static void step(void)
{
	switch (fuzz_below(16)) {
	case 0:
		counts.others++;
		fuzz_machine_insn();
		break;
	case 1:
		if (fuzz_one_in(4) && guest_is_recorded()) {
			fuzz_scribble();
			break;
		}
		/* fall through */
	case 2:
	case 3:
	case 4:
	case 5:
		counts.insns++;
		if (fuzz_vmx_insn())
			fuzz_lose();
		fuzz_unpoke();
		break;
	default:
		entry_step();
		break;
	}
}

/* --- all of it -------------------------------------------------------------------------------- */

static void print_counts(void)
{
	guest_print(
		"entries: %lu, of which L2 ran in %lu, %lu failed with an exit; VMX instructions: "
		"%lu; others: %lu\n",
		counts.entries, counts.entered, counts.failed_late, counts.insns, counts.others);
	for (unsigned i = 0; i < EXIT_REASON_COUNT; i++)
		if (counts.reasons[i])
			guest_print("exit %s: %lu\n", vmx_exit_name(i), counts.reasons[i]);
}

/* L2 may have changed how long a character is. */
static void restore_serial(void)
{
	outb(COM1_LINE_CONTROL, EIGHT_BITS);
}

/* Nothing, unless Bochs was told to stop at it; INVD, so that a hypervisor below runs next. */
static void magic_break(void)
{
	__asm__ volatile("xchg %%bx, %%bx; invd" : : : "memory");
}

void guest_main(void)
{
	const u64 seed = guest_option_number("seed", 1), from = guest_option_number("from", 0);
	const u64 steps = guest_option_number("steps", STEPS);
	const u64 stop = guest_option_number("stop", steps);

	guest_vmx_init();
	fuzz_cpu_keep();
	fuzz_random_begin(seed, from);
	fuzz_arena_build();
	guest_vmx_on();
	fuzz_vmcss_make();
	guest_vmx_off();
	fuzz_second = fuzz_second_begin(seed);
	for (u64 n = from; n < from + steps; n++) {
		fuzz_random_begin(seed, n);
		if (n % TOLD == 0 || n == from) {
			restore_serial();
			guest_print("step %lu\n", n);
		}
		if ((n - from) % stop == 0)
			magic_break();
		if (n % REBUILD == 0)
			fuzz_arena_build();
		step();
	}
	if (fuzz_second)
		fuzz_second_end();
	restore_serial();
	print_counts();
	magic_break();
	guest_print("fuzz: seed %lu, steps %lu to %lu done\n", seed, from, from + steps - 1);
}
