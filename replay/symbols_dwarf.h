/*
 * replay/symbols_dwarf.h - source lines, by the DWARF of an ELF file that gave symbols
 *
 * The file is kept open and its DWARF is read when the first line is asked for. What libdw refuses
 * of it has no lines.
 */
#ifndef REPLAY_SYMBOLS_DWARF_H
#define REPLAY_SYMBOLS_DWARF_H

#include "base/base.h"

/* A code section of the file. */
struct dwarf_section {
	size_t number;
	u64 address; /* where L1 or L2 has it */
	u64 size;
};

#define DWARF_MAX_NAME 1024 /* bytes of a file's name; a longer one is none */

struct dwarf_file;

/*
 * The DWARF of the file that is open as @file, called @path; the @count sections are copied, and
 * @file is not needed any longer. NULL when there is no memory for it.
 */
struct dwarf_file *dwarf_file_new(int file, const char *path, const struct dwarf_section *sections,
				  size_t count);
void dwarf_file_free(struct dwarf_file *dwarf);

/*
 * The source line of @address, and its file as DWARF names it, which lives as long as @dwarf. False
 * when there is none.
 */
bool dwarf_file_line(struct dwarf_file *dwarf, u64 address, const char **name, unsigned *line);

#endif
