/*
 * replay/tri.h - truths and numbers of which only a part is known
 *
 * A truth is no, yes or maybe. A word is 64 bits, each 0, 1 or unknown. What is computed from them
 * is known as far as the unknown bits cannot change it, each operand taken for itself: two operands
 * that share an unknown bit may yield maybe where a look at both would decide.
 */
#ifndef REPLAY_TRI_H
#define REPLAY_TRI_H

#include "base/base.h"

/* --- Truths ----------------------------------------------------------------------------------- */

/* In this order: and is the smaller one, or the greater one. */
enum tri { TRI_NO, TRI_MAYBE, TRI_YES };

static inline enum tri tri_of(bool truth)
{
	return truth ? TRI_YES : TRI_NO;
}

static inline enum tri tri_not(enum tri a)
{
	return (enum tri)(TRI_YES - a);
}

static inline enum tri tri_and(enum tri a, enum tri b)
{
	return MIN(a, b);
}

static inline enum tri tri_or(enum tri a, enum tri b)
{
	return MAX(a, b);
}

/* If @a then @b. */
static inline enum tri tri_implies(enum tri a, enum tri b)
{
	return tri_or(tri_not(a), b);
}

static inline enum tri tri_same(enum tri a, enum tri b)
{
	return tri_or(tri_and(a, b), tri_and(tri_not(a), tri_not(b)));
}

/* --- Words ------------------------------------------------------------------------------------ */

/* Bits of @value that are not in @known are 0 there, and unknown. All zero: nothing is known. */
struct word {
	u64 value;
	u64 known;
};

static inline struct word word_of(u64 value)
{
	return (struct word){ value, ~0ull };
}

static inline struct word word_partly(u64 value, u64 known)
{
	return (struct word){ value & known, known };
}

static inline bool word_is_known(struct word word)
{
	return word.known == ~0ull;
}

/* The smallest and the greatest number that @word can be. */
static inline u64 word_min(struct word word)
{
	return word.value;
}

static inline u64 word_max(struct word word)
{
	return word.value | ~word.known;
}

/* The bits of @mask, the others 0. */
static inline struct word word_and(struct word word, u64 mask)
{
	return (struct word){ word.value & mask, word.known | ~mask };
}

/* The bits of @mask set, the others as they are. */
static inline struct word word_or(struct word word, u64 mask)
{
	return (struct word){ word.value | mask, word.known | mask };
}

static inline struct word word_not(struct word word)
{
	return (struct word){ ~word.value & word.known, word.known };
}

static inline struct word word_and_word(struct word a, struct word b)
{
	return (struct word){ a.value & b.value,
			      (a.known & b.known) | (a.known & ~a.value) | (b.known & ~b.value) };
}

static inline struct word word_or_word(struct word a, struct word b)
{
	return word_not(word_and_word(word_not(a), word_not(b)));
}

/* The bits of @mask if @truth, none if not. */
static inline struct word word_if(enum tri truth, u64 mask)
{
	return (struct word){ truth == TRI_YES ? mask : 0, truth == TRI_MAYBE ? ~mask : ~0ull };
}

/* One of the two, and it is unknown which. */
static inline struct word word_either(struct word a, struct word b)
{
	return word_partly(a.value, a.known & b.known & ~(a.value ^ b.value));
}

/* The number in bits @high:@low. */
static inline struct word word_bits(struct word word, unsigned int high, unsigned int low)
{
	return (struct word){ BITS(word.value, high, low),
			      BITS(word.known, high, low) | ~(MASK(high, low) >> low) };
}

/* Whether any bit of @mask is 1. */
static inline enum tri word_any(struct word word, u64 mask)
{
	if (word.value & mask)
		return TRI_YES;
	return mask & ~word.known ? TRI_MAYBE : TRI_NO;
}

/* Whether every bit of @mask is 1. */
static inline enum tri word_all(struct word word, u64 mask)
{
	if (mask & word.known & ~word.value)
		return TRI_NO;
	return mask & ~word.known ? TRI_MAYBE : TRI_YES;
}

static inline enum tri word_is(struct word word, u64 number)
{
	if ((word.value ^ number) & word.known)
		return TRI_NO;
	return word_is_known(word) ? TRI_YES : TRI_MAYBE;
}

static inline enum tri word_same(struct word a, struct word b)
{
	if ((a.value ^ b.value) & a.known & b.known)
		return TRI_NO;
	return word_is_known(a) && word_is_known(b) ? TRI_YES : TRI_MAYBE;
}

/* Whether every bit that is 1 is 1 in @may as well. */
static inline enum tri word_within(struct word word, struct word may)
{
	if (word.value & may.known & ~may.value)
		return TRI_NO;
	return word_max(word) & ~may.value ? TRI_MAYBE : TRI_YES;
}

/* Whether @a is not above @b. */
static inline enum tri word_at_most(struct word a, struct word b)
{
	if (word_max(a) <= word_min(b))
		return TRI_YES;
	return word_min(a) > word_max(b) ? TRI_NO : TRI_MAYBE;
}

/*
 * Whether bit number @word of @set is 1. Numbers from 64 on are in no set.
 *
 * This is how "one of 9, 11, 13 or 15" is asked: word_in(type, word_of(BIT(9) | BIT(11) ...)).
 */
static inline enum tri word_in(struct word word, struct word set)
{
	bool in = false, out = word_max(word) > 63;

	for (u64 n = word_min(word); n <= MIN(word_max(word), 63ull); n++) {
		if ((n ^ word.value) & word.known)
			continue;
		in |= (word_max(set) >> n) & 1;
		out |= !((word_min(set) >> n) & 1);
	}
	return in ? (out ? TRI_MAYBE : TRI_YES) : TRI_NO;
}

#endif
