/*
 * replay/situation.h - one VMX instruction and all that its outcome rests on
 *
 * Describes the instruction to the judges (replay/insn_outcome.h, replay/entry_outcome.h): what the
 * model knows right before it, what the columns of its event say, and, of entries, what the event
 * that tells their end has consulted. Of two that know the same the model is asked first, for the
 * columns are what L0 holds true.
 */
#ifndef REPLAY_SITUATION_H
#define REPLAY_SITUATION_H

#include "replay/insn_outcome.h"
#include "replay/model.h"

struct situation {
	struct insn_situation insn;
	struct check_input entry; /* filled for VMLAUNCH and VMRESUME */
	const struct trace_item *items;
	u32 item_count;
};

/*
 * The situation of an instruction of kind @kind, EV_VMXON to EV_VMFUNC, with columns @col that is
 * next on @cpu. @situation must stay where it is, and the model and the columns as they are, while
 * it is used.
 */
void situation_make(struct situation *situation, const struct model *model,
		    const struct cpu_facts *facts, u16 cpu, u8 kind, const u64 *col);

/* Memory is known as far as an entry consulted it: the items of the event that tells its end. */
void situation_consulted(struct situation *situation, const struct trace_item *items, u32 count);

/* How an instruction ended by its columns; VMLAUNCH and VMRESUME may still fail by an exit. */
static inline struct legal situation_observed(const struct ev_insn *insn)
{
	static const u8 kinds[] = {
		[OUTCOME_SUCCEED] = LEGAL_SUCCEED,
		[OUTCOME_FAIL_INVALID] = LEGAL_FAIL_INVALID,
		[OUTCOME_FAIL_VALID] = LEGAL_FAIL_VALID,
		[OUTCOME_FAULT] = LEGAL_FAULT,
	};

	return (struct legal){
		.kind = kinds[insn->outcome & 3],
		.number = insn->outcome >= OUTCOME_FAIL_VALID ? (u16)insn->error : 0,
		.check = LEGAL_NO_CHECK,
		.sure = true,
	};
}

/*
 * How an entry ended by the L2_ENTRY or L2_EXIT that followed it; @region as it was before that
 * event, or NULL. False when the tape does not tell the qualification.
 */
bool situation_observed_end(const struct trace_event *event, const struct model_region *region,
			    struct legal *observed);

static inline bool situation_is_entry(u8 kind)
{
	return kind == EV_VMLAUNCH || kind == EV_VMRESUME;
}

#endif
