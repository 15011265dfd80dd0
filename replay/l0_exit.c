#include "replay/l0_exit.h"

#include "replay/l0_walk.h"
#include "vmx/tables.h"

static bool is_misconfigured(const struct rule_run *run)
{
	struct l0_walk walk;
	unsigned level;

	return l0_walk_take(run->event, &walk) &&
	       l0_walk_misconfigured(&walk, &run->model->shown, &level);
}

enum finding_id l0_exit_rule(const struct rule_run *run)
{
	const u32 reason = (u32)(run->judged->exit.reason & EXIT_REASON_BASIC);

	switch ((enum exit_check_id)run->judged->exit_check) {
	case EXIT_CHECK_ENTRY_EVENT_CONSUMED:
		return FINDING_L0_INJECT_REPEAT;
	case EXIT_CHECK_SAVED_PENDING_DEBUG:
		return FINDING_L0_PENDING_DBG;
	case EXIT_CHECK_SAVED_ACTIVITY:
		return FINDING_L0_ACTIVITY_STATE;
	/* rule_l0_failure.c */
	case EXIT_CHECK_FAILURE_KEEPS_VMCS:
	case EXIT_CHECK_FAILURE_KEEPS_LAUNCH_STATE:
	/* rule_l0_intercept.c */
	case EXIT_CHECK_MSR_ASKED:
	case EXIT_CHECK_IO_ASKED:
	case EXIT_CHECK_EXCEPTION_ASKED:
		return FINDING_COUNT;
	/* rule_entry.c: the entry itself is wrong. */
	case EXIT_CHECK_FAILURE_QUALIFICATION:
		return reason == EXIT_MSR_LOADING && run->verdict == VERDICT_DIVERGE
			       ? FINDING_COUNT
			       : FINDING_EXIT_STATE;
	/* rule_l0_timer.c */
	case EXIT_CHECK_REASON_ASKED:
		return reason == EXIT_PREEMPTION_TIMER ? FINDING_COUNT : FINDING_EXIT_STATE;
	/* rule_l0_ept.c: the walk ends at the entry that is misconfigured. */
	case EXIT_CHECK_EPT_PERMISSIONS:
		return is_misconfigured(run) ? FINDING_COUNT : FINDING_EXIT_STATE;
	default:
		return FINDING_EXIT_STATE;
	}
}
