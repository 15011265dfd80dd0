#include "replay/entry_outcome.h"

#include "replay/insn_outcome.h"

struct entry {
	struct legal_walk walk;
	const struct check_input *input;
	const u8 *verdicts;
	unsigned int count;
	u16 failing[CHECK_COUNT]; /* rows that fail, or may, in the order of the table */
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

static bool is_open(enum check_verdict verdict)
{
	return verdict == CHECK_FAIL || verdict == CHECK_UNKNOWN;
}

static void find_failing(struct entry *entry, struct check_set open)
{
	enum check_id id;

	entry->count = 0;
	while ((id = check_set_take(&open)) != CHECK_COUNT)
		entry->failing[entry->count++] = (u16)id;
}

/* The next failing row of @stage, of those from number *@n on; *@n is then the one behind it. */
static bool next_failing(const struct entry *entry, enum check_stage stage, unsigned int *n,
			 enum check_id *id)
{
	while (*n < entry->count) {
		*id = (enum check_id)entry->failing[(*n)++];
		if (check_stage(*id) == stage)
			return true;
	}
	return false;
}

static void basic_checks(struct entry *entry)
{
	enum check_id id;
	unsigned int n;

	for (n = 0; next_failing(entry, CHECK_STAGE_BASIC, &n, &id);) {
		const u8 error = check_rows[id].detail;
		const struct legal legal = {
			.kind = error ? LEGAL_FAIL_VALID : LEGAL_FAIL_INVALID,
			.number = error,
			.check = (u16)id,
		};

		legal_ends_if(&entry->walk, fails(entry->verdicts[id], id), legal);
	}
}

/* All rows of a stage, in any order: each that fails adds @error. */
static enum tri any_fails(struct entry *entry, enum check_stage stage, enum vmx_insn_error error)
{
	enum tri any = TRI_NO;
	enum check_id id;
	unsigned int n;

	for (n = 0; next_failing(entry, stage, &n, &id);) {
		const enum tri fail = fails(entry->verdicts[id], id);
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
	enum tri any = TRI_NO;
	enum check_id id;
	unsigned int n;

	for (n = 0; next_failing(entry, CHECK_STAGE_GUEST, &n, &id);) {
		const enum tri fail = fails(entry->verdicts[id], id);

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
	enum check_id id;
	unsigned int n;

	for (n = 0; next_failing(entry, CHECK_STAGE_MSR_LOAD, &n, &id);) {
		const enum check_verdict verdict = check_run_entry(entry->input, id, number, NULL);
		struct legal legal = legal_failure(EXIT_MSR_LOADING, number, number);

		legal.check = (u16)id;
		if (check_rows[id].level == CHECK_MUST)
			legal_ends_if(&entry->walk, fails(verdict, id), legal);
		else
			legal_may_end_if(&entry->walk, fails(verdict, id), legal);
	}
}

/*
 * In order, and up to an entry that fails; rows that hold for the whole list are passed over. Where
 * the count is unknown any further entry may fail.
 */
static void load_msrs(struct entry *entry)
{
	const u32 most = 4097; /* one more than any processor recommends */
	const struct word count = check_list_size(entry->input, CHECK_STAGE_MSR_LOAD);
	const u32 certain = (u32)MIN(word_min(count), (u64)most);
	enum check_id id;
	unsigned int n = 0;

	if (!next_failing(entry, CHECK_STAGE_MSR_LOAD, &n, &id))
		return;
	for (u32 number = 1; number <= certain && entry->walk.reached != TRI_NO; number++)
		load_msr(entry, number);
	if (word_max(count) > certain)
		legal_ends_if(&entry->walk, TRI_MAYBE,
			      legal_failure(EXIT_MSR_LOADING, certain + 1ull, word_max(count)));
}

void entry_outcome_open(const struct check_input *input, const u8 verdicts[CHECK_COUNT],
			const struct check_set *open, struct legal_set *set)
{
	struct entry entry;

	entry.walk = (struct legal_walk){ .set = set, .reached = TRI_YES };
	entry.input = input;
	entry.verdicts = verdicts;
	set->count = 0;
	set->more = set->machine_check = false;
	find_failing(&entry, *open);
	insn_prologue(&entry.walk, input->state[CHECK_STATE_MODE]);
	basic_checks(&entry);
	control_and_host_checks(&entry);
	set->machine_check = entry.walk.reached != TRI_NO;
	guest_checks(&entry);
	load_msrs(&entry);
	legal_ends_if(&entry.walk, TRI_YES, legal_succeed());
}

void entry_outcome_of(const struct check_input *input, const u8 verdicts[CHECK_COUNT],
		      struct legal_set *set)
{
	struct check_set open = { { 0 } };

	for (unsigned int id = 0; id < CHECK_COUNT; id++)
		if (is_open((enum check_verdict)verdicts[id]))
			check_set_add(&open, id);
	entry_outcome_open(input, verdicts, &open, set);
}

void entry_outcome(const struct check_input *input, struct legal_set *set)
{
	u8 verdicts[CHECK_COUNT];

	check_run_all(input, verdicts);
	entry_outcome_of(input, verdicts, set);
}
