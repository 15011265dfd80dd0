#include "hv/snapshot.h"
#include "tests/hv/nested_play.h"
#include "trace/ram.h"

#define L1_STACK 0x10a100
#define L2_STACK 0x7e00 /* gpa2, and linear */
#define L2_PAGE	 0x240000

/* --- What the events so far say --------------------------------------------------------------- */

/* The last bytes that a ram event has for @gpa1; false: none has. */
static bool taped_word(u64 gpa1, u64 *word)
{
	bool found = false;

	for (unsigned i = 0; i < play_event_count; i++) {
		struct ram_reader reader = { .in = cursor_over(play_events[i].bytes,
							       play_events[i].byte_count) };
		struct ram_run run;

		if (play_events[i].kind != EV_RAM)
			continue;
		while (ram_next(&reader, &run) == ST_OK) {
			if (gpa1 < run.address || gpa1 >= run.address + run.size)
				continue;
			memcpy(word, run.bytes + (gpa1 - run.address), sizeof(*word));
			found = true;
		}
	}
	return found;
}

static void need_taped(const char *what, u64 gpa1, size_t size)
{
	for (u64 at = gpa1; at < gpa1 + size; at += 8) {
		u64 word = 0;

		if (!taped_word(at, &word))
			fail_msg("%s: the word at 0x%lx is not on the tape", what,
				 (unsigned long)at);
		assert_row(what, word, *(u64 *)stub_at(at));
	}
}

static const struct ev_regs *regs_before(const struct play_event *event)
{
	for (const struct play_event *at = event; at-- > play_events;)
		if (at->kind == EV_REGS)
			return (const void *)at->col;
	fail_msg("no regs event before");
	return NULL;
}

static void fill(u64 at, size_t size, u64 seed)
{
	for (u64 i = 0; i < size / 8; i++)
		((u64 *)stub_at(at))[i] = seed * 1000 + i;
}

/* --- Guests ----------------------------------------------------------------------------------- */

static int play_snapshots(void **state)
{
	play_good_ept_vmcs(state);
	snapshot_init(cpu);
	vmwrite(VMCS_GUEST_RSP, L1_STACK);
	fill(L1_STACK, SNAPSHOT_STACK, 1);
	play_event_count = 0;
	return 0;
}

/* L2's linear addresses by tables of its own, through an EPT12 that moves the page of its stack. */
static void move_l2(void)
{
	u64 *const pt = stub_at(PLAY_EPT12 + 0x3000);

	pt[L2_STACK >> 12] = L2_PAGE | 0x37;
	fill(L2_PAGE, 4096, 2);
	set12(VMCS_GUEST_CR3, PLAY_TABLES);
	set12(VMCS_GUEST_RSP, L2_STACK);
	set12(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b);
}

static void l2_exits(void)
{
	stub_vmcs_set(VMCS_GUEST_RSP, L2_STACK);
	stub_vmcs_set(VMCS_GUEST_RIP, PLAY_L2_RIP);
	cpu->regs[REG_RBX] = 0xb0b;
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_true(l1_got(EXIT_CPUID));
}

static void lean_records_events_alone(void **state)
{
	(void)state;
	play_vmread(VMCS_GUEST_CR0);
	assert_ptr_equal(event_of(EV_REGS), NULL);
	play_enter(EXIT_VMLAUNCH);
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_ptr_equal(event_of(EV_REGS), NULL);
	assert_ptr_equal(event_of(EV_RAM), NULL);
	assert_ptr_equal(event_of(EV_PAGE), NULL);
}

static void registers_are_those_before_the_instruction(void **state)
{
	const struct ev_regs *regs;

	(void)state;
	cpu->regs[REG_RAX] = 0x1234;
	cpu->regs[REG_R15] = 0xf15;
	play_vmread(VMCS_GUEST_CR0);
	assert_int_not_equal(cpu->regs[REG_RAX], 0x1234);
	regs = regs_before(event_of(EV_VMREAD));
	assert_u64(regs->level, 1);
	assert_u64(regs->known, REGS_ALL);
	assert_u64(regs->rax, 0x1234);
	assert_u64(regs->rcx, VMCS_GUEST_CR0);
	assert_u64(regs->rsp, L1_STACK);
	assert_u64(regs->r15, 0xf15);
	/* An instruction that succeeds costs no memory. */
	assert_u64(regs->stack, 0);
	assert_ptr_equal(event_of(EV_RAM), NULL);
}

static void an_event_has_its_registers_once(void **state)
{
	unsigned count = 0;

	(void)state;
	play_vmread(VMCS_GUEST_CR0);
	play_vmread(VMCS_GUEST_CR3);
	for (unsigned i = 0; i < play_event_count; i++)
		count += play_events[i].kind == EV_REGS;
	assert_int_equal(count, 2);
	play_event_count = 0;
	play_enter(EXIT_VMLAUNCH);
	stub_exit(cpu, EXIT_CPUID, 0);
	count = 0;
	for (unsigned i = 0; i < play_event_count; i++)
		count += play_events[i].kind == EV_REGS;
	assert_int_equal(count, 2); /* of VMLAUNCH and of the exit */
}

static void state_is_told_where_it_changes(void **state)
{
	u64 value;

	(void)state;
	vmwrite(VMCS_GUEST_GS_BASE, 0xffff888000001000);
	play_vmread(VMCS_GUEST_CR0);
	assert_true(event_item(event_of(EV_REGS), trace_item_id(ITEM_STATE, VMCS_GUEST_GS_BASE),
			       &value));
	assert_u64(value, 0xffff888000001000);
	assert_true(
		event_item(event_of(EV_REGS), trace_item_id(ITEM_STATE, VMCS_GUEST_CR4), &value));
	assert_u64(value, vmcs01_visible_cr4());
	play_vmread(VMCS_GUEST_CR0);
	assert_int_equal(event_of(EV_REGS)->item_count, 0);
	vmwrite(VMCS_GUEST_GS_BASE, 0x7000);
	play_vmread(VMCS_GUEST_CR0);
	assert_int_equal(event_of(EV_REGS)->item_count, 1);
	/* A new block has everything again. */
	snapshot_new_block(cpu);
	play_vmread(VMCS_GUEST_CR0);
	assert_true(event_of(EV_REGS)->item_count > 5);
}

static void what_fails_has_the_stack_and_the_way_to_it(void **state)
{
	(void)state;
	play_vmread(0x7ffe);
	assert_int_equal(insn()->outcome, OUTCOME_FAIL_VALID);
	assert_u64(regs_before(event_of(EV_VMREAD))->stack, SNAPSHOT_STACK);
	assert_u64(regs_before(event_of(EV_VMREAD))->walked, WALKED_RIP | WALKED_RSP);
	need_taped("stack", L1_STACK, SNAPSHOT_STACK);
	need_taped("PML4E", PLAY_TABLES, 8);
	need_taped("PDPTE", PLAY_TABLES + 0x1000, 8);
}

static void a_stack_that_is_not_mapped_is_cut(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_RSP, (PLAY_MEMORY - STUB_HV_SIZE) - 256);
	play_vmread(0x7ffe);
	assert_u64(regs_before(event_of(EV_VMREAD))->stack, 256);
	vmwrite(VMCS_GUEST_RSP, BIT(46));
	play_vmread(0x7ffe);
	assert_u64(regs_before(event_of(EV_VMREAD))->stack, 0);
	assert_u64(regs_before(event_of(EV_VMREAD))->walked, WALKED_RIP);
}

static void an_entry_has_what_its_vmcs_names(void **state)
{
	const struct ev_page *page;

	(void)state;
	set12(VMCS_PRIMARY_PROC_BASED_CONTROLS,
	      must_be_1(VMX_WORD_PRIMARY) | PRIMARY_SECONDARY_CONTROLS | PRIMARY_MSR_BITMAPS);
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
	set12(VMCS_IO_BITMAP_A, PLAY_PAGE + 0x1000);
	fill(PLAY_PAGE, 4096, 3);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_ptr_not_equal(event_of(EV_PAGE), NULL);
	page = (const void *)event_of(EV_PAGE)->col;
	assert_u64(page->gpa, PLAY_PAGE); /* the control for I/O bitmaps is off */
	assert_u64(page->field, VMCS_MSR_BITMAP);
	assert_memory_equal(event_of(EV_PAGE)->bytes, stub_at(PLAY_PAGE), 4096);
	need_taped("stack", L1_STACK, SNAPSHOT_STACK);
	l2_exits();
	assert_u64(regs_before(event_of(EV_VMLAUNCH))->stack, SNAPSHOT_STACK);
}

static void an_exit_has_l2_through_its_tables_and_ept12(void **state)
{
	const struct ev_regs *regs;

	(void)state;
	move_l2();
	fill(PLAY_L2_RIP, 64, 4);
	play_enter(EXIT_VMLAUNCH);
	l2_exits();
	regs = regs_before(event_of(EV_L2_EXIT));
	assert_u64(regs->level, 2);
	assert_u64(regs->rbx, 0xb0b);
	assert_u64(regs->rsp, L2_STACK);
	assert_u64(regs->stack, SNAPSHOT_STACK);
	assert_u64(regs->walked, WALKED_RIP | WALKED_RSP);
	need_taped("stack", L2_PAGE + L2_STACK % 4096, SNAPSHOT_STACK);
	need_taped("code", PLAY_L2_RIP, 16);
	need_taped("page table of EPT12", PLAY_EPT12 + 0x3000 + 8 * (L2_STACK >> 12), 8);
	need_taped("top of EPT12", PLAY_EPT12, 8);
	need_taped("L2's PDPTE", PLAY_TABLES + 0x1000, 8);
	/* The way to L2's tables is by EPT12 too. */
	need_taped("PDE of EPT12 for them", PLAY_EPT12 + 0x2000 + 8 * (PLAY_TABLES >> 21), 8);
}

static void a_translation_that_changed_is_made_anew(void **state)
{
	u64 *const pt = stub_at(PLAY_EPT12 + 0x3000);

	(void)state;
	move_l2();
	play_enter(EXIT_VMLAUNCH);
	l2_exits();
	pt[L2_STACK >> 12] = (L2_PAGE + 0x5000) | 0x37;
	fill(L2_PAGE + 0x5000, 4096, 9);
	play_enter(EXIT_VMRESUME);
	l2_exits();
	need_taped("page table of EPT12", PLAY_EPT12 + 0x3000 + 8 * (L2_STACK >> 12), 8);
	need_taped("stack", L2_PAGE + 0x5000 + L2_STACK % 4096, SNAPSHOT_STACK);
	assert_u64(regs_before(event_of(EV_L2_EXIT))->stack, SNAPSHOT_STACK);
}

static void a_failed_entry_has_no_registers_of_l2(void **state)
{
	(void)state;
	set12(VMCS_VMCS_LINK_POINTER, 8);
	play_enter(EXIT_VMLAUNCH);
	assert_true(l1_got((u32)(EXIT_INVALID_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE)));
	for (unsigned i = 0; i < play_event_count; i++)
		if (play_events[i].kind == EV_REGS)
			assert_int_equal(play_events[i].level, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(lean_records_events_alone, play_good_vmcs),
		cmocka_unit_test_setup(registers_are_those_before_the_instruction, play_snapshots),
		cmocka_unit_test_setup(an_event_has_its_registers_once, play_snapshots),
		cmocka_unit_test_setup(state_is_told_where_it_changes, play_snapshots),
		cmocka_unit_test_setup(what_fails_has_the_stack_and_the_way_to_it, play_snapshots),
		cmocka_unit_test_setup(a_stack_that_is_not_mapped_is_cut, play_snapshots),
		cmocka_unit_test_setup(an_entry_has_what_its_vmcs_names, play_snapshots),
		cmocka_unit_test_setup(an_exit_has_l2_through_its_tables_and_ept12, play_snapshots),
		cmocka_unit_test_setup(a_translation_that_changed_is_made_anew, play_snapshots),
		cmocka_unit_test_setup(a_failed_entry_has_no_registers_of_l2, play_snapshots),
	};
	return cmocka_run_group_tests_name("hv/snapshot", tests, NULL, NULL);
}
