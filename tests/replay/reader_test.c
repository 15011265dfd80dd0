#include "tests/scratch_path.h"
#include "tests/test.h"

#include <unistd.h>

#include "base/crc32c.h"
#include "recorder/capture.h"
#include "replay/reader.h"
#include "tests/recorder/recording.h"
#include "trace/file.h"

#define BOOT_EVENTS 8 /* of recording_boot_record() */

/* The capture of what @recording put on the line. */
static struct capture_stats capture_line(const struct recording *recording)
{
	struct capture *capture;
	struct capture_stats stats;
	char error[256];

	assert_int_equal(capture_open(scratch_path, NULL, NULL, &capture, error, sizeof(error)),
			 ST_OK);
	assert_int_equal(capture_feed(capture, recording->line, recording->line_size), ST_OK);
	assert_int_equal(capture_close(capture), ST_OK);
	stats = *capture_stats(capture);
	capture_free(capture);
	return stats;
}

static struct reader *open_tape(void)
{
	struct reader *reader;
	char error[256];

	if (reader_open(scratch_path, &reader, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return reader;
}

/* The file at @scratch_path in memory. */
static u8 *load(size_t *size)
{
	FILE *const file = fopen(scratch_path, "rb");
	u8 *bytes;

	fseek(file, 0, SEEK_END);
	*size = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(*size);
	assert_int_equal(fread(bytes, 1, *size, file), *size);
	fclose(file);
	return bytes;
}

/* Whether @event is what the test recorder's event number @n was, key frames left out. */
static void check_event(const struct reader *reader, const struct trace_event *event, u64 n)
{
	static struct test_event made;
	const char *wrong;

	test_event(reader_schema(reader), n, &made);
	wrong = test_event_differs(reader_schema(reader), &made.event, event);
	if (wrong)
		fail_msg("event %llu: %s", (unsigned long long)n, wrong);
}

static bool is_key_frame(const struct trace_event *event)
{
	return event->kind == EV_VMX_STATE && !event->rip;
}

/* Everything that the test recorder emitted comes out of the reader, in order. */
static u64 check_events(struct reader *reader, u64 expected)
{
	const struct trace_event *event;
	u64 n = 0, all = 0;

	for (; reader_next(reader, &event) == ST_OK; all++) {
		assert_u64(event->seq, all);
		if (all >= BOOT_EVENTS && !is_key_frame(event))
			check_event(reader, event, n++);
	}
	assert_u64(n, expected);
	assert_u64(all, reader_info(reader)->events);
	return all;
}

static void a_recording_comes_back_whole(void **state)
{
	static const struct {
		const char *name;
		u64 events;
		size_t ring;
		bool packs;
	} rows[] = {
		{ "nothing", 0, MIB(1), true },
		{ "one", 1, MIB(1), true },
		{ "sent raw, packed by the host", 20000, MIB(32), false },
		{ "packed", 20000, MIB(32), true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct recording recording;
		struct reader *reader;
		u64 events;

		recording_start(&recording, rows[i].ring, rows[i].packs);
		for (u64 n = 0; n < rows[i].events; n++) {
			recording_emit(&recording, 1);
			rec_pack_slice(recording.rec);
		}
		recording_end(&recording);
		events = capture_line(&recording).events;
		reader = open_tape();
		assert_row(rows[i].name, check_events(reader, rows[i].events), events);
		assert_null(reader_damage(reader));
		assert_true(reader_info(reader)->complete);
		assert_row(rows[i].name, reader_info(reader)->lost, 0);
		if (rows[i].events > 1)
			assert_row(rows[i].name, reader_info(reader)->packed > 10, true);
		reader_close(reader);
		recording_free(&recording);
	}
}

static void the_boot_record_is_told_apart(void **state)
{
	struct recording recording;
	struct reader *reader;
	const struct reader_boot *boot;

	(void)state;
	recording_start(&recording, MIB(1), true);
	recording_end(&recording);
	capture_line(&recording);
	reader = open_tape();
	boot = reader_boot(reader, 0);
	assert_true(boot->present);
	assert_u64(boot->processor.signature, 0x806c1);
	assert_string_equal(boot->hv_version, "1.2");
	assert_int_equal(boot->capability_count, 3);
	assert_u64(boot->capabilities[2].shown, 4);
	assert_int_equal(boot->cpuid_count, 1);
	assert_u64(boot->cpuids[0].real_ab, 7);
	assert_int_equal(boot->memory_count, 1);
	assert_u64(boot->memory[0].size, 0x9fc00);
	assert_string_equal(boot->texts[TEXT_L1_COMMAND_LINE], "quiet");
	assert_null(boot->texts[TEXT_L1_NAME]);
	assert_u64(reader_info(reader)->tsc_hz, 2000000000);
	assert_false(reader_boot(reader, 7)->present);
	reader_close(reader);
	recording_free(&recording);
}

/* A tape of @blocks blocks of two small events each; returns the bytes of the file. */
static u8 *small_tape(unsigned blocks, size_t *size)
{
	struct recording recording;

	recording_start(&recording, MIB(1), false);
	for (unsigned i = 0; i < 2 * blocks; i++) {
		recording_emit_small(&recording);
		if (i % 2)
			rec_seal(recording.rec);
	}
	recording_end(&recording);
	capture_line(&recording);
	recording_free(&recording);
	return load(size);
}

static void what_a_flight_recorder_overwrote_is_one_gap(void **state)
{
	struct recording recording;
	struct reader *reader;
	const struct trace_event *event;
	u64 lost = 0, events = 0;

	(void)state;
	recording_start(&recording, MIB(1), false);
	ring_set_overwrite(recording.ring);
	recording_emit(&recording, 40000);
	recording_end(&recording);
	capture_line(&recording);
	reader = open_tape();
	assert_true(reader_boot(reader, 0)->present);
	for (; reader_next(reader, &event) == ST_OK; events++) {
		/* The test's own events are of every kind, also of this. */
		if (events != BOOT_EVENTS)
			continue;
		assert_int_equal(event->kind, EV_GAP);
		assert_u64(event->seq, BOOT_EVENTS);
		assert_u64(event->col[EV_COLUMN(gap, why)], GAP_OVERWRITTEN);
		lost = event->col[EV_COLUMN(gap, events)];
	}
	assert_int_equal(reader_info(reader)->gaps, 1);
	assert_u64(lost, reader_info(reader)->lost);
	assert_u64(events - 1 + lost, BOOT_EVENTS + 40000 + recording.key_frames - 1);
	assert_null(reader_damage(reader));
	reader_close(reader);
	recording_free(&recording);
}

static void seeking_gives_what_reading_gives(void **state)
{
	struct recording recording;
	struct reader *reader;
	const struct trace_event *event;
	u64 *tscs, events, random = 1;

	(void)state;
	recording_start(&recording, MIB(32), true);
	recording_emit(&recording, 5000);
	recording_end(&recording);
	capture_line(&recording);
	reader = open_tape();
	events = reader_info(reader)->events;
	tscs = malloc(events * sizeof(*tscs));
	for (u64 n = 0; n < events; n++) {
		assert_u64(reader_tell(reader), n);
		assert_int_equal(reader_next(reader, &event), ST_OK);
		tscs[n] = event->tsc;
	}
	for (unsigned i = 0; i < 300; i++) {
		const u64 n = test_random(&random) % events;
		u64 found;

		assert_int_equal(reader_seek(reader, n), ST_OK);
		assert_u64(reader_tell(reader), n);
		assert_int_equal(reader_next(reader, &event), ST_OK);
		assert_u64(event->seq, n);
		assert_u64(event->tsc, tscs[n]);
		assert_int_equal(reader_find(reader, 0, n, &found), ST_OK);
		assert_u64(found, n);
	}
	assert_int_equal(reader_seek(reader, events), ST_OK);
	assert_int_equal(reader_next(reader, &event), ST_END);
	assert_int_equal(reader_seek(reader, events + 1), ST_RANGE);
	assert_int_equal(reader_find(reader, 0, events, &random), ST_NOT_FOUND);
	assert_int_equal(reader_find(reader, 1, 0, &random), ST_NOT_FOUND);
	free(tscs);
	reader_close(reader);
	recording_free(&recording);
}

static void several_processors_are_merged_by_time(void **state)
{
	struct recording recordings[3], all = { 0 };
	struct reader *reader;
	const struct trace_event *event;
	u64 next[ARRAY_SIZE(recordings)] = { 0 }, time[ARRAY_SIZE(recordings)] = { 0 };
	u64 events = 0, now = 0, random = 9, found;
	struct {
		u16 cpu;
		u64 seq;
	} * order;

	(void)state;
	for (u16 cpu = 0; cpu < ARRAY_SIZE(recordings); cpu++) {
		recording_start_cpu(&recordings[cpu], MIB(32), true, cpu);
		recordings[cpu].unordered = true;
		recording_emit(&recordings[cpu], 40000 / (cpu + 1));
		recording_end(&recordings[cpu]);
		recording_put(&all, recordings[cpu].line, recordings[cpu].line_size);
	}
	capture_line(&all);
	reader = open_tape();
	assert_int_equal(reader_info(reader)->cpus, ARRAY_SIZE(recordings));
	order = calloc(reader_info(reader)->events, sizeof(*order));
	for (u16 last = 0; reader_next(reader, &event) == ST_OK; last = event->cpu) {
		assert_u64(event->seq, next[event->cpu]);
		next[event->cpu]++;
		time[event->cpu] = MAX(time[event->cpu], event->tsc);
		assert_true(time[event->cpu] >= now);
		assert_true(time[event->cpu] > now || event->cpu >= last || !events);
		now = time[event->cpu];
		order[events].cpu = event->cpu;
		order[events++].seq = event->seq;
	}
	assert_u64(events, reader_info(reader)->events);
	for (unsigned i = 0; i < 30; i++) {
		const u64 n = test_random(&random) % events;

		assert_int_equal(reader_seek(reader, n), ST_OK);
		assert_u64(reader_tell(reader), n);
		assert_int_equal(reader_next(reader, &event), ST_OK);
		assert_int_equal(event->cpu, order[n].cpu);
		assert_u64(event->seq, order[n].seq);
	}
	for (unsigned i = 0; i < 5; i++) {
		const u64 n = test_random(&random) % events;

		assert_int_equal(reader_find(reader, order[n].cpu, order[n].seq, &found), ST_OK);
		assert_u64(found, n);
		assert_int_equal(reader_next(reader, &event), ST_OK);
		assert_u64(event->seq, order[n].seq);
	}
	/* In steps, on a tape that was not read yet. */
	reader_close(reader);
	reader = open_tape();
	for (u64 n = events - 10, steps = 1; !reader_approach(reader, n, 10000); steps++)
		assert_u64(reader_tell(reader), steps * 10000);
	assert_u64(reader_tell(reader), events - 10);
	assert_int_equal(reader_next(reader, &event), ST_OK);
	assert_u64(event->seq, order[events - 10].seq);
	assert_true(reader_approach(reader, 5, 10000));
	assert_u64(reader_tell(reader), 5);
	free(order);
	reader_close(reader);
	for (unsigned cpu = 0; cpu < ARRAY_SIZE(recordings); cpu++)
		recording_free(&recordings[cpu]);
	recording_free(&all);
}

/* Where the blocks of a tape are, and which events they hold. */
struct place {
	u64 start;
	u64 end;
	u64 first_seq;
	u64 events;
};

static unsigned find_places(const u8 *bytes, size_t size, struct place *places)
{
	struct tape tape;
	char error[256];
	unsigned count = 0;

	assert_int_equal(tape_open_memory("it", bytes, size, &tape, error, sizeof(error)), ST_OK);
	for (size_t i = 0; i < tape.chunk_count; i++) {
		const struct tape_chunk *const chunk = &tape.chunks[i];

		if (chunk->chunk.type != CHUNK_BLOCK)
			continue;
		places[count++] = (struct place){
			.start = chunk->offset,
			.end = (u64)(chunk->chunk.payload + chunk->chunk.size - bytes),
			.first_seq = chunk->block.first_seq,
			.events = chunk->block.events,
		};
	}
	tape_free(&tape);
	return count;
}

/* Reads all of a damaged tape: sets @seen by seq, and returns how many gaps there were. */
static unsigned read_damaged(struct reader *reader, bool *seen, size_t seen_size)
{
	const struct trace_event *event;
	unsigned gaps = 0;
	u64 n = 0;

	memset(seen, 0, seen_size);
	while (reader_next(reader, &event) == ST_OK) {
		assert_true(reader_tell(reader) > n);
		n = reader_tell(reader);
		if (event->kind == EV_GAP)
			gaps++;
		else if (event->seq < seen_size)
			seen[event->seq] = true;
	}
	assert_u64(n, reader_info(reader)->events);
	return gaps;
}

static void a_tape_cut_at_any_byte_gives_what_was_before(void **state)
{
	struct place places[16];
	size_t size;
	u8 *const bytes = small_tape(3, &size);
	const unsigned blocks = find_places(bytes, size, places);
	bool seen[64];
	char error[256];

	(void)state;
	assert_int_equal(blocks, 4);
	for (size_t cut = 0; cut < size; cut++) {
		/*
		 * A copy of its own, so that reading past the cut is an error the sanitizer sees.
		 */
		u8 *const part = malloc(cut + !cut);
		struct reader *reader;
		enum status status;

		memcpy(part, bytes, cut);
		status = reader_open_memory("it", part, cut, &reader, error, sizeof(error));
		if (cut < TAPE_HEADER) {
			assert_int_equal(status, cut < TAPE_MAGIC_SIZE ? ST_INVALID : ST_CORRUPT);
			assert_non_null(strstr(error, "'it'"));
			assert_null(reader);
			free(part);
			continue;
		}
		assert_int_equal(status, ST_OK);
		assert_non_null(reader_damage(reader));
		assert_false(reader_info(reader)->finished);
		const unsigned gaps = read_damaged(reader, seen, sizeof(seen));

		for (unsigned i = 0; i < blocks; i++)
			for (u64 seq = 0; seq < places[i].events; seq++)
				assert_int_equal(seen[places[i].first_seq + seq],
						 places[i].end <= cut);
		assert_int_equal(gaps, places[0].end <= cut);
		reader_close(reader);
		free(part);
	}
	free(bytes);
}

static void a_flipped_byte_costs_its_block_alone(void **state)
{
	struct place places[16];
	size_t size;
	u8 *const bytes = small_tape(3, &size);
	const unsigned blocks = find_places(bytes, size, places);
	bool seen[64];
	char error[256];

	(void)state;
	for (size_t at = 0; at < size; at++)
		for (unsigned flip = 1; flip < 256; flip = flip == 1	  ? 0x80
							   : flip == 0x80 ? 255
									  : 256) {
			struct reader *reader;
			enum status status;

			bytes[at] ^= (u8)flip;
			status = reader_open_memory("it", bytes, size, &reader, error,
						    sizeof(error));
			if (at < TAPE_HEADER) {
				assert_int_not_equal(status, ST_OK);
				assert_non_null(strstr(error, "'it'"));
				bytes[at] ^= (u8)flip;
				continue;
			}
			assert_int_equal(status, ST_OK);
			read_damaged(reader, seen, sizeof(seen));
			if (!reader_damage(reader))
				fail_msg("byte %zu is wrong, and nothing says so", at);
			for (unsigned i = 0; i < blocks; i++)
				for (u64 seq = 0; seq < places[i].events; seq++)
					if (seen[places[i].first_seq + seq] !=
					    (at < places[i].start || at >= places[i].end))
						fail_msg("byte %zu: event %llu", at,
							 (unsigned long long)(places[i].first_seq +
									      seq));
			reader_close(reader);
			bytes[at] ^= (u8)flip;
		}
	free(bytes);
}

static void a_damaged_block_keeps_its_numbers(void **state)
{
	struct place places[16];
	size_t size;
	u8 *const bytes = small_tape(3, &size);
	const struct trace_event *event;
	struct reader *reader;
	const struct ev_gap *gap;
	char error[256];

	(void)state;
	find_places(bytes, size, places);
	bytes[places[2].end - 1] ^= 1;
	assert_int_equal(reader_open_memory("it", bytes, size, &reader, error, sizeof(error)),
			 ST_OK);
	/* Position @N and seq are the same on this tape. */
	assert_int_equal(reader_seek(reader, places[2].first_seq), ST_OK);
	assert_int_equal(reader_next(reader, &event), ST_OK);
	assert_int_equal(event->kind, EV_GAP);
	assert_u64(event->seq, places[2].first_seq);
	gap = (const struct ev_gap *)event->col;
	assert_u64(gap->why, GAP_DAMAGED_BLOCK);
	assert_u64(gap->events, places[2].events);
	assert_u64(reader_tell(reader), places[3].first_seq);
	assert_int_equal(reader_info(reader)->bad_blocks, 1);
	assert_u64(reader_info(reader)->lost, places[2].events);
	/* Inside of it, the next is what follows. */
	assert_int_equal(reader_seek(reader, places[2].first_seq + 1), ST_OK);
	assert_u64(reader_tell(reader), places[3].first_seq);
	assert_int_equal(reader_next(reader, &event), ST_OK);
	assert_u64(event->seq, places[3].first_seq);
	assert_u64(reader_info(reader)->lost, places[2].events);
	reader_close(reader);
	free(bytes);
}

static void a_newer_tape_is_refused_by_name(void **state)
{
	static const struct {
		const char *name;
		unsigned at;
		u8 value;
		const char *text;
	} rows[] = {
		{ "version", 8, TAPE_VERSION + 1, "version 2, this vmxtape reads up to 1" },
		{ "incompatible feature", 12, 4, "features (0x4)" },
	};
	size_t size;
	u8 *const bytes = small_tape(1, &size);
	char error[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u8 before = bytes[rows[i].at];
		struct reader *reader;
		u32 crc;

		bytes[rows[i].at] = rows[i].value;
		crc = crc32c(0, bytes, TAPE_HEADER - 4);
		memcpy(bytes + TAPE_HEADER - 4, &crc, 4);
		assert_row(rows[i].name,
			   reader_open_memory("x.vxt", bytes, size, &reader, error, sizeof(error)),
			   ST_NEWER);
		assert_non_null(strstr(error, rows[i].text));
		assert_non_null(strstr(error, "'x.vxt'"));
		bytes[rows[i].at] = before;
	}
	free(bytes);
}

static void what_is_no_tape_is_refused(void **state)
{
	struct reader *reader;
	char error[256];

	(void)state;
	assert_int_equal(reader_open("/nowhere/x.vxt", &reader, error, sizeof(error)), ST_IO);
	assert_string_equal(error, "cannot open '/nowhere/x.vxt': No such file or directory");
	assert_null(reader);
	assert_int_equal(reader_open("/etc/passwd", &reader, error, sizeof(error)), ST_INVALID);
	assert_string_equal(error, "'/etc/passwd' is no tape of vmxtape");
	assert_int_equal(reader_open("/", &reader, error, sizeof(error)), ST_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_recording_comes_back_whole),
		cmocka_unit_test(the_boot_record_is_told_apart),
		cmocka_unit_test(what_a_flight_recorder_overwrote_is_one_gap),
		cmocka_unit_test(seeking_gives_what_reading_gives),
		cmocka_unit_test(several_processors_are_merged_by_time),
		cmocka_unit_test(a_tape_cut_at_any_byte_gives_what_was_before),
		cmocka_unit_test(a_flipped_byte_costs_its_block_alone),
		cmocka_unit_test(a_damaged_block_keeps_its_numbers),
		cmocka_unit_test(a_newer_tape_is_refused_by_name),
		cmocka_unit_test(what_is_no_tape_is_refused),
	};
	return cmocka_run_group_tests_name("replay/reader", tests, make_scratch_path,
					   remove_scratch_path);
}
