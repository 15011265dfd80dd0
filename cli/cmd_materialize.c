/*
 * cli/cmd_materialize.c - vmxtape materialize: all memory and registers at a moment of a tape
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/machine_setup.h"
#include "cli/message.h"
#include "cli/moment_arg.h"
#include "cli/output.h"
#include "cli/rerun.h"
#include "cli/sent_blocks.h"
#include "cli/tape_arg.h"
#include "replay/memory_core.h"

#define MAX_RANGES 64
#define MAX_NOTE   (RERUN_MAX_REGISTERS + 1024)
#define E820_RAM   1

static struct {
	const char *output, *keep;
	u64 timeout;
	bool quiet;
} opt;

static const struct option options[] = {
	{ "output", 'o', OPTION_TEXT, "FILE", &opt.output, "the core file (T@N.core)" },
	{ "timeout", 0, OPTION_NUMBER, "S", &opt.timeout, "give up after S seconds" },
	{ "quiet", 'q', OPTION_FLAG, NULL, &opt.quiet, "no progress" },
	{ "keep", 0, OPTION_TEXT, "DIR", &opt.keep, "keep the boot image and Bochs's log there" },
};

static const struct option_spec spec = {
	.usage = "materialize [OPTION]... @N [TAPE.vxt]",
	.summary =
		"Runs the machine that a tape was recorded from once more, to the tick of event "
		"@N, and\n"
		"writes all of L1's memory and the processors' registers right before that event "
		"as an ELF\n"
		"core file. Takes as long as the recording did. For tapes of Bochs, while the "
		"files that\n"
		"they were recorded with are unchanged.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

/* The number of blocks that @sent has; dies where they are not those of @tape. */
static unsigned compare_tapes(const char *tape, const char *sent)
{
	struct sent_blocks blocks;

	sent_blocks_compare(tape, sent, &blocks);
	if (blocks.differ)
		die("the machine went another way than when '%s' was recorded: its block at offset "
		    "%llu is different now",
		    tape, (unsigned long long)blocks.offset);
	return blocks.same;
}

static const u8 *map(const char *path, u64 *size)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *bytes;

	if (fd < 0 || fstat(fd, &status) || !status.st_size)
		die("Bochs did not write the memory of the machine to '%s'", path);
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		die_errno("cannot read '%s'", path);
	close(fd);
	*size = (u64)status.st_size;
	return bytes;
}

/* What L1 was told is RAM: the rest is hv's, or of devices. */
static u64 write_core(const char *path, const struct reader *reader, const char *note,
		      const char *memory)
{
	const struct reader_boot *const boot = reader_boot(reader, 0);
	struct core_range ranges[MAX_RANGES];
	unsigned count = 0;
	u64 size, total = 0;
	const u8 *const bytes = map(memory, &size);
	enum status status;

	for (unsigned i = 0; i < boot->memory_count && count < MAX_RANGES; i++) {
		const struct ev_memory *const range = &boot->memory[i];

		if (range->type != E820_RAM || range->base >= size)
			continue;
		ranges[count] = (struct core_range){
			.address = range->base,
			.size = MIN(range->size, size - range->base),
			.bytes = bytes + range->base,
		};
		total += ranges[count++].size;
	}
	status = core_file_write(path, note, ranges, count);
	if (status == ST_IO)
		die_errno("cannot write '%s'", path);
	if (status != ST_OK)
		die("cannot write '%s': %s", path, status_text(status));
	munmap((void *)bytes, size);
	return total;
}

static char *output_path(const char *tape, u64 n)
{
	char path[4096];

	if (!memory_core_path(tape, n, path, sizeof(path)))
		die("the name '%s' is too long: give --output", tape);
	return strdup(opt.output ? opt.output : path);
}

/* Which moment of the machine event @n is. */
static struct rerun_goal goal_of(struct reader *reader, u64 n, char *name, size_t size)
{
	const struct trace_event *event;
	struct rerun_goal goal = { 0 };

	if (reader_seek(reader, n) != ST_OK || reader_next(reader, &event) != ST_OK)
		die("there is no event @%llu; 'vmxtape info' says how many there are",
		    (unsigned long long)n);
	if (event->kind == EV_GAP || !event->tsc)
		die("the tape does not tell when event @%llu was", (unsigned long long)n);
	snprintf(name, size, "@c%u:%llu", event->cpu, (unsigned long long)event->seq);
	goal.cpu = event->cpu;
	goal.tsc = event->tsc;
	goal.rip = event->rip;
	goal.has_rip = event->level && event->rip;
	goal.is_ahead = goal.has_rip && event->kind == EV_L2_ENTRY;
	return goal;
}

static void materialize(struct reader *reader, u64 n)
{
	const char *const tape = reader_info(reader)->path;
	static struct rerun_result result;
	static char note[MAX_NOTE];
	char name[40], head[80], sent_text[60], *sent, *path;
	struct bochs_setup setup;
	struct rerun_goal goal = goal_of(reader, n, name, sizeof(name));
	size_t size;
	const char *const text = reader_machine(reader, &size);
	const char *work;
	unsigned blocks;
	u64 total;

	if (!text)
		die("'%s' does not say which machine it was recorded from: only tapes of Bochs do",
		    tape);
	work = output_work_folder(opt.keep);
	setup = machine_rebuild(text, size, work, tape);
	setup.waits = true;
	if (asprintf(&sent, "%s/sent.vxt", work) < 0)
		die("out of memory");
	goal.blocks = sent_blocks_until(tape, goal.tsc);
	rerun(&setup, &goal, opt.timeout, opt.quiet, sent, &result);
	blocks = compare_tapes(tape, sent);
	path = output_path(tape, n);
	memory_core_head(reader, n, head, sizeof(head));
	snprintf(note, sizeof(note), "%sevent %s\ntick %llu\n%s", head, name,
		 (unsigned long long)result.tick, result.registers);
	total = write_core(path, reader, note, result.memory);
	snprintf(sent_text, sizeof(sent_text), blocks < goal.blocks ? "only %u of %llu" : "%u",
		 blocks, (unsigned long long)goal.blocks);
	message("'%s': %llu MiB of memory%s right before event %s, at tick %llu; %s blocks of the "
		"tape were sent again, and are the same",
		path, (unsigned long long)(total >> 20), result.in_guest ? " and registers" : "",
		name, (unsigned long long)result.tick, sent_text);
	if (!result.in_guest)
		message("the hypervisor runs there: no instruction of a guest comes just before");
	free(path);
	free(sent);
}

int cmd_materialize(int argc, char **argv)
{
	const int count = options_parse(&spec, argc, argv);
	struct moment_args args;
	struct reader *reader;

	moment_args_sort(count, argv + 1, 1, &args);
	moment_args_need_place(&args);
	reader = moment_open_tape(args.words[0]);
	materialize(reader, moment_position(reader, args.place));
	return tape_arg_close(reader, EXIT_CLEAN);
}
