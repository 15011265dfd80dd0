/*
 * replay/moment.h - what the model knows right before one event of a tape
 *
 * The model is stepped from the start of the tape, or, in a long tape, through its start (the boot
 * record and what L1 asked first) and then from some distance before the event: key frames bring
 * the state back. Where that leaves fields of the current VMCS unknown, and where it is asked for,
 * every event is taken.
 */
#ifndef REPLAY_MOMENT_H
#define REPLAY_MOMENT_H

#include "replay/cpu_facts.h"
#include "replay/model.h"
#include "replay/reader.h"

struct moment {
	struct model *model;
	struct cpu_facts cpu;	  /* what CPUID shows to L1 */
	struct model_place place; /* of the event; nowhere behind the last one */
	u64 n;			  /* its number */
	bool whole;		  /* every event before was taken: who wrote a field is known */
};

/*
 * The moment before event @n, which may be the number of events: behind the last one. The reader
 * moves. ST_NO_MEMORY, ST_RANGE; moment->model is NULL then.
 */
enum status moment_open(struct reader *reader, u64 n, bool whole, struct moment *moment);
void moment_close(struct moment *moment);

/*
 * Whether the controls of @region make the processor use field @index: MODEL_UNKNOWN when it rests
 * on controls that are unknown.
 */
enum model_truth moment_field_used(const struct model_region *region, int index);

/* The control that is off so that field @index is not used, NULL when it is used, or may be. */
const struct vmx_control *moment_field_unused_by(const struct model_region *region, int index);

/*
 * What @value of field @index of @region says, at most @size bytes; "" where there is nothing to
 * say beyond the number. What it depends on is taken from the region's other fields.
 */
void moment_decode(const struct model_region *region, int index, u64 value, char *to, size_t size);

#endif
