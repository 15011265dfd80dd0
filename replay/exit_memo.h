/*
 * replay/exit_memo.h - the verdicts on what an exit does, kept from one exit to the next
 *
 * Each row of vmx/exit_checks.def says what it looks at: rows that look at nothing that changed
 * since the last exit, and rows that are about other exit reasons, are not judged again. The few
 * rows about entries always are. Capability MSRs must stay the same while a memo is valid.
 */
#ifndef REPLAY_EXIT_MEMO_H
#define REPLAY_EXIT_MEMO_H

#include "replay/exit_check.h"

#define EXIT_MEMO_REASONS 128 /* greater ones: any row may be about them */

_Static_assert(EXIT_CHECK_COUNT <= 64, "sets of rows have 64 bits, bit n for enum exit_check_id n");

/* Sets of rows. One for all memos; constant once made. */
struct exit_plan {
	u64 field[VMCS_FIELD_COUNT];	  /* look at the field, before or after */
	u64 reason;			  /* look at the exit reason */
	u64 always;			  /* look at what each exit brings anew */
	u64 about[EXIT_MEMO_REASONS + 1]; /* may apply, by basic exit reason; the last: any other */
	u64 at[EXIT_CHECK_AT_EXIT + 1];	  /* by enum exit_check_when */
};

/* From the tables; once, for all processors. */
void exit_plan_init(struct exit_plan *plan);

struct exit_memo {
	bool valid; /* false, as in a memo of all zero: everything is judged anew */
	u64 reason;
	u64 fails, unknown;	 /* sets of rows */
	struct vmcs_set changed; /* by the last exit, or since */
};

/* These fields may have changed since the last exit that was judged. */
static inline void exit_memo_changed(struct exit_memo *memo, const struct vmcs_set *changed)
{
	vmcs_set_unite(&memo->changed, changed);
}

/*
 * Judges all rows for this kind of event: CHECK_FAIL if one fails, CHECK_UNKNOWN if none fails and
 * one is unknown. @failed becomes the first that fails. Fields that exit_memo_changed() did not
 * name must be what the exit before left.
 */
enum check_verdict exit_memo_judge(const struct exit_plan *plan, struct exit_memo *memo,
				   const struct exit_situation *situation,
				   enum exit_check_id *failed);

#endif
