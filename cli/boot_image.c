#include "cli/boot_image.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/program.h"

#define GRUB_FOLDER "/usr/lib/grub/i386-pc"
#define DATE_WORD   "=1700000000"
#define MODIFIED    "2023111422132000" /* BOOT_IMAGE_DATE as xorriso reads it */

void boot_image_write_words(void *to, const char *words)
{
	char quote = 0;
	bool blank = true;

	for (const char *c = words; *c; c++) {
		if (quote ? *c == quote : *c == '"' || *c == '\'') {
			quote = quote ? 0 : *c;
			continue;
		}
		if (!quote && isspace((unsigned char)*c)) {
			blank = true;
			continue;
		}
		if (*c == '\n')
			die("'%s': a command line cannot hold a new line", words);
		if (blank)
			fputc(' ', to);
		blank = false;
		if (!isalnum((unsigned char)*c) && !strchr("_-.,:=/+@%", *c))
			fputc('\\', to);
		fputc(*c, to);
	}
	if (quote)
		die("'%s': a quote is not closed", words);
}

/* The configuration becomes part of GRUB's core: it starts hv without looking for anything. */
static void write_config(const struct boot_image *image, const char *path)
{
	FILE *const file = fopen(path, "we");

	if (!file)
		die_errno("cannot write '%s'", path);
	fprintf(file, "set root=cd\nmultiboot2 /vmxtape-hv.elf drain=debugcon flush=128M");
	boot_image_write_words(file, image->options);
	for (size_t i = 0; i < image->module_count; i++) {
		fprintf(file, "\nmodule2 /m%zu", i);
		boot_image_write_words(file, image->modules[i].words);
	}
	fprintf(file, "\nboot\n");
	if (fclose(file))
		die_errno("cannot write '%s'", path);
}

static void append_file(FILE *to, const char *path)
{
	FILE *const from = fopen(path, "re");
	char part[4096];
	size_t got;

	if (!from)
		die_errno("cannot read '%s'", path);
	while ((got = fread(part, 1, sizeof(part), from)))
		fwrite(part, 1, got, to);
	if (ferror(from))
		die_errno("cannot read '%s'", path);
	fclose(from);
}

static char *join(const char *folder, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		die("out of memory");
	return path;
}

/* GRUB's loader for CDs, which is the CD's boot sector and GRUB's core. Returns its path. */
static char *build_loader(const struct boot_image *image, const char *work)
{
	char *const config = join(work, "grub.cfg"), *const core = join(work, "core.img");
	char *const loader = join(work, "loader.img");
	char *const mkimage = program_find("grub-mkimage", "grub-common");
	FILE *file;

	program_need_file(GRUB_FOLDER "/multiboot2.mod", "grub-pc-bin");
	write_config(image, config);
	program_run((const char *const[]){ mkimage, "-O", "i386-pc", "-d", GRUB_FOLDER, "-p", "/",
					   "-c", config, "-o", core, "biosdisk", "iso9660",
					   "multiboot2", NULL },
		    BOOT_IMAGE_DATE);
	file = fopen(loader, "we");
	if (!file)
		die_errno("cannot write '%s'", loader);
	append_file(file, GRUB_FOLDER "/cdboot.img");
	append_file(file, core);
	if (fclose(file))
		die_errno("cannot write '%s'", loader);
	free(config);
	free(core);
	free(mkimage);
	return loader;
}

/* `/name=path` for xorriso, in which a backslash takes the meaning off = and backslash. */
static char *graft(const char *name, const char *path)
{
	char *const text = malloc(strlen(name) + 2 * strlen(path) + 2), *to = text;

	if (!text)
		die("out of memory");
	to += sprintf(to, "%s=", name);
	for (; *path; path++) {
		if (*path == '=' || *path == '\\')
			*to++ = '\\';
		*to++ = *path;
	}
	*to = 0;
	return text;
}

char *boot_image_build(const struct boot_image *image, const char *work)
{
	static const char *const fixed[] = {
		"-as",
		"mkisofs",
		"-quiet",
		"-r",
		"-V",
		"VMXTAPE",
		("--modification-date=" MODIFIED),
		"--set_all_file_dates",
		"set_to_mtime",
		"-b",
		"loader.img",
		"-c",
		"boot.cat",
		"-no-emul-boot",
		"-boot-load-size",
		"4",
		"-boot-info-table",
		"-graft-points",
	};
	char *const xorriso = program_find("xorriso", "xorriso");
	char *const loader = build_loader(image, work), *const iso = join(work, "boot.iso");
	static const char *const dating[] = { "--", "-alter_date_r", "b", DATE_WORD, "/", "--" };
	const char *argv[ARRAY_SIZE(fixed) + ARRAY_SIZE(dating) + BOOT_IMAGE_MAX_MODULES + 6] = {
		xorriso
	};
	size_t count = 1, first_graft;

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		argv[count++] = fixed[i];
	argv[count++] = "-o";
	argv[count++] = iso;
	first_graft = count;
	argv[count++] = graft("/loader.img", loader);
	argv[count++] = graft("/vmxtape-hv.elf", image->hv);
	for (size_t i = 0; i < image->module_count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "/m%zu", i);
		argv[count++] = graft(name, image->modules[i].path);
	}
	/* mkisofs's options set the dates of all but the folder itself. */
	for (size_t i = 0; i < ARRAY_SIZE(dating); i++)
		argv[count++] = dating[i];
	program_run(argv, BOOT_IMAGE_DATE);
	count -= ARRAY_SIZE(dating);
	while (count > first_graft)
		free((char *)argv[--count]);
	free(loader);
	free(xorriso);
	return iso;
}
