/*
 * cli/machine_setup.h - the machine that a recording is of: what boots, on which emulator
 *
 * A tape keeps a description with the hashes of all that is in it, so that the same machine can be
 * run again: lines of a key and a value, docs/trace-format.md, "MACH".
 */
#ifndef CLI_MACHINE_SETUP_H
#define CLI_MACHINE_SETUP_H

#include "cli/bochs.h"
#include "cli/options.h"

struct machine {
	const char *kernel, *initrd, *multiboot; /* L1: files, or NULL */
	struct option_list modules;		 /* of a multiboot kernel, "FILE[,ARGS]" */
	const char *append;			 /* its command line */
	const char *hv_image;			 /* NULL: find it */
	const char *hv_options;
	const char *cpu_model;
	u64 cpus, mib, ips;
};

/*
 * Find hv's image and the files that L1 is of, modules aside: their names in @machine become
 * absolute. Dies when one is missing, or what is named makes no sense. Writes nothing.
 */
void machine_check(struct machine *machine);

/*
 * Build the image that boots in folder @work. Names of files in @machine become absolute. Returns
 * what to start Bochs with. Dies when something is missing or makes no sense.
 */
struct bochs_setup machine_build(struct machine *machine, const char *work);

/* The description of a machine that was built; owned by the caller. Dies on failure. */
char *machine_describe(const struct machine *machine, const struct bochs_setup *setup);

/*
 * The machine of the description @text (@size bytes) of @tape. Dies when a file is not there any
 * longer, or is not what it was, and says which.
 */
struct machine machine_read(const char *text, size_t size, const char *tape);

/*
 * The machine of the description @text (@size bytes), built in @work: the same to the byte. Dies
 * when a file is not there any longer, or is not what it was, and says which; @tape is for that.
 */
struct bochs_setup machine_rebuild(const char *text, size_t size, const char *work,
				   const char *tape);

#endif
