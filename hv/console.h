/*
 * hv/console.h - L1's serial port, listened to: its lines stand on the tape among the events
 */
#ifndef HV_CONSOLE_H
#define HV_CONSOLE_H

#include "base/base.h"

struct percpu;

/* L1 wrote @byte to the transmit register, or to the divisor when it has selected that. */
void console_transmit(struct percpu *cpu, u8 byte);

/* L1 wrote the line-control register. */
void console_line_control(u8 value);

/* Record what is left of an unfinished line. */
void console_flush(struct percpu *cpu);

#endif
