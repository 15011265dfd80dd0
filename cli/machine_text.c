/*
 * What a machine was made of, as text on a tape; and the machine of such a text.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/machine_setup.h"
#include "cli/message.h"
#include "cli/program.h"
#include "cli/sha256.h"

#define MAX_TEXT 65536

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

/* --- reading that, and building it again ------------------------------------------------------ */

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
