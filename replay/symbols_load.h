/*
 * replay/symbols_load.h - symbols from files, and from what L1 sent onto the tape
 */
#ifndef REPLAY_SYMBOLS_LOAD_H
#define REPLAY_SYMBOLS_LOAD_H

#include "replay/code_lines.h"
#include "replay/symbols.h"

/*
 * Load what @spec names and seal @symbols:
 *
 *	l1=vmlinux		an ELF program
 *	l1=kvm-intel.ko		a module of Linux, as built
 *	l1=System.map		lines "ADDRESS TYPE NAME", or a copy of /proc/kallsyms
 *	l2=...			the same for L2
 *	...+0x1a000000		loaded so many bytes above the addresses of the file
 *	...@0xffffffffc0a00000	loaded with its .text there, as /proc/modules says of modules
 *
 * Without + or @ an ELF file of L1 is placed by the code on @reader's tape; when nothing there is
 * like it, a program is taken to be at its own addresses, while a module is refused. @reader moves
 * to its start.
 *
 * On failure @error (of @size bytes) has a line: ST_INVALID, ST_IO, ST_NOT_FOUND (a module without
 * a place), ST_NO_MEMORY.
 */
enum status symbols_load(struct symbols *symbols, const char *spec, struct reader *reader,
			 char *error, size_t size);

/*
 * What a program in L1 sent of /proc/kallsyms, if it did. ST_OK also when there is nothing,
 * ST_INVALID when the addresses were hidden from that program (@error), ST_NO_MEMORY. Seals
 * @symbols.
 */
enum status symbols_load_tape(struct symbols *symbols, struct reader *reader, char *error,
			      size_t size);

/* Where L1's /proc/modules, if it was sent, says that @module is. */
bool symbols_tape_module(struct reader *reader, const char *module, u64 *address);

#endif
