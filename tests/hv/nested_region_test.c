#include "hv/mem.h"
#include "hv/nested/vmcs_key_frames.h"
#include "tests/hv/nested_play.h"

static struct vmcs12 *region(u64 pointer)
{
	return stub_at(pointer);
}

static void clear_and_load(u64 pointer)
{
	play_revision(pointer, VMCS12_REVISION);
	play_pointer(EXIT_VMCLEAR, pointer);
	play_pointer(EXIT_VMPTRLD, pointer);
	assert_int_equal(insn()->outcome, OUTCOME_SUCCEED);
}

static void vmclear_writes_the_fields_and_not_the_revision(void **state)
{
	(void)state;
	set12(VMCS_GUEST_RIP, 0x1234);
	assert_u64(region(PLAY_VMCS)->value[VMCS_IX_GUEST_RIP], 0);
	region(PLAY_VMCS)->revision = 0x5a5a5a5a;
	region(PLAY_VMCS)->abort = 7;
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS);
	assert_u64(region(PLAY_VMCS)->value[VMCS_IX_GUEST_RIP], 0x1234);
	assert_u64(region(PLAY_VMCS)->revision, 0x5a5a5a5a);
	assert_u64(region(PLAY_VMCS)->abort, 7);
	assert_u64(region(PLAY_VMCS)->launched, 0);
	assert_u64(((const struct ev_vmclear *)insn())->dword0, 0x5a5a5a5a);
}

static void vmclear_clears_the_launch_state(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS);
	assert_u64(((const struct ev_vmclear *)insn())->launched, 1);
	assert_u64(region(PLAY_VMCS)->launched, 0);
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS);
	play_enter(EXIT_VMRESUME);
	assert_u64(insn()->error, VMERR_VMRESUME_NOT_LAUNCHED);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
}

static void what_is_loaded_again_gets_into_vmcs02(void **state)
{
	(void)state;
	stub_exit(cpu, EXIT_HLT, 0);
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS);
	region(PLAY_VMCS)->value[VMCS_IX_GUEST_RSP] = 0x9999;
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(vmread(VMCS_GUEST_RSP), 0x9999);
}

static void vmclear_of_a_region_never_loaded_only_clears_its_launch_state(void **state)
{
	(void)state;
	memset(stub_at(PLAY_PAGE), 0x5a, 4096);
	play_pointer(EXIT_VMCLEAR, PLAY_PAGE);
	assert_int_equal(insn()->outcome, OUTCOME_SUCCEED);
	assert_u64(((const struct ev_vmclear *)insn())->launched, 1);
	assert_u64(region(PLAY_PAGE)->revision, 0x5a5a5a5a);
	assert_u64(region(PLAY_PAGE)->launched, 0);
	assert_u64(region(PLAY_PAGE)->value[VMCS_IX_GUEST_RIP], 0x5a5a5a5a5a5a5a5a);
	assert_u64(cpu->nested.current_pointer, PLAY_VMCS);
}

static void vmptrld_of_a_region_never_cleared_takes_what_is_there(void **state)
{
	const struct ev_vmptrld *event;

	(void)state;
	memset(stub_at(PLAY_PAGE), 0x5a, 4096);
	play_revision(PLAY_PAGE, VMCS12_REVISION);
	play_pointer(EXIT_VMPTRLD, PLAY_PAGE);
	event = (const struct ev_vmptrld *)event_of(EV_VMPTRLD)->col;
	assert_u64(event->outcome, OUTCOME_SUCCEED);
	assert_u64(event->launched, 1);
	assert_u64(event->dword0, VMCS12_REVISION);
	/* Its stamp says that hv has had it; what is there is told. */
	assert_int_equal(last_event()->kind, EV_VMCS_IMAGE);
	assert_u64(get12(VMCS_GUEST_RIP), 0x5a5a5a5a5a5a5a5a);
	assert_u64(get12(VMCS_GUEST_CS_SELECTOR), 0x5a5a);
	play_enter(EXIT_VMLAUNCH);
	assert_u64(insn()->error, VMERR_VMLAUNCH_NOT_CLEAR);
}

static void vmcss_stay_active_while_another_is_current(void **state)
{
	(void)state;
	set12(VMCS_GUEST_RIP, 0x1111);
	clear_and_load(PLAY_VMCS2);
	set12(VMCS_GUEST_RIP, 0x2222);
	/* L1's memory of the first is not read again. */
	region(PLAY_VMCS)->value[VMCS_IX_GUEST_RIP] = 0x3333;
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS);
	assert_u64(get12(VMCS_GUEST_RIP), 0x1111);
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS2);
	assert_u64(get12(VMCS_GUEST_RIP), 0x2222);
}

/* With more VMCSs than hv can remember it does not know what L1 changed of the first. */
static void vmptrld_of_a_forgotten_vmcs_tells_all_fields(void **state)
{
	const u64 others = PLAY_PAGE + 0x100000;
	const struct play_event *image;
	u64 value;

	(void)state;
	set12(VMCS_GUEST_RIP, 0x1111);
	for (u64 i = 0; i < NESTED_SLOTS; i++)
		clear_and_load(others + i * 4096);
	region(PLAY_VMCS)->value[VMCS_IX_GUEST_RIP] = 0x2222;
	play_event_count = 0;
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS);
	assert_int_equal(play_event_count, 2);
	assert_int_equal(play_events[0].kind, EV_VMPTRLD);
	image = &play_events[1];
	assert_int_equal(image->kind, EV_VMCS_IMAGE);
	assert_u64(image->col[0], PLAY_VMCS);
	assert_true(event_item(image, VMCS_GUEST_RIP, &value));
	assert_u64(value, 0x2222);
	/* Once; and the others were not there before L1 cleared them. */
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS);
	assert_int_equal(play_event_count, 3);
}

/* So that L1 can't keep hv busy with regions that it wrote all over. */
static void vmxoff_tells_some_of_what_is_lost_with_it(void **state)
{
	const u64 others = PLAY_PAGE + 0x100000;
	unsigned before;

	(void)state;
	for (u64 i = 0; i < NESTED_SLOTS - 1; i++) {
		clear_and_load(others + i * 4096);
		memset(region(others + i * 4096)->value, 0x55, sizeof(region(0)->value));
	}
	before = play_event_total;
	play(EXIT_VMXOFF, 0, 0);
	assert_int_equal(insn()->outcome, OUTCOME_SUCCEED);
	assert_true(play_event_total - before > 2);
	assert_true(play_event_total - before < 200);
	assert_u64(region(others)->value[VMCS_IX_GUEST_RIP], 0);
}

/* A region that L1 wrote all over costs no more than some fields and an image. */
static void vmptrld_tells_a_region_that_changed_everywhere_by_its_fields(void **state)
{
	const struct play_event *image;
	u64 value;

	(void)state;
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS);
	memset(region(PLAY_VMCS)->value, 0x55, sizeof(region(0)->value));
	play_event_count = 0;
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS);
	assert_true(play_event_count > 2);
	assert_true(play_event_count < 50);
	assert_int_equal(play_events[0].kind, EV_VMCS12_WRITE);
	image = &play_events[play_event_count - 1];
	assert_int_equal(image->kind, EV_VMCS_IMAGE);
	assert_true(event_item(image, VMCS_HOST_RIP, &value));
	assert_u64(value, 0x5555555555555555);
	assert_u64(get12(VMCS_HOST_RIP), 0x5555555555555555);
}

static void writes_of_l1_to_an_inactive_region_take_effect_and_are_told(void **state)
{
	const struct ev_vmcs12_write *event;

	(void)state;
	set12(VMCS_GUEST_RIP, 0x1111);
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS);
	assert_null(event_of(EV_VMCS12_WRITE));
	region(PLAY_VMCS)->value[VMCS_IX_GUEST_RIP] = 0x3333;
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS);
	assert_int_equal(last_event()->kind, EV_VMPTRLD);
	assert_non_null(event_of(EV_VMCS12_WRITE));
	event = (const struct ev_vmcs12_write *)event_of(EV_VMCS12_WRITE)->col;
	assert_u64(event->origin, ORIGIN_MEMORY);
	assert_u64(event->vmcs, PLAY_VMCS);
	assert_u64(event->field, VMCS_GUEST_RIP);
	assert_u64(event->old, 0x1111);
	assert_u64(event->value, 0x3333);
	assert_true(event->since_tsc > 0);
	assert_u64(get12(VMCS_GUEST_RIP), 0x3333);
}

static void writes_of_l1_to_an_active_region_are_told_and_lost(void **state)
{
	(void)state;
	set12(VMCS_GUEST_RIP, 0x1111);
	region(PLAY_VMCS)->value[VMCS_IX_GUEST_RSP] = 0x3333;
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS);
	assert_non_null(event_of(EV_VMCS12_WRITE));
	assert_true(play_event_count >= 3);
	for (unsigned i = 0; i < 2; i++) {
		const struct play_event *const told = &play_events[play_event_count - 3 + i];
		const struct ev_vmcs12_write *const event = (const void *)told->col;

		assert_int_equal(told->kind, EV_VMCS12_WRITE);
		assert_u64(event->field, VMCS_GUEST_RSP);
		assert_u64(event->origin, i ? ORIGIN_WRITE_BACK : ORIGIN_MEMORY);
		assert_u64(event->old, i ? 0x3333 : 0);
		assert_u64(event->value, i ? 0 : 0x3333);
	}
	assert_u64(region(PLAY_VMCS)->value[VMCS_IX_GUEST_RSP], 0);
	assert_u64(region(PLAY_VMCS)->value[VMCS_IX_GUEST_RIP], 0x1111);
}

static void vmxoff_writes_every_active_vmcs_and_keeps_launch_states(void **state)
{
	(void)state;
	play_good_vmcs(state);
	play_enter(EXIT_VMLAUNCH);
	stub_exit(cpu, EXIT_HLT, 0);
	clear_and_load(PLAY_VMCS2);
	set12(VMCS_GUEST_RIP, 0x2222);
	play(EXIT_VMXOFF, 0, 0);
	assert_int_equal(insn()->outcome, OUTCOME_SUCCEED);
	assert_u64(region(PLAY_VMCS)->launched, 1);
	assert_u64(region(PLAY_VMCS)->value[VMCS_IX_EXIT_REASON], EXIT_HLT);
	assert_u64(region(PLAY_VMCS2)->value[VMCS_IX_GUEST_RIP], 0x2222);
	assert_u64(region(PLAY_VMCS2)->launched, 0);
}

static void more_vmcss_than_slots_are_written_back_and_read_again(void **state)
{
	enum { COUNT = NESTED_SLOTS + 10 };
	const u64 first = MIB(8);

	(void)state;
	for (u64 i = 0; i < COUNT; i++) {
		clear_and_load(first + i * PAGE_SIZE);
		set12(VMCS_GUEST_RIP, 0x1000 + i);
	}
	/* The first ones are in memory now, the last ones in slots. */
	assert_u64(region(first)->value[VMCS_IX_GUEST_RIP], 0x1000);
	assert_u64(region(first + (COUNT - 1) * PAGE_SIZE)->value[VMCS_IX_GUEST_RIP], 0);
	for (u64 i = 0; i < COUNT; i++) {
		play_pointer(EXIT_VMPTRLD, first + i * PAGE_SIZE);
		assert_u64(get12(VMCS_GUEST_RIP), 0x1000 + i);
	}
}

static void more_vmcss_than_pages_for_vmcs02s_can_run(void **state)
{
	struct nested_vmcs *vmcs = cpu->nested.current;
	unsigned entries = 0;

	(void)state;
	play_good_vmcs(state);
	while (mem_try_page())
		;
	/* Whoever enters takes the VMCS02 of the other. */
	for (unsigned i = 0; i < 4; i++) {
		const u64 pointer = i % 2 ? PLAY_VMCS2 : PLAY_VMCS;

		memcpy(stub_at(PLAY_VMCS2), stub_at(PLAY_VMCS), 4096);
		play_pointer(EXIT_VMPTRLD, pointer);
		if (pointer == PLAY_VMCS2)
			cpu->nested.current->launched = false;
		vmcs = cpu->nested.current;
		if (i == 1)
			memcpy(vmcs->field, nested_vmcs_find(&cpu->nested, PLAY_VMCS)->field,
			       sizeof(vmcs->field));
		play_enter(vmcs->launched ? EXIT_VMRESUME : EXIT_VMLAUNCH);
		entries += cpu->nested.mode == NESTED_L2;
		assert_u64(vmread(VMCS_GUEST_RIP), PLAY_L2_RIP);
		stub_exit(cpu, EXIT_HLT, 0);
		assert_true(l1_got(EXIT_HLT));
		set12(VMCS_GUEST_RIP, PLAY_L2_RIP);
	}
	assert_int_equal(entries, 4);
}

static void key_frames_show_every_active_vmcs_once_until_it_changes(void **state)
{
	const struct play_event *image;
	u64 value;

	(void)state;
	set12(VMCS_GUEST_RIP, 0x1111);
	clear_and_load(PLAY_VMCS2);
	play_event_count = 0;
	nested_key_frames(cpu, cpu->rec, 7);
	assert_int_equal(play_event_count, 3);
	assert_int_equal(play_events[0].kind, EV_VMX_STATE);
	assert_u64(play_events[0].col[0], 1);
	assert_u64(play_events[0].col[1], PLAY_VMXON);
	assert_u64(play_events[0].col[2], PLAY_VMCS2);
	assert_u64(play_events[0].col[3], 1);
	image = &play_events[1];
	assert_int_equal(image->kind, EV_VMCS_IMAGE);
	assert_u64(image->col[0], PLAY_VMCS);
	assert_u64(image->col[2], 0);
	assert_u64(image->col[3], 0);
	assert_true(event_item(image, VMCS_GUEST_RIP, &value));
	assert_u64(value, 0x1111);
	assert_false(event_item(image, VMCS_VMREAD_BITMAP_ADDRESS, &value));
	assert_u64(play_events[2].col[0], PLAY_VMCS2);
	assert_u64(play_events[2].col[2], 1);

	set12(VMCS_GUEST_RIP, 0x2222);
	play_event_count = 0;
	nested_key_frames(cpu, cpu->rec, 8);
	assert_int_equal(play_event_count, 3);
	assert_u64(play_events[1].col[3], 8);
	assert_u64(play_events[1].item_count, 0);
	assert_u64(play_events[2].col[3], 0);
	assert_true(play_events[2].item_count > 100);
}

/* Of the key frames of a block: how many have all fields. */
static unsigned images_of_block(u64 block)
{
	unsigned count = 0;

	play_event_count = 0;
	nested_key_frames(cpu, cpu->rec, block);
	for (unsigned i = 1; i < play_event_count; i++) {
		count += play_events[i].item_count > 100;
		assert_true(play_events[i].item_count || play_events[i].col[3]);
	}
	return count;
}

static void many_vmcss_that_changed_are_shown_block_by_block(void **state)
{
	enum { COUNT = 14 }; /* one is current, one was before */

	(void)state;
	for (u64 i = 0; i < COUNT; i++) {
		clear_and_load(MIB(8) + i * PAGE_SIZE);
		set12(VMCS_GUEST_RIP, 0x1000 + i);
	}
	assert_int_equal(images_of_block(7), 4);
	assert_int_equal(play_event_count, 1 + 4);
	assert_int_equal(images_of_block(8), 3);
	assert_int_equal(play_event_count, 1 + 4 + 3);
	assert_int_equal(images_of_block(9), 3);
	assert_int_equal(images_of_block(10), 3);
	assert_int_equal(images_of_block(11), 2);
	assert_int_equal(images_of_block(12), 0);
	assert_int_equal(play_event_count, 1 + COUNT + 1);
}

static void key_frames_outside_vmx_operation_show_just_that(void **state)
{
	(void)state;
	nested_key_frames(cpu, cpu->rec, 0);
	assert_int_equal(play_event_count, 1);
	assert_u64(play_events[0].col[0], 0);
	assert_u64(play_events[0].col[1], ~0ull);
	assert_u64(play_events[0].col[2], ~0ull);
}

/* --- Several processors ----------------------------------------------------------------------- */

static unsigned memory_writes(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < play_event_count; i++)
		count += play_events[i].kind == EV_VMCS12_WRITE;
	return count;
}

static struct percpu *second_processor(void)
{
	struct percpu *other = percpu_create();

	other->rec = cpu->rec;
	percpu_add(other);
	stub_cpu.gs_self = cpu;
	assert_int_equal(nested_caps_init(other, ""), ST_OK);
	nested_init(other);
	return other;
}

/* VMPTRLD, VMWRITE of CR3-target value 0, VMCLEAR. */
static void write_on(struct percpu *processor, u64 value)
{
	struct nested_vmcs *vmcs = nested_vmcs_load(processor, PLAY_VMCS);

	nested_field_set(vmcs, VMCS_IX_CR3_TARGET_VALUE_0, value);
	nested_vmcs_clear(processor, PLAY_VMCS);
}

static u64 *in_memory(void)
{
	struct vmcs12 *region = stub_at(PLAY_VMCS);

	return &region->value[VMCS_IX_CR3_TARGET_VALUE_0];
}

static void what_another_processor_wrote_is_not_taken_for_l1_s(void **state)
{
	struct percpu *other;

	(void)state;
	other = second_processor();
	play_event_count = 0;
	for (u64 round = 1; round < 5; round++) {
		write_on(cpu, 10 * round);
		assert_u64(nested_vmcs_load(other, PLAY_VMCS)->field[VMCS_IX_CR3_TARGET_VALUE_0],
			   10 * round);
		write_on(other, 10 * round + 1);
		assert_u64(*in_memory(), 10 * round + 1);
	}
	assert_u64(nested_vmcs_load(cpu, PLAY_VMCS)->field[VMCS_IX_CR3_TARGET_VALUE_0], 41);
	assert_int_equal(memory_writes(), 0);
}

static void what_l1_wrote_meanwhile_is_told_with_what_another_left(void **state)
{
	const struct ev_vmcs12_write *told;
	struct percpu *other;

	(void)state;
	other = second_processor();
	write_on(cpu, 1);
	write_on(other, 2);
	*in_memory() = 3;
	play_event_count = 0;
	nested_vmcs_load(cpu, PLAY_VMCS);
	assert_int_equal(memory_writes(), 1);
	told = (const struct ev_vmcs12_write *)last_event()->col;
	assert_u64(told->old, 2);
	assert_u64(told->value, 3);
}

/* Its slot is another VMCS's by now. */
static void what_nobody_knows_any_more_is_not_told(void **state)
{
	struct percpu *other;

	(void)state;
	other = second_processor();
	write_on(cpu, 1);
	write_on(other, 2);
	for (unsigned i = 0; i < NESTED_SLOTS; i++)
		other->nested.slots[i].pointer = NESTED_NONE;
	play_event_count = 0;
	assert_u64(nested_vmcs_load(cpu, PLAY_VMCS)->field[VMCS_IX_CR3_TARGET_VALUE_0], 2);
	assert_int_equal(memory_writes(), 0);
}

static void a_vmcs_active_twice_breaks_nothing(void **state)
{
	struct percpu *other;

	(void)state;
	other = second_processor();
	nested_field_set(nested_vmcs_load(cpu, PLAY_VMCS), VMCS_IX_CR3_TARGET_VALUE_0, 1);
	nested_field_set(nested_vmcs_load(other, PLAY_VMCS), VMCS_IX_CR3_TARGET_VALUE_0, 2);
	play_event_count = 0;
	nested_vmcs_clear(other, PLAY_VMCS);
	nested_vmcs_clear(cpu, PLAY_VMCS);
	assert_u64(*in_memory(), 1);
	assert_int_equal(memory_writes(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_another_processor_wrote_is_not_taken_for_l1_s,
				       play_vmxon),
		cmocka_unit_test_setup(what_l1_wrote_meanwhile_is_told_with_what_another_left,
				       play_vmxon),
		cmocka_unit_test_setup(what_nobody_knows_any_more_is_not_told, play_vmxon),
		cmocka_unit_test_setup(a_vmcs_active_twice_breaks_nothing, play_vmxon),
		IN(play_vmptrld, vmclear_writes_the_fields_and_not_the_revision),
		IN(play_l2, vmclear_clears_the_launch_state),
		IN(play_l2, what_is_loaded_again_gets_into_vmcs02),
		IN(play_vmptrld, vmclear_of_a_region_never_loaded_only_clears_its_launch_state),
		IN(play_vmptrld, vmptrld_of_a_region_never_cleared_takes_what_is_there),
		IN(play_vmptrld, vmcss_stay_active_while_another_is_current),
		IN(play_vmptrld, vmptrld_of_a_forgotten_vmcs_tells_all_fields),
		IN(play_vmptrld, vmxoff_tells_some_of_what_is_lost_with_it),
		IN(play_vmptrld, vmptrld_tells_a_region_that_changed_everywhere_by_its_fields),
		IN(play_vmptrld, writes_of_l1_to_an_inactive_region_take_effect_and_are_told),
		IN(play_vmptrld, writes_of_l1_to_an_active_region_are_told_and_lost),
		IN(play_vmptrld, vmxoff_writes_every_active_vmcs_and_keeps_launch_states),
		IN(play_vmptrld, more_vmcss_than_slots_are_written_back_and_read_again),
		IN(play_vmptrld, more_vmcss_than_pages_for_vmcs02s_can_run),
		IN(play_vmptrld, key_frames_show_every_active_vmcs_once_until_it_changes),
		IN(play_vmptrld, many_vmcss_that_changed_are_shown_block_by_block),
		IN(play_boot, key_frames_outside_vmx_operation_show_just_that),
	};

	return cmocka_run_group_tests_name("hv/nested/state", tests, NULL, NULL);
}
