/*
 * hv/record_end.h - the end of the tape, and of the machine
 */
#ifndef HV_RECORD_END_H
#define HV_RECORD_END_H

#include "hv/percpu.h"

/* Nobody ends the tape yet. Before any other of these. */
void record_end_init(void);

/* Another processor ends the tape, or this one does. */
bool record_is_ending(void);

/* Leave what @cpu recorded to the tape that ends, and stop. */
_Noreturn void record_join_end(struct percpu *cpu);

/* End the tape with END event @why and @text, drain all of it, those of the other processors first,
 * and power the machine off, or reset it if that is what L1 wanted. */
_Noreturn void record_stop(struct percpu *cpu, enum trace_end why, const char *text);

/* The same after a panic, whose text is @text: best effort, must not panic again. */
void record_panic(struct percpu *cpu, const char *text);

/* End an emulator; a machine is left halted, with what hv said last on its serial port. */
_Noreturn void record_power_off(void);

#endif
