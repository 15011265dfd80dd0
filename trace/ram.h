/*
 * trace/ram.h - words of memory, as ram events carry them
 *
 * A list of runs of 64-bit words at any addresses; a run near the one before costs two or three
 * bytes beside its words. Layout: docs/trace-format.md, "Memory".
 */
#ifndef TRACE_RAM_H
#define TRACE_RAM_H

#include "base/cursor.h"

#define RAM_WORD	 8
#define RAM_END		 BIT(52) /* addresses are below */
#define RAM_RUN_OVERHEAD 10	 /* bytes of a run beside its words, at most */

/* A list that is being written. */
struct ram_writer {
	u8 *to;	     /* the caller's room: RAM_RUN_OVERHEAD + RAM_WORD * count for each run */
	u32 size;    /* bytes written */
	u64 address; /* behind the last run */
};

/* A run that was read. */
struct ram_run {
	u64 address; /* multiple of RAM_WORD */
	u32 size;    /* bytes, multiple of RAM_WORD, not 0 */
	const u8 *bytes;
};

/* Append @count words (at least 1) at @address, a multiple of RAM_WORD, of @words. */
void ram_put(struct ram_writer *writer, u64 address, const void *words, u32 count);

/* A list that is being read: begins with cursor_over() the event's bytes and @address 0. */
struct ram_reader {
	struct cursor in;
	u64 address; /* behind the last run */
};

/*
 * Read the next run. ST_END behind the last; ST_CORRUPT when no list goes on like this, and
 * nothing of the rest can be told.
 */
enum status ram_next(struct ram_reader *reader, struct ram_run *run);

#endif
