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

/* The same from @verdicts on all rows, made by check_run_all() or kept in a memo. */
void entry_outcome_of(const struct check_input *input, const u8 verdicts[CHECK_COUNT],
		      struct legal_set *set);

#endif
