/*
 * cli/cmd_scrub.c - vmxtape scrub: a tape without the guests' memory, to be shared
 */
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/tape_arg.h"
#include "replay/scrub.h"

static struct {
	const char *output;
	struct scrub_options scrub;
} opt;

static const struct option options[] = {
	{ "output", 'o', OPTION_TEXT, "TAPE.vxt", &opt.output, "where to" },
	{ "console", 0, OPTION_FLAG, NULL, &opt.scrub.console, "also remove L1's console text" },
	{ "code", 0, OPTION_FLAG, NULL, &opt.scrub.code,
	  "also remove the instruction bytes of L1" },
	{ "files", 0, OPTION_FLAG, NULL, &opt.scrub.files, "also remove what L1 sent for symbols" },
};

static const struct option_spec spec = {
	.usage = "scrub [OPTION]... -o OTHER.vxt [TAPE.vxt]",
	.summary =
		"Copies a tape without the memory and the registers of the guests, so that it can "
		"be\n"
		"shared. Events, positions and findings stay the same.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

static bool same_file(const char *a, const char *b)
{
	struct stat first, second;

	return !stat(a, &first) && !stat(b, &second) && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

static void say(const char *path, const struct scrub_result *result)
{
	message("'%s': %llu events, %llu of them emptied, %llu bytes removed", path,
		(unsigned long long)result->events, (unsigned long long)result->emptied,
		(unsigned long long)result->removed);
	if (result->left)
		message("%llu runs of 8 removed bytes also stand in texts or code that were kept: "
			"see --console, --code and --files",
			(unsigned long long)result->left);
	if (result->machine)
		message("the description of the machine was left out, for it has paths of yours: "
			"materialize and gdb --rerun need the tape as it was");
	if (result->unknown_chunks)
		message("%llu chunks of an unknown type were left out",
			(unsigned long long)result->unknown_chunks);
	if (result->bad_blocks)
		message("%llu damaged blocks were left out",
			(unsigned long long)result->bad_blocks);
}

int cmd_scrub(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	const char *const from = count ? argv[1] : TAPE_DEFAULT;
	struct scrub_result result;
	enum status status;
	char error[512];

	if (count > 1)
		die("'%s' is too much: one tape at a time", argv[2]);
	if (!opt.output)
		die("where to? name the new tape with -o");
	if (same_file(from, opt.output))
		die("'%s' is the tape itself: name another file with -o", opt.output);
	status = scrub_tape(from, opt.output, &opt.scrub, &result, error, sizeof(error));
	if (status != ST_OK) {
		message("%s", error);
		return status == ST_CORRUPT || status == ST_TRUNCATED ? EXIT_DAMAGED : EXIT_USAGE;
	}
	say(opt.output, &result);
	return result.bad_blocks ? EXIT_DAMAGED : EXIT_CLEAN;
}
