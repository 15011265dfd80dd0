#include "replay/legal.h"

#include <stdio.h>

#include "vmx/bits.h"
#include "vmx/tables.h"

#define FIRST_OPERAND_VECTOR 12 /* #SS, #GP, #PF */
#define LAST_OPERAND_VECTOR  14
#define VECTOR_AC	     17

void legal_add(struct legal_set *set, struct legal legal)
{
	for (unsigned int i = 0; i < set->count; i++) {
		struct legal *const old = &set->of[i];

		if (old->kind != legal.kind || old->number != legal.number)
			continue;
		if (old->low <= legal.low && legal.high <= old->high && old->sure >= legal.sure)
			return;
		if (old->low == legal.low && old->high == legal.high) {
			*old = legal;
			return;
		}
		if (old->sure == legal.sure && (old->check == legal.check || !legal.sure) &&
		    old->high + 1 == legal.low) {
			old->high = legal.high;
			return;
		}
	}
	if (set->count == LEGAL_MAX)
		set->more = true;
	else
		set->of[set->count++] = legal;
}

static bool is_operand_vector(unsigned int vector)
{
	return (vector >= FIRST_OPERAND_VECTOR && vector <= LAST_OPERAND_VECTOR) ||
	       vector == VECTOR_AC;
}

static bool is_member(const struct legal *member, const struct legal *observed)
{
	if (member->kind == LEGAL_OPERAND_FAULT)
		return observed->kind == LEGAL_FAULT && is_operand_vector(observed->number);
	if (member->kind != observed->kind || member->number != observed->number)
		return false;
	return member->kind != LEGAL_ENTRY_FAILURE ||
	       (observed->low >= member->low && observed->low <= member->high);
}

enum legal_verdict legal_judge(const struct legal_set *set, const struct legal *observed,
			       const struct legal **member)
{
	const struct legal *found = NULL;

	for (unsigned int i = 0; i < set->count; i++)
		if (is_member(&set->of[i], observed) && !(found && found->sure))
			found = &set->of[i];
	if (member)
		*member = found;
	if (found)
		return found->sure ? LEGAL_AGREE : LEGAL_UNKNOWN;
	if (set->machine_check && observed->kind == LEGAL_ENTRY_FAILURE &&
	    observed->number == EXIT_ENTRY_MACHINE_CHECK)
		return LEGAL_AGREE;
	return set->more ? LEGAL_UNKNOWN : LEGAL_DIVERGE;
}

static void failure_text(const struct legal *legal, char *text, size_t size)
{
	const unsigned long long low = legal->low, high = legal->high;

	if (low == high)
		snprintf(text, size, "exit %u, qualification %llu", legal->number, low);
	else
		snprintf(text, size, "exit %u, qualification %llu to %llu", legal->number, low,
			 high);
}

char *legal_text(const struct legal *legal, char *text, size_t size)
{
	const char *const exception = vmx_exception_name(legal->number);

	switch (legal->kind) {
	case LEGAL_SUCCEED:
		snprintf(text, size, "VMsucceed");
		break;
	case LEGAL_FAIL_INVALID:
		snprintf(text, size, "VMfailInvalid");
		break;
	case LEGAL_FAIL_VALID:
		snprintf(text, size, "VMfailValid(%u)", legal->number);
		break;
	case LEGAL_FAULT:
		if (exception)
			snprintf(text, size, "%s", exception);
		else
			snprintf(text, size, "fault %u", legal->number);
		break;
	case LEGAL_OPERAND_FAULT:
		snprintf(text, size, "a fault of the operand");
		break;
	default:
		failure_text(legal, text, size);
		break;
	}
	return text;
}

/* --- Making sets ------------------------------------------------------------------------------ */

void legal_may_end_if(struct legal_walk *walk, enum tri condition, struct legal legal)
{
	const enum tri here = tri_and(walk->reached, condition);

	if (here == TRI_NO)
		return;
	legal.sure = here == TRI_YES;
	legal_add(walk->set, legal);
}

void legal_ends_if(struct legal_walk *walk, enum tri condition, struct legal legal)
{
	legal_may_end_if(walk, condition, legal);
	walk->reached = tri_and(walk->reached, tri_not(condition));
}

struct legal legal_succeed(void)
{
	return (struct legal){ .kind = LEGAL_SUCCEED, .check = LEGAL_NO_CHECK };
}

struct legal legal_fault(unsigned int vector)
{
	return (struct legal){
		.kind = LEGAL_FAULT,
		.number = (u16)vector,
		.check = LEGAL_NO_CHECK,
	};
}

struct legal legal_failure(unsigned int reason, u64 low, u64 high)
{
	return (struct legal){
		.kind = LEGAL_ENTRY_FAILURE,
		.number = (u16)reason,
		.check = LEGAL_NO_CHECK,
		.low = low,
		.high = high,
	};
}

void legal_vmfail_if(struct legal_walk *walk, enum tri condition, struct word current,
		     unsigned int error)
{
	const enum tri none = word_is(current, ~0ull);
	const struct legal invalid = { .kind = LEGAL_FAIL_INVALID, .check = LEGAL_NO_CHECK };
	const struct legal valid = {
		.kind = LEGAL_FAIL_VALID,
		.number = (u16)error,
		.check = LEGAL_NO_CHECK,
	};

	legal_may_end_if(walk, tri_and(condition, none), invalid);
	legal_may_end_if(walk, tri_and(condition, tri_not(none)), valid);
	walk->reached = tri_and(walk->reached, tri_not(condition));
}
