#include "tests/hv/nested_play.h"

#define CR0_TS	   BIT(3)
#define MOV_TO_CR0 0
#define MOV_TO_CR3 3
#define MOV_TO_CR4 4
#define CLTS	   0x20
#define OPEN	   64
#define CR0_OF_L2  0x80000033
#define CR4_OF_L2  0x2020

/* Round after round, L2 does nothing to them. */
static void play_rounds(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		stub_exit(cpu, EXIT_HLT, 0);
		play_enter(EXIT_VMRESUME);
	}
}

static int play_closed(void **state)
{
	play_good_vmcs(state);
	set12(VMCS_GUEST_CR0, CR0_OF_L2);
	set12(VMCS_GUEST_CR4, CR4_OF_L2);
	set12(VMCS_CR0_GUEST_HOST_MASK, CR0_TS);
	set12(VMCS_CR0_READ_SHADOW, CR0_TS | CR0_NE);
	set12(VMCS_CR4_GUEST_HOST_MASK, CR4_VMXE);
	set12(VMCS_CR4_READ_SHADOW, 0);
	play_enter(EXIT_VMLAUNCH);
	play_rounds(OPEN);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	return 0;
}

static bool closed(void)
{
	const bool debug = vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_MOV_DR_EXITING;

	assert_u64(vmread(VMCS_CR0_GUEST_HOST_MASK), debug ? ~0ull : CR0_TS);
	assert_u64(vmread(VMCS_CR4_GUEST_HOST_MASK), debug ? ~0ull : CR4_VMXE);
	return debug;
}

static void they_are_open_for_a_while_and_then_l2_sees_what_l1_wants_it_to_see(void **state)
{
	(void)state;
	set12(VMCS_CR0_GUEST_HOST_MASK, CR0_TS);
	set12(VMCS_CR4_GUEST_HOST_MASK, CR4_VMXE);
	play_enter(EXIT_VMLAUNCH);
	for (unsigned i = 0; i < OPEN; i++) {
		assert_false(closed());
		play_rounds(1);
	}
	assert_true(closed());
}

static void read_shadows_have_the_bits_of_l1_and_of_the_register(void **state)
{
	(void)state;
	assert_true(closed());
	assert_u64(vmread(VMCS_CR0_READ_SHADOW), CR0_OF_L2 | CR0_TS);
	assert_u64(vmread(VMCS_CR4_READ_SHADOW), CR4_OF_L2 & ~CR4_VMXE);
}

static void what_can_not_have_changed_is_not_read(void **state)
{
	(void)state;
	stub_vmcs_set(VMCS_GUEST_CR0, 1);
	stub_vmcs_set(VMCS_GUEST_CR4, 2);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_GUEST_CR0), CR0_OF_L2);
	assert_u64(get12(VMCS_GUEST_CR4), CR4_OF_L2);
}

static void a_write_is_let_through_and_seen_later(void **state)
{
	static const struct {
		const char *name;
		u32 reason;
		u64 qualification;
	} rows[] = {
		{ "MOV to CR0", EXIT_CR_ACCESS, MOV_TO_CR0 },
		{ "MOV to CR4", EXIT_CR_ACCESS, MOV_TO_CR4 },
		{ "CLTS", EXIT_CR_ACCESS, CLTS },
		{ "MOV DR", EXIT_DR_ACCESS, 7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_row(rows[i].name, closed(), true);
		stub_exit(cpu, rows[i].reason, rows[i].qualification);
		assert_row(rows[i].name, cpu->nested.mode, NESTED_L2);
		assert_row(rows[i].name, cpu->nested.hidden_exits, 1);
		assert_row(rows[i].name, vmread(VMCS_GUEST_RIP), PLAY_L2_RIP);
		assert_row(rows[i].name, closed(), false);
		assert_row(rows[i].name, vmread(VMCS_CR0_READ_SHADOW), CR0_TS | CR0_NE);
		stub_vmcs_set(VMCS_GUEST_CR4, CR4_OF_L2 | (i + 1) << 8);
		stub_exit(cpu, EXIT_HLT, 0);
		assert_row(rows[i].name, get12(VMCS_GUEST_CR4), CR4_OF_L2 | (i + 1) << 8);
		play_enter(EXIT_VMRESUME);
		play_rounds(OPEN - 2);
		assert_row(rows[i].name, closed(), false);
		play_rounds(1);
	}
	/* What L1 wants exits once more. */
	stub_exit(cpu, EXIT_CR_ACCESS, MOV_TO_CR0);
	stub_exit(cpu, EXIT_CR_ACCESS, MOV_TO_CR0);
	assert_true(l1_got(EXIT_CR_ACCESS));
}

static void other_accesses_are_l1s_at_once(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_CR_ACCESS, MOV_TO_CR3);
	assert_true(l1_got(EXIT_CR_ACCESS));
	set12(VMCS_PRIMARY_PROC_BASED_CONTROLS,
	      get12(VMCS_PRIMARY_PROC_BASED_CONTROLS) | PRIMARY_MOV_DR_EXITING);
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_DR_ACCESS, 7);
	assert_true(l1_got(EXIT_DR_ACCESS));
}

static void what_l1_writes_opens_them(void **state)
{
	static const u32 fields[] = {
		VMCS_GUEST_CR0,	      VMCS_GUEST_CR4,		VMCS_CR0_GUEST_HOST_MASK,
		VMCS_CR0_READ_SHADOW, VMCS_CR4_GUEST_HOST_MASK, VMCS_CR4_READ_SHADOW,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		u64 value;

		stub_exit(cpu, EXIT_HLT, 0);
		value = get12(fields[i]);
		set12(fields[i], value ^ BIT(1));
		play_enter(EXIT_VMRESUME);
		assert_row(field_name(fields[i]), vmread(fields[i]), value ^ BIT(1));
		stub_exit(cpu, EXIT_HLT, 0);
		set12(fields[i], value);
		play_enter(EXIT_VMRESUME);
		assert_row(field_name(fields[i]), closed(), false);
		play_rounds(OPEN);
		assert_row(field_name(fields[i]), closed(), true);
	}
}

/* SDM, "Loading Guest Control Registers, Debug Registers, and MSRs": no entry loads CR0.CD. */
static void caching_that_l1_switches_off_is_off_for_l2(void **state)
{
	const u64 own = read_cr0();

	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	write_cr0(own ^ CR0_CD);
	play_enter(EXIT_VMRESUME);
	assert_false(closed());
	stub_vmcs_set(VMCS_GUEST_CR0, CR0_OF_L2 ^ CR0_CD);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_u64(get12(VMCS_GUEST_CR0), CR0_OF_L2 ^ CR0_CD);
	write_cr0(own);
}

/* L1 loads DR7 of L2 and has it saved, or leaves its own to L2. */
static void dr7_is_known_while_nobody_can_write_it(void **state)
{
	static const struct {
		const char *name;
		u64 dr7, saved; /* by the exit, while VMCS02 has 0x455 */
	} rows[] = {
		{ "as reset leaves it", 0x400, 0x400 },
		{ "a breakpoint", 0x401, 0x401 },
		{ "GD, which #DB clears", 0x2400, 0x455 },
		{ "without the bit that is always 1", 0, 0x455 },
		{ "with bits that are always 0", 0xf400, 0x455 },
	};

	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	set12(VMCS_VM_EXIT_CONTROLS, get12(VMCS_VM_EXIT_CONTROLS) | EXIT_SAVE_DEBUG_CONTROLS);
	add12(VMCS_VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		set12(VMCS_GUEST_DR7, rows[i].dr7);
		play_enter(EXIT_VMRESUME);
		assert_row(rows[i].name, vmread(VMCS_GUEST_DR7), rows[i].dr7);
		stub_vmcs_set(VMCS_GUEST_DR7, 0x455);
		stub_exit(cpu, EXIT_HLT, 0);
		assert_row(rows[i].name, get12(VMCS_GUEST_DR7), rows[i].saved);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_good_vmcs,
		   they_are_open_for_a_while_and_then_l2_sees_what_l1_wants_it_to_see),
		IN(play_closed, read_shadows_have_the_bits_of_l1_and_of_the_register),
		IN(play_closed, what_can_not_have_changed_is_not_read),
		IN(play_closed, a_write_is_let_through_and_seen_later),
		IN(play_closed, other_accesses_are_l1s_at_once),
		IN(play_closed, what_l1_writes_opens_them),
		IN(play_closed, caching_that_l1_switches_off_is_off_for_l2),
		IN(play_closed, dr7_is_known_while_nobody_can_write_it),
	};

	return cmocka_run_group_tests_name("hv/nested/vmcs02_registers", tests, NULL, NULL);
}
