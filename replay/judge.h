/*
 * replay/judge.h - whether what the tape tells is what the SDM allows, event by event
 *
 * Judges each VMX instruction from the state that the model has before it, by
 * replay/insn_outcome.h; each VMLAUNCH and VMRESUME at the event that tells how it ended, by the
 * table of VM-entry checks, of which only those are judged again that look at something that
 * changed; and each entry and exit of L2 by what it does to the VMCS, replay/exit_check.h. Nothing
 * but VERDICT_UNKNOWN rests on something unknown.
 */
#ifndef REPLAY_JUDGE_H
#define REPLAY_JUDGE_H

#include "replay/errata.h"
#include "replay/exit_check.h"
#include "replay/situation.h"

enum verdict {
	VERDICT_NONE, /* nothing to judge, or not yet: an entry whose end comes later */
	VERDICT_AGREE,
	VERDICT_DIVERGE,
	VERDICT_UNKNOWN,
	VERDICT_EXPLAINED, /* it diverges, as the platform is known to: replay/errata.def */
};

/* What of an instruction was found wrong. */
enum judge_aspect {
	JUDGED_OUTCOME,
	JUDGED_FLAGS, /* it left other RFLAGS than go with the outcome */
	JUDGED_VALUE, /* VMREAD returned something else than the field holds */
};

/*
 * What was judged and how. Valid until the next event. Of a VMREAD or VMWRITE that agrees, as
 * nearly all do, only the verdict may be told.
 */
struct judgement {
	u8 verdict;		 /* enum verdict */
	struct model_place insn; /* the instruction: of entries, before the event; or nowhere */
	u8 aspect;		 /* enum judge_aspect, of what diverges */
	bool of_l2;		 /* executed while L2 runs: L0 took for L1's what is L2's */
	u64 wanted;		 /* the RFLAGS, or the value of the field */
	struct legal observed;	 /* how it ended */
	/* What was legal and why; made only where it is not plain that @observed is. */
	struct legal_set expected;
	struct situation situation;
	const u8 *checks; /* of an entry: an enum check_verdict for each row; else NULL */

	const struct erratum *erratum; /* VERDICT_EXPLAINED: by this, and by exit_erratum */

	u8 exit_verdict; /* enum verdict, of an L2_ENTRY or L2_EXIT itself */
	u16 exit_check;	 /* enum exit_check_id that fails, unless it agrees or is unknown */
	const struct erratum *exit_erratum;
	struct exit_situation exit;
};

/* Whether anything of the event is not what the SDM says, explained or not. */
static inline bool judgement_diverges(const struct judgement *judged)
{
	return judged->of_l2 || judged->verdict == VERDICT_DIVERGE ||
	       judged->verdict == VERDICT_EXPLAINED || judged->exit_verdict == VERDICT_DIVERGE ||
	       judged->exit_verdict == VERDICT_EXPLAINED;
}

struct judge_counts {
	u64 agree, diverge, unknown;
	u64 explained; /* by an erratum; not among those that diverge */
};

struct judge;

/* NULL when there is no memory. */
struct judge *judge_new(void);
void judge_free(struct judge *judge);

/*
 * The event at @place, before @model takes it; every event of the tape in order. NULL when there is
 * no memory.
 */
const struct judgement *judge_event(struct judge *judge, struct model *model,
				    const struct trace_event *event,
				    const struct model_place *place);

/* The same for an event that is not to be judged. False when there is no memory. */
bool judge_follow(struct judge *judge, const struct trace_event *event, u64 n);

/* The tape ends: entries whose end it does not tell are unknown. Once. */
void judge_end(struct judge *judge);

/* All verdicts so far; valid as long as @judge. */
const struct judge_counts *judge_counts(const struct judge *judge);

#endif
