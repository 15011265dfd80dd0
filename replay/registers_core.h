/*
 * replay/registers_core.h - the registers in the note of a core file
 */
#ifndef REPLAY_REGISTERS_CORE_H
#define REPLAY_REGISTERS_CORE_H

#include "replay/core_file.h"
#include "replay/registers.h"

/*
 * Enter what the note of @core says of the processor, which ran @level: its general registers, RIP,
 * RFLAGS, CR0, CR3, CR4, EFER and the segments' selectors and rights. Bits that hv keeps from L1's
 * sight stay as they are. @n is the event that the file is of.
 */
void registers_from_core(const struct core_file *core, unsigned level, u64 n,
			 struct registers *registers);

#endif
