#include "tests/test.h"

#include <unistd.h>

#include "recorder/capture.h"
#include "replay/reader.h"
#include "tests/recorder/recording.h"

#define CPUS   3
#define EVENTS 60000

static char path[] = "/tmp/vmxtape-test-XXXXXX";

/* What happened, in the order in which it did: a VMREAD, or a VMCLEAR that took a number. */
struct happened {
	u64 time;
	u64 seq; /* of its CPU, key frames and boot record included */
	u64 order;
	u16 cpu;
};

struct machine {
	struct recording cpus[CPUS];
	u64 skew[CPUS]; /* added to the time to get the TSC */
	u64 time;
	u64 order;
	u64 random;
	struct happened happened[EVENTS];
	size_t count;
};

static void start(struct machine *machine, const u64 *skew)
{
	*machine = (struct machine){ .random = 7 };
	for (u16 cpu = 0; cpu < CPUS; cpu++) {
		recording_start_cpu(&machine->cpus[cpu], MIB(8), true, cpu);
		machine->skew[cpu] = skew[cpu];
	}
}

static void happen(struct machine *machine, u16 cpu, bool ordered)
{
	struct recording *const recording = &machine->cpus[cpu];
	const struct ev_vmread vmread = { .field = 0x4402 };
	struct ev_vmclear vmclear = { .pointer = 0x1000 };

	machine->time += 1 + test_random(&machine->random) % 100;
	if (ordered)
		vmclear.order = ++machine->order;
	machine->happened[machine->count++] =
		(struct happened){ .time = machine->time, .order = vmclear.order, .cpu = cpu };
	rec_emit(recording->rec, &(struct trace_event){
					 .kind = ordered ? EV_VMCLEAR : EV_VMREAD,
					 .level = 1,
					 .tsc = machine->time + machine->skew[cpu],
					 .rip = 0x1000,
					 .col = ordered ? (u64 *)&vmclear : (const u64 *)&vmread,
				 });
}

/* Whoever has the turn keeps it for some events; a number is taken by one event in @rare. */
static void live(struct machine *machine, unsigned rare)
{
	u16 cpu = 0;

	while (machine->count < EVENTS) {
		if (test_random(&machine->random) % 4 == 0)
			cpu = (u16)(test_random(&machine->random) % CPUS);
		happen(machine, cpu, test_random(&machine->random) % rare == 0);
	}
}

/* Ends the recordings and captures them, but for the frames of @lost from the @nth on. */
static struct reader *finish(struct machine *machine, u16 lost, u32 nth, u32 count)
{
	struct capture *capture;
	struct reader *reader;
	char error[256];

	assert_int_equal(capture_open(path, NULL, NULL, &capture, error, sizeof(error)), ST_OK);
	for (u16 cpu = 0; cpu < CPUS; cpu++) {
		struct recording *const recording = &machine->cpus[cpu];
		const size_t frame = DRAIN_HEADER_SIZE + DRAIN_MAX_PAYLOAD;
		const size_t from = MIN(nth * frame, recording->line_size);
		size_t to;

		recording_end(recording);
		to = MIN((nth + count) * frame, recording->line_size);
		if (cpu != lost)
			to = from;
		capture_feed(capture, recording->line, from);
		capture_feed(capture, recording->line + to, recording->line_size - to);
	}
	assert_int_equal(capture_close(capture), ST_OK);
	capture_free(capture);
	if (reader_open(path, &reader, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return reader;
}

static void stop(struct machine *machine, struct reader *reader)
{
	reader_close(reader);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		recording_free(&machine->cpus[cpu]);
}

static u64 order_of(const struct trace_event *event)
{
	return event->kind == EV_VMCLEAR ? event->col[EV_COLUMN(vmclear, order)] : 0;
}

static bool happens(const struct trace_event *event)
{
	return event->kind == EV_VMCLEAR || event->kind == EV_VMREAD;
}

/*
 * Reads all and demands that numbers ascend. Returns how many neighbours are in another order than
 * they happened in.
 */
static u64 misplaced(struct machine *machine, struct reader *reader)
{
	const struct trace_event *event;
	u64 next[CPUS] = { 0 }, last[CPUS] = { 0 };
	u64 *const times[CPUS] = { malloc(EVENTS * 8), malloc(EVENTS * 8), malloc(EVENTS * 8) };
	u64 order = 0, time = 0, wrong = 0;

	for (size_t i = 0; i < machine->count; i++) {
		const struct happened *const happened = &machine->happened[i];

		times[happened->cpu][last[happened->cpu]++] = happened->time;
	}
	while (reader_next(reader, &event) == ST_OK) {
		if (!happens(event))
			continue;
		if (order_of(event)) {
			assert_true(order_of(event) > order);
			order = order_of(event);
		}
		const u64 now = times[event->cpu][next[event->cpu]++];

		wrong += now < time;
		time = now;
	}
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		assert_u64(next[cpu], last[cpu]);
		free(times[cpu]);
	}
	assert_u64(order, machine->order);
	return wrong;
}

static void clocks_that_agree_give_the_order_in_which_it_happened(void **state)
{
	static struct machine machine;
	struct reader *reader;

	(void)state;
	start(&machine, (const u64[CPUS]){ 0, 0, 0 });
	live(&machine, 50);
	reader = finish(&machine, CPUS, 0, 0);
	assert_u64(misplaced(&machine, reader), 0);
	stop(&machine, reader);
}

static void numbers_beat_clocks_and_put_them_right(void **state)
{
	static const struct {
		const char *name;
		u64 skew[CPUS];
		unsigned rare;
		u64 at_most; /* of EVENTS */
	} rows[] = {
		{ "a little", { 0, 200, -150ull }, 10, EVENTS / 50 },
		{ "much", { 0, 1000000000, 5000 }, 10, EVENTS / 50 },
		{ "backwards", { 1u << 30, 0, 1000000 }, 10, EVENTS / 50 },
		{ "few numbers", { 0, -40000ull, 90000 }, 500, EVENTS / 4 },
	};
	static struct machine machine;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reader *reader;
		u64 wrong;

		start(&machine, rows[i].skew);
		machine.time = 1000000;
		live(&machine, rows[i].rare);
		reader = finish(&machine, CPUS, 0, 0);
		wrong = misplaced(&machine, reader);
		if (!wrong || wrong > rows[i].at_most)
			fail_msg("%s: %llu are misplaced", rows[i].name, (unsigned long long)wrong);
		stop(&machine, reader);
	}
}

static void without_numbers_the_clocks_decide(void **state)
{
	static struct machine machine;
	const struct trace_event *event;
	struct reader *reader;
	u64 tsc = 0;

	(void)state;
	start(&machine, (const u64[CPUS]){ 0, 5000, 1000 });
	for (unsigned i = 0; i < 1000; i++)
		happen(&machine, (u16)(i % CPUS), false);
	reader = finish(&machine, CPUS, 0, 0);
	while (reader_next(reader, &event) == ST_OK) {
		assert_true(!happens(event) || event->tsc >= tsc);
		tsc = happens(event) ? event->tsc : tsc;
	}
	stop(&machine, reader);
}

/* A number that was lost with its block must hold nobody up. */
static void lost_numbers_hold_nobody_up(void **state)
{
	static struct machine machine;
	const struct trace_event *event;
	struct reader *reader;
	u64 order = 0, orders = 0, gaps = 0, last[CPUS] = { 0 };

	(void)state;
	start(&machine, (const u64[CPUS]){ 0, 100000, -100000ull });
	machine.time = 1000000;
	live(&machine, 20);
	reader = finish(&machine, 1, 3, 4);
	while (reader_next(reader, &event) == ST_OK) {
		gaps += event->kind == EV_GAP;
		assert_true(!event->seq || event->seq > last[event->cpu]);
		last[event->cpu] = event->seq;
		if (!order_of(event))
			continue;
		assert_true(order_of(event) > order);
		order = order_of(event);
		orders++;
	}
	assert_true(gaps >= 1);
	assert_true(orders < machine.order && orders > machine.order / 2);
	stop(&machine, reader);
}

static void seeking_gives_the_same_order(void **state)
{
	static struct machine machine;
	static struct {
		u64 seq;
		u16 cpu;
	} order[2 * EVENTS];
	const struct trace_event *event;
	struct reader *reader;
	u64 count = 0, random = 3;

	(void)state;
	start(&machine, (const u64[CPUS]){ 70000, 0, 300 });
	live(&machine, 15);
	reader = finish(&machine, CPUS, 0, 0);
	for (; reader_next(reader, &event) == ST_OK; count++) {
		order[count].seq = event->seq;
		order[count].cpu = event->cpu;
	}
	for (unsigned i = 0; i < 60; i++) {
		u64 n = test_random(&random) % (count - 50), found;

		assert_int_equal(reader_seek(reader, n), ST_OK);
		for (const u64 end = n + 50; n < end; n++) {
			assert_int_equal(reader_next(reader, &event), ST_OK);
			assert_u64(event->seq, order[n].seq);
			assert_int_equal(event->cpu, order[n].cpu);
		}
		if (i % 20)
			continue;
		assert_int_equal(reader_find(reader, order[n].cpu, order[n].seq, &found), ST_OK);
		assert_u64(found, n);
	}
	stop(&machine, reader);
}

static int make_file(void **state)
{
	(void)state;
	close(mkstemp(path));
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_that_agree_give_the_order_in_which_it_happened),
		cmocka_unit_test(numbers_beat_clocks_and_put_them_right),
		cmocka_unit_test(without_numbers_the_clocks_decide),
		cmocka_unit_test(lost_numbers_hold_nobody_up),
		cmocka_unit_test(seeking_gives_the_same_order),
	};
	return cmocka_run_group_tests_name("replay/track", tests, make_file, remove_file);
}
