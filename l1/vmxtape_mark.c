/*
 * l1/vmxtape_mark.c - vmxtape-mark: a program for the inside of L1, which puts onto the tape what
 * is known only there
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "l1/hv_call.h"

#define EXIT_NO_HV  1
#define EXIT_FAILED 2

static const char usage[] =
	"usage: vmxtape-mark TEXT\n"
	"       vmxtape-mark --symbols\n"
	"\n"
	"Run inside a Linux that vmxtape records. Leaves TEXT, cut to 32 bytes, as a mark on the\n"
	"tape; --symbols sends the addresses of the kernel's functions and modules (run it as "
	"root,\n"
	"after the hypervisor's modules were loaded), so that the tape's addresses have names.\n"
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

int main(int argc, char **argv)
{
	const bool symbols = argc == 2 && !strcmp(argv[1], "--symbols");

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc != 2 || (argv[1][0] == '-' && !symbols)) {
		fputs(usage, stderr);
		return EXIT_FAILED;
	}
	if (!hv_present()) {
		fprintf(stderr, "vmxtape-mark: no recorder is below this system\n");
		return EXIT_NO_HV;
	}
	if (symbols)
		return send_symbols();
	hv_mark(argv[1]);
	return 0;
}
