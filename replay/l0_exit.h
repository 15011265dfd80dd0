/*
 * replay/l0_exit.h - which rule L0 breaks by what an entry or exit left in the VMCS
 */
#ifndef REPLAY_L0_EXIT_H
#define REPLAY_L0_EXIT_H

#include "replay/rule.h"

/*
 * The rule for the check of vmx/exit_checks.def that the event fails. FINDING_EXIT_STATE where it
 * has none of its own; FINDING_COUNT where another rule looks at the same and tells more.
 */
enum finding_id l0_exit_rule(const struct rule_run *run);

#endif
