/*
 * replay/core_file.h - memory and registers of a machine at one moment: an ELF core file
 *
 * Segments have physical addresses. What no segment covers is unknown; what a segment has beyond
 * its bytes in the file is zero. A note of the owner VMXTAPE has lines of text: the moment, then
 * registers by name. So other programs can read the memory too.
 */
#ifndef REPLAY_CORE_FILE_H
#define REPLAY_CORE_FILE_H

#include "base/base.h"
#include "base/status.h"

/* A part of memory that is known. */
struct core_range {
	u64 address;
	u64 size;
	const u8 *bytes;
};

/*
 * Write @count ranges, ascending and apart, and @note to the file @path, replacing it. Pages of
 * zeros take no room. ST_IO with errno; ST_NO_SPACE too many segments; ST_NO_MEMORY.
 */
enum status core_file_write(const char *path, const char *note, const struct core_range *ranges,
			    unsigned count);

struct core_file;

/* ST_IO with errno; ST_INVALID it is no such file; ST_NO_MEMORY. */
enum status core_file_open(const char *path, struct core_file **file);
void core_file_close(struct core_file *file);

/* The text of the note; it is the file's. */
const char *core_file_note(const struct core_file *file);

/* How many bytes from @address on are known, and were copied to @to: at most @size, 0 unknown. */
size_t core_file_read(const struct core_file *file, u64 address, void *to, size_t size);

#endif
