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

/* Rows that look at @mask of a field; where there is no room they look at all of it. */
static struct check_set *rows_of(struct check_part parts[CHECK_MAX_PARTS], u64 mask)
{
	unsigned int i = 0;

	while (i < CHECK_MAX_PARTS - 1 && parts[i].mask && parts[i].mask != mask)
		i++;
	parts[i].mask |= mask;
	return &parts[i].rows;
}

void check_plan_init(struct check_plan *plan)
{
	*plan = (struct check_plan){ 0 };
	for (unsigned int id = 0; id < CHECK_COUNT; id++) {
		const struct check_read *read = check_rows[id].reads;

		for (; read->what != CHECK_WHAT_NONE; read++) {
			if (read->what < VMCS_FIELD_COUNT)
				add_row(rows_of(plan->field[read->what], read->mask), id);
			else if (read->what >= CHECK_WHAT_STATE && read->what < CHECK_WHAT_CPU)
				add_row(&plan->state[read->what - CHECK_WHAT_STATE], id);
			else if (read->what == CHECK_WHAT_MEMORY)
				add_row(&plan->memory, id);
		}
	}
}

/* Memory may have changed unseen: rows that looked at it are judged each time. */
static void add_rows_on_memory(const struct check_plan *plan, const struct check_memo *memo,
			       struct check_set *set)
{
	for (unsigned int i = 0; i < CHECK_SET_WORDS; i++) {
		for (u64 left = plan->memory.bits[i]; left; left &= left - 1) {
			const unsigned int id = 64 * i + (unsigned int)__builtin_ctzll(left);

			if (memo->verdict[id] != CHECK_NOT_APPLICABLE)
				add_row(set, id);
		}
	}
}

/* Bits of a field whose value or being known differs from the memo. */
static u64 changed_bits(const struct check_memo *memo, const struct check_input *input,
			unsigned int ix)
{
	return ((memo->value[ix] ^ input->value[ix]) & input->known[ix]) |
	       (memo->known[ix] ^ input->known[ix]);
}

#define RUN 8 /* fields looked at together: most have not changed */

static void take_field(const struct check_plan *plan, struct check_memo *memo,
		       const struct check_input *input, unsigned int ix, struct check_set *set)
{
	const u64 changed = changed_bits(memo, input, ix);
	const struct check_part *const parts = plan->field[ix];

	for (unsigned int i = 0; changed && i < CHECK_MAX_PARTS && parts[i].mask; i++)
		if (changed & parts[i].mask)
			add_rows(set, &parts[i].rows);
	memo->value[ix] = input->value[ix];
	memo->known[ix] = input->known[ix];
}

/* The rows that look at what changed; the memo has it afterwards. */
static void take_changes(const struct check_plan *plan, struct check_memo *memo,
			 const struct check_input *input, struct check_set *set)
{
	const bool known_same = !memcmp(memo->known, input->known, sizeof(memo->known));

	for (unsigned int from = 0; from < VMCS_FIELD_COUNT; from += RUN) {
		const unsigned int end = MIN(from + RUN, (unsigned int)VMCS_FIELD_COUNT);
		const size_t size = (end - from) * sizeof(memo->value[0]);

		if (known_same && !memcmp(&memo->value[from], &input->value[from], size))
			continue;
		for (unsigned int ix = from; ix < end; ix++)
			if (!known_same || memo->value[ix] != input->value[ix])
				take_field(plan, memo, input, ix, set);
	}
	for (unsigned int state = 0; state < CHECK_STATE_COUNT; state++)
		if (memo->state[state].value != input->state[state].value ||
		    memo->state[state].known != input->state[state].known)
			add_rows(set, &plan->state[state]);
	memcpy(memo->state, input->state, sizeof(memo->state));
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

	if (memo->valid) {
		take_changes(plan, memo, input, &changed);
		add_rows_on_memory(plan, memo, &changed);
		return judge_rows(memo, input, &changed);
	}
	check_run_all(input, memo->verdict);
	memcpy(memo->value, input->value, sizeof(memo->value));
	memcpy(memo->known, input->known, sizeof(memo->known));
	memcpy(memo->state, input->state, sizeof(memo->state));
	memo->valid = true;
	return CHECK_COUNT;
}
