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

#define SYMBOLS_MAX_NAME 128 /* bytes of a text of symbols_text(), with its end */

struct symbols;

struct symbol {
	u64 address;
	u64 size; /* 0: not known */
	const char *name;
	const char *module; /* NULL: the kernel or program itself */
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

/* The same, or all 16 digits of @address where it has no name. Returns @to. */
char *symbols_rip(const struct symbols *symbols, unsigned level, u64 address,
		  char to[SYMBOLS_MAX_NAME]);

#endif
