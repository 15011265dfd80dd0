/*
 * tests/replay/timeline_tapes.h - the tapes that a timeline is tested with
 *
 * Dialogues of one and several CPUs, with damage and without, events of arbitrary content, and the
 * golden tapes. Whole in memory; made once.
 */
#ifndef TESTS_REPLAY_TIMELINE_TAPES_H
#define TESTS_REPLAY_TIMELINE_TAPES_H

#include "replay/reader_parts.h"
#include "replay/timeline_parts.h"
#include "tests/replay/dialogue.h"
#include "trace/file.h"

struct timeline_tape {
	const char *name;
	u8 *bytes;
	size_t size;
};

#define TIMELINE_TAPES 11

static struct timeline_tape timeline_tapes[TIMELINE_TAPES];
static char timeline_path[] = "/tmp/vmxtape-timeline-XXXXXX";

static inline struct timeline_tape *timeline_load(unsigned i, const char *name, const char *path)
{
	FILE *const file = fopen(path, "rb");

	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	timeline_tapes[i] = (struct timeline_tape){ .name = name, .size = (size_t)ftell(file) };
	rewind(file);
	timeline_tapes[i].bytes = malloc(timeline_tapes[i].size);
	assert_int_equal(fread(timeline_tapes[i].bytes, 1, timeline_tapes[i].size, file),
			 timeline_tapes[i].size);
	fclose(file);
	return &timeline_tapes[i];
}

/* Flips a byte in the payload of every block with (number + @phase) % @every == 0. */
static inline void timeline_damage(struct timeline_tape *of, unsigned every, unsigned phase)
{
	struct tape tape;
	char error[256];

	assert_int_equal(tape_open_memory("it", of->bytes, of->size, &tape, error, sizeof(error)),
			 ST_OK);
	for (size_t i = 0; i < tape.chunk_count; i++) {
		const struct chunk *const chunk = &tape.chunks[i].chunk;

		if (chunk->type == CHUNK_BLOCK && (i + phase) % every == 0)
			of->bytes[chunk->payload + chunk->size - 1 - tape.bytes] ^= 1;
	}
	tape_free(&tape);
}

/* Takes out of the file every block with (number + @phase) % @every == 0: gaps. */
static inline void timeline_lose(struct timeline_tape *of, unsigned every, unsigned phase)
{
	struct tape tape;
	char error[256];
	size_t to = TAPE_HEADER;
	u8 *const bytes = malloc(of->size);

	memcpy(bytes, of->bytes, TAPE_HEADER);
	assert_int_equal(tape_open_memory("it", of->bytes, of->size, &tape, error, sizeof(error)),
			 ST_OK);
	for (size_t i = 0; i < tape.chunk_count; i++) {
		const struct chunk *const chunk = &tape.chunks[i].chunk;
		const size_t size = chunk_header_size(chunk) + chunk->size;

		if (chunk->type == CHUNK_BLOCK && (i + phase) % every == 0)
			continue;
		memcpy(bytes + to, tape.bytes + tape.chunks[i].offset, size);
		to += size;
	}
	tape_free(&tape);
	free(of->bytes);
	of->bytes = bytes;
	of->size = to;
}

/*
 * A reader that leaves a checkpoint each @every events, so that on these tapes, too, it passes over
 * some.
 */
static inline struct reader *timeline_read(const struct timeline_tape *tape, u64 every)
{
	struct reader *reader;
	char error[256];

	assert_int_equal(reader_open_memory(tape->name, tape->bytes, tape->size, &reader, error,
					    sizeof(error)),
			 ST_OK);
	reader->checkpoint_every = reader->next_checkpoint = every;
	return reader;
}

static inline int timeline_make_tapes(void **state)
{
	struct recording recording;
	struct capture *capture;
	char error[256];

	(void)state;
	close(mkstemp(timeline_path));
	dialogue_record(timeline_path, 1, 800, 100, 1);
	timeline_load(0, "one CPU", timeline_path);
	dialogue_record(timeline_path, DIALOGUE_CPUS, 1200, 80, 2);
	timeline_load(1, "four CPUs", timeline_path);
	timeline_damage(timeline_load(2, "four CPUs, damaged", timeline_path), 9, 2);
	timeline_lose(timeline_load(3, "four CPUs, blocks lost, cut", timeline_path), 7, 3);
	timeline_load(4, "four CPUs, begins in the middle", timeline_path);
	timeline_lose(&timeline_tapes[4], 5, 4);
	dialogue_record(timeline_path, 2, 700, 1000000, 3);
	timeline_load(5, "two CPUs, large blocks", timeline_path);
	recording_start(&recording, MIB(8), true);
	recording_emit(&recording, 500);
	recording_end(&recording);
	assert_int_equal(capture_open(timeline_path, NULL, NULL, &capture, error, sizeof(error)),
			 ST_OK);
	assert_int_equal(capture_feed(capture, recording.line, recording.line_size), ST_OK);
	assert_int_equal(capture_close(capture), ST_OK);
	capture_free(capture);
	recording_free(&recording);
	timeline_load(6, "arbitrary events", timeline_path);
	timeline_load(7, "golden", "tests/golden/1/future.vxt");
	timeline_load(8, "golden, KVM", "tests/golden/1/kvm.vxt");
	dialogue_record_cpus(timeline_path, DIALOGUE_CPUS, true, 0, 4000, 300, 4);
	timeline_load(9, "four CPUs, each by itself", timeline_path);
	dialogue_record_cpus(timeline_path, DIALOGUE_CPUS, true, 150, 4000, 300, 5);
	timeline_load(10, "four CPUs, hand-overs against the order of time", timeline_path);
	unlink(timeline_path);
	return 0;
}

static inline int timeline_free_tapes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TIMELINE_TAPES; i++)
		free(timeline_tapes[i].bytes);
	return 0;
}

static inline struct timeline *timeline_of(unsigned i)
{
	struct timeline *timeline;
	char error[256];

	if (timeline_open_memory(timeline_tapes[i].name, timeline_tapes[i].bytes,
				 timeline_tapes[i].size, &timeline, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	/* So that these tapes have many. */
	timeline->interval = 100;
	return timeline;
}

#endif
