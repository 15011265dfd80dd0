/*
 * replay/registers_core.h - the registers as Bochs prints them: in the note of a core file, or live
 */
#ifndef REPLAY_REGISTERS_CORE_H
#define REPLAY_REGISTERS_CORE_H

#include "replay/registers.h"

/*
 * Enter what @text, lines of Bochs's debugger among others, says of the processor: its
 * general registers, RIP, RFLAGS, CR0, CR3, CR4, EFER, DR7, the segments' selectors,
 * rights and limits, and their bases but for 64-bit ones, which Bochs does not print. Bits that hv
 * keeps from the guests' sight stay as they are. @n is the event that the text is of.
 */
void registers_from_text(const char *text, u64 n, struct registers *registers);

/* The bits of a register that registers_from_text() leaves alone: of CR0 and CR4. */
u64 registers_hidden_bits(enum register_name reg);

#endif
