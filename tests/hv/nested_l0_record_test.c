#include "hv/hv_options.h"
#include "hv/nested/l0_record.h"
#include "tests/hv/nested_play.h"

#define ITEM02(NAME) trace_item_id(ITEM_VMCS02, VMCS_##NAME)
#define ITEM01(NAME) trace_item_id(ITEM_VMCS01, VMCS_##NAME)

static int with_l0(void **state)
{
	options.capture_l0 = true;
	return play_good_ept_vmcs(state);
}

static int without_l0(void **state)
{
	options.capture_l0 = false;
	return play_good_ept_vmcs(state);
}

static void enter(void)
{
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
}

static unsigned count_of(u8 kind)
{
	unsigned count = 0;

	for (unsigned i = 0; i < play_event_count; i++)
		count += play_events[i].kind == kind;
	return count;
}

/* The places of events of these kinds, the last of each, are in this order. */
static void assert_order(const u8 *kinds, size_t count)
{
	for (size_t i = 1; i < count; i++)
		assert_true(event_of(kinds[i - 1]) && event_of(kinds[i - 1]) < event_of(kinds[i]));
}

static void nothing_is_told_unless_asked_for(void **state)
{
	(void)state;
	enter();
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_true(l1_got(EXIT_CPUID));
	assert_null(event_of(EV_L0_ENTRY));
	assert_null(event_of(EV_L0_EXIT));
	assert_null(event_of(EV_L0_HOST));
}

static void the_three_events_stand_around_those_of_l1(void **state)
{
	static const u8 order[] = { EV_VMLAUNCH, EV_L0_ENTRY, EV_L2_ENTRY,
				    EV_L0_EXIT,	 EV_L2_EXIT,  EV_L0_HOST };

	(void)state;
	enter();
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_order(order, ARRAY_SIZE(order));
	assert_int_equal(cpu->nested.mode, NESTED_ROOT);
	assert_int_equal(last_event()->kind, EV_L0_HOST);
}

static void an_entry_tells_only_what_differs_from_vmcs12(void **state)
{
	u64 value;

	(void)state;
	enter();
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_true(event_item(event_of(EV_L0_ENTRY), ITEM02(VPID), &value));
	assert_u64(value, 2);
	assert_true(event_item(event_of(EV_L0_ENTRY), ITEM02(EPT_POINTER), &value));
	assert_false(event_item(event_of(EV_L0_ENTRY), ITEM02(GUEST_RIP), &value));
	assert_false(event_item(event_of(EV_L0_ENTRY), ITEM02(GUEST_CR3), &value));
}

static void an_exit_tells_what_the_processor_said_and_saved(void **state)
{
	const struct ev_l0_exit *exit;
	u64 value;

	(void)state;
	enter();
	stub_vmcs_set(VMCS_IDT_VECTORING_INFO, 0x80000b0e);
	stub_vmcs_set(VMCS_IDT_VECTORING_ERROR_CODE, 2);
	stub_vmcs_set(VMCS_GUEST_RSP, 0x7777);
	cpu->regs[REG_RAX] = 0x1234;
	stub_exit(cpu, EXIT_CPUID, 0x99);
	exit = (const struct ev_l0_exit *)event_of(EV_L0_EXIT)->col;
	assert_u64(exit->reason, EXIT_CPUID);
	assert_u64(exit->vmcs, PLAY_VMCS);
	assert_u64(exit->qualification, 0x99);
	assert_u64(exit->insn_length, 3);
	assert_u64(exit->vectoring_info, 0x80000b0e);
	assert_u64(exit->vectoring_code, 2);
	assert_true(event_item(event_of(EV_L0_EXIT), ITEM02(GUEST_RSP), &value));
	assert_u64(value, 0x7777);
	assert_true(event_item(event_of(EV_L0_EXIT), ITEM_REG + REG_RAX, &value));
	assert_u64(value, 0x1234);
}

static void an_exit_that_hv_keeps_is_followed_by_an_entry_that_says_so(void **state)
{
	const struct ev_l0_entry *entry;
	u64 value;

	(void)state;
	enter();
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, MIB(2) + 0x3210);
	stub_exit(cpu, EXIT_EPT_VIOLATION, 0x181);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	assert_int_equal(last_event()->kind, EV_L0_ENTRY);
	entry = (const struct ev_l0_entry *)last_event()->col;
	assert_true(entry->resumed);
	assert_u64(entry->ept02_tables, 2); /* a page of 2 MiB in EPT12 and in EPT01 */
	assert_true(event_item(last_event(), ITEM_EPT12 + 2, &value));
	assert_u64(value, MIB(2) | 0xb7);
	assert_true(event_item(last_event(), ITEM_EPT02 + 2, &value));
	assert_u64(value & MASK(51, 12), MIB(2));
	assert_true(event_item(last_event(), ITEM_EPT01 + 3, &value) ||
		    event_item(last_event(), ITEM_EPT01 + 2, &value));
	assert_int_equal(count_of(EV_L2_EXIT), 0);
}

static void what_an_exit_gives_to_l1_is_told_as_it_stands_in_vmcs01(void **state)
{
	u64 value;

	(void)state;
	enter();
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_true(event_item(last_event(), ITEM01(GUEST_RIP), &value));
	assert_u64(value, PLAY_HOST_RIP);
	assert_true(event_item(last_event(), ITEM01(GUEST_GS_BASE), &value));
	assert_u64(value, 0xffff800000002222);
	assert_true(event_item(last_event(), ITEM01(CR4_READ_SHADOW), &value));
	assert_u64(value, 0x2020);
	assert_u64(last_event()->rip, PLAY_HOST_RIP);
}

static void dropped_translations_are_told(void **state)
{
	(void)state;
	enter();
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_true(((const struct ev_l0_entry *)event_of(EV_L0_ENTRY)->col)->flushed);
	assert_false(((const struct ev_l0_host *)event_of(EV_L0_HOST)->col)->flushed);
	/* The same VPID again: its translations may stay. */
	play_enter(EXIT_VMRESUME);
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_false(((const struct ev_l0_entry *)event_of(EV_L0_ENTRY)->col)->flushed);
}

static void bits_that_a_bitmap_lacks_are_told_by_word(void **state)
{
	u64 *const page = stub_at(PLAY_PAGE);
	u64 value;

	(void)state;
	page[3] = 0x10;
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
	set12(VMCS_PRIMARY_PROC_BASED_CONTROLS,
	      must_be_1(VMX_WORD_PRIMARY) | PRIMARY_SECONDARY_CONTROLS | PRIMARY_MSR_BITMAPS);
	enter();
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_false(event_item(event_of(EV_L0_ENTRY), ITEM_MSR_BITMAP_LACKS + 3, &value));
	play_enter(EXIT_VMRESUME);
	cpu->nested.ones_bitmap[3] &= ~0x10ull;
	l0_record_turn(cpu);
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_true(event_item(event_of(EV_L0_ENTRY), ITEM_MSR_BITMAP_LACKS + 3, &value));
	assert_u64(value, 0x10);
}

static void an_entry_that_the_processor_fails_is_told_too(void **state)
{
	static const u8 order[] = { EV_VMLAUNCH, EV_L0_ENTRY, EV_L0_EXIT, EV_L2_EXIT, EV_L0_HOST };

	(void)state;
	enter();
	stub_exit(cpu, EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE, 0);
	assert_order(order, ARRAY_SIZE(order));
	assert_null(event_of(EV_L2_ENTRY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_is_told_unless_asked_for, without_l0),
		cmocka_unit_test_setup(the_three_events_stand_around_those_of_l1, with_l0),
		cmocka_unit_test_setup(an_entry_tells_only_what_differs_from_vmcs12, with_l0),
		cmocka_unit_test_setup(an_exit_tells_what_the_processor_said_and_saved, with_l0),
		cmocka_unit_test_setup(an_exit_that_hv_keeps_is_followed_by_an_entry_that_says_so,
				       with_l0),
		cmocka_unit_test_setup(what_an_exit_gives_to_l1_is_told_as_it_stands_in_vmcs01,
				       with_l0),
		cmocka_unit_test_setup(dropped_translations_are_told, with_l0),
		cmocka_unit_test_setup(bits_that_a_bitmap_lacks_are_told_by_word, with_l0),
		cmocka_unit_test_setup(an_entry_that_the_processor_fails_is_told_too, with_l0),
	};

	return cmocka_run_group_tests_name("hv/nested/l0_record", tests, NULL, NULL);
}
