/*
 * replay/exit_predicate.h - what the predicates of replay/exit_*.c are written with
 *
 * A predicate returns whether its rule holds; exit_skip() where the rule is about something else.
 * What it looks at it asks for by these functions, so that tests can compare that with the table.
 */
#ifndef REPLAY_EXIT_PREDICATE_H
#define REPLAY_EXIT_PREDICATE_H

#include "replay/exit_check.h"

#define EXIT_PREDICATE(ID) enum tri exit_check_##ID(struct exit_checking *x)
#define F(NAME)		   VMCS_IX_##NAME
#define CTL(WORD, NAME)	   VMX_WORD_##WORD, WORD##_##NAME

struct exit_checking {
	const struct exit_situation *at;
	u8 *reads; /* or NULL */
	bool skipped;
	struct exit_check_result *result; /* or NULL */
};

#define EXIT_CHECK(ID, ...) EXIT_PREDICATE(ID);
#include "vmx/exit_checks.def"
#undef EXIT_CHECK

static inline void exit_reads(struct exit_checking *x, unsigned int what)
{
	if (x->reads)
		x->reads[what] = 1;
}

/* The rule does not apply. */
static inline enum tri exit_skip(struct exit_checking *x)
{
	x->skipped = true;
	return TRI_YES;
}

/* The basic exit reason. */
static inline unsigned int exit_reason(struct exit_checking *x)
{
	exit_reads(x, EXIT_WHAT_REASON);
	return (unsigned int)(x->at->reason & EXIT_REASON_BASIC);
}

/* A field behind the event, and before it. Bits that the field does not have are 0. */
static inline struct word exit_before(struct exit_checking *x, unsigned int index)
{
	const u64 width = vmcs_width_mask(vmcs_fields[index].width);

	exit_reads(x, EXIT_WHAT_BEFORE + index);
	return word_partly(x->at->value[index] & width, x->at->known[index] | ~width);
}

static inline struct word exit_value_after(const struct exit_checking *x, unsigned int index)
{
	const u64 width = vmcs_width_mask(vmcs_fields[index].width);
	const struct trace_item *const item = exit_situation_item(x->at, index);

	if (index == F(EXIT_REASON))
		return word_of(x->at->reason & width);
	if (item)
		return word_of(item->value & width);
	return word_partly(x->at->value[index] & width, x->at->known[index] | ~width);
}

static inline struct word exit_after(struct exit_checking *x, unsigned int index)
{
	exit_reads(x, EXIT_WHAT_AFTER + index);
	return exit_value_after(x, index);
}

/* Whether the bits of @mask of a field are the same before and after. */
enum tri exit_keeps(struct exit_checking *x, unsigned int index, u64 mask);

/* The bits of @mask of a field, behind the event, are those of @want. */
enum tri exit_bits_are(struct exit_checking *x, unsigned int index, u64 mask, u64 want);

/* Notes what is wrong if @holds is no; returns @holds. */
enum tri exit_must(struct exit_checking *x, enum tri holds, unsigned int index, u64 mask, u64 want);

/* Whether a control was 1 before the event; a word that is not activated counts as 0. */
enum tri exit_control(struct exit_checking *x, enum vmx_word word, u64 mask);

/* A capability MSR, unknown where the tape has not told. */
struct word exit_cap(struct exit_checking *x, enum vmx_cap cap);

/* The item with @id, a @what for the table; all unknown when the event has none. */
struct word exit_item(struct exit_checking *x, enum exit_check_what what, u32 id);

/* Whether the exit is caused by the execution of an instruction, as a fault would be. */
bool exit_is_instruction(unsigned int reason);

#endif
