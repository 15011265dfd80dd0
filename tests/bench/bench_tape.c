/*
 * bench_tape [EXITS [TAPE]] - what recording and reading cost, over a simulated KVM (kvm_stream.h)
 *
 * Records EXITS exits of L2 (default 80,000, two million events) into TAPE (default: a temporary
 * file), reads them back, and prints figures. Instructions per event are for callgrind:
 *
 *	valgrind --tool=callgrind --toggle-collect=trace_encode_event bench_tape 20000
 *	valgrind --tool=callgrind --toggle-collect=rec_pack_slice bench_tape 20000
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "recorder/capture.h"
#include "recorder/emit.h"
#include "replay/reader.h"
#include "tests/bench/kvm_stream.h"
#include "trace/drain.h"
#include "vmx/tables.h"

struct bench {
	struct kvm_stream stream;
	struct rec *rec;
	struct ring *ring;
	struct capture *capture;
	u32 sequence;
	u64 events;
	double packing; /* seconds */
};

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

static void key_frames(void *owner, struct rec *rec, u64 block)
{
	struct bench *const bench = owner;

	(void)rec;
	(void)block;
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
			exit(1);
	}
}

static void pack(struct bench *bench)
{
	const double start = now();

	while (rec_pack_slice(bench->rec))
		;
	bench->packing += now() - start;
}

static double record(struct bench *bench, u64 exits, const char *path)
{
	static const struct rec_ops ops = { .read_code = read_code, .key_frames = key_frames };
	const size_t ring_size = MIB(4);
	char error[256];
	double encoding = 0;

	kvm_stream_start(&bench->stream, 1);
	bench->ring = ring_init(aligned_alloc(4096, ring_size), ring_size);
	bench->rec = rec_init(aligned_alloc(64, ALIGN_UP(rec_size(), 64)), bench->ring, 0, &ops,
			      bench, true);
	if (capture_open(path, NULL, NULL, &bench->capture, error, sizeof(error)) != ST_OK) {
		fprintf(stderr, "bench_tape: %s\n", error);
		exit(1);
	}
	rec_head(bench->rec, no_boot_record);
	while (bench->stream.exits < exits) {
		const double start = now();

		for (unsigned i = 0; i < 1000; i++)
			kvm_stream_exit(&bench->stream, emit, bench);
		encoding += now() - start;
		pack(bench);
		drain(bench, 0);
	}
	rec_seal(bench->rec);
	pack(bench);
	rec_flush(bench->rec);
	drain(bench, DRAIN_LAST);
	if (capture_close(bench->capture) != ST_OK)
		exit(1);
	return encoding;
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

/* What making the stream costs, to be taken off the time of recording it. */
static double generate(u64 exits)
{
	static struct kvm_stream stream;
	const double start = now();
	u64 sum = 0;

	kvm_stream_start(&stream, 1);
	while (stream.exits < exits)
		kvm_stream_exit(&stream, ignore, &sum);
	return now() - start;
}

static int read_back(const char *path)
{
	struct reader *reader;
	const struct trace_event *event;
	char error[256];
	u64 events = 0, found = 0;
	double start = now(), took;

	if (reader_open(path, &reader, error, sizeof(error)) != ST_OK) {
		fprintf(stderr, "bench_tape: %s\n", error);
		return 1;
	}
	printf("%-28s %8.3f ms\n", "open", (now() - start) * 1e3);
	start = now();
	for (; reader_next(reader, &event) == ST_OK; events++)
		if (event->kind == EV_VMREAD &&
		    event->col[EV_COLUMN(vmread, field)] == VMCS_GUEST_RIP &&
		    event->col[EV_COLUMN(vmread, value)] > ~0ull >> 1)
			found++;
	took = now() - start;
	print_time("parse + filter", took, events);

	const struct reader_info *const info = reader_info(reader);

	printf("%-28s %8llu of %llu, filter found %llu\n", "counted events",
	       (unsigned long long)info->counted, (unsigned long long)info->events,
	       (unsigned long long)found);
	printf("%-28s %8.3f (%llu bytes, %u blocks, %u packed)\n", "bytes per event",
	       (double)info->bytes / (double)info->counted, (unsigned long long)info->bytes,
	       info->blocks, info->packed);
	if (reader_damage(reader) || info->lost) {
		fprintf(stderr, "bench_tape: damage: %s\n", reader_damage(reader));
		return 1;
	}
	reader_close(reader);
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	char temporary[] = "/tmp/vmxtape-bench-XXXXXX";
	const u64 exits = argc > 1 ? strtoull(argv[1], NULL, 0) : 80000;
	const char *const path = argc > 2 ? argv[2] : temporary;
	double encoding;
	int result;

	if (argc < 3)
		close(mkstemp(temporary));
	encoding = record(&bench, exits, path) - generate(exits);
	print_time("encode", encoding, bench.events);
	print_time("pack", bench.packing, bench.events);
	result = read_back(path);
	if (argc < 3)
		unlink(temporary);
	return result;
}
