#include "tests/test.h"

#include "gdbstub/gdb_regs.h"
#include "gdbstub/target_timeline.h"
#include "tests/replay/timeline_tapes.h"

#define MAX_STEPS 300

static struct gdb_tape gdb;
static char printed[1 << 16];
static size_t printed_size;

static void print(void *to, const char *text, size_t size)
{
	(void)to;
	assert_true(printed_size + size < sizeof(printed));
	memcpy(printed + printed_size, text, size);
	printed_size += size;
	printed[printed_size] = 0;
}

/* What a verb is asked for, in place of its text. */
static void verb(void *owner, const char *const *argv, gdb_print to_print, void *to)
{
	(void)owner;
	for (; *argv; argv++) {
		to_print(to, *argv, strlen(*argv));
		to_print(to, " ", 1);
	}
}

static const char *monitor(const char *command)
{
	printed_size = 0;
	*printed = 0;
	gdb_tape_ops.monitor(&gdb, command, print, NULL);
	return printed;
}

static struct timeline *begin(unsigned tape)
{
	struct timeline *const timeline = timeline_of(tape);

	gdb_tape_start(&gdb, timeline, verb, NULL);
	return timeline;
}

static void end(struct timeline *timeline)
{
	gdb_tape_stop(&gdb);
	assert_int_equal(timeline_break_next(timeline, 0), 0);
	timeline_close(timeline);
}

static struct gdb_stop step(u16 cpu, enum gdb_way way)
{
	struct gdb_stop stop = { .why = GDB_STOP_ERROR };

	gdb_tape_ops.step(&gdb, (struct gdb_thread){ 0, cpu }, way, &stop);
	return stop;
}

static u64 rip_here(void)
{
	u64 rip = 0;

	assert_true(
		gdb_tape_ops.read_register(&gdb, gdb_tape_ops.current(&gdb), GDB_REG_RIP, &rip));
	return rip;
}

static void steps_of_a_cpu_forth_and_back_are_the_identity(void **state)
{
	u64 places[MAX_STEPS + 1];

	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct timeline *const timeline = begin(tape);
		const u16 cpu = gdb_tape_ops.current(&gdb).cpu;
		unsigned count = 0;

		places[0] = timeline_tell(timeline);
		while (count < MAX_STEPS && step(cpu, GDB_FORWARD).why == GDB_STOP_STEP) {
			assert_row(timeline_tapes[tape].name, gdb_tape_ops.current(&gdb).cpu, cpu);
			assert_row(timeline_tapes[tape].name, rip_here(),
				   timeline_event(timeline)->rip);
			places[++count] = timeline_tell(timeline);
		}
		if (count < MAX_STEPS)
			timeline_seek(timeline, places[count]);
		while (count--) {
			assert_int_not_equal(step(cpu, GDB_BACKWARD).why, GDB_STOP_ERROR);
			assert_row(timeline_tapes[tape].name, timeline_tell(timeline),
				   places[count]);
		}
		end(timeline);
	}
}

static void breakpoints_stop_at_their_address_both_ways(void **state)
{
	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct timeline *const timeline = begin(tape);
		struct gdb_stop stop = { .point = -1 };
		struct gdb_point point = { .type = GDB_BREAK_SOFTWARE };
		enum gdb_point_kind kind;
		char name[GDB_MAX_NAME];
		int number;
		u64 place;

		for (unsigned i = 0; i < 40; i++)
			step(gdb_tape_ops.current(&gdb).cpu, GDB_FORWARD);
		if (!timeline_event(timeline)) {
			end(timeline);
			continue;
		}
		place = timeline_tell(timeline);
		point.level = gdb_tape_ops.current(&gdb).level;
		point.address = rip_here();
		number = gdb_tape_ops.insert(&gdb, &point, &kind, name);
		assert_true(number >= 0);
		assert_int_equal(kind, GDB_POINT_EXACT);
		timeline_seek(timeline, 0);
		do
			gdb_tape_ops.run(&gdb, GDB_FORWARD, &stop);
		while (stop.why == GDB_STOP_POINT && timeline_tell(timeline) < place);
		assert_int_equal(stop.why, GDB_STOP_POINT);
		assert_int_equal(stop.point, number);
		assert_u64(timeline_tell(timeline), place);
		timeline_seek(timeline, timeline_events(timeline));
		do
			gdb_tape_ops.run(&gdb, GDB_BACKWARD, &stop);
		while (stop.why == GDB_STOP_POINT && timeline_tell(timeline) > place);
		assert_u64(timeline_tell(timeline), place);
		assert_u64(rip_here(), point.address);
		gdb_tape_ops.remove(&gdb, number);
		end(timeline);
	}
}

static void an_address_that_no_event_has_is_dead_without_symbols(void **state)
{
	const struct gdb_point point = { .level = 1, .address = 0x123456789 };
	struct timeline *const timeline = begin(0);
	enum gdb_point_kind kind;
	char name[GDB_MAX_NAME];

	(void)state;
	assert_true(gdb_tape_ops.insert(&gdb, &point, &kind, name) >= 0);
	assert_int_equal(kind, GDB_POINT_DEAD);
	end(timeline);
}

static void registers_and_window_are_those_of_the_model(void **state)
{
	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct timeline *const timeline = begin(tape);
		const u64 events = timeline_events(timeline);

		for (unsigned part = 0; part <= 20; part++) {
			timeline_seek(timeline, events * part / 20);
			for (unsigned cpu = 0; cpu < gdb_tape_ops.cpus(&gdb); cpu++) {
				const struct gdb_thread thread = { 1 + part % 2, (u16)cpu };
				const struct model_region *const region =
					model_current(timeline_model(timeline), (u16)cpu);
				u64 value, bytes, expected;

				for (unsigned i = 0; i < GDB_REG_VMCS; i++)
					gdb_tape_ops.read_register(&gdb, thread, i, &value);
				for (int i = 0; i < VMCS_FIELD_COUNT; i++) {
					const u64 mask = vmcs_width_mask(vmcs_fields[i].width);
					const bool known =
						region && model_field(region, i, mask, &expected);

					assert_int_equal(gdb_tape_ops.read_register(
								 &gdb, thread,
								 GDB_REG_VMCS + (unsigned)i,
								 &value),
							 known);
					assert_int_equal(
						gdb_tape_ops.read_memory(
							&gdb, thread,
							GDB_VMCS_WINDOW +
								8ull * vmcs_fields[i].encoding,
							(u8 *)&bytes, 8),
						known ? 8 : 0);
					assert_true(!known ||
						    (value == expected && bytes == expected));
				}
			}
		}
		end(timeline);
	}
}

static void commands_are_found_by_their_beginnings(void **state)
{
	static const struct {
		const char *command;
		const char *answer; /* a part of it */
	} rows[] = {
		{ "", "Beginnings of names will do" },
		{ "wha", "no command 'wha'" },
		{ "w", "more than one command 'w'" },
		{ "why", "why @" },
		{ "why @5", "why @5 one CPU" },
		{ "bl guest_cr4 -n 3", "blame guest_cr4 -n 3 @" },
		{ "find", "check one CPU" },
		{ "diff @3", "vmcs @3 --diff @" },
		{ "events 4", "dump @" },
		{ "goto @50%", "@" },
		{ "goto", "where to?" },
		{ "goto nowhere", "nowhere" },
		{ "watch guest_rip", "for gdb it is memory at 0x564d4353000340f0" },
		{ "watch", "guest_rip" },
		{ "unwatch all", "" },
		{ "phys l2", "physical ones of L2" },
		{ "walk", "which address?" },
		{ "symbol x", "no symbol 'x'" },
		{ "bookmark here", "here is @" },
		{ "bookmark", "here" },
		{ "goto here", "@" },
		{ "bookmark @x", "'@x' is no name" },
	};
	struct timeline *const timeline = begin(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!strstr(monitor(rows[i].command), rows[i].answer))
			fail_msg("'%s' says '%s', without '%s'", rows[i].command, printed,
				 rows[i].answer);
	}
	end(timeline);
}

/* Some field that the tape writes. */
static int written_field(struct timeline *timeline)
{
	struct reader *const reader = timeline_reader(timeline);
	const struct trace_event *event;
	struct history_write write;

	reader_seek(reader, timeline_tell(timeline) + 1);
	while (reader_next(reader, &event) == ST_OK)
		for (int i = 0; i < VMCS_FIELD_COUNT; i++)
			if (event->kind == EV_VMWRITE &&
			    history_take(event, 0, HISTORY_ANY_VMCS, i, &write))
				return i;
	fail_msg("this tape writes nothing");
	return -1;
}

static void a_watch_of_the_monitors_stops_behind_the_write(void **state)
{
	struct timeline *const timeline = begin(0);
	const char *const name = vmcs_fields[written_field(timeline)].name;
	struct gdb_stop stop = { .point = -1 };
	char text[128];

	(void)state;
	snprintf(text, sizeof(text), "watch %s", name);
	monitor(text);
	gdb_tape_ops.run(&gdb, GDB_FORWARD, &stop);
	assert_int_equal(stop.why, GDB_STOP_OTHER);
	snprintf(text, sizeof(text), "vmxtape: %s was written", name);
	assert_non_null(strstr(stop.text, text));
	end(timeline);
}

static void the_ends_of_the_tape_are_told(void **state)
{
	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct timeline *const timeline = begin(tape);
		struct gdb_stop stop = { .point = -1 };
		u64 first = timeline_tell(timeline);

		gdb_tape_ops.run(&gdb, GDB_FORWARD, &stop);
		assert_row(timeline_tapes[tape].name, stop.why, GDB_STOP_END);
		assert_u64(timeline_tell(timeline), timeline_events(timeline));
		stop = (struct gdb_stop){ .point = -1 };
		gdb_tape_ops.run(&gdb, GDB_BACKWARD, &stop);
		assert_row(timeline_tapes[tape].name, stop.why, GDB_STOP_BEGIN);
		assert_row(timeline_tapes[tape].name, timeline_tell(timeline), first);
		end(timeline);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_of_a_cpu_forth_and_back_are_the_identity),
		cmocka_unit_test(breakpoints_stop_at_their_address_both_ways),
		cmocka_unit_test(an_address_that_no_event_has_is_dead_without_symbols),
		cmocka_unit_test(registers_and_window_are_those_of_the_model),
		cmocka_unit_test(commands_are_found_by_their_beginnings),
		cmocka_unit_test(a_watch_of_the_monitors_stops_behind_the_write),
		cmocka_unit_test(the_ends_of_the_tape_are_told),
	};

	return cmocka_run_group_tests(tests, timeline_make_tapes, timeline_free_tapes);
}
