#include "replay/check_rule.h"

/* --- What is asked ---------------------------------------------------------------------------- */

static void reading(struct rule *r, unsigned int what)
{
	if (r->reads)
		r->reads[what] = 1;
}

/* What an unknown answer rested on, other than fields. */
static void lacking(struct rule *r, unsigned int what)
{
	for (unsigned int i = 0; i < r->lacks; i++)
		if (r->lacking[i] == what)
			return;
	if (r->lacks < ARRAY_SIZE(r->lacking))
		r->lacking[r->lacks++] = (u16)what;
}

static struct word answer(struct rule *r, unsigned int what, struct word word)
{
	reading(r, what);
	if (!word_is_known(word))
		lacking(r, what);
	return word;
}

struct word field(struct rule *r, unsigned int index)
{
	const u64 width = vmcs_width_mask(vmcs_fields[index].width);
	const u64 known = r->in->known[index] | ~width;

	reading(r, index);
	return word_partly(r->in->value[index] & width, known);
}

struct word state(struct rule *r, enum check_state state)
{
	return answer(r, CHECK_WHAT_STATE + state, r->in->state[state]);
}

struct word cap(struct rule *r, enum vmx_cap cap)
{
	const u64 known = r->in->caps->known & BIT(cap) ? ~0ull : 0;

	return answer(r, CHECK_WHAT_CAP + cap, word_partly(r->in->caps->msr[cap], known));
}

struct word control_word(struct rule *r, enum vmx_word word)
{
	const struct vmx_control_word *const row = &vmx_control_words[word];
	const struct word value = field(r, row->field);

	if (!row->by_mask)
		return value;
	switch (on(r, (enum vmx_word)row->by_word, row->by_mask)) {
	case TRI_NO:
		return word_of(0);
	case TRI_YES:
		return value;
	default:
		return word_either(value, word_of(0));
	}
}

enum tri on(struct rule *r, enum vmx_word word, u64 mask)
{
	return word_all(control_word(r, word), mask);
}

/* The capability MSR of @word; where it is unknown which of two rules, what both say. */
static struct word ruling(struct rule *r, enum vmx_word word)
{
	const struct vmx_control_word *const row = &vmx_control_words[word];
	const struct word plain = cap(r, (enum vmx_cap)row->cap);
	struct word with_true;

	if (row->true_cap == row->cap)
		return plain;
	with_true = cap(r, (enum vmx_cap)row->true_cap);
	switch (word_all(cap(r, VMX_CAP_BASIC), CAP_TRUE_CTLS)) {
	case TRI_NO:
		return plain;
	case TRI_YES:
		return with_true;
	default:
		return word_either(plain, with_true);
	}
}

static unsigned int may_shift(enum vmx_word word)
{
	return vmx_control_words[word].layout == VMX_LAYOUT_SPLIT ? 32 : 0;
}

enum tri can_be_on(struct rule *r, enum vmx_word word, u64 mask)
{
	return word_all(ruling(r, word), mask << may_shift(word));
}

enum tri cpu_has(struct rule *r, enum cpu_feature feature)
{
	answer(r, CHECK_WHAT_CPU, word_or(r->in->cpu->features, ~BIT(feature)));
	return cpu_facts_has(r->in->cpu, feature);
}

struct word memory(struct rule *r, struct word gpa, unsigned int size)
{
	struct word word = { 0 };

	if (r->in->memory && word_is_known(gpa))
		word = r->in->memory(r->in->context, gpa.value, size);
	return answer(r, CHECK_WHAT_MEMORY, word_and(word, MASK(8 * size - 1, 0)));
}

/* Every processor with VMX has at least 32 bits, and none more than 52. */
struct word physical_bits(struct rule *r, bool reduced)
{
	const unsigned int width = r->in->caps->maxphyaddr;

	if (!width)
		return answer(r, CHECK_WHAT_CPU, word_partly(MASK(31, 0), ~MASK(51, 32)));
	reading(r, CHECK_WHAT_CPU);
	return word_of(MASK(width - (reduced ? r->in->cpu->keyid_bits : 0) - 1, 0));
}

struct word vmx_address_bits(struct rule *r)
{
	const struct word all = physical_bits(r, true), low = word_and(all, MASK(31, 0));

	switch (word_all(cap(r, VMX_CAP_BASIC), CAP_ADDRESSES_32BIT)) {
	case TRI_NO:
		return all;
	case TRI_YES:
		return low;
	default:
		return word_either(all, low);
	}
}

/* Whether bits 63:@low are all the same. */
static enum tri all_same(struct word word, unsigned int low)
{
	const u64 mask = MASK(63, low);

	return tri_or(word_all(word, mask), tri_not(word_any(word, mask)));
}

/* Bits 63:N + @offset, where N is 48 or 57 when the processor's is unknown. */
static enum tri upper_same(struct rule *r, struct word word, int offset)
{
	const int width = r->in->caps->linear_width;

	reading(r, CHECK_WHAT_CPU);
	if (!width)
		lacking(r, CHECK_WHAT_CPU);
	if (width)
		return all_same(word, (unsigned int)(width + offset));
	if (all_same(word, (unsigned int)(48 + offset)) == TRI_YES)
		return TRI_YES;
	return tri_and(all_same(word, (unsigned int)(57 + offset)), TRI_MAYBE);
}

enum tri is_canonical(struct rule *r, struct word word)
{
	return upper_same(r, word, -1);
}

enum tri is_sign_extended(struct rule *r, struct word word)
{
	return upper_same(r, word, 0);
}

/* --- Noting ----------------------------------------------------------------------------------- */

static void note(struct rule *r, struct check_item item)
{
	struct check_result *const result = r->result;

	if (!item.mask || result->count == CHECK_MAX_ITEMS)
		return;
	for (unsigned int i = 0; i < result->count; i++)
		if (result->item[i].what == item.what && result->item[i].role == item.role &&
		    result->item[i].mask == item.mask && result->item[i].cap == item.cap)
			return;
	result->item[result->count++] = item;
}

/* The bits of @mask of a field that are not known. */
static u64 unknown_bits(const struct rule *r, unsigned int what, u64 mask)
{
	return what < VMCS_FIELD_COUNT ? mask & ~r->in->known[what] : 0;
}

/* Why the rule applied: the conditions that hold. */
static void note_because(struct rule *r)
{
	for (unsigned int i = 0; i < r->depth; i++)
		note(r, r->condition[i]);
}

/* What would have to be known. */
static void note_missing(struct rule *r, struct check_item item)
{
	item.role = CHECK_MISSING;
	item.cap = CHECK_NO_CAP;
	item.cap_mask = 0;
	item.want = 0;
	for (int i = r->depth; i >= 0; i--) {
		item.mask = unknown_bits(r, item.what, item.mask);
		note(r, item);
		if (i > 0) {
			item.what = r->condition[i - 1].what;
			item.mask = r->condition[i - 1].mask;
		}
	}
	for (unsigned int i = 0; i < r->lacks; i++) {
		item.what = r->lacking[i];
		item.mask = ~0ull;
		note(r, item);
	}
}

/* --- Conditions ------------------------------------------------------------------------------- */

void when(struct rule *r, enum tri truth, unsigned int what, u64 mask, u64 value)
{
	r->applies = tri_and(r->applies, truth);
	if (r->depth == RULE_MAX_CONDITIONS)
		return;
	r->condition[r->depth++] = (struct check_item){
		.what = (u16)what,
		.role = CHECK_BECAUSE,
		.cap = CHECK_NO_CAP,
		.mask = mask,
		.want = value & mask,
	};
}

/* Whether the bits of @mask of @word are those of @value. */
static enum tri bits_are(struct word word, u64 mask, u64 value)
{
	return word_is(word_and(word, mask), value & mask);
}

void when_bits(struct rule *r, unsigned int what, u64 mask, u64 value)
{
	when(r, bits_are(field(r, what), mask, value), what, mask, value);
}

void when_on(struct rule *r, enum vmx_word word, u64 mask)
{
	when(r, on(r, word, mask), vmx_control_words[word].field, mask, mask);
}

void when_off(struct rule *r, enum vmx_word word, u64 mask)
{
	when(r, tri_not(word_any(control_word(r, word), mask)), vmx_control_words[word].field, mask,
	     0);
}

struct rule_mark rule_mark(const struct rule *r)
{
	return (struct rule_mark){ r->applies, r->depth };
}

void rule_back(struct rule *r, struct rule_mark mark)
{
	r->applies = mark.applies;
	r->depth = mark.depth;
}

/* --- Needs ------------------------------------------------------------------------------------ */

static void need_item(struct rule *r, enum tri truth, struct check_item item)
{
	const enum tri holds = tri_implies(r->applies, truth);

	r->concerned = tri_or(r->concerned, r->applies);
	r->holds = tri_and(r->holds, holds);
	if (!r->result || holds == TRI_YES)
		return;
	if (holds == TRI_MAYBE) {
		note_missing(r, item);
		return;
	}
	note(r, item);
	note_because(r);
}

void need(struct rule *r, enum tri truth, unsigned int what, u64 mask, u64 want)
{
	need_item(r, truth,
		  (struct check_item){ .what = (u16)what,
				       .role = CHECK_BAD,
				       .cap = CHECK_NO_CAP,
				       .mask = mask,
				       .want = want & mask });
}

void need_bits(struct rule *r, unsigned int what, u64 mask, u64 want)
{
	const struct word word = field(r, what);
	const enum tri truth = bits_are(word, mask, want);
	const u64 wrong = (word.value ^ want) & mask & word.known;

	need(r, truth, what, truth == TRI_NO ? wrong : mask, want);
}

void need_zero(struct rule *r, unsigned int what, u64 mask)
{
	need_bits(r, what, mask, 0);
}

void need_ones(struct rule *r, unsigned int what, u64 mask)
{
	need_bits(r, what, mask, mask);
}

void need_on(struct rule *r, enum vmx_word word, u64 mask)
{
	const struct word value = control_word(r, word);
	const enum tri truth = word_all(value, mask);

	need(r, truth, vmx_control_words[word].field,
	     truth == TRI_NO ? mask & value.known & ~value.value : mask, mask);
}

void need_off(struct rule *r, enum vmx_word word, u64 mask)
{
	const struct word value = control_word(r, word);
	const enum tri truth = tri_not(word_any(value, mask));

	need(r, truth, vmx_control_words[word].field, truth == TRI_NO ? mask & value.value : mask,
	     0);
}

/* Bits, and the capability MSR that says so, in its bits from @shift on. */
struct demand {
	struct word bits;
	u8 cap;
	u8 shift;
};

static void need_demand(struct rule *r, enum tri truth, unsigned int what, u64 mask, u64 want,
			const struct demand *demand)
{
	need_item(r, truth,
		  (struct check_item){ .what = (u16)what,
				       .role = CHECK_BAD,
				       .cap = demand->cap,
				       .mask = mask,
				       .want = want & mask,
				       .cap_mask = mask << demand->shift });
}

/* The bits of @must are 1, and of the others only those of @may. */
static void need_between(struct rule *r, unsigned int what, const struct demand *must,
			 const struct demand *may)
{
	const struct word word = field(r, what);
	const u64 missing = must->bits.value & word.known & ~word.value;
	const u64 excess = word.value & may->bits.known & ~may->bits.value;
	const u64 unsure =
		(word_max(must->bits) & ~word.value) | (word_max(word) & ~may->bits.value);

	if (missing)
		need_demand(r, TRI_NO, what, missing, missing, must);
	if (excess)
		need_demand(r, TRI_NO, what, excess, 0, may);
	if (!missing && !excess)
		need(r, unsure ? TRI_MAYBE : TRI_YES, what, unsure, 0);
}

static const struct demand nothing = { .bits = { 0, ~0ull }, .cap = CHECK_NO_CAP };

void need_within(struct rule *r, unsigned int what, struct word may)
{
	const struct demand allowed = { .bits = may, .cap = CHECK_NO_CAP };

	need_between(r, what, &nothing, &allowed);
}

void need_within_cap(struct rule *r, unsigned int what, struct word may, enum vmx_cap by,
		     unsigned int shift)
{
	const struct demand allowed = { .bits = may, .cap = (u8)by, .shift = (u8)shift };

	need_between(r, what, &nothing, &allowed);
}

void need_allowed(struct rule *r, enum vmx_word word)
{
	const struct vmx_control_word *const row = &vmx_control_words[word];
	const struct word msr = ruling(r, word);
	const enum tri with_true = word_all(cap(r, VMX_CAP_BASIC), CAP_TRUE_CTLS);
	const u8 by = with_true == TRI_YES ? row->true_cap : row->cap;
	const struct demand must = { .bits = word_and(msr, MASK(31, 0)), .cap = by };
	struct demand may = { .bits = msr, .cap = by };

	if (row->layout == VMX_LAYOUT_SPLIT)
		may = (struct demand){ word_bits(msr, 63, 32), by, 32 };
	need_between(r, row->field, row->layout == VMX_LAYOUT_SPLIT ? &must : &nothing, &may);
}

void need_fixed(struct rule *r, unsigned int what, enum vmx_cap fixed0, enum vmx_cap fixed1,
		struct word free)
{
	const struct demand must = { .bits = word_and_word(cap(r, fixed0), word_not(free)),
				     .cap = (u8)fixed0 };
	const struct demand may = { .bits = word_or_word(cap(r, fixed1), free), .cap = (u8)fixed1 };

	need_between(r, what, &must, &may);
}

void need_msr_bits(struct rule *r, unsigned int what, u32 msr)
{
	struct word may = { 0 };

	reading(r, CHECK_WHAT_CPU);
	cpu_facts_msr_bits(r->in->cpu, msr, &may);
	if (!word_is_known(may))
		lacking(r, CHECK_WHAT_CPU);
	need_within(r, what, may);
}

void need_canonical(struct rule *r, unsigned int what)
{
	const struct word word = field(r, what);
	const unsigned int width = r->in->caps->linear_width ? r->in->caps->linear_width : 57;
	const u64 upper = MASK(63, width), want = word.value & BIT(width - 1) ? upper : 0;

	need(r, is_canonical(r, word), what, (word.value ^ want) & upper, want);
}

void need_address(struct rule *r, unsigned int what, u64 low)
{
	need_within(r, what, word_and(vmx_address_bits(r), ~low));
}
