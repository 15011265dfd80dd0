/*
 * replay/glance.h - what a VMX instruction rests on, found near it
 *
 * A run from the start of a tape gives the state before an event. But a tape tells much of it again
 * and again: each block begins with key frames. A glance takes a model over a few blocks of one
 * CPU, from further back as long as it has to, until what the instruction rests on is certain: then
 * a run would give the same.
 */
#ifndef REPLAY_GLANCE_H
#define REPLAY_GLANCE_H

#include "replay/history.h"
#include "replay/model.h"
#include "replay/reader.h"

/* Whether the launch state of @region is why an instruction of @kind fails: who made it so matters.
 */
static inline bool glance_wants_launch(u8 kind, const struct model_region *region)
{
	return (kind == EV_VMLAUNCH && region->launch == LAUNCH_LAUNCHED) ||
	       (kind == EV_VMRESUME && region->launch == LAUNCH_CLEAR);
}

/*
 * The state before event @n, as far as a VMX instruction rests on it: its CPU, the VMCS that is
 * current there, and capabilities. Of the rest of *@model, which is the caller's then, nothing
 * counts, nor do the numbers of places, and where the launch state was made only where it matters.
 * ST_UNSUPPORTED: only a run can tell, or it is another event. ST_NO_MEMORY. Moves the reader.
 */
enum status glance_model(struct reader *reader, u64 n, struct model **model);

/*
 * As history_answer() of the history of the VMCS at @vmcs before @n; where a glance was possible,
 * and @vmcs is what was current. Moves the reader.
 */
enum status glance_answer(struct reader *reader, u64 n, u64 vmcs,
			  struct history_question *question);

#endif
