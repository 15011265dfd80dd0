/*
 * replay/check_rule.h - what the predicates of replay/check_*.c are written with
 *
 * A predicate is a list of conditions and needs. It begins with when_*(): the rule applies only if
 * all of them hold; what follows, need_*(), must then hold. Both work with what is known, collect
 * the verdict in struct rule, and note the bits it rests on.
 *
 *	RULE(VPID_ZERO)
 *	{
 *		when_on(r, CTL(SECONDARY, VPID));
 *		need(r, tri_not(word_is(field(r, F(VPID)), 0)), F(VPID), MASK(15, 0), 1);
 *	}
 *
 * Controls are asked for by CTL(WORD, NAME); a word that another control activates counts as 0
 *while that control is 0. Fields are named by F(NAME).
 */
#ifndef REPLAY_CHECK_RULE_H
#define REPLAY_CHECK_RULE_H

#include "replay/check.h"

#define RULE(ID)	    void check_##ID(struct rule *r)
#define F(NAME)		    VMCS_IX_##NAME
#define CTL(WORD, NAME)	    VMX_WORD_##WORD, WORD##_##NAME

#define RULE_MAX_CONDITIONS 8

/* One entry of an MSR list. */
struct rule_entry {
	u32 number;	   /* from 1 */
	u64 address;	   /* of the entry, when the list's address is known */
	struct word index; /* bits 63:0: MSR and reserved bits */
	struct word data;
};

struct rule {
	const struct check_input *in;
	struct check_result *result;	/* or NULL */
	u8 *reads;			/* or NULL */
	const struct rule_entry *entry; /* in rules of MSR lists */
	enum tri applies;		/* all conditions so far */
	enum tri concerned;		/* some need applied */
	enum tri holds;			/* all needs that applied */
	u8 depth;
	u8 lacks;
	u16 lacking[4]; /* enum check_what: what unknown answers rested on, other than fields */
	struct check_item condition[RULE_MAX_CONDITIONS];
};

#define SECTION(...)
#define CHECK(ID, ...) RULE(ID);
#include "vmx/checks.def"
#undef CHECK
#undef SECTION

/* --- What is asked ---------------------------------------------------------------------------- */

/* The value of a field; bits that its width does not have are 0. */
struct word field(struct rule *r, unsigned int index);
struct word state(struct rule *r, enum check_state state);
struct word cap(struct rule *r, enum vmx_cap cap);
/* A control word as it counts. */
struct word control_word(struct rule *r, enum vmx_word word);
enum tri on(struct rule *r, enum vmx_word word, u64 mask);
/* Whether the processor supports the 1-setting of all controls of @mask. */
enum tri can_be_on(struct rule *r, enum vmx_word word, u64 mask);
enum tri cpu_has(struct rule *r, enum cpu_feature feature);
struct word memory(struct rule *r, struct word gpa, unsigned int size);

/* Bits that a physical address may have: of the processor, and of structures that VMX uses. */
struct word physical_bits(struct rule *r, bool reduced);
struct word vmx_address_bits(struct rule *r);

/* Whether bits 63:N of @word are all the same, or N - 1 as well, where N is the linear width. */
enum tri is_canonical(struct rule *r, struct word word);
enum tri is_sign_extended(struct rule *r, struct word word);

/* --- Conditions ------------------------------------------------------------------------------- */

/* From here on the rule applies only if @truth; it rests on bits @mask of @what being @value. */
void when(struct rule *r, enum tri truth, unsigned int what, u64 mask, u64 value);
/* All bits of @mask of @what, a field, are those of @value. */
void when_bits(struct rule *r, unsigned int what, u64 mask, u64 value);
void when_on(struct rule *r, enum vmx_word word, u64 mask);
void when_off(struct rule *r, enum vmx_word word, u64 mask);

/* For rules that say the same of several things: what stands between applies to one of them. */
struct rule_mark {
	enum tri applies;
	u8 depth;
};
struct rule_mark rule_mark(const struct rule *r);
void rule_back(struct rule *r, struct rule_mark mark);

/* --- Needs ------------------------------------------------------------------------------------ */

/* @truth must hold. If not, bits @mask of @what are wrong; setting them to @want would do. */
void need(struct rule *r, enum tri truth, unsigned int what, u64 mask, u64 want);
/* The bits of @mask of field @what must be those of @want. */
void need_bits(struct rule *r, unsigned int what, u64 mask, u64 want);
void need_zero(struct rule *r, unsigned int what, u64 mask);
void need_ones(struct rule *r, unsigned int what, u64 mask);
void need_on(struct rule *r, enum vmx_word word, u64 mask);
void need_off(struct rule *r, enum vmx_word word, u64 mask);
/* Only bits that are 1 in @may may be 1. */
void need_within(struct rule *r, unsigned int what, struct word may);
/* Like need_within(); capability MSR @by says so, bit n of the field by bit n + @shift. */
void need_within_cap(struct rule *r, unsigned int what, struct word may, enum vmx_cap by,
		     unsigned int shift);
/* The settings of a control word that the capability MSRs allow. */
void need_allowed(struct rule *r, enum vmx_word word);
/* The bits that two fixed-bits MSRs demand, but for those of @free. */
void need_fixed(struct rule *r, unsigned int what, enum vmx_cap fixed0, enum vmx_cap fixed1,
		struct word free);
/* Reserved bits of MSR @msr are 0. */
void need_msr_bits(struct rule *r, unsigned int what, u32 msr);
void need_canonical(struct rule *r, unsigned int what);
/* An address of something that VMX uses: @low bits 0, within the physical-address width. */
void need_address(struct rule *r, unsigned int what, u64 low);

#define PAGE_OFFSET MASK(11, 0)

#endif
