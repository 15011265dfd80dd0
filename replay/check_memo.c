#include "replay/check_memo.h"

static void add_row(struct check_set *set, unsigned int id)
{
	set->bits[id / 64] |= BIT(id % 64);
}

static void add_rows(struct check_set *set, const struct check_set *more)
{
	for (unsigned int i = 0; i < CHECK_SET_WORDS; i++)
		set->bits[i] |= more->bits[i];
}

void check_plan_init(struct check_plan *plan)
{
	*plan = (struct check_plan){ 0 };
	for (unsigned int id = 0; id < CHECK_COUNT; id++) {
		for (const u16 *what = check_rows[id].reads; *what != CHECK_WHAT_NONE; what++) {
			if (*what < VMCS_FIELD_COUNT)
				add_row(&plan->field[*what], id);
			else if (*what >= CHECK_WHAT_STATE && *what < CHECK_WHAT_CPU)
				add_row(&plan->state[*what - CHECK_WHAT_STATE], id);
			else if (*what == CHECK_WHAT_MEMORY)
				add_row(&plan->memory, id);
		}
	}
}

/* Memory may have changed unseen: rows that looked at it are judged each time. */
static void add_rows_on_memory(const struct check_plan *plan, const struct check_memo *memo,
			       struct check_set *set)
{
	for (unsigned int id = 0; id < CHECK_COUNT; id++)
		if (plan->memory.bits[id / 64] & BIT(id % 64) &&
		    memo->verdict[id] != CHECK_NOT_APPLICABLE)
			add_row(set, id);
}

static void find_changes(const struct check_plan *plan, const struct check_memo *memo,
			 const struct check_input *input, struct check_set *set)
{
	for (unsigned int ix = 0; ix < VMCS_FIELD_COUNT; ix++)
		if (((memo->value[ix] ^ input->value[ix]) & input->known[ix]) |
		    (memo->known[ix] ^ input->known[ix]))
			add_rows(set, &plan->field[ix]);
	for (unsigned int state = 0; state < CHECK_STATE_COUNT; state++)
		if (memo->state[state].value != input->state[state].value ||
		    memo->state[state].known != input->state[state].known)
			add_rows(set, &plan->state[state]);
}

static unsigned int judge_rows(struct check_memo *memo, const struct check_input *input,
			       const struct check_set *set)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < CHECK_SET_WORDS; i++) {
		for (u64 left = set->bits[i]; left; left &= left - 1, count++) {
			const unsigned int id = 64 * i + (unsigned int)__builtin_ctzll(left);

			memo->verdict[id] = (u8)check_run(input, (enum check_id)id, NULL);
		}
	}
	return count;
}

unsigned int check_memo_update(const struct check_plan *plan, struct check_memo *memo,
			       const struct check_input *input)
{
	struct check_set changed = { { 0 } };
	unsigned int count = CHECK_COUNT;

	if (memo->valid) {
		find_changes(plan, memo, input, &changed);
		add_rows_on_memory(plan, memo, &changed);
		count = judge_rows(memo, input, &changed);
	} else {
		check_run_all(input, memo->verdict);
	}
	memcpy(memo->value, input->value, sizeof(memo->value));
	memcpy(memo->known, input->known, sizeof(memo->known));
	memcpy(memo->state, input->state, sizeof(memo->state));
	memo->valid = true;
	return count;
}
