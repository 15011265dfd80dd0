/*
 * l1/vmxtape_mark.c - vmxtape-mark: a program for the inside of L1, which puts onto the tape what
 * is known only there
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "l1/hv_call.h"

#define EXIT_NO_HV  1
#define EXIT_FAILED 2

static const char usage[] =
	"usage: vmxtape-mark TEXT\n"
	"       vmxtape-mark --symbols\n"
	"       vmxtape-mark --tape FILE\n"
	"\n"
	"Run inside a Linux that vmxtape records. Leaves TEXT, cut to 32 bytes, as a mark on the\n"
	"tape; --symbols sends the addresses of the kernel's functions and modules (run it as "
	"root,\n"
	"after the hypervisor's modules were loaded), so that the tape's addresses have names.\n"
	"--tape takes the tape out of the recorder, with drain=l1, and adds it to FILE until it "
	"is\n"
	"stopped by a signal; 'vmxtape record --from FILE' makes a tape of it.\n"
	"\n"
	"exit status: 0 done, 1 no recorder is below, 2 anything else\n";

/* "ffffffff81000000 T name": of kinds other than code nothing is needed. */
static bool is_code(const char *line)
{
	const char *const type = strchr(line, ' ');

	return type && strchr("tTwWi", type[1]) && type[1];
}

static bool is_hidden(const char *line)
{
	return !strncmp(line, "0000000000000000 ", 17);
}

static bool seen_hidden;

static bool is_wanted(const char *line)
{
	seen_hidden |= is_hidden(line);
	return is_code(line) && !is_hidden(line);
}

static int send_symbols(void)
{
	static const struct {
		enum trace_file what;
		const char *path;
		bool (*wanted)(const char *line);
	} files[] = {
		{ FILE_MODULES, "/proc/modules", NULL },
		{ FILE_KALLSYMS, "/proc/kallsyms", is_wanted },
	};
	struct hv_sent sent;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (hv_send_lines(files[i].what, files[i].path, files[i].wanted, &sent)) {
			fprintf(stderr, "vmxtape-mark: cannot send '%s': %s\n", files[i].path,
				strerror(errno));
			return EXIT_FAILED;
		}
		printf("vmxtape-mark: '%s': %zu lines, %zu bytes\n", files[i].path, sent.lines,
		       sent.bytes);
	}
	if (!sent.lines && seen_hidden) {
		fprintf(stderr, "vmxtape-mark: the kernel hides its addresses: run this as root\n");
		return EXIT_FAILED;
	}
	return 0;
}

/* --- the tape --------------------------------------------------------------------------------- */

#define WAIT_NS 50000000

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

/* Add all that waits to @fd. -1 after a message; else how many frames there were. */
static int take_frames(int fd, bool all)
{
	static char page[4096] __attribute__((aligned(4096)));
	int frames = 0, size;

	for (;; frames++, all = false) {
		size = hv_take_frame(page, all);
		if (!size)
			return frames;
		if (size < 0)
			fprintf(stderr, "vmxtape-mark: the recorder does not give its tape away: "
					"start it with drain=l1\n");
		else if (write(fd, page, (size_t)size) == size)
			continue;
		else
			perror("vmxtape-mark: cannot write the tape");
		return -1;
	}
}

/* What each processor's recorder still has in work. */
static int take_rest(int fd)
{
	cpu_set_t all;

	if (sched_getaffinity(0, sizeof(all), &all))
		return take_frames(fd, true);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t one;

		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (CPU_ISSET(cpu, &all) && !sched_setaffinity(0, sizeof(one), &one) &&
		    take_frames(fd, true) < 0)
			return -1;
	}
	return 0;
}

static int take_tape(const char *path)
{
	const struct timespec wait = { .tv_nsec = WAIT_NS };
	const struct sigaction action = { .sa_handler = on_signal };
	const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int frames = 0;

	if (fd < 0) {
		fprintf(stderr, "vmxtape-mark: cannot write '%s': %s\n", path, strerror(errno));
		return EXIT_FAILED;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	while (!stopped && (frames = take_frames(fd, false)) >= 0) {
		/* The machine may die at any moment. */
		if (frames)
			fdatasync(fd);
		nanosleep(&wait, NULL);
	}
	if (frames >= 0)
		frames = take_rest(fd);
	if (close(fd) || frames < 0)
		return EXIT_FAILED;
	return 0;
}

int main(int argc, char **argv)
{
	const bool symbols = argc == 2 && !strcmp(argv[1], "--symbols");
	const bool tape = argc == 3 && !strcmp(argv[1], "--tape");

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return 0;
	}
	if (!tape && (argc != 2 || (argv[1][0] == '-' && !symbols))) {
		fputs(usage, stderr);
		return EXIT_FAILED;
	}
	if (!hv_present()) {
		fprintf(stderr, "vmxtape-mark: no recorder is below this system\n");
		return EXIT_NO_HV;
	}
	if (tape)
		return take_tape(argv[2]);
	if (symbols)
		return send_symbols();
	hv_mark(argv[1]);
	return 0;
}
