#include "hv/deep.h"

#include "hv/ept.h"
#include "hv/guestmem.h"
#include "hv/hv_options.h"
#include "hv/mem.h"
#include "hv/nested/ept02.h"
#include "hv/nested/operand.h"
#include "tests/hv/nested_play.h"
#include "trace/ram.h"
#include "vmx/qual.h"

enum { PAGES = 20, DIRTY = 16, STORED = 0x1400000, READ = 0x1500000 };

/* L1 has its first exit of an L2 with EPT: the window begins. */
static int in_window(void **state)
{
	options.capture = CAPTURE_DEEP;
	options.deep_from = 1;
	options.deep_count = 2;
	options.deep_pages = PAGES;
	play_good_ept_vmcs(state);
	deep_init(cpu);
	play_enter(EXIT_VMLAUNCH);
	stub_exit(cpu, EXIT_HLT, 0);
	return 0;
}

static int back_to_lean(void **state)
{
	(void)state;
	options.capture = CAPTURE_LEAN;
	deep_cpu = NULL;
	return 0;
}

/* Rights and size of what EPT01 has for @gpa1. */
static u64 ept01_entry(u64 gpa1, u64 *size)
{
	u64 entry, table = ept01_pointer() & MASK(51, 12);

	for (unsigned shift = 39;; shift -= 9) {
		memcpy(&entry, (u8 *)stub_at(table) + (gpa1 >> shift & 511) * 8, sizeof(entry));
		*size = BIT(shift);
		if (shift == 12 || entry & EPT_LARGE)
			return entry;
		table = entry & MASK(51, 12);
	}
}

static bool writable(u64 gpa1)
{
	u64 size;

	return ept01_entry(gpa1, &size) & EPT_WRITE;
}

static void l1_stores(u64 gpa1)
{
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, gpa1);
	stub_exit(cpu, EXIT_EPT_VIOLATION, VMX_EPT_VIOLATION_WRITE);
}

static u64 *memory(u64 gpa1)
{
	return stub_at(gpa1);
}

static void in_a_window_l1_and_l2_may_read_only(void **state)
{
	u64 size;

	(void)state;
	assert_int_equal(event_of(EV_DEEP)->col[0], DEEP_BEGINS);
	assert_false(writable(STORED));
	assert_true(ept01_entry(STORED, &size) & EPT_READ);
	assert_false(writable(0x8000));
	/* What is no RAM is nobody's to follow. */
	assert_true(writable(0xa0000));
	assert_true(writable(0xfee00000));
}

static void a_page_is_told_before_the_first_store(void **state)
{
	u64 size;

	(void)state;
	memory(STORED)[7] = 0x1111;
	l1_stores(STORED + 0x38);
	assert_int_equal(last_event()->kind, EV_PAGE);
	assert_u64(last_event()->col[0], STORED);
	assert_int_equal(last_event()->byte_count, PAGE_SIZE);
	assert_memory_equal(last_event()->bytes, memory(STORED), PAGE_SIZE);
	assert_true(writable(STORED));
	ept01_entry(STORED, &size);
	assert_u64(size, PAGE_SIZE);
	assert_false(writable(STORED + PAGE_SIZE));
}

static void changes_are_told_before_the_next_event(void **state)
{
	u8 bytes[64];
	struct ram_writer expected = { .to = bytes };

	(void)state;
	l1_stores(STORED);
	memory(STORED)[0] = 0x2222;
	memory(STORED)[100] = 0x3333;
	ram_put(&expected, STORED, memory(STORED), 1);
	ram_put(&expected, STORED + 800, &memory(STORED)[100], 1);
	deep_take(cpu);
	assert_int_equal(last_event()->kind, EV_RAM);
	assert_int_equal(last_event()->byte_count, expected.size);
	assert_memory_equal(last_event()->bytes, bytes, expected.size);
	assert_false(writable(STORED));
	play_event_count = 0;
	l1_stores(STORED);
	deep_take(cpu);
	assert_int_equal(play_event_count, 0);
}

static void words_side_by_side_are_one_run(void **state)
{
	u8 bytes[5000];
	struct ram_writer expected = { .to = bytes };
	const struct play_event *event;

	(void)state;
	l1_stores(STORED);
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		memory(STORED)[i] ^= i == 3 || i == 7 ? 0 : 0x5555;
	ram_put(&expected, STORED, memory(STORED), 3);
	ram_put(&expected, STORED + 32, &memory(STORED)[4], 3);
	play_event_count = 0;
	deep_take(cpu);
	event = &play_events[0];
	assert_int_equal(event->kind, EV_RAM);
	assert_memory_equal(event->bytes, bytes, expected.size);
	/* More than an event holds. */
	assert_int_equal(play_event_count, 2);
	assert_true(event->byte_count <= TRACE_MAX_BYTES);
}

/* To tell all of them before one event would take too long. */
static void the_first_page_is_told_when_too_many_are_stored_to(void **state)
{
	(void)state;
	for (u64 i = 0; i < DIRTY; i++)
		l1_stores(STORED + i * PAGE_SIZE);
	assert_true(writable(STORED) && writable(STORED + (DIRTY - 1) * PAGE_SIZE));
	memory(STORED)[1] = 0x6666;
	play_event_count = 0;
	l1_stores(STORED + DIRTY * PAGE_SIZE);
	assert_int_equal(play_events[0].kind, EV_RAM);
	assert_int_equal(last_event()->kind, EV_PAGE);
	assert_false(writable(STORED));
	assert_true(writable(STORED + PAGE_SIZE) && writable(STORED + DIRTY * PAGE_SIZE));
	memory(STORED + PAGE_SIZE)[1] = 0x7777;
	deep_take(cpu);
	assert_int_equal(last_event()->kind, EV_RAM);
	assert_false(writable(STORED + PAGE_SIZE));
}

static void what_hv_writes_for_l1_is_told_too(void **state)
{
	const u64 value = 0x4444;

	(void)state;
	assert_int_equal(guest_write_gpa(STORED + 8, &value, sizeof(value)), ST_OK);
	assert_int_equal(last_event()->kind, EV_PAGE);
	deep_take(cpu);
	assert_int_equal(last_event()->kind, EV_RAM);
}

/* VMREAD to memory, where the walk to its operand was made before. */
static void an_operand_that_hv_writes_is_told_too(void **state)
{
	const struct operand operand = {
		.gpa = STORED + 8,
		.ram = guest_ram(STORED + 8, sizeof(u64)),
	};
	const u64 value = 0x5555;

	(void)state;
	assert_true(operand_write(cpu, &operand, &value, sizeof(value)));
	assert_int_equal(last_event()->kind, EV_PAGE);
	deep_take(cpu);
	assert_int_equal(last_event()->kind, EV_RAM);
}

static void an_event_that_was_being_delivered_is_injected_again(void **state)
{
	(void)state;
	stub_vmcs_set(VMCS_IDT_VECTORING_INFO, 0x80000030);
	l1_stores(STORED);
	assert_true(stub_injects(0x30));
}

static void l2_gets_the_right_to_write_by_a_store(void **state)
{
	const u64 eptp = get12(VMCS_EPT_POINTER);
	unsigned level;
	u64 entry;

	(void)state;
	play_enter(EXIT_VMRESUME);
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, READ);
	stub_exit(cpu, EXIT_EPT_VIOLATION, VMX_EPT_VIOLATION_READ);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_true(ept02_find(&cpu->nested, eptp, READ, &level, &entry));
	assert_u64(entry & (EPT_READ | EPT_WRITE), EPT_READ);
	stub_exit(cpu, EXIT_EPT_VIOLATION, VMX_EPT_VIOLATION_WRITE);
	assert_true(ept02_find(&cpu->nested, eptp, READ, &level, &entry));
	assert_u64(entry & (EPT_READ | EPT_WRITE), EPT_READ | EPT_WRITE);
	assert_int_equal(level, 1);
	deep_take(cpu);
	assert_false(ept02_find(&cpu->nested, eptp, READ, &level, &entry));
}

/* Other pages of a table come back with it: hv has to see a store to them all the same. */
static void pages_that_come_back_to_l2_are_read_only(void **state)
{
	const u64 eptp = get12(VMCS_EPT_POINTER), other = READ + 0x1000, t1 = PLAY_EPT12 + 0x8000;
	u64 *const entries = stub_at(t1);
	unsigned level;
	u64 entry;

	(void)state;
	for (u64 i = 0; i < 512; i++)
		entries[i] = ((READ & ~(MIB(2) - 1)) + i * 0x1000) | 0x37;
	*((u64 *)stub_at(PLAY_EPT12 + 0x2000) + (READ >> 21)) = t1 | 7;
	play_enter(EXIT_VMRESUME);
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, other);
	stub_exit(cpu, EXIT_EPT_VIOLATION, VMX_EPT_VIOLATION_WRITE);
	assert_true(ept02_find(&cpu->nested, eptp, other, &level, &entry));
	assert_u64(entry & (EPT_READ | EPT_WRITE), EPT_READ | EPT_WRITE);
	deep_take(cpu);
	assert_false(ept02_find(&cpu->nested, eptp, other, &level, &entry));
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, READ);
	stub_exit(cpu, EXIT_EPT_VIOLATION, VMX_EPT_VIOLATION_READ);
	assert_true(ept02_find(&cpu->nested, eptp, other, &level, &entry));
	assert_u64(entry & (EPT_READ | EPT_WRITE), EPT_READ);

	/* One page beside others that hv has seen a store to. */
	stub_exit(cpu, EXIT_EPT_VIOLATION, VMX_EPT_VIOLATION_WRITE);
	ept02_invalidate(&cpu->nested, eptp);
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, other + 0x1000);
	stub_exit(cpu, EXIT_EPT_VIOLATION, VMX_EPT_VIOLATION_READ);
	assert_true(ept02_find(&cpu->nested, eptp, READ, &level, &entry));
	assert_u64(entry & (EPT_READ | EPT_WRITE), EPT_READ | EPT_WRITE);
	assert_true(ept02_find(&cpu->nested, eptp, other, &level, &entry));
	assert_u64(entry & (EPT_READ | EPT_WRITE), EPT_READ);
}

/* L2 writes to a device: no page that could be told, so nothing keeps the right from it. */
static void l2_may_write_where_no_ram_is(void **state)
{
	const u64 eptp = get12(VMCS_EPT_POINTER), device = GIB(3);
	unsigned level;
	u64 entry;

	(void)state;
	*((u64 *)stub_at(PLAY_EPT12 + 0x2000) + (READ >> 21)) = device | 0xb7;
	play_enter(EXIT_VMRESUME);
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, READ);
	stub_exit(cpu, EXIT_EPT_VIOLATION, VMX_EPT_VIOLATION_WRITE);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_true(ept02_find(&cpu->nested, eptp, READ, &level, &entry));
	assert_u64(entry & (EPT_READ | EPT_WRITE), EPT_READ | EPT_WRITE);
}

static void a_mark_begins_the_window(void **state)
{
	strcpy(options.deep_mark, "here");
	options.deep_from = DEEP_AT_MARK;
	options.capture = CAPTURE_DEEP;
	play_good_ept_vmcs(state);
	deep_init(cpu);
	play_enter(EXIT_VMLAUNCH);
	stub_exit(cpu, EXIT_HLT, 0);
	deep_mark(cpu, "her", 3);
	deep_mark(cpu, "there", 5);
	deep_turn(cpu);
	assert_true(writable(STORED));
	deep_mark(cpu, "here", 4);
	deep_turn(cpu);
	assert_false(writable(STORED));
	options.deep_mark[0] = 0;
}

static void the_window_ends_after_its_entries(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		play_enter(EXIT_VMRESUME);
		stub_exit(cpu, EXIT_HLT, 0);
	}
	assert_int_equal(event_of(EV_DEEP)->col[0], DEEP_ENDS);
	/* What takes long is left to the next exit. */
	play_event_count = 0;
	assert_false(writable(STORED));
	l1_stores(STORED);
	assert_true(writable(STORED) && writable(READ));
	assert_int_equal(play_event_count, 0);
	assert_false(deep_store(cpu, STORED));
}

static void the_window_ends_when_its_pages_are_used(void **state)
{
	(void)state;
	for (u64 i = 0; i < PAGES; i++)
		l1_stores(STORED + i * PAGE_SIZE);
	assert_int_equal(event_of(EV_DEEP)->col[0], DEEP_BEGINS);
	l1_stores(STORED + PAGES * PAGE_SIZE);
	assert_int_equal(event_of(EV_DEEP)->col[0], DEEP_PAGES_USED);
	assert_u64(event_of(EV_DEEP)->col[2], PAGES);
	assert_true(writable(STORED + PAGES * PAGE_SIZE));
	deep_turn(cpu);
	assert_true(writable(READ));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_a_window_l1_and_l2_may_read_only, in_window,
						back_to_lean),
		cmocka_unit_test_setup_teardown(a_page_is_told_before_the_first_store, in_window,
						back_to_lean),
		cmocka_unit_test_setup_teardown(changes_are_told_before_the_next_event, in_window,
						back_to_lean),
		cmocka_unit_test_setup_teardown(words_side_by_side_are_one_run, in_window,
						back_to_lean),
		cmocka_unit_test_setup_teardown(the_first_page_is_told_when_too_many_are_stored_to,
						in_window, back_to_lean),
		cmocka_unit_test_setup_teardown(an_operand_that_hv_writes_is_told_too, in_window,
						back_to_lean),
		cmocka_unit_test_setup_teardown(what_hv_writes_for_l1_is_told_too, in_window,
						back_to_lean),
		cmocka_unit_test_setup_teardown(an_event_that_was_being_delivered_is_injected_again,
						in_window, back_to_lean),
		cmocka_unit_test_setup_teardown(l2_gets_the_right_to_write_by_a_store, in_window,
						back_to_lean),
		cmocka_unit_test_setup_teardown(pages_that_come_back_to_l2_are_read_only, in_window,
						back_to_lean),
		cmocka_unit_test_setup_teardown(l2_may_write_where_no_ram_is, in_window,
						back_to_lean),
		cmocka_unit_test_setup_teardown(a_mark_begins_the_window, NULL, back_to_lean),
		cmocka_unit_test_setup_teardown(the_window_ends_after_its_entries, in_window,
						back_to_lean),
		cmocka_unit_test_setup_teardown(the_window_ends_when_its_pages_are_used, in_window,
						back_to_lean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
