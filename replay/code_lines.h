/*
 * replay/code_lines.h - the instruction bytes on a tape, and where in a program they come from
 *
 * A tape has the bytes at each RIP where L1 executed a VMX instruction. Looked for in a program's
 * file, they tell where it was loaded: every place with the same bytes proposes a distance between
 * file and memory, and the right distance is the one that most lines propose.
 */
#ifndef REPLAY_CODE_LINES_H
#define REPLAY_CODE_LINES_H

#include "replay/reader.h"

#define CODE_LINES_MAX 512 /* more of a tape are not needed */

struct code_line {
	u64 rip;
	u8 count; /* of bytes */
	u8 bytes[TRACE_MAX_CODE];
};

struct code_lines {
	size_t count;
	struct code_line lines[CODE_LINES_MAX];
};

/*
 * The lines of L1 in the first part of @reader's tape, each RIP once. Moves the reader to the
 * start.
 */
void code_lines_read(struct reader *reader, struct code_lines *lines);

/* Code of a program as its file has it. */
struct code_piece {
	u64 address; /* in the file's own addresses */
	size_t size;
	const u8 *bytes;
	const u8 *
		changed; /* not 0: the loader writes this byte, so it may be anything; NULL: none */
};

/*
 * How far above the addresses of its file the program of @pieces was loaded: *@distance, a multiple
 * of 4096 modulo 2^64. Returns how many lines say so; 0 when none does, or when two distances are
 * proposed by equally many (0 is preferred then, if it is one of them).
 */
unsigned code_lines_place(const struct code_lines *lines, const struct code_piece *pieces,
			  size_t count, u64 *distance);

#endif
