/*
 * replay/symbols.h - names for addresses of L1 and L2
 *
 * A table for each level, filled from files that symbols_load.h reads or with symbols_add(), then
 * sealed. An address belongs to the last symbol at or below it, as far as that symbol's size
 * reaches; one without a size reaches to the next symbol of its module.
 */
#ifndef REPLAY_SYMBOLS_H
#define REPLAY_SYMBOLS_H

#include "base/base.h"
#include "base/status.h"

#define SYMBOLS_MAX_NAME   192	/* bytes of the texts that are made here, with their end */
#define SYMBOLS_MAX_SOURCE 1040 /* bytes of "NAME:LINE" of symbols_source(), with its end */

struct symbols;
struct dwarf_file; /* replay/symbols_dwarf.h */

struct symbol {
	u64 address;
	u64 size; /* 0: not known */
	const char *name;
	const char *module; /* NULL: the kernel or program itself */
};

/* Code of a module, which has no addresses of its own. */
struct symbols_section {
	const char *name;
	u64 address;
};

/* A program or module that symbols came from, so that a debugger can have it too. */
struct symbols_file {
	const char *path; /* absolute */
	u8 level;
	u64 distance; /* of a program, from its own addresses to those where it was */
	const struct symbols_section *sections;
	size_t section_count; /* 0: it is a program */
};

/* NULL when there is no memory. */
struct symbols *symbols_new(void);
void symbols_free(struct symbols *symbols);

/*
 * Add a symbol of @level, 1 or 2. The texts are copied; of two symbols at one address the first
 * one added is shown, but a global one (@global) before a local one. ST_NO_MEMORY.
 */
enum status symbols_add(struct symbols *symbols, unsigned level, const struct symbol *symbol,
			bool global);

/* Lines of @level are in @dwarf, too, which is @symbols' from then on. */
void symbols_add_dwarf(struct symbols *symbols, unsigned level, struct dwarf_file *dwarf);

/* All of @file is copied. ST_NO_MEMORY. */
enum status symbols_add_file(struct symbols *symbols, const struct symbols_file *file);

/* In the order in which they were added; *@files is @symbols'. @symbols may be NULL. */
size_t symbols_files(const struct symbols *symbols, const struct symbols_file **files);

/* Nothing more comes, until the next symbols_add(): look-ups work from here on. */
void symbols_seal(struct symbols *symbols);

/* How many symbols of @level there are. */
size_t symbols_count(const struct symbols *symbols, unsigned level);

/*
 * The symbol that @address of @level is in; NULL when there is none. Belongs to @symbols, which may
 * be NULL: then nothing has a name.
 */
const struct symbol *symbols_find(const struct symbols *symbols, unsigned level, u64 address);

/* The symbol called @name: the one of the lowest address where there are several. NULL: none. */
const struct symbol *symbols_named(const struct symbols *symbols, unsigned level, const char *name);

/*
 * "function+0x12", or "function" at its start, into @to of SYMBOLS_MAX_NAME bytes; a longer name is
 * cut. Returns the length, 0 when @address has no name. @symbols may be NULL.
 */
size_t symbols_text(const struct symbols *symbols, unsigned level, u64 address, char *to);

/*
 * The source line of @address and its file, as the compiler named it; false when none is known. The
 * name is @symbols'. Without any DWARF this costs nothing; with it, the first call opens the file.
 */
bool symbols_source(const struct symbols *symbols, unsigned level, u64 address, const char **name,
		    unsigned *line);

/* Whether any file of @level may tell lines. */
bool symbols_has_lines(const struct symbols *symbols, unsigned level);

/* "vmx/nested.c:1234": the file's name with its folder, into @to; returns the length, 0: none. */
size_t symbols_line(const struct symbols *symbols, unsigned level, u64 address,
		    char to[SYMBOLS_MAX_NAME]);

/*
 * "function+0x12 [vmx/nested.c:1234]", without the line where there is none, or all 16 digits of
 * @address where it has no name. Returns @to.
 */
char *symbols_rip(const struct symbols *symbols, unsigned level, u64 address,
		  char to[SYMBOLS_MAX_NAME]);

#endif
