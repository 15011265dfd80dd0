/*
 * replay/registers_core.h - the registers as Bochs prints them: in the note of a core file, or live
 */
#ifndef REPLAY_REGISTERS_CORE_H
#define REPLAY_REGISTERS_CORE_H

#include "replay/registers.h"

/*
 * Enter what @text, lines of Bochs's debugger and "NAME=VALUE" of what it keeps otherwise, says of
 * the processor, which runs @level. Bits of CR0 and CR4 that hv keeps from the guests' sight are
 * taken as L1 sees them; where that is not told, and of L2, they stay as they are. @n is the event
 * that the text is of.
 */
void registers_from_text(const char *text, unsigned level, u64 n, struct registers *registers);

/* The bits of a register that registers_from_text() leaves alone: of CR0 and CR4. */
u64 registers_hidden_bits(enum register_name reg);

#endif
