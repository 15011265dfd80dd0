/*
 * replay/scrub.h - a tape without the guests' memory, to be shared
 *
 * Every event stays, at its place and with its number; what is removed is what page, ram and regs
 * events hold. So positions, findings and everything that rests on VMX itself stay the same. What
 * events tell of registers and memory because rules need it stays too: the operands of
 * instructions, the registers that an exit reason uses, entries of MSR lists, EPT12 entries.
 *
 * The description of the machine is not copied either: it has the paths of files of whoever
 * recorded. Without it nobody can run the machine again.
 */
#ifndef REPLAY_SCRUB_H
#define REPLAY_SCRUB_H

#include "base/base.h"
#include "base/status.h"

struct scrub_options {
	bool console; /* also the text of L1's console */
	bool code;    /* also the instruction bytes of L1 */
	bool files;   /* also the parts of files that L1 sent, its symbols */
};

struct scrub_result {
	u64 events;	/* that were kept */
	u64 emptied;	/* of them, had something that was removed */
	u64 removed;	/* bytes of memory and text */
	u64 left;	/* runs of 8 removed bytes that stand in what was kept, texts and code */
	u64 bad_blocks; /* not read, so left out */
	u64 unknown_chunks; /* left out, for they could hold anything */
	bool machine;	    /* there was a description of the machine */
};

/*
 * Write the tape @from without that to @to, which is another file and is replaced; then read it
 * again and make sure. On failure @error (of @size bytes) has a line, and no file @to stays: as
 * tape_open() does; ST_IO it cannot be written; ST_CORRUPT the result is not what it must be.
 */
enum status scrub_tape(const char *from, const char *to, const struct scrub_options *options,
		       struct scrub_result *result, char *error, size_t size);

#endif
