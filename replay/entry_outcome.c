#include "replay/entry_outcome.h"

#include "replay/insn_outcome.h"

struct entry {
	struct legal_walk walk;
	const struct check_input *input;
};

/* A rule that nobody confirms makes nothing certain. */
static enum tri fails(enum check_verdict verdict, enum check_id id)
{
	switch (verdict) {
	case CHECK_FAIL:
		return check_confirmed(id) ? TRI_YES : TRI_MAYBE;
	case CHECK_UNKNOWN:
		return TRI_MAYBE;
	default:
		return TRI_NO;
	}
}

static enum tri row_fails(const struct entry *entry, enum check_id id)
{
	return fails(check_run(entry->input, id, NULL), id);
}

/* The ids of @stage are from *@first to below the returned one. */
static unsigned int stage_range(enum check_stage stage, unsigned int *first)
{
	unsigned int id = 0;

	while (id < CHECK_COUNT && check_stage((enum check_id)id) < stage)
		id++;
	*first = id;
	while (id < CHECK_COUNT && check_stage((enum check_id)id) == stage)
		id++;
	return id;
}

static void basic_checks(struct entry *entry)
{
	unsigned int id, end = stage_range(CHECK_STAGE_BASIC, &id);

	for (; id < end; id++) {
		const u8 error = check_rows[id].detail;
		const struct legal legal = {
			.kind = error ? LEGAL_FAIL_VALID : LEGAL_FAIL_INVALID,
			.number = error,
			.check = (u16)id,
		};

		legal_ends_if(&entry->walk, row_fails(entry, (enum check_id)id), legal);
	}
}

/* All rows of a stage, in any order: each that fails adds @error. */
static enum tri any_fails(struct entry *entry, enum check_stage stage, enum vmx_insn_error error)
{
	unsigned int id, end = stage_range(stage, &id);
	enum tri any = TRI_NO;

	for (; id < end; id++) {
		const enum tri fail = row_fails(entry, (enum check_id)id);
		const struct legal legal = {
			.kind = LEGAL_FAIL_VALID,
			.number = (u16)error,
			.check = (u16)id,
		};

		legal_may_end_if(&entry->walk, fail, legal);
		if (check_rows[id].level == CHECK_MUST)
			any = tri_or(any, fail);
	}
	return any;
}

/* Controls and host state are checked in any order. */
static void control_and_host_checks(struct entry *entry)
{
	const enum tri controls = any_fails(entry, CHECK_STAGE_CONTROL, VMERR_ENTRY_CONTROLS);
	const enum tri host = any_fails(entry, CHECK_STAGE_HOST, VMERR_ENTRY_HOST_STATE);

	entry->walk.reached = tri_and(entry->walk.reached, tri_not(tri_or(controls, host)));
}

static void guest_checks(struct entry *entry)
{
	unsigned int id, end = stage_range(CHECK_STAGE_GUEST, &id);
	enum tri any = TRI_NO;

	for (; id < end; id++) {
		const enum tri fail = row_fails(entry, (enum check_id)id);

		for (u64 q = 0; q < 8; q++) {
			struct legal legal = legal_failure(EXIT_INVALID_GUEST_STATE, q, q);

			legal.check = (u16)id;
			if (check_rows[id].detail & BIT(q))
				legal_may_end_if(&entry->walk, fail, legal);
		}
		if (check_rows[id].level == CHECK_MUST)
			any = tri_or(any, fail);
	}
	entry->walk.reached = tri_and(entry->walk.reached, tri_not(any));
}

static void load_msr(struct entry *entry, u32 number)
{
	unsigned int id, end = stage_range(CHECK_STAGE_MSR_LOAD, &id);

	for (; id < end; id++) {
		const enum check_verdict verdict =
			check_run_entry(entry->input, (enum check_id)id, number, NULL);
		struct legal legal = legal_failure(EXIT_MSR_LOADING, number, number);

		legal.check = (u16)id;
		if (check_rows[id].level == CHECK_MUST)
			legal_ends_if(&entry->walk, fails(verdict, (enum check_id)id), legal);
		else
			legal_may_end_if(&entry->walk, fails(verdict, (enum check_id)id), legal);
	}
}

/* In order, and up to an entry that fails. Where the count is unknown any further one may. */
static void load_msrs(struct entry *entry)
{
	const u32 most = 4097; /* one more than any processor recommends */
	const struct word count = check_list_size(entry->input, CHECK_STAGE_MSR_LOAD);
	const u32 certain = (u32)MIN(word_min(count), (u64)most);

	for (u32 number = 1; number <= certain && entry->walk.reached != TRI_NO; number++)
		load_msr(entry, number);
	if (word_max(count) > certain)
		legal_ends_if(&entry->walk, TRI_MAYBE,
			      legal_failure(EXIT_MSR_LOADING, certain + 1ull, word_max(count)));
}

void entry_outcome(const struct check_input *input, struct legal_set *set)
{
	struct entry entry = {
		.walk = { .set = set, .reached = TRI_YES },
		.input = input,
	};

	*set = (struct legal_set){ 0 };
	insn_prologue(&entry.walk, input->state[CHECK_STATE_MODE]);
	basic_checks(&entry);
	control_and_host_checks(&entry);
	set->machine_check = entry.walk.reached != TRI_NO;
	guest_checks(&entry);
	load_msrs(&entry);
	legal_ends_if(&entry.walk, TRI_YES, legal_succeed());
}
