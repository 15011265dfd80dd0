/*
 * hv/record.h - hv's end of the recorder: what it tells by itself, when it packs and drains
 */
#ifndef HV_RECORD_H
#define HV_RECORD_H

#include "hv/percpu.h"

/* Give @cpu a ring and a recorder, and write the pinned head. L1 has not run. */
void record_init(struct percpu *cpu);

/*
 * Take the next number of the counter that orders events of all processors, from 1: for VMCLEAR and
 * VMXOFF once the region is written, for VMPTRLD and VMXON before it is read, for INVEPT and
 * INVVPID once they are done, for INIT and SIPI as they arrive.
 */
u64 record_take_order(void);

/*
 * The value of the VMX-preemption timer in every VMCS whose timer L1 does not use: a small
 * part of option flush=, so that a tape that is cut off holds what happened before a hang, and that
 * hv hears soon when it is asked to end.
 */
u32 record_heartbeat_timer(void);

/*
 * That timer fired, nothing else exits: write out what is older than option flush= allows, a part
 * of it now.
 */
void record_heartbeat(struct percpu *cpu);

/*
 * Everything that @cpu has recorded is to go into its ring without being packed first, a block with
 * each call of record_push(): all at once would take an exit too long.
 */
void record_hurry(struct percpu *cpu);

/* Returns false when there is no hurry, or no block left. */
bool record_push(struct percpu *cpu);

/* Called at the end of every exit: writes a frame if one is full, else packs a slice if it must. */
void record_idle(struct percpu *cpu);

/* Pack a slice of what waits, if hv packs: rec_pack_slice(), counted as time of packing. */
bool record_pack_slice(struct percpu *cpu);

/* Record an event of hv's own with the time of now; of @bytes no more than TRACE_MAX_BYTES. */
void record_emit(struct percpu *cpu, u8 kind, const void *columns, const void *bytes,
		 u32 byte_count);

/* Record a mark with @length bytes of text at the guest's RIP. */
void record_mark(struct percpu *cpu, const void *text, u32 length);

/* Record @length bytes that belong at @offset of file @what: enum trace_file, or what L1 made of
 * it. */
void record_file(struct percpu *cpu, u64 what, u64 offset, const void *bytes, u32 length);

#endif
