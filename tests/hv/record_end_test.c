#include "hv/exit.h"
#include "hv/record.h"
#include "hv/record_end.h"
#include "tests/hv/recorded.h"

static void tape_begins_with_the_machine_and_ends_with_the_reason(void **state)
{
	unsigned at;

	(void)state;
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "ACPI power-off")));
	capture();
	assert_true(seen.stats.head);
	assert_true(seen.stats.last);
	assert_u64(seen.stats.lost_events, 0);
	assert_u64(seen.stats.lost_frames, 0);
	assert_u64(seen.stats.bad_chunks, 0);
	at = find(EV_BOOT, 0);
	assert_u64(seen.events[at].col[0], 0x50654);
	assert_int_equal(count(EV_CAPABILITY), VMX_CAP_COUNT);
	assert_int_equal(count(EV_MEMORY), boot_info.range_count);
	assert_string_equal(seen.events[find(EV_OPTION, 0)].text, "caps=-load_efer");
	at = find(EV_END, 0);
	assert_u64(seen.events[at].col[0], END_POWER_OFF);
	assert_string_equal(seen.events[at].text, "ACPI power-off");
	/* The machine goes off behind it. */
	assert_int_equal(stub_port_outs(0x8900), 8);
}

static void panic_is_on_the_tape_with_where_and_why(void **state)
{
	(void)state;
	stub_vmcs_set(VMCS_VM_INSTRUCTION_ERROR, 7);
	assert_true(stub_stops(exit_entry_failed(cpu, 0x40)));
	capture();
	assert_true(seen.stats.last);
	assert_non_null(strstr(seen.events[find(EV_PANIC, 0)].text, "VM-instruction error 7"));
	assert_u64(seen.events[find(EV_END, 0)].col[0], END_PANIC);
}

static void event_in_hand_is_on_the_tape_before_the_end(void **state)
{
	(void)state;
	/* Nobody expects exit reason 9 here: the tape ends in the middle of its handling. */
	cpu->regs[REG_RCX] = MSR_VMX_BASIC;
	stub_exit(cpu, EXIT_RDMSR, 0);
	assert_true(stub_stops(stub_exit(cpu, EXIT_TASK_SWITCH, 0)));
	capture();
	assert_true(find(EV_MSR_READ, 0) < find(EV_END, 0));
	assert_u64(seen.events[find(EV_END, 0)].col[0], END_UNSUPPORTED);
}

static void processor_that_joins_in_the_end_loses_nothing(void **state)
{
	struct percpu *other;

	(void)state;
	other = boot_second_processor();
	stub_cpu.gs_self = other;
	assert_true(stub_stops(record_join_end(other)));
	assert_true(other->finished);
	stub_cpu.gs_self = cpu;
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	capture();
	assert_true(has_mark("in the ring") && has_mark("not yet"));
	assert_int_equal(count(EV_BOOT), 2);
	assert_int_equal(count(EV_END), 1);
	assert_int_equal(seen.events[seen.count - 1].kind, EV_END);
	assert_true(seen.stats.last);
}

static void processor_that_does_not_leaves_its_ring_and_no_last_frame(void **state)
{
	(void)state;
	boot_second_processor();
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	capture();
	assert_true(has_mark("in the ring"));
	assert_false(has_mark("not yet"));
	assert_int_equal(count(EV_END), 1);
	assert_false(seen.stats.last);
}

static void second_one_to_end_the_tape_joins_in(void **state)
{
	struct percpu *other;

	(void)state;
	other = boot_second_processor();
	other->finished = true;
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "first")));
	stub_cpu.gs_self = other;
	other->finished = false;
	assert_true(stub_stops(record_stop(other, END_RESET, "second")));
	assert_true(other->finished);
	capture();
	assert_int_equal(count(EV_END), 1);
	assert_string_equal(seen.events[find(EV_END, 0)].text, "first");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(tape_begins_with_the_machine_and_ends_with_the_reason, boot),
		cmocka_unit_test_setup(panic_is_on_the_tape_with_where_and_why, boot),
		cmocka_unit_test_setup(event_in_hand_is_on_the_tape_before_the_end, boot),
		cmocka_unit_test_setup(processor_that_joins_in_the_end_loses_nothing, boot),
		cmocka_unit_test_setup(processor_that_does_not_leaves_its_ring_and_no_last_frame,
				       boot),
		cmocka_unit_test_setup(second_one_to_end_the_tape_joins_in, boot),
	};

	return cmocka_run_group_tests_name("hv/record_end", tests, NULL, NULL);
}
