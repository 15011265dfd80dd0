/*
 * cli/machine_setup.c - builds what boots, says what it was made of, and builds it again
 */
#include "cli/machine_setup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/boot_image.h"
#include "cli/bzimage.h"
#include "cli/elf_trim.h"
#include "cli/message.h"
#include "cli/program.h"
#include "cli/sha256.h"

#define HV_NAME	  "vmxtape-hv.elf"
#define HV_MEMORY MIB(128) /* what hv, its ring and the firmware take besides L1's files */
#define MAX_TEXT  65536	   /* of a description */

/* --- building --------------------------------------------------------------------------------- */

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

static char *find_hv(const struct machine *machine)
{
	static const char *const places[] = { HV_NAME, "../lib/vmxtape/" HV_NAME };
	const char *const env = getenv("VMXTAPE_HV");
	char self[PATH_MAX], *path;
	ssize_t length;

	if (machine->hv_image)
		return need_file(machine->hv_image, "hypervisor image");
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
		die("'%s' is too much: %d modules are the most", path, BOOT_IMAGE_MAX_MODULES);
	image->modules[image->module_count++] = (struct boot_module){ path, words };
}

/* The last one, as options name it. */
static char *text_of_module(const struct boot_image *image)
{
	const struct boot_module *const module = &image->modules[image->module_count - 1];
	const char *const words = strchr(module->words, ' ');
	char *text;

	if (asprintf(&text, "%s%s%s", module->path, words ? "," : "", words ? words + 1 : "") < 0)
		die("out of memory");
	return text;
}

void machine_check(struct machine *machine)
{
	machine->hv_image = find_hv(machine);
	if (!machine->kernel == !machine->multiboot)
		die("name L1 by either --kernel or --multiboot");
	if (machine->multiboot && machine->initrd)
		die("--initrd goes with --kernel; give --module for a multiboot kernel");
	if (machine->kernel && machine->modules.count)
		die("--module goes with --multiboot; give --initrd for a Linux kernel");
	if (machine->kernel)
		machine->kernel = need_file(machine->kernel, "kernel");
	else
		machine->multiboot = need_file(machine->multiboot, "multiboot kernel");
	if (machine->initrd)
		machine->initrd = need_file(machine->initrd, "initrd");
}

/* hv knows what a module is by the first word of its command line. */
static void name_l1(struct machine *machine, struct boot_image *image, const char *work)
{
	if (machine->kernel) {
		add_module(image, prepare_kernel(machine->kernel, work),
			   text_join("kernel", machine->append));
		if (machine->initrd)
			add_module(image, machine->initrd, text_join("initrd", ""));
		return;
	}
	add_module(image, machine->multiboot, text_join("multiboot", machine->append));
	for (size_t i = 0; i < machine->modules.count; i++) {
		char *const path = strdup(machine->modules.values[i]);
		char *const comma = path ? strchr(path, ',') : NULL;

		if (!path)
			die("out of memory");
		if (comma)
			*comma = 0;
		add_module(image, need_file(path, "module"),
			   text_join("module", comma ? comma + 1 : ""));
		/* Whoever runs it again may be in another folder. */
		machine->modules.values[i] = text_of_module(image);
	}
}

static void check_memory(const struct machine *machine, const struct boot_image *image)
{
	struct stat stat_buffer;
	u64 bytes = HV_MEMORY;

	for (size_t i = 0; i < image->module_count; i++)
		if (!stat(image->modules[i].path, &stat_buffer))
			bytes += (u64)stat_buffer.st_size;
	if (machine->mib > 1 << 20)
		die("--mem counts MiB: %llu is too much", (unsigned long long)machine->mib);
	if (bytes > MIB(machine->mib))
		die("too little memory: --mem %llu, L1 and the hypervisor below it need more than "
		    "%llu",
		    (unsigned long long)machine->mib, (unsigned long long)(bytes >> 20));
}

struct bochs_setup machine_build(struct machine *machine, const char *work)
{
	/* Its texts are in use until the process ends. */
	static struct boot_image image;

	image = (struct boot_image){ 0 };
	machine_check(machine);
	image.hv = machine->hv_image;
	image.options = machine->hv_options;
	name_l1(machine, &image, work);
	check_memory(machine, &image);
	return (struct bochs_setup){
		.image = boot_image_build(&image, work),
		.work = work,
		.cpu_model = machine->cpu_model,
		.cpus = machine->cpus,
		.mib = machine->mib,
		.ips = machine->ips,
	};
}

/* --- describing ------------------------------------------------------------------------------- */

/* Files that a run depends on, though no option names them. */
static const char *const emulator_files[] = { BOCHS_BIOS, BOCHS_VGA_BIOS };

static void put_file(FILE *to, const char *key, const char *path, size_t length)
{
	char hash[SHA256_TEXT], *file;

	if (asprintf(&file, "%.*s", (int)length, path) < 0)
		die("out of memory");
	if (!sha256_file(file, hash))
		die_errno("cannot read '%s'", file);
	fprintf(to, "%s %s %s\n", key, hash, path);
	free(file);
}

/* Debian's is a script, which starts the program beside it. */
static void put_emulator(FILE *to)
{
	char *const bochs = program_find("bochs", "bochs");
	char *program;

	if (asprintf(&program, "%s-bin", bochs) < 0)
		die("out of memory");
	put_file(to, "emulator", bochs, strlen(bochs));
	if (!access(program, R_OK))
		put_file(to, "emulator", program, strlen(program));
	for (size_t i = 0; i < ARRAY_SIZE(emulator_files); i++)
		put_file(to, "emulator", emulator_files[i], strlen(emulator_files[i]));
	free(bochs);
	free(program);
}

char *machine_describe(const struct machine *machine, const struct bochs_setup *setup)
{
	char hash[SHA256_TEXT], *text = NULL;
	size_t size;
	FILE *const to = open_memstream(&text, &size);

	if (!to)
		die("out of memory");
	put_emulator(to);
	fprintf(to, "cpu_model %s\ncpus %llu\nmib %llu\nips %llu\n", machine->cpu_model,
		(unsigned long long)machine->cpus, (unsigned long long)machine->mib,
		(unsigned long long)machine->ips);
	put_file(to, "hv", machine->hv_image, strlen(machine->hv_image));
	fprintf(to, "options %s\nappend %s\n", machine->hv_options, machine->append);
	if (machine->kernel)
		put_file(to, "kernel", machine->kernel, strlen(machine->kernel));
	if (machine->initrd)
		put_file(to, "initrd", machine->initrd, strlen(machine->initrd));
	if (machine->multiboot)
		put_file(to, "multiboot", machine->multiboot, strlen(machine->multiboot));
	for (size_t i = 0; i < machine->modules.count; i++)
		put_file(to, "module", machine->modules.values[i],
			 strcspn(machine->modules.values[i], ","));
	/* It is in a folder of its own each time. */
	if (!sha256_file(setup->image, hash))
		die_errno("cannot read '%s'", setup->image);
	fprintf(to, "image %s\n", hash);
	if (fclose(to))
		die("out of memory");
	return text;
}

/* --- building again --------------------------------------------------------------------------- */

struct rebuild {
	const char *tape;
	char *text; /* in which the values of @machine are */
	struct machine machine;
	char image[SHA256_TEXT]; /* what the image must be */
};

/* "HASH PATH[,ARGS]" becomes the path with its arguments, of a file that is still the same. */
static const char *take_file(const struct rebuild *rebuild, char *value, bool has_arguments)
{
	char *const path = strchr(value, ' ');
	char hash[SHA256_TEXT], *comma;

	if (!path || path - value != SHA256_TEXT - 1)
		die("'%s': its description of the machine is damaged", rebuild->tape);
	*path = 0;
	comma = has_arguments ? strchr(path + 1, ',') : NULL;
	if (comma)
		*comma = 0;
	if (!sha256_file(path + 1, hash))
		die_errno("'%s' was recorded with '%s', which cannot be read", rebuild->tape,
			  path + 1);
	if (strcmp(hash, value))
		die("'%s' was recorded with another '%s': that file has changed since; bring back "
		    "the one with SHA-256 %.12s...",
		    rebuild->tape, path + 1, value);
	if (comma)
		*comma = ',';
	return path + 1;
}

static void add_to(struct option_list *list, const char *value)
{
	const char **const values = realloc(list->values, (list->count + 1) * sizeof(*values));

	if (!values)
		die("out of memory");
	list->values = values;
	list->values[list->count++] = value;
}

static bool take_line(struct rebuild *rebuild, const char *key, char *value)
{
	struct machine *const machine = &rebuild->machine;

	if (!strcmp(key, "emulator"))
		take_file(rebuild, value, false);
	else if (!strcmp(key, "cpu_model"))
		machine->cpu_model = value;
	else if (!strcmp(key, "cpus"))
		return options_number(value, &machine->cpus);
	else if (!strcmp(key, "mib"))
		return options_number(value, &machine->mib);
	else if (!strcmp(key, "ips"))
		return options_number(value, &machine->ips);
	else if (!strcmp(key, "hv"))
		machine->hv_image = take_file(rebuild, value, false);
	else if (!strcmp(key, "options"))
		machine->hv_options = value;
	else if (!strcmp(key, "append"))
		machine->append = value;
	else if (!strcmp(key, "kernel"))
		machine->kernel = take_file(rebuild, value, false);
	else if (!strcmp(key, "initrd"))
		machine->initrd = take_file(rebuild, value, false);
	else if (!strcmp(key, "multiboot"))
		machine->multiboot = take_file(rebuild, value, false);
	else if (!strcmp(key, "module"))
		add_to(&machine->modules, take_file(rebuild, value, true));
	else if (!strcmp(key, "image"))
		snprintf(rebuild->image, sizeof(rebuild->image), "%s", value);
	else
		return false;
	return true;
}

/* Words that go into a configuration line of Bochs must be no more than that. */
static bool is_plain(const char *word)
{
	return *word && strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(word);
}

static void read_description(struct rebuild *rebuild, const char *text, size_t size)
{
	char *const copy = strndup(text, MIN(size, (size_t)MAX_TEXT));
	char *rest = copy, *line;

	if (!copy)
		die("out of memory");
	rebuild->text = copy;
	while ((line = strsep(&rest, "\n"))) {
		char *const value = strchr(line, ' ');

		if (!*line)
			continue;
		if (value)
			*value = 0;
		if (!value || !take_line(rebuild, line, value + 1))
			die("'%s': its description of the machine has '%s', which this vmxtape "
			    "does not understand",
			    rebuild->tape, line);
	}
	if (!is_plain(rebuild->machine.cpu_model) || !rebuild->machine.cpus ||
	    !rebuild->machine.ips || !rebuild->machine.hv_image)
		die("'%s': its description of the machine is damaged", rebuild->tape);
}

/* The values stay in use until the process ends. */
static struct rebuild new_rebuild(const char *tape)
{
	return (struct rebuild){ .tape = tape,
				 .machine = { .append = "", .hv_options = "", .cpu_model = "" } };
}

struct machine machine_read(const char *text, size_t size, const char *tape)
{
	static struct rebuild rebuild;

	rebuild = new_rebuild(tape);
	read_description(&rebuild, text, size);
	return rebuild.machine;
}

struct bochs_setup machine_rebuild(const char *text, size_t size, const char *work,
				   const char *tape)
{
	static struct rebuild rebuild;
	struct bochs_setup setup;
	char hash[SHA256_TEXT];

	rebuild = new_rebuild(tape);
	read_description(&rebuild, text, size);
	setup = machine_build(&rebuild.machine, work);
	if (!sha256_file(setup.image, hash))
		die_errno("cannot read '%s'", setup.image);
	if (strncmp(hash, rebuild.image, SHA256_TEXT - 1))
		die("the image that boots comes out different, though all files in it are the "
		    "same: "
		    "'%s' was recorded with other versions of the tools that make it (grub, "
		    "xorriso)",
		    tape);
	return setup;
}
