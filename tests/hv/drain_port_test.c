#include "base/hv_leaf.h"
#include "hv/drain_port.h"
#include "hv/exit.h"
#include "hv/record.h"
#include "hv/record_end.h"
#include "hv/stop_word.h"
#include "hv/vmcs01.h"
#include "tests/hv/recorded.h"
#include "trace/drain.h"

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

static void ring_keeps_its_own_counsel_without_a_drain(void **state)
{
	(void)state;
	options.drain = DRAIN_NONE;
	assert_true(stub_stops(record_stop(cpu, END_POWER_OFF, "")));
	capture();
	assert_false(seen.stats.head);
	assert_int_equal(seen.count, 0);
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

static void who_wants_all_of_the_tape_gets_a_block_at_a_time(void **state)
{
	static u8 taken[MIB(1)];
	unsigned with_mark = 0;
	size_t size = 0;
	u32 got;

	(void)state;
	options.drain = DRAIN_L1;
	/* Sealed, and with so few none is packed yet; open. */
	record_mark(cpu, "waits", 5);
	rec_seal(cpu->rec);
	record_mark(cpu, "waits", 5);
	while ((got = l1_takes(PAGE_OF_L1, size ? 0 : HV_TAPE_ALL))) {
		unsigned marks = 0;

		memcpy(taken + size, stub_at(PAGE_OF_L1), got);
		for (u32 at = 0; at + 5 <= got; at++)
			marks += !memcmp(taken + size + at, "waits", 5);
		size += got;
		assert_true(marks <= 1);
		with_mark += marks;
	}
	assert_int_equal(with_mark, 2);
	capture_from(taken, size, NULL, 0);
	assert_int_equal(count(EV_MARK), 2);
	assert_u64(seen.stats.bad_chunks, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(words_in_the_middle_of_a_frame_cost_nothing, boot),
		cmocka_unit_test_setup(ring_keeps_its_own_counsel_without_a_drain, boot),
		cmocka_unit_test_setup(serial_port_carries_the_tape_when_it_ends, boot),
		cmocka_unit_test_setup(serial_port_carries_the_rings_of_all, boot),
		cmocka_unit_test_setup(l1_takes_the_tape_and_the_serial_port_what_is_left, boot),
		cmocka_unit_test_setup(who_wants_all_of_the_tape_gets_a_block_at_a_time, boot),
		cmocka_unit_test_setup(l1_gets_no_tape_where_it_may_not_have_it, boot),
	};

	return cmocka_run_group_tests_name("hv/drain_port", tests, NULL, NULL);
}
