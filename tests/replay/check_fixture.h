/*
 * tests/replay/check_fixture.h - tables of cases for the checks of VM entry
 *
 * A case is one or a few changes to a VMCS and a processor with which everything passes. Beside the
 * verdict of each case, run_cases() proves of all of them what must hold for any predicate: it
 * looks only at what its row declares, forgetting bits never turns one verdict into another, and
 * what it says would satisfy the rule does.
 */
#ifndef TESTS_REPLAY_CHECK_FIXTURE_H
#define TESTS_REPLAY_CHECK_FIXTURE_H

#include "tests/replay/machine_change.h"

struct check_case {
	const char *name;
	u16 id;	     /* enum check_id */
	u8 expected; /* enum check_verdict */
	struct change changes[MAX_CHANGES];
};

#define PASSES(ID, name, ...)                 \
	{                                     \
		name, CHECK_##ID, CHECK_PASS, \
		{                             \
			__VA_ARGS__           \
		}                             \
	}
#define FAILS(ID, name, ...)                  \
	{                                     \
		name, CHECK_##ID, CHECK_FAIL, \
		{                             \
			__VA_ARGS__           \
		}                             \
	}
#define UNKNOWN(ID, name, ...)                   \
	{                                        \
		name, CHECK_##ID, CHECK_UNKNOWN, \
		{                                \
			__VA_ARGS__              \
		}                                \
	}
#define SKIPS(ID, name, ...)                            \
	{                                               \
		name, CHECK_##ID, CHECK_NOT_APPLICABLE, \
		{                                       \
			__VA_ARGS__                     \
		}                                       \
	}

/* A canonical address, those next to it that are not, and what a wider processor makes of them. */
#define CANONICAL(ID, FIELD, ...)                                                                 \
	PASSES(ID, #FIELD " is the highest of the lower half", SET(FIELD, MASK(46, 12)),          \
	       __VA_ARGS__),                                                                      \
		FAILS(ID, #FIELD " is above the lower half", SET(FIELD, BIT(47)), __VA_ARGS__),   \
		FAILS(ID, #FIELD " is below the upper half", SET(FIELD, ~BIT(47) & MASK(63, 12)), \
		      __VA_ARGS__),                                                               \
		PASSES(ID, #FIELD " is the lowest of the upper half", SET(FIELD, MASK(63, 47)),   \
		       __VA_ARGS__),                                                              \
		PASSES(ID, #FIELD " has 57 bits on such a processor", SET(FIELD, BIT(55)),        \
		       LINEAR_WIDTH(57), __VA_ARGS__),                                            \
		FAILS(ID, #FIELD " is above the lower half of 57 bits", SET(FIELD, BIT(56)),      \
		      LINEAR_WIDTH(57), __VA_ARGS__),                                             \
		UNKNOWN(ID, #FIELD " has 57 bits, width not known", SET(FIELD, BIT(55)),          \
			LINEAR_WIDTH(0), __VA_ARGS__),                                            \
		FAILS(ID, #FIELD " has more, width not known", SET(FIELD, BIT(60)),               \
		      LINEAR_WIDTH(0), __VA_ARGS__),                                              \
		UNKNOWN(ID, #FIELD " is not known", FORGET(FIELD, BIT(47)), __VA_ARGS__)

#define NO_MORE OFF(PIN_BASED_CONTROLS, 0)

static void machine_of(struct machine *m, const struct check_case *row)
{
	machine_init(m);
	for (size_t i = 0; i < MAX_CHANGES && row->changes[i].op; i++)
		machine_change(m, &row->changes[i]);
}

/* --- What is proven of every case ------------------------------------------------------------- */

static const char *row_name(const struct check_case *row)
{
	static char name[160];

	snprintf(name, sizeof(name), "%s: %s", check_rows[row->id].id, row->name);
	return name;
}

static bool is_pass(enum check_verdict verdict)
{
	return verdict == CHECK_PASS || verdict == CHECK_NOT_APPLICABLE;
}

static void gives_its_verdict(const struct check_case *row)
{
	struct check_result result;
	struct machine m;

	machine_of(&m, row);
	assert_row(row_name(row), check_run(&m.input, row->id, &result), row->expected);
	assert_row(row_name(row), result.verdict, row->expected);
	assert_row(row_name(row), check_run(&m.input, row->id, NULL), row->expected);
	if (row->expected == CHECK_FAIL || row->expected == CHECK_UNKNOWN) {
		const u8 role = row->expected == CHECK_FAIL ? CHECK_BAD : CHECK_MISSING;
		bool named = false;

		for (unsigned int i = 0; i < result.count; i++)
			named |= result.item[i].role == role;
		if (!named)
			fail_msg("%s: the result names no bits", row_name(row));
	}
}

/* What @row's predicate looked at is in @seen, and declared. */
static void looks_only_at_what_is_declared(const struct check_case *row, u8 *seen)
{
	u8 reads[CHECK_WHAT_COUNT] = { 0 };
	struct machine m;

	machine_of(&m, row);
	check_run_traced(&m.input, row->id, NULL, reads);
	for (unsigned int what = 0; what < CHECK_WHAT_COUNT; what++) {
		const struct check_read *declared = check_rows[row->id].reads;

		seen[what] |= reads[what];
		while (declared->what != what && declared->what != CHECK_WHAT_NONE)
			declared++;
		if (reads[what] && declared->what == CHECK_WHAT_NONE)
			fail_msg("%s: looks at undeclared 0x%x (%s)", row_name(row), what,
				 what < VMCS_FIELD_COUNT ? vmcs_fields[what].name : "no field");
	}
}

static bool knows_everything(const struct machine *m)
{
	for (unsigned int ix = 0; ix < VMCS_FIELD_COUNT; ix++)
		if (~m->known[ix])
			return false;
	return m->caps.maxphyaddr && !(MASK(VMX_CAP_COUNT - 1, 0) & ~m->caps.known);
}

/*
 * Setting the bad bits as the result says satisfies the rule, for all that is known, or leads to
 * the next that is bad; returns how often that was done. Memory is not tried.
 */
static unsigned int says_how_to_satisfy(const struct check_case *row)
{
	struct check_result result;
	struct machine m;
	unsigned int round;

	machine_of(&m, row);
	for (round = 0; round < 4; round++) {
		const struct machine before = m;

		if (check_run(&m.input, row->id, &result) != CHECK_FAIL)
			break;
		for (unsigned int i = 0; i < result.count; i++) {
			const struct check_item *item = &result.item[i];
			u64 value, known;

			if (item->role != CHECK_BAD)
				continue;
			if (item->what >= CHECK_WHAT_CPU)
				return 1;
			machine_get(&before, item->what, &value, &known);
			if (!((value ^ item->want) & item->mask) && !(item->mask & ~known))
				fail_msg("%s: bits 0x%llx of 0x%x are called bad", row_name(row),
					 (unsigned long long)item->mask, item->what);
			machine_get(&m, item->what, &value, &known);
			machine_put(&m, item->what, (value & ~item->mask) | item->want,
				    known | item->mask);
		}
	}
	if (knows_everything(&m))
		assert_row(row_name(row), is_pass(result.verdict), true);
	else
		assert_row(row_name(row), result.verdict != CHECK_FAIL, true);
	return round;
}

/* Without the bits that are bad, the verdict is open. */
static void bad_bits_decide(const struct check_case *row)
{
	struct check_result result;
	struct machine m;

	machine_of(&m, row);
	check_run(&m.input, row->id, &result);
	for (unsigned int i = 0; i < result.count; i++) {
		u64 value, known;

		if (result.item[i].role != CHECK_BAD)
			continue;
		machine_get(&m, result.item[i].what, &value, &known);
		machine_put(&m, result.item[i].what, value, known & ~result.item[i].mask);
	}
	assert_row(row_name(row), check_run(&m.input, row->id, NULL), CHECK_UNKNOWN);
}

/* A row may name a field twice: whole, and the bits that activate another word. */
static bool declares_whole(const struct check_case *row, u16 what)
{
	const struct check_read *read = check_rows[row->id].reads;

	for (; read->what != CHECK_WHAT_NONE; read++)
		if (read->what == what && read->mask == ~0ull)
			return true;
	return false;
}

/*
 * With one bit of one field forgotten the verdict is unknown if the bit decides it, and the same
 * as before if not.
 */
static void one_bit_decides_or_not(const struct check_case *row)
{
	const struct check_read *read = check_rows[row->id].reads;

	for (; read->what != CHECK_WHAT_NONE; read++) {
		const u16 *const what = &read->what;
		const unsigned int bits =
			*what < VMCS_FIELD_COUNT ? vmcs_width_bits(vmcs_fields[*what].width) : 0;

		for (unsigned int bit = 0; bit < bits; bit++) {
			enum check_verdict as_is, flipped, forgotten;
			struct machine m;

			machine_of(&m, row);
			if (!(m.known[*what] & BIT(bit)))
				continue;
			as_is = check_run(&m.input, row->id, NULL);
			m.value[*what] ^= BIT(bit);
			flipped = check_run(&m.input, row->id, NULL);
			m.known[*what] &= ~BIT(bit);
			forgotten = check_run(&m.input, row->id, NULL);

			if (!(read->mask & BIT(bit)) && as_is != flipped &&
			    !declares_whole(row, *what))
				fail_msg("%s: %s bit %u decides, undeclared", row_name(row),
					 vmcs_fields[*what].name, bit);
			if (as_is == CHECK_UNKNOWN || flipped == CHECK_UNKNOWN)
				continue;
			if (is_pass(as_is) != is_pass(flipped))
				assert_row(row_name(row), forgotten, CHECK_UNKNOWN);
			else if (is_pass(as_is) != is_pass(forgotten) || forgotten == CHECK_UNKNOWN)
				fail_msg("%s: %s bit %u decides nothing, but its loss does",
					 row_name(row), vmcs_fields[*what].name, bit);
		}
	}
}

static u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Whatever is forgotten, the verdict is the same as before or unknown. */
static void forgetting_changes_no_verdict(const struct check_case *row, u64 *random)
{
	if (row->expected == CHECK_UNKNOWN)
		return;
	for (unsigned int round = 0; round < 100; round++) {
		enum check_verdict verdict;
		struct machine m;

		machine_of(&m, row);
		for (const struct check_read *read = check_rows[row->id].reads;
		     read->what != CHECK_WHAT_NONE; read++) {
			u64 value, known;

			machine_get(&m, read->what, &value, &known);
			if (next_random(random) & 1)
				machine_put(&m, read->what, value, known & next_random(random));
		}
		verdict = check_run(&m.input, row->id, NULL);
		if (verdict != CHECK_UNKNOWN)
			assert_row(row_name(row), is_pass(verdict), is_pass(row->expected));
	}
}

static void run_cases(const struct check_case *rows, size_t count)
{
	static u8 seen[CHECK_COUNT][CHECK_WHAT_COUNT];
	u64 random = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < count; i++) {
		gives_its_verdict(&rows[i]);
		looks_only_at_what_is_declared(&rows[i], seen[rows[i].id]);
		one_bit_decides_or_not(&rows[i]);
		forgetting_changes_no_verdict(&rows[i], &random);
		if (rows[i].expected == CHECK_FAIL) {
			if (says_how_to_satisfy(&rows[i]) == 1)
				bad_bits_decide(&rows[i]);
		}
	}
	for (size_t i = 0; i < count; i++) {
		const struct check_read *read = check_rows[rows[i].id].reads;

		for (; read->what != CHECK_WHAT_NONE; read++)
			if (!seen[rows[i].id][read->what])
				fail_msg("%s: declares 0x%x, looked at in no case",
					 check_rows[rows[i].id].id, read->what);
	}
}

/* Each row of the table from @first to @last has a case of each verdict. */
static void every_row_has_cases(const struct check_case *rows, size_t count, enum check_id first,
				enum check_id last)
{
	static const u8 verdicts[] = { CHECK_PASS, CHECK_FAIL, CHECK_UNKNOWN };

	for (unsigned int id = first; id <= last; id++) {
		for (size_t v = 0; v < ARRAY_SIZE(verdicts); v++) {
			bool found = false;

			for (size_t i = 0; i < count && !found; i++)
				found = rows[i].id == id && rows[i].expected == verdicts[v];
			if (!found)
				fail_msg("%s has no case of verdict %u", check_rows[id].id,
					 verdicts[v]);
		}
	}
}

#endif
