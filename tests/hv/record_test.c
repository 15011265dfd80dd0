#include <unistd.h>

#include "base/hv_leaf.h"
#include "hv/console.h"
#include "hv/drain_port.h"
#include "hv/exit.h"
#include "hv/hv_options.h"
#include "hv/log.h"
#include "hv/multiboot.h"
#include "hv/record.h"
#include "hv/stop_word.h"
#include "hv/vmcs01.h"
#include "recorder/capture.h"
#include "recorder/emit.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "trace/drain.h"
#include "vmx/tables.h"

#define MEMORY	 MIB(64)
#define MAX_SEEN 4096

static struct percpu *cpu;

/* What came out of the debug console port, as the host's capture understands it. */
static struct {
	struct {
		u8 kind, level;
		u64 col[TRACE_MAX_COLUMNS];
		char text[64];
	} events[MAX_SEEN];
	unsigned count;
	struct capture_stats stats;
} seen;

static int boot(void **state)
{
	(void)state;
	options = (struct options){ .ring = MIB(1), .flush = GIB(1), .drain = DRAIN_DEBUGCON };
	cpu = stub_boot_nested(MEMORY, true, "-load_efer");
	strcpy(boot_info.options, "caps=-load_efer");
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	record_init(cpu);
	return 0;
}

static void on_event(void *owner, const struct trace_schema *schema,
		     const struct trace_event *event)
{
	const u32 length = MIN(event->byte_count, (u32)sizeof(seen.events[0].text) - 1);

	(void)owner;
	(void)schema;
	assert_true(seen.count < MAX_SEEN);
	seen.events[seen.count].kind = event->kind;
	seen.events[seen.count].level = event->level;
	memcpy(seen.events[seen.count].col, event->col, 8 * sizeof(u64));
	if (length)
		memcpy(seen.events[seen.count].text, event->bytes, length);
	seen.count++;
}

/* A tape from what came this way and that. */
static void capture_from(const void *first, size_t first_size, const void *second,
			 size_t second_size)
{
	char path[] = "/tmp/vmxtape-test-XXXXXX", error[200] = "";
	const int file = mkstemp(path);
	struct capture *capture;

	memset(&seen, 0, sizeof(seen));
	assert_true(file >= 0);
	close(file);
	if (capture_open(path, on_event, NULL, &capture, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	assert_int_equal(capture_feed(capture, first, first_size), ST_OK);
	assert_int_equal(capture_feed(capture, second, second_size), ST_OK);
	assert_int_equal(capture_close(capture), ST_OK);
	seen.stats = *capture_stats(capture);
	capture_free(capture);
	unlink(path);
}

static void capture(void)
{
	capture_from(stub_cpu.text, stub_cpu.text_length, NULL, 0);
}

/* Index of the @nth event of @kind, or fails. */
static unsigned find(u8 kind, unsigned nth)
{
	for (unsigned i = 0; i < seen.count; i++)
		if (seen.events[i].kind == kind && !nth--)
			return i;
	fail_msg("there is no such event of kind %u", kind);
	return 0;
}

static unsigned count(u8 kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < seen.count; i++)
		n += seen.events[i].kind == kind;
	return n;
}

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

/* The debugger that writes the stop word speaks on the line of the frames. */
static void words_in_the_middle_of_a_frame_cost_nothing(void **state)
{
	static const char words[] = "Next at t=12345\n<bochs:2> ";
	const size_t size = sizeof(words) - 1;
	char *at;

	(void)state;
	at = stub_cpu.text + stub_cpu.text_length + DRAIN_HEADER_SIZE + 100;
	stop_word = 1;
	assert_true(stub_stops(record_idle(cpu)));
	memmove(at + size, at, (size_t)(stub_cpu.text + stub_cpu.text_length - at));
	memcpy(at, words, size);
	stub_cpu.text_length += size;
	capture();
	stop_word = 0;
	assert_true(seen.stats.last);
	assert_u64(seen.stats.lost_frames, 0);
	assert_u64(seen.stats.lost_events, 0);
	assert_u64(seen.stats.bad_chunks, 0);
	assert_u64(seen.events[find(EV_END, 0)].col[0], END_ASKED);
}

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

static void ring_keeps_its_own_counsel_without_a_drain(void **state)
{
	(void)state;
	options.drain = DRAIN_NONE;
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	capture();
	assert_false(seen.stats.head);
	assert_int_equal(seen.count, 0);
}

static void assert_whole(void)
{
	assert_true(seen.stats.head);
	assert_true(seen.stats.last);
	assert_u64(seen.stats.lost_events, 0);
	assert_u64(seen.stats.lost_frames, 0);
	assert_u64(seen.stats.bad_chunks, 0);
	assert_int_equal(count(EV_END), 1);
}

static void let_l1_have_serial_port(void)
{
	log_leave_serial();
	stub_cpu.serial_length = 0;
}

static void serial_port_carries_the_tape_when_it_ends(void **state)
{
	(void)state;
	let_l1_have_serial_port();
	options.drain = DRAIN_SERIAL;
	record_mark(cpu, "before", 6);
	assert_int_equal(stub_cpu.serial_length, 0);
	assert_true(stub_stops(record_stop(cpu, END_RESET, "reset")));
	capture_from(stub_cpu.serial, stub_cpu.serial_length, NULL, 0);
	assert_whole();
	assert_string_equal(seen.events[find(EV_MARK, 0)].text, "before");
	/* hv's own lines are between. */
	assert_true(seen.stats.noise_bytes > 0);
}

#define PAGE_OF_L1 0x30000ull

/* What a program of L1's gets for asking once. */
static u32 l1_takes(u64 page, u64 how)
{
	/* No paging, so that linear addresses are physical. */
	vmwrite(VMCS_GUEST_CR0, CR0_PE | CR0_NE);
	cpu->regs[REG_RAX] = HV_LEAF;
	cpu->regs[REG_RCX] = HV_TAPE;
	cpu->regs[REG_RBX] = page;
	cpu->regs[REG_RDX] = how;
	stub_exit(cpu, EXIT_CPUID, 0);
	return (u32)cpu->regs[REG_RAX];
}

static void l1_takes_the_tape_and_the_serial_port_what_is_left(void **state)
{
	static u8 taken[MIB(1)];
	size_t size = 0;
	u32 got;

	(void)state;
	options.drain = DRAIN_L1;
	record_mark(cpu, "taken", 5);
	while ((got = l1_takes(PAGE_OF_L1, size ? 0 : HV_TAPE_ALL))) {
		assert_true(got <= DRAIN_FRAME_MAX);
		memcpy(taken + size, stub_at(PAGE_OF_L1), got);
		size += got;
	}
	capture_from(taken, size, NULL, 0);
	assert_true(seen.stats.head);
	assert_u64(seen.stats.noise_bytes, 0);
	assert_string_equal(seen.events[find(EV_MARK, 0)].text, "taken");
	record_mark(cpu, "left", 4);
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	assert_int_equal(l1_takes(PAGE_OF_L1, 0), 0);
	capture_from(taken, size, stub_cpu.serial, stub_cpu.serial_length);
	assert_whole();
	assert_string_equal(seen.events[find(EV_MARK, 1)].text, "left");
}

static void l1_gets_no_tape_where_it_may_not_have_it(void **state)
{
	static const struct {
		const char *name;
		enum drain_port drain;
		u64 page;
	} rows[] = {
		{ "not on a boundary", DRAIN_L1, PAGE_OF_L1 + 8 },
		{ "no memory of L1's", DRAIN_L1, MEMORY },
		{ "a tape that goes to a port", DRAIN_DEBUGCON, PAGE_OF_L1 },
		{ "a flight recorder", DRAIN_NONE, PAGE_OF_L1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		options.drain = rows[i].drain;
		assert_row(rows[i].name, l1_takes(rows[i].page, 0), HV_TAPE_REFUSED);
	}
	options.drain = DRAIN_L1;
	assert_true(l1_takes(PAGE_OF_L1, 0) != 0);
}

static void exits_write_out_what_has_become_old(void **state)
{
	(void)state;
	options.flush = MIB(1);
	record_mark(cpu, "old", 3);
	/* Two heartbeats of time pass, in which nothing happens but CPUID. */
	stub_cpu.tsc_step = MIB(1);
	for (unsigned i = 0; i < 400; i++)
		stub_exit(cpu, EXIT_PREEMPTION_TIMER, 0);
	capture();
	assert_true(seen.stats.head);
	assert_string_equal(seen.events[find(EV_MARK, 0)].text, "old");
}

/* With a mark on its part of the tape that is in its ring, and one that is not yet. */
static struct percpu *boot_second_processor(void)
{
	struct percpu *other = percpu_create();

	percpu_add(other);
	other->parked = true;
	record_init(other);
	record_mark(other, "in the ring", 11);
	rec_flush(other->rec);
	record_mark(other, "not yet", 7);
	stub_cpu.gs_self = cpu;
	return other;
}

static bool has_mark(const char *text)
{
	for (unsigned i = 0; i < seen.count; i++)
		if (seen.events[i].kind == EV_MARK && !strcmp(seen.events[i].text, text))
			return true;
	return false;
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

static void serial_port_carries_the_rings_of_all(void **state)
{
	struct percpu *other;

	(void)state;
	let_l1_have_serial_port();
	options.drain = DRAIN_SERIAL;
	other = boot_second_processor();
	stub_cpu.gs_self = other;
	assert_true(stub_stops(record_join_end(other)));
	/* Only one writes, since a frame takes long there. */
	assert_int_equal(stub_cpu.serial_length, 0);
	stub_cpu.gs_self = cpu;
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	capture_from(stub_cpu.serial, stub_cpu.serial_length, NULL, 0);
	assert_whole();
	assert_true(has_mark("in the ring") && has_mark("not yet"));
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
		cmocka_unit_test_setup(words_in_the_middle_of_a_frame_cost_nothing, boot),
		cmocka_unit_test_setup(tape_begins_with_the_machine_and_ends_with_the_reason, boot),
		cmocka_unit_test_setup(capabilities_are_told_as_they_are_and_as_they_are_shown,
				       boot),
		cmocka_unit_test_setup(lines_of_l1_are_events_without_their_ends, boot),
		cmocka_unit_test_setup(marks_tell_the_level_of_who_made_them, boot),
		cmocka_unit_test_setup(nothing_of_vmx_is_recorded_when_it_is_off, boot),
		cmocka_unit_test_setup(the_time_in_hv_is_told_by_level_and_reason, boot),
		cmocka_unit_test_setup(packing_is_not_time_of_the_exit_that_does_it, boot),
		cmocka_unit_test_setup(exit_that_took_long_leaves_packing_to_a_later_one, boot),
		cmocka_unit_test_setup(parts_of_files_are_taken_up_to_the_end_of_their_page, boot),
		cmocka_unit_test_setup(panic_is_on_the_tape_with_where_and_why, boot),
		cmocka_unit_test_setup(event_in_hand_is_on_the_tape_before_the_end, boot),
		cmocka_unit_test_setup(ring_keeps_its_own_counsel_without_a_drain, boot),
		cmocka_unit_test_setup(serial_port_carries_the_tape_when_it_ends, boot),
		cmocka_unit_test_setup(l1_takes_the_tape_and_the_serial_port_what_is_left, boot),
		cmocka_unit_test_setup(l1_gets_no_tape_where_it_may_not_have_it, boot),
		cmocka_unit_test_setup(exits_write_out_what_has_become_old, boot),
		cmocka_unit_test_setup(processor_that_joins_in_the_end_loses_nothing, boot),
		cmocka_unit_test_setup(processor_that_does_not_leaves_its_ring_and_no_last_frame,
				       boot),
		cmocka_unit_test_setup(serial_port_carries_the_rings_of_all, boot),
		cmocka_unit_test_setup(second_one_to_end_the_tape_joins_in, boot),
	};

	return cmocka_run_group_tests_name("hv/record", tests, NULL, NULL);
}
