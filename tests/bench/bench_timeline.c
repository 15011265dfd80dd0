/*
 * bench_timeline [-s SEEKS] [-k] [-q FUNCTION] TAPE - what moving through a tape costs
 *
 * Prints wall time and the CPU time of this process beside it, since a machine that is shared makes
 * the first alone worth little. The index is made anew in memory; -k keeps it, as other programs
 *do. Instructions are for callgrind:
 *
 *	valgrind --tool=callgrind --toggle-collect=F bench_timeline -q F -s 100 TAPE
 *
 * with F timeline_seek or index_build; -q does that alone, 100 seeks or one index.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "replay/timeline_parts.h"

struct clock {
	double wall;
	double cpu;
};

struct sample {
	struct clock *list;
	size_t count;
};

static u64 random_state = 1;

static u64 next_random(u64 below)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 20) % below;
}

static double read_clock(clockid_t which)
{
	struct timespec time;

	clock_gettime(which, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static struct clock now(void)
{
	return (struct clock){ read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_PROCESS_CPUTIME_ID) };
}

static struct clock since(struct clock start)
{
	const struct clock end = now();

	return (struct clock){ end.wall - start.wall, end.cpu - start.cpu };
}

static int by_wall(const void *a, const void *b)
{
	const double x = ((const struct clock *)a)->wall, y = ((const struct clock *)b)->wall;

	return (x > y) - (x < y);
}

static int by_cpu(const void *a, const void *b)
{
	const double x = ((const struct clock *)a)->cpu, y = ((const struct clock *)b)->cpu;

	return (x > y) - (x < y);
}

static void print_sample(const char *what, struct clock *list, size_t count)
{
	const size_t p99 = (count * 99 - 1) / 100;
	double median, high;

	qsort(list, count, sizeof(*list), by_wall);
	median = list[count / 2].wall;
	high = list[p99].wall;
	qsort(list, count, sizeof(*list), by_cpu);
	printf("%-34s median %8.3f ms  p99 %8.3f ms   CPU median %8.3f  p99 %8.3f\n", what, median,
	       high, list[count / 2].cpu, list[p99].cpu);
	fflush(stdout);
}

static void print_once(const char *what, struct clock spent)
{
	printf("%-34s %8.2f ms   CPU %8.2f ms\n", what, spent.wall, spent.cpu);
	fflush(stdout);
}

static void fail(const char *what)
{
	fprintf(stderr, "bench_timeline: %s\n", what);
	exit(1);
}

static struct timeline *open_tape(const char *path)
{
	struct timeline *timeline;
	char error[256];

	if (timeline_open(path, &timeline, error, sizeof(error)) != ST_OK)
		fail(error);
	return timeline;
}

static void bench_open(const char *path)
{
	struct clock list[9];

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		const struct clock start = now();
		struct timeline *const timeline = open_tape(path);

		list[i] = since(start);
		timeline_close(timeline);
	}
	print_sample("open", list, ARRAY_SIZE(list));
}

/* The index in memory, loaded as one that was kept. */
static void bench_index(struct timeline *timeline, bool keep)
{
	static const struct index_poll no_poll;
	const struct timeline_index *index;
	struct clock start;
	int fd;

	if (!keep) {
		fd = memfd_create("index", 0);
		start = now();
		if (index_build(timeline->look, fd, timeline->interval, &no_poll) != ST_OK)
			fail("no index");
		print_once("index, the whole tape", since(start));
		printf("%-34s %8.2f MB\n", "index, size", (double)lseek(fd, 0, SEEK_END) / 1e6);
		start = now();
		if (index_load(&timeline->index, timeline->look, fd) != ST_OK)
			fail("the index is not valid");
		print_once("index, loaded and checked", since(start));
		index_unload(&timeline->index);
		close(fd);
	}
	start = now();
	if (timeline_get_index(timeline, &index) != ST_OK || !index)
		fail("no index");
	print_once(keep ? "index, kept" : "index, made or loaded", since(start));
}

static void bench_seeks(struct timeline *timeline, size_t count)
{
	const u64 events = timeline_events(timeline);
	struct clock *const list = calloc(count, sizeof(*list));
	struct timeline_stop stop;

	for (size_t i = 0; i < count; i++) {
		const u64 n = next_random(events);
		const struct clock start = now();

		if (timeline_seek(timeline, n) != ST_OK || !timeline_event(timeline))
			fail("cannot seek");
		list[i] = since(start);
	}
	print_sample("exact seek anywhere", list, count);
	for (size_t i = 0; i < count; i++) {
		const struct clock start = now();

		if (timeline_run(timeline, i % 2 ? TIMELINE_FORWARD : TIMELINE_BACKWARD, 1,
				 &stop) != ST_OK)
			fail("cannot step");
		list[i] = since(start);
	}
	print_sample("step to and fro", list, count);
	for (size_t i = 0; i < count; i++) {
		const struct clock start = now();

		if (timeline_run(timeline, TIMELINE_BACKWARD, 1, &stop) != ST_OK)
			fail("cannot step");
		list[i] = since(start);
	}
	print_sample("reverse step, again and again", list, count);
	free(list);
}

static void bench_writers(struct timeline *timeline)
{
	static const int fields[] = { VMCS_IX_GUEST_RIP, VMCS_IX_HOST_CR3, VMCS_IX_EPT_POINTER,
				      VMCS_IX_GUEST_CR4, VMCS_IX_HOST_RIP, VMCS_IX_TSC_MULTIPLIER };
	struct clock list[60];

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		const u64 n = next_random(timeline_events(timeline));
		const u64 vmcs = 0x10000000 + next_random(64) * 0x1000;
		const struct clock start = now();
		struct history_write write;
		const enum status status = timeline_last_writer(
			timeline, vmcs, fields[i % ARRAY_SIZE(fields)], n, &write);

		list[i] = since(start);
		if (status != ST_OK && status != ST_NOT_FOUND)
			fail("cannot find a writer");
	}
	print_sample("last writer of a field", list, ARRAY_SIZE(list));
}

static void bench_run(struct timeline *timeline, const char *what, struct timeline_break *how)
{
	const int id = timeline_break_add(timeline, how);
	struct timeline_stop stop;
	struct clock start;
	char text[80];

	if (id < 0 || timeline_seek(timeline, timeline_events(timeline)) != ST_OK)
		fail("cannot go to the end");
	start = now();
	if (timeline_run(timeline, TIMELINE_BACKWARD, 0, &stop) != ST_OK)
		fail("cannot run");
	snprintf(text, sizeof(text), "back to %s%s", what, stop.why == STOP_BEGIN ? " (none)" : "");
	print_once(text, since(start));
	timeline_break_remove(timeline, id);
}

static void bench_query(struct timeline *timeline, const char *text)
{
	struct timeline_break how = { .kind = BREAK_QUERY, .cpu = -1 };
	struct query *query;
	char error[256];

	if (query_compile(text, reader_schema(timeline->look), &query, error, sizeof(error)) !=
	    ST_OK)
		fail(error);
	how.query = query;
	bench_run(timeline, text, &how);
	query_free(query);
}

static void print_heap(void)
{
	const struct mallinfo2 info = mallinfo2();

	printf("%-34s %8.2f MiB\n", "heap, without mappings",
	       (double)(info.uordblks + info.hblkhd) / 1048576);
}

/* For callgrind. */
static void do_alone(const char *path, const char *function, size_t seeks)
{
	struct timeline *const timeline = open_tape(path);
	const struct timeline_index *index;
	static const struct index_poll no_poll;

	if (!strcmp(function, "index_build")) {
		if (index_build(timeline->look, memfd_create("index", 0), timeline->interval,
				&no_poll) != ST_OK)
			fail("no index");
	} else {
		if (timeline_get_index(timeline, &index) != ST_OK || !index)
			fail("no index");
		for (size_t i = 0; i < seeks; i++)
			timeline_seek(timeline, next_random(timeline_events(timeline)));
	}
	timeline_close(timeline);
}

int main(int argc, char **argv)
{
	const char *alone = NULL;
	struct timeline_break nowhere = { .kind = BREAK_RIP, .cpu = -1, .address = 0x1234 };
	struct timeline *timeline;
	size_t seeks = 2000;
	bool keep = false;
	int option;

	while ((option = getopt(argc, argv, "s:kq:")) != -1) {
		if (option == 's')
			seeks = strtoull(optarg, NULL, 0);
		else if (option == 'k')
			keep = true;
		else if (option == 'q')
			alone = optarg;
		else
			return 2;
	}
	if (optind + 1 != argc)
		return 2;
	if (alone) {
		do_alone(argv[optind], alone, seeks);
		return 0;
	}
	bench_open(argv[optind]);
	timeline = open_tape(argv[optind]);
	printf("%-34s %8.2f M, %u CPUs, %.1f MB\n", "events",
	       (double)timeline_events(timeline) / 1e6, reader_info(timeline->look)->cpus,
	       (double)reader_info(timeline->look)->bytes / 1e6);
	bench_index(timeline, keep);
	bench_seeks(timeline, seeks);
	bench_writers(timeline);
	bench_query(timeline, "reason & 0x80000000");
	bench_query(timeline, "outcome==fail_valid");
	bench_run(timeline, "an address without events", &nowhere);
	print_heap();
	timeline_close(timeline);
	return 0;
}
