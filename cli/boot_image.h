/*
 * cli/boot_image.h - the CD that boots hv with an L1
 *
 * A BIOS boot image by GRUB, with hv, its options and the modules. The same files and words give
 * the same bytes, whenever and wherever it is built.
 */
#ifndef CLI_BOOT_IMAGE_H
#define CLI_BOOT_IMAGE_H

#include "base/base.h"

#define BOOT_IMAGE_MAX_MODULES 16
#define BOOT_IMAGE_DATE	       1700000000 /* of the files on it and of the recorded machine's clock */

struct boot_module {
	const char *path;  /* file on the host */
	const char *words; /* its command line: what it is to hv, then arguments */
};

struct boot_image {
	const char *hv;					    /* path of vmxtape-hv.elf */
	const char *options;				    /* hv's command line */
	struct boot_module modules[BOOT_IMAGE_MAX_MODULES]; /* L1 first */
	size_t module_count;
};

/*
 * Build the image in folder @work and return its path, owned by the caller. Dies with the tools'
 * words when it can't be built, with the package to install when a tool is missing.
 */
char *boot_image_build(const struct boot_image *image, const char *work);

/*
 * Write GRUB's words for command line @words into @to (FILE *): split at blanks outside of quotes,
 * every character that means something to GRUB escaped. Dies on an open quote.
 */
void boot_image_write_words(void *to, const char *words);

#endif
