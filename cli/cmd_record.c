/*
 * cli/cmd_record.c - vmxtape record: names L1, builds what boots, starts the machine
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/boot_image.h"
#include "cli/bzimage.h"
#include "cli/commands.h"
#include "cli/elf_trim.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/record_run.h"
#include "cli/record_tui.h"

#define HV_NAME	  "vmxtape-hv.elf"
#define HV_MEMORY MIB(128) /* what hv, its ring and the firmware take besides L1's files */

static struct {
	bool bochs, console, quiet, tui;
	const char *kernel, *initrd, *append, *multiboot;
	struct option_list modules;
	const char *hv_options, *hv_image, *cpu_model;
	u64 cpus, mib, ips, timeout;
	const char *output, *until, *keep;
} opt = {
	.append = "",
	.hv_options = "",
	.cpu_model = "corei7_skylake_x",
	.cpus = 1,
	.mib = 512,
	.ips = 50000000,
	.output = "vmxtape.vxt",
};

static const struct option options[] = {
	{ .type = OPTION_GROUP, .help = "the machine:" },
	{ "bochs", 0, OPTION_FLAG, NULL, &opt.bochs, "emulated by Bochs (the default)" },
	{ "mem", 0, OPTION_NUMBER, "MIB", &opt.mib, "memory in MiB (512)" },
	{ "cpus", 0, OPTION_NUMBER, "N", &opt.cpus, "processors (1)" },
	{ "cpu-model", 0, OPTION_TEXT, "M", &opt.cpu_model,
	  "one of 'bochs --help cpu' (corei7_skylake_x)" },
	{ "ips", 0, OPTION_NUMBER, "N", &opt.ips,
	  "instructions in a second of the machine (50000000);\n"
	  "4000000 makes small guests start faster" },
	{ .type = OPTION_GROUP, .help = "the guest hypervisor, L1:" },
	{ "kernel", 0, OPTION_TEXT, "FILE", &opt.kernel, "a Linux bzImage or vmlinux" },
	{ "initrd", 0, OPTION_TEXT, "FILE", &opt.initrd, "its initrd" },
	{ "multiboot", 0, OPTION_TEXT, "FILE", &opt.multiboot, "or a multiboot kernel" },
	{ "module", 0, OPTION_LIST, "FILE[,ARGS]", &opt.modules, "and its modules, one each time" },
	{ "append", 0, OPTION_TEXT, "ARGS", &opt.append, "command line of either" },
	{ .type = OPTION_GROUP, .help = "the hypervisor below it:" },
	{ "hv", 0, OPTION_TEXT, "WORDS", &opt.hv_options,
	  "its options, such as \"caps=-load_efer capture=lean\"" },
	{ "image", 0, OPTION_TEXT, "FILE", &opt.hv_image,
	  HV_NAME " (else VMXTAPE_HV, beside vmxtape,\nor in ../lib/vmxtape)" },
	{ .type = OPTION_GROUP, .help = "the recording:" },
	{ "output", 'o', OPTION_TEXT, "T.vxt", &opt.output,
	  "the tape (vmxtape.vxt); an earlier one is kept as\n<name>-1.vxt" },
	{ "until", 0, OPTION_TEXT, "TEXT", &opt.until, "stop when L1's console says TEXT" },
	{ "timeout", 0, OPTION_NUMBER, "S", &opt.timeout, "stop after S seconds" },
	{ "console", 0, OPTION_FLAG, NULL, &opt.console, "L1's console on stdout, live" },
	{ "tui", 0, OPTION_FLAG, NULL, &opt.tui,
	  "look at the tape while it grows; leaving ends the recording" },
	{ "quiet", 'q', OPTION_FLAG, NULL, &opt.quiet, "no progress" },
	{ "keep", 0, OPTION_TEXT, "DIR", &opt.keep,
	  "keep the boot image, the logs and the console there" },
};

static const struct option_spec spec = {
	.usage = "record [OPTION]... [-o T.vxt]",
	.summary = "Runs a guest hypervisor on top of vmxtape's own and records its dialogue with "
		   "the\n"
		   "processor. Ends when L1 switches the machine off, at --until or --timeout, or "
		   "by Ctrl-C;\n"
		   "the tape is whole in each case.",
	.options = options,
	.count = ARRAY_SIZE(options),
};

/* The absolute path of a file that is there and readable. */
static char *need_file(const char *path, const char *what)
{
	struct stat stat_buffer;
	char *const real = realpath(path, NULL);

	if (!real || access(real, R_OK))
		die_errno("cannot read %s '%s'", what, path);
	if (stat(real, &stat_buffer) || !S_ISREG(stat_buffer.st_mode))
		die("%s '%s' is not a file", what, path);
	return real;
}

static char *find_hv(void)
{
	static const char *const places[] = { HV_NAME, "../lib/vmxtape/" HV_NAME };
	const char *const env = getenv("VMXTAPE_HV");
	char self[PATH_MAX], *path;
	ssize_t length;

	if (opt.hv_image)
		return need_file(opt.hv_image, "hypervisor image");
	if (env && *env)
		return need_file(env, "hypervisor image VMXTAPE_HV");
	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length < 0)
		die_errno("cannot tell where vmxtape is; give --image");
	self[length] = 0;
	*strrchr(self, '/') = 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (asprintf(&path, "%s/%s", self, places[i]) < 0)
			die("out of memory");
		if (!access(path, R_OK))
			return path;
		free(path);
	}
	die("no " HV_NAME
	    " in '%s' or ../lib/vmxtape; 'make' builds it, --image names another place",
	    self);
}

static char *text_join(const char *first, const char *second)
{
	char *text;

	if (asprintf(&text, "%s%s%s", first, *second ? " " : "", second) < 0)
		die("out of memory");
	return text;
}

static u8 *map_file(const char *path, size_t *size)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat_buffer;
	void *data;

	if (fd < 0 || fstat(fd, &stat_buffer))
		die_errno("cannot read '%s'", path);
	*size = (size_t)stat_buffer.st_size;
	data = mmap(NULL, MAX(*size, (size_t)1), PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		die_errno("cannot read '%s'", path);
	close(fd);
	return data;
}

/* The kernel to boot: the vmlinux, unpacked here when it can be, with what loading it needs. */
static const char *prepare_kernel(const char *path, const char *work)
{
	size_t file_size, size, trimmed_size;
	u8 *const data = map_file(path, &file_size);
	const enum bzimage_kind kind = bzimage_detect(data, file_size);
	u8 *vmlinux = data, *trimmed;
	enum status status = ST_OK;
	char *to;
	FILE *file;

	size = file_size;
	if (kind == BZIMAGE_NONE)
		die("'%s' is no Linux kernel for x86-64: neither a bzImage nor a vmlinux", path);
	if (kind == BZIMAGE_PACKED)
		status = bzimage_unpack(data, file_size, &vmlinux, &size);
	if (status == ST_UNSUPPORTED)
		return path;
	if (status == ST_OK)
		status = elf_trim(vmlinux, size, &trimmed, &trimmed_size);
	if (status != ST_OK)
		die("kernel '%s': %s", path, status_text(status));
	if (asprintf(&to, "%s/vmlinux", work) < 0)
		die("out of memory");
	file = fopen(to, "we");
	if (!file || fwrite(trimmed, 1, trimmed_size, file) != trimmed_size || fclose(file))
		die_errno("cannot write '%s'", to);
	free(trimmed);
	if (vmlinux != data)
		free(vmlinux);
	munmap(data, file_size);
	return to;
}

static void add_module(struct boot_image *image, const char *path, char *words)
{
	if (image->module_count == BOOT_IMAGE_MAX_MODULES)
		die("more than %d modules", BOOT_IMAGE_MAX_MODULES);
	image->modules[image->module_count++] = (struct boot_module){ path, words };
}

/* hv knows what a module is by the first word of its command line. */
static void name_l1(struct boot_image *image, const char *work)
{
	if (!opt.kernel == !opt.multiboot)
		die("name L1 by either --kernel or --multiboot");
	if (opt.multiboot && opt.initrd)
		die("--initrd goes with --kernel; give --module for a multiboot kernel");
	if (opt.kernel && opt.modules.count)
		die("--module goes with --multiboot; give --initrd for a Linux kernel");
	if (opt.kernel) {
		char *const path = need_file(opt.kernel, "kernel");

		add_module(image, prepare_kernel(path, work), text_join("kernel", opt.append));
		if (opt.initrd)
			add_module(image, need_file(opt.initrd, "initrd"), text_join("initrd", ""));
		return;
	}
	add_module(image, need_file(opt.multiboot, "multiboot kernel"),
		   text_join("multiboot", opt.append));
	for (size_t i = 0; i < opt.modules.count; i++) {
		char *const path = strdup(opt.modules.values[i]);
		char *const comma = strchr(path, ',');

		if (comma)
			*comma = 0;
		add_module(image, need_file(path, "module"),
			   text_join("module", comma ? comma + 1 : ""));
	}
}

static void check_memory(const struct boot_image *image)
{
	struct stat stat_buffer;
	u64 bytes = HV_MEMORY;

	for (size_t i = 0; i < image->module_count; i++)
		if (!stat(image->modules[i].path, &stat_buffer))
			bytes += (u64)stat_buffer.st_size;
	if (opt.mib > 1 << 20)
		die("--mem counts MiB: %llu is too much", (unsigned long long)opt.mib);
	if (bytes > MIB(opt.mib))
		die("too little memory: --mem %llu, L1 and the hypervisor below it need more than "
		    "%llu",
		    (unsigned long long)opt.mib, (unsigned long long)(bytes >> 20));
}

/* Before anything is started, so that a signal cannot leave a Bochs behind. */
static void block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int cmd_record(int argc, char **argv)
{
	struct boot_image image = { 0 };
	struct bochs_setup setup;
	struct record_run run;
	char *work;

	if (options_parse(&spec, argc, argv))
		die("'%s' is too much; 'vmxtape record --help' shows what goes where", argv[1]);
	if (opt.tui) {
		if (opt.console)
			die("--console and --tui both want the terminal; 'C' shows the console "
			    "there");
		output_rotate(opt.output);
		record_tui(opt.output);
		opt.quiet = true;
	}
	work = output_work_folder(opt.keep);
	image.hv = find_hv();
	image.options = opt.hv_options;
	name_l1(&image, work);
	check_memory(&image);
	setup = (struct bochs_setup){
		.image = boot_image_build(&image, work),
		.work = work,
		.cpu_model = opt.cpu_model,
		.cpus = opt.cpus,
		.mib = opt.mib,
		.ips = opt.ips,
		.errors = opt.keep,
	};
	run = (struct record_run){
		.tape = opt.output,
		.work = work,
		.keep = opt.keep,
		.until = opt.until,
		.timeout = opt.timeout,
		.console = opt.console,
		.quiet = opt.quiet,
	};
	if (!opt.tui)
		output_rotate(opt.output);
	block_signals();
	bochs_start(&setup, &run.bochs);
	return record_run(&run);
}
