/*
 * replay/symbols_parts.h - the formats that symbols_load.c reads
 */
#ifndef REPLAY_SYMBOLS_PARTS_H
#define REPLAY_SYMBOLS_PARTS_H

#include "replay/symbols_load.h"

enum symbols_where {
	SYMBOLS_SEARCH, /* by the code on the tape */
	SYMBOLS_ABOVE,	/* value: bytes above the file's addresses */
	SYMBOLS_TEXT,	/* value: address of .text */
};

struct symbols_source {
	const char *path;
	struct reader *reader; /* may be NULL: nothing to search */
	unsigned level;
	enum symbols_where where;
	u64 value;
	char *error;
	size_t error_size;
};

/* An ELF file, open as @file. */
enum status symbols_load_elf(struct symbols *symbols, const struct symbols_source *source,
			     int file);

/*
 * Lines "ADDRESS TYPE NAME" or "ADDRESS TYPE NAME [MODULE]" of @size bytes at @text; only code is
 * taken, @above is added to the addresses. *@count is how many were taken, *@hidden whether all
 * addresses are 0, as an unprivileged reader sees them. ST_NO_MEMORY.
 */
enum status symbols_load_lines(struct symbols *symbols, unsigned level, const char *text,
			       size_t size, u64 above, size_t *count, bool *hidden);

#endif
