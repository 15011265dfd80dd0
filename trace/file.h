/*
 * trace/file.h - tapes as files: a header, chunks, and an index at the end
 *
 * Host only. Writing appends whole chunks, so that a file is a tape at every moment. Reading maps
 * the file and goes from chunk header to chunk header; payloads are looked at when they are needed.
 * Layout: docs/trace-format.md, "File".
 */
#ifndef TRACE_FILE_H
#define TRACE_FILE_H

#include "base/fmt.h"
#include "trace/block.h"

#define TAPE_MAGIC	 "\x8fVXT\r\n\x1a\n"
#define TAPE_MAGIC_SIZE	 8
#define TAPE_VERSION	 1
#define TAPE_HEADER	 32
#define TAPE_INDEX_EXTRA 8
#define TAPE_INDEX_ENTRY 48
#define TAPE_INDEX_TAIL	 16
#define TAPE_INDEX_MAGIC "VXTINDEX"

/* Flag of an index: the recording ended by itself, so nothing is missing behind the last block. */
enum { TAPE_COMPLETE = 1 };

/* --- writing ---------------------------------------------------------------------------------- */

struct tape_writer;

/* Replaces the file @path. ST_IO with errno, or ST_NO_MEMORY. */
enum status tape_create(const char *path, struct tape_writer **writer);

/* Append a chunk that was checked: its header and its payload as they came. ST_IO with errno. */
enum status tape_append(struct tape_writer *writer, const struct chunk *chunk, const u8 *header);

/* Bytes written so far. */
u64 tape_written(const struct tape_writer *writer);

/* Write the index. ST_IO with errno. */
enum status tape_finish(struct tape_writer *writer, bool complete);

/*
 * Close the file and free @writer, which may be NULL. ST_IO with errno when it is not all on disk.
 */
enum status tape_close(struct tape_writer *writer);

/* --- reading ---------------------------------------------------------------------------------- */

/* A chunk of an open tape: a block, a schema, or a loss. */
struct tape_chunk {
	u64 offset; /* of the chunk in the file */
	struct chunk chunk;
	struct block block; /* of a BLCK chunk */
	struct loss loss;   /* of a LOSS chunk */
	bool after_damage;  /* bytes before it were no chunk */
};

struct tape {
	const u8 *bytes;
	u64 size;
	unsigned version;
	struct tape_chunk *chunks;
	size_t chunk_count;
	unsigned unknown_chunks;
	const u8 *machine; /* text of the first MACH chunk that checks; NULL when there is none */
	size_t machine_size;
	const u8 *index; /* TAPE_INDEX_ENTRY bytes each; NULL when there is none */
	size_t index_count;
	bool finished;	  /* an index is its last chunk */
	bool complete;	  /* and says so: TAPE_COMPLETE */
	char damage[160]; /* the first damage in words, "" for none */
};

/*
 * Map the tape @path and find its chunks. On failure @error (of @size bytes) has a line for the
 * user: ST_IO, ST_NO_MEMORY, ST_INVALID no tape, ST_NEWER, ST_CORRUPT its header is damaged.
 */
enum status tape_open(const char *path, struct tape *tape, char *error, size_t size);
void tape_unmap(struct tape *tape);

/*
 * The same for @size bytes in memory, which stay the caller's; then tape_free(). @name is for
 * @error.
 */
enum status tape_open_memory(const char *name, const void *bytes, size_t size, struct tape *tape,
			     char *error, size_t error_size);
void tape_free(struct tape *tape);

/* The seq after the last event of @cpu by the index; 0 when it does not tell. */
u64 tape_index_end(const struct tape *tape, u16 cpu);

/* Notes @tape's first damage. Several threads may. */
void tape_damaged(struct tape *tape, const char *format, ...) printf_like(2, 3);

#endif
