#include "base/hv_leaf.h"
#include "hv/console.h"
#include "hv/exit.h"
#include "hv/record.h"
#include "hv/record_end.h"
#include "hv/vmcs01.h"
#include "tests/hv/recorded.h"
#include "trace/drain.h"

static void capabilities_are_told_as_they_are_and_as_they_are_shown(void **state)
{
	(void)state;
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	capture();
	for (unsigned i = 0; i < VMX_CAP_COUNT; i++) {
		const struct ev_capability *event =
			(const void *)seen.events[find(EV_CAPABILITY, i)].col;
		u64 real = 0;

		assert_u64(event->msr, MSR_VMX_BASIC + i);
		(void)rdmsr_safe((u32)event->msr, &real);
		assert_u64(event->real, real);
		if (event->msr == MSR_VMX_TRUE_ENTRY_CTLS)
			assert_u64(event->real & ~event->shown & (u64)ENTRY_LOAD_EFER << 32,
				   (u64)ENTRY_LOAD_EFER << 32);
	}
}

static void transmit(const char *text)
{
	for (; *text; text++)
		console_transmit(cpu, (u8)*text);
}

static void lines_of_l1_are_events_without_their_ends(void **state)
{
	(void)state;
	transmit("first line\r\n\r\nsecond\n");
	console_line_control(0x83);
	transmit("\x01"); /* a divisor, no text */
	console_line_control(3);
	transmit("unfinished");
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	capture();
	assert_int_equal(count(EV_CONSOLE), 3);
	assert_string_equal(seen.events[find(EV_CONSOLE, 0)].text, "first line");
	assert_string_equal(seen.events[find(EV_CONSOLE, 1)].text, "second");
	assert_string_equal(seen.events[find(EV_CONSOLE, 2)].text, "unfinished");
	assert_true(find(EV_CONSOLE, 2) < find(EV_END, 0));
}

static void marks_tell_the_level_of_who_made_them(void **state)
{
	(void)state;
	record_mark(cpu, "one", 3);
	cpu->nested.mode = NESTED_L2;
	record_mark(cpu, "two", 3);
	cpu->nested.mode = NESTED_OFF;
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	capture();
	assert_string_equal(seen.events[find(EV_MARK, 0)].text, "one");
	assert_u64(seen.events[find(EV_MARK, 0)].col[0], 1);
	assert_string_equal(seen.events[find(EV_MARK, 1)].text, "two");
	assert_u64(seen.events[find(EV_MARK, 1)].col[0], 2);
}

/* The columns of what is told of @level and @reason. */
static const struct ev_hv_time *time_told(u8 level, u32 reason)
{
	for (unsigned i = 0; i < seen.count; i++) {
		const struct ev_hv_time *const time = (const void *)seen.events[i].col;

		if (seen.events[i].kind == EV_HV_TIME && seen.events[i].level == level &&
		    time->reason == reason)
			return time;
	}
	return NULL;
}

static void nothing_of_vmx_is_recorded_when_it_is_off(void **state)
{
	(void)state;
	options.capture = CAPTURE_OFF;
	cpu = stub_boot_nested(MEMORY, true, "-load_efer");
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	record_init(cpu);
	stub_exit(cpu, EXIT_VMXON, 0);
	transmit("still here\n");
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	capture();
	assert_u64(((const struct ev_boot *)seen.events[find(EV_BOOT, 0)].col)->capture,
		   CAPTURE_OFF);
	assert_int_equal(count(EV_VMXON), 0);
	assert_int_equal(count(EV_VMX_STATE), 0);
	assert_int_equal(count(EV_CONSOLE), 1);
	assert_u64(time_told(1, EXIT_VMXON)->exits, 1);
	assert_int_equal(count(EV_END), 1);
}

static void the_time_in_hv_is_told_by_level_and_reason(void **state)
{
	const struct ev_hv_time *time;
	u64 last;

	(void)state;
	stub_cpu.tsc_step = 10;
	stub_exit(cpu, EXIT_CPUID, 0);
	stub_exit(cpu, EXIT_CPUID, 0);
	last = cpu->exit.tsc;
	stub_exit(cpu, EXIT_INVD, 0);
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	capture();
	time = time_told(1, EXIT_CPUID);
	assert_non_null(time);
	assert_u64(time->exits, 2);
	assert_in_range(time->ticks, time->longest, 2 * time->longest);
	assert_in_range(time->longest, 10, 1000);
	assert_in_range(time->longest_tsc, 1, last);
	assert_u64(time_told(1, EXIT_INVD)->exits, 1);
	assert_null(time_told(2, EXIT_CPUID));
	assert_true(find(EV_HV_TIME, 0) < find(EV_END, 0));
}

static void packing_is_not_time_of_the_exit_that_does_it(void **state)
{
	u64 before, packing;

	(void)state;
	stub_cpu.tsc_step = 10;
	stub_exit(cpu, EXIT_CPUID, 0);
	options.flush = 1; /* the block is stale from now on */
	before = cpu->time.packing.ticks;
	stub_exit(cpu, EXIT_INVD, 0);
	packing = cpu->time.packing.ticks - before;
	assert_true(packing > 0);
	assert_u64(cpu->time.exits[0][EXIT_INVD].ticks + packing,
		   stub_cpu.tsc - 10 - cpu->exit.tsc);
	options.flush = GIB(1);
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	capture();
	assert_true(time_told(0, 0)->exits > 0);
}

static void exit_that_took_long_leaves_packing_to_a_later_one(void **state)
{
	u64 packed;

	(void)state;
	options.flush = 1; /* a block is stale at each exit */
	stub_exit(cpu, EXIT_CPUID, 0);
	packed = cpu->nested.packing_ticks;
	record_mark(cpu, "to be packed", 12);
	stub_cpu.tsc_step = 100000;
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_u64(cpu->nested.packing_ticks, packed);
	stub_cpu.tsc_step = 10;
	stub_exit(cpu, EXIT_CPUID, 0);
	assert_true(cpu->nested.packing_ticks > packed);
}

static u64 l1_sends(u64 linear, u64 length)
{
	cpu->regs[REG_RAX] = HV_LEAF;
	cpu->regs[REG_RCX] = HV_FILE;
	cpu->regs[REG_RBX] = linear;
	cpu->regs[REG_RDX] = length;
	cpu->regs[REG_RSI] = FILE_MODULES;
	cpu->regs[REG_RDI] = 0x3000;
	stub_exit(cpu, EXIT_CPUID, 0);
	return cpu->regs[REG_RAX];
}

static void parts_of_files_are_taken_up_to_the_end_of_their_page(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_CR0, vmread(VMCS_GUEST_CR0) & ~CR0_PG);
	memcpy(stub_at(0x100ff0), "0123456789abcdefghij", 20);
	assert_u64(l1_sends(0x100ff0, 5), 5);
	assert_u64(l1_sends(0x100ff0, 20), 16);
	assert_u64(l1_sends(0x100ff0, 0), 0);
	assert_u64(l1_sends(MEMORY - 0x1000, 16), 0); /* hv's */
	cpu->nested.mode = NESTED_L2;
	cpu->nested.current = &cpu->nested.slots[0];
	assert_u64(l1_sends(0x100ff0, 5), 0);
	cpu->nested.mode = NESTED_OFF;
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	capture();
	assert_int_equal(count(EV_FILE), 2);
	assert_string_equal(seen.events[find(EV_FILE, 0)].text, "01234");
	assert_string_equal(seen.events[find(EV_FILE, 1)].text, "0123456789abcdef");
	assert_u64(seen.events[find(EV_FILE, 1)].col[EV_COLUMN(file, what)], FILE_MODULES);
	assert_u64(seen.events[find(EV_FILE, 1)].col[EV_COLUMN(file, offset)], 0x3000);
}

static void exits_write_out_what_has_become_old(void **state)
{
	(void)state;
	options.flush = MIB(1);
	record_mark(cpu, "old", 3);
	/* Time passes, in which nothing happens but heartbeats. */
	for (unsigned i = 0; i < 8; i++) {
		stub_cpu.tsc += MIB(1);
		stub_exit(cpu, EXIT_PREEMPTION_TIMER, 0);
	}
	capture();
	assert_true(seen.stats.head);
	assert_string_equal(seen.events[find(EV_MARK, 0)].text, "old");
}

static void a_heartbeat_ends_after_a_while(void **state)
{
	size_t waits, sent;

	(void)state;
	/* A few frames take this long. */
	stub_cpu.tsc_step = 20000;
	for (unsigned i = 0; i < 20; i++)
		record_file(cpu, FILE_MODULES, 0, stub_at(0x5000), TRACE_MAX_BYTES);
	rec_flush(cpu->rec);
	waits = ring_readable(cpu->ring);
	assert_true(waits > 16 * DRAIN_MAX_PAYLOAD);
	options.flush = 1;
	stub_exit(cpu, EXIT_PREEMPTION_TIMER, 0);
	sent = waits - ring_readable(cpu->ring);
	assert_in_range(sent, 2 * DRAIN_MAX_PAYLOAD, 4 * DRAIN_MAX_PAYLOAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(capabilities_are_told_as_they_are_and_as_they_are_shown,
				       boot),
		cmocka_unit_test_setup(lines_of_l1_are_events_without_their_ends, boot),
		cmocka_unit_test_setup(marks_tell_the_level_of_who_made_them, boot),
		cmocka_unit_test_setup(nothing_of_vmx_is_recorded_when_it_is_off, boot),
		cmocka_unit_test_setup(the_time_in_hv_is_told_by_level_and_reason, boot),
		cmocka_unit_test_setup(packing_is_not_time_of_the_exit_that_does_it, boot),
		cmocka_unit_test_setup(exit_that_took_long_leaves_packing_to_a_later_one, boot),
		cmocka_unit_test_setup(parts_of_files_are_taken_up_to_the_end_of_their_page, boot),
		cmocka_unit_test_setup(exits_write_out_what_has_become_old, boot),
		cmocka_unit_test_setup(a_heartbeat_ends_after_a_while, boot),
	};

	return cmocka_run_group_tests_name("hv/record", tests, NULL, NULL);
}
