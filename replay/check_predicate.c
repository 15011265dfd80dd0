#include "replay/check_predicate.h"

/* --- Noting ----------------------------------------------------------------------------------- */

static void note(struct checking *c, struct check_item item)
{
	struct check_result *const result = c->result;

	if (!item.mask || result->count == CHECK_MAX_ITEMS)
		return;
	for (unsigned int i = 0; i < result->count; i++)
		if (result->item[i].what == item.what && result->item[i].role == item.role &&
		    result->item[i].mask == item.mask && result->item[i].cap == item.cap)
			return;
	result->item[result->count++] = item;
}

/* The bits of @mask of a field or of state that are not known. */
static u64 unknown_bits(const struct checking *c, unsigned int what, u64 mask)
{
	if (what < VMCS_FIELD_COUNT)
		return mask & ~c->in->known[what];
	if (what >= CHECK_WHAT_STATE && what < CHECK_WHAT_STATE + CHECK_STATE_COUNT)
		return mask & ~c->in->state[what - CHECK_WHAT_STATE].known;
	return 0;
}

/* Why the rule applied: the conditions that hold. */
static void note_because(struct checking *c)
{
	for (unsigned int i = 0; i < c->depth; i++)
		note(c, c->condition[i]);
}

/* What would have to be known. */
static void note_missing(struct checking *c, struct check_item item)
{
	item.role = CHECK_MISSING;
	item.cap = CHECK_NO_CAP;
	item.cap_mask = 0;
	item.want = 0;
	for (int i = c->depth; i >= 0; i--) {
		item.mask = unknown_bits(c, item.what, item.mask);
		note(c, item);
		if (i > 0) {
			item.what = c->condition[i - 1].what;
			item.mask = c->condition[i - 1].mask;
		}
	}
	for (unsigned int i = 0; i < c->lacks; i++)
		note(c, c->lacking[i]);
}

/* --- Conditions ------------------------------------------------------------------------------- */

static void add_condition(struct checking *c, const struct condition *condition)
{
	if (!c->result || c->depth == CHECKING_MAX_CONDITIONS)
		return;
	c->condition[c->depth++] = (struct check_item){
		.what = (u16)condition->what,
		.role = CHECK_BECAUSE,
		.cap = CHECK_NO_CAP,
		.mask = condition->mask,
		.want = condition->value & condition->mask,
	};
}

void when(struct checking *c, enum tri truth, unsigned int what, u64 mask, u64 value)
{
	const struct condition condition = { truth, what, mask, value };

	c->applies = tri_and(c->applies, truth);
	add_condition(c, &condition);
}

void when_either(struct checking *c, struct condition a, struct condition b)
{
	c->applies = tri_and(c->applies, tri_or(a.truth, b.truth));
	if (a.truth == TRI_YES || b.truth != TRI_YES)
		add_condition(c, &a);
	if (a.truth != TRI_YES)
		add_condition(c, &b);
}

/* Whether the bits of @mask of @word are those of @value. */
static enum tri bits_are(struct word word, u64 mask, u64 value)
{
	return word_is(word_and(word, mask), value & mask);
}

void when_bits(struct checking *c, unsigned int what, u64 mask, u64 value)
{
	when(c, bits_are(get_field(c, what), mask, value), what, mask, value);
}

void when_on(struct checking *c, enum vmx_word word, u64 mask)
{
	when(c, is_on(c, word, mask), vmx_control_words[word].field, mask, mask);
}

void when_off(struct checking *c, enum vmx_word word, u64 mask)
{
	when(c, tri_not(word_any(get_control(c, word), mask)), vmx_control_words[word].field, mask,
	     0);
}

void is_concerned(struct checking *c)
{
	c->concerned = tri_or(c->concerned, c->applies);
}

struct checking_mark checking_mark(const struct checking *c)
{
	return (struct checking_mark){ c->applies, c->depth };
}

void checking_back(struct checking *c, struct checking_mark mark)
{
	c->applies = mark.applies;
	c->depth = mark.depth;
}

/* --- Needs ------------------------------------------------------------------------------------ */

/* Bits, and the capability MSR that says so, in its bits from @shift on. */
struct demand {
	struct word bits;
	u8 cap;
	u8 shift;
};

static const struct demand nothing = { .bits = { 0, ~0ull }, .cap = CHECK_NO_CAP };

static void note_need(struct checking *c, enum tri holds, struct check_item item)
{
	if (holds == TRI_MAYBE) {
		note_missing(c, item);
		return;
	}
	note(c, item);
	note_because(c);
}

static void need_demand(struct checking *c, enum tri truth, unsigned int what, u64 mask, u64 want,
			const struct demand *demand)
{
	const enum tri holds = tri_implies(c->applies, truth);

	is_concerned(c);
	c->holds = tri_and(c->holds, holds);
	if (holds != TRI_YES && c->result)
		note_need(c, holds,
			  (struct check_item){ .what = (u16)what,
					       .role = CHECK_BAD,
					       .cap = demand->cap,
					       .mask = mask,
					       .want = want & mask,
					       .cap_mask = mask << demand->shift });
}

void need(struct checking *c, enum tri truth, unsigned int what, u64 mask, u64 want)
{
	need_demand(c, truth, what, mask, want, &nothing);
}

void need_bits(struct checking *c, unsigned int what, u64 mask, u64 want)
{
	const struct word word = get_field(c, what);
	const enum tri truth = bits_are(word, mask, want);
	const u64 wrong = (word.value ^ want) & mask & word.known;

	need(c, truth, what, truth == TRI_NO ? wrong : mask, want);
}

void need_zero(struct checking *c, unsigned int what, u64 mask)
{
	need_bits(c, what, mask, 0);
}

void need_ones(struct checking *c, unsigned int what, u64 mask)
{
	need_bits(c, what, mask, mask);
}

void need_on(struct checking *c, enum vmx_word word, u64 mask)
{
	const struct word value = get_control(c, word);
	const enum tri truth = word_all(value, mask);

	need(c, truth, vmx_control_words[word].field,
	     truth == TRI_NO ? mask & value.known & ~value.value : mask, mask);
}

void need_off(struct checking *c, enum vmx_word word, u64 mask)
{
	const struct word value = get_control(c, word);
	const enum tri truth = tri_not(word_any(value, mask));

	need(c, truth, vmx_control_words[word].field, truth == TRI_NO ? mask & value.value : mask,
	     0);
}

/* The bits of @must are 1, and of the others only those of @may. */
static void need_between(struct checking *c, unsigned int what, const struct demand *must,
			 const struct demand *may)
{
	const struct word word = get_field(c, what);
	const u64 missing = must->bits.value & word.known & ~word.value;
	const u64 excess = word.value & may->bits.known & ~may->bits.value;
	const u64 unsure =
		(word_max(must->bits) & ~word.value) | (word_max(word) & ~may->bits.value);

	if (missing)
		need_demand(c, TRI_NO, what, missing, missing, must);
	if (excess)
		need_demand(c, TRI_NO, what, excess, 0, may);
	if (!missing && !excess)
		need(c, unsure ? TRI_MAYBE : TRI_YES, what, unsure, 0);
}

void need_within(struct checking *c, unsigned int what, struct word may)
{
	const struct demand allowed = { .bits = may, .cap = CHECK_NO_CAP };

	need_between(c, what, &nothing, &allowed);
}

void need_within_cap(struct checking *c, unsigned int what, struct word may, enum vmx_cap by,
		     unsigned int shift)
{
	const struct demand allowed = { .bits = may, .cap = (u8)by, .shift = (u8)shift };

	need_between(c, what, &nothing, &allowed);
}

void need_allowed(struct checking *c, enum vmx_word word)
{
	const struct vmx_control_word *const row = &vmx_control_words[word];
	const struct word msr = get_ruling_cap(c, word);
	const u8 by = true_msr_rules(c, word) == TRI_YES ? row->true_cap : row->cap;
	const struct demand must = { .bits = word_and(msr, MASK(31, 0)), .cap = by };
	struct demand may = { .bits = msr, .cap = by };

	if (row->layout == VMX_LAYOUT_SPLIT)
		may = (struct demand){ word_bits(msr, 63, 32), by, 32 };
	need_between(c, row->field, row->layout == VMX_LAYOUT_SPLIT ? &must : &nothing, &may);
}

void need_fixed(struct checking *c, unsigned int what, enum vmx_cap fixed0, enum vmx_cap fixed1,
		struct word free)
{
	const struct demand must = { .bits = word_and_word(get_cap(c, fixed0), word_not(free)),
				     .cap = (u8)fixed0 };
	const struct demand may = { .bits = word_or_word(get_cap(c, fixed1), free),
				    .cap = (u8)fixed1 };

	need_between(c, what, &must, &may);
}

void need_msr_bits(struct checking *c, unsigned int what, u32 msr)
{
	struct word may = { 0 };

	checking_reads(c, CHECK_WHAT_CPU);
	cpu_facts_msr_bits(c->in->cpu, msr, &may);
	if (!word_is_known(may))
		checking_lacks(c, CHECK_WHAT_CPU, ~0ull);
	need_within(c, what, may);
}

/* Bits 63:@low of field @what must be those of @sign; @truth is whether they are. */
static void need_same(struct checking *c, enum tri truth, unsigned int what, unsigned int low,
		      u64 sign)
{
	const struct word word = get_field(c, what);
	const u64 mask = MASK(63, low), want = word.value & sign ? mask : 0;

	need(c, truth, what, truth == TRI_NO ? (word.value ^ want) & mask : mask, want);
}

/* The linear-address width, or the greatest one. */
static unsigned int linear_width(const struct checking *c)
{
	return c->in->caps->linear_width ? c->in->caps->linear_width : 57;
}

void need_canonical(struct checking *c, unsigned int what)
{
	const unsigned int top = linear_width(c) - 1;

	need_same(c, is_canonical(c, get_field(c, what)), what, top, BIT(top));
}

void need_sign_extended(struct checking *c, unsigned int what)
{
	need_same(c, is_sign_extended(c, get_field(c, what)), what, linear_width(c), BIT(63));
}

void need_address(struct checking *c, unsigned int what, u64 low)
{
	need_within(c, what, word_and(vmx_address_bits(c), ~low));
}
