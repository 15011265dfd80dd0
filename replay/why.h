/*
 * replay/why.h - why an instruction or a VM entry ended as it did, and what would change it
 *
 * Describes the situation of one event to the judges (replay/insn_outcome.h, check_table.h) from
 * what the model knows at that moment and what the event itself and its consequences tell; VMCS
 * fields can be edited and the entry judged again.
 */
#ifndef REPLAY_WHY_H
#define REPLAY_WHY_H

#include "replay/situation.h"
#include "replay/timeline.h"

#define WHY_MAX_ITEMS 256

struct why {
	/* The instruction, and what is known right before it; the model is the timeline's. */
	u64 n;
	struct model_place place;
	const struct model *model;
	struct cpu_facts cpu;

	bool entry; /* the instruction is VMLAUNCH or VMRESUME */
	u8 kind;    /* enum trace_kind of the instruction */
	u64 col[TRACE_MAX_COLUMNS];
	const struct ev_insn *insn; /* lies over col */
	struct legal observed;	    /* what happened */
	bool has_end;		    /* of an entry: the event that tells how it ended */
	struct model_place end;

	/* What is judged; edits go into value and known. */
	u64 value[VMCS_FIELD_COUNT];
	u64 known[VMCS_FIELD_COUNT];
	struct situation situation;
	struct trace_item items[WHY_MAX_ITEMS]; /* words that the entry consulted */
	unsigned item_count;
};

/*
 * The situation of event @n: a VMX instruction; or an entry or exit of L2, which stand for the
 * VMLAUNCH or VMRESUME before them on their CPU. ST_NOT_FOUND when it is none of these, or the
 * tape does not have that instruction; or as timeline_seek(). The cursor moves to that instruction.
 * @why must stay where it is, and so must the cursor, while it is used.
 */
enum status why_find(struct timeline *timeline, u64 n, struct why *why);

/* What the SDM lets the instruction end with, with the edits made so far. */
void why_judge(const struct why *why, struct legal_set *set);

/* Verdicts of all rows; of those that do not count CHECK_NOT_APPLICABLE. Returns how many fail. */
unsigned why_check(const struct why *why, u8 verdicts[CHECK_COUNT]);

/* Sets the bits of @mask of field @index to those of @value. */
void why_edit(struct why *why, int index, u64 mask, u64 value);

struct why_change {
	int index; /* enum vmcs_index */
	u64 mask;
	u64 value; /* of the whole field behind the change */
};

#define WHY_MAX_CHANGES 64

/*
 * A set of changes after which no check fails, such that without any one of them some check does:
 * found by satisfying one failing check after the other and leaving out what is not needed. Judged
 * again, never assumed. Returns how many, 0 when nothing fails or no change of fields helps. @why
 * is left as it was.
 */
unsigned why_remedy(struct why *why, struct why_change changes[WHY_MAX_CHANGES]);

#endif
