/*
 * hv/record.h - hv's end of the recorder: the boot record, packing and draining, and the end
 */
#ifndef HV_RECORD_H
#define HV_RECORD_H

#include "hv/percpu.h"

/* Give @cpu a ring and a recorder, and write the pinned head. L1 has not run. */
void record_init(struct percpu *cpu);

/*
 * The longest that a guest runs without an exit, in TSC ticks: 45 ms at 3 GHz. It is what the
 * VMX-preemption timer of every VMCS is set to where L1 does not use it, so that a tape that is cut
 * off holds what happened before a hang.
 */
#define RECORD_HEARTBEAT (1ull << 27)

/* The VMX-preemption timer value that makes one heartbeat. */
u32 record_heartbeat_timer(void);

/* Nothing has exited for a heartbeat: write out all that there is. */
void record_heartbeat(struct percpu *cpu);

/* Called at the end of every exit: writes a frame if one is full, else packs a slice if it must. */
void record_idle(struct percpu *cpu);

/* Record a mark with @length bytes of text at the guest's RIP. */
void record_mark(struct percpu *cpu, const void *text, u32 length);

/* End the tape with END event @why and @text, drain all of it, and power the machine off. */
_Noreturn void record_stop(struct percpu *cpu, enum trace_end why, const char *text);

/* The same after a panic, whose text is @text: best effort, must not panic again. */
void record_panic(struct percpu *cpu, const char *text);

/* Power off, where hv knows how. */
_Noreturn void record_power_off(void);

#endif
