/*
 * replay/model_digest.h - a model, taken over many events of one CPU at once
 *
 * What trace/digest.h takes of the dialogue is what model_step() would do for each event: this says
 * which events those are, and does it.
 */
#ifndef REPLAY_MODEL_DIGEST_H
#define REPLAY_MODEL_DIGEST_H

#include "replay/model.h"
#include "trace/digest.h"

/* For trace_digest's meet(). */
enum trace_effect model_effect(const struct trace_event *event, u32 *fixed);

/* A field that events named. */
struct model_digest_field {
	int index;		   /* enum vmcs_index */
	u64 value;		   /* behind all of them; all its bits are known */
	u64 written;		   /* what the last that wrote it wrote ... */
	struct model_place writer; /* ... which is this one; nowhere: none did */
};

/*
 * Events of one CPU with one current VMCS, none but those of a digest. Places have n of the caller.
 */
struct model_digest {
	u16 cpu;
	u8 level; /* behind them, 1 or 2; 0: as before, no L2 entry or exit is among them */
	u64 vmcs;
	u64 n;			  /* of the last one */
	u64 l2_entries;		  /* how many of them are */
	struct model_place entry; /* the first L2 entry, and the first VMLAUNCH or VMRESUME ... */
	struct model_place insn;
	bool launched; /* ... with the launch state before it */
	u32 field_count;
};

/*
 * Makes of @from, whose first event has number @n, @digest and its @fields (DIGEST_MAX_FIELDS + 1).
 * False when the model cannot be taken over these events but by model_step().
 */
bool model_digest_make(struct model_digest *digest, struct model_digest_field *fields, u16 cpu,
		       const struct trace_digest *from, u64 n);

/* As model_step() for each of the events. ST_NO_MEMORY. */
enum status model_step_digest(struct model *model, const struct model_digest *digest,
			      const struct model_digest_field *fields);

#endif
