#include "replay/exit_memo.h"

/* --- The plan --------------------------------------------------------------------------------- */

static u64 *rows_of(struct exit_plan *plan, u16 what, u64 *others)
{
	const unsigned int field = what % EXIT_WHAT_BEFORE;

	if (what < EXIT_WHAT_CAP && field < VMCS_FIELD_COUNT)
		return &plan->field[field];
	if (what < EXIT_WHAT_REASON || what == EXIT_WHAT_CPU)
		return others;
	return what == EXIT_WHAT_REASON ? &plan->reason : &plan->always;
}

/*
 * The rows that are about @reason: what a row does not skip while nothing is known, it may judge
 * when more is.
 */
static u64 rows_about(u64 reason)
{
	static const struct model_region unknown;
	static const struct vmx_caps no_caps;
	u64 col[TRACE_MAX_COLUMNS] = { [EV_COLUMN(l2_exit, reason)] = reason };
	const struct trace_event exit = { .kind = EV_L2_EXIT, .col = col };
	struct exit_situation situation;
	u64 rows = 0;

	exit_situation_make(&situation, &exit, &no_caps, &unknown);
	for (unsigned int id = 0; id < EXIT_CHECK_COUNT; id++)
		if (exit_check_run(&situation, (enum exit_check_id)id, NULL, NULL) !=
		    CHECK_NOT_APPLICABLE)
			rows |= BIT(id);
	return rows;
}

void exit_plan_init(struct exit_plan *plan)
{
	u64 caps = 0;

	*plan = (struct exit_plan){ 0 };
	for (unsigned int id = 0; id < EXIT_CHECK_COUNT; id++) {
		plan->at[exit_check_rows[id].when] |= BIT(id);
		for (const u16 *what = exit_check_rows[id].reads; *what != EXIT_WHAT_NONE; what++)
			*rows_of(plan, *what, &caps) |= BIT(id);
	}
	plan->about[EXIT_MEMO_REASONS] = plan->at[EXIT_CHECK_AT_EXIT];
	for (unsigned int reason = 0; reason < EXIT_MEMO_REASONS; reason++)
		plan->about[reason] = rows_about(reason);
}

/* --- Judging ---------------------------------------------------------------------------------- */

/* The rows that look at something that changed; the memo has it afterwards. */
static u64 take_changes(const struct exit_plan *plan, struct exit_memo *memo,
			const struct exit_situation *situation)
{
	u64 rows = plan->always;
	int index;

	if (memo->reason != situation->reason)
		rows |= plan->reason;
	if (!memo->valid) {
		memo->fails = memo->unknown = 0;
		rows = ~0ull;
	}
	vmcs_set_unite(&memo->changed, &situation->fields);
	while ((index = vmcs_set_take(&memo->changed)) >= 0)
		rows |= plan->field[index];
	/* Before the next exit these fields are what they are behind this one. */
	memo->changed = situation->fields;
	memo->reason = situation->reason;
	memo->valid = true;
	return rows;
}

static void judge_rows(struct exit_memo *memo, const struct exit_situation *situation, u64 rows)
{
	memo->fails &= ~rows;
	memo->unknown &= ~rows;
	for (; rows; rows &= rows - 1) {
		const unsigned int id = (unsigned int)__builtin_ctzll(rows);
		const enum check_verdict verdict =
			exit_check_run(situation, (enum exit_check_id)id, NULL, NULL);

		memo->fails |= verdict == CHECK_FAIL ? BIT(id) : 0;
		memo->unknown |= verdict == CHECK_UNKNOWN ? BIT(id) : 0;
	}
}

enum check_verdict exit_memo_judge(const struct exit_plan *plan, struct exit_memo *memo,
				   const struct exit_situation *situation,
				   enum exit_check_id *failed)
{
	const u64 reason = situation->reason & EXIT_REASON_BASIC;
	u64 rows = plan->at[situation->when];

	if (situation->when == EXIT_CHECK_AT_EXIT) {
		rows = plan->about[MIN(reason, (u64)EXIT_MEMO_REASONS)];
		judge_rows(memo, situation, rows & take_changes(plan, memo, situation));
	} else {
		judge_rows(memo, situation, rows);
	}
	if (!(memo->fails & rows))
		return memo->unknown & rows ? CHECK_UNKNOWN : CHECK_PASS;
	*failed = (enum exit_check_id)__builtin_ctzll(memo->fails & rows);
	return CHECK_FAIL;
}
