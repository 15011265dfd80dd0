#include "replay/check_memo.h"

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
				check_set_add(rows_of(plan->field[read->what], read->mask), id);
			else if (read->what >= CHECK_WHAT_STATE && read->what < CHECK_WHAT_CPU)
				check_set_add(&plan->state[read->what - CHECK_WHAT_STATE], id);
			else if (read->what == CHECK_WHAT_MEMORY)
				check_set_add(&plan->memory, id);
		}
	}
}

/* The rows that look at bits of a field that differ from the memo, which has them afterwards. */
static void take_field(const struct check_plan *plan, struct check_memo *memo,
		       const struct check_input *input, unsigned int ix, struct check_set *set)
{
	const u64 value = input->value[ix], known = input->known[ix];
	const u64 changed = ((memo->value[ix] ^ value) & known) | (memo->known[ix] ^ known);
	const struct check_part *const parts = plan->field[ix];

	for (unsigned int i = 0; changed && i < CHECK_MAX_PARTS && parts[i].mask; i++)
		if (changed & parts[i].mask)
			check_set_unite(set, &parts[i].rows);
	memo->value[ix] = value;
	memo->known[ix] = known;
}

static void take_changes(const struct check_plan *plan, struct check_memo *memo,
			 const struct check_input *input, struct vmcs_set fields,
			 struct check_set *set)
{
	int ix;

	while ((ix = vmcs_set_take(&fields)) >= 0)
		take_field(plan, memo, input, (unsigned int)ix, set);
	for (unsigned int state = 0; state < CHECK_STATE_COUNT; state++)
		if (memo->state[state].value != input->state[state].value ||
		    memo->state[state].known != input->state[state].known) {
			check_set_unite(set, &plan->state[state]);
			memo->state[state] = input->state[state];
		}
}

/*
 * Whether memory has a say in the verdict: not where the row does not apply, unless it is memory
 * that said so. That is which MSR an entry of a list is about.
 */
static bool looks_at_memory(const struct check_plan *plan, const struct check_input *input,
			    enum check_id id, enum check_verdict verdict)
{
	const enum check_stage stage = check_stage(id);

	return check_set_has(&plan->memory, id) &&
	       (verdict != CHECK_NOT_APPLICABLE ||
		(stage >= CHECK_STAGE_MSR_LOAD && word_max(check_list_size(input, stage))));
}

static void judge_row(const struct check_plan *plan, struct check_memo *memo,
		      const struct check_input *input, enum check_id id)
{
	const enum check_verdict verdict = check_run(input, id, NULL);

	memo->verdict[id] = (u8)verdict;
	check_set_put(&memo->open, id, verdict == CHECK_FAIL || verdict == CHECK_UNKNOWN);
	check_set_put(&memo->looked, id, looks_at_memory(plan, input, id, verdict));
}

unsigned int check_memo_update(const struct check_plan *plan, struct check_memo *memo,
			       const struct check_input *input, const struct vmcs_set *changed)
{
	/* Memory may have changed unseen: rows that looked at it are judged each time. */
	struct check_set rows = memo->looked;
	unsigned int count = 0;
	enum check_id id;

	if (memo->valid) {
		take_changes(plan, memo, input, *changed, &rows);
	} else {
		take_changes(plan, memo, input, vmcs_set_all(), &rows);
		for (id = 0; id < CHECK_COUNT; id++)
			check_set_add(&rows, id);
		memo->valid = true;
	}
	for (; (id = check_set_take(&rows)) != CHECK_COUNT; count++)
		judge_row(plan, memo, input, id);
	return count;
}
