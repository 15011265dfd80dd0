#include "tests/test.h"
#include "replay/tri.h"

/* Words of 3 bits, each 0, 1 or unknown; the other bits are known and 0. */
#define WORDS 27

static struct word word_number(unsigned int n)
{
	struct word word = { 0, ~7ull };

	for (unsigned int bit = 0; bit < 3; bit++, n /= 3) {
		word.known |= n % 3 < 2 ? BIT(bit) : 0;
		word.value |= n % 3 == 1 ? BIT(bit) : 0;
	}
	return word;
}

static bool can_be(struct word word, u64 number)
{
	return !((word.value ^ number) & word.known);
}

/* What a question with one answer for each pair of numbers has for two words. */
static enum tri answer_for(struct word a, struct word b, bool (*ask)(u64 a, u64 b))
{
	bool yes = false, no = false;

	for (u64 x = 0; x < 8; x++)
		for (u64 y = 0; y < 8; y++)
			if (can_be(a, x) && can_be(b, y)) {
				yes |= ask(x, y);
				no |= !ask(x, y);
			}
	return yes ? (no ? TRI_MAYBE : TRI_YES) : TRI_NO;
}

static bool ask_same(u64 a, u64 b)
{
	return a == b;
}

static bool ask_at_most(u64 a, u64 b)
{
	return a <= b;
}

static bool ask_within(u64 a, u64 b)
{
	return !(a & ~b);
}

static bool ask_in(u64 a, u64 b)
{
	return b >> a & 1;
}

static bool ask_any(u64 a, u64 b)
{
	return a & b;
}

static bool ask_all(u64 a, u64 b)
{
	return (a & b) == b;
}

static void questions_on_two_words_are_exact(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < WORDS; i++) {
		for (unsigned int j = 0; j < WORDS; j++) {
			const struct word a = word_number(i), b = word_number(j);

			assert_int_equal(word_same(a, b), answer_for(a, b, ask_same));
			assert_int_equal(word_at_most(a, b), answer_for(a, b, ask_at_most));
			assert_int_equal(word_within(a, b), answer_for(a, b, ask_within));
			assert_int_equal(word_in(a, b), answer_for(a, b, ask_in));
			if (!word_is_known(b))
				continue;
			assert_int_equal(word_is(a, b.value), answer_for(a, b, ask_same));
			assert_int_equal(word_any(a, b.value), answer_for(a, b, ask_any));
			assert_int_equal(word_all(a, b.value), answer_for(a, b, ask_all));
		}
	}
}

/* Bit by bit: known where all numbers agree, and only there. */
static void assert_result(struct word result, struct word a, struct word b, u64 (*op)(u64, u64))
{
	u64 ones = ~0ull, zeros = ~0ull;

	for (u64 x = 0; x < 8; x++)
		for (u64 y = 0; y < 8; y++)
			if (can_be(a, x) && can_be(b, y)) {
				ones &= op(x, y);
				zeros &= ~op(x, y);
			}
	assert_u64(result.value, ones);
	assert_u64(result.known, ones | zeros);
}

static u64 op_and(u64 a, u64 b)
{
	return a & b;
}

static u64 op_or(u64 a, u64 b)
{
	return a | b;
}

static u64 op_not(u64 a, u64 b)
{
	(void)b;
	return ~a;
}

static u64 op_bits(u64 a, u64 b)
{
	(void)b;
	return BITS(a, 2, 1);
}

static void operations_are_exact(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < WORDS; i++) {
		const struct word a = word_number(i);

		assert_result(word_not(a), a, a, op_not);
		assert_result(word_bits(a, 2, 1), a, a, op_bits);
		for (unsigned int j = 0; j < WORDS; j++) {
			const struct word b = word_number(j);

			assert_result(word_and_word(a, b), a, b, op_and);
			assert_result(word_or_word(a, b), a, b, op_or);
			if (!word_is_known(b))
				continue;
			assert_result(word_and(a, b.value), a, b, op_and);
			assert_result(word_or(a, b.value), a, b, op_or);
		}
	}
}

static void either_knows_what_both_say(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < WORDS; i++) {
		for (unsigned int j = 0; j < WORDS; j++) {
			const struct word a = word_number(i), b = word_number(j);
			const struct word either = word_either(a, b);
			u64 ones = ~0ull, zeros = ~0ull;

			for (u64 x = 0; x < 8; x++)
				if (can_be(a, x) || can_be(b, x)) {
					ones &= x;
					zeros &= ~x;
				}
			assert_u64(either.value, ones);
			assert_u64(either.known, ones | zeros);
		}
	}
}

static void truths_follow_kleene(void **state)
{
	static const struct {
		enum tri a, b, and, or, implies, same;
	} rows[] = {
		{ TRI_NO, TRI_NO, TRI_NO, TRI_NO, TRI_YES, TRI_YES },
		{ TRI_NO, TRI_MAYBE, TRI_NO, TRI_MAYBE, TRI_YES, TRI_MAYBE },
		{ TRI_NO, TRI_YES, TRI_NO, TRI_YES, TRI_YES, TRI_NO },
		{ TRI_MAYBE, TRI_NO, TRI_NO, TRI_MAYBE, TRI_MAYBE, TRI_MAYBE },
		{ TRI_MAYBE, TRI_MAYBE, TRI_MAYBE, TRI_MAYBE, TRI_MAYBE, TRI_MAYBE },
		{ TRI_MAYBE, TRI_YES, TRI_MAYBE, TRI_YES, TRI_YES, TRI_MAYBE },
		{ TRI_YES, TRI_NO, TRI_NO, TRI_YES, TRI_NO, TRI_NO },
		{ TRI_YES, TRI_MAYBE, TRI_MAYBE, TRI_YES, TRI_MAYBE, TRI_MAYBE },
		{ TRI_YES, TRI_YES, TRI_YES, TRI_YES, TRI_YES, TRI_YES },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(tri_and(rows[i].a, rows[i].b), rows[i].and);
		assert_int_equal(tri_or(rows[i].a, rows[i].b), rows[i].or);
		assert_int_equal(tri_implies(rows[i].a, rows[i].b), rows[i].implies);
		assert_int_equal(tri_same(rows[i].a, rows[i].b), rows[i].same);
	}
}

static void numbers_from_64_on_are_in_no_set(void **state)
{
	(void)state;
	assert_int_equal(word_in(word_of(63), word_of(~0ull)), TRI_YES);
	assert_int_equal(word_in(word_of(64), word_of(~0ull)), TRI_NO);
	assert_int_equal(word_in(word_partly(0, ~64ull), word_of(~0ull)), TRI_MAYBE);
	assert_int_equal(word_in((struct word){ 0 }, word_of(0)), TRI_NO);
}

static void conditional_bits_are_unknown_with_their_condition(void **state)
{
	(void)state;
	assert_u64(word_if(TRI_YES, 6).value, 6);
	assert_u64(word_if(TRI_YES, 6).known, ~0ull);
	assert_u64(word_if(TRI_NO, 6).value, 0);
	assert_u64(word_if(TRI_NO, 6).known, ~0ull);
	assert_u64(word_if(TRI_MAYBE, 6).value, 0);
	assert_u64(word_if(TRI_MAYBE, 6).known, ~6ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_on_two_words_are_exact),
		cmocka_unit_test(operations_are_exact),
		cmocka_unit_test(either_knows_what_both_say),
		cmocka_unit_test(truths_follow_kleene),
		cmocka_unit_test(numbers_from_64_on_are_in_no_set),
		cmocka_unit_test(conditional_bits_are_unknown_with_their_condition),
	};
	return cmocka_run_group_tests_name("replay/tri", tests, NULL, NULL);
}
