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

#define HV_NAME	  "vmxtape-hv.elf"
#define HV_MEMORY MIB(128) /* what hv, its ring and the firmware take besides L1's files */

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
