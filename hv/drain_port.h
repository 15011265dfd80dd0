/*
 * hv/drain_port.h - ring bytes to the port that carries them off
 */
#ifndef HV_DRAIN_PORT_H
#define HV_DRAIN_PORT_H

#include "hv/percpu.h"

/* A whole payload waits. */
bool drain_is_due(const struct percpu *cpu);

/* Write at most one frame; only a whole payload unless @all. Returns whether it wrote one. */
bool drain_poll(struct percpu *cpu, bool all);

/* Write everything, the last frame marked as such. */
void drain_finish(struct percpu *cpu);

#endif
