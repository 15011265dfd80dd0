/*
 * replay/l0_insn.h - which rule L0 breaks by an instruction or an entry that ended wrongly
 *
 * The judge says that an outcome is none of the SDM's. Some mistakes have names of their own, since
 * hypervisors make them again and again: these functions know them by their signs.
 */
#ifndef REPLAY_L0_INSN_H
#define REPLAY_L0_INSN_H

#include "replay/rule.h"

/*
 * An instruction, VERDICT_DIVERGE. @failed_entry is the last VMLAUNCH or VMRESUME of this CPU,
 * where it VMfailed. FINDING_INSN_OUTCOME when it is none of those with a name.
 */
enum finding_id l0_insn_rule(const struct rule_run *run, const struct model_place *failed_entry);

/*
 * A VMLAUNCH or VMRESUME, VERDICT_DIVERGE; @check is the one that should have failed, or
 * LEGAL_NO_CHECK. FINDING_ENTRY_TOO_LAX, _TOO_STRICT or _ERROR_PRIORITY where nothing fits better.
 */
enum finding_id l0_entry_rule(const struct rule_run *run, u16 check);

/* What @finding, of either kind, does, and the facts beside the evidence. */
void l0_insn_explain(struct finding *finding, const struct rule_run *run);

#endif
