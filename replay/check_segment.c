/*
 * replay/check_segment.c - the checks on the guest's segment registers
 *
 * SDM: "Checks on Guest Segment Registers". Fields of the eight registers stand in the order of
 * enum vmx_segment, then LDTR and TR.
 */
#include "replay/check_guest.h"

#define LDTR	      SEG_COUNT
#define TR	      (SEG_COUNT + 1)

#define SELECTOR(seg) (F(GUEST_ES_SELECTOR) + (seg))
#define BASE(seg)     (F(GUEST_ES_BASE) + (seg))
#define LIMIT(seg)    (F(GUEST_ES_LIMIT) + (seg))
#define AR(seg)	      (F(GUEST_ES_ACCESS_RIGHTS) + (seg))

#define RPL	      MASK(1, 0)
#define TI	      BIT(2)

#define DATA_SEGMENTS (BIT(SEG_DS) | BIT(SEG_ES) | BIT(SEG_FS) | BIT(SEG_GS))
#define ALL_SEGMENTS  (DATA_SEGMENTS | BIT(SEG_CS) | BIT(SEG_SS))

/* Types of code and data segments. */
#define TYPE_ACCESSED BIT(0)
#define TYPE_READABLE BIT(1)
#define TYPE_CODE     BIT(3)

/* Judges @rule for each segment of the mask. */
static void each(struct checking *c, u64 segments,
		 void (*rule)(struct checking *c, unsigned int seg))
{
	for (unsigned int seg = 0; seg < SEG_COUNT; seg++) {
		const struct checking_mark mark = checking_mark(c);

		if (!(segments & BIT(seg)))
			continue;
		rule(c, seg);
		checking_back(c, mark);
	}
}

static void when_usable(struct checking *c, unsigned int seg)
{
	when_bits(c, AR(seg), AR_UNUSABLE, 0);
}

/* CS is checked even if it is marked unusable. */
static void when_checked(struct checking *c, unsigned int seg)
{
	if (seg != SEG_CS)
		when_usable(c, seg);
}

static void when_v86(struct checking *c, bool wanted)
{
	when_bits(c, F(GUEST_RFLAGS), RFLAGS_VM, wanted ? RFLAGS_VM : 0);
}

static struct word type_of(struct checking *c, unsigned int seg)
{
	return field_bits(c, AR(seg), 3, 0);
}

static struct word dpl_of(struct checking *c, unsigned int seg)
{
	return field_bits(c, AR(seg), 6, 5);
}

static struct word rpl_of(struct checking *c, unsigned int seg)
{
	return field_bits(c, SELECTOR(seg), 1, 0);
}

/* --- Selectors -------------------------------------------------------------------------------- */

PREDICATE(TR_SELECTOR)
{
	need_zero(c, F(GUEST_TR_SELECTOR), TI);
}

PREDICATE(LDTR_SELECTOR)
{
	when_usable(c, LDTR);
	need_zero(c, F(GUEST_LDTR_SELECTOR), TI);
}

PREDICATE(SS_CS_RPL)
{
	const struct word cs = rpl_of(c, SEG_CS);

	when_v86(c, false);
	when_off(c, CTL(SECONDARY, UNRESTRICTED_GUEST));
	need(c, word_same(rpl_of(c, SEG_SS), cs), F(GUEST_SS_SELECTOR), RPL, cs.value);
}

/* --- Bases ------------------------------------------------------------------------------------ */

static void v86_base(struct checking *c, unsigned int seg)
{
	const struct word selector = get_field(c, SELECTOR(seg));
	const struct word base = { selector.value << 4, selector.known << 4 | MASK(3, 0) };

	need(c, word_same(get_field(c, BASE(seg)), base), BASE(seg), ~0ull, base.value);
}

PREDICATE(V86_BASES)
{
	when_v86(c, true);
	each(c, ALL_SEGMENTS, v86_base);
}

PREDICATE(BASES_CANONICAL)
{
	need_canonical(c, F(GUEST_TR_BASE));
	need_canonical(c, F(GUEST_FS_BASE));
	need_canonical(c, F(GUEST_GS_BASE));
	when_usable(c, LDTR);
	need_canonical(c, F(GUEST_LDTR_BASE));
}

static void base_below_4g(struct checking *c, unsigned int seg)
{
	when_checked(c, seg);
	need_zero(c, BASE(seg), MASK(63, 32));
}

PREDICATE(BASES_BELOW_4G)
{
	each(c, BIT(SEG_CS) | BIT(SEG_SS) | BIT(SEG_DS) | BIT(SEG_ES), base_below_4g);
}

/* --- Virtual-8086 mode ------------------------------------------------------------------------ */

static void v86_limit(struct checking *c, unsigned int seg)
{
	need_bits(c, LIMIT(seg), MASK(31, 0), 0xffff);
}

PREDICATE(V86_LIMITS)
{
	when_v86(c, true);
	each(c, ALL_SEGMENTS, v86_limit);
}

static void v86_access_rights(struct checking *c, unsigned int seg)
{
	need_bits(c, AR(seg), MASK(31, 0), 0xf3);
}

PREDICATE(V86_ACCESS_RIGHTS)
{
	when_v86(c, true);
	each(c, ALL_SEGMENTS, v86_access_rights);
}

/* --- Type, S ---------------------------------------------------------------------------------- */

PREDICATE(CS_TYPE)
{
	const enum tri unrestricted = is_on(c, CTL(SECONDARY, UNRESTRICTED_GUEST));
	const struct word types =
		word_or(word_if(unrestricted, BIT(3)), BIT(9) | BIT(11) | BIT(13) | BIT(15));

	when_v86(c, false);
	need(c, word_in(type_of(c, SEG_CS), types), AR(SEG_CS), AR_TYPE, 11);
}

PREDICATE(CS_USABLE)
{
	when_off(c, CTL(SECONDARY, UNRESTRICTED_GUEST));
	need_zero(c, AR(SEG_CS), AR_UNUSABLE);
}

PREDICATE(SS_TYPE)
{
	when_v86(c, false);
	when_usable(c, SEG_SS);
	need(c, word_in(type_of(c, SEG_SS), word_of(BIT(3) | BIT(7))), AR(SEG_SS), AR_TYPE, 3);
}

static void data_type(struct checking *c, unsigned int seg)
{
	when_usable(c, seg);
	need_ones(c, AR(seg), TYPE_ACCESSED);
	when_bits(c, AR(seg), TYPE_CODE, TYPE_CODE);
	need_ones(c, AR(seg), TYPE_READABLE);
}

PREDICATE(DATA_TYPE)
{
	when_v86(c, false);
	each(c, DATA_SEGMENTS, data_type);
}

static void code_or_data(struct checking *c, unsigned int seg)
{
	when_checked(c, seg);
	need_ones(c, AR(seg), AR_S);
}

PREDICATE(SEGMENT_S)
{
	when_v86(c, false);
	each(c, ALL_SEGMENTS, code_or_data);
}

/* --- DPL -------------------------------------------------------------------------------------- */

static void when_type_in(struct checking *c, unsigned int seg, u64 types)
{
	const struct word type = type_of(c, seg);

	when(c, word_in(type, word_of(types)), AR(seg), AR_TYPE, type.value);
}

PREDICATE(CS_DPL)
{
	const u64 data = BIT(3), nonconforming = BIT(9) | BIT(11), conforming = BIT(13) | BIT(15);
	const struct word dpl = dpl_of(c, SEG_CS), ss = dpl_of(c, SEG_SS);
	struct checking_mark any_type;

	when_v86(c, false);
	any_type = checking_mark(c);
	when_type_in(c, SEG_CS, data);
	need_zero(c, AR(SEG_CS), AR_DPL);
	checking_back(c, any_type);
	when_type_in(c, SEG_CS, nonconforming);
	need(c, word_same(dpl, ss), AR(SEG_CS), AR_DPL, ss.value << 5);
	checking_back(c, any_type);
	when_type_in(c, SEG_CS, conforming);
	need(c, word_at_most(dpl, ss), AR(SEG_CS), AR_DPL, ss.value << 5);
}

PREDICATE(SS_DPL_RPL)
{
	when_v86(c, false);
	when_off(c, CTL(SECONDARY, UNRESTRICTED_GUEST));
	need(c, word_same(dpl_of(c, SEG_SS), rpl_of(c, SEG_SS)), AR(SEG_SS), AR_DPL,
	     rpl_of(c, SEG_SS).value << 5);
}

PREDICATE(SS_DPL_ZERO)
{
	const enum tri data_in_cs = word_is(type_of(c, SEG_CS), 3);
	const enum tri real_mode = tri_not(field_any(c, F(GUEST_CR0), CR0_PE));

	when_v86(c, false);
	when_either(c, (struct condition){ data_in_cs, AR(SEG_CS), AR_TYPE, 3 },
		    (struct condition){ real_mode, F(GUEST_CR0), CR0_PE, 0 });
	need_zero(c, AR(SEG_SS), AR_DPL);
}

PREDICATE(SS_DPL_FRED)
{
	const struct word dpl = dpl_of(c, SEG_SS);
	const u64 iopl = MASK(13, 12);
	struct checking_mark any_dpl;

	when_bits(c, F(GUEST_CR4), CR4_FRED, CR4_FRED);
	any_dpl = checking_mark(c);
	need(c, word_in(dpl, word_of(BIT(0) | BIT(3))), AR(SEG_SS), AR_DPL, 0);
	when_bits(c, AR(SEG_SS), AR_DPL, 0);
	need_ones(c, AR(SEG_CS), AR_L);
	checking_back(c, any_dpl);
	when_bits(c, AR(SEG_SS), AR_DPL, AR_DPL);
	need_zero(c, F(GUEST_RFLAGS), iopl);
	need_zero(c, F(GUEST_INTERRUPTIBILITY_STATE), BLOCKING_STI);
}

static void data_dpl(struct checking *c, unsigned int seg)
{
	const u64 data_and_nonconforming = MASK(11, 0);

	when_usable(c, seg);
	when_type_in(c, seg, data_and_nonconforming);
	need(c, word_at_most(rpl_of(c, seg), dpl_of(c, seg)), AR(seg), AR_DPL,
	     rpl_of(c, seg).value << 5);
}

PREDICATE(DATA_DPL)
{
	when_v86(c, false);
	when_off(c, CTL(SECONDARY, UNRESTRICTED_GUEST));
	each(c, DATA_SEGMENTS, data_dpl);
}

/* --- The rest of the access rights ------------------------------------------------------------ */

static void present(struct checking *c, unsigned int seg)
{
	when_checked(c, seg);
	need_ones(c, AR(seg), AR_P);
}

PREDICATE(SEGMENT_PRESENT)
{
	when_v86(c, false);
	each(c, ALL_SEGMENTS, present);
}

static void reserved(struct checking *c, unsigned int seg)
{
	when_checked(c, seg);
	need_zero(c, AR(seg), AR_RESERVED);
}

PREDICATE(SEGMENT_RESERVED)
{
	when_v86(c, false);
	each(c, ALL_SEGMENTS, reserved);
}

PREDICATE(CS_DB)
{
	when_v86(c, false);
	when_on(c, CTL(ENTRY, IA32E_MODE_GUEST));
	when_bits(c, AR(SEG_CS), AR_L, AR_L);
	need_zero(c, AR(SEG_CS), AR_DB);
}

static void need_granularity(struct checking *c, unsigned int seg)
{
	const struct checking_mark mark = checking_mark(c);
	const u64 pages = MASK(31, 20), offset = MASK(11, 0);

	is_concerned(c);
	when_bits(c, AR(seg), AR_G, AR_G);
	need_ones(c, LIMIT(seg), offset);
	checking_back(c, mark);
	when(c, field_any(c, LIMIT(seg), pages), LIMIT(seg), pages, get_field(c, LIMIT(seg)).value);
	need_ones(c, AR(seg), AR_G);
}

static void granularity(struct checking *c, unsigned int seg)
{
	when_checked(c, seg);
	need_granularity(c, seg);
}

PREDICATE(SEGMENT_GRANULARITY)
{
	when_v86(c, false);
	each(c, ALL_SEGMENTS, granularity);
}

/* --- TR, LDTR --------------------------------------------------------------------------------- */

PREDICATE(TR_TYPE)
{
	const enum tri legacy = tri_not(is_on(c, CTL(ENTRY, IA32E_MODE_GUEST)));
	const struct word types = word_or(word_if(legacy, BIT(3)), BIT(11));

	need(c, word_in(type_of(c, TR), types), AR(TR), AR_TYPE, 11);
	need_zero(c, AR(TR), AR_S);
}

PREDICATE(TR_PRESENT)
{
	need_zero(c, AR(TR), AR_UNUSABLE | AR_RESERVED);
	need_ones(c, AR(TR), AR_P);
}

PREDICATE(TR_GRANULARITY)
{
	need_granularity(c, TR);
}

PREDICATE(LDTR_TYPE)
{
	when_usable(c, LDTR);
	need_bits(c, AR(LDTR), AR_TYPE | AR_S, 2);
}

PREDICATE(LDTR_PRESENT)
{
	when_usable(c, LDTR);
	need_zero(c, AR(LDTR), AR_RESERVED);
	need_ones(c, AR(LDTR), AR_P);
}

PREDICATE(LDTR_GRANULARITY)
{
	when_usable(c, LDTR);
	need_granularity(c, LDTR);
}
