/*
 * replay/disasm.h - one instruction as text, in Intel's syntax
 *
 * By capstone, corrected where version 4.0.2 is known to be wrong: RDPID, SENDUIPI, VMXON with a 66
 * prefix, WBNOINVD, and the instructions of SEAM and of enclaves that it takes for others or does
 * not know. Prefixes that make an instruction undefined make it "(bad)".
 */
#ifndef REPLAY_DISASM_H
#define REPLAY_DISASM_H

#include "trace/event.h"

#define DISASM_MAX 224 /* bytes that any text takes */

/* The default operand size of code, which is what it takes to decode it. */
enum disasm_mode { DISASM_16 = 16, DISASM_32 = 32, DISASM_64 = 64 };

/* By column `mode` of an instruction's event. */
enum disasm_mode disasm_mode(u64 mode);

/*
 * Writes the instruction in the @count bytes at @code, which is at @address, to @to (DISASM_MAX
 * bytes). Returns its length in bytes, 0 when there is none: @to is "(bad)" then.
 */
size_t disasm_text(const u8 *code, size_t count, enum disasm_mode mode, u64 address, char *to);

#endif
