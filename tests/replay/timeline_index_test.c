#include "tests/test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/crc32c.h"
#include "replay/event_writes.h"
#include "replay/model_hash.h"
#include "tests/replay/timeline_tapes.h"
#include "trace/pack.h"

#define INTERVAL 60

static const struct index_poll no_poll;

/* The index of a tape, as a file in memory. */
static int make_index(unsigned tape)
{
	struct timeline *const timeline = timeline_of(tape);
	const int fd = memfd_create("index", 0);

	assert_int_equal(index_build(timeline_reader(timeline), fd, INTERVAL, &no_poll), ST_OK);
	timeline_close(timeline);
	return fd;
}

static enum status load_index(unsigned tape, int fd)
{
	struct timeline *const timeline = timeline_of(tape);
	struct timeline_index index;
	const enum status status = index_load(&index, timeline_reader(timeline), fd);

	index_unload(&index);
	timeline_close(timeline);
	return status;
}

static void an_index_is_of_its_tape(void **state)
{
	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		const int fd = make_index(tape);

		for (unsigned other = 0; other < TIMELINE_TAPES; other++)
			/* Damage inside of blocks does not show in their headers. */
			if (tape == other)
				assert_int_equal(load_index(other, fd), ST_OK);
			else if ((tape != 1 && tape != 2) || (other != 1 && other != 2))
				assert_int_equal(load_index(other, fd), ST_INVALID);
		close(fd);
	}
}

static void any_flipped_byte_makes_it_invalid(void **state)
{
	struct timeline *const timeline = timeline_of(0);
	const int fd = make_index(0);
	const off_t size = lseek(fd, 0, SEEK_END);
	struct timeline_index index;

	(void)state;
	for (off_t at = 0; at < size; at += at < 400 ? 1 : 13) {
		u8 byte, flipped;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		flipped = byte ^ (u8)(1u << at % 8);
		assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
		assert_int_equal(index_load(&index, timeline_reader(timeline), fd), ST_INVALID);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(index_load(&index, timeline_reader(timeline), fd), ST_OK);
	index_unload(&index);
	timeline_close(timeline);
	close(fd);
}

static void any_cut_makes_it_invalid(void **state)
{
	struct timeline *const timeline = timeline_of(0);
	const int fd = make_index(0);
	struct timeline_index index;

	(void)state;
	for (off_t size = lseek(fd, 0, SEEK_END); size > 0; size -= 1 + size / 50) {
		assert_int_equal(ftruncate(fd, size - 1), 0);
		assert_int_equal(index_load(&index, timeline_reader(timeline), fd), ST_INVALID);
	}
	timeline_close(timeline);
	close(fd);
}

static void repair(u8 *bytes, size_t size)
{
	struct index_head head;

	memcpy(&head, bytes, sizeof(head));
	head.body_crc = crc32c(0, bytes + sizeof(head), size - sizeof(head));
	head.head_crc = crc32c(0, &head, offsetof(struct index_head, head_crc));
	memcpy(bytes, &head, sizeof(head));
}

/* By its marks and its states of decoders: to any events, whatever these are then. */
static void read_by(struct reader *reader, const struct timeline_index *index, u64 *random)
{
	static const struct lane_states none;
	const struct trace_event *event;

	reader_use_marks(reader, index_at(index, 0)->mark, index->count, index->stride);
	reader_use_states(reader, &index->states);
	for (unsigned i = 0; i < 6; i++) {
		reader_seek(reader, test_random(random) % (reader_info(reader)->events + 1));
		for (unsigned k = 0; k < 40 && reader_next(reader, &event) == ST_OK; k++)
			;
	}
	reader_use_marks(reader, NULL, 0, 0);
	reader_use_states(reader, &none);
}

/* With checksums that are right: the state is anything, but nothing breaks. */
static void an_index_that_lies_does_no_harm(void **state)
{
	const int made = make_index(1);
	const size_t size = (size_t)lseek(made, 0, SEEK_END);
	u8 *const bytes = malloc(size), *const changed = malloc(size);
	u64 random = 1, loaded = 0;

	(void)state;
	assert_int_equal(pread(made, bytes, size, 0), size);
	for (unsigned i = 0; i < 1500; i++) {
		struct timeline *const timeline = timeline_of(1);
		const int fd = memfd_create("index", 0);
		struct timeline_index index;

		memcpy(changed, bytes, size);
		for (unsigned k = 0; k <= i % 5; k++)
			changed[test_random(&random) % size] ^= (u8)test_random(&random);
		repair(changed, size);
		assert_int_equal(pwrite(fd, changed, size, 0), size);
		if (index_load(&index, timeline_reader(timeline), fd) == ST_OK) {
			struct index_state *const kept = index_state_new(&index);
			struct model *const model = model_new();

			loaded++;
			for (unsigned k = 0; k < 8; k++) {
				const u64 at = test_random(&random) % index.count;

				index_find(&index, test_random(&random));
				index_may_write(&index, at, NULL, (int)k);
				if (index_restore(kept, model, at) != ST_OK)
					break;
				model_hash(model);
			}
			read_by(timeline_reader(timeline), &index, &random);
			model_free(model);
			index_state_free(kept);
			index_unload(&index);
		}
		timeline_close(timeline);
		close(fd);
	}
	assert_true(loaded > 100);
	free(changed);
	free(bytes);
	close(made);
}

static void writes_are_those_of_the_history(void **state)
{
	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct timeline *const timeline = timeline_of(tape);
		struct reader *const reader = timeline_reader(timeline);
		struct event_write writes[EVENT_MAX_WRITES];
		const struct trace_event *event;
		struct history_write write;
		u64 vmcs = 0;

		while (reader_next(reader, &event) == ST_OK) {
			const unsigned count = event_writes(event, &vmcs, writes);
			unsigned found = 0;

			if (event->kind == EV_GAP)
				continue;
			for (int field = 0; field < VMCS_FIELD_COUNT; field++) {
				unsigned i = 0;

				while (i < count && writes[i].index != field)
					i++;
				if (!history_take(event, 0, vmcs, field, &write)) {
					assert_int_equal(i, count);
					continue;
				}
				assert_true(i < count);
				assert_u64(writes[i].value, write.value);
				assert_u64(writes[i].mask, write.mask);
				found++;
			}
			assert_true(found || !count);
		}
		timeline_close(timeline);
	}
}

static void filters_have_what_is_there(void **state)
{
	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct timeline *const timeline = timeline_of(tape);
		const int fd = make_index(tape);
		struct reader *const reader = timeline_reader(timeline);
		const struct trace_event *event;
		struct timeline_index index;
		u64 n;

		assert_int_equal(index_load(&index, reader, fd), ST_OK);
		assert_int_equal(reader_seek(reader, 0), ST_OK);
		while ((n = reader_tell(reader)) < timeline_events(timeline) &&
		       reader_next(reader, &event) == ST_OK) {
			const u64 i = index_find(&index, n);

			assert_true(index_at(&index, i)->kinds & block_kind(event->kind));
			assert_true(index_at(&index, i)->last_tsc >= event->tsc);
			assert_true(index_may_have_rip(&index, i, event->rip));
			assert_true(index_may_have_range(&index, i, event->rip & ~7ull,
							 (event->rip & ~7ull) + 8));
			assert_true(n >= index_begin(&index, i, 0));
			assert_true(n < index_begin(&index, i + 1, timeline_events(timeline)));
		}
		index_unload(&index);
		timeline_close(timeline);
		close(fd);
	}
}

static bool read_raw(struct trace_unpacker *unpacker, const struct chunk *chunk,
		     const struct block *block, u8 *raw)
{
	if (block->codec == BLOCK_ZSTD)
		return trace_unpack(unpacker, chunk->payload, chunk->size, raw, block->raw_size) ==
		       ST_OK;
	memcpy(raw, chunk->payload, chunk->size);
	return true;
}

/* The tape in blocks that are not packed, some bytes of which are others; checksums are right. */
static u8 *change_blocks(const struct timeline_tape *from, u64 *random, size_t *size)
{
	struct trace_unpacker *const unpacker = trace_unpacker_new();
	u8 *const bytes = malloc(from->size + (1 << 22));
	u8 raw[CODEC_MAX_RAW], extra[BLOCK_HEADER];
	struct tape tape;
	char error[256];

	assert_int_equal(
		tape_open_memory("it", from->bytes, from->size, &tape, error, sizeof(error)),
		ST_OK);
	memcpy(bytes, from->bytes, TAPE_HEADER);
	*size = TAPE_HEADER;
	for (size_t i = 0; i < tape.chunk_count; i++) {
		struct chunk chunk = tape.chunks[i].chunk;
		struct block block = tape.chunks[i].block;

		/* One that is damaged stays so. */
		if (chunk.type == CHUNK_BLOCK && read_raw(unpacker, &chunk, &block, raw)) {
			/* The first ones are few and decide much. */
			for (u64 k = test_random(random) % 3; k && i > 4; k--)
				raw[test_random(random) % block.raw_size] = (u8)test_random(random);
			block.codec = BLOCK_RAW;
			block_write(&block, extra);
			chunk.payload = raw;
			chunk.size = block.raw_size;
			chunk.extra = extra;
			chunk.extra_size = sizeof(extra);
		}
		*size += chunk_write_header(&chunk, bytes + *size);
		memcpy(bytes + *size, chunk.payload, chunk.size);
		*size += chunk.size;
	}
	tape_free(&tape);
	trace_unpacker_free(unpacker);
	return bytes;
}

/*
 * Whatever way the index was made, its states are those of one event after the other. Returns how
 * many of its intervals have another length than those that are made event by event.
 */
static unsigned compare_with_linear_run(struct timeline *timeline)
{
	struct model *const linear = model_new(), *const model = model_new();
	struct reader *const reader = timeline_reader(timeline);
	const size_t words = reader_mark_words(reader);
	const int fd = memfd_create("index", 0);
	u64 *const mark = calloc(words, sizeof(u64));
	const struct trace_event *event;
	struct timeline_index index;
	struct index_state *kept;
	u64 n, i = 0, entries = 0;
	unsigned others = 0;

	assert_int_equal(index_build(reader, fd, INTERVAL, &no_poll), ST_OK);
	assert_int_equal(index_load(&index, reader, fd), ST_OK);
	kept = index_state_new(&index);
	assert_int_equal(reader_seek(reader, 0), ST_OK);
	while ((n = reader_tell(reader)) < timeline_events(timeline) && i < index.count) {
		assert_true(n <= index_at(&index, i)->mark[0]);
		if (n == index_at(&index, i)->mark[0]) {
			assert_int_equal(index_restore(kept, model, i), ST_OK);
			assert_u64(model_hash(model), model_hash(linear));
			assert_u64(index_at(&index, i)->entries, entries);
			reader_mark(reader, mark);
			if (reader_info(reader)->cpus > 1)
				assert_memory_equal(mark, index_at(&index, i)->mark,
						    words * sizeof(u64));
			others += i && n - index_at(&index, i - 1)->mark[0] != INTERVAL;
			i++;
		}
		if (reader_next(reader, &event) != ST_OK)
			break;
		entries += event->kind == EV_L2_ENTRY;
		assert_int_equal(model_step(linear, event, n), ST_OK);
	}
	free(mark);
	model_free(linear);
	model_free(model);
	index_state_free(kept);
	index_unload(&index);
	close(fd);
	return others;
}

static void states_are_those_of_a_linear_run(void **state)
{
	unsigned sliced = 0;

	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct timeline *const timeline = timeline_of(tape);

		sliced += compare_with_linear_run(timeline);
		timeline_close(timeline);
	}
	/* Those of slices are as long as they happen to be. */
	assert_true(sliced > 20);
}

/* Seeks by the index give the events that @linear does. Returns how many decoders it has. */
static size_t compare_with_linear_reader(struct timeline *timeline, struct reader *linear)
{
	struct reader *const reader = timeline_reader(timeline);
	const int fd = memfd_create("index", 0);
	const struct trace_event *event, *other;
	struct timeline_index index;
	size_t count;
	u64 n;

	assert_int_equal(index_build(reader, fd, INTERVAL, &no_poll), ST_OK);
	assert_int_equal(index_load(&index, reader, fd), ST_OK);
	reader_use_marks(reader, index_at(&index, 0)->mark, index.count, index.stride);
	reader_use_states(reader, &index.states);
	while ((n = reader_tell(linear)) < timeline_events(timeline) &&
	       reader_next(linear, &event) == ST_OK) {
		/* Back and forth, so that blocks are left. */
		if (n % 3 == 0)
			assert_int_equal(reader_seek(reader, n / 2), ST_OK);
		assert_int_equal(reader_seek(reader, n), ST_OK);
		assert_int_equal(reader_next(reader, &other), ST_OK);
		assert_u64(reader_tell(reader), reader_tell(linear));
		assert_u64(other->seq, event->seq);
		assert_int_equal(other->cpu, event->cpu);
		assert_int_equal(other->kind, event->kind);
		assert_u64(other->tsc, event->tsc);
		assert_u64(other->rip, event->rip);
		assert_memory_equal(other->col, event->col, TRACE_MAX_COLUMNS * sizeof(u64));
	}
	count = index.states.count;
	index_unload(&index);
	close(fd);
	return count;
}

static void states_of_decoders_are_there_and_lead_to_the_same_events(void **state)
{
	size_t count = 0;

	(void)state;
	for (unsigned tape = 0; tape < TIMELINE_TAPES; tape++) {
		struct timeline *const timeline = timeline_of(tape);
		struct reader *const linear = timeline_read(&timeline_tapes[tape], ~0ull);

		count += compare_with_linear_reader(timeline, linear);
		reader_close(linear);
		timeline_close(timeline);
	}
	assert_true(count > 50);
}

static void states_are_so_on_tapes_that_make_no_sense(void **state)
{
	const char *const more = getenv("ROUNDS");
	u64 random = 3;

	(void)state;
	for (int round = more ? atoi(more) : 40; round--;) {
		const struct timeline_tape *const from =
			&timeline_tapes[round % 3 ? TIMELINE_TAPES - round % 3
						  : round % TIMELINE_TAPES];
		struct timeline *timeline;
		struct reader *linear;
		char error[256];
		size_t size;
		u8 *const bytes = change_blocks(from, &random, &size);

		if (timeline_open_memory("it", bytes, size, &timeline, error, sizeof(error)) ==
		    ST_OK) {
			compare_with_linear_run(timeline);
			assert_int_equal(reader_open_memory("it", bytes, size, &linear, error,
							    sizeof(error)),
					 ST_OK);
			compare_with_linear_reader(timeline, linear);
			reader_close(linear);
			timeline_close(timeline);
		}
		free(bytes);
	}
}

static u64 hash_at(const char *path, u64 n)
{
	struct timeline *timeline;
	char error[256];
	u64 hash;

	assert_int_equal(timeline_open(path, &timeline, error, sizeof(error)), ST_OK);
	assert_int_equal(timeline_seek(timeline, n), ST_OK);
	hash = timeline_hash(timeline);
	timeline_close(timeline);
	return hash;
}

static u64 linear_hash_at(const char *path, u64 n)
{
	struct timeline *timeline;
	char error[256];
	u64 hash;

	assert_int_equal(timeline_open(path, &timeline, error, sizeof(error)), ST_OK);
	timeline_drop_index(timeline, INDEX_NONE);
	assert_int_equal(timeline_seek(timeline, n), ST_OK);
	hash = timeline_hash(timeline);
	timeline_close(timeline);
	return hash;
}

static void flip(const char *path, off_t at)
{
	const int fd = open(path, O_RDWR);
	u8 byte;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static off_t middle_of_a_payload(const char *path)
{
	struct tape tape;
	char error[256];
	off_t at;

	assert_int_equal(tape_open(path, &tape, error, sizeof(error)), ST_OK);
	at = tape.chunks[tape.chunk_count / 8].chunk.payload - tape.bytes + 100;
	tape_unmap(&tape);
	return at;
}

static ino_t inode(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_ino;
}

static void it_is_kept_beside_the_tape_until_something_is_damaged(void **state)
{
	char folder[] = "/tmp/vmxtape-index-XXXXXX", tape[64], kept[96];
	const u64 n = 300000;
	ino_t before;
	u64 hash;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(tape, sizeof(tape), "%s/t.vxt", folder);
	snprintf(kept, sizeof(kept), "%s/t.vxt.idx", folder);
	dialogue_record(tape, 2, 500000, 1000000, 5);
	hash = linear_hash_at(tape, n);
	assert_int_equal(access(kept, R_OK), -1);
	assert_u64(hash_at(tape, n), hash);
	before = inode(kept);
	assert_u64(hash_at(tape, n), hash);
	assert_true(inode(kept) == before);
	flip(kept, 5000);
	assert_u64(hash_at(tape, n), hash);
	assert_true(inode(kept) != before);
	/* The headers of the tape are as they were, but the state is another. */
	flip(tape, middle_of_a_payload(tape));
	assert_true(linear_hash_at(tape, n) != hash);
	hash = linear_hash_at(tape, n);
	assert_u64(hash_at(tape, n), hash);
	assert_int_equal(unlink(kept), 0);
	assert_int_equal(unlink(tape), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_index_is_of_its_tape),
		cmocka_unit_test(any_flipped_byte_makes_it_invalid),
		cmocka_unit_test(any_cut_makes_it_invalid),
		cmocka_unit_test(an_index_that_lies_does_no_harm),
		cmocka_unit_test(writes_are_those_of_the_history),
		cmocka_unit_test(states_are_those_of_a_linear_run),
		cmocka_unit_test(states_of_decoders_are_there_and_lead_to_the_same_events),
		cmocka_unit_test(states_are_so_on_tapes_that_make_no_sense),
		cmocka_unit_test(filters_have_what_is_there),
		cmocka_unit_test(it_is_kept_beside_the_tape_until_something_is_damaged),
	};

	return cmocka_run_group_tests_name("replay/timeline_index", tests, timeline_make_tapes,
					   timeline_free_tapes);
}
