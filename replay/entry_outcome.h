/*
 * replay/entry_outcome.h - what VMLAUNCH and VMRESUME may end with
 *
 * SDM: "VM Entries". Success means that L2 runs; what happens to it then is another matter.
 */
#ifndef REPLAY_ENTRY_OUTCOME_H
#define REPLAY_ENTRY_OUTCOME_H

#include "replay/check_table.h"
#include "replay/legal.h"

/* Whether the instruction is VMRESUME is in @input's CHECK_STATE_LAUNCH. */
void entry_outcome(const struct check_input *input, struct legal_set *set);

/* The same from @verdicts on all rows, made by check_run_all(). */
void entry_outcome_of(const struct check_input *input, const u8 verdicts[CHECK_COUNT],
		      struct legal_set *set);

/* The same where it is known which rows fail or are unknown, as a memo knows it. */
void entry_outcome_open(const struct check_input *input, const u8 verdicts[CHECK_COUNT],
			const struct check_set *open, struct legal_set *set);

#endif
