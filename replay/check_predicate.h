/*
 * replay/check_predicate.h - what the predicates of replay/check_*.c are written with
 *
 * A predicate is a list of conditions and needs. It begins with when_*(): the rule applies only if
 * all of them hold; what follows, need_*(), must then hold. Both work with what is known, collect
 * the verdict in struct checking, and note the bits it rests on.
 *
 *	PREDICATE(VPID_ZERO)
 *	{
 *		when_on(c, CTL(SECONDARY, VPID));
 *		need(c, tri_not(word_is(get_field(c, F(VPID)), 0)), F(VPID), MASK(15, 0), 1);
 *	}
 *
 * Controls are named by CTL(WORD, NAME), fields by F(NAME). A control word that another control
 * activates counts as 0 while that control is 0.
 */
#ifndef REPLAY_CHECK_PREDICATE_H
#define REPLAY_CHECK_PREDICATE_H

#include "replay/check_table.h"

#define PREDICATE(ID)		void check_##ID(struct checking *c)
#define F(NAME)			VMCS_IX_##NAME
#define L1(NAME)		(CHECK_WHAT_STATE + CHECK_STATE_##NAME)
#define CTL(WORD, NAME)		VMX_WORD_##WORD, WORD##_##NAME

#define CHECKING_MAX_CONDITIONS 8
#define CHECKING_MAX_LACKING	8

struct checking {
	const struct check_input *in;
	struct check_result *result; /* or NULL */
	u8 *reads;		     /* or NULL */
	struct {
		u8 list;    /* the field that has the list's address */
		u32 number; /* from 1 */
	} entry;	    /* in predicates of MSR lists */
	enum tri applies;   /* all conditions so far */
	enum tri concerned; /* some need applied */
	enum tri holds;	    /* all needs that applied */
	u8 depth;
	u8 lacks;
	struct check_item lacking[CHECKING_MAX_LACKING]; /* behind unknown answers */
	struct check_item condition[CHECKING_MAX_CONDITIONS];
};

#define SECTION(...)
#define CHECK(ID, ...) PREDICATE(ID);
#include "vmx/checks.def"
#undef CHECK
#undef SECTION

/* --- What is asked ---------------------------------------------------------------------------- */

static inline void checking_reads(struct checking *c, unsigned int what)
{
	if (c->reads)
		c->reads[what] = 1;
}

void checking_note_lack(struct checking *c, unsigned int what, u64 mask);

/* Bits @mask of @what that an unknown answer rested on, besides those that a predicate names. */
static inline void checking_lacks(struct checking *c, unsigned int what, u64 mask)
{
	if (c->result && mask)
		checking_note_lack(c, what, mask);
}

/* The value of a field; bits that its width does not have are 0. */
static inline struct word get_field(struct checking *c, unsigned int index)
{
	const u64 width = vmcs_width_mask(vmcs_fields[index].width);

	checking_reads(c, index);
	return word_partly(c->in->value[index] & width, c->in->known[index] | ~width);
}

/* Whether any bit of @mask of a field is 1. */
enum tri field_any(struct checking *c, unsigned int index, u64 mask);
struct word get_state(struct checking *c, enum check_state state);
enum tri state_any(struct checking *c, enum check_state state, u64 mask);
/* The number in bits @high:@low of a field. */
struct word field_bits(struct checking *c, unsigned int index, unsigned int high, unsigned int low);
enum tri field_is_state(struct checking *c, unsigned int index, enum check_state state);
struct word get_cap(struct checking *c, enum vmx_cap cap);
/* A control word as it counts. */
struct word get_control(struct checking *c, enum vmx_word word);
enum tri is_on(struct checking *c, enum vmx_word word, u64 mask);
/* Whether the TRUE capability MSR of @word rules; no where there is none. */
enum tri true_msr_rules(struct checking *c, enum vmx_word word);
/* The capability MSR that rules @word; where it is unknown which of two does, what both say. */
struct word get_ruling_cap(struct checking *c, enum vmx_word word);
/* Whether the processor supports the 1-setting of all controls of @mask. */
enum tri can_be_on(struct checking *c, enum vmx_word word, u64 mask);
enum tri cpu_has(struct checking *c, enum cpu_feature feature);
/* Something about the processor that no table tells: maybe, and noted as missing. */
enum tri cpu_untold(struct checking *c);
struct word get_memory(struct checking *c, struct word gpa, unsigned int size);

/*
 * Whether no processor with these features has the MSR that the entry of a list is about; or it is
 * @lacking.
 */
enum tri list_msr_is_absent(struct checking *c, u32 lacking);

/* Bits that a physical address may have: of the processor, and of structures that VMX uses. */
struct word physical_bits(struct checking *c, bool reduced);
struct word vmx_address_bits(struct checking *c);

/*
 * Whether @start plus an offset between @least and @most stays within @bits, which are those from 0
 * up. Offsets are below 2^40.
 */
enum tri range_fits(struct word start, u64 least, u64 most, struct word bits);

/* Whether bits 63:N of @word are all the same, or N - 1 as well, where N is the linear width. */
enum tri is_canonical(struct checking *c, struct word word);
enum tri is_sign_extended(struct checking *c, struct word word);

/* --- Conditions ------------------------------------------------------------------------------- */

/* From here on the rule applies only if @truth; it rests on bits @mask of @what being @value. */
void when(struct checking *c, enum tri truth, unsigned int what, u64 mask, u64 value);
/* One of two conditions, each as when() has it. */
struct condition {
	enum tri truth;
	unsigned int what;
	u64 mask;
	u64 value;
};
void when_either(struct checking *c, struct condition a, struct condition b);
/* All bits of @mask of @what, a field, are those of @value. */
void when_bits(struct checking *c, unsigned int what, u64 mask, u64 value);
void when_on(struct checking *c, enum vmx_word word, u64 mask);
void when_off(struct checking *c, enum vmx_word word, u64 mask);

/* What the rule is about is there, even if none of its needs will apply. */
void is_concerned(struct checking *c);

/* For rules that say the same of several things: what stands between applies to one of them. */
struct checking_mark {
	enum tri applies;
	u8 depth;
};
struct checking_mark checking_mark(const struct checking *c);
void checking_back(struct checking *c, struct checking_mark mark);

/* --- Needs ------------------------------------------------------------------------------------ */

/* @truth must hold. If not, bits @mask of @what are wrong; setting them to @want would do. */
void need(struct checking *c, enum tri truth, unsigned int what, u64 mask, u64 want);
/* The bits of @mask of field @what must be those of @want. */
void need_bits(struct checking *c, unsigned int what, u64 mask, u64 want);
void need_zero(struct checking *c, unsigned int what, u64 mask);
void need_ones(struct checking *c, unsigned int what, u64 mask);
void need_on(struct checking *c, enum vmx_word word, u64 mask);
void need_off(struct checking *c, enum vmx_word word, u64 mask);
/* Only bits that are 1 in @may may be 1. */
void need_within(struct checking *c, unsigned int what, struct word may);
/* Like need_within(); capability MSR @by says so, bit n of the field by bit n + @shift. */
void need_within_cap(struct checking *c, unsigned int what, struct word may, enum vmx_cap by,
		     unsigned int shift);
/* The settings of a control word that the capability MSRs allow. */
void need_allowed(struct checking *c, enum vmx_word word);
/* The bits that two fixed-bits MSRs demand, but for those of @free. */
void need_fixed(struct checking *c, unsigned int what, enum vmx_cap fixed0, enum vmx_cap fixed1,
		struct word free);
/* Reserved bits of MSR @msr are 0. */
void need_msr_bits(struct checking *c, unsigned int what, u32 msr);
void need_canonical(struct checking *c, unsigned int what);
/* Bits from the linear-address width up are the same; the next one below is free. */
void need_sign_extended(struct checking *c, unsigned int what);
/* An address of something that VMX uses: @low bits 0, within the physical-address width. */
void need_address(struct checking *c, unsigned int what, u64 low);

#define PAGE_OFFSET MASK(11, 0)

#endif
