/*
 * replay/check_ask.c - what predicates ask, and what their answers lacked
 */
#include "replay/check_predicate.h"

void checking_note_lack(struct checking *c, unsigned int what, u64 mask)
{
	for (unsigned int i = 0; i < c->lacks; i++)
		if (c->lacking[i].what == what && c->lacking[i].mask == mask)
			return;
	if (c->lacks < ARRAY_SIZE(c->lacking))
		c->lacking[c->lacks++] = (struct check_item){
			.what = (u16)what,
			.role = CHECK_MISSING,
			.cap = CHECK_NO_CAP,
			.mask = mask,
		};
}

static struct word answer(struct checking *c, unsigned int what, struct word word)
{
	checking_reads(c, what);
	if (!word_is_known(word))
		checking_lacks(c, what, ~word.known);
	return word;
}

enum tri field_any(struct checking *c, unsigned int index, u64 mask)
{
	const struct word value = get_field(c, index);
	const enum tri any = word_any(value, mask);

	if (any == TRI_MAYBE)
		checking_lacks(c, index, mask & ~value.known);
	return any;
}

struct word get_state(struct checking *c, enum check_state state)
{
	checking_reads(c, CHECK_WHAT_STATE + state);
	return c->in->state[state];
}

enum tri state_any(struct checking *c, enum check_state state, u64 mask)
{
	const struct word value = get_state(c, state);
	const enum tri any = word_any(value, mask);

	if (any == TRI_MAYBE)
		checking_lacks(c, CHECK_WHAT_STATE + state, mask & ~value.known);
	return any;
}

struct word field_bits(struct checking *c, unsigned int index, unsigned int high, unsigned int low)
{
	const struct word value = get_field(c, index);

	checking_lacks(c, index, MASK(high, low) & ~value.known);
	return word_bits(value, high, low);
}

enum tri field_is_state(struct checking *c, unsigned int index, enum check_state state)
{
	const struct word a = get_field(c, index), b = get_state(c, state);
	const enum tri same = word_same(a, b);

	if (same == TRI_MAYBE) {
		checking_lacks(c, index, ~a.known);
		checking_lacks(c, CHECK_WHAT_STATE + state, ~b.known);
	}
	return same;
}

struct word get_cap(struct checking *c, enum vmx_cap cap)
{
	const u64 known = c->in->caps->known & BIT(cap) ? ~0ull : 0;

	return answer(c, CHECK_WHAT_CAP + cap, word_partly(c->in->caps->msr[cap], known));
}

struct word get_control(struct checking *c, enum vmx_word word)
{
	const struct vmx_control_word *const row = &vmx_control_words[word];
	const struct word value = get_field(c, row->field);

	if (!row->by_mask)
		return value;
	switch (is_on(c, (enum vmx_word)row->by_word, row->by_mask)) {
	case TRI_NO:
		return word_of(0);
	case TRI_YES:
		return value;
	default:
		checking_lacks(c, vmx_control_words[row->by_word].field, row->by_mask);
		return word_either(value, word_of(0));
	}
}

enum tri is_on(struct checking *c, enum vmx_word word, u64 mask)
{
	const struct word value = get_control(c, word);

	if (mask & ~value.known)
		checking_lacks(c, vmx_control_words[word].field, mask & ~value.known);
	return word_all(value, mask);
}

enum tri true_msr_rules(struct checking *c, enum vmx_word word)
{
	const struct vmx_control_word *const row = &vmx_control_words[word];

	if (row->true_cap == row->cap)
		return TRI_NO;
	return word_all(get_cap(c, VMX_CAP_BASIC), CAP_TRUE_CTLS);
}

struct word get_ruling_cap(struct checking *c, enum vmx_word word)
{
	const enum vmx_cap plain = (enum vmx_cap)vmx_control_words[word].cap;
	const enum vmx_cap other = (enum vmx_cap)vmx_control_words[word].true_cap;

	switch (true_msr_rules(c, word)) {
	case TRI_NO:
		return get_cap(c, plain);
	case TRI_YES:
		return get_cap(c, other);
	default:
		return word_either(get_cap(c, plain), get_cap(c, other));
	}
}

static unsigned int may_shift(enum vmx_word word)
{
	return vmx_control_words[word].layout == VMX_LAYOUT_SPLIT ? 32 : 0;
}

enum tri can_be_on(struct checking *c, enum vmx_word word, u64 mask)
{
	return word_all(get_ruling_cap(c, word), mask << may_shift(word));
}

enum tri cpu_has(struct checking *c, enum cpu_feature feature)
{
	answer(c, CHECK_WHAT_CPU, word_or(c->in->cpu->features, ~BIT(feature)));
	return cpu_facts_has(c->in->cpu, feature);
}

enum tri cpu_untold(struct checking *c)
{
	checking_reads(c, CHECK_WHAT_CPU);
	checking_lacks(c, CHECK_WHAT_CPU, ~0ull);
	return TRI_MAYBE;
}

struct word get_memory(struct checking *c, struct word gpa, unsigned int size)
{
	struct word word = { 0 };

	if (c->in->memory && word_is_known(gpa))
		word = c->in->memory(c->in->context, gpa.value, size);
	return answer(c, CHECK_WHAT_MEMORY, word_and(word, MASK(8 * size - 1, 0)));
}

struct word physical_bits(struct checking *c, bool reduced)
{
	const u8 keyid_bits = reduced ? c->in->cpu->keyid_bits : 0;

	return answer(c, CHECK_WHAT_CPU, cpu_physical_bits(c->in->caps, keyid_bits));
}

struct word vmx_address_bits(struct checking *c)
{
	get_cap(c, VMX_CAP_BASIC);
	physical_bits(c, true);
	return cpu_vmx_address_bits(c->in->caps, c->in->cpu);
}

static u64 add_capped(u64 a, u64 b)
{
	return a > ~0ull - b ? ~0ull : a + b;
}

enum tri range_fits(struct word start, u64 least, u64 most, struct word bits)
{
	if (add_capped(word_max(start), most) <= word_min(bits))
		return TRI_YES;
	return add_capped(word_min(start), least) > word_max(bits) ? TRI_NO : TRI_MAYBE;
}

static enum tri upper_same(struct checking *c, struct word word, int offset)
{
	const enum tri same = cpu_upper_bits_same(c->in->caps, word, offset);

	checking_reads(c, CHECK_WHAT_CPU);
	if (same == TRI_MAYBE && !c->in->caps->linear_width)
		checking_lacks(c, CHECK_WHAT_CPU, ~0ull);
	return same;
}

enum tri is_canonical(struct checking *c, struct word word)
{
	return upper_same(c, word, -1);
}

enum tri is_sign_extended(struct checking *c, struct word word)
{
	return upper_same(c, word, 0);
}
