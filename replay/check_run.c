#include "replay/check_predicate.h"
#include "replay/check_table.h"

static void (*const predicates[CHECK_COUNT])(struct checking *c) = {
#define SECTION(...)
#define CHECK(ID, ...) [CHECK_##ID] = check_##ID,
#include "vmx/checks.def"
#undef CHECK
#undef SECTION
};

/* --- One row ---------------------------------------------------------------------------------- */

static void begin(struct checking *c, const struct check_input *input, struct check_result *result,
		  u8 *reads)
{
	if (result)
		result->count = 0;
	c->in = input;
	c->result = result;
	c->reads = reads;
	c->applies = TRI_YES;
	c->concerned = TRI_NO;
	c->holds = TRI_YES;
	c->depth = 0;
	c->lacks = 0;
}

static enum check_verdict end(struct checking *c)
{
	enum check_verdict verdict = CHECK_PASS;

	if (c->holds == TRI_NO)
		verdict = CHECK_FAIL;
	else if (c->holds == TRI_MAYBE)
		verdict = CHECK_UNKNOWN;
	else if (c->concerned == TRI_NO)
		verdict = CHECK_NOT_APPLICABLE;
	if (c->result)
		c->result->verdict = (u8)verdict;
	return verdict;
}

/* --- Lists of MSRs ---------------------------------------------------------------------------- */

/* One more than any processor recommends; longer lists are not read to their end. */
#define MAX_ENTRIES 4097

static const struct {
	u8 address, count;
} lists[CHECK_STAGE_COUNT] = {
	[CHECK_STAGE_MSR_LOAD] = { F(VM_ENTRY_MSR_LOAD_ADDRESS), F(VM_ENTRY_MSR_LOAD_COUNT) },
	[CHECK_STAGE_MSR_STORE] = { F(VM_EXIT_MSR_STORE_ADDRESS), F(VM_EXIT_MSR_STORE_COUNT) },
	[CHECK_STAGE_MSR_HOST] = { F(VM_EXIT_MSR_LOAD_ADDRESS), F(VM_EXIT_MSR_LOAD_COUNT) },
};

struct word check_list_size(const struct check_input *input, enum check_stage stage)
{
	struct checking c;

	begin(&c, input, NULL, NULL);
	return get_field(&c, lists[stage].count);
}

static void select_entry(struct checking *c, enum check_id id, u32 number)
{
	c->entry.list = lists[check_stage(id)].address;
	c->entry.number = number;
}

static void judge_entry(struct checking *c, enum check_id id, u32 number)
{
	const struct checking_mark mark = checking_mark(c);

	select_entry(c, id, number);
	predicates[id](c);
	checking_back(c, mark);
}

static void judge_list(struct checking *c, enum check_id id)
{
	const u8 field_of_count = lists[check_stage(id)].count;
	const struct word count = get_field(c, field_of_count);
	const u64 certain = MIN(word_min(count), (u64)MAX_ENTRIES);

	for (u32 number = 1; number <= certain && c->holds != TRI_NO; number++)
		judge_entry(c, id, number);
	if (c->holds != TRI_NO && word_max(count) > certain)
		need(c, TRI_MAYBE, field_of_count, MASK(31, 0), 0);
}

static enum check_verdict judge(const struct check_input *input, enum check_id id,
				struct check_result *result, u8 *reads)
{
	struct checking c;

	begin(&c, input, result, reads);
	if (check_stage(id) >= CHECK_STAGE_MSR_LOAD)
		judge_list(&c, id);
	else
		predicates[id](&c);
	return end(&c);
}

/* --- Few unknown bits ------------------------------------------------------------------------- */

/*
 * A predicate takes each part of its rule for itself, so that it may not see that a bit on which
 * two parts rest makes one of them fail either way. Where few bits are unknown each value that they
 * can have is tried.
 */
#define MAX_TRIED 6

/* An input of which some unknown bits are given values. */
struct guess {
	struct check_input input;
	u64 value[VMCS_FIELD_COUNT];
	u64 known[VMCS_FIELD_COUNT];
	struct {
		u16 what;
		u64 bit;
	} tried[MAX_TRIED];
	unsigned int count;
};

static bool can_be_guessed(u16 what)
{
	return what < VMCS_FIELD_COUNT ||
	       (what >= CHECK_WHAT_STATE && what < CHECK_WHAT_STATE + CHECK_STATE_COUNT);
}

/* Notes the missing bits of fields and of state; false when there are none, or too many. */
static bool take_missing(struct guess *guess, const struct check_result *result)
{
	guess->count = 0;
	for (unsigned int i = 0; i < result->count; i++) {
		const struct check_item *const item = &result->item[i];
		u64 mask = item->mask;

		if (item->role != CHECK_MISSING || !can_be_guessed(item->what))
			continue;
		for (; mask; mask &= mask - 1) {
			if (guess->count == MAX_TRIED)
				return false;
			guess->tried[guess->count].what = item->what;
			guess->tried[guess->count++].bit = mask & -mask;
		}
	}
	return guess->count;
}

/* Bit n of @choice is the value of the bit tried as number n. */
static void make_guess(struct guess *guess, unsigned int choice)
{
	for (unsigned int n = 0; n < guess->count; n++) {
		const u64 bit = guess->tried[n].bit;
		const unsigned int what = guess->tried[n].what;
		const bool field = what < VMCS_FIELD_COUNT;
		struct word *const state = &guess->input.state[field ? 0 : what - CHECK_WHAT_STATE];
		u64 *const value = field ? &guess->value[what] : &state->value;
		u64 *const known = field ? &guess->known[what] : &state->known;

		*known |= bit;
		*value = choice >> n & 1 ? *value | bit : *value & ~bit;
	}
}

/* Judges a row whose verdict is unknown for the reasons in @result. */
static enum check_verdict try_all(const struct check_input *input, enum check_id id,
				  struct check_result *result)
{
	struct check_result first;
	struct guess guess;
	bool fails;

	if (!take_missing(&guess, result))
		return CHECK_UNKNOWN;
	guess.input = *input;
	memcpy(guess.value, input->value, sizeof(guess.value));
	memcpy(guess.known, input->known, sizeof(guess.known));
	guess.input.value = guess.value;
	guess.input.known = guess.known;
	for (unsigned int choice = 0; choice < 1u << guess.count; choice++) {
		enum check_verdict verdict;

		make_guess(&guess, choice);
		verdict = judge(&guess.input, id, choice ? NULL : &first, NULL);
		fails = choice ? fails : verdict == CHECK_FAIL;
		if (verdict == CHECK_UNKNOWN || (verdict == CHECK_FAIL) != fails)
			return CHECK_UNKNOWN;
	}
	*result = first;
	return (enum check_verdict)result->verdict;
}

/* --- What others call ------------------------------------------------------------------------- */

enum check_verdict check_run_traced(const struct check_input *input, enum check_id id,
				    struct check_result *result, u8 reads[CHECK_WHAT_COUNT])
{
	enum check_verdict verdict = judge(input, id, result, reads);
	struct check_result missing;

	if (verdict != CHECK_UNKNOWN)
		return verdict;
	if (!result) {
		result = &missing;
		judge(input, id, result, NULL);
	}
	return try_all(input, id, result);
}

enum check_verdict check_run(const struct check_input *input, enum check_id id,
			     struct check_result *result)
{
	return check_run_traced(input, id, result, NULL);
}

void check_run_all(const struct check_input *input, u8 verdicts[CHECK_COUNT])
{
	for (unsigned int id = 0; id < CHECK_COUNT; id++)
		verdicts[id] = (u8)check_run(input, (enum check_id)id, NULL);
}

enum check_verdict check_run_entry(const struct check_input *input, enum check_id id, u32 number,
				   struct check_result *result)
{
	struct checking c;

	begin(&c, input, result, NULL);
	judge_entry(&c, id, number);
	return end(&c);
}

bool check_list_fails_by_absence(const struct check_input *input, enum check_id id, u32 lacking)
{
	const struct word count = check_list_size(input, check_stage(id));
	bool fails = false;

	for (u32 number = 1; number <= MIN(word_min(count), (u64)MAX_ENTRIES); number++) {
		struct checking c;

		if (check_run_entry(input, id, number, NULL) != CHECK_FAIL)
			continue;
		begin(&c, input, NULL, NULL);
		select_entry(&c, id, number);
		if (list_msr_is_absent(&c, lacking) != TRI_YES)
			return false;
		fails = true;
	}
	return fails;
}

enum tri check_eptp(const struct vmx_caps *caps, const struct cpu_facts *cpu, struct word eptp)
{
	static const u8 rows[] = { CHECK_EPTP_MEMORY_TYPE, CHECK_EPTP_WALK_LENGTH, CHECK_EPTP_AD,
				   CHECK_EPTP_SHADOW_STACK, CHECK_EPTP_RESERVED };
	u64 value[VMCS_FIELD_COUNT] = {
		[F(PRIMARY_PROC_BASED_CONTROLS)] = PRIMARY_SECONDARY_CONTROLS,
		[F(SECONDARY_PROC_BASED_CONTROLS)] = SECONDARY_EPT,
		[F(EPT_POINTER)] = eptp.value,
	};
	u64 known[VMCS_FIELD_COUNT];
	const struct check_input input = {
		.caps = caps, .cpu = cpu, .value = value, .known = known
	};
	enum tri fits = TRI_YES;

	memset(known, 0xff, sizeof(known));
	known[F(EPT_POINTER)] = eptp.known;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const enum check_verdict verdict = check_run(&input, (enum check_id)rows[i], NULL);

		fits = tri_and(fits, verdict == CHECK_FAIL	? TRI_NO
				     : verdict == CHECK_UNKNOWN ? TRI_MAYBE
								: TRI_YES);
	}
	return fits;
}
