/*
 * replay/exit_entry.c - what an entry does to the VMCS, and one that fails late
 */
#include "replay/exit_predicate.h"
#include "vmx/qual.h"

static enum tri no_field_changes(struct exit_checking *x)
{
	struct vmcs_set fields = x->at->fields;
	int index;

	exit_reads(x, EXIT_WHAT_ITEM_FIELD);
	if (x->at->when == EXIT_CHECK_AT_FAILURE) {
		vmcs_set_remove(&fields, F(EXIT_REASON));
		vmcs_set_remove(&fields, F(EXIT_QUALIFICATION));
	}
	index = vmcs_set_take(&fields);
	if (index < 0)
		return TRI_YES;
	return exit_must(x, TRI_NO, (unsigned int)index, vmcs_width_mask(vmcs_fields[index].width),
			 x->at->value[index] & x->at->known[index]);
}

/* --- Entries ---------------------------------------------------------------------------------- */

EXIT_PREDICATE(ENTRY_INJECTS)
{
	const struct word info = exit_before(x, F(VM_ENTRY_INTERRUPTION_INFO));
	const u64 injected = ((const struct ev_l2_entry *)x->at->event->col)->injected;
	const enum tri valid = word_any(info, VMX_EVENT_VALID);

	exit_reads(x, EXIT_WHAT_INJECTED);
	return tri_or(tri_and(valid, word_is(info, injected)),
		      tri_and(tri_not(valid), tri_of(!injected)));
}

EXIT_PREDICATE(ENTRY_LAUNCHES)
{
	const struct word launched = exit_item(x, EXIT_WHAT_ITEM_LAUNCHED, ITEM_LAUNCHED);

	return word_is_known(launched) ? tri_of(launched.value == 1) : exit_skip(x);
}

EXIT_PREDICATE(ENTRY_KEEPS_VMCS)
{
	return no_field_changes(x);
}

/* --- Failures --------------------------------------------------------------------------------- */

EXIT_PREDICATE(FAILURE_REASON)
{
	const unsigned int reason = exit_reason(x);

	return tri_of((reason == EXIT_INVALID_GUEST_STATE || reason == EXIT_MSR_LOADING ||
		       reason == EXIT_ENTRY_MACHINE_CHECK) &&
		      !(x->at->reason & MASK(30, 16)));
}

EXIT_PREDICATE(FAILURE_KEEPS_VMCS)
{
	return no_field_changes(x);
}

EXIT_PREDICATE(FAILURE_KEEPS_LAUNCH_STATE)
{
	return tri_of(!word_is_known(exit_item(x, EXIT_WHAT_ITEM_LAUNCHED, ITEM_LAUNCHED)));
}

EXIT_PREDICATE(FAILURE_QUALIFICATION)
{
	const unsigned int reason = exit_reason(x), field = F(EXIT_QUALIFICATION);
	const struct word qualification = exit_after(x, field);
	const struct word count = exit_before(x, F(VM_ENTRY_MSR_LOAD_COUNT));

	switch (reason) {
	case EXIT_INVALID_GUEST_STATE:
		return exit_must(x,
				 word_in(qualification, word_of(BIT(0) | BIT(2) | BIT(3) | BIT(4))),
				 field, 0, 0);
	case EXIT_MSR_LOADING:
		return exit_must(x,
				 tri_and(tri_not(word_is(qualification, 0)),
					 word_at_most(qualification, count)),
				 field, 0, 0);
	default:
		return exit_bits_are(x, field, ~0ull, 0);
	}
}
