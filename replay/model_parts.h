/*
 * replay/model_parts.h - shared by replay/model*.c
 */
#ifndef REPLAY_MODEL_PARTS_H
#define REPLAY_MODEL_PARTS_H

#include "replay/model.h"

/* What the SDM lets the VMX instruction @event end with, from the state before it. */
void model_expect(const struct model *model, const struct trace_event *event,
		  struct model_expectation *expected);

static inline const struct ev_insn *model_insn(const struct trace_event *event)
{
	return (const struct ev_insn *)event->col;
}

#endif
