#include "tests/scratch_path.h"
#include "tests/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "recorder/capture.h"
#include "recorder/transport.h"
#include "replay/reader.h"
#include "tests/recorder/recording.h"

#define EVENTS 12000

static struct capture *open_capture(capture_on_event on_event, void *owner)
{
	struct capture *capture;
	char error[256];

	if (capture_open(scratch_path, on_event, owner, &capture, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return capture;
}

static struct reader *open_tape(void)
{
	struct reader *reader;
	char error[256];

	if (reader_open(scratch_path, &reader, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return reader;
}

static u8 *load(size_t *size)
{
	FILE *const file = fopen(scratch_path, "rb");
	u8 *const bytes = malloc(MIB(16));

	*size = fread(bytes, 1, MIB(16), file);
	fclose(file);
	return bytes;
}

static void make_recording(struct recording *recording)
{
	recording_start(recording, MIB(32), true);
	recording_emit(recording, EVENTS);
	recording_end(recording);
}

static void pieces_of_any_size_make_the_same_tape(void **state)
{
	static const size_t pieces[] = { 1, 7, 4096, 100000, MIB(64) };
	struct recording recording;
	u8 *first = NULL;
	size_t first_size = 0;

	(void)state;
	make_recording(&recording);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct capture *const capture = open_capture(NULL, NULL);
		size_t size;
		u8 *bytes;

		for (size_t at = 0; at < recording.line_size; at += pieces[i])
			assert_int_equal(capture_feed(capture, recording.line + at,
						      MIN(pieces[i], recording.line_size - at)),
					 ST_OK);
		assert_int_equal(capture_close(capture), ST_OK);
		assert_true(capture_stats(capture)->last);
		assert_u64(capture_stats(capture)->lost_events, 0);
		bytes = load(&size);
		assert_int_equal(size, capture_stats(capture)->tape_bytes);
		capture_free(capture);
		if (first) {
			assert_int_equal(size, first_size);
			assert_memory_equal(bytes, first, size);
			free(bytes);
		} else {
			first = bytes;
			first_size = size;
		}
	}
	free(first);
	recording_free(&recording);
}

static void what_comes_raw_is_packed_in_the_file(void **state)
{
	size_t size[2];

	(void)state;
	for (unsigned packs = 0; packs < 2; packs++) {
		struct recording recording;
		struct capture *capture;
		u64 events;

		recording_start(&recording, MIB(16), packs);
		for (unsigned n = 0; n < 20000; n++) {
			recording_emit(&recording, 1);
			rec_pack_slice(recording.rec);
		}
		recording_end(&recording);
		events = recording.emitted;
		capture = open_capture(NULL, NULL);
		assert_int_equal(capture_feed(capture, recording.line, recording.line_size), ST_OK);
		assert_int_equal(capture_close(capture), ST_OK);
		assert_true(capture_stats(capture)->events > events);
		size[packs] = capture_stats(capture)->tape_bytes;
		/* Less than came. */
		assert_true(packs || size[packs] < recording.line_size * 95 / 100);
		capture_free(capture);
		recording_free(&recording);
	}
	assert_true(size[0] <= size[1]);
}

struct watched {
	u64 next_seq;
	u64 consoles;
};

static void watch(void *owner, const struct trace_schema *schema, const struct trace_event *event)
{
	struct watched *const watched = owner;

	assert_u64(event->seq, watched->next_seq);
	watched->next_seq++;
	if (!strcmp(schema->kinds[event->kind].name, "console"))
		watched->consoles++;
}

static void those_who_watch_see_every_event(void **state)
{
	struct recording recording;
	struct watched watched = { 0 };
	struct capture *const capture = open_capture(watch, &watched);

	(void)state;
	make_recording(&recording);
	assert_false(capture_stats(capture)->head);
	capture_feed(capture, recording.line, recording.line_size);
	assert_true(capture_stats(capture)->head);
	assert_u64(watched.next_seq, capture_stats(capture)->events);
	assert_true(watched.consoles > 100);
	capture_close(capture);
	capture_free(capture);
	recording_free(&recording);
}

/* Where each frame of a line begins; the line's end comes last. */
static size_t *find_frames(const struct recording *recording)
{
	size_t *const starts = calloc(recording->sequence + 1, sizeof(*starts));
	size_t at = 0;

	for (u32 i = 0; i < recording->sequence; i++) {
		u16 length;

		starts[i] = at;
		memcpy(&length, recording->line + at + 4, sizeof(length));
		at += DRAIN_HEADER_SIZE + length;
	}
	assert_int_equal(at, recording->line_size);
	starts[recording->sequence] = at;
	return starts;
}

/* How many bytes of the ring the schema takes, which comes first. */
static u64 schema_end(const struct recording *recording)
{
	const u8 *const chunk = recording->line + DRAIN_HEADER_SIZE;
	u32 payload;

	memcpy(&payload, chunk + 12, sizeof(payload));
	return 8ull * chunk[11] + payload;
}

/* Reads all; the number of events and what the gaps say is missing must be @events together. */
static void check_gaps(u64 events, bool lost, const char *name, u32 frame)
{
	struct reader *const reader = open_tape();
	const struct trace_event *event;
	u64 seq = 0, missing = 0;
	bool unknown = false;

	while (reader_next(reader, &event) == ST_OK) {
		if (event->seq != seq)
			fail_msg("%s, frame %u: event %llu instead of %llu", name, frame,
				 (unsigned long long)event->seq, (unsigned long long)seq);
		if (event->kind != EV_GAP || event->rip) {
			seq++;
			continue;
		}
		const struct ev_gap *const gap = (const struct ev_gap *)event->col;

		missing += gap->events;
		seq += gap->events;
		unknown |= !gap->events;
	}
	if (seq != events && !unknown)
		fail_msg("%s, frame %u: %llu events are not accounted for", name, frame,
			 (unsigned long long)(events - seq));
	assert_int_equal(missing > 0 || unknown, lost);
	assert_u64(reader_info(reader)->lost, missing);
	assert_null(reader_damage(reader));
	reader_close(reader);
}

static void a_lost_frame_costs_its_chunks(void **state)
{
	struct recording recording;
	size_t *starts;
	u64 events;

	(void)state;
	make_recording(&recording);
	starts = find_frames(&recording);
	events = 8 + EVENTS + recording.key_frames - 1;
	for (u32 i = 0; i < recording.sequence; i++) {
		struct capture *const capture = open_capture(NULL, NULL);
		const bool last = i == recording.sequence - 1;

		capture_feed(capture, recording.line, starts[i]);
		capture_feed(capture, recording.line + starts[i + 1],
			     recording.line_size - starts[i + 1]);
		assert_int_equal(capture_close(capture), ST_OK);
		assert_int_equal(capture_stats(capture)->last, !last);
		assert_u64(capture_stats(capture)->lost_frames, !last);
		/* The first ones are parts of the schema, which the program knows. */
		if (starts[i] - (u64)i * DRAIN_HEADER_SIZE >= schema_end(&recording))
			check_gaps(events, true, "lost", i);
		capture_free(capture);
	}
	free(starts);
	recording_free(&recording);
}

static void a_frame_that_comes_again_is_taken_once(void **state)
{
	struct recording recording;
	size_t *starts;

	(void)state;
	make_recording(&recording);
	starts = find_frames(&recording);
	for (u32 broken = 0; broken < 2; broken++) {
		struct capture *const capture = open_capture(NULL, NULL);
		const u32 again = recording.sequence / 2;
		const u8 *const frame = recording.line + starts[again];
		const size_t size = starts[again + 1] - starts[again];
		u8 header[DRAIN_HEADER_SIZE];

		drain_frame_header(header, 0, DRAIN_AGAIN, again, frame + sizeof(header),
				   (u16)(size - sizeof(header)));
		capture_feed(capture, recording.line, starts[again]);
		capture_feed(capture, frame, size / 2);
		if (broken)
			capture_feed(capture, "<bochs:2> ", 10);
		capture_feed(capture, frame + size / 2, size - size / 2);
		capture_feed(capture, header, sizeof(header));
		capture_feed(capture, frame + sizeof(header), size - sizeof(header));
		capture_feed(capture, recording.line + starts[again + 1],
			     recording.line_size - starts[again + 1]);
		assert_int_equal(capture_close(capture), ST_OK);
		assert_int_equal(capture_stats(capture)->noise_bytes, broken ? size + 10 : 0);
		assert_u64(capture_stats(capture)->lost_frames, 0);
		assert_u64(capture_stats(capture)->bad_chunks, 0);
		check_gaps(8 + EVENTS + recording.key_frames - 1, false, "again", broken);
		capture_free(capture);
	}
	free(starts);
	recording_free(&recording);
}

static void foreign_lines_cost_nothing_between_frames(void **state)
{
	static const char noise[] = "[    1.234567] random: crng init done\r\n";
	struct recording recording;
	struct capture *const capture = open_capture(NULL, NULL);
	size_t *starts;

	(void)state;
	make_recording(&recording);
	starts = find_frames(&recording);
	for (u32 i = 0; i < recording.sequence; i++) {
		capture_feed(capture, noise, sizeof(noise) - 1);
		capture_feed(capture, recording.line + starts[i], starts[i + 1] - starts[i]);
	}
	assert_int_equal(capture_close(capture), ST_OK);
	assert_u64(capture_stats(capture)->noise_bytes,
		   (sizeof(noise) - 1) * (u64)recording.sequence);
	assert_u64(capture_stats(capture)->lost_frames, 0);
	check_gaps(8 + EVENTS + recording.key_frames - 1, false, "noise", 0);
	capture_free(capture);
	free(starts);
	recording_free(&recording);
}

static void a_recording_that_breaks_off_is_a_tape(void **state)
{
	struct recording recording;
	u64 random = 3;

	(void)state;
	make_recording(&recording);
	for (unsigned i = 0; i < 40; i++) {
		const size_t cut = test_random(&random) % recording.line_size;
		struct capture *const capture = open_capture(NULL, NULL);
		struct reader *reader;

		capture_feed(capture, recording.line, cut);
		assert_int_equal(capture_close(capture), ST_OK);
		assert_false(capture_stats(capture)->last);
		reader = open_tape();
		assert_true(reader_info(reader)->finished);
		assert_false(reader_info(reader)->complete);
		assert_null(reader_damage(reader));
		reader_close(reader);
		capture_free(capture);
	}
	recording_free(&recording);
}

static void a_tape_that_cannot_be_written_is_named(void **state)
{
	struct recording recording;
	struct capture *capture;
	char error[256];

	(void)state;
	assert_int_equal(capture_open("/nowhere/x.vxt", NULL, NULL, &capture, error, sizeof(error)),
			 ST_IO);
	assert_string_equal(error, "cannot write '/nowhere/x.vxt': No such file or directory");
	assert_null(capture);

	make_recording(&recording);
	assert_int_equal(capture_open("/dev/full", NULL, NULL, &capture, error, sizeof(error)),
			 ST_OK);
	assert_int_equal(capture_feed(capture, recording.line, recording.line_size), ST_IO);
	assert_string_equal(capture_error(capture),
			    "cannot write '/dev/full': No space left on device");
	assert_int_equal(capture_feed(capture, recording.line, recording.line_size), ST_IO);
	assert_int_equal(capture_close(capture), ST_IO);
	capture_free(capture);
	recording_free(&recording);
}

static void a_file_feeds_a_capture(void **state)
{
	struct recording recording;
	struct capture *const capture = open_capture(NULL, NULL);
	char line[] = "/tmp/vmxtape-line-XXXXXX";
	const int fd = mkstemp(line);
	bool end = false;

	(void)state;
	make_recording(&recording);
	assert_int_equal(write(fd, recording.line, recording.line_size), recording.line_size);
	lseek(fd, 0, SEEK_SET);
	while (!end)
		assert_int_equal(transport_feed(fd, capture, &end), ST_OK);
	assert_true(capture_stats(capture)->last);
	close(fd);
	assert_int_equal(transport_feed(fd, capture, &end), ST_IO);
	assert_null(capture_error(capture));
	assert_int_equal(capture_close(capture), ST_OK);
	capture_free(capture);
	unlink(line);
	recording_free(&recording);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size_make_the_same_tape),
		cmocka_unit_test(what_comes_raw_is_packed_in_the_file),
		cmocka_unit_test(those_who_watch_see_every_event),
		cmocka_unit_test(a_lost_frame_costs_its_chunks),
		cmocka_unit_test(a_frame_that_comes_again_is_taken_once),
		cmocka_unit_test(foreign_lines_cost_nothing_between_frames),
		cmocka_unit_test(a_recording_that_breaks_off_is_a_tape),
		cmocka_unit_test(a_tape_that_cannot_be_written_is_named),
		cmocka_unit_test(a_file_feeds_a_capture),
	};
	return cmocka_run_group_tests_name("recorder/capture", tests, make_scratch_path,
					   remove_scratch_path);
}
