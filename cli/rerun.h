/*
 * cli/rerun.h - a recorded machine runs again, up to one moment of its tape
 *
 * Bochs repeats itself to the tick, and the TSC counts its ticks. So the machine stops where the
 * event was recorded, and has all memory and registers, which the tape does not.
 */
#ifndef CLI_RERUN_H
#define CLI_RERUN_H

#include "cli/bochs.h"

#define RERUN_MAX_REGISTERS 131072

/* Where to stop. */
struct rerun_goal {
	unsigned cpu;
	u64 tsc; /* of the event: hv read it a little behind the instruction */
	u64 rip; /* of the instruction ... */
	bool has_rip;
	bool is_ahead; /* ... which comes only after that time */
	u64 blocks;    /* that are to be sent, if the machine must go on for it */
};

struct rerun_result {
	u64 tick;      /* before which it stopped, as the processor of the event counts */
	bool in_guest; /* false: hv runs there, since nothing of a guest came just before */
	/*
	 * What Bochs prints of them: of the processor of the event, then, each behind a line
	 * MEMORY_CORE_CPU, of the others. Of one where hv runs, those before the instruction that
	 * led to it, if that was not long before.
	 */
	char registers[RERUN_MAX_REGISTERS];
	const char *memory; /* file with physical memory from 0 on; owned by the caller */
};

/*
 * Run the machine of @setup, whose log and files go to setup->work, up to @goal, for at most
 * @timeout seconds (0: any time). Then it goes on until hv has sent that many blocks, or in what is
 * left of the time; what it sent becomes the tape @sent. Bochs has ended when it returns. Dies when
 * the goal is not reached.
 */
void rerun(const struct bochs_setup *setup, const struct rerun_goal *goal, u64 timeout, bool quiet,
	   const char *sent, struct rerun_result *result);

#endif
