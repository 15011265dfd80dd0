/*
 * hv/drain_port.h - ring bytes to what carries them off: a port, or a program of L1's
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

/*
 * @cpu, which asks, ends the tape, and others record no more: where frames waited for the end, or
 * L1 took them, the calls above write to the serial port from now on.
 */
void drain_open_line(const struct percpu *cpu);

/* drain_finish() of all processors but @cpu, where they could not do so themselves. */
void drain_finish_others(const struct percpu *cpu);

/*
 * For drain=l1: the next frame, of any processor, to @to, which has room for DRAIN_FRAME_MAX bytes.
 * Returns how many it has; 0: nothing waits now.
 */
#define DRAIN_FRAME_MAX 4096
size_t drain_take(u8 *to);

#endif
