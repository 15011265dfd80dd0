#include "hv/hv_options.h"
#include "hv/nested/vmcs_shadow.h"
#include "tests/hv/nested_play.h"

/* L1 is back from the exit of a launched L2. */
static int after_exit(void **state)
{
	options.capture = CAPTURE_THIN;
	play_l2(state);
	stub_exit(cpu, EXIT_HLT, 0);
	return 0;
}

static int before_launch(void **state)
{
	options.capture = CAPTURE_THIN;
	return play_good_vmcs(state);
}

static int back_to_lean(void **state)
{
	(void)state;
	options.capture = CAPTURE_LEAN;
	return 0;
}

static u64 shadow_pa(void)
{
	return cpu->nested.shadow.vmcs.pa;
}

static u64 shadow_has(u32 field)
{
	return stub_vmcs_get_of(shadow_pa(), field);
}

/* The current VMCS12 has it too. */
static bool both_have(u32 field)
{
	const int ix = vmcs_field_index(field);

	return ix >= 0 && cpu->nested.current->field[ix] == shadow_has(field);
}

/* What a VMWRITE of L1 does that does not exit. */
static void l1_writes(u32 field, u64 value)
{
	stub_vmcs_set_of(shadow_pa(), field, value);
}

static bool exits(u32 bitmap_field, u32 encoding)
{
	const u8 *const bitmap = stub_at(vmread(bitmap_field));

	return bitmap[encoding / 8] >> encoding % 8 & 1;
}

static bool in_use(void)
{
	return vmread(VMCS_SECONDARY_PROC_BASED_CONTROLS) & SECONDARY_VMCS_SHADOWING;
}

/* How many events there are of VMWRITEs that did not exit. */
static unsigned found(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < play_event_count; i++)
		count += play_events[i].kind == EV_VMCS12_WRITE &&
			 play_events[i].col[0] == ORIGIN_SHADOW;
	return count;
}

static void l1_reads_what_the_exit_left(void **state)
{
	static const u32 fields[] = { VMCS_EXIT_REASON,	      VMCS_GUEST_RIP,
				      VMCS_GUEST_CS_SELECTOR, VMCS_HOST_RSP,
				      VMCS_VM_EXIT_CONTROLS,  VMCS_HOST_IA32_PAT,
				      VMCS_GUEST_CR3 };

	(void)state;
	assert_true(in_use());
	assert_u64(vmread(VMCS_VMCS_LINK_POINTER), shadow_pa());
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		assert_false(exits(VMCS_VMREAD_BITMAP_ADDRESS, fields[i]));
		assert_row(field_name(fields[i]), both_have(fields[i]), true);
	}
	assert_u64(shadow_has(VMCS_EXIT_REASON), EXIT_HLT);
	assert_false(exits(VMCS_VMREAD_BITMAP_ADDRESS, VMCS_HOST_IA32_PAT | 1));
}

static void what_hv_must_see_exits(void **state)
{
	static const u32 reads[] = { VMCS_VM_INSTRUCTION_ERROR, 0x6fff, 0x7ffe, 0x2046 };
	static const u32 writes[] = { VMCS_VM_EXIT_CONTROLS, VMCS_EPT_POINTER, VMCS_EXIT_REASON,
				      VMCS_MSR_BITMAP, 0x6fff };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reads); i++)
		assert_row(field_name(reads[i]), exits(VMCS_VMREAD_BITMAP_ADDRESS, reads[i]), true);
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++)
		assert_row(field_name(writes[i]), exits(VMCS_VMWRITE_BITMAP_ADDRESS, writes[i]),
			   true);
	assert_false(exits(VMCS_VMWRITE_BITMAP_ADDRESS, VMCS_GUEST_RIP));
}

static void all_vmwrites_exit_until_the_vmcs_is_launched(void **state)
{
	(void)state;
	assert_true(in_use());
	assert_true(exits(VMCS_VMWRITE_BITMAP_ADDRESS, VMCS_GUEST_RIP));
	set12(VMCS_GUEST_RIP, 0x7777);
	assert_u64(shadow_has(VMCS_GUEST_RIP), 0x7777);
	set12(VMCS_HOST_RIP, 0x8888);
	assert_u64(shadow_has(VMCS_HOST_RIP), 0x8888);
}

static void a_write_is_told_before_the_entry_and_takes_effect(void **state)
{
	const struct ev_vmcs12_write *write;
	const struct play_event *event;

	(void)state;
	l1_writes(VMCS_GUEST_RIP, 0x6000);
	l1_writes(VMCS_GUEST_RFLAGS, get12(VMCS_GUEST_RFLAGS));
	play_enter(EXIT_VMRESUME);
	event = event_of(EV_VMCS12_WRITE);
	assert_non_null(event);
	write = (const struct ev_vmcs12_write *)event->col;
	assert_int_equal(found(), 1);
	assert_u64(write->origin, ORIGIN_SHADOW);
	assert_u64(write->field, VMCS_GUEST_RIP);
	assert_u64(write->old, PLAY_L2_RIP);
	assert_u64(write->value, 0x6000);
	assert_u64(event->rip, 0);
	assert_u64(vmread(VMCS_GUEST_RIP), 0x6000);
	stub_exit(cpu, EXIT_HLT, 0);
	assert_true(event_of(EV_VMRESUME) > event);
	assert_u64(shadow_has(VMCS_GUEST_RIP), 0x6000);
	play_enter(EXIT_VMRESUME);
	assert_int_equal(found(), 1);
}

static void vmclear_writes_back_what_l1_wrote_last(void **state)
{
	const struct vmcs12 *const region = stub_at(PLAY_VMCS);

	(void)state;
	l1_writes(VMCS_GUEST_RSP, 0x1230);
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS);
	assert_u64(region->value[VMCS_IX_GUEST_RSP], 0x1230);
	assert_false(in_use());
	assert_u64(vmread(VMCS_VMCS_LINK_POINTER), ~0ull);
}

static void another_vmcs_brings_its_own_fields(void **state)
{
	const u64 rip = get12(VMCS_GUEST_RIP);

	(void)state;
	l1_writes(VMCS_GUEST_RSP, 0x1230);
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS2);
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS2);
	assert_u64(shadow_has(VMCS_GUEST_RIP), 0);
	assert_u64(shadow_has(VMCS_GUEST_RSP), 0);
	assert_true(exits(VMCS_VMWRITE_BITMAP_ADDRESS, VMCS_GUEST_RIP));
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS);
	assert_u64(shadow_has(VMCS_GUEST_RIP), rip);
	assert_u64(shadow_has(VMCS_GUEST_RSP), 0x1230);
	assert_int_equal(found(), 1);
}

static void vmxoff_ends_it(void **state)
{
	const struct vmcs12 *const region = stub_at(PLAY_VMCS);

	(void)state;
	l1_writes(VMCS_GUEST_RSP, 0x1230);
	play(EXIT_VMXOFF, 0, 0);
	assert_u64(region->value[VMCS_IX_GUEST_RSP], 0x1230);
	assert_false(in_use());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(l1_reads_what_the_exit_left, after_exit,
						back_to_lean),
		cmocka_unit_test_setup_teardown(what_hv_must_see_exits, after_exit, back_to_lean),
		cmocka_unit_test_setup_teardown(all_vmwrites_exit_until_the_vmcs_is_launched,
						before_launch, back_to_lean),
		cmocka_unit_test_setup_teardown(a_write_is_told_before_the_entry_and_takes_effect,
						after_exit, back_to_lean),
		cmocka_unit_test_setup_teardown(vmclear_writes_back_what_l1_wrote_last, after_exit,
						back_to_lean),
		cmocka_unit_test_setup_teardown(another_vmcs_brings_its_own_fields, after_exit,
						back_to_lean),
		cmocka_unit_test_setup_teardown(vmxoff_ends_it, after_exit, back_to_lean),
	};

	return cmocka_run_group_tests_name("hv/nested/vmcs_shadow", tests, NULL, NULL);
}
