/*
 * hv/deep.h - every store to memory on the tape, for a while: capture=deep
 *
 * In a window of VM entries (option deep=) all of L1's RAM is write-protected in EPT01, and in
 * EPT02. The first store to a page faults: the page as it was goes onto the tape, and may be
 * written to from then on. Before the next event what has changed in such pages is told, and they
 * are protected again; sooner, where they are many, so that no exit takes long for it. So between
 * two events nothing changes that the second does not show, in the pages that were told. Stores of
 * devices, and those of the processor to a virtual-APIC page, do not fault.
 *
 * One processor only. The window ends early when as many pages as the option says were written to,
 * or when hv has no page left.
 */
#ifndef HV_DEEP_H
#define HV_DEEP_H

#include "hv/percpu.h"

/* Take the memory for it where capture=deep asks for it; set-up only. */
void deep_init(struct percpu *cpu);

/* An exit is dealt with: whether the window begins or ends. */
void deep_turn_now(struct percpu *cpu);

static inline void deep_turn(struct percpu *cpu)
{
	if (unlikely(cpu->deep != NULL))
		deep_turn_now(cpu);
}

/* L1 or L2 made a mark: the window may begin with it. */
void deep_mark(struct percpu *cpu, const void *text, u32 length);

/* An event of L1 or L2 comes next: tell what they stored. */
void deep_take(struct percpu *cpu);

/*
 * The same, before L1's VMX state changes: a block that begins on the way starts with that state,
 * and must do so before the event that changes it.
 */
void deep_take_early_now(struct percpu *cpu);

static inline void deep_take_early(struct percpu *cpu)
{
	if (unlikely(cpu->deep != NULL))
		deep_take_early_now(cpu);
}

/*
 * The page at @gpa1 is about to be written to: by the guest that faulted, or by hv for it. False:
 * it is no page that is protected.
 */
bool deep_store(struct percpu *cpu, u64 gpa1);

/* The processor whose memory is followed, NULL: none. */
extern struct percpu *deep_cpu;

/* hv is about to write to [@gpa1, @gpa1 + @size), which is no longer than a page. */
static inline void deep_hv_writes(u64 gpa1, u64 size)
{
	if (likely(!deep_cpu))
		return;
	deep_store(deep_cpu, gpa1);
	deep_store(deep_cpu, gpa1 + size - 1);
}

/* Whether EPT02 may let L2 write to the page at @gpa1. */
bool deep_may_write_now(const struct percpu *cpu, u64 gpa1);

static inline bool deep_may_write(const struct percpu *cpu, u64 gpa1)
{
	return likely(!cpu->deep) || deep_may_write_now(cpu, gpa1);
}

#endif
