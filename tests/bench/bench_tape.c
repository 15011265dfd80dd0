/*
 * bench_tape [-k] [-r TAPE] [-n EXITS] [-o TAPE] - what recording and reading cost
 *
 * Records the events of TAPE once more (-r), or EXITS exits of a simulated KVM (kvm_stream.h;
 *default 80,000, two million events), into the tape -o (default: a temporary file), reads that, and
 *prints figures; -k: of the key frames of TAPE alone. Instructions per event are for callgrind:
 *
 *	valgrind --tool=callgrind --toggle-collect=trace_encode_next bench_tape -n 20000
 *	valgrind --tool=callgrind --toggle-collect=rec_pack_slice bench_tape -n 20000
 *	valgrind --tool=callgrind --toggle-collect=reader_next bench_tape -n 20000
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "recorder/capture.h"
#include "recorder/emit.h"
#include "replay/reader.h"
#include "tests/bench/key_frames.h"
#include "tests/bench/kvm_stream.h"
#include "trace/drain.h"
#include "vmx/tables.h"

struct bench {
	struct kvm_stream stream;
	struct rec *rec;
	struct ring *ring;
	struct capture *capture;
	struct reader *source; /* NULL: the simulation */
	u32 sequence;
	u64 events;
	double packing; /* seconds */
};

static void fail(const char *what)
{
	fprintf(stderr, "bench_tape: %s\n", what);
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void emit(void *owner, const struct trace_event *event)
{
	struct bench *const bench = owner;

	rec_emit(bench->rec, event);
	bench->events++;
}

static unsigned read_code(void *owner, unsigned level, u64 rip, u8 *to)
{
	(void)owner;
	(void)level;
	for (unsigned i = 0; i < TRACE_MAX_CODE; i++)
		to[i] = (u8)(rip >> (i % 4) * 8);
	return TRACE_MAX_CODE;
}

/* A tape that is recorded once more has its key frames among its events. */
static void key_frames(void *owner, struct rec *rec, u64 block)
{
	struct bench *const bench = owner;

	(void)rec;
	(void)block;
	if (!bench->source)
		kvm_stream_key_frames(&bench->stream, emit, bench);
}

static void no_boot_record(void *owner, struct rec *rec)
{
	(void)owner;
	(void)rec;
}

static void drain(struct bench *bench, u8 flags)
{
	u8 frame[DRAIN_HEADER_SIZE + DRAIN_MAX_PAYLOAD];

	while (ring_readable(bench->ring)) {
		const size_t length =
			ring_read(bench->ring, frame + DRAIN_HEADER_SIZE, DRAIN_MAX_PAYLOAD);

		drain_frame_header(frame, 0, ring_readable(bench->ring) ? 0 : flags,
				   bench->sequence++, frame + DRAIN_HEADER_SIZE, (u16)length);
		if (capture_feed(bench->capture, frame, DRAIN_HEADER_SIZE + length) != ST_OK)
			fail(capture_error(bench->capture));
	}
}

static void pack(struct bench *bench)
{
	const double start = now();

	while (rec_pack_slice(bench->rec))
		;
	bench->packing += now() - start;
}

/* Emits some 25,000 events; false when there are no more. */
static bool emit_some(struct bench *bench, u64 exits)
{
	const struct trace_event *event;

	if (!bench->source) {
		for (unsigned i = 0; i < 1000; i++)
			kvm_stream_exit(&bench->stream, emit, bench);
		return bench->stream.exits < exits;
	}
	for (unsigned i = 0; i < 25000; i++) {
		if (reader_next(bench->source, &event) != ST_OK)
			return false;
		if (event->kind != EV_GAP)
			emit(bench, event);
	}
	return true;
}

static double record(struct bench *bench, u64 exits, const char *path)
{
	static const struct rec_ops ops = { .read_code = read_code, .key_frames = key_frames };
	const size_t ring_size = MIB(4);
	char error[256];
	double emitting = 0;
	bool more = true;

	kvm_stream_start(&bench->stream, 1);
	bench->ring = ring_init(aligned_alloc(4096, ring_size), ring_size);
	bench->rec = rec_init(aligned_alloc(64, ALIGN_UP(rec_size(), 64)), bench->ring, 0, &ops,
			      bench, true);
	if (capture_open(path, NULL, NULL, &bench->capture, error, sizeof(error)) != ST_OK)
		fail(error);
	rec_head(bench->rec, no_boot_record);
	while (more) {
		const double start = now();

		more = emit_some(bench, exits);
		emitting += now() - start;
		pack(bench);
		drain(bench, 0);
	}
	rec_seal(bench->rec);
	pack(bench);
	rec_flush(bench->rec);
	drain(bench, DRAIN_LAST);
	if (capture_close(bench->capture) != ST_OK)
		fail(capture_error(bench->capture));
	return emitting;
}

static void print_time(const char *what, double seconds, u64 events)
{
	printf("%-28s %8.1f ns/event  %7.1f M events/s\n", what, seconds * 1e9 / (double)events,
	       (double)events / seconds / 1e6);
}

static void ignore(void *owner, const struct trace_event *event)
{
	u64 *const sum = owner;

	*sum += event->tsc;
}

/* What making or reading the events costs, to be taken off the time of recording them. */
static double generate(struct bench *bench, u64 exits)
{
	static struct kvm_stream stream;
	const struct trace_event *event;
	const double start = now();
	u64 sum = 0;

	if (bench->source) {
		reader_seek(bench->source, 0);
		while (reader_next(bench->source, &event) == ST_OK)
			ignore(&sum, event);
		return now() - start;
	}
	kvm_stream_start(&stream, 1);
	while (stream.exits < exits)
		kvm_stream_exit(&stream, ignore, &sum);
	return now() - start;
}

static struct reader *open_tape(const char *path)
{
	struct reader *reader;
	char error[256];
	const double start = now();

	if (reader_open(path, &reader, error, sizeof(error)) != ST_OK)
		fail(error);
	printf("%-28s %8.3f ms\n", "open", (now() - start) * 1e3);
	return reader;
}

static void print_size(const struct reader_info *info)
{
	printf("%-28s %8.3f (%llu bytes, %llu events counted of %llu, %u blocks, %u packed)\n",
	       "bytes per event", (double)info->bytes / (double)info->counted,
	       (unsigned long long)info->bytes, (unsigned long long)info->counted,
	       (unsigned long long)info->events, info->blocks, info->packed);
}

static void read_back(const char *path)
{
	struct reader *const reader = open_tape(path);
	const struct trace_event *event;
	u64 events = 0, found = 0;
	const double start = now();

	for (; reader_next(reader, &event) == ST_OK; events++)
		if (event->kind == EV_VMREAD &&
		    event->col[EV_COLUMN(vmread, field)] == VMCS_GUEST_RIP &&
		    event->col[EV_COLUMN(vmread, value)] > ~0ull >> 1)
			found++;
	print_time("parse + filter", now() - start, events);
	printf("%-28s %8llu\n", "events the filter found", (unsigned long long)found);
	print_size(reader_info(reader));
	if (reader_damage(reader))
		fail(reader_damage(reader));
	reader_close(reader);
}

int main(int argc, char **argv)
{
	static struct bench bench;
	char temporary[] = "/tmp/vmxtape-bench-XXXXXX";
	const char *path = NULL, *source = NULL;
	u64 exits = 80000;
	bool frames = false;
	double emitting;
	int option;

	while ((option = getopt(argc, argv, "kr:n:o:")) != -1) {
		if (option == 'k')
			frames = true;
		else if (option == 'r')
			source = optarg;
		else if (option == 'n')
			exits = strtoull(optarg, NULL, 0);
		else if (option == 'o')
			path = optarg;
		else
			return 2;
	}
	if (frames)
		return !source || !key_frames_measure(source);
	if (source)
		bench.source = open_tape(source);
	if (bench.source)
		print_size(reader_info(bench.source));
	if (!path)
		close(mkstemp(temporary));
	emitting = record(&bench, exits, path ? path : temporary);
	print_time("encode", emitting - generate(&bench, exits), bench.events);
	print_time("pack", bench.packing, bench.events);
	read_back(path ? path : temporary);
	reader_close(bench.source);
	if (!path)
		unlink(temporary);
	return 0;
}
