/*
 * replay/check_memo.h - the verdicts on a VMCS, kept from one entry to the next
 *
 * Between two entries few fields change, and each row of vmx/checks.def says what it looks at: only
 * rows that look at a change are judged again. Capability MSRs and CPUID must stay the same while a
 * memo is valid.
 */
#ifndef REPLAY_CHECK_MEMO_H
#define REPLAY_CHECK_MEMO_H

#include "replay/check_table.h"
#include "vmx/vmcs12.h"

#define CHECK_MAX_PARTS 6

/* Which rows look at what. One for all memos; constant once made. */
struct check_plan {
	/* By the bits of a field that they look at; a mask of 0: no more. */
	struct check_part {
		u64 mask;
		struct check_set rows;
	} field[VMCS_FIELD_COUNT][CHECK_MAX_PARTS];
	struct check_set state[CHECK_STATE_COUNT];
	struct check_set memory;
};

/* From the tables; once, for all processors. */
void check_plan_init(struct check_plan *plan);

struct check_memo {
	bool valid; /* false, as in a memo of all zero: everything is judged anew */
	u8 verdict[CHECK_COUNT];
	struct check_set open;	 /* rows that fail or are unknown */
	struct check_set looked; /* rows whose verdict rests on memory */
	u64 value[VMCS_FIELD_COUNT];
	u64 known[VMCS_FIELD_COUNT];
	struct word state[CHECK_STATE_COUNT];
};

/*
 * Brings the verdicts up to date with @input, of which only fields of @changed differ from those of
 * the last time, and returns how many rows were judged.
 */
unsigned int check_memo_update(const struct check_plan *plan, struct check_memo *memo,
			       const struct check_input *input, const struct vmcs_set *changed);

#endif
