/*
 * replay/registers.h - the registers of each level at the cursor of a timeline
 *
 * They are those right before the next event of the CPU that has a RIP: the moment that the cursor
 * stands for. The level whose event that is runs; the other one is suspended:
 *
 * - L1 while L2 runs: in the VM entry instruction that it executed last.
 * - L2 while L1 runs: as the current VMCS has it, and with the general registers of its last exit,
 *   which L1 may have changed in its own memory since.
 *
 * Behind the last event of a CPU the level whose turn it is runs on, and nothing is known of it.
 *
 * A tape of profile lean knows few of them: what the events themselves tell, and the VMCS.
 */
#ifndef REPLAY_REGISTERS_H
#define REPLAY_REGISTERS_H

#include "replay/memory_event.h"
#include "replay/timeline.h"
#include "vmx/regs.h"

enum register_name {
#define REGISTER(NAME, name, bits, field) REGISTER_##NAME,
#include "replay/registers.def"
#undef REGISTER
	REGISTER_COUNT
};
_Static_assert((int)REGISTER_R15 == (int)REG_R15, "general registers are numbered as elsewhere");

struct registers {
	bool runs; /* this level runs; false: it is suspended, or nothing is known */
	u64 seen;  /* event before which the general registers were so; MEMORY_NEVER: none */
	/*
	 * Bytes from RSP on that the tape had compared with memory then; all ones: memory is that
	 * of the very moment, all of it.
	 */
	u64 stack;
	u64 walked; /* enum trace_walked: likewise the paging structures */
	struct word reg[REGISTER_COUNT];
};

/* A row of registers.def. */
struct register_info {
	const char *name;
	u8 bits;
	s32 field; /* enum vmcs_index, -1: none */
};

/* The row of registers.def. */
const struct register_info *register_info(enum register_name reg);

/* What is known of @level, 1 or 2, of @cpu at the cursor. All unknown where nothing is. */
void registers_at(struct timeline *timeline, u16 cpu, unsigned level, struct registers *registers);

/*
 * The linear address that RIP or RSP stands for: outside of 64-bit mode the base of CS or SS is
 * added. False where something of that is unknown, then *@missing is the register.
 */
bool register_linear(const struct registers *registers, enum register_name reg, u64 *linear,
		     enum register_name *missing);

/* Whether the register is known to the last bit; then *@value is it. */
static inline bool register_known(const struct registers *registers, enum register_name reg,
				  u64 *value)
{
	const struct word *const word = &registers->reg[reg];
	const u64 mask = register_info(reg)->bits == 64 ? ~0ull : BIT(register_info(reg)->bits) - 1;

	*value = word->value;
	return (word->known & mask) == mask;
}

#endif
