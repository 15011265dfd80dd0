/*
 * hv/hv_time.h - how long hv keeps a processor, and for what
 *
 * Counted by level and reason of the exits, from when exit_dispatch() begins until it ends; the
 * assembly around it is not in it. Packing and sending the tape are counted apart. The tape gets
 * the sums, an EV_HV_TIME each, once a block.
 */
#ifndef HV_HV_TIME_H
#define HV_HV_TIME_H

#include "base/base.h"
#include "vmx/tables.h"

struct percpu;

/* Of basic exit reasons the low bits count: all that exist differ in them. */
#define HV_TIME_REASONS 128
_Static_assert(EXIT_REASON_COUNT <= HV_TIME_REASONS, "exit reasons");

struct hv_time_row {
	u64 exits, ticks, longest;
	u64 longest_tsc; /* TSC of the exit that took longest */
};

struct hv_time {
	struct hv_time_row exits[2][HV_TIME_REASONS]; /* of L1 and L2 */
	struct hv_time_row packing;
	u64 apart; /* of the exit that is being handled: packing, sending, what the TSC moved by */
	bool wanted; /* a block was begun since it was told */
};

/* The exit that cpu->exit describes is dealt with; @rows are those of its level. */
void hv_time_exit(struct percpu *cpu, struct hv_time_row *rows);

/* Since @start, a TSC, hv packed or sent the tape. */
void hv_time_packed(struct percpu *cpu, u64 start);

/* hv wrote the TSC or its adjustment for L1, and read @before right before that: no time passed. */
void hv_time_tsc_moved(struct percpu *cpu, u64 before);

/* Tell what was counted since it was told last. */
void hv_time_tell(struct percpu *cpu);

#endif
