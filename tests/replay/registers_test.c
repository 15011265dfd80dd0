#include "replay/registers.h"
#include "tests/replay/memory_tape.h"

static u64 known(const struct registers *registers, enum register_name reg)
{
	u64 value;

	if (!register_known(registers, reg, &value))
		fail_msg("%s is unknown", register_info(reg)->name);
	return value;
}

static void need_unknown(const struct registers *registers, enum register_name reg)
{
	u64 value;

	if (register_known(registers, reg, &value))
		fail_msg("%s is known", register_info(reg)->name);
}

static void an_instruction_has_those_told_before_it(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct registers registers;
	struct timeline *timeline;
	u64 n, rip;

	(void)state;
	memory_put(tape, 0x8000, 1);
	n = memory_insn(tape, &memory_64, 0x3000);
	rip = tape->tape.rip;
	timeline = memory_tape_end(tape);
	/* The cursor before the memory, the registers, and the event: the same moment. */
	for (u64 at = n - 2; at <= n; at++) {
		memory_go(timeline, at);
		registers_at(timeline, 0, 1, &registers);
		assert_true(registers.runs);
		assert_u64(registers.seen, n);
		assert_u64(known(&registers, REGISTER_R15), 15);
		assert_u64(known(&registers, REGISTER_RSP), 0x5550);
		assert_u64(known(&registers, REGISTER_RIP), rip);
		assert_u64(known(&registers, REGISTER_CR3), 0x3000);
		assert_u64(known(&registers, REGISTER_RFLAGS), 0x202);
		assert_u64(known(&registers, REGISTER_EFER), 0xd00);
		need_unknown(&registers, REGISTER_GS_BASE);
	}
	/* The event before has none. */
	memory_go(timeline, n - 3);
	registers_at(timeline, 0, 1, &registers);
	need_unknown(&registers, REGISTER_R15);
	assert_u64(registers.seen, MEMORY_NEVER);
	timeline_close(timeline);
}

static void state_that_is_not_told_again_holds_in_its_block(void **state)
{
	const struct trace_item base = { trace_item_id(ITEM_STATE, VMCS_GUEST_GS_BASE), 0x1000 };
	const struct ev_regs regs = { .level = 1, .known = 1, .rax = 7 };
	struct memory_tape *const tape = memory_tape_start();
	struct registers registers;
	struct timeline *timeline;
	u64 n;

	(void)state;
	memory_regs(tape, 1, &regs, &base, 1);
	query_tape_vmread(&tape->tape, VMCS_GUEST_RIP, 0);
	memory_regs(tape, 1, &regs, NULL, 0);
	n = query_tape_vmread(&tape->tape, VMCS_GUEST_RIP, 0);
	query_tape_block(&tape->tape);
	TAPE_OTHER(&tape->tape, VMX_STATE, vmx_state, .in_vmx = 1, .vmxon_pointer = 0x1000,
		   .vmcs = MEMORY_VMCS, .level = 1);
	memory_regs(tape, 1, &regs, NULL, 0);
	query_tape_vmread(&tape->tape, VMCS_GUEST_RIP, 0);
	timeline = memory_tape_end(tape);
	memory_go(timeline, n);
	registers_at(timeline, 0, 1, &registers);
	assert_u64(known(&registers, REGISTER_GS_BASE), 0x1000);
	assert_u64(known(&registers, REGISTER_RAX), 7);
	need_unknown(&registers, REGISTER_RCX);
	memory_go(timeline, n + 3);
	registers_at(timeline, 0, 1, &registers);
	assert_u64(known(&registers, REGISTER_RAX), 7);
	need_unknown(&registers, REGISTER_GS_BASE);
	timeline_close(timeline);
}

static void at_an_exit_l2_is_as_the_exit_saves_it(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct registers registers;
	struct timeline *timeline;
	u64 n, rip;

	(void)state;
	n = memory_l2(tape, &memory_pae, 0x3000, 0);
	rip = tape->tape.rip;
	query_tape_vmread(&tape->tape, VMCS_GUEST_RIP, 0);
	timeline = memory_tape_end(tape);
	memory_go(timeline, n);
	registers_at(timeline, 0, 2, &registers);
	assert_true(registers.runs);
	assert_u64(registers.stack, 512);
	assert_u64(known(&registers, REGISTER_RBX), 0x22);
	assert_u64(known(&registers, REGISTER_RSP), 0x7770);
	assert_u64(known(&registers, REGISTER_RIP), rip);
	assert_u64(known(&registers, REGISTER_RFLAGS), 0x46);
	assert_u64(known(&registers, REGISTER_CR4), 0x20);
	assert_u64(known(&registers, REGISTER_EFER), 0x800);
	/* Without EPT the PDPTEs are in memory. */
	need_unknown(&registers, REGISTER_PDPTE0);
	/* L1 is in its VMLAUNCH. */
	registers_at(timeline, 0, 1, &registers);
	assert_false(registers.runs);
	assert_u64(known(&registers, REGISTER_RBX), 0x11);
	assert_u64(known(&registers, REGISTER_CR3), 0x9000);
	/* Behind the exit L1 runs, and L2 is suspended with what it left. */
	memory_go(timeline, n + 1);
	registers_at(timeline, 0, 1, &registers);
	assert_true(registers.runs);
	need_unknown(&registers, REGISTER_RBX);
	registers_at(timeline, 0, 2, &registers);
	assert_false(registers.runs);
	assert_u64(registers.seen, n);
	assert_u64(registers.stack, 0);
	assert_u64(known(&registers, REGISTER_RBX), 0x22);
	assert_u64(known(&registers, REGISTER_RSP), 0x7770);
	timeline_close(timeline);
}

static void what_l1_entered_with_is_known_across_blocks(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	const struct ev_l2_entry entry = { .vmcs = MEMORY_VMCS };
	const struct ev_l2_exit exit = { .vmcs = MEMORY_VMCS, .reason = EXIT_CPUID };
	const struct ev_regs regs = { .level = 1, .known = REGS_ALL, .rbx = 0x11 };
	struct trace_item items[3];
	struct registers registers;
	struct timeline *timeline;
	u64 n;

	(void)state;
	query_tape_block(&tape->tape);
	TAPE_OTHER(&tape->tape, VMX_STATE, vmx_state, .in_vmx = 1, .vmxon_pointer = 0x1000,
		   .vmcs = MEMORY_VMCS, .level = 1);
	/* A long block, whose registers are told at its start. */
	for (unsigned i = 0; i < 3000; i++) {
		memory_regs(tape, 1, &regs, items, i ? 0 : memory_state(items, &memory_64));
		query_tape_vmread(&tape->tape, VMCS_GUEST_RIP, 0);
	}
	memory_regs(tape, 1, &regs, NULL, 0);
	TAPE_INSN(&tape->tape, VMLAUNCH, vmlaunch, .cr3 = 0x9000);
	query_tape_block(&tape->tape);
	TAPE_OTHER(&tape->tape, VMX_STATE, vmx_state, .in_vmx = 1, .vmxon_pointer = 0x1000,
		   .vmcs = MEMORY_VMCS, .level = 2);
	query_tape_send(&tape->tape, EV_L2_ENTRY, 2, &entry, sizeof(entry), NULL, 0);
	n = query_tape_send(&tape->tape, EV_L2_EXIT, 2, &exit, sizeof(exit), NULL, 0);
	timeline = memory_tape_end(tape);
	memory_go(timeline, n);
	registers_at(timeline, 0, 1, &registers);
	assert_false(registers.runs);
	assert_u64(known(&registers, REGISTER_RBX), 0x11);
	assert_u64(known(&registers, REGISTER_CR4), 0x2020);
	timeline_close(timeline);
}

static void at_an_entry_l2_has_l1_s_general_registers(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct registers registers;
	struct timeline *timeline;
	u64 n;

	(void)state;
	n = memory_l2(tape, &memory_64, 0x3000, 0) - 2; /* L2_ENTRY */
	timeline = memory_tape_end(tape);
	memory_go(timeline, n);
	assert_int_equal(timeline_event(timeline)->kind, EV_L2_ENTRY);
	registers_at(timeline, 0, 2, &registers);
	assert_true(registers.runs);
	assert_u64(known(&registers, REGISTER_RBX), 0x11);
	assert_u64(known(&registers, REGISTER_RSP), 0x6660);
	assert_u64(known(&registers, REGISTER_RFLAGS), 2);
	timeline_close(timeline);
}

static void behind_the_last_event_who_had_the_turn_runs_on(void **state)
{
	const struct ev_l2_entry entry = { .vmcs = MEMORY_VMCS };
	struct memory_tape *tape = memory_tape_start();
	struct registers registers;
	struct timeline *timeline;

	(void)state;
	memory_l2(tape, &memory_64, 0x3000, 0);
	timeline = memory_tape_end(tape);
	memory_go(timeline, timeline_events(timeline));
	registers_at(timeline, 0, 1, &registers);
	assert_true(registers.runs);
	/* Not those that it entered L2 with. */
	need_unknown(&registers, REGISTER_RBX);
	need_unknown(&registers, REGISTER_RIP);
	registers_at(timeline, 0, 2, &registers);
	assert_false(registers.runs);
	assert_u64(known(&registers, REGISTER_RSP), 0x7770);
	timeline_close(timeline);

	tape = memory_tape_start();
	memory_l2(tape, &memory_64, 0x3000, 0);
	TAPE_INSN(&tape->tape, VMRESUME, vmresume, .cr3 = 0x9000);
	query_tape_send(&tape->tape, EV_L2_ENTRY, 2, &entry, sizeof(entry), NULL, 0);
	timeline = memory_tape_end(tape);
	memory_go(timeline, timeline_events(timeline));
	registers_at(timeline, 0, 2, &registers);
	assert_true(registers.runs);
	/* Nor those that it was entered with. */
	need_unknown(&registers, REGISTER_RSP);
	need_unknown(&registers, REGISTER_RIP);
	registers_at(timeline, 0, 1, &registers);
	assert_false(registers.runs);
	assert_u64(known(&registers, REGISTER_CR3), 0x9000);
	timeline_close(timeline);
}

static void addresses_have_the_base_of_their_segment_outside_64_bit_mode(void **state)
{
	static const struct {
		const char *name;
		u64 efer, cs_rights, ss_rights;
		enum register_name reg;
		u64 value, linear;
	} rows[] = {
		{ "64-bit code", 0x500, 0xa09b, 0x93, REGISTER_RIP, 0xffffffff81000000,
		  0xffffffff81000000 },
		{ "64-bit stack", 0x500, 0xa09b, 0x93, REGISTER_RSP, 0xffff888000001000,
		  0xffff888000001000 },
		{ "compatibility mode", 0x500, 0xc09b, 0xc093, REGISTER_RIP, 0x1000, 0x9000 },
		{ "real mode", 0, 0x9b, 0x93, REGISTER_RIP, 0x1b, 0x801b },
		{ "16-bit stack", 0, 0x9b, 0x93, REGISTER_RSP, 0x12340010, 0x7010 },
		{ "32-bit stack", 0, 0xc09b, 0xc093, REGISTER_RSP, 0xfffff000, 0x6000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct registers registers = { 0 };
		enum register_name missing;
		u64 linear;

		registers.reg[REGISTER_CS_BASE] = word_of(0x8000);
		registers.reg[REGISTER_SS_BASE] = word_of(0x7000);
		registers.reg[REGISTER_CS_RIGHTS] = word_of(rows[i].cs_rights);
		registers.reg[REGISTER_SS_RIGHTS] = word_of(rows[i].ss_rights);
		registers.reg[rows[i].reg] = word_of(rows[i].value);
		assert_false(register_linear(&registers, rows[i].reg, &linear, &missing));
		assert_row(rows[i].name, missing, REGISTER_EFER);
		registers.reg[REGISTER_EFER] = word_of(rows[i].efer);
		assert_true(register_linear(&registers, rows[i].reg, &linear, &missing));
		assert_row(rows[i].name, linear, rows[i].linear);
	}
}

static void a_gap_takes_the_registers_away(void **state)
{
	struct memory_tape *const tape = memory_tape_start();
	struct registers registers;
	struct timeline *timeline;
	u64 n;

	(void)state;
	memory_insn(tape, &memory_64, 0x3000);
	query_tape_block(&tape->tape);
	tape->tape.block.first_seq += 100;
	tape->tape.block.number++;
	n = query_tape_vmread(&tape->tape, VMCS_GUEST_RIP, 0) + 1;
	timeline = memory_tape_end(tape);
	memory_go(timeline, n);
	registers_at(timeline, 0, 1, &registers);
	need_unknown(&registers, REGISTER_R15);
	need_unknown(&registers, REGISTER_CR4);
	/* What the event itself tells is known. */
	assert_u64(registers.reg[REGISTER_CR0].known, BIT(0) | BIT(31));
	registers_at(timeline, 300, 1, &registers);
	need_unknown(&registers, REGISTER_RIP);
	timeline_close(timeline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instruction_has_those_told_before_it),
		cmocka_unit_test(state_that_is_not_told_again_holds_in_its_block),
		cmocka_unit_test(at_an_exit_l2_is_as_the_exit_saves_it),
		cmocka_unit_test(what_l1_entered_with_is_known_across_blocks),
		cmocka_unit_test(at_an_entry_l2_has_l1_s_general_registers),
		cmocka_unit_test(behind_the_last_event_who_had_the_turn_runs_on),
		cmocka_unit_test(addresses_have_the_base_of_their_segment_outside_64_bit_mode),
		cmocka_unit_test(a_gap_takes_the_registers_away),
	};
	return cmocka_run_group_tests_name("replay/registers", tests, query_tape_folder,
					   query_tape_remove);
}
